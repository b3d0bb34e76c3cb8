"""The summary claims what verdicts show, and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evalsuite.analysis import analyse, load_run
from evalsuite.catalog.paths import data_root
from evalsuite.records import Cell, Record
from evalsuite.report.names import Names
from evalsuite.report.summary import summarise
from evalsuite.report.text import load_text
from tests.synthetic import MODELS, Plan, build_run

_Score = Callable[[Cell, int], float]
SMOL, GEMMA = MODELS


def _summary(path: Path, score: _Score, *, items: int = 60, codes: tuple[str, ...] = ("en", "es", "eu")) -> list[str]:
    def hook(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"score": score(cell, record.item_index)})

    run = load_run(build_run(path / "run", Plan(items=items, codes=codes, holes=False, limit=None, record_hook=hook)))
    text = load_text(data_root("reports") / "strings")
    return list(summarise(run, analyse(run), Names(run, text), text, None))


def test_a_model_that_is_ahead_everywhere_is_best(tmp_path: Path) -> None:
    said = _summary(tmp_path, lambda cell, i: float(cell.model == GEMMA or i < 10))
    assert said[0] == "2 models were measured in 3 languages on 2 task groups."
    assert said[1] == "Gemma 3 270M is best in every language, on every task group."


def test_equal_models_are_not_ranked_and_equal_languages_not_called_equal(tmp_path: Path) -> None:
    said = _summary(tmp_path, lambda cell, i: float(i % 2))
    assert said[1] == "No model is shown to be best in any language."
    assert said[2].startswith(
        "For Spanish and Basque no difference from English is shown; that is not proof of equality"
    )
    assert not any("behind" in s for s in said)


def test_the_winner_may_depend_on_the_task(tmp_path: Path) -> None:
    said = _summary(
        tmp_path, lambda cell, i: float(i < 10 or (cell.model == GEMMA) == ("topics" in cell.task)), codes=("en", "es")
    )
    assert said[1] == (
        "In English and Spanish it depends on the task: "
        "Gemma 3 270M is best on toy_topics and SmolLM2 135M Instruct is best on toy_facts."
    )


def test_a_language_that_falls_behind_is_named_with_its_size(tmp_path: Path) -> None:
    said = _summary(tmp_path, lambda cell, i: float(i < (15 if cell.language == "eu" else 45)))
    assert "Against English, on the same items, these languages fall behind: " in said[2]
    assert said[2].endswith("Basque (in 4 of 4 comparisons, by 50.0 points).")
    assert "Spanish" not in said[2]
    assert said[3].startswith("For Spanish no difference from English is shown")


def test_a_language_may_be_ahead(tmp_path: Path) -> None:
    said = _summary(tmp_path, lambda cell, i: float(i < (45 if cell.language == "es" else 15)))
    assert "Ahead of English: Spanish (in 4 of 4 comparisons, by 50.0 points)." in said


def test_a_large_difference_on_few_items_is_not_claimed(tmp_path: Path) -> None:
    said = _summary(tmp_path, lambda cell, i: float(cell.language == "en"), items=4, codes=("en", "eu"))
    assert not any("behind" in s for s in said)
    assert any(s.startswith("For Basque no difference from English is shown") for s in said)


def test_what_is_not_better_than_guessing_is_said(tmp_path: Path) -> None:
    def score(cell: Cell, i: int) -> float:
        return float(i % 7 == 0 if cell.model == SMOL and cell.language != "en" else i % 7 > 0)

    said = _summary(tmp_path, score)
    assert "Not shown to be better than guessing: SmolLM2 135M Instruct in Spanish and Basque." in said
    assert not any("asked properly" in s for s in said)


def test_a_model_that_guesses_everywhere_gets_one_sentence(tmp_path: Path) -> None:
    said = _summary(tmp_path, lambda cell, i: float(i % 7 == 0 if cell.model == SMOL else i % 7 > 0))
    about = [s for s in said if "guess" in s]
    assert len(about) == 1
    assert about[0] == (
        "SmolLM2 135M Instruct is not shown to be better than guessing in any language, on any task that can be "
        "guessed: make sure that it was asked properly before you judge it."
    )
    assert not any("warning" in s for s in said)


def test_other_warnings_are_counted(tmp_path: Path) -> None:
    def score(cell: Cell, i: int) -> float:
        return float(i % 7 == 0 if cell.model == SMOL and "topics" in cell.task else i % 7 > 0)

    said = _summary(tmp_path, score)
    assert "1 warning stands above the tables of accuracy: it may be a fault of the measurement." in said
    assert not any("asked properly" in s for s in said)


def test_the_token_tax_names_the_extreme(tmp_path: Path) -> None:
    said = _summary(tmp_path, lambda cell, i: 1.0)
    assert said[-1].startswith(
        "The same content takes the most tokens, relative to English, in Basque with SmolLM2 135M Instruct: "
    )
