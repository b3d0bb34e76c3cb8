"""Comparisons of one run and of two, against statsmodels and scipy on the stored records; each unlike thing is refused."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from evalsuite.analysis import gaps, load_run, quantisation_deltas
from evalsuite.analysis.compare import compare
from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.compare_rows import TimeVerdict
from evalsuite.analysis.narrow import Part
from evalsuite.analysis.rows import Verdict
from evalsuite.errors import InputError
from evalsuite.records import Kind, PromptForm, RequestRow, digest
from evalsuite.store import RunFolder
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_forms import Forms, build_forms
from tests.synthetic_profile import DevicePlan, build_profiles
from tests.synthetic_quantised import BASE, Q2, Q4, build_quantised, file_of

SMOL, GEMMA = MODELS


def run_of(path: Path, model: str = "one", **fields) -> Path:
    plan: dict[str, Any] = {
        "items": 40,
        "codes": ("en", "eu"),
        "models": {model: model.title()},
        "holes": False,
        "limit": None,
    }
    return build_run(path, Plan(**{**plan, **fields}))


def change(path: Path, **fields) -> Path:
    manifest = RunFolder(path).manifest.model_copy(update=fields)
    (path / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return path


def change_task(path: Path, name: str, **fields) -> Path:
    tasks = RunFolder(path).manifest.tasks
    return change(path, tasks={**tasks, name: tasks[name].model_copy(update=fields)})


def rewrite(path: Path, task: str, column: str, function) -> None:
    """Change a column of all records of a task."""
    for cell in (c for c in RunFolder(path).manifest.cells if c.task == task):
        file = path / "cells" / cell.id / "records.parquet"
        table = pq.read_table(file)
        at = table.schema.get_field_index(column)
        values = pa.array([function(value) for value in table[column].to_pylist()], table.schema.field(at).type)
        pq.write_table(table.set_column(at, table.schema.field(at), values), file)


def stored(path: Path, model: str, task: str | None, form: str = "native") -> pd.Series:
    folder = RunFolder(path)
    cell = next(c for c in folder.manifest.cells if (c.model, c.task, c.prompt_form) == (model, task, form))
    return pd.Series({record.item_id: record.score for record in folder.records(cell)}).dropna()


def mcnemar_p(first: pd.Series, second: pd.Series) -> float:
    both = pd.concat([first, second], axis=1, join="inner")
    table = pd.crosstab(both[0], both[1]).reindex(index=[0, 1], columns=[0, 1], fill_value=0)
    return float(mcnemar(table, exact=True).pvalue)


def compared(by: Axis, *paths: Path, **options):
    return compare([load_run(path) for path in paths], by, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return Path(tmp_path_factory.mktemp("compare"))


@pytest.fixture(scope="module")
def pair(folder) -> tuple[Path, Path]:
    """Two runs of two models on the same items; the second run has fewer items."""
    return run_of(folder / "one"), run_of(folder / "two", "two", items=30)


# --- one run


def test_by_language_is_the_gap_table(run):
    found = compare([run], Axis.LANGUAGE, margin=0.1)
    rows = gaps(run, margin=0.1)
    assert [(r.model, r.group, r.language, r.second, r.verdict, r.p_holm) for r in found.pairs] == [
        (g.model, g.group, g.language, g.reference, g.verdict, g.p_holm) for g in rows
    ]
    assert found.pairs_family.size == sum(g.p_holm is not None for g in rows)
    assert "Holm over the" in found.pairs_family.told


def test_the_correction_is_over_what_was_asked_for_alone(run):
    found = compare([run], Axis.LANGUAGE, part=Part(tasks=("toy_topics",), languages=("Basque", "ja"), models=(GEMMA,)))
    assert [row.language for row in found.pairs] == ["eu", "ja"]
    p = [
        mcnemar_p(stored(run.path, GEMMA, f"toy_topics_{code}"), stored(run.path, GEMMA, "toy_topics_en"))
        for code in ("eu", "ja")
    ]
    assert [row.difference.p for row in found.pairs] == pytest.approx(p)
    assert [row.p_holm for row in found.pairs] == pytest.approx(multipletests(p, method="holm")[1])
    assert found.pairs_family.size == 2


def test_another_reference_takes_the_place_of_the_languages_own(run):
    found = compare([run], Axis.LANGUAGE, part=Part(tasks=("toy_topics",), languages=("eu",)), reference="Spanish")
    assert {(row.first, row.second) for row in found.pairs} == {("eu", "es")}


def test_pairs_of_models_are_mcnemar_tests_corrected_by_holm(run):
    found = compare([run], Axis.MODEL, part=Part(tasks=("toy_topics",), languages=("en", "es", "eu")))
    wanted = [mcnemar_p(stored(run.path, SMOL, row.task), stored(run.path, GEMMA, row.task)) for row in found.pairs]
    assert len(wanted) == 3
    assert [row.difference.p for row in found.pairs] == pytest.approx(wanted)
    assert [row.p_holm for row in found.pairs] == pytest.approx(multipletests(wanted, method="holm")[1])
    for row in found.pairs:
        assert row.effect is not None
        d: Any = row.difference
        only = d.only_first, d.only_second
        low, high = scipy_stats.binomtest(only[0], sum(only)).proportion_ci()
        assert row.effect.value == pytest.approx(only[0] / only[1])
        assert (row.effect.low, row.effect.high) == pytest.approx((low / (1 - low), high / (1 - high)))


def test_the_reference_model_stands_second(run):
    assert {(r.first, r.second) for r in compare([run], Axis.MODEL).pairs} == {(SMOL, GEMMA)}
    assert {(r.first, r.second) for r in compare([run], Axis.MODEL, reference=SMOL).pairs} == {(GEMMA, SMOL)}


def test_a_cell_that_failed_has_a_row_with_the_reason_and_no_verdict(run):
    row = next(r for r in compare([run], Axis.MODEL).pairs if r.task == "toy_facts_ja")
    assert row.verdict is None
    assert "the engine crashed" in str(row.reason)


def test_models_are_within_the_margin_only_if_they_are_so_on_both_sides(tmp_path):
    # 400 items, all right but for some that either side misses: Tango's z for -0.1 is far below zero one way.
    def hook(cell, record):
        wrong = record.item_index % 20 == 0 if cell.model == "a" else record.item_index % 8 == 0
        return record.model_copy(update={"score": float(not wrong)})

    path = run_of(tmp_path / "run", models={"a": "A", "b": "B"}, items=400, codes=("en",), record_hook=hook)
    row = compared(Axis.MODEL, path, margin=0.2, part=Part(tasks=("toy_topics",))).pairs[0]
    assert row.difference.difference == pytest.approx(0.075)
    assert row.verdict is Verdict.AHEAD
    near: Any = compared(Axis.MODEL, path, margin=0.1, reference="a", part=Part(tasks=("toy_topics",))).pairs[0]
    # b is 7.5 points behind a: "not ahead by 10" is sure, "not behind by 10" is not.
    assert near.p_margin is not None
    only_b, only_a = near.difference.only_first, near.difference.only_second
    assert near.p_margin == pytest.approx(_tango_p(only_b, only_a, 400, 0.1), rel=1e-6)
    assert near.p_margin > _tango_p(only_a, only_b, 400, 0.1)
    turned = compared(Axis.MODEL, path, margin=0.1, part=Part(tasks=("toy_topics",))).pairs[0]
    assert (turned.first, turned.p_margin) == ("a", pytest.approx(near.p_margin))


def _tango_p(only_first: int, only_second: int, n: int, margin: float) -> float:
    """P of "first is behind by the margin or more": Tango's statistic with the restricted maximum likelihood found by scipy."""
    from scipy.optimize import minimize_scalar

    # Shares under the null: only_second = q, only_first = q - margin.
    def loss(q):
        p = q - margin
        rest = 1 - p - q
        return -(only_first * math.log(p) + only_second * math.log(q) + (n - only_first - only_second) * math.log(rest))

    q = minimize_scalar(
        loss, bounds=(margin + 1e-9, (1 + margin) / 2 - 1e-9), method="bounded", options={"xatol": 1e-12}
    ).x
    z = (only_first - only_second + n * margin) / math.sqrt(n * (2 * q - margin - margin**2))
    return float(scipy_stats.norm.sf(z))


