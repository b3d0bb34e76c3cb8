"""Reading speeds that ship, against the totals that their study states; the user's own; what is wrong in a file."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from evalsuite.catalog.devices import load_budgets
from evalsuite.catalog.languages import load_languages
from evalsuite.catalog.reading_speed import load_reading_speeds
from evalsuite.errors import CatalogError

MINE = """\
es:
  words_per_min: 60
  chars_per_min: 300
  basis: reported
  how: A study.
  source: https://example.org
ast:
  like: es
  basis: estimate
  how: A neighbour.
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "devices" / "reading_speed.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def test_the_published_speeds_have_the_means_that_the_study_states() -> None:
    """Abstract of the paper: 184 words and 863 (SD 234) characters per minute over 17 languages."""
    reported = [speed for speed in load_reading_speeds().values() if speed.basis == "reported"]
    assert len(reported) == 17
    words = [speed.words_per_min for speed in reported if speed.words_per_min is not None]
    chars = [speed.chars_per_min for speed in reported if speed.chars_per_min is not None]
    assert round(statistics.mean(words)) == 184
    assert round(statistics.mean(chars)) == 863
    assert statistics.stdev(chars) == pytest.approx(234, abs=1)
    assert {speed.source for speed in reported} == {"https://doi.org/10.1167/iovs.11-8284"}


def test_spaces_are_counted_where_a_script_has_them() -> None:
    speeds = load_reading_speeds()
    assert speeds["es"].chars_per_s == pytest.approx((1025 + 218) / 60)
    assert speeds["ja"].chars_per_s == pytest.approx(357 / 60)


def test_languages_that_the_study_lacks_are_estimates_or_missing_with_a_reason() -> None:
    speeds = load_reading_speeds()
    assert (speeds["ca"].basis, speeds["ca"].chars_per_s) == ("estimate", speeds["es"].chars_per_s)
    assert (speeds["gl"].basis, speeds["gl"].chars_per_s) == ("estimate", speeds["pt"].chars_per_s)
    assert (speeds["eu"].basis, speeds["eu"].chars_per_s) == ("unknown", None)
    assert "no language of the study" in speeds["eu"].how
    assert set(load_languages()) <= set(speeds)


def test_the_file_is_no_device() -> None:
    assert not {"en", "es"} & set(load_budgets())


def test_the_user_s_speeds_add_and_replace(tmp_path: Path) -> None:
    speeds = load_reading_speeds([write(tmp_path, MINE), tmp_path / "absent"])
    assert speeds["es"].chars_per_s == speeds["ast"].chars_per_s == 6.0
    assert speeds["ja"] == load_reading_speeds()["ja"]
    # An estimate of the shipped file rests on the shipped language.
    assert speeds["ca"].chars_per_min == 1025


@pytest.mark.parametrize(("old", "new", "told"), [
    ("  source: https://example.org\n", "", "reading_speed.yaml:1: a reported speed needs"),
    ("  chars_per_min: 300\n", "", "reading_speed.yaml:1: a reported speed needs"),
    ("words_per_min: 60", "words_per_min: 0", "reading_speed.yaml:2: words_per_min: input should be greater than 0"),
    ("basis: estimate", "basis: guess", "reading_speed.yaml:9: basis: input should be 'reported', 'estimate' or"),
    ("like: es", "like: pt", "reading_speed.yaml:7: an estimate needs `like`"),
    ("  like: es\n", "", "reading_speed.yaml:7: an estimate needs `like`"),
    ("basis: estimate", "basis: unknown", "reading_speed.yaml:7: a speed that is not known has no numbers"),
    ("how: A study.", "how: A study.\n  why: x", "why: unknown field"),
    ("ast:\n", "fr: 3\nast:\n", "reading_speed.yaml:7: fr: must hold the fields of a reading speed, not 3"),
])  # fmt: skip
def test_a_wrong_speed_is_told_with_file_line_and_field(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in MINE
    with pytest.raises(CatalogError) as caught:
        load_reading_speeds([write(tmp_path, MINE.replace(old, new))])
    assert told in str(caught.value)
