"""Packs: what is in them, that they measure the same as the desk they were made at, and what is said of a damaged one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from evalsuite.bundle import make_pack, write
from evalsuite.catalog.data import DataFinder, mirror_from
from evalsuite.catalog.load import load_catalog
from evalsuite.errors import DataMissingError, InputError
from evalsuite.pack import LOCK, UNFINISHED, Pack, PackedData, PackLock, open_pack
from evalsuite.plan import make_plan, prepare_models
from evalsuite.sweep import load_sweep
from tests import tiny_gguf
from tests.helpers import ROOT, fake_model, write_sweep

SIB = Path("Davlan/sib200/eus_Latn/test.parquet")


class Meter:
    """A progress display that keeps the numbers."""

    def __init__(self):
        self.total = self.done = self.stopped = 0

    def start(self, total_bytes, title):
        self.total = total_bytes

    def advance(self, n):
        self.done += n

    def stop(self):
        self.stopped += 1


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EVALSUITE_DATA", raising=False)


@pytest.fixture
def desk(tmp_path):
    folder = tmp_path / "desk"
    folder.mkdir()
    return folder


def small(folder, **fields):
    """Write a sweep over the fake backend: one task in one language, if nothing else is said."""
    return write_sweep(folder, **{"tasks": ["labels"], "languages": ["en"], **fields})


def plan_of(path, finder):
    sweep = load_sweep(path)
    catalog = load_catalog(sweep.include)
    models = prepare_models(sweep, catalog, offline=True, download=True)
    return make_plan(sweep, catalog, finder, models), catalog


def bundle(path, folder, mirror=None, progress=None):
    """Make a pack of a sweep file; return the desk's plan and the lock."""
    finder = DataFinder(mirror, offline=True)
    plan, catalog = plan_of(path, finder)
    return plan, make_pack(plan, catalog, folder, finder=finder, progress=progress or Meter())


def unpacked_plan(folder):
    pack = open_pack(folder)
    return plan_of(pack.sweep_path, pack.finder())[0]


def ids(plan):
    return [cell.id for cell in plan.cells]


def write_mirror(folder):
    path = folder / SIB
    path.parent.mkdir(parents=True)
    rows = [{"index_id": i, "category": "sports", "text": f"Partida {i}."} for i in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return folder


def write_own(folder):
    """Write a user's folder: a task with a helper and data, and a model of the catalog beside its weights."""
    task = folder / "tasks" / "tickets"
    (task / "data").mkdir(parents=True)
    (task / "data" / "en.jsonl").write_text('{"id": "t1", "text": "Charged twice.", "team": 0}\n', encoding="utf-8")
    (task / "utils.py").write_text(
        "import json\nfrom pathlib import Path\nfrom datasets import Dataset, DatasetDict\n\n\n"
        "def load(**_):\n"
        "    text = (Path(__file__).parent / 'data' / 'en.jsonl').read_text(encoding='utf-8')\n"
        "    return DatasetDict({'test': Dataset.from_list([json.loads(x) for x in text.splitlines()])})\n",
        encoding="utf-8",
    )
    (task / "tickets_en.yaml").write_text(
        "task: tickets_en\ncustom_dataset: !function utils.load\ntest_split: test\noutput_type: multiple_choice\n"
        "num_fewshot: 0\ndoc_to_text: '{{text}}'\ndoc_to_choice: [billing, network]\ndoc_to_target: team\n"
        "metric_list:\n- {metric: acc, aggregation: mean, higher_is_better: true}\n"
        "metadata: {version: 1.0, language: en, family: classification, suite: [mine], chance: 0.5, id_column: id,"
        " primary_metric: acc, data_files: [data/en.jsonl], licence: none, source: us}\n",
        encoding="utf-8",
    )
    (folder / "models").mkdir()
    (folder / "models" / "big.bin").write_bytes(b"weights of mine")
    (folder / "models" / "mine.yaml").write_text(
        "title: Mine, tuned\nlicence: secret\nlicence_url: https://example.org/terms\nbackend: fake\nparameters: 7\n"
        "quantisation: Q4_0\ncontext: 64\noptions: {context: 4096}\nsource: {file: big.bin}\n",
        encoding="utf-8",
    )
    return folder


def cached_model(folder, data, name="kept"):
    """Write a catalog entry of a model from an index, and put its file where the cache has it."""
    sha256 = hashlib.sha256(data).hexdigest()
    file = Path(os.environ["EVALSUITE_CACHE"]) / "models" / sha256 / "m.bin"
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / f"{name}.yaml").write_text(
        f"title: Kept\nlicence: MIT\nbackend: fake\nsource: {{pypi: p==1.0, members: [p/m.bin]}}\nsha256: {sha256}\n",
        encoding="utf-8",
    )
    return file


