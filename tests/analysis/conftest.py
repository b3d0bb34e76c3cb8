"""A run folder that every test of this package may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.analysis import Run, load_run
from tests.synthetic import build_run
from tests.synthetic_forms import build_forms


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models, two groups and seven languages, one failed, one pending and one skipped cell."""
    return build_run(tmp_path_factory.mktemp("runs") / "example")


@pytest.fixture(scope="session")
def run(run_path: Path) -> Run:
    """The same folder, loaded."""
    return load_run(run_path)


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with other wordings, other orders of options, and written answers, in three languages."""
    return load_run(build_forms(tmp_path_factory.mktemp("runs") / "varied"))
