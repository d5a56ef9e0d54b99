"""The script that makes the golden file needs PyTorch and is no test."""

collect_ignore = ["golden/make_float_layers.py"]
