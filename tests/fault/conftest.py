"""What the fault tests share: the shim between a process and its disk."""

from pathlib import Path

import pytest

from tests.fault.power import shim


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled shim."""
    return shim.build(tmp_path_factory.mktemp("shim"))
