"""Rows become frames whose columns do not depend on what happens to be in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalsuite.analysis import Run
from evalsuite.analysis.frames import to_frame
from evalsuite.analysis.rows import GapRow, ScoreRow
from evalsuite.analysis.tables import gaps, scores
from evalsuite.stats.energy import Quantity
from evalsuite.stats.intervals import Estimate


class _Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class _Inner:
    share: Estimate


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    colour: _Colour
    energy: Quantity
    inner: _Inner | None
    pairs: tuple[int, int]
    rows: tuple[_Inner, ...]


def test_estimates_are_flattened_and_tables_inside_rows_are_left_out() -> None:
    share = Estimate(0.5, 0.4, 0.6, 10, "wilson")
    rows = [
        _Row("a", _Colour.RED, Quantity(2.0, 0.5, 2.0), _Inner(share), (1, 2), (_Inner(share),)),
        _Row("b", _Colour.RED, Quantity(None, reason="no meter"), None, (3, 4), ()),
    ]
    frame = to_frame(rows, _Row)
    inner = ["inner_share", *(f"inner_share_{part}" for part in ("low", "high", "n", "method", "reason"))]
    assert list(frame.columns) == [
        *("name", "colour", "energy", "energy_low", "energy_high", "energy_reason"),
        *inner,
        "pairs",
    ]
    first = frame.iloc[0]
    assert (first["colour"], first["energy_low"], first["energy_high"]) == ("red", 1.0, 3.0)
    assert [first[name] for name in inner] == [0.5, 0.4, 0.6, 10, "wilson", None]
    assert frame.iloc[1][inner].isna().all()
    assert frame.iloc[1]["energy_reason"] == "no meter"
    assert list(to_frame([], _Row).columns) == list(frame.columns)


def test_a_gap_is_one_row_with_the_numbers_of_its_difference(run: Run) -> None:
    rows = gaps(run)
    frame = to_frame(rows, GapRow)
    assert frame.columns.is_unique
    assert len(frame) == len(rows)
    row = next(r for r in rows if r.difference.difference is not None)
    found = frame.iloc[rows.index(row)]
    assert (found["difference"], found["low"], found["n"]) == (
        row.difference.difference,
        row.difference.low,
        row.difference.n,
    )
    unknown = frame.iloc[next(i for i, r in enumerate(rows) if r.difference.difference is None)]
    assert unknown["reason"] == next(r.reason for r in rows if r.difference.difference is None)


def test_scores_of_nothing_still_have_their_columns(run: Run) -> None:
    assert list(to_frame((), ScoreRow).columns) == list(to_frame(scores(run), ScoreRow).columns)