# --- the same as at the desk


def test_a_pack_measures_the_same_cells_wherever_it_lies(desk, tmp_path):
    write_own(desk / "mine")
    models = [fake_model(desk), {"name": "mine", "options": {"output": "x"}}]
    sweep = small(
        desk,
        models=models,
        tasks=["labels", "tickets_en", "sib200"],
        languages=["en", "eu"],
        include=["mine"],
        prompt_forms=["native", "chat"],
    )
    plan, _ = bundle(sweep, tmp_path / "pack", write_mirror(desk / "mirror"))
    assert {cell.task for cell in plan.cells} == {"labels_en", "labels_eu", "tickets_en", "sib200_eu"}
    moved = (tmp_path / "pack").rename(tmp_path / "device")
    shutil.rmtree(desk)
    shutil.rmtree(tmp_path / "cache")
    again = unpacked_plan(moved)
    assert ids(again) == ids(plan)
    assert again.tasks.keys() == plan.tasks.keys()
    for name, planned in plan.models.items():
        assert again.models[name].path == next((moved / "weights" / name).iterdir())
        same = {"source", "bytes"}
        assert again.models[name].model.model_dump(exclude=same) == planned.model.model_dump(exclude=same)


def test_nothing_in_a_pack_tells_where_it_was_made(desk, tmp_path):
    write_own(desk / "mine")
    bundle(small(desk, models=[fake_model(desk), "mine"], include=["mine"]), tmp_path / "pack")
    texts = [p for p in (tmp_path / "pack").rglob("*") if p.suffix in {".yaml", ".json", ".txt", ".sh"}]
    assert len(texts) >= 6
    assert [p for p in texts if str(tmp_path) in p.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("order", [("", "+dequantised"), ("+dequantised", "")], ids=["stored first", "float32 first"])
def test_a_dequantised_model_shares_the_file_and_keeps_its_cells(desk, tmp_path, order):
    path = tiny_gguf.write_llama(desk / "tiny.gguf", quant="Q8_0")
    plan, lock = bundle(small(desk, models=[f"{path}{end}" for end in order], limit=3), tmp_path / "pack")
    assert {cell.model for cell in plan.cells} == {"tiny", "tiny+dequantised"}
    assert [name for name in lock.files if name.startswith("weights/")] == ["weights/tiny/tiny.gguf"]
    again = unpacked_plan(tmp_path / "pack")
    assert ids(again) == ids(plan)
    assert [m.model.title for m in again.models.values()] == [m.model.title for m in plan.models.values()]


def test_a_dequantised_model_of_the_catalog_leaves_the_entry_as_it_was(desk, tmp_path):
    (desk / "models").mkdir()
    tiny_gguf.write_llama(desk / "tiny.gguf", quant="Q8_0")
    entry = "title: T\nlicence: MIT\noptions: {context: 32}\nsource: {file: ../tiny.gguf}\n"
    (desk / "models" / "t.yaml").write_text(entry, encoding="utf-8")
    sweep = small(desk, models=["t+dequantised", "t"], include=["."], limit=3)
    plan, _ = bundle(sweep, tmp_path / "pack")
    assert ids(unpacked_plan(tmp_path / "pack")) == ids(plan)
    packed = yaml.safe_load((tmp_path / "pack" / "models" / "t.yaml").read_text(encoding="utf-8"))
    assert packed["options"] == {"context": 32}


def test_a_model_that_is_a_folder(desk, tmp_path):
    model = desk / "hf"
    (model / "sub").mkdir(parents=True)
    (model / ".cache").mkdir()
    for name in ("config.json", "sub/weights.bin", ".cache/junk"):
        (model / name).write_text(name, encoding="utf-8")
    refs = [{"name": "folder", "path": "hf", "backend": "fake"}]
    plan, lock = bundle(small(desk, models=refs), tmp_path / "pack")
    weights = {name for name in lock.files if name.startswith("weights/")}
    assert weights == {"weights/folder/config.json", "weights/folder/sub/weights.bin"}
    assert ids(unpacked_plan(tmp_path / "pack")) == ids(plan)


def test_a_profile_without_tasks_can_be_packed(desk, tmp_path):
    sweep = small(desk, tasks=[], profile={"rounds": 2, "meters": ["none"]})
    _, lock = bundle(sweep, tmp_path / "pack")
    assert [model.name for model in lock.models] == ["fake"]
    settings = load_sweep(open_pack(tmp_path / "pack").sweep_path).profile
    assert settings == load_sweep(sweep).profile


def test_data_behind_a_link_is_packed(desk, tmp_path):
    own = write_own(desk / "mine")
    shutil.move(own / "tasks" / "tickets" / "data", desk / "elsewhere")
    (own / "tasks" / "tickets" / "data").symlink_to(desk / "elsewhere")
    sweep = small(desk, models=["mine"], tasks=["tickets_en"], languages=["en"], include=["mine"])
    _, lock = bundle(sweep, tmp_path / "pack")
    assert "include/1/tasks/tickets/data/en.jsonl" in lock.files
    assert not any((tmp_path / "pack" / name).is_symlink() for name in lock.files)


# --- what is in it


def test_the_lock_names_every_file_with_its_hash(desk, tmp_path):
    meter = Meter()
    own = write_own(desk / "mine")
    (own / "tasks" / "__pycache__").mkdir()
    (own / "tasks" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (own / "notes").mkdir()
    (own / "notes" / "private.yaml").write_text("a: b", encoding="utf-8")
    sweep = small(desk, models=["mine"], tasks=["sib200"], languages=["eu"], include=["mine"])
    _, lock = bundle(sweep, tmp_path / "pack", write_mirror(desk / "mirror"), meter)
    there = {p.relative_to(tmp_path / "pack").as_posix(): p for p in (tmp_path / "pack").rglob("*") if p.is_file()}
    assert there.keys() - {LOCK} == lock.files.keys()
    assert there.keys() >= {"README.txt", "run.sh", "sweep.yaml", "models/mine.yaml", "weights/mine/big.bin"}
    # Of models/ the descriptions only: what lies beside them may be large, and is packed if the sweep names it.
    assert {name for name in there if name.startswith("include/1/models")} == {"include/1/models/mine.yaml"}
    assert not [name for name in there if "pycache" in name or "private" in name]
    for name, entry in lock.files.items():
        data = there[name].read_bytes()
        assert (entry.sha256, entry.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert PackLock.model_validate_json(there[LOCK].read_text(encoding="utf-8")) == lock
    assert (lock.models[0].licence, lock.models[0].origin) == ("secret", "file:big.bin")
    assert os.access(there["run.sh"], os.X_OK)
    assert (meter.done, meter.stopped) == (meter.total, 1)
    assert meter.total == sum(entry.bytes for entry in lock.files.values())


def test_data_is_written_as_the_mirror_has_it(desk, tmp_path):
    mirror = write_mirror(desk / "mirror")
    _, lock = bundle(small(desk, tasks=["sib200"], languages=["eu"]), tmp_path / "pack", mirror)
    assert (tmp_path / "pack" / "data" / SIB).read_bytes() == (mirror / SIB).read_bytes()
    (entry,) = lock.data
    assert (entry.file, entry.path, entry.origin) == (f"data/{SIB}", "Davlan/sib200", "mirror")


def test_data_that_cannot_be_had_is_left_out_and_skipped_by_the_run(desk, tmp_path):
    sweep = small(desk, tasks=["labels", "sib200"], languages=["en", "eu"])
    _, lock = bundle(sweep, tmp_path / "pack", write_mirror(desk / "mirror"))
    assert [left.what for left in lock.left_out] == ["sib200_en (en)"]
    assert "eng_Latn" in lock.left_out[0].reason
    assert "sib200_en" in (tmp_path / "pack" / "README.txt").read_text(encoding="utf-8")
    (skip,) = unpacked_plan(tmp_path / "pack").skips
    assert skip.task == "sib200_en"


def test_a_model_that_cannot_be_had_is_left_out_and_skipped_by_the_run(desk, tmp_path):
    plan, lock = bundle(small(desk, models=["gemma3-270m", fake_model(desk)], tasks=["labels"]), tmp_path / "pack")
    assert [left.what for left in lock.left_out] == ["gemma3-270m"]
    again = unpacked_plan(tmp_path / "pack")
    assert ids(again) == ids(plan)
    assert {skip.model for skip in again.skips} == {"gemma3-270m"}


def test_nothing_to_pack_is_refused(desk, tmp_path):
    sweep = small(desk, tasks=["sib200"])
    with pytest.raises(InputError, match="nothing of small can be packed: Davlan/sib200"):
        bundle(sweep, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_a_cached_model_is_linked_and_a_file_of_the_users_is_copied(desk, tmp_path, monkeypatch):
    kept = cached_model(desk, b"from an index")
    bundle(small(desk, models=["kept", fake_model(desk)], include=["."]), tmp_path / "pack")
    assert (tmp_path / "pack" / "weights" / "kept" / "m.bin").samefile(kept)
    packed = tmp_path / "pack" / "weights" / "fake" / "fake.bin"
    assert packed.read_bytes() == (desk / "fake.bin").read_bytes()
    assert not packed.samefile(desk / "fake.bin")
    assert open_pack(tmp_path / "pack").lock.models[0].origin == "pypi:p==1.0"

    def refuse(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    bundle(small(desk, models=["kept"], include=["."]), tmp_path / "other")
    copied = tmp_path / "other" / "weights" / "kept" / "m.bin"
    assert copied.read_bytes() == b"from an index"
    assert not copied.samefile(kept)


def test_two_models_of_one_name_cannot_lie_in_one_pack(desk, tmp_path):
    one = tiny_gguf.write_llama(desk / "one.gguf")
    two = tiny_gguf.write_llama(desk / "two.gguf", quant="Q8_0")
    refs = [{"name": "a", "path": str(one)}, {"name": "a", "path": f"{two}+dequantised"}]
    with pytest.raises(InputError, match="two models are named 'a', with different files"):
        bundle(small(desk, models=refs), tmp_path / "pack")


def test_a_task_that_needs_files_from_outside_is_refused(desk, tmp_path):
    own = write_own(desk / "mine")
    task = own / "tasks" / "tickets" / "tickets_en.yaml"
    (own / "common.yaml").write_text("num_fewshot: 0\n", encoding="utf-8")
    task.write_text("include: ../../common.yaml\n" + task.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(InputError, match=r"no file \.\./\.\./common\.yaml") as told:
        bundle(small(desk, models=["mine"], tasks=["tickets_en"], include=["mine"]), tmp_path / "pack")
    assert "below the tasks/ folder" in (told.value.fix or "")
    with pytest.raises(InputError, match="not finished"):
        open_pack(tmp_path / "pack")


def test_a_pack_that_would_measure_something_else_is_refused(desk, tmp_path):
    mirror = write_mirror(desk / "mirror")

    class Vague(DataFinder):
        """Does not tell which data it found, so that the cells of the desk are others than those of the pack."""

        def locate(self, task):
            found = super().locate(task)
            return found.model_copy(update={"data": found.data.model_copy(update={"sha256": None})})

    finder = Vague(mirror, offline=True)
    plan, catalog = plan_of(small(desk, tasks=["sib200"], languages=["eu"]), finder)
    with pytest.raises(InputError, match=r"would not measure the same as here: fake\.sib200_eu"):
        make_pack(plan, catalog, tmp_path / "pack", finder=finder, progress=Meter())
    assert not (tmp_path / "pack" / LOCK).exists()


# --- the folder that it is written to


def test_a_folder_with_something_else_is_refused(desk, tmp_path):
    other = tmp_path / "pack"
    other.mkdir()
    (other / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match=r"is no pack, and not empty \(thesis\.tex\)"):
        bundle(small(desk), other)
    assert [p.name for p in other.iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match="is a file"):
        bundle(small(desk), other / "thesis.tex")


def test_a_pack_is_not_written_over_what_it_is_made_from(desk, tmp_path):
    bundle(small(desk), tmp_path / "pack")
    before = {p: p.read_bytes() for p in (tmp_path / "pack").rglob("*") if p.is_file()}
    with pytest.raises(InputError, match="lies in the folder that the pack is to be written to"):
        bundle(tmp_path / "pack" / "sweep.yaml", tmp_path / "pack")
    assert {p: p.read_bytes() for p in (tmp_path / "pack").rglob("*") if p.is_file()} == before
    write_own(desk / "mine")
    inside = desk / "mine" / "tasks" / "pack"
    with pytest.raises(InputError, match="which is packed"):
        bundle(small(desk, include=["mine"]), inside)
    assert not inside.exists()


def test_a_pack_is_renewed(desk, tmp_path):
    pack = tmp_path / "pack"
    write_own(desk / "mine")
    first = small(desk, models=[fake_model(desk), "mine"], tasks=["tickets_en"], include=["mine"])
    bundle(first, pack)
    for mine in ("out/small/manifest.json", ".venv/bin/evalsuite", "wheels/e.whl"):
        (pack / mine).parent.mkdir(parents=True, exist_ok=True)
        (pack / mine).write_text("of the user", encoding="utf-8")
    kept = (pack / "weights" / "fake" / "fake.bin").stat()
    plan, lock = bundle(small(desk, tasks=["labels"]), pack)
    there = {p.relative_to(pack).as_posix() for p in pack.rglob("*") if p.is_file()}
    users = {"out/small/manifest.json", ".venv/bin/evalsuite", "wheels/e.whl"}
    assert there == {*lock.files, *users, LOCK}
    assert not (pack / "include").exists() or not any((pack / "include").iterdir())
    assert (pack / "weights" / "fake" / "fake.bin").stat() == kept
    assert ids(unpacked_plan(pack)) == ids(plan)


@pytest.mark.parametrize("same_size", [True, False])
def test_weights_that_changed_are_renewed(desk, tmp_path, same_size):
    sweep = small(desk)
    before, _ = bundle(sweep, tmp_path / "pack")
    (desk / "fake.bin").write_bytes(b"EKAF" if same_size else b"other weights")
    after, _ = bundle(sweep, tmp_path / "pack")
    assert set(ids(after)).isdisjoint(ids(before))
    assert ids(unpacked_plan(tmp_path / "pack")) == ids(after)


def test_renewing_leaves_the_cache_alone_that_the_pack_was_linked_with(desk, tmp_path):
    kept = cached_model(desk, b"from an index")
    bundle(small(desk, models=["kept"], include=["."]), tmp_path / "pack")
    (desk / "models" / "kept.yaml").unlink()
    (desk / "m.bin").write_bytes(b"FROM AN INDEX")
    bundle(small(desk, models=[{"name": "kept", "path": "./m.bin", "backend": "fake"}]), tmp_path / "pack")
    assert kept.read_bytes() == b"from an index"
    assert (tmp_path / "pack" / "weights" / "kept" / "m.bin").read_bytes() == b"FROM AN INDEX"


def test_renewing_removes_nothing_behind_a_link(desk, tmp_path):
    bundle(small(desk), tmp_path / "pack")
    elsewhere = tmp_path / "elsewhere"
    shutil.move(tmp_path / "pack" / "weights", elsewhere)
    (elsewhere / "precious.bin").write_bytes(b"x")
    (tmp_path / "pack" / "weights").symlink_to(elsewhere)
    bundle(small(desk), tmp_path / "pack")
    assert (elsewhere / "precious.bin").exists()
    assert not (tmp_path / "pack" / "weights").is_symlink()
    open_pack(tmp_path / "pack")


def test_an_interrupted_pack_is_told_and_made_again(desk, tmp_path, monkeypatch):
    sweep = small(desk)
    bundle(sweep, tmp_path / "pack")

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(write, "write_file", full)
        with pytest.raises(InputError, match="No space left on device") as told:
            bundle(sweep, tmp_path / "pack")
    assert str(tmp_path / "pack") in told.value.problem
    # The old lock is gone too: half of it would be of another pack.
    assert (tmp_path / "pack" / UNFINISHED).exists()
    with pytest.raises(InputError, match="was not finished"):
        open_pack(tmp_path / "pack")
    bundle(sweep, tmp_path / "pack")
    assert not (tmp_path / "pack" / UNFINISHED).exists()
    open_pack(tmp_path / "pack")


def test_a_full_disk_is_told_before_anything_is_written(desk, tmp_path, monkeypatch):
    (desk / "large.bin").write_bytes(bytes(3 << 20))
    sweep = small(desk, models=[{"name": "large", "path": "./large.bin", "backend": "fake"}])
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9 << 20, 7 << 20, 2 << 20))
    with pytest.raises(InputError, match=r"needs 3 MiB, and 2 MiB are free at"):
        bundle(sweep, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_a_linked_model_needs_no_space(desk, tmp_path, monkeypatch):
    cached_model(desk, bytes(3 << 20))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9 << 20, 7 << 20, 2 << 20))
    _, lock = bundle(small(desk, models=["kept"], include=["."]), tmp_path / "pack")
    assert lock.files["weights/kept/m.bin"].bytes == 3 << 20


def test_a_copy_that_is_not_what_was_copied_is_told(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "file_sha256", lambda *_, **__: "0" * 64)
    with pytest.raises(InputError, match=r"fake\.bin is not what .* was: sha256 0000"):
        bundle(small(desk), tmp_path / "pack")


# --- what is checked before a run


@pytest.fixture
def pack(desk, tmp_path):
    write_own(desk / "mine")
    asked = {"tasks": ["tickets_en", "sib200"], "languages": ["en", "eu"], "include": ["mine"]}
    sweep = small(desk, models=[fake_model(desk)], **asked)
    bundle(sweep, tmp_path / "pack", write_mirror(desk / "mirror"))
    return tmp_path / "pack"


@pytest.mark.parametrize(
    "name",
    [
        "weights/fake/fake.bin",
        f"data/{SIB}",
        "include/1/tasks/tickets/utils.py",
        "models/fake.yaml",
        "sweep.yaml",
        "run.sh",
    ],
)
def test_a_file_that_is_missing_or_changed_is_named(pack, name):
    path = pack / name
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InputError) as told:
        open_pack(pack)
    assert f"{path} has changed: sha256" in told.value.problem
    path.write_bytes(data + b"\n")
    with pytest.raises(InputError) as told:
        open_pack(pack)
    assert f"{path} has changed: {len(data) + 1} bytes, {len(data)} in the lock" in told.value.problem
    path.unlink()
    with pytest.raises(InputError) as told:
        open_pack(pack)
    assert f"{path} is missing" in told.value.problem
    assert told.value.fix
    path.write_bytes(data)
    assert open_pack(pack).lock.name == "small"


def test_weights_that_were_checked_before_are_checked_again_when_they_change(pack):
    path = pack / "weights" / "fake" / "fake.bin"
    open_pack(pack)
    path.write_bytes(b"EKAF")
    with pytest.raises(InputError, match="has changed: sha256"):
        open_pack(pack)


@pytest.mark.parametrize("name", ["models/gemma3-270m.yaml", "include/1/langs/._en.yaml", "data/x.parquet"])
def test_a_file_that_the_catalog_would_read_without_being_of_the_pack_is_named(pack, name):
    (pack / name).parent.mkdir(exist_ok=True)
    (pack / name).write_text("x", encoding="utf-8")
    with pytest.raises(InputError) as told:
        open_pack(pack)
    assert f"{pack / name} is not of the pack" in told.value.problem


def test_what_python_and_file_managers_leave_behind_does_not_matter(pack):
    for name in ("include/1/tasks/tickets/__pycache__/utils.pyc", "data/.DS_Store", "notes.txt", "out/small/m.json"):
        (pack / name).parent.mkdir(parents=True, exist_ok=True)
        (pack / name).write_text("x", encoding="utf-8")
    assert open_pack(pack).lock.name == "small"


def test_many_wrong_files_are_counted(pack):
    lock = json.loads((pack / LOCK).read_text(encoding="utf-8"))
    lock["files"] |= {f"models/{i:02d}.yaml": {"sha256": "0" * 64, "bytes": 1} for i in range(14)}
    (pack / LOCK).write_text(json.dumps(lock), encoding="utf-8")
    with pytest.raises(InputError) as told:
        open_pack(pack)
    assert told.value.problem.count("is missing") == 10
    assert "and 4 more" in told.value.problem


def test_a_file_that_cannot_be_read_is_named(pack, monkeypatch):
    from evalsuite import pack as module

    def fail(path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "sha256_of", fail)
    with pytest.raises(InputError, match=r"README\.txt cannot be read: Input/output error"):
        open_pack(pack)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lock: "{", "cannot be read"),
        (lambda lock: "[]", "cannot be read"),
        (lambda lock: json.dumps({**lock, "schema_version": 2, "evalsuite": "9.9"}), "newer than this evalsuite"),
        (lambda lock: json.dumps({**lock, "files": {"../x": {"sha256": "0" * 64, "bytes": 1}}}), "lies outside"),
        (lambda lock: json.dumps({**lock, "files": {"/etc/x": {"sha256": "0" * 64, "bytes": 1}}}), "lies outside"),
        (lambda lock: json.dumps({**lock, "files": {"x": {"sha256": "0", "bytes": 1}}}), r"files\.x\.sha256"),
    ],
)
def test_a_lock_that_cannot_be_used(pack, change, told):
    (pack / LOCK).write_text(change(json.loads((pack / LOCK).read_text(encoding="utf-8"))), encoding="utf-8")
    with pytest.raises(InputError, match=told) as error:
        open_pack(pack)
    assert LOCK in error.value.problem
    assert error.value.fix