def test_what_others_are_held_against_stays_though_it_was_not_named(run, tmp_path):
    found = compare([run], Axis.MODEL, part=Part(models=(GEMMA,)), reference=SMOL)
    assert {(row.first, row.second) for row in found.pairs} == {(GEMMA, SMOL)}
    path = build_quantised(tmp_path / "q", lambda m, g, code, i: float((i * 7 + len(m)) % 10 < 7), codes=("en", "eu"))
    found = compared(Axis.QUANTISATION, path, part=Part(models=(Q4, Q2)))
    assert {(row.first, row.second) for row in found.pairs} == {(Q4, BASE), (Q2, BASE)}


def test_the_correction_is_over_the_languages_that_are_shown_though_others_serve_as_reference(tmp_path):
    # Without a reference of the sweep, Basque is held against Spanish, and Spanish against English.
    path = run_of(tmp_path / "run", codes=("en", "es", "eu"))
    data = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    data["languages"]["eu"]["reference"] = "es"
    (path / "manifest.json").write_text(json.dumps(data), encoding="utf-8")
    shown = compared(Axis.LANGUAGE, path, part=Part(tasks=("toy_topics",), languages=("eu",)))
    assert [row.second for row in shown.pairs] == ["es"]
    assert [row.p_holm for row in shown.pairs] == [row.difference.p for row in shown.pairs]
    assert shown.pairs_family.size == 1


