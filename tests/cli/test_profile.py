"""`evalsuite profile`: what it refuses, and a whole measurement of a tiny model, twice, with its report."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evalsuite.analysis.readings import profile_readings
from evalsuite.cli.main import app
from tests import tiny_gguf
from tests.cli.test_verbs import HEAVY
from tests.helpers import evalsuite


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that works and knows nothing, with room for the longest request."""
    return tiny_gguf.write_llama(tmp_path_factory.mktemp("models") / "tiny.gguf", context=2048)


def refused(*arguments: object) -> str:
    """Return what is said where a command is refused; in this process, which has the imports already."""
    done = CliRunner().invoke(app, ["profile", *map(str, arguments)])
    assert done.exit_code == 2, (done.exit_code, done.output, done.exception)
    assert "Traceback" not in done.output
    assert done.stdout == ""
    return done.stderr


# --- what is refused


@pytest.mark.parametrize(
    ("options", "told", "fix"),
    [
        (("--langs", "Basqe"), "unknown language 'Basqe'", "Basque"),
        (("--langs", "es,es"), "named twice: es", "--help"),
        (("--meter", "shely2"), "unknown power meter 'shely2'", "did you mean 'shelly2'"),
        (("--meter", "jetson"), "the power meter jetson: no power monitor", "use an external meter"),
        (("--meter", "shelly2"), "no address of the plug was given", "--meter shelly2:192.168.1.20"),
        (
            ("--meter", "none", "--meter", "shelly1:no place"),
            "the plug's address 'no place' cannot be read",
            "host:port",
        ),
        (("--meter", "replay"), "replay was given no file", "replay:FILE.csv"),
        (("--curve", "16,x"), "--curve: '16,x' is no list of whole numbers", "--curve 1,2,4"),
        (("--curve", "0,16"), "curve.0: Input should be greater than 0 (given: 0)", "--help"),
        (("--threads-sweep", "1.5"), "--threads-sweep: '1.5' is no list of whole numbers", "--threads-sweep 1,2,4"),
        (("--threads-sweep", "-1"), "threads_sweep.0: Input should be greater than 0 (given: -1)", "--help"),
        (("--rounds", "2000"), "rounds: Input should be less than or equal to 1000 (given: 2000)", "--help"),
        (("--watts", "inf"), "watts: Input should be a finite number (given: inf)", "--help"),
        (("--energy-s", "inf"), "energy_s: Input should be a finite number (given: inf)", "--help"),
        (("--grid", "moon"), "'moon' is neither a carbon intensity nor a country's code", "ESP"),
        (("--grid", "0.174"), "0.174 g/kWh is below that of any grid", "give grams: 174"),
        (("--grid", "-3"), "a grid's intensity cannot be -3 g/kWh", "ISO 3166"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_value_and_fix(
    model: Path, tmp_path: Path, options: tuple[str, ...], told: str, fix: str
) -> None:
    said = refused(model, "--langs", "es", *options, "--out", tmp_path / "run")
    assert f"error: {told}" in said or told in said.partition("error: ")[2]
    assert fix in said.partition("fix: ")[2]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "told", "fix"),
    [
        ("gema3-270m", "unknown model 'gema3-270m'", "gemma3-270m"),
        ("no/such.gguf", "does not exist", "check the path"),
    ],
)
def test_a_model_that_is_not_there(tmp_path: Path, name: str, told: str, fix: str) -> None:
    said = refused(name, "--out", tmp_path / "run")
    assert told in said
    assert fix in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--rounds", "0"), ("--watts", "0"), ("--energy-s", "59.9"), ("--threads", "0")]
)
def test_numbers_out_of_range(model: Path, option: str, value: str) -> None:
    assert f"Invalid value for '{option}'" in refused(model, option, value)


def test_a_plug_that_does_not_answer(model: Path, tmp_path: Path) -> None:
    with socket.socket() as bound:  # and not listening: refuses
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        said = refused(model, "--meter", f"shelly2:{address}", "--out", tmp_path / "run")
    assert f"{address}: the plug cannot be reached" in said
    assert "check the address" in said


