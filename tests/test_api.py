"""The public interface gives the tables as frames, and costs nothing until it is used."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite.analysis.load import load_run
from evalsuite.analysis.resource_gap import larger_models
from evalsuite.analysis.tables import gaps, scores, token_tax
from evalsuite.errors import StoreError
from tests.synthetic import Plan, build_run


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> evalsuite.Results:
    path = tmp_path_factory.mktemp("runs") / "run"
    return evalsuite.load_run(build_run(path, Plan(items=40, codes=("en", "es", "eu"), reference="es")))


def _numbers(values: Iterable[float | None]) -> Any:
    return pytest.approx([math.nan if value is None else value for value in values], nan_ok=True)


def test_importing_the_package_imports_no_table_library() -> None:
    code = (
        "import sys, evalsuite; print(evalsuite.__version__, sorted({'pandas', 'numpy', 'torch'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told.split(maxsplit=1)[1].strip() == "[]"


def test_frames_hold_the_rows_of_the_tables(results: evalsuite.Results) -> None:
    run = load_run(results.run.path)
    assert len(results.items()) == len(run.items)
    assert results.scores()["estimate"].tolist() == _numbers(r.estimate.value for r in scores(run))
    frame = results.gaps()
    assert frame["difference"].tolist() == _numbers(r.difference.difference for r in gaps(run))
    assert set(frame["reference"]) == {"es"}
    assert results.tokens()["ratio"].tolist() == _numbers(r.ratio.value for r in token_tax(run))


def test_the_caller_may_name_another_reference_and_margin(results: evalsuite.Results) -> None:
    frame = results.gaps(reference="en", margin=0.5)
    assert set(frame["reference"]) == {"en"}
    assert set(frame["language"]) == {"es", "eu"}
    assert set(frame["margin"]) == {0.5}
    wide, narrow = (results.gaps(margin=margin)["p_margin"].dropna() for margin in (0.5, 0.05))
    assert (wide <= narrow).all()
    assert (wide < narrow).any()
    assert "within margin" in set(results.gaps(margin=0.9)["verdict"])


@pytest.mark.parametrize("name", ["deltas", "double_deltas", "kinds", "parity", "profile", "memory", "energy", "costs"])
def test_a_table_of_what_was_not_measured_has_columns_and_no_rows(results: evalsuite.Results, name: str) -> None:
    frame = getattr(results, name)()
    assert len(frame) == 0
    assert "model" in frame.columns


@pytest.mark.parametrize("name", ["reasons", "languages", "resources", "comparisons", "agreement"])
def test_other_tables_have_a_row_for_every_model(results: evalsuite.Results, name: str) -> None:
    frame = getattr(results, name)()
    assert frame.columns.is_unique
    assert set(results.run.models) & set(frame["model"])


def test_the_largest_model_is_held_against_the_smallest(results: evalsuite.Results) -> None:
    rows = larger_models(results.run)
    frame = results.sizes()
    assert frame["difference"].tolist() == _numbers(row.difference.difference for row in rows)
    assert frame["reason"].notna().tolist() == [row.reason is not None for row in rows]
    assert frame["difference"].notna().any()


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing-here"):
        evalsuite.load_run(tmp_path / "nothing-here")
