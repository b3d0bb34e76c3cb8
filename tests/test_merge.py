"""Merging run folders: what belongs together is joined unchanged, and each thing that does not is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evalsuite.continuation import continued
from evalsuite.errors import InputError, StoreError
from evalsuite.merge import merge_runs
from evalsuite.profile_store import ProfileFolder, ProfileWriter
from evalsuite.records import (
    SCHEMA_VERSION,
    CellStatus,
    Kind,
    ModelRef,
    PowerRow,
    ProfileCell,
    ProfileSettings,
    PromptForm,
    RequestRow,
    Skip,
    digest,
)
from evalsuite.report import build_report
from evalsuite.store import RunFolder, RunWriter
from tests.synthetic import Plan, build_run

ITEMS = 20


def run_of(path: Path, model: str = "one", *codes: str, **fields) -> Path:
    """Write a small run of one model that has no holes."""
    plan = {"items": ITEMS, "limit": ITEMS, "codes": codes or ("en", "eu"), "models": {model: model.title()}}
    return build_run(path, Plan(**{**plan, "holes": False, **fields}))


def change(path: Path, **fields) -> Path:
    """Change what a run says about itself."""
    manifest = RunFolder(path).manifest.model_copy(update=fields)
    (path / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return path


def change_sweep(path: Path, **fields) -> Path:
    return change(path, sweep=RunFolder(path).manifest.sweep.model_copy(update=fields))


def copy(path: Path, name: str) -> Path:
    return Path(shutil.copytree(path, path.with_name(name)))


def board(path: Path, cpu: str = "Board B-5"):
    return RunFolder(path).manifest.device.model_copy(update={"cpu": cpu, "ram_bytes": 8 * 2**30})


def merge(tmp_path: Path, *paths: Path, **options):
    return merge_runs(paths, tmp_path / "out", command="evalsuite merge …", **options)


def refused(tmp_path: Path, *paths: Path, **options) -> str:
    """Return why runs are not merged; nothing is left behind."""
    with pytest.raises(StoreError) as told:
        merge(tmp_path, *paths, **options)
    assert told.value.fix
    assert not (tmp_path / "out").exists()
    return told.value.problem


def files(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def rewrite(path: Path, task: str, **columns) -> str:
    """Change columns of a cell's records by functions of (row number, value); return the cell's id."""
    cell = next(c for c in RunFolder(path).manifest.cells if c.task == task)
    file = path / "cells" / cell.id / "records.parquet"
    table = pq.read_table(file)
    for name, function in columns.items():
        values = [function(i, value) for i, value in enumerate(table[name].to_pylist())]
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), [values])
    pq.write_table(table, file)
    return str(cell.id)


def undo(path: Path, task: str, status: CellStatus | None, *, chunks: int = 0) -> str:
    """Make a done cell one that failed, or (none) one that is pending, with so many chunks of 20 items."""
    with RunWriter(path) as writer:
        cell = next(c for c in writer.manifest.cells if c.task == task)
        records = writer.records(cell)
        shutil.rmtree(path / "cells" / cell.id)
        for i in range(chunks):
            writer.write_chunk(cell, i, records[20 * i : 20 * (i + 1)], wall_s=1.0, tokens=1)
        if status is not None:
            writer.finish(cell, status, "the engine crashed")
    return str(cell.id)


# --- what is joined


def test_parts_of_a_sweep_become_one_folder_with_the_same_bytes_and_the_parts_stay_as_they_are(tmp_path):
    one, two = run_of(tmp_path / "one", "one"), run_of(tmp_path / "two", "two", "en", "gl", "ja", items=60, holes=True)
    before = files(one), files(two)
    merged = merge(tmp_path, two, one)
    assert (files(one), files(two)) == before
    out = RunFolder(tmp_path / "out")
    assert out.manifest == merged.manifest
    assert out.manifest.cells == (*RunFolder(two).manifest.cells, *RunFolder(one).manifest.cells)
    assert out.results() == [*RunFolder(two).results(), *RunFolder(one).results()]
    stored = {name: data for name, data in files(out.path).items() if name.startswith("cells/")}
    assert stored == {k: v for part in before for k, v in part.items() if k.startswith("cells/")}
    assert any(name.endswith("chunk-00000.parquet") for name in stored)
    assert not list(out.path.rglob("*.part"))


def test_what_the_folder_says_about_itself_is_the_union_in_order_of_first_appearance(tmp_path):
    one = run_of(tmp_path / "one", "one", "en", "ja")
    two = run_of(tmp_path / "two", "two", "eu", "en", forms=(PromptForm.CHAT, PromptForm.NATIVE))
    change_sweep(two, tasks=("toy_facts", "more"), include=(Path("/mine"),), name="second")
    change(two, created="2026-03-01T00:00:00Z", versions={**RunFolder(two).manifest.versions, "torch": "2.6"})
    merged = merge_runs([one, two], tmp_path / "my out", command="evalsuite merge one two").manifest
    assert merged.sweep.name == "my-out"
    assert merged.sweep.title == "Compact models for the service desk"
    assert [ref.name for ref in merged.sweep.models] == list(merged.models) == ["one", "two"]
    assert merged.sweep.tasks == ("toy_topics", "toy_facts", "more")
    assert merged.sweep.languages == tuple(merged.languages) == ("en", "ja", "eu")
    assert merged.sweep.prompt_forms == (PromptForm.NATIVE, PromptForm.CHAT)
    assert (merged.sweep.limit, merged.sweep.include) == (ITEMS, (Path("/mine"),))
    kinds = ("toy_topics", "toy_facts")
    assert list(merged.tasks) == [f"{kind}_{code}" for code in ("en", "ja", "eu") for kind in kinds]
    assert (merged.created, merged.command) == ("2026-03-01T00:00:00Z", "evalsuite merge one two")
    assert merged.schema_version == SCHEMA_VERSION
    assert merged.versions == {**RunFolder(one).manifest.versions, "torch": "2.6"}
    assert merged.notes == ()


@pytest.mark.parametrize(("title", "kept"), [("Another", None), (None, "Compact models for the service desk")])
def test_a_title_is_kept_where_the_runs_that_have_one_agree(tmp_path, title, kept):
    one, two = run_of(tmp_path / "one"), change_sweep(run_of(tmp_path / "two", "two"), title=title)
    assert merge(tmp_path, one, two).manifest.sweep.title == kept


def test_the_report_of_a_merged_folder_is_made(tmp_path):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    three = profiled(tmp_path / "three", "one", cpu="Board B-5")
    merge(tmp_path, profiled(one, "one"), two, three)
    html = build_report(tmp_path / "out", tmp_path / "out.html").read_text(encoding="utf-8")
    assert ">One<" in html
    assert ">Two<" in html


def test_an_older_folder_is_brought_up_to_date_and_a_newer_one_is_refused(tmp_path):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    data = json.loads((two / "manifest.json").read_text(encoding="utf-8"))
    for name in ("profiles", "devices", "notes"):
        del data[name]
    (two / "manifest.json").write_text(json.dumps({**data, "schema_version": 1}), encoding="utf-8")
    assert list(merge_runs([one, two], tmp_path / "first", command="").manifest.models) == ["one", "two"]
    (two / "manifest.json").write_text(json.dumps({**data, "schema_version": SCHEMA_VERSION + 1}), encoding="utf-8")
    assert "newer than this evalsuite" in refused(tmp_path, one, two)


# --- files that are not the same


@pytest.mark.parametrize(("kind", "name"), [("models", "one"), ("tasks", "toy_facts_eu"), ("languages", "eu")], ids=str)
def test_another_version_of_a_file_is_refused_with_both_hashes_and_runs(tmp_path, kind, name):
    one, two, three = run_of(tmp_path / "x"), run_of(tmp_path / "y", "two"), run_of(tmp_path / "z")
    things = getattr(RunFolder(three).manifest, kind)
    old, new = things[name].sha256, digest("another file")
    change(three, **{kind: {**things, name: things[name].model_copy(update={"sha256": new})}})
    told = refused(tmp_path, one, two, three)
    assert f"{kind[:-1]} {name} is not the same" in told
    assert f"{old} in {one}" in told
    assert f"{new} in {three}" in told


@pytest.mark.parametrize("first", [True, False])
def test_a_model_that_could_not_be_had_gives_way_to_one_that_could(tmp_path, first):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    model = RunFolder(one).manifest.models["one"]
    absent = model.model_copy(update={"sha256": None, "bytes": None})
    change(two, models={**RunFolder(two).manifest.models, "one": absent})
    merged = merge(tmp_path, *((two, one) if first else (one, two))).manifest
    assert merged.models["one"] == model


def test_one_name_for_models_of_two_backends_is_refused(tmp_path):
    one, two = run_of(tmp_path / "one", "one", "en"), run_of(tmp_path / "two", "one", "eu")
    model = RunFolder(two).manifest.models["one"]
    change(two, models={"one": model.model_copy(update={"backend": "transformers"})})
    assert f"backend llamacpp in {one}, transformers in {two}" in refused(tmp_path, one, two)


# --- cells that several runs hold


def test_a_cell_that_both_hold_with_the_same_records_is_kept_once(tmp_path):
    one = run_of(tmp_path / "one")
    two = copy(one, "two")
    # What it took is not part of what came of it; not a number is not a difference.
    nan = {"score": lambda i, v: float("nan") if i == 0 else v}
    rewrite(one, "toy_facts_en", **nan)
    rewrite(two, "toy_facts_en", **nan, context=lambda i, v: v + "…")
    merged = merge(tmp_path, one, two)
    assert {part.path for part in merged.cells.values()} == {one}
    assert merged.manifest.cells == RunFolder(one).manifest.cells
    assert merged.manifest.notes == ()
    assert {k: v for k, v in files(tmp_path / "out").items() if "cells" in k}.items() <= files(one).items()


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            {"logprobs": lambda i, v: [v[0] + 0.25 * (i < 3), *v[1:]]},
            "3 of 20 items differ, by up to 0.25 nats in a log-probability",
        ),
        (
            {"prior_logprobs": lambda i, v: [*v[:-1], v[-1] - 0.5 * (i == 7)]},
            "1 of 20 items differ, by up to 0.5 nats in a log-probability",
        ),
        ({"score": lambda i, v: 1 - v if i > 17 else v}, "2 of 20 items differ, by up to 1 in a score"),
        ({"score": lambda i, v: None if i == 4 else v}, "1 of 20 items differ, by up to inf in a score"),
        ({"item_id": lambda i, v: v + "'" * (i == 2)}, "1 of 20 items differ in ids or texts"),
        ({"output": lambda i, v: "text" if i == 2 else v}, "1 of 20 items differ in ids or texts"),
    ],
    ids=["log-probabilities", "priors", "scores", "a score that is missing", "ids", "outputs"],
)
def test_a_cell_that_both_hold_with_other_records_is_refused_with_the_size_of_the_difference(tmp_path, columns, told):
    one = run_of(tmp_path / "one")
    two = copy(one, "two")
    cell = rewrite(two, "toy_facts_eu", **columns)
    problem = refused(tmp_path, one, two)
    assert f"{one} and {two} both hold one × toy_facts_eu (native), and {told}" in problem
    merged = merge(tmp_path, one, two, force=True).manifest
    (note,) = merged.notes
    assert told in note
    assert f"between {one} and {two}" in note
    where = f"cells/{cell}/records.parquet"
    assert files(tmp_path / "out")[where] == files(one)[where] != files(two)[where]


@pytest.mark.parametrize("status", [CellStatus.FAILED, None])
@pytest.mark.parametrize("first", [True, False])
def test_a_cell_that_is_done_in_one_run_is_taken_from_it(tmp_path, status, first):
    done = run_of(tmp_path / "done", items=40)
    broken = copy(done, "broken")
    cell = undo(broken, "toy_facts_eu", status, chunks=2)  # all of its records may be there, and yet it is not done
    merged = merge(tmp_path, *((broken, done) if first else (done, broken)))
    assert merged.cells[cell].path == done
    assert {r.status for r in RunFolder(tmp_path / "out").results()} == {CellStatus.DONE}
    assert not list((tmp_path / "out").rglob("chunk-*"))


def test_of_two_cells_that_are_not_done_the_one_with_more_items_is_kept_then_the_one_with_a_reason(tmp_path):
    one = run_of(tmp_path / "one", items=60)
    two = copy(one, "two")
    undo(one, "toy_facts_eu", CellStatus.FAILED, chunks=1)
    undo(two, "toy_facts_eu", None, chunks=2)
    undo(one, "toy_facts_en", None)
    undo(two, "toy_facts_en", CellStatus.FAILED)
    undo(one, "toy_topics_en", CellStatus.FAILED)
    undo(two, "toy_topics_en", None)
    merge(tmp_path, one, two)
    found = {r.cell.task: r for r in RunFolder(tmp_path / "out").results()}
    assert found["toy_facts_eu"].status is CellStatus.PENDING
    assert len(RunFolder(tmp_path / "out").records(found["toy_facts_eu"].cell)) == 40
    assert found["toy_facts_en"].reason == found["toy_topics_en"].reason == "the engine crashed"


def test_another_list_of_items_for_the_same_task_is_refused_with_both_counts(tmp_path):
    one, two = run_of(tmp_path / "one", items=20), run_of(tmp_path / "two", items=15)
    renamed(two, "other")
    told = refused(tmp_path, one, two)
    assert f"different cells for one × toy_topics_en (native): 20 items in {one}, 15 in {two}" in told


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"item_indices": tuple(range(5, 25))}, "of 20 items each, 15 are the same (another seed"),
        ({"options": {"context": 512, "threads": 4}}, "the model's options are {} in"),
        ({"chunk_size": 16}, "another version of the model, the task or its data"),
    ],
    ids=["items", "options", "something else"],
)
def test_another_cell_for_the_same_task_is_refused_with_what_differs(tmp_path, fields, told):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two")
    renamed(two, "other", **fields)
    assert told in refused(tmp_path, one, two)


def renamed(path: Path, suffix: str, **fields) -> Path:
    """Give all cells of a run another id, as other items or options would."""
    cells = RunFolder(path).manifest.cells
    for cell in cells:
        (path / "cells" / cell.id).rename(path / "cells" / f"{cell.id}.{suffix}")
    return change(path, cells=tuple(c.model_copy(update={"id": f"{c.id}.{suffix}", **fields}) for c in cells))


@pytest.mark.parametrize("bad", ["../../outside", "..", "", "a\\b"])
def test_an_id_that_would_lead_out_of_the_folder_is_refused(tmp_path, bad):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    cells = RunFolder(two).manifest.cells
    change(two, cells=(cells[0].model_copy(update={"id": bad}), *cells[1:]))
    assert "is no id of a cell" in refused(tmp_path, one, two)


# --- how the items were asked


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"limit": 204}, "the limit of the sweep is 20 in {one}, 204 in {two}"),
        ({"limit": None}, "the limit of the sweep is 20 in {one}, not set in {two}"),
        ({"seed": 1}, "the seed of the sweep is 20260401 in {one}, 1 in {two}"),
        ({"reference": "es"}, "the reference of the sweep is not set in {one}, es in {two}"),
    ],
)
def test_scores_that_were_drawn_or_compared_otherwise_are_refused(tmp_path, fields, told):
    one, two = run_of(tmp_path / "one"), change_sweep(run_of(tmp_path / "two", "two"), **fields)
    assert told.format(one=one, two=two) in refused(tmp_path, one, two)


def test_how_a_run_without_scores_would_have_drawn_items_does_not_matter(tmp_path):
    one, two = run_of(tmp_path / "one"), profiled(tmp_path / "two", "one")
    change_sweep(two, limit=5, seed=1, reference="es")
    merged = merge(tmp_path, two, one).manifest.sweep
    assert (merged.limit, merged.seed, merged.reference) == (ITEMS, 20260401, None)
    assert merged.profile == ProfileSettings()


def test_a_model_with_other_options_is_refused_but_for_its_threads(tmp_path):
    one, two = run_of(tmp_path / "one", "one", "en"), run_of(tmp_path / "two", "one", "eu")
    cells = RunFolder(two).manifest.cells
    change(two, cells=tuple(c.model_copy(update={"options": {"threads": 3}}) for c in cells))
    merge_runs([one, two], tmp_path / "threads", command="")
    change(two, cells=tuple(c.model_copy(update={"options": {"context": 512}}) for c in cells))
    told = refused(tmp_path, one, two)
    assert f"the model one is not the same: options {{}} in {one}, {{'context': 512}} in {two}" in told


@pytest.mark.parametrize("package", ["lm-eval", "llama-cpp-python"])
def test_scores_of_another_engine_are_refused_and_noted_where_they_are_forced(tmp_path, package):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    versions = RunFolder(two).manifest.versions
    change(two, versions={**versions, package: "0.0.1"})
    told = refused(tmp_path, one, two)
    assert f"{package} {versions[package]} in {one}, 0.0.1 in {two}" in told
    merged = merge(tmp_path, one, two, force=True).manifest
    assert merged.notes == (
        f"The scores of {two} were measured with {package} 0.0.1, others with {versions[package]}.",
    )
    assert merged.versions == versions


def test_versions_that_no_score_depends_on_may_differ(tmp_path):
    one, two, three = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two"), profiled(tmp_path / "three", "one")
    versions = RunFolder(one).manifest.versions
    change(two, versions={**versions, "Python": "3.13.0", "torch": "2.9"})
    change(three, versions={**versions, "llama-cpp-python": "0.0.1"})  # it holds no scores
    merged = merge(tmp_path, three, one, two).manifest
    assert merged.versions == {**versions, "torch": "2.9"}
    assert merged.notes == ()


def test_each_backend_brings_the_versions_that_its_scores_depend_on(tmp_path):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    versions = RunFolder(one).manifest.versions
    change(one, versions={**versions, "torch": "2.6"})
    model = RunFolder(two).manifest.models["two"].model_copy(update={"backend": "transformers"})
    change(two, models={"two": model}, versions={**versions, "torch": "2.9", "lm-eval": "0.5"})
    merged = merge(tmp_path, one, two).manifest
    assert (merged.versions["torch"], merged.versions["lm-eval"]) == ("2.9", versions["lm-eval"])
    assert merged.notes == (f"The scores of {two} were measured with lm-eval 0.5, others with {versions['lm-eval']}.",)


# --- devices and profiles


def profiled(path: Path, model: str, *, cpu: str | None = None, **fields) -> Path:
    """Add a profile of `model` to a run, or write a run that holds nothing else."""
    if not path.exists():
        run_of(path, model)
        change_sweep(path, tasks=(), profile=ProfileSettings(), title=None)
        shutil.rmtree(path / "cells")
        change(path, cells=(), tasks={})
    if cpu:
        change(path, device=board(path, cpu))
    manifest = RunFolder(path).manifest
    device = manifest.device.fingerprint
    cell = ProfileCell.model_validate(
        {
            "id": f"{model}.{digest([device, fields])[:10]}", "model": model, "model_sha256": digest(model),
            "languages": ("en", "eu"), "settings": ProfileSettings(), "texts_sha256": digest("texts"),
            "device": device, "threads": 2, "threads_reason": "all cores", **fields,
        }
    )  # fmt: skip
    change(path, profiles=(*manifest.profiles, cell))
    with RunWriter(path) as writer:
        profile = ProfileWriter(writer, cell)
        profile.add_requests([request(i, code) for code in ("en", "eu") for i in range(2)])
        profile.add_power([PowerRow(source="rapl", t_ns=0, power_w=2.5, energy_j=None)])
        profile.update(status=CellStatus.DONE, sittings=1, rounds_done=1, engine="llama.cpp 1")
    return path


def request(number: int, code: str) -> RequestRow:
    return RequestRow(
        block="latency", round=0, sitting=0, language=code, kind=Kind.CLASSIFICATION, id=f"q-{number}", start_ns=0,
        end_ns=10**9, tokenise_s=0.001, prefill_s=0.1, ttft_s=0.101, steps_s=(0.02, 0.02), total_s=0.141,
        prompt_tokens=30, prompt_chars=100, prompt_bytes=104, output_tokens=2, output_chars=8, output_bytes=8,
        output="x",
    )  # fmt: skip


def test_profiles_of_several_devices_live_beside_each_other_and_the_first_scores_name_the_device(tmp_path):
    pi, laptop = profiled(tmp_path / "pi", "one", cpu="Board B-5"), profiled(run_of(tmp_path / "laptop"), "one")
    merged = merge(tmp_path, pi, laptop)
    on_pi, on_laptop = (RunFolder(path).manifest.device for path in (pi, laptop))
    assert merged.manifest.device == on_laptop
    assert merged.manifest.devices == {on_pi.fingerprint: on_pi, on_laptop.fingerprint: on_laptop}
    assert [p.device for p in merged.manifest.profiles] == [on_pi.fingerprint, on_laptop.fingerprint]
    assert merged.manifest.notes == ()
    stored = files(tmp_path / "out")
    for path in (pi, laptop):
        ours = {k: v for k, v in files(path).items() if k.startswith("profiles")}
        assert len(ours) == 3
        assert ours.items() <= stored.items()


def test_scores_of_another_device_are_noted(tmp_path):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    change(two, device=board(two))
    (note,) = merge_runs([one, two], tmp_path / "both", command="").manifest.notes
    assert note == (
        f"The scores of {two} were measured on another device than those of {one}: Board B-5, 8 GiB, Debian GNU/Linux 12."
    )
    three = copy(one, "three")
    change(three, device=board(three))
    assert merge(tmp_path, one, three).manifest.notes == ()  # none of its scores was taken
    for cell in RunFolder(two).manifest.cells:
        undo(two, cell.task, CellStatus.FAILED)
    assert merge_runs([one, two], tmp_path / "failed", command="").manifest.notes == ()  # it has none


def test_a_merged_folder_can_be_merged_again(tmp_path):
    one, two = run_of(tmp_path / "one"), profiled(tmp_path / "two", "one", cpu="Board B-5")
    three = profiled(tmp_path / "three", "one", cpu="Board B-6")
    merge_runs([one, two], tmp_path / "first", command="")
    change(tmp_path / "first", notes=("Mind the gap.",))
    merged = merge(tmp_path, three, tmp_path / "first").manifest
    assert {device.cpu for device in merged.devices.values()} == {"Example CPU E-1000", "Board B-5", "Board B-6"}
    assert len(merged.profiles) == 2
    assert merged.notes == ("Mind the gap.",)


def test_a_profile_that_both_hold_is_kept_once(tmp_path):
    one = profiled(run_of(tmp_path / "one"), "one")
    merged = merge(tmp_path, one, copy(one, "two"))
    assert len(merged.manifest.profiles) == 1
    (profile,) = merged.manifest.profiles
    assert len(ProfileFolder(RunFolder(tmp_path / "out"), profile).requests()) == 4


def test_two_measurements_of_a_model_on_the_same_device_are_refused(tmp_path):
    one, two = profiled(run_of(tmp_path / "one"), "one"), profiled(run_of(tmp_path / "two", "two", "ja"), "one")
    change(two, models={**RunFolder(two).manifest.models, **RunFolder(one).manifest.models})
    (cell,) = RunFolder(two).manifest.profiles

    def again(**rows):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        shutil.rmtree(two / "profiles")
        shutil.copytree(one / "profiles", two / "profiles")
        with RunWriter(two) as writer:
            profile = ProfileWriter(writer, cell)
            profile.add_requests(rows.get("requests", ()))
            profile.add_power(rows.get("power", ()))
            profile.update(**rows.get("facts", {}))

    for rows in (
        {"requests": [request(9, "en")]},
        {"power": [PowerRow(source="rapl", t_ns=1, power_w=2.5, energy_j=None)]},
        {"facts": {"engine": "llama.cpp 2"}},
    ):
        again(**rows)
        told = refused(tmp_path, one, two)
        assert f"both hold a profile of one on the device {cell.device} ({cell.id})" in told
    again()
    merge(tmp_path, one, two)


def test_a_profile_with_other_settings_on_the_same_device_is_refused(tmp_path):
    one, two = profiled(tmp_path / "one", "one"), profiled(tmp_path / "two", "one", threads=1)
    assert "measured with other settings" in refused(tmp_path, one, two)


@pytest.mark.parametrize("first", [True, False])
def test_a_profile_that_was_never_begun_gives_way(tmp_path, first):
    one, two = profiled(tmp_path / "one", "one"), profiled(tmp_path / "two", "one", threads=1)
    shutil.rmtree(two / "profiles")
    merged = merge(tmp_path, *((two, one) if first else (one, two)))
    assert [part.path for part in merged.profiles.values()] == [one]
    assert merged.manifest.profiles == RunFolder(one).manifest.profiles


def test_a_merged_folder_goes_on_as_what_it_is_and_on_its_own_device_only(tmp_path):
    one, two = run_of(tmp_path / "one"), profiled(tmp_path / "two", "one", cpu="Board B-5")
    manifest = merge(tmp_path, two, one).manifest
    change(tmp_path / "out", notes=("Mind the gap.",))
    out = RunFolder(tmp_path / "out")
    new = RunFolder(one).manifest
    goes_on = continued(out, new)
    assert goes_on.devices == manifest.devices
    assert goes_on.notes == ("Mind the gap.",)
    assert goes_on.profiles == manifest.profiles
    with pytest.raises(StoreError, match="another device"):
        continued(out, new.model_copy(update={"device": board(one)}))


# --- skips


def skip(task: str, model: str | None = None, language: str = "eu", reason: str = "no data") -> Skip:
    return Skip(model=model, task=task, language=language, reason=reason)


def test_a_skip_stays_only_where_no_run_holds_the_cell_done(tmp_path):
    one, two = run_of(tmp_path / "one", "one", "en"), run_of(tmp_path / "two", "one", "eu")
    undo(two, "toy_topics_eu", CellStatus.FAILED)
    change(one, skips=(skip("toy_facts_eu"), skip("toy_topics_eu"), skip("toy_facts_eu", "one"), skip("none_eu")))
    assert merge(tmp_path, one, two).manifest.skips == (skip("toy_topics_eu"), skip("none_eu"))


def test_a_skip_for_all_models_stands_for_those_that_still_lack_the_cell(tmp_path):
    both = {"one": "One", "two": "Two"}
    one, two = run_of(tmp_path / "one", codes=("en",), models=both), run_of(tmp_path / "two", "two", "eu")
    three = run_of(tmp_path / "three", "three", "en")
    for path in (one, three):
        change(path, skips=(skip("toy_facts_eu"),))
    assert merge(tmp_path, one, two, three).manifest.skips == (
        skip("toy_facts_eu", "one"),
        skip("toy_facts_eu", "three"),
    )


def test_a_skip_of_one_prompt_form_is_not_answered_by_another(tmp_path):
    forms = {"prompt_forms": (PromptForm.NATIVE, PromptForm.CHAT)}
    one, two = change_sweep(run_of(tmp_path / "one"), **forms), run_of(tmp_path / "two", "two")
    no_template = skip("toy_facts_eu", "one", reason="no chat template")
    change(one, skips=(no_template,))
    assert merge(tmp_path, one, two).manifest.skips == (no_template,)
    undo(one, "toy_facts_eu", CellStatus.FAILED)  # this is not what the skip is about
    three = run_of(tmp_path / "three", forms=(PromptForm.CHAT,))
    assert merge_runs([one, three], tmp_path / "chat", command="").manifest.skips == ()


def test_a_skipped_profile_is_answered_by_one_on_the_same_device_only(tmp_path):
    one, two = run_of(tmp_path / "one"), profiled(tmp_path / "two", "one")
    three = profiled(tmp_path / "three", "one", cpu="Board B-5")
    wanted = skip("profile", "one", reason="not at hand")
    other = skip("profile", "one", "ja")
    change(one, skips=(wanted, other))
    assert merge(tmp_path, one, three).manifest.skips == (wanted, other)
    assert merge_runs([one, two], tmp_path / "same", command="").manifest.skips == (other,)


# --- folders


def test_one_run_or_the_same_twice_or_a_place_within_an_input_is_refused(tmp_path):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    before = files(one)
    for paths, out, told in (
        ([one], tmp_path / "out", "one run alone"),
        ([one, tmp_path / "two" / ".." / "one"], tmp_path / "out", "was given twice"),
        ([two, one], one / "merged", "is not to be changed"),
        ([two, one], one, "is not to be changed"),
    ):
        with pytest.raises(InputError, match=told):
            merge_runs(paths, out, command="")
    assert files(one) == before
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_not_written_to_and_an_empty_one_is(tmp_path):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="is not empty"):
        merge(tmp_path, one, two)
    assert files(out) == {"mine.txt": b"mine"}
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="is no folder"):
        merge_runs([one, two], tmp_path / "file", command="")
    (out / "mine.txt").rename(out / "lock")  # left by a process that was killed
    merge(tmp_path, one, two)
    assert RunFolder(out).exists


def test_a_folder_that_another_process_writes_is_refused(tmp_path):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    with RunWriter(tmp_path / "out"), pytest.raises(StoreError, match="in use by another"):
        merge(tmp_path, one, two)


def test_a_folder_that_was_filled_while_the_runs_were_read_is_left_alone(tmp_path, monkeypatch):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    enter = RunWriter.__enter__

    def late(writer):
        entered = enter(writer)
        (writer.path / "mine.txt").write_text("mine", encoding="utf-8")
        return entered

    monkeypatch.setattr(RunWriter, "__enter__", late)
    with pytest.raises(StoreError, match="is not empty"):
        merge(tmp_path, one, two)
    assert files(tmp_path / "out") == {"mine.txt": b"mine"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_merge_that_breaks_off_leaves_nothing_behind(tmp_path, monkeypatch, error):
    one, two = profiled(run_of(tmp_path / "one"), "one"), run_of(tmp_path / "two", "two")
    write = RunWriter.write_file
    written = []

    def fail(writer, path, data):
        written.append(path.name)
        if path.name == "manifest.json":
            (writer.path / "manifest.json.part").write_bytes(b"{")
            raise error
        write(writer, path, data)

    monkeypatch.setattr(RunWriter, "write_file", fail)
    with pytest.raises(type(error)):
        merge(tmp_path, one, two)
    # The manifest is the last: before it, no reader takes the folder for a run.
    assert written.index("manifest.json") == len(written) - 1 == 8 * 2 + 3
    assert not (tmp_path / "out").exists()


def test_records_that_vanish_while_they_are_copied_are_told(tmp_path, monkeypatch):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    read = Path.read_bytes

    def gone(path):
        if path.name == "records.parquet":
            raise FileNotFoundError(2, "No such file or directory")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", gone)
    with pytest.raises(StoreError, match=r"records\.parquet cannot be read: No such file") as told:
        merge(tmp_path, one, two)
    assert "wait until it has ended" in str(told.value.fix)
    assert not (tmp_path / "out").exists()


def test_the_models_of_the_sweep_are_joined_by_name_and_way_of_computing(tmp_path):
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two", "two")
    stored, other, copied = (ModelRef.model_validate(x) for x in ("one", {"path": "/else/one.gguf"}, "one+dequantised"))
    change_sweep(two, models=(other, copied))
    assert merge(tmp_path, one, two).manifest.sweep.models == (stored, copied)