def test_prompt_forms_are_held_against_the_first_one(tmp_path):
    path = build_forms(tmp_path / "forms", Forms(codes=("en",)))
    found = compared(Axis.PROMPT, path, part=Part(tasks=("toy_reading",), models=(SMOL,)))
    assert {row.second for row in found.pairs} == {"native"}
    assert {row.first for row in found.pairs} >= {"english", "native-2", "native~1"}
    row = next(r for r in found.pairs if r.first == "english")
    first, second = (stored(path, SMOL, "toy_reading_en", form) for form in ("english", "native"))
    assert row.difference.difference == pytest.approx(float((first - second).mean()))
    assert row.difference.clusters == 10
    other = compared(Axis.PROMPT, path, reference="english", part=Part(tasks=("toy_reading",), models=(SMOL,)))
    assert {r.second for r in other.pairs} == {"english"}


def test_quantisations_are_held_against_their_source(tmp_path):
    path = build_quantised(tmp_path / "q", lambda m, g, code, i: float((i * 7 + len(m)) % 10 < 7), codes=("en", "eu"))
    found = compared(Axis.QUANTISATION, path)
    assert {(row.first, row.second) for row in found.pairs} == {(Q4, BASE), (Q2, BASE)}
    deltas = {(d.model, d.task): d.difference for d in quantisation_deltas(load_run(path))}
    for row in found.pairs:
        wanted = deltas[row.first, row.task]
        assert (row.difference.difference, row.difference.p) == pytest.approx((wanted.difference, wanted.p))


# --- two runs


def test_models_of_two_runs_are_compared_on_the_items_that_both_have(pair):
    found = compared(Axis.MODEL, *pair)
    assert {(row.first, row.second, row.difference.n) for row in found.pairs} == {("one (A)", "two (B)", 30)}
    for row in found.pairs:
        wanted = mcnemar_p(stored(pair[0], "one", row.task), stored(pair[1], "two", row.task))
        assert row.difference.p == pytest.approx(wanted)
    assert any("40 items in A, 30 in B; only the 30" in note for note in found.notes)
    assert not found.warnings


