"""Every test here starts from the same random numbers.

The script that makes the golden file needs PyTorch and is no test.
"""

import pytest

import qrs

collect_ignore = ["golden/make_float_layers.py"]


@pytest.fixture(autouse=True)
def seed() -> None:
    qrs.manual_seed(0)