def test_a_folder_that_is_no_pack(tmp_path):
    with pytest.raises(InputError, match=r"no pack: it has no pack\.lock\.json"):
        open_pack(tmp_path)


def test_a_pack_without_data_looks_into_no_other_mirror(desk, tmp_path, monkeypatch):
    bundle(small(desk, tasks=["labels", "sib200"], languages=["eu"]), tmp_path / "pack")
    monkeypatch.setenv("EVALSUITE_DATA", str(write_mirror(desk / "mirror")))
    plan = unpacked_plan(tmp_path / "pack")
    assert [skip.task for skip in plan.skips] == ["sib200_eu"]
    # The worker is given the folder by name, and must not fall back on the environment either.
    opened = open_pack(tmp_path / "pack")
    assert opened.mirror.is_relative_to(tmp_path / "pack")
    assert mirror_from(opened.mirror) == opened.mirror


# --- data that came from the hub


def from_hub(pack, revision):
    """Return the pack as if its data had come from the hub at a revision."""
    entry = pack.lock.data[0].model_copy(update={"origin": "hub", "revision": revision})
    return Pack(pack.folder, pack.lock.model_copy(update={"data": (entry,)}))


def test_data_from_the_hub_is_told_by_its_revision_as_at_the_desk(pack):
    task = load_catalog().tasks["sib200_eu"]
    opened = open_pack(pack)
    assert len(opened.finder().locate(task).data.sha256 or "") == 64
    finder = from_hub(opened, task.data.revision).finder()
    located = finder.locate(task).data
    assert (located.found, located.sha256, located.revision) == ("hub", None, task.data.revision)
    assert finder.item_ids(task) == ["0", "1", "2"]


