"""Fewer categories and one more: against a plain loop over sub-sets, and against textbook errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evalsuite.analysis import Run, fewer_categories, load_run
from evalsuite.analysis.category_cells import category_cells
from evalsuite.analysis.label_draws import LabelDraws
from evalsuite.analysis.label_sets import ORDERS, LabelSetRow, nested_sets
from evalsuite.records import Cell, PromptForm, Record
from evalsuite.stats.strata import stratified_weights
from evalsuite.store import RunFolder
from tests.synthetic_labels import Labels, build_labels, names_of


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Fourteen categories in two languages."""
    return load_run(build_labels(tmp_path_factory.mktemp("runs") / "labels", Labels(categories=14, each=4)))


def _loop(run: Run, row: LabelSetRow) -> tuple[dict[int, list[float]], dict[int, list[float]], dict[int, list[float]]]:
    """Return accuracies by order within sub-sets, on the first two categories' items, and of the newcomer, by size."""
    cell = next(c for c in run.manifest.cells if (c.model, c.task) == (row.model, row.task))
    made = RunFolder(run.path).records(cell)
    k = row.categories
    orders = run.rng("label_sets", row.group).permuted(np.tile(np.arange(k), (ORDERS, 1)), axis=1)
    inside: dict[int, list[float]] = {size: [] for size in range(2, k + 1)}
    same: dict[int, list[float]] = {size: [] for size in range(2, k + 1)}
    newest: dict[int, list[float]] = {size: [] for size in range(2, k + 1)}
    for order in orders.tolist():
        for size in range(2, k + 1):
            subset = sorted(order[:size])
            hits = {
                r.item_id: subset[int(np.argmax([r.logprobs[c] for c in subset]))] == int(r.target)
                for r in made
                if int(r.target) in subset
            }
            inside[size].append(float(np.mean(list(hits.values()))))
            by_target = {r.item_id: int(r.target) for r in made}
            same[size].append(float(np.mean([h for i, h in hits.items() if by_target[i] in order[:2]])))
            newest[size].append(float(np.mean([h for i, h in hits.items() if by_target[i] == order[size - 1]])))
    return inside, same, newest


def test_accuracies_are_those_of_a_loop_over_sub_sets(labelled: Run) -> None:
    row = fewer_categories(labelled)[0]
    inside, same, newest = _loop(labelled, row)
    assert [s.size for s in row.sizes] == [2, 4, 8, 12, 14]
    for s in row.sizes:
        assert s.accuracy.value == pytest.approx(np.mean(inside[s.size]))
        assert s.same_items.value == pytest.approx(np.mean(same[s.size]))
        assert s.ratio == pytest.approx(np.mean(inside[s.size]) * s.size)
        if s.size < 14:
            assert (s.set_low, s.set_high) == pytest.approx(tuple(np.quantile(inside[s.size], [0.025, 0.975])))
    assert (row.sizes[-1].set_low, row.sizes[-1].set_high) == (None, None)
    assert [a.size for a in row.added] == [4, 12, 13]
    for a in row.added:
        assert a.before.value == pytest.approx(np.mean(inside[a.size]))
        # All categories have as many items, so that what is left of all is what is left of old and new.
        after = [
            (with_new * (a.size + 1) - new) / a.size
            for with_new, new in zip(inside[a.size + 1], newest[a.size + 1], strict=True)
        ]
        assert a.after.value == pytest.approx(np.mean(after))
        assert a.change.value == pytest.approx(np.mean(after) - np.mean(inside[a.size]))
        assert a.lost.value == pytest.approx(1 - np.mean(after) / np.mean(inside[a.size]))
        assert a.recall.value == pytest.approx(np.mean(newest[a.size + 1]))


