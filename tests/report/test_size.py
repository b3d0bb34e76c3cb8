"""A report is passed on by mail and opened on phones: how large the file is for a large sweep."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalsuite.report.build import build_report
from tests.synthetic_profile import DevicePlan, build_profiles

MOST_BYTES = 3_000_000
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Five models in seven languages on twenty groups of tasks, with a profile of each model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        from big_run import CODES, MODELS, build

        folder = tmp_path_factory.mktemp("size")
        build(folder / "run", 0.01, 20)
        plan = DevicePlan(codes=CODES, models={name: name for name in MODELS})
        yield build_report(build_profiles(folder / "run", plan), folder / "report.html")
    sys.modules.pop("big_run", None)


def test_five_models_in_seven_languages_on_twenty_tasks_are_at_most_three_megabytes(report: Path) -> None:
    assert report.stat().st_size <= MOST_BYTES


def test_nothing_that_it_promises_is_left_out_for_that(report: Path) -> None:
    html = report.read_text(encoding="utf-8")
    chapters = (
        "decision",
        "gap_map",
        "gap",
        "accuracy",
        "tokens",
        "categories",
        "method",
        "device",
        "tradeoffs",
        "items",
    )
    for part in (*chapters, "provenance"):
        assert f'<section id="{part}"' in html, part
    # A figure of scores and one of gaps for each group that has them, and a map for each model.
    assert html.count("<figure") >= 20
