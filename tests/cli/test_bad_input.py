"""Bad input gets a message that says what was wrong, the value and the fix; exit code 2 and no traceback."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests.helpers import evalsuite, fake_model, write_sweep


def refused(*arguments, **environment):
    done = evalsuite(*arguments, **environment)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert "error:" in done.stderr
    return done.stderr


def gguf(path, *, architecture="llama", tensors=True):
    """Write a tiny GGUF with the independent `gguf` package."""
    from gguf import GGUFWriter

    writer = GGUFWriter(str(path), architecture)
    writer.add_context_length(64)
    if tensors:
        writer.add_tensor("token_embd.weight", np.zeros((32, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("arguments", "told", "fix"),
    [
        (("--model", "gema3-270m"), "unknown model 'gema3-270m'", "gemma3-270m"),
        (("--model", "smollm2-135m-instruct", "--tasks", "lables"), "unknown task 'lables'", "labels"),
        (("--model", "smollm2-135m-instruct", "--langs", "Basqe"), "unknown language 'Basqe'", "Basque"),
        (("--model", "no/such.gguf"), "does not exist", "check the path"),
        (("--model", "smollm2-135m-instruct", "--data", "no-such-folder"), "is no folder", "<hub id>"),
        (("--model", "smollm2-135m-instruct", "--include", "no-such-folder"), "does not exist", "fix"),
        ((), "nothing to run", "--model"),
        (("no-such.yaml",), "no such sweep file", "quickstart"),
        (
            ("--model", "smollm2-135m-instruct", "--tasks", "labels_eu", "--langs", "es"),
            "which is not among",
            "add 'eu'",
        ),
    ],
)
def test_what_cannot_be_named(tmp_path, arguments, told, fix):
    said = refused("run", *arguments, "--out", tmp_path / "run")
    assert told in said
    assert fix in said
    assert not (tmp_path / "run").exists()


def test_a_malformed_sweep_names_file_line_and_field(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("models: [a]\ntasks: [labels]\nlanguages: [en]\nlimit: many\n", encoding="utf-8")
    said = refused("run", path, "--out", tmp_path / "run")
    assert "s.yaml:4: limit" in said
    assert "many" in said


def test_an_unknown_backend(tmp_path):
    model = {**fake_model(tmp_path), "backend": "lamacpp"}
    said = refused("run", write_sweep(tmp_path, models=[model]), "--out", tmp_path / "run")
    assert "unknown backend 'lamacpp'" in said
    assert "llamacpp" in said


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda p: p.write_bytes(b"PK\x03\x04 a zip"), "GGUF"),
        (lambda p: p.write_bytes(b""), "empty"),
        (lambda p: p.write_bytes(b"GGUF" + struct.pack("<I", 3)), "truncated|cut|ends"),
        (lambda p: gguf(p, tensors=False), "vocabulary"),
    ],
    ids=["zip", "empty", "header cut", "vocabulary only"],
)
def test_a_file_that_is_no_usable_model(tmp_path, make, told):
    import re

    path = tmp_path / "model.gguf"
    make(path)
    said = refused("run", "--model", path, "--langs", "en", "--limit", "2", "--out", tmp_path / "run")
    assert str(path) in said
    assert re.search(told, said, re.IGNORECASE), said


def test_a_truncated_model(tmp_path):
    path = gguf(tmp_path / "model.gguf")
    path.write_bytes(path.read_bytes()[:-1000])
    said = refused("run", "--model", path, "--langs", "en", "--out", tmp_path / "run")
    assert "truncated" in said.lower() or "missing" in said.lower()


def test_an_unknown_architecture(tmp_path):
    pytest.importorskip("llama_cpp")
    path = gguf(tmp_path / "model.gguf", architecture="frobnicator")
    said = refused("run", "--model", path, "--langs", "en", "--limit", "2", "--out", tmp_path / "run", "--no-report")
    assert "frobnicator" in said
    assert "unknown to llama.cpp" in said


def test_a_wrong_sha256(tmp_path):
    models = tmp_path / "mine" / "models"
    models.mkdir(parents=True)
    weights = gguf(tmp_path / "weights.gguf")
    (models / "mine.yaml").write_text(
        f"title: Mine\nlicence: MIT\nsource: {{file: {weights}}}\nsha256: '{'0' * 64}'\n", encoding="utf-8"
    )
    said = refused("run", "--model", "mine", "--include", tmp_path / "mine", "--out", tmp_path / "run")
    assert "0" * 64 in said
    assert "sha256" in said


def test_offline_without_the_model(tmp_path):
    said = refused(
        "run", "--model", "gemma3-270m", "--offline", "--out", tmp_path / "run", EVALSUITE_CACHE=str(tmp_path / "cache")
    )
    assert "offline" in said
    assert "evalsuite models fetch gemma3-270m" in said


@pytest.mark.parametrize("text", ["{", '{"schema_version": 99, "evalsuite": "7.0"}'])
def test_an_unreadable_or_newer_run_folder(tmp_path, text):
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text(text, encoding="utf-8")
    assert "manifest.json" in refused("report", run) or "newer" in refused("report", run)
    refused("export", run)
    refused("run", write_sweep(tmp_path), "--out", run)


@pytest.mark.parametrize("verb", [("report",), ("export",)])
def test_a_folder_that_is_no_run(tmp_path, verb):
    assert "no run folder" in refused(*verb, tmp_path)


def test_a_run_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    said = refused("run", write_sweep(tmp_path), "--out", tmp_path / "file" / "run")
    assert "cannot be written" in said


def test_an_unknown_name_to_show():
    assert "labels_eu" in refused("tasks", "show", "label_eu")
    assert "gemma3-270m" in refused("models", "show", "gemma-270m")
    assert "eu" in refused("langs", "show", "euskera")


@pytest.mark.parametrize(
    "options", [("--langs", "es,es"), ("--langs", ""), ("--tasks", "labels,labels"), ("--tasks", "")]
)
def test_options_are_held_to_the_rules_of_a_sweep(tmp_path, options):
    said = refused("run", write_sweep(tmp_path), *options, "--out", tmp_path / "run")
    assert "named twice" in said or "at least 1" in said or "at least one task" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("dataset_kwargs: {data_files: {test: d.jsonl}}", "only `revision` is understood"),
        ("dataset_kwargs: {revision: 1234567}\ncustom_dataset: null\ndataset_path: a/b", "revision"),
        ("dataset_kwargs: [a]", "dataset_kwargs"),
    ],
)
def test_a_task_file_that_asks_for_what_is_not_understood(tmp_path, line, told):
    import shutil

    from tests.helpers import ROOT

    for name in ("labels", "_shared"):
        shutil.copytree(ROOT / "tasks" / name, tmp_path / "tasks" / name)
    path = tmp_path / "tasks" / "labels" / "labels_en.yaml"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    said = refused("tasks", "list", "--include", tmp_path)
    assert "labels_en.yaml" in said
    assert told in said


def test_a_mirror_file_that_is_no_parquet_is_a_skip(tmp_path):
    path = tmp_path / "Davlan" / "sib200" / "eus_Latn" / "test.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not parquet")
    sweep = write_sweep(tmp_path, tasks=["labels", "sib200"], languages=["eu"], limit=3)
    done = evalsuite("run", sweep, "--data", tmp_path, "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "skipped: sib200_eu (eu)" in done.stderr
    assert "cannot be read" in done.stderr


def test_markup_in_a_users_file_is_shown_as_it_stands(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / "odd.yaml").write_text(
        "title: Odd\nlicence: 'see [/terms] :key:'\nsource: {file: x.gguf}\n", encoding="utf-8"
    )
    done = evalsuite("models", "list", "--include", tmp_path, COLUMNS="400")
    assert done.returncode == 0, done.stderr
    assert "see [/terms] :key:" in done.stdout


def test_a_terminal_that_cannot_show_a_letter_does_not_stop_the_command():
    done = evalsuite("langs", "list", "--json", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr


def test_a_run_in_the_folder_that_one_stands_in(tmp_path):
    run = tmp_path / "here"
    assert evalsuite("run", write_sweep(tmp_path, limit=3), "--out", run, "--no-report").returncode == 0
    for verb in (("report", "."), ("export", ".", "--format", "csv")):
        done = evalsuite(*verb, cwd=run)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "here.html").exists()
    assert (tmp_path / "here.csv").exists()
