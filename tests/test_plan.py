"""Plans: what is run, in which order, which items, and why something is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.load import load_catalog
from evalsuite.errors import FetchError, InputError
from evalsuite.plan import PlannedModel, make_plan, prepare_models, sample
from evalsuite.records import Model, PromptForm, Source, Sweep
from tests import tiny_gguf


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


def planned(name="m", sha="a" * 64, **fields):
    model = Model(name=name, backend="fake", title=name, licence="x", source=Source(kind="file"), sha256=sha)
    return {name: PlannedModel(model, Path("x"), **fields)}


def sweep(**fields):
    return Sweep.model_validate(
        {"name": "s", "models": ["m"], "tasks": ["labels"], "languages": ["en", "eu"], **fields}
    )


def test_a_sample_has_the_same_items_in_every_language(catalog):
    plan = make_plan(sweep(tasks=["starter"], limit=30), catalog, DataFinder(), planned())
    finder = DataFinder()
    for group in ("labels", "lexicon"):
        drawn = []
        for code in ("en", "eu"):
            cell = next(c for c in plan.cells if c.task == f"{group}_{code}")
            ids = finder.item_ids(plan.tasks[cell.task])
            drawn.append([ids[i] for i in cell.item_indices])
        assert len(drawn[0]) == 30
        assert drawn[0] == drawn[1]


def test_what_a_task_makes_from_its_columns_is_counted(catalog):
    # The prompts of `choice` are put together from premise and endings by the task itself.
    plan = make_plan(sweep(tasks=["choice"]), catalog, DataFinder(), planned())
    for code in ("en", "eu"):
        cell = next(c for c in plan.cells if c.task == f"choice_{code}")
        rows = DataFinder().load(plan.tasks[cell.task])["test"]
        least = sum(len(row["premise"].encode()) for row in rows) / 4
        assert plan.estimates[cell.id].tokens > least


def test_samples_follow_the_seed_and_nest():
    ids = [f"item-{i}" for i in range(100)]
    assert sample(ids, None, 1) == tuple(range(100))
    assert sample(ids, 10, 1) == sample(ids, 10, 1)
    assert sample(ids, 10, 1) != sample(ids, 10, 2)
    assert set(sample(ids, 10, 1)) < set(sample(ids, 20, 1))
    shuffled = sorted(ids, reverse=True)
    assert {ids[i] for i in sample(ids, 10, 1)} == {shuffled[i] for i in sample(shuffled, 10, 1)}


def test_cells_are_told_apart_by_what_a_score_depends_on(catalog):
    base = make_plan(sweep(), catalog, DataFinder(), planned()).cells[0]
    same = make_plan(sweep(threads=1, limits={"load_timeout_s": 5}), catalog, DataFinder(), planned()).cells[0]
    other_model = make_plan(sweep(), catalog, DataFinder(), planned(sha="b" * 64)).cells[0]
    other_items = make_plan(sweep(limit=7), catalog, DataFinder(), planned()).cells[0]
    assert base.id == same.id
    assert len({base.id, other_model.id, other_items.id}) == 3


def test_missing_data_is_a_skip_with_a_fix(catalog, tmp_path):
    plan = make_plan(sweep(tasks=["labels", "sib200"]), catalog, DataFinder(tmp_path, offline=True), planned())
    assert {c.task for c in plan.cells} == {"labels_en", "labels_eu"}
    assert {s.task for s in plan.skips} == {"sib200_en", "sib200_eu"}
    assert all("Davlan/sib200" in s.reason and "--data" in (s.fix or "") for s in plan.skips)


def test_a_group_that_lacks_a_language_is_a_skip(catalog):
    few = {name: task for name, task in catalog.tasks.items() if name != "labels_eu"}
    plan = make_plan(sweep(), type(catalog)(catalog.languages, few, catalog.models, ()), DataFinder(), planned())
    assert [(s.task, s.language) for s in plan.skips] == [("labels", "eu")]


def test_the_chat_form_is_skipped_for_a_model_without_a_template(catalog):
    forms = sweep(prompt_forms=["native", "chat"])
    plan = make_plan(forms, catalog, DataFinder(), planned(has_chat_template=False))
    assert {c.prompt_form for c in plan.cells} == {PromptForm.NATIVE}
    assert all("no chat template" in s.reason for s in plan.skips)
    assert len(plan.skips) == 2


@pytest.mark.parametrize(
    ("field", "name", "near"),
    [
        ("tasks", "lables", "labels"),
        ("languages", "Basqe", "Basque"),
        ("languages", "eus", "eu"),
        ("reference", "enn", "en"),
    ],
)
def test_unknown_names_suggest_near_ones(catalog, field, name, near):
    wrong = sweep(**{field: name if field == "reference" else [name]})
    with pytest.raises(InputError) as told:
        make_plan(wrong, catalog, DataFinder(), planned())
    assert repr(name) in told.value.problem
    assert near in (told.value.fix or "")


def test_languages_may_be_named_in_full(catalog):
    plan = make_plan(sweep(languages=["Basque", "español"]), catalog, DataFinder(), planned())
    assert {c.language for c in plan.cells} == {"eu", "es"}


def test_one_model_that_cannot_be_had_does_not_stop_the_others(catalog, tmp_path, monkeypatch):
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path))
    two = sweep(models=["smollm2-135m-instruct", "gemma3-270m"])
    models = prepare_models(two, catalog, offline=True, download=True)
    plan = make_plan(two, catalog, DataFinder(), models)
    assert not plan.cells
    assert {s.model for s in plan.skips} == {"smollm2-135m-instruct", "gemma3-270m"}
    with pytest.raises(FetchError):
        prepare_models(sweep(models=["gemma3-270m"]), catalog, offline=True, download=True)


def test_a_dequantised_model_has_a_name_a_label_and_cells_of_its_own(catalog, tmp_path):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", quant="Q8_0")
    both = sweep(models=[f"{path}", f"{path}+dequantised"])
    assert [ref.options for ref in both.models] == [{}, {"compute": "dequantised"}]
    models = prepare_models(both, catalog, offline=True, download=True)
    plain, float32 = models.values()
    assert float32.model.name == f"{plain.model.name}+dequantised"
    assert float32.path == plain.path == path
    assert float32.model.sha256 == plain.model.sha256
    assert "float32" in (float32.model.quantisation or "") and "dequantised" in float32.model.title
    plan = make_plan(both, catalog, DataFinder(), models)
    cells = {cell.model: cell for cell in plan.cells if cell.task == "labels_en"}
    assert cells[float32.model.name].options == {"compute": "dequantised"}
    assert cells[plain.model.name].options == {}
    assert len({cell.id for cell in plan.cells}) == len(plan.cells)
    with pytest.raises(ValueError, match="named twice"):
        sweep(models=[f"{path}+dequantised", f"{path}+dequantised"])
