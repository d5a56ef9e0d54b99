"""Loads the package the usual way before pytest collects from it.

In importlib mode pytest would otherwise load `qrs.tensor` a second time and put the copy over the
function `qrs.tensor`.
"""

import qrs

__all__ = ["collect_ignore", "qrs"]

# Importing it raises; tests/contracts/test_names.py sees to that.
collect_ignore = ["python/qrs/quantization/quantize_fx.py"]