def test_all_categories_are_the_cell_itself(labelled: Run) -> None:
    for row, cell in zip(fewer_categories(labelled), category_cells(labelled), strict=True):
        last = row.sizes[-1].accuracy
        hits = (cell.picked == cell.right).reshape(14, 4)
        assert last.value == pytest.approx(hits.mean())
        # The only spread left is that of items within categories: the error of a stratified mean.
        error = np.sqrt((hits.var(axis=1, ddof=1) / 4).sum()) / 14
        assert last.low is not None
        assert last.high is not None
        assert (last.high - last.low) / 2 == pytest.approx(1.96 * error, rel=0.12)


@pytest.mark.parametrize(("size", "first", "end"), [(2, 0, 2), (5, 0, 4), (9, 0, 9), (5, 4, 5)])
def test_samples_of_a_share_are_those_of_a_loop(size: int, first: int, end: int) -> None:
    rng = np.random.default_rng(8)
    # Nine categories: two have one item each and one has none.
    right = rng.permutation(np.repeat(np.arange(8), [9, 1, 4, 7, 1, 5, 6, 3]))
    orders = rng.permuted(np.tile(np.arange(9), (40, 1)), axis=1)
    lost_at = nested_sets(rng.normal(size=(36, 9)), right, orders).lost_at
    draws = LabelDraws(right, orders, np.random.default_rng(2))
    asked = draws.asked(size, first, end)
    hits, means = draws.hits(asked, lost_at[:, draws.by_category][asked.places] >= size)

    again = np.random.default_rng(2)
    weights = stratified_weights(right, again, draws.resamples)
    often = again.multinomial(40, np.full(40, 1 / 40), size=draws.resamples)
    inside = [np.isin(right, order[first:end]) for order in orders]
    known = [i for i in range(40) if inside[i].any()]
    assert hits[asked.kind].tolist() == [int((inside[i] & (lost_at[i] >= size)).sum()) for i in known]
    for b in range(0, draws.resamples, 50):
        held = {i: weights[b, inside[i]].sum() for i in known}
        shares = {i: weights[b, inside[i] & (lost_at[i] >= size)].sum() / held[i] for i in known if held[i]}
        golden = sum(often[b, i] * share for i, share in shares.items()) / sum(often[b, i] for i in shares)
        assert means[b] == pytest.approx(golden, abs=1e-6)


def test_sub_sets_are_nested_and_ties_go_to_the_first() -> None:
    values = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 2.0, 3.0]])
    right = np.array([0, 1, 1])
    nested = nested_sets(values, right, np.array([[0, 1, 2], [1, 2, 0]]))
    assert nested.enters.tolist() == [[0, 1, 1], [2, 0, 0]]
    # Item 1 ties with category 0, which stands before it; item 2 is beaten by category 2.
    assert nested.lost_at.tolist() == [[3, 0, 2], [3, 2, 1]]
    assert nested.right(1).tolist() == [[True, False, False], [False, True, True]]
    assert nested.right(2).tolist() == [[True, False, True], [False, True, False]]
    assert nested.right(3).tolist() == [[True, False, False], [True, False, False]]
    rng = np.random.default_rng(3)
    large = nested_sets(
        rng.normal(size=(30, 6)), np.arange(30) % 6, rng.permuted(np.tile(np.arange(6), (20, 1)), axis=1)
    )
    for size in range(1, 6):
        assert (large.asked(size) <= large.asked(size + 1)).all()
        # What was asked before is never won by a further category.
        assert ((large.right(size + 1) & large.asked(size)) <= large.right(size)).all()


def test_a_new_category_only_takes(labelled: Run) -> None:
    for row in fewer_categories(labelled):
        for a in row.added:
            assert a.change.value is not None
            assert a.change.value <= 0
            assert a.change.high is not None
            assert a.change.high <= 0
            assert a.lost.low is not None
            assert a.lost.low >= 0
        sames = [s.same_items.value for s in row.sizes]
        assert sames == sorted(sames, key=lambda v: -(v or 0))
        chances = [s.chance for s in row.sizes]
        assert chances == sorted(chances, reverse=True)


