"""Every test here starts from the same random numbers."""

import pytest

import qrs


@pytest.fixture(autouse=True)
def seed() -> None:
    qrs.manual_seed(0)