def test_data_from_the_hub_at_another_revision_is_refused(pack):
    task = load_catalog().tasks["sib200_eu"]
    with pytest.raises(DataMissingError, match=f"holds Davlan/sib200 at revision {'a' * 40}"):
        from_hub(open_pack(pack), "a" * 40).finder().locate(task)


def test_two_revisions_of_a_data_set_cannot_lie_in_one_pack(desk, tmp_path):
    shutil.copytree(ROOT / "tasks" / "sib200", desk / "mine" / "tasks" / "sib200")
    shutil.copytree(ROOT / "tasks" / "_shared", desk / "mine" / "tasks" / "_shared")
    path = desk / "mine" / "tasks" / "sib200" / "sib200_eu.yaml"
    text = path.read_text(encoding="utf-8")
    other = text.replace("task: sib200_eu", "task: other_eu").replace(
        "38977a667f6fc264d5c26ec57a01e16db040b358", "b" * 40
    )
    path.with_name("other_eu.yaml").write_text(other, encoding="utf-8")
    sweep = small(desk, tasks=["sib200_eu", "other_eu"], languages=["eu"], include=["mine"])
    mirror = write_mirror(desk / "mirror")
    # A mirror has one file for both, and says nothing of revisions.
    _, lock = bundle(sweep, tmp_path / "pack", mirror)
    assert lock.data == (PackedData(**{**lock.data[0].model_dump(), "revision": None}),)

    class Hub(DataFinder):
        """Stands for the hub: says so, and reads the mirror."""

        def locate(self, task):
            found = {"found": "hub", "sha256": None}
            return task.model_copy(update={"data": task.data.model_copy(update=found)})

        def load(self, task, count_tokens=None):
            return DataFinder(mirror).load(task, count_tokens)

    plan, catalog = plan_of(sweep, Hub())
    with pytest.raises(InputError, match=r"another task for 38977a667f6fc264"):
        make_pack(plan, catalog, tmp_path / "other", finder=Hub(), progress=Meter())