def test_guessing_scores_chance(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    values = {i: rng.normal(size=8).tolist() for i in range(320)}
    plan = Labels(categories=8, each=40, codes=("en",), values=lambda cell, index: values[index])
    row = fewer_categories(load_run(build_labels(tmp_path / "run", plan)))[0]
    for s in row.sizes:
        assert s.accuracy.low is not None
        assert s.accuracy.high is not None
        assert s.accuracy.low < s.chance < s.accuracy.high
        assert s.ratio == pytest.approx(1, abs=0.3)


def test_orders_are_the_same_for_all_languages_and_models(tmp_path: Path) -> None:
    def values(cell: Cell, index: int) -> list[float]:
        return [float(v) for v in np.random.default_rng(index).normal(size=12)]

    rows = fewer_categories(load_run(build_labels(tmp_path / "run", Labels(values=values))))
    assert len(rows) == 4
    seen = {tuple((s.accuracy.value, s.set_low, s.set_high, s.same_items.value) for s in row.sizes) for row in rows}
    assert len(seen) == 1


def test_the_same_run_gives_the_same_rows(labelled: Run) -> None:
    assert fewer_categories(load_run(labelled.path)) == fewer_categories(labelled)


def test_a_model_that_is_always_right_has_no_interval(tmp_path: Path) -> None:
    plan = Labels(codes=("en",), values=lambda cell, index: [-float(i != index // 5) for i in range(12)])
    row = fewer_categories(load_run(build_labels(tmp_path / "run", plan)))[0]
    for s in row.sizes:
        assert (s.accuracy.value, s.accuracy.low) == (1.0, None)
        assert s.accuracy.reason == "all resamples are alike, so that a bootstrap has no width"
    assert {(a.before.value, a.after.value, a.lost.value, a.recall.value) for a in row.added} == {(1.0, 1.0, 0.0, 1.0)}


def test_a_model_that_is_never_right_has_nothing_to_lose(tmp_path: Path) -> None:
    # The right category is behind all others.
    plan = Labels(categories=4, codes=("en",), values=lambda cell, index: [-float(i == index // 5) for i in range(4)])
    row = fewer_categories(load_run(build_labels(tmp_path / "run", plan)))[0]
    assert [s.accuracy.value for s in row.sizes] == [0.0, 0.0]
    assert [(a.size, a.lost.value, a.lost.reason) for a in row.added] == [(3, None, "no item is right before")]


def test_categories_without_items_are_only_distractors(tmp_path: Path) -> None:
    def change(cell: Cell, made: Record) -> Record:
        lacking = int(made.target) > 1
        return made.model_copy(update={"logprobs": ()}) if lacking else made

    row = fewer_categories(load_run(build_labels(tmp_path / "run", Labels(codes=("en",), change=change))))[0]
    assert (row.items, row.categories) == (10, 12)
    assert row.sizes[0].accuracy.value is not None
    assert row.added[0].recall.n == 10


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (
            Labels(context="Categories: " + ", ".join(names_of(12)) + "\nMessage: …"),
            "the prompt lists the categories, so what it scores with fewer cannot be derived",
        ),
        (
            Labels(changes={"primary_metric": "acc_mutual_info"}),
            "log-probabilities without context were not measured",
        ),
    ],
)
def test_what_cannot_be_derived_says_why(tmp_path: Path, plan: Labels, reason: str) -> None:
    row = fewer_categories(load_run(build_labels(tmp_path / "run", plan)))[0]
    assert (row.sizes, row.added, row.reason) == ((), (), reason)


@pytest.mark.parametrize("plan", [Labels(categories=3), Labels(changes={"family": "nli"})])
def test_few_categories_and_other_families_have_no_rows(tmp_path: Path, plan: Labels) -> None:
    assert fewer_categories(load_run(build_labels(tmp_path / "run", plan))) == ()


def test_forms_of_the_sweep_have_rows_of_their_own(tmp_path: Path) -> None:
    forms = (PromptForm.NATIVE, PromptForm.CHAT)
    rows = fewer_categories(load_run(build_labels(tmp_path / "run", Labels(codes=("en",), forms=forms))))
    assert [row.form for row in rows] == [*forms, *forms]
