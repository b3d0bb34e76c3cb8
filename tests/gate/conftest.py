"""Runs that every test of this package may read."""

from __future__ import annotations

import shutil

import pytest

from tests.synthetic_gate import TITLES, known_run
from tests.synthetic_profile import DevicePlan


@pytest.fixture(scope="session")
def scored(tmp_path_factory):
    """Scores of two models in three languages."""
    return known_run(tmp_path_factory.mktemp("gate") / "scored")


@pytest.fixture(scope="session")
def measured(tmp_path_factory):
    """The same with a profile of each model: 90 undisturbed classifications a language."""
    plan = DevicePlan(codes=("en", "es", "eu"), models=TITLES, rounds=30, noisy=(), throttled=())
    return known_run(tmp_path_factory.mktemp("gate") / "measured", profile=plan)


@pytest.fixture
def copied(scored, tmp_path):
    """The scores in a folder of their own, to be changed."""
    return shutil.copytree(scored, tmp_path / "run")
