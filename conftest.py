"""Loads the package the usual way before pytest collects from it.

In importlib mode pytest would otherwise load `qrs.tensor` a second time and put the copy over the
function `qrs.tensor`.
"""

import qrs

__all__ = ["qrs"]
