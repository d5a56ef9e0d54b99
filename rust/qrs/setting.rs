//! Settings from environment variables.

/// What the variable `name` says; nothing if it is unset or blank.
pub(crate) fn setting(name: &str) -> Option<String> {
    let text = std::env::var_os(name)?.to_string_lossy().trim().to_owned();
    (!text.is_empty()).then_some(text)
}
