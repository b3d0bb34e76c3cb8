"""Sweep files: what is wrong is told with file, line and field."""

from __future__ import annotations

import pytest

from evalsuite.errors import InputError
from evalsuite.sweep import load_sweep
from tests.helpers import ROOT

GOOD = "models: [a]\ntasks: [labels]\nlanguages: [en]\n"


def write(tmp_path, text):
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_and_relative_paths(tmp_path):
    sweep = load_sweep(write(tmp_path, GOOD.replace("[a]", "[a, sub/b.gguf]") + "include: [mine]\n"))
    assert sweep.name == "my"
    assert sweep.limit is None
    assert sweep.models[1].path == tmp_path / "sub" / "b.gguf"
    assert sweep.models[1].name == "b"
    assert sweep.include == (tmp_path / "mine",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models: [a\n", "my.yaml:2"),
        (GOOD + "limit: -3\n", "my.yaml:4: limit"),
        (GOOD + "limt: 3\n", "my.yaml:4: limt"),
        (GOOD.replace("[en]", "[]"), "my.yaml:3: languages"),
        (GOOD.replace("[en]", "[en, en]"), "named twice: en"),
        (GOOD.replace("models: [a]\n", ""), "models"),
        (GOOD + "prompt_forms: [fancy]\n", "my.yaml:4: prompt_forms"),
        (GOOD + "models: [b]\n", "models"),
        ("- a\n- b\n", "mapping"),
        ("", "empty"),
        (GOOD + "limits: {load_timeout_s: 0}\n", "my.yaml:4: limits.load_timeout_s"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, text, told):
    with pytest.raises(InputError) as error:
        load_sweep(write(tmp_path, text))
    assert told in str(error.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="no such sweep file"):
        load_sweep(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda p: p.name)
def test_the_shipped_sweeps_are_valid(path):
    assert load_sweep(path).models
