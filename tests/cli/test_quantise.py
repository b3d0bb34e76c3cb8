"""Quantisations on the command line: planned, refused, run and packed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from evalsuite.records import MadeFrom
from evalsuite.store import RunFolder
from tests import tiny_gguf
from tests.helpers import evalsuite, write_sweep

pytest.importorskip("llama_cpp")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return tiny_gguf.write_llama(tmp_path_factory.mktemp("models") / "tiny.gguf", quant="Q8_0", context=512)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


def test_a_plan_says_what_would_be_made_and_makes_nothing(tiny, tmp_path):
    ask = ["plan", "--model", str(tiny), "--quantise", "q2_k,F16", "--langs", "en", "--tasks", "labels", "--limit", "2"]
    done = evalsuite(*ask, EVALSUITE_CACHE=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "would make tiny+Q2_K from tiny (Q8_0, so it cannot be better than that); very roughly" in done.stderr
    assert "would make tiny+F16 from tiny" in done.stderr
    assert "would fetch" not in done.stderr
    told = json.loads(evalsuite(*ask, "--json", EVALSUITE_CACHE=str(tmp_path)).stdout)
    assert [cell["model"] for cell in told["cells"]] == ["tiny", "tiny+Q2_K", "tiny+F16"]
    assert told["models_to_fetch"] == []
    assert MadeFrom.model_validate(told["models_to_make"]["tiny+F16"]).name == "tiny"
    assert not list(tmp_path.rglob("*.gguf"))


def test_an_unknown_quantisation_ends_with_a_message_and_near_names(tiny):
    done = evalsuite("run", "--model", tiny, "--quantise", "Q4_KM", "--tasks", "labels", "--langs", "en")
    assert done.returncode == 2
    assert "error: quantise: unknown quantisation 'Q4_KM'" in done.stderr
    assert "did you mean 'Q4_K_M'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_measures_the_source_and_what_is_made_of_it_and_reports_both(tiny, cache, tmp_path):
    fields = {"models": [str(tiny)], "languages": ["en", "eu"], "tasks": ["choice"], "limit": 2, "threads": 1}
    sweep = write_sweep(tmp_path, **fields, quantise=["Q4_0"])
    done = evalsuite("run", sweep, "--out", tmp_path / "run", EVALSUITE_CACHE=cache)
    assert done.returncode == 0, done.stderr
    assert "quantising tiny to Q4_0" in done.stderr
    assert "tiny+Q4_0: made from Q8_0: it cannot be better than its source" in done.stderr
    manifest = RunFolder(tmp_path / "run").manifest
    variant = manifest.models["tiny+Q4_0"]
    assert variant.made_from is not None
    assert variant.made_from.sha256 == manifest.models["tiny"].sha256
    assert {cell.model: cell.model_sha256 for cell in manifest.cells}["tiny+Q4_0"] == variant.sha256
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "made from tiny (Q8_0) with llama-cpp-python" in page
    assert "What it costs" in page


def test_a_pack_holds_quantisations_as_models_of_its_own(tiny, cache, tmp_path):
    ask = ["bundle", "--model", str(tiny), "--quantise", "Q4_0", "--langs", "en", "--tasks", "choice", "--limit", "2"]
    done = evalsuite(*ask, "--out", tmp_path / "pack", EVALSUITE_CACHE=cache)
    assert done.returncode == 0, done.stderr
    sweep = yaml.safe_load((tmp_path / "pack" / "sweep.yaml").read_text(encoding="utf-8"))
    assert [model["name"] for model in sweep["models"]] == ["tiny", "tiny+Q4_0"]
    assert "quantise" not in sweep
    entry = yaml.safe_load((tmp_path / "pack" / "models" / "tiny+Q4_0.yaml").read_text(encoding="utf-8"))
    assert entry["made_from"]["name"] == "tiny"
