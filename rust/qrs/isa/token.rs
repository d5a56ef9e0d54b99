//! One macro makes a token: its detection, its features and its entry cannot drift apart.

/// `token!(Name, detect_macro, "feature", ...)`: a zero-sized proof that the CPU has the features,
/// and `enter`, which compiles a kernel with them.
macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $detect:ident, $features:literal, $($feature:tt),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name {
            _private: (),
        }

        impl $name {
            /// The token, if this CPU has the features.
            #[must_use]
            pub(super) fn new() -> Option<Self> {
                if $(std::arch::$detect!($feature))&&+ { Some(Self { _private: () }) } else { None }
            }

            /// Runs `kernel` inside a function that carries the features.
            pub(super) fn enter<K: $crate::isa::Kernel>(self, kernel: K) -> K::Output {
                #[target_feature(enable = $features)]
                fn inner<K: $crate::isa::Kernel>(token: $name, kernel: K) -> K::Output {
                    kernel.run(token)
                }
                // SAFETY: the token's construction proved every feature of `inner`; no memory is
                // touched by the call itself.
                unsafe { inner(self, kernel) }
            }
        }
    };
}

/// Verbs that are one expression of intrinsics on values: no memory, so the token is the whole proof.
macro_rules! verbs {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $body:expr;)+) => {
        $(
            #[inline(always)]
            fn $name(self, $($arg: $ty),*) -> $ret {
                // SAFETY: the token proves the features of these intrinsics; loads and stores go
                // through references to arrays of exactly the size they touch.
                unsafe { $body }
            }
        )+
    };
}

#[cfg_attr(target_arch = "wasm32", expect(unused_imports, reason = "no SIMD level there"))]
pub(crate) use {token, verbs};