def test_a_folder_that_cannot_be_written(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    said = refused(model, "--langs", "es", "--out", tmp_path / "file" / "run")
    assert "cannot be written" in said
    assert "--out" in said


@pytest.mark.parametrize("options", [("--meter", "jetson"), ("--grid", "moon")])
def test_what_is_wrong_is_said_before_a_model_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    # Offline with an empty cache: to fetch is an error of its own.
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    said = refused("gemma3-270m", "--offline", *options, "--out", tmp_path / "run")
    assert options[1] in said
    assert "offline" not in said


# --- help


def test_help_has_examples_and_imports_nothing_heavy() -> None:
    # typer itself loads pydantic once it reads a verb's options.
    heavy = tuple(name for name in HEAVY if name != "pydantic")
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from evalsuite.cli.main import app\n"
        "done = CliRunner().invoke(app, ['profile', '--help'])\n"
        "assert done.exit_code == 0\n"
        f"print([m for m in {heavy!r} if m in sys.modules])\n"
        "print(done.output)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, _, text = done.stdout.partition("\n")
    assert loaded == "[]"
    assert "evalsuite profile gemma3-270m --langs es,eu" in text.partition("Examples:")[2]


# --- a whole measurement


@dataclass
class Measured:
    """A profile of the tiny model in two languages, without power."""

    folder: Path
    arguments: tuple[str, ...]
    told: dict[str, Any]

    @property
    def readings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.told["readings"]
        return found

    def files(self) -> dict[str, bytes]:
        """Return all that was measured."""
        return {str(p): p.read_bytes() for p in sorted((self.folder / "profiles").rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def measured(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    pytest.importorskip("llama_cpp")
    place = tmp_path_factory.mktemp("profile")
    arguments = (
        *("profile", str(model), "--langs", "es,eu", "--rounds", "1", "--threads", "1", "--curve", "16,32"),
        *("--threads-sweep", "1", "--no-prove-memory", "--meter", "none", "--grid", "174", "--out", str(place / "run")),
    )
    done = evalsuite(*arguments, "--json", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "[1/1] profile of tiny" in done.stderr
    return Measured(place / "run", arguments, json.loads(done.stdout))


def test_both_languages_have_readings_with_units_and_labels(measured: Measured) -> None:
    assert measured.told["run"] == str(measured.folder)
    kinds = ("classification", "reading", "translation", "answer")
    for language in ("es", "eu"):
        for kind in kinds:
            found = {r["name"]: r for r in measured.readings if (r["language"], r["kind"]) == (language, kind)}
            for name, unit in (
                ("total_s.median", "s"),
                ("ttft_s.median", "s"),
                ("prefill_tokens_per_s", "tokens/s"),
                ("decode_chars_per_s", "characters/s"),
                ("prompt_tokens", "tokens"),
            ):
                one = found[name]
                assert (one["unit"], one["label"], one["model"]) == (unit, "measured", "tiny")
                assert one["value"] > 0
            assert found["total_s.median"]["n"] == (3 if kind == "classification" else 1)
            assert found["total_s.p99"]["value"] is None
            assert "100 needed for p99" in found["total_s.p99"]["reason"]
    whole = {r["name"]: r for r in measured.readings if r["language"] is None}
    assert whole["curve.16.prefill_s"]["value"] > 0
    assert whole["threads.1.decode_tokens_per_s"]["value"] > 0
    assert whole["memory.needed_bytes"]["unit"] == "bytes"
    assert whole["memory.needed_bytes"]["scope"] == "observed peak: no run under a limit was made"
    assert whole["model_file_bytes"]["value"] == Path(measured.arguments[1]).stat().st_size


def test_a_tax_is_relative_to_a_language_that_was_measured_or_is_missing(measured: Measured) -> None:
    # Basque is compared with Spanish, Spanish with English, which was not asked for.
    taxes = [r for r in measured.readings if r["name"] == "token_tax.tokens"]
    assert {r["language"] for r in taxes} == {"es", "eu"}
    for one in taxes:
        if one["language"] == "eu":
            assert one["value"] > 0
            assert one["scope"] == "relative to es, same content"
        else:
            assert (one["value"], one["reason"]) == (None, "the reference en was not measured")


def test_without_power_energy_and_carbon_are_missing_with_the_reason(measured: Measured) -> None:
    made = [r for r in measured.readings if r["name"].startswith(("energy_j.", "carbon_g."))]
    assert {r["language"] for r in made} == {"es", "eu"}
    assert {(r["value"], r["label"], r["reason"]) for r in made} == {
        (None, "unavailable", "power was not asked for (--meter none)")
    }


def test_the_same_command_measures_nothing_anew_and_shows_tables_and_a_report(measured: Measured) -> None:
    before = measured.files()
    done = CliRunner().invoke(app, measured.arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "profile of tiny" not in done.stderr
    assert measured.files() == before
    assert [r.model_dump(mode="json") for r in profile_readings(measured.folder)] == measured.readings
    for text in (
        "tiny: requests, one at a time",
        "tiny: memory needed",
        "(observed peak: no run under a limit was made)",
        "  fits: ",
        "energy: unavailable: ",
        "(fix: measure with --meter",
    ):
        assert text in done.stdout
    assert f"report: {measured.folder}.html" in done.stderr
    html = measured.folder.with_suffix(".html").read_text(encoding="utf-8")
    again = CliRunner().invoke(app, ["report", str(measured.folder), "--out", str(measured.folder / "again.html")])
    assert again.exit_code == 0, again.output
    assert (measured.folder / "again.html").read_text(encoding="utf-8") == html
    assert "On this device" in html
    assert "Energy unavailable" in html