# --- what differs on the device


def test_other_versions_and_tasks_than_at_the_desk_are_told(pack):
    opened = open_pack(pack)
    tasks = {name: load_catalog(()).tasks["labels_en"] for name in opened.lock.tasks}
    same = {name: task.model_copy(update={"sha256": opened.lock.tasks[name]}) for name, task in tasks.items()}
    here = opened.lock.versions
    assert opened.differences(same, here) == []
    assert opened.differences({"new": tasks["sib200_eu"]}, {"lm-eval": here["lm-eval"], "numpy": "0"}) == []
    told = opened.differences(tasks, {**here, "lm-eval": "9.9"})
    assert told[0] == f"lm-eval 9.9 here, {here['lm-eval']} where the pack was made"
    assert "sib200_eu, tickets_en" in told[1]


# --- run.sh


def shell(pack, tmp_path, path=(), **environment):
    """Run run.sh with only what a POSIX system has, and the folders of `path` before it."""
    tools = tmp_path / "tools"
    if not tools.exists():
        tools.mkdir()
        for name in ("sh", "dirname", "mkdir", "cat", "chmod"):
            (tools / name).symlink_to(str(shutil.which(name)))
    env = {"PATH": os.pathsep.join(map(str, (*path, tools))), **environment}
    script = [str(shutil.which("sh")), str(pack / "run.sh"), "--limit", "2"]
    return subprocess.run(script, capture_output=True, text=True, env=env, cwd=tmp_path, check=False)


