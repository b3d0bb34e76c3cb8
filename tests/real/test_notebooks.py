"""The notebooks run from top to bottom on the real models, and show what they speak of."""

from __future__ import annotations

import re

import pytest
from nbformat.v4 import new_notebook

import evalsuite
from tools.run_notebooks import NOTEBOOKS, execute, faults, texts_of

VERDICTS = {"behind", "ahead", "within margin", "inconclusive"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def executed(folder):
    """Execute all in their order and in one folder, as `tools/run_notebooks.py` does: later ones find the first run."""
    return {path.name[:2]: execute(path, folder) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}


def tables(notebook):
    """Return the shown frames as the number of their rows."""
    html = [output.data["text/html"] for cell in notebook.cells for output in cell.get("outputs", ())
            if "text/html" in output.get("data", {})]  # fmt: skip
    return [len(re.findall("<tr", re.split("</thead>", page)[-1])) for page in html]


def test_every_notebook_runs_without_faults_and_shows_no_empty_table(executed):
    for name, notebook in executed.items():
        assert list(faults(notebook)) == [], name
        assert tables(notebook), name
        assert all(tables(notebook)), name


def test_the_first_run_has_scores_and_a_report(executed, folder):
    scores = evalsuite.load_run(folder / "first").scores()
    assert len(scores) == 6
    assert scores["estimate"].between(0, 1).all()
    assert set(scores["estimate_n"]) == {12}
    assert "- Language gaps" in texts_of(executed["01"])


def test_languages_are_compared_with_verdicts_and_a_gate(executed, folder):
    gaps = evalsuite.load_run(folder / "first").gaps(reference="en", margin=0.10)
    assert set(gaps["verdict"]) <= VERDICTS
    text = texts_of(executed["02"])
    assert "6 were done before" in text
    assert "Sorting messages: ✗ NO-GO" in text
    assert "exit code 1" in text
    # SmolLM2 gives one category for every Spanish and Basque message.
    assert "behind" in text


def test_a_quantisation_is_held_against_its_source_in_each_language(executed, folder):
    run = evalsuite.load_run(folder / "quantised")
    deltas = run.deltas()
    assert set(deltas["base"]) == {"gemma3-270m"}
    # Sentences that are only read have no right answer: they are in no table of answers, but have bits with both files.
    assert set(zip(deltas["group"], deltas["language"], strict=True)) == {
        ("labels", code) for code in ("en", "es", "eu")
    }
    parity = run.parity()
    assert len(parity) == 6
    assert set(parity["items"]) == {24}
    assert set(deltas["verdict"]) <= VERDICTS
    assert set(run.double_deltas()["language"]) == {"es", "eu"}
    (said,) = [c for c in executed["03"].cells if c.cell_type == "code" and c.source.startswith("rows = []")]
    assert re.search("more than English|less than English|inconclusive", texts_of(new_notebook(cells=[said])))


def test_costs_have_times_and_memory_and_energy_has_a_reason(executed, folder):
    run = evalsuite.load_run(folder / "first")
    times = run.profile()
    assert set(times["language"]) == {"en", "es", "eu"}
    assert (times["total_median"] > 0).all()
    assert (run.memory()["needed"] > 200 * 2**20).all()
    energy = run.energy()
    missing = energy["gross"].isna()
    assert (energy["label"] == "unavailable").eq(missing).all()
    assert energy.loc[missing, "gross_reason"].str.len().gt(0).all()
    assert len(run.costs()) == 3


def test_french_and_a_task_of_ones_own_give_a_gap(executed, folder):
    (gap,) = evalsuite.load_run(folder / "tickets").gaps().itertuples()
    assert (gap.group, gap.language, gap.reference, gap.n) == ("tickets", "fr", "en", 9)
    assert gap.verdict in VERDICTS
    assert "0 problems" in texts_of(executed["05"])


def test_our_engine_gives_the_same_in_lm_eval(executed):
    text = texts_of(executed["06"])
    assert "8 of 8 items have the same score" in text
    assert re.search(r"labels_en\s*\|.*\|acc\s", text)
