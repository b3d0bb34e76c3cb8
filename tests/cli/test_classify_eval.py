"""`evalsuite classify-eval`: what it refuses, a run of the example without an engine, and times of a tiny model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from evalsuite.analysis import load_run
from evalsuite.analysis.device_tables import device_tables
from evalsuite.analysis.readings import profile_readings
from evalsuite.cli.main import app
from evalsuite.records import Kind
from tests import tiny_gguf
from tests.cli.test_verbs import HEAVY
from tests.helpers import ROOT, evalsuite

EXAMPLE = ROOT / "examples" / "messages"
LABELS = "delivery: {names: {es: envío, eu: bidalketa}}\nreturn: {names: {es: devolución, eu: itzulketa}}\n"
ROWS = "text,label\nUno,envío\nDos,devolución\nTres,envío\nCuatro,envío\n"


@pytest.fixture
def mine(tmp_path):
    """Return a folder with messages, labels, and a model `fake` to include."""
    (tmp_path / "m.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "labels.yaml").write_text(LABELS, encoding="utf-8")
    include(tmp_path)
    return tmp_path


def include(folder):
    (folder / "models").mkdir()
    (folder / "weights.bin").write_bytes(b"fake")
    text = "title: Fake\nbackend: fake\nlicence: none\nsource: {file: ../weights.bin}\n"
    (folder / "models" / "fake.yaml").write_text(text, encoding="utf-8")


def invoke(folder, *options, csv="m.csv"):
    """Give the command in this process, which has the imports already."""
    arguments = ("classify-eval", folder / csv, "--labels", folder / "labels.yaml", "-m", "fake", "--include", folder)
    return CliRunner().invoke(app, [*map(str, (*arguments, *options, "--out", folder / "run"))], env={"COLUMNS": "200"})


def refused(folder, *options, **given):
    done = invoke(folder, *options, **given)
    assert done.exit_code == 2, (done.output, done.exception)
    assert "Traceback" not in done.output
    assert done.stdout == ""
    return done.stderr


# --- what is refused


def test_all_problems_of_a_file_are_told_with_line_and_fix_and_nothing_is_left(mine):
    (mine / "m.csv").write_text("text,label\nuno,envio\n,envío\ndos,devolución,x\n", encoding="utf-8")
    said = refused(mine, "--lang", "es")
    for line, told in ((2, "it is 'envío' but for accents"), (3, "column 'text': is empty"), (4, "has 3 cells")):
        assert f"m.csv:{line}: row {line - 1}" in said
        assert told in said
    assert not (mine / "run").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "no column is known to hold the languages"),
        (("--lang", "Basqe"), "unknown language 'Basqe'"),
        (("--lang", "es", "--text-column", "body"), "there is no column 'body'"),
        (("--lang", "es", "--delimiter", "x"), "--delimiter: 'x' is none"),
        (("--lang", "es", "--encoding", "x"), "--encoding: 'x' is no encoding"),
        (("--lang", "es", "--label-wording", "descibed"), "--label-wording: unknown wording 'descibed'"),
        (("--lang", "es", "--label-wording", "described"), "'described' needs a description of every label"),
        (("--lang", "es", "--label-wording", "english-names"), "'english-names' needs names.en of every label"),
        (("--lang", "es", "-m", "gema3-270m"), "unknown model 'gema3-270m'"),
        (("--lang", "es", "-m", "fake"), "named twice: fake"),
    ],
)
def test_options_that_cannot_be_used_are_refused_and_nothing_is_left(mine, options, told):
    said = refused(mine, *options)
    assert told in said
    assert "fix: " in said
    assert not (mine / "run").exists()


def test_a_spreadsheet_in_place_of_a_csv(mine):
    (mine / "m.xlsx").write_bytes(b"PK\x03\x04rest")
    assert "is an Excel, LibreOffice or zip file and no CSV" in refused(mine, "--lang", "es", csv="m.xlsx")


# --- a run


def test_the_same_input_goes_on_and_other_input_is_refused(mine):
    first = invoke(mine, "--lang", "es", "--json")
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert (told["done"], told["already_done"]) == (1, 0)
    assert "a device is measured with llama.cpp only, not with fake" in first.stderr
    again = json.loads(invoke(mine, "--lang", "es", "--json").stdout)
    assert (again["done"], again["already_done"]) == (0, 1)
    assert again["results"] == told["results"]
    (mine / "m.csv").write_text(ROWS + "Cinco,envío\n", encoding="utf-8")
    said = refused(mine, "--lang", "es")
    assert "holds other messages or labels: data/es.jsonl, user_es.yaml would differ" in said
    assert "give another folder with --out" in said
    assert json.loads((mine / "run" / "manifest.json").read_text(encoding="utf-8"))["tasks"]["user_es"]["items"] == 4


def test_a_run_that_another_verb_made_is_refused(mine):
    sweep = ("run", "--model", "fake", "--include", mine, "--tasks", "lexicon", "--langs", "es", "--limit", "2")
    done = CliRunner().invoke(app, [*map(str, (*sweep, "--out", mine / "run", "--no-report"))])
    assert done.exit_code == 0, done.output
    assert "holds a run that `classify-eval` did not make" in refused(mine, "--lang", "es")
    assert not (mine / "run" / "tasks").exists()


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """Return what the example gives with the fake backend, and the folder that it was run in."""
    folder = tmp_path_factory.mktemp("example")
    include(folder)
    done = evalsuite(
        "classify-eval", EXAMPLE / "messages.csv", "--labels", EXAMPLE / "labels.yaml", "-m", "fake", "--no-latency",
        "--include", folder, "--out", folder / "run", "--label-wording", "native,described", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_the_example_has_a_result_for_each_language_and_wording(example):
    folder, told = example
    shown = [(row["language"], row["wording"], row["accuracy"]["n"]) for row in told["results"]]
    assert sorted(shown) == [
        ("ca", "described", 60), ("ca", "native", 60), ("es", "described", 80), ("es", "native", 80),
        ("eu", "described", 60), ("eu", "native", 60),
    ]  # fmt: skip
    assert told["latency"] == []
    assert told["report"] == str(folder / "run.html")
    items = load_run(folder / "run").items
    items = items[items["model"] == "fake"]
    for row in told["results"]:
        of_cell = items[(items["task"] == row["task"]) & (items["prompt_form"] == row["wording"])]
        assert row["accuracy"]["value"] == pytest.approx(of_cell["score"].mean())
        # The worst category, counted anew.
        worst = row["worst"][0]
        right = [c[int(t)] for c, t in zip(of_cell["choices"], of_cell["target"], strict=True)]
        assert right.count(worst["category"]) == worst["items"]
        hits = sum(score for name, score in zip(right, of_cell["score"], strict=True) if name == worst["category"])
        assert hits == worst["hits"]
        recall = {one["category"]: one["recall"]["value"] for one in row["categories"]}
        assert recall[worst["category"]] == pytest.approx(hits / worst["items"])
        shares = [level["share"]["value"] for level in row["confidence"]["taken_if_sure"]]
        assert shares == sorted(shares, reverse=True), "the surer the answers, the fewer are taken"


def test_a_classifier_trained_on_the_other_messages_stands_beside_the_models(example):
    folder, told = example
    rows = {(row["baseline"], row["language"]): row for row in told["trained"]}
    assert rows.keys() == {(name, code) for name in ("majority", "tfidf-svm") for code in ("ca", "es", "eu")}
    assert rows["tfidf-svm", "es"]["trained"] == "trained on the other folds, 64 items"
    items = load_run(folder / "run").items
    for (name, code), row in rows.items():
        stored = items[(items["model"] == name) & (items["language"] == code)]["score"]
        assert row["accuracy"]["value"] == pytest.approx(stored.mean())
    # A classifier that has seen the other messages is no guesser.
    assert rows["tfidf-svm", "es"]["accuracy"]["low"] > rows["tfidf-svm", "es"]["chance"]


def test_the_tables_for_people_say_the_same(example):
    folder, told = example
    again = CliRunner().invoke(
        app,
        [
            *map(str, ("classify-eval", EXAMPLE / "messages.csv", "--labels", EXAMPLE / "labels.yaml", "-m", "fake")),
            *map(str, ("--no-latency", "--include", folder, "--out", folder / "run", "--label-wording")),
            "native,described",
        ],
        env={"COLUMNS": "200"},
    )
    assert again.exit_code == 0, again.output
    row = told["results"][0]
    assert f"{row['accuracy']['value']:.2f}" in again.stdout
    assert f"fake, {row['language']}, {row['wording']}: worst: {row['worst'][0]['category']} " in again.stdout
    most = row["confused"]
    assert f"most often confused: {most['right']} taken for {most['taken_for']}, {most['n']} times" in again.stdout
    assert f"report: {folder / 'run.html'}" in again.stderr


def test_the_folder_holds_what_is_needed_to_understand_and_repeat_it(example, tmp_path):
    folder, told = example
    copied = tmp_path / "mine" / "tasks"
    shutil.copytree(folder / "run" / "tasks", copied)
    assert {path.name for path in (copied / "user").glob("*.yaml")} == {
        "_calibrated.yaml", "user_ca.yaml", "user_es.yaml", "user_eu.yaml"
    }  # fmt: skip
    done = CliRunner().invoke(
        app,
        [
            *map(str, ("run", "--model", "fake", "--include", folder, "--include", tmp_path / "mine", "--langs", "eu")),
            *map(str, ("--tasks", "user_eu", "--out", tmp_path / "run", "--no-report")),
        ],
    )
    assert done.exit_code == 0, done.output
    ours = load_run(folder / "run").items
    ours = ours[(ours["task"] == "user_eu") & (ours["prompt_form"] == "native") & (ours["model"] == "fake")]
    assert list(load_run(tmp_path / "run").items["score"]) == list(ours["score"])
    assert told["results"]


# --- times


def test_the_users_own_messages_are_timed_one_by_one(tmp_path):
    pytest.importorskip("llama_cpp")
    model = tiny_gguf.write_llama(tmp_path / "tiny.gguf", context=1024)
    rows = [
        "text,label,lang",
        *(f"Mensaje {n},envío,es" for n in range(3)),
        *(f"Mezua {n},itzulketa,eu" for n in range(14)),
    ]
    (tmp_path / "m.csv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "labels.yaml").write_text(LABELS, encoding="utf-8")
    done = evalsuite(
        "classify-eval", tmp_path / "m.csv", "--labels", tmp_path / "labels.yaml", "-m", model, "--limit", "2",
        "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # Nothing can be trained on messages of one category; that is told, and fails nothing.
    assert (told["failed"], told["skipped"], told["trained"][0]["accuracy"]["value"]) == (0, 4, None)
    assert "all are of: delivery" in done.stderr
    times = {row["language"]: row for row in told["latency"]}
    run = load_run(tmp_path / "run")
    (profile,) = run.profiles
    for code, messages in (("es", 3), ("eu", 12)):
        asked = [request for request in profile.requests if request.language == code]
        # Two rounds; where other work disturbed one of them, its requests are kept apart.
        assert len(asked) == times[code]["n"] + times[code]["apart"] == 24
        assert times[code]["n"] in {12, 24}
        assert len({request.id for request in asked}) == messages
        assert {request.kind for request in asked} == {Kind.CLASSIFICATION}
        # The engine writes one of the user's categories.
        assert {request.output.strip() for request in asked} <= {"envío", "devolución", "bidalketa", "itzulketa"}
        assert times[code]["median_s"]["value"] > 0
        # A 95th percentile takes 20 requests.
        if times[code]["n"] >= 20:
            assert times[code]["p95_s"]["value"] >= times[code]["median_s"]["value"]
        else:
            assert times[code]["p95_s"]["value"] is None
    found = {(r.name, r.language): r for r in profile_readings(tmp_path / "run")}
    assert found["total_s.p95", "eu"].value == times["eu"]["p95_s"]["value"]
    assert profile.facts.curve == ()
    assert profile.facts.memory_proof is None
    # Other messages in each language: their times are not to be held against each other.
    assert {row.time.value for row in device_tables(run).taxes} == {None}
    html = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "need not have the same content" in html


# --- help


def test_help_has_examples_and_imports_nothing_heavy():
    heavy = tuple(name for name in HEAVY if name != "pydantic")
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from evalsuite.cli.main import app\n"
        "done = CliRunner().invoke(app, ['classify-eval', '--help'])\n"
        "assert done.exit_code == 0\n"
        f"print([m for m in {heavy!r} if m in sys.modules])\n"
        "print(done.output)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, _, text = done.stdout.partition("\n")
    assert loaded == "[]"
    assert "evalsuite classify-eval messages.csv" in text.partition("Examples:")[2]
