"""Float layers; `qrs.nn` gives them their public names."""

__all__: list[str] = []