def test_pairs_that_one_run_alone_can_answer_are_left_to_it(folder, pair):
    both = run_of(folder / "both", models={"one": "One", "three": "Three"})
    found = compared(Axis.MODEL, both, pair[0], part=Part(tasks=("toy_topics",)))
    assert {(row.first, row.second) for row in found.pairs} == {("one (A)", "one (B)")}
    assert found.pairs[0].agreement is not None
    two = compared(Axis.MODEL, both, pair[1], part=Part(tasks=("toy_topics",)))
    assert {(row.first, row.second) for row in two.pairs} == {("one (A)", "two (B)"), ("three (A)", "two (B)")}


def test_what_one_run_lacks_is_said(folder, pair):
    wide = run_of(folder / "wide", "two", codes=("en", "eu", "ja"))
    found = compared(Axis.MODEL, pair[0], wide)
    assert [(one.run, one.kind, one.names) for one in found.missing] == [
        ("A", "tasks", ("toy_topics_ja", "toy_facts_ja"))
    ]


def test_a_model_in_two_runs_agrees_with_itself_where_its_answers_are_the_same(folder, pair):
    again = Path(shutil.copytree(pair[0], folder / "again"))
    rewrite(again, "toy_topics_eu", "prediction", lambda value: (value + 1) % 7 if value == 3 else value)
    found = compared(Axis.DEVICE, pair[0], again)
    same = {row.task: row.agreement for row in found.pairs}
    picked = [
        r.prediction
        for c in RunFolder(pair[0]).manifest.cells
        if c.task == "toy_topics_eu"
        for r in RunFolder(pair[0]).records(c)
    ]
    assert same["toy_topics_en"].value == 1
    assert same["toy_topics_eu"].value == pytest.approx(1 - picked.count(3) / 40)
    assert {(row.first, row.second) for row in found.pairs} == {("A", "B")}


def test_a_change_of_a_gap_is_paired_by_item(folder, pair):
    def hook(cell, record):
        flip = cell.language == "eu" and record.item_index % 3 == 0
        return record.model_copy(update={"score": 1.0}) if flip else record

    better = run_of(folder / "better", "one", record_hook=hook)
    found = compared(Axis.LANGUAGE, pair[0], better)
    row = next(r for r in found.pairs if r.group == "toy_topics")
    gap = [stored(path, "one", "toy_topics_eu") - stored(path, "one", "toy_topics_en") for path in (pair[0], better)]
    d = (gap[0] - gap[1]).to_numpy()
    assert row.difference.difference == pytest.approx(float(d.mean()))
    assert (row.difference.first, row.difference.second) == pytest.approx((gap[0].mean(), gap[1].mean()))
    p = scipy_stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(0)
    ).pvalue
    assert row.difference.p == pytest.approx(float(p), abs=0.01)
    assert row.first == "eu − en (A)"


def test_prompts_of_two_runs(folder, pair):
    chat = run_of(folder / "chat", forms=(PromptForm.CHAT,))
    found = compared(Axis.PROMPT, pair[0], chat)
    assert {(row.first, row.second) for row in found.pairs} == {("native (A)", "chat (B)")}


def test_quantisations_in_two_runs_are_held_against_the_source(tmp_path):
    def score(m, g, code, i):
        return float(i % 10 < (8 if m == BASE else 6))

    one = build_quantised(tmp_path / "a", score, codes=("en",), models=(file_of(BASE),))
    two = build_quantised(tmp_path / "b", score, codes=("en",), models=(file_of(Q2),))
    (row,) = compared(Axis.QUANTISATION, one, two).pairs
    assert (row.first, row.second) == (f"{Q2} (B)", f"{BASE} (A)")
    assert row.difference.difference == pytest.approx(-0.2)


# --- unlike things


def unlike_pair(folder: Path, name: str, model: str = "two") -> tuple[Path, Path]:
    return run_of(folder / f"{name}-1", codes=("en",)), run_of(folder / f"{name}-2", model, codes=("en",))


def _metric(first, second):
    change_task(second, "toy_topics_en", primary_metric="acc_norm")


def _revision(first, second):
    data = RunFolder(second).manifest.tasks["toy_topics_en"].data
    change_task(second, "toy_topics_en", data=data.model_copy(update={"revision": "b" * 40}))


def _task_hash(first, second):
    change_task(second, "toy_topics_en", sha256=digest("another task"))