def command(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_script_runs_the_evalsuite_that_is_there(pack, tmp_path):
    command(tmp_path / "bin" / "evalsuite", 'echo "$@"')
    done = shell(pack, tmp_path, [tmp_path / "bin"])
    assert (done.returncode, done.stdout) == (0, f"run {pack} --offline --limit 2\n")
    # A folder with a space in its name, and one that begins with a dash.
    odd = pack.rename(tmp_path / "- my pack")
    assert shell(odd, tmp_path, [tmp_path / "bin"]).stdout == f"run {odd} --offline --limit 2\n"


def test_the_script_says_what_it_needs_to_install_evalsuite(pack, tmp_path):
    done = shell(pack, tmp_path)
    assert done.returncode == 2
    assert f"{pack}/wheels" in done.stderr
    assert "EVALSUITE_SOURCE" in done.stderr


# Stands for Python: notes how it was called, and makes an environment with a Python and an evalsuite of the same kind.
PYTHON = """
echo "$@" >> "$LOG"
case "$1 $2" in
"-m venv") mkdir -p "$3/bin"; cat "$SELF" > "$3/bin/python"; chmod 755 "$3/bin/python" ;;
"-m pip")
    case "$*" in *--no-index*) exit "$NO_INDEX_STATUS" ;; esac
    ;;
esac
case "$*" in *install*|*venv*) printf '#!/bin/sh\\necho "$@"\\n' > "$VENV/bin/evalsuite"; chmod 755 "$VENV/bin/evalsuite" ;; esac
"""


@pytest.mark.parametrize(("status", "calls"), [("0", 3), ("1", 4)], ids=["all wheels there", "some wheels missing"])
def test_the_script_makes_an_environment_from_the_wheels(pack, tmp_path, status, calls):
    wheel = pack / "wheels" / "evalsuite-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"")
    python, log, venv = command(tmp_path / "py" / "python3", PYTHON), tmp_path / "log", pack / ".venv"
    env = {"LOG": str(log), "SELF": str(python), "VENV": str(venv), "NO_INDEX_STATUS": status}
    done = shell(pack, tmp_path, [python.parent], **env)
    assert (done.returncode, done.stdout) == (0, f"run {pack} --offline --limit 2\n"), done.stderr
    asked = log.read_text(encoding="utf-8").splitlines()
    assert len(asked) == calls
    assert asked[1] == f"-m venv {venv}"
    assert asked[2].endswith(f"install --quiet --no-index --find-links {pack}/wheels {wheel}")
    assert "--no-index" not in asked[-1] or status == "0"
    # The next time the environment is there.
    assert shell(pack, tmp_path, [python.parent], **env).returncode == 0
    assert len(log.read_text(encoding="utf-8").splitlines()) == calls
    open_pack(pack)
