"""Orders of options: golden values from scipy, statsmodels and the stored records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from scipy.stats import chisquare
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis import Run, load_run, option_orders
from evalsuite.analysis.orders import OrderRow
from evalsuite.records import Cell, Record
from evalsuite.store import RunFolder
from tests.synthetic import MODELS
from tests.synthetic_forms import Forms, build_forms, picked_record

SMOL, GEMMA = MODELS


def _records(run: Run, row: OrderRow) -> list[list[Record]]:
    forms = ["native", "native~1", "native~2", "native~3"]
    cells = {c.prompt_form: c for c in run.manifest.cells if (c.model, c.task) == (row.model, row.task)}
    return [RunFolder(run.path).records(cells[form]) for form in forms]  # type: ignore[index]


def test_rows_are_those_of_the_records(varied: Run) -> None:
    rows = option_orders(varied)
    assert [(r.language, r.model) for r in rows] == [(c, m) for c in ("en", "es", "ja") for m in MODELS]
    ps = []
    for row in rows:
        by_order = _records(varied, row)
        items = list(zip(*by_order, strict=True))
        right = sum(all(r.score == 1 for r in item) for item in items)
        # The gold option of an item is its index modulo 4: what was picked follows from where the gold option stood.
        same = sum(
            len({((r.prediction or 0) - int(r.target) + i) % 4 for r in item}) == 1 for i, item in enumerate(items)
        )
        assert row.circular.value == right / len(items)
        assert row.same_option.value == same / len(items)
        assert (row.circular.low, row.circular.high) == pytest.approx(
            proportion_confint(right, len(items), method="wilson")
        )
        means = [sum(r.score or 0 for r in same_order) / len(same_order) for same_order in by_order]
        assert [e.value for _, e in row.scores] == pytest.approx(means)
        assert row.spread == pytest.approx(max(means) - min(means))
        counted = Counter(r.prediction for item in items for r in item)
        assert row.places is not None
        assert row.places.p == pytest.approx(chisquare([counted[i] for i in range(4)]).pvalue)
        assert (row.places.place, row.places.n) == (max(range(4), key=lambda i: counted[i]), 4 * len(items))
        assert row.places.letter == "ABCD"[row.places.place]
        assert (row.places.share, row.places.fair) == (max(counted.values()) / (4 * len(items)), 0.25)
        ps.append(row.places.p)
    assert [r.p_holm for r in rows] == pytest.approx(list(multipletests(ps, method="holm")[1]))


def test_a_model_that_likes_a_place_is_told_from_one_that_likes_an_option(tmp_path: Path) -> None:
    def pick(cell: Cell, index: int) -> int:
        # One takes the second option that is listed, the other the same option wherever it stands.
        return (1 + cell.prompt_form.rotation) % 4 if cell.model == SMOL else (index + index // 4 % 2) % 4

    rows = option_orders(load_run(build_forms(tmp_path / "run", Forms(items=40, codes=("en",), pick=pick))))
    place, option = (next(r for r in rows if r.model == m) for m in (SMOL, GEMMA))
    assert place.places is not None
    assert (place.places.letter, place.places.share, place.places.fair) == ("B", 1.0, 0.25)
    assert place.p_holm is not None
    assert place.p_holm < 1e-6
    assert (place.circular.value, place.same_option.value, place.spread) == (0.0, 0.0, 0.0)
    assert option.places is not None
    assert (option.places.share, option.places.p) == (0.25, 1.0)
    assert (option.circular.value, option.same_option.value) == (0.5, 1.0)


def test_items_of_fewer_options_have_fewer_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def record(index: int, option: int, rotation: int) -> Record:
        # Every other item has three options only; its fourth order is its first again.
        options = 4 - index % 2
        return picked_record(index, rotation % options, rotation % options, options)

    monkeypatch.setattr("tests.synthetic_forms.picked_record", record)
    row = option_orders(load_run(build_forms(tmp_path / "run", Forms(items=20, codes=("en",)))))[0]
    assert row.places is not None
    # Always the first place: 10 items × 4 orders and 10 × 3.
    assert (row.places.n, row.places.share, row.places.letter) == (70, 1.0, "A")
    assert row.places.fair == pytest.approx(20 / 70)
    assert row.places.p == pytest.approx(chisquare([70, 0, 0, 0], [20, 20, 20, 10]).pvalue)
    assert row.same_option.n == 20


def test_missing_orders_give_a_reason(tmp_path: Path) -> None:
    row = option_orders(load_run(build_forms(tmp_path / "run", Forms(items=12, codes=("en",), orders=3))))[0]
    assert row.places is None
    assert row.reason == "no item was answered in all of its orders"
    assert row.circular.n == 12
    assert len(row.scores) == 3


def test_one_order_is_no_row(tmp_path: Path) -> None:
    assert option_orders(load_run(build_forms(tmp_path / "run", Forms(items=4, codes=("en",), orders=1)))) == ()