def _prompt(first, second):
    rewrite(second, "toy_topics_en", "prompt_hash", lambda _: digest("other"))
    rewrite(second, "toy_topics_en", "context", lambda _: "Text: …\nTheme:")


def _target(first, second):
    rewrite(second, "toy_topics_en", "target_hash", lambda _: digest("other"))
    rewrite(second, "toy_topics_en", "target", lambda _: "6")


def _lm_eval(first, second):
    change(second, versions={**RunFolder(second).manifest.versions, "lm-eval": "0.4.9"})
    # One score that the log-probabilities do not give: what lm-eval did to it cannot be told.
    rewrite(second, "toy_topics_en", "score", lambda value: 1 - value)


def _engine(first, second):
    change(second, versions={**RunFolder(second).manifest.versions, "llama-cpp-python": "0.3.40"})


UNLIKE = {
    "metric": (_metric, "two", "primary metric acc in {0}, acc_norm in {1}"),
    "revision": (_revision, "two", f"data revision {'a' * 40} in {{0}}, {'b' * 40} in {{1}}"),
    "task": (
        _task_hash,
        "two",
        f"sha256 {digest(['task', 'toy_topics_en'])} in {{0}}, {digest('another task')} in {{1}}",
    ),
    "prompt": (
        _prompt,
        "two",
        "40 of 40 shared items, such as id-0: 'Text: …\\nTopic:' in {0}, 'Text: …\\nTheme:' in {1}",
    ),
    "target": (_target, "two", "the right answer of toy_topics_en (native) is not the same"),
    "lm-eval": (_lm_eval, "two", "the engine is not the same: lm-eval 0.4.13 in {0}, 0.4.9 in {1}"),
    "engine": (_engine, "two", "llama-cpp-python 0.3.36 in {0}, 0.3.40 in {1}"),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_unlike_things_are_refused_with_both_values_and_compared_with_a_warning_if_forced(tmp_path, name):
    make, model, told = UNLIKE[name]
    paths = unlike_pair(tmp_path, "x", model)
    make(*paths)
    part = Part(tasks=("toy_topics",))
    with pytest.raises(InputError) as refused:
        compared(Axis.MODEL, *paths, part=part)
    told = told.format(*paths)
    assert told in refused.value.problem
    assert "--force" in str(refused.value.fix)
    forced = compared(Axis.MODEL, *paths, part=part, force=True)
    assert any(told in warning for warning in forced.warnings)
    assert forced.pairs[0].difference.n == 40


def test_another_file_under_the_same_name_is_refused(tmp_path):
    paths = unlike_pair(tmp_path, "x", "one")
    model = RunFolder(paths[1]).manifest.models["one"].model_copy(update={"sha256": digest("new")})
    change(paths[1], models={"one": model})
    with pytest.raises(
        InputError, match=f"the model one is not the same: sha256 {digest('one')} in .*, {digest('new')} in"
    ):
        compared(Axis.MODEL, *paths)


def test_other_options_under_the_same_name_are_refused_and_other_threads_are_not(tmp_path):
    paths = unlike_pair(tmp_path, "x", "one")
    cells = RunFolder(paths[1]).manifest.cells

    def with_options(**options):
        for cell in (c.model_copy(update={"options": options}) for c in cells):
            path = paths[1] / "cells" / cell.id / "cell.json"
            result = RunFolder(paths[1]).result(cell).model_copy(update={"cell": cell})
            path.write_text(result.model_dump_json(), encoding="utf-8")
        change(paths[1], cells=tuple(c.model_copy(update={"options": options}) for c in cells))

    with_options(threads=7)
    assert compared(Axis.MODEL, *paths).pairs
    with_options(context=512)
    with pytest.raises(InputError, match=r"options \{\} in"):
        compared(Axis.MODEL, *paths)


def test_other_prompt_forms_are_refused_unless_they_are_what_is_compared(tmp_path):
    one = run_of(tmp_path / "one", codes=("en",))
    two = run_of(tmp_path / "two", "two", codes=("en",), forms=(PromptForm.ENGLISH,))
    with pytest.raises(InputError, match=r"prompt form native in .*, english in"):
        compared(Axis.MODEL, one, two)
    assert compared(Axis.MODEL, one, two, force=True).warnings


def test_another_lm_eval_does_not_matter_where_scores_are_what_the_log_probabilities_give(tmp_path):
    paths = unlike_pair(tmp_path, "x")
    change(paths[1], versions={**RunFolder(paths[1]).manifest.versions, "lm-eval": "0.4.9"})
    found = compared(Axis.MODEL, *paths, part=Part(tasks=("toy_topics",)))
    assert any("0.4.9" in note and "does not matter" in note for note in found.notes)


def test_another_engine_is_a_note_where_one_model_is_compared_with_itself(tmp_path):
    paths = unlike_pair(tmp_path, "x", "one")
    change(paths[1], versions={**RunFolder(paths[1]).manifest.versions, "llama-cpp-python": "0.3.40"})
    found = compared(Axis.MODEL, *paths)
    assert any("0.3.40" in note for note in found.notes)


def test_another_device_is_a_note_for_scores(tmp_path):
    paths = unlike_pair(tmp_path, "x")
    device = RunFolder(paths[1]).manifest.device.model_copy(update={"cpu": "Board B-5"})
    change(paths[1], device=device)
    assert any("Board B-5" in note for note in compared(Axis.MODEL, *paths).notes)


# --- times


def slower(factor: float):
    def hook(row: RequestRow) -> RequestRow:
        return row.model_copy(update={"total_s": row.total_s * factor})

    return hook


@pytest.fixture(scope="module")
def timed(folder) -> tuple[Path, Path]:
    """One model on two devices; the second takes half as long again."""
    plan: dict[str, Any] = {"models": {SMOL: "Smol"}, "meter": None, "codes": ("en", "eu"), "rounds": 12}
    one = build_profiles(folder / "laptop", DevicePlan(**plan))
    two = build_profiles(folder / "board", DevicePlan(**plan, row_hook=slower(1.5)))
    device = RunFolder(two).manifest.device.model_copy(update={"cpu": "Board B-5", "governor": "powersave"})
    return one, change(two, device=device)


def test_times_of_two_devices_are_ratios_of_medians_of_undisturbed_requests(timed):
    found = compared(Axis.DEVICE, *timed)
    row = next(r for r in found.times if (r.kind, r.language) == (Kind.CLASSIFICATION, "eu"))
    sides = [load_run(path).profiles[0].timed("eu", Kind.CLASSIFICATION)[0] for path in timed]
    a, b = ([r.total_s for r in rows] for rows in sides)
    assert row.ratio.value == pytest.approx(np.median(a) / np.median(b))
    assert row.ratio.low < row.ratio.value < row.ratio.high < 1
    assert row.p == pytest.approx(scipy_stats.mannwhitneyu(a, b, method="exact").pvalue)
    assert (row.first, row.second, row.verdict) == ("A", "B", TimeVerdict.FASTER)
    assert (row.first_n, row.second_n) == (30, 30)
    p = [r.p for r in found.times]
    assert [r.p_holm for r in found.times] == pytest.approx(multipletests(p, method="holm")[1])
    assert found.times_family.size == len(p) == 8


def test_few_requests_are_inconclusive_and_say_how_many_would_settle_it(folder, timed):
    plan = DevicePlan(models={SMOL: "Smol"}, meter=None, codes=("en", "eu"), rounds=12, row_hook=slower(1.02))
    two = build_profiles(folder / "near", plan)
    row = next(r for r in compared(Axis.DEVICE, timed[0], two).times if r.kind is Kind.READING)
    assert row.verdict is TimeVerdict.INCONCLUSIVE
    assert row.needed is None or row.needed > row.first_n


def test_only_requests_that_both_were_asked_are_compared(folder, timed):
    def without(row: RequestRow) -> RequestRow | None:
        return None if row.id == "classification-00" else row

    plan = DevicePlan(models={SMOL: "Smol"}, meter=None, codes=("en", "eu"), rounds=12, row_hook=without)
    fewer = build_profiles(folder / "fewer", plan)
    row = next(r for r in compared(Axis.DEVICE, timed[0], fewer).times if r.kind is Kind.CLASSIFICATION)
    kept = [
        r for r in load_run(timed[0]).profiles[0].timed("en", Kind.CLASSIFICATION)[0] if r.id != "classification-00"
    ]
    assert row.first_n == row.second_n == len(kept) < 30
    assert row.first_median_s == pytest.approx(np.median([r.total_s for r in kept]))


def test_languages_narrow_times_too(timed):
    assert {r.language for r in compared(Axis.DEVICE, *timed, part=Part(languages=("eu",))).times} == {"eu"}


def test_times_of_models_on_other_devices_are_refused_where_there_is_nothing_else(folder, timed):
    plan = DevicePlan(models={GEMMA: "Gemma"}, meter=None, codes=("en", "eu"), rounds=3)
    other = build_profiles(folder / "other", plan)
    assert compared(Axis.MODEL, timed[0], other).times
    with pytest.raises(InputError, match=r"cpu Example CPU E-1000 in .*, Board B-5 in"):
        compared(Axis.MODEL, other, timed[1])
    forced = compared(Axis.MODEL, other, timed[1], force=True)
    assert any("governor ondemand" in warning and "powersave" in warning for warning in forced.warnings)


def test_threads_and_requests_must_be_the_same(folder, timed):
    other = Path(shutil.copytree(timed[0], folder / "threads"))
    rename(other, threads=2)
    assert compared(Axis.DEVICE, timed[0], other).times
    rename(other, texts_sha256=digest("other texts"))
    with pytest.raises(InputError, match=r"the profile \(classification\) is not the same: requests' sha256"):
        compared(Axis.DEVICE, timed[0], other)


def rename(path: Path, **fields) -> None:
    """Change the settings of a run's only profile."""
    folder = RunFolder(path)
    cell = folder.manifest.profiles[0].model_copy(update=fields)
    change(path, profiles=(cell,))
    file = path / "profiles" / cell.id / "profile.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    data["cell"].update(fields)
    file.write_text(json.dumps(data), encoding="utf-8")


def test_scores_are_compared_and_unlike_times_are_left_out_with_a_note(tmp_path):
    paths = unlike_pair(tmp_path, "x")
    for path, model in zip(paths, ("one", "two"), strict=True):
        build_profiles(path, DevicePlan(models={model: model.title()}, meter=None, codes=("en",), rounds=3))
    rename(paths[1], threads=2)
    found = compared(Axis.MODEL, *paths)
    assert found.pairs
    assert not found.times
    assert any("threads 4 in" in note and "2 in" in note for note in found.notes)


# --- names


def test_runs_without_a_common_task_say_so(pair, tmp_path):
    other = run_of(tmp_path / "other", "two", codes=("ja",))
    with pytest.raises(InputError, match="nothing to compare by model") as refused:
        compared(Axis.MODEL, pair[0], other)
    assert "none in common" in str(refused.value.fix)


@pytest.mark.parametrize(
    ("by", "options", "told"),
    [
        (Axis.MODEL, {"part": Part(models=("on",))}, "no model 'on'"),
        (Axis.LANGUAGE, {"part": Part(languages=("Basqe",))}, "no language 'Basqe'"),
        (Axis.MODEL, {"part": Part(tasks=("toy_topic",))}, "unknown task 'toy_topic'"),
        (Axis.MODEL, {"reference": "tow"}, "no model 'tow'"),
        (Axis.PROMPT, {"reference": "nativ"}, "no prompt form 'nativ'"),
        (Axis.DEVICE, {"reference": "one"}, "--reference says nothing"),
        (Axis.QUANTISATION, {}, "nothing to compare by quantisation"),
        (Axis.PROMPT, {}, "nothing to compare by prompt"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_says_why_and_what_there_is(pair, by, options, told):
    with pytest.raises(InputError) as refused:
        compared(by, pair[0], **options)
    assert told in refused.value.problem
    assert refused.value.fix
