"""The part of the report on single items: what it shows, hostile texts, licences, and how large it may get."""

from __future__ import annotations

import math
import re
import unicodedata
from html import escape
from pathlib import Path
from typing import Any

import pytest

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.item_sample import sample_items
from evalsuite.catalog.paths import data_root
from evalsuite.records import Cell, Record
from evalsuite.report import items as module
from evalsuite.report.build import render
from evalsuite.report.excerpts import excerpt, visible
from evalsuite.report.items import ItemsSection, build_items
from evalsuite.report.names import Names
from evalsuite.report.options import ReportOptions
from evalsuite.report.text import load_text
from evalsuite.store import RunFolder
from tests.report.conftest import Element, Page
from tests.synthetic import MODELS, Plan, build_run

SCRIPT = "<script>document.title='run'</script></div>{{7*7}}{% raw %}\"'&$x^2$"
HOSTILE = {
    "script": (SCRIPT, SCRIPT),
    "override": ("a\N{RIGHT-TO-LEFT OVERRIDE}b", "a⟨U+202E⟩b"),
    "isolate": ("a\N{RIGHT-TO-LEFT ISOLATE}b\N{LEFT-TO-RIGHT MARK}", "a⟨U+2067⟩b⟨U+200E⟩"),
    "controls": ("\x00\x07\x1b[31m\x85\x7f\r", "⟨U+0000⟩⟨U+0007⟩⟨U+001B⟩[31m⟨U+0085⟩⟨U+007F⟩⟨U+000D⟩"),
    "right to left": ("שלום עולם مرحبا", "שלום עולם مرحبا"),
    "emoji": ("👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽"),
    "empty": ("", "(no text)"),
    "blank": (" \n\t", "(no text)"),
    "zero width": ("a\N{ZERO WIDTH SPACE}b\N{ZERO WIDTH NO-BREAK SPACE}", "a⟨U+200B⟩b⟨U+FEFF⟩"),
    "tags": ("a\U000e0041\U000e0042", "a⟨U+E0041⟩⟨U+E0042⟩"),
    "stack": ("e" + "\N{COMBINING ACUTE ACCENT}" * 500 + "x", "e" + "\N{COMBINING ACUTE ACCENT}" * 8 + "…x"),
    "word": ("x" * 280, "x" * 280),
    "lines": ("a\u2028b", "a⟨U+2028⟩b"),
}


def _section(run: Run, **options: Any) -> Element:
    (found,) = Page(render(run, options=ReportOptions(**options))).root.find("section", id="items")
    return found


def _built(run: Run, limit: int | None = None) -> ItemsSection:
    text = load_text(data_root("reports") / "strings")
    found = build_items(run, Names(run, text), text, limit=limit)
    assert found is not None
    return found


def _change_tasks(folder: Path, group: str = "toy", **changes: Any) -> Run:
    manifest = RunFolder(folder).manifest
    tasks = {
        name: one.model_copy(update=changes if name.startswith(group) else {}) for name, one in manifest.tasks.items()
    }
    (folder / "manifest.json").write_text(manifest.model_copy(update={"tasks": tasks}).model_dump_json())
    return load_run(folder)


def _words(element: Element) -> str:
    """Text as it stands, in the order of reading where an element has no children between its texts."""
    return "".join(element.own)


@pytest.fixture(scope="module")
def section(page: Page) -> Element:
    (found,) = page.root.find("section", id="items")
    return found


def test_every_card_shows_the_item_of_the_sample(run: Run, section: Element) -> None:
    groups = sample_items(run)
    shown = section.find("article")
    expected = [item for group in groups for item in sorted(group.items, key=lambda one: one.place)]
    assert len(shown) == len(expected) == 48
    assert "48 of 120 items are shown. They were drawn by chance from a seed" in section.text
    assert "at most 24 of each group" in section.text
    seen = 0
    for card, item in zip(shown, expected, strict=True):
        assert card.find("h5")[0].text == f"Item \N{FIRST STRONG ISOLATE}{item.id}\N{POP DIRECTIONAL ISOLATE}"
        sides = [e for e in card.every() if e.attrs.get("class") == "side"]
        assert [e.attrs["data-l"] for e in sides] == [side.language for side in item.sides]
        for box, side in zip(sides, item.sides, strict=True):
            (said,) = box.find("div", **{"class": "said"})
            assert (said.attrs["lang"], said.attrs["dir"], _words(said)) == (side.language, "auto", side.context)
            (right,) = [e for e in box.every() if e.attrs.get("class") == "due"]
            assert _words(right.find("bdi")[0]) == side.choices[side.right[0]]
            rows = box.find("ul", **{"aria-label": "Answers"})[0].find("li")
            for row, answer in zip(rows, side.answers, strict=True):
                assert row.find("b")[0].text == MODELS[answer.model]
                (verdict,) = row.find("em")
                marks = row.attrs["class"].split()
                if not answer.asked:
                    assert verdict.text == f"— {answer.reason or 'not asked'}"
                    assert marks == ["m"]
                    continue
                seen += 1
                assert answer.picked is not None
                assert answer.confidence is not None
                assert _words(row.find("bdi")[0]) == side.choices[answer.picked]
                assert verdict.text == ("right" if answer.right else "wrong")
                assert marks[0] == verdict.text[0]
                assert ("l" in marks) == answer.lost == ("right in the reference" in row.text)
                assert ("s" in marks) == (not answer.right and answer.confidence >= 0.8)
                share = min(99, max(1, round(100 * answer.confidence)))
                assert row.find("small")[0].text == f"{share}% sure"
    assert seen > 500


def test_cards_can_be_read_without_scripts(section: Element) -> None:
    # What needs a script is inert until one takes it out.
    (template,) = section.find("template")
    for tag in ("select", "input", "button"):
        assert len(template.find(tag)) == len(section.find(tag)) > 0
    assert all(len(label.text) > 2 for label in template.find("label"))
    assert len(template.find("label")) == len(template.find("select")) + len(template.find("input"))
    assert template.find("p", role="status")
    folds = section.find("details", **{"class": "cards"})
    assert [f.find("summary")[0].text for f in folds] == ["24 of 60 items", "24 of 60 items"]
    assert [h.text for h in section.find("h4")] == ["toy_topics", "toy_facts"]
    # The options that every item has stand once, above the cards.
    assert len(section.find("dl")) == 2
    assert "science · travel · politics" in section.find("dl")[0].text


def test_source_and_licence_stand_by_every_group(section: Element) -> None:
    said = [p.text for p in section.find("p", **{"class": "small"}) if p.text.startswith("Source:")]
    assert [text.partition(" · ")[0] for text in said] == [
        "Source: SIB-200 (Adelani et al. 2024)",
        "Source: written for evalsuite",
    ]
    assert all("Licence: CC-BY-SA-4.0" in text for text in said)
    assert all("items shown were drawn because a model is wrong in a language" in text for text in said)


def test_the_number_of_items_can_be_chosen(run: Run) -> None:
    assert len(_section(run, items=5).find("article")) == 10
    page = Page(render(run, options=ReportOptions(items=0)))
    assert not page.root.find("section", id="items")
    assert "Items" not in [e.text for e in page.root.find("h2")]


def test_options_that_differ_from_item_to_item_stand_with_each(tmp_path: Path) -> None:
    def own(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"choices": tuple(f"{c} {record.item_index}" for c in record.choices)})

    run = load_run(build_run(tmp_path / "run", Plan(items=4, codes=("en", "eu"), holes=False, record_hook=own)))
    section = _section(run)
    assert not section.find("dl")
    for card in section.find("article"):
        for options in card.find("ul", **{"aria-label": "Options"}):
            assert len(options.find("li")) in {4, 7}
            (right,) = options.find("li", **{"class": "right"})
            assert right.find("small")[0].text == "(right answer)"


@pytest.mark.parametrize(("licence", "told"), [
    ("unknown", "It is not known whether they may be passed on"),
    ("CC-BY-NC-4.0", "Their licence sets terms"),
    ("the user's own", "They are the user's own"),
])  # fmt: skip
def test_texts_that_may_not_be_passed_on_are_not_in_the_file(tmp_path: Path, licence: str, told: str) -> None:
    def secret(cell: Cell, record: Record) -> Record:
        choices = tuple(f"SECRET {choice} {record.item_index}" for choice in record.choices)
        return record.model_copy(update={"context": "SECRET text", "choices": choices})

    folder = build_run(tmp_path / "run", Plan(items=9, codes=("en", "eu"), holes=False, record_hook=secret))
    section = _section(_change_tasks(folder, licence=licence))
    assert told in section.text
    assert "SECRET" not in section.text
    (card, *_) = section.find("article")
    assert "option" in card.find("li")[0].text
    assert "Right answer: option 1" in " ".join(
        f"{e.find('small')[0].text} {e.find('bdi')[0].text}" for e in card.every() if e.attrs.get("class") == "due"
    )
    assert {em.text for em in card.find("em")} <= {"right", "wrong"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Element]:
    """Cards by kind of hostile text, which is everywhere where text can be."""
    texts = [raw for raw, _ in HOSTILE.values()]

    def evil(cell: Cell, record: Record) -> Record:
        text = texts[record.item_index]
        own = {"choices": (text, *record.choices[1:]), "context": text, "item_id": f"{record.item_index:02} {text[:40]}"}
        if "facts" in cell.task:
            own |= {"choices": (), "logprobs": (), "output": text, "target": text, "prediction": None}
        return record.model_copy(update=own)

    plan = Plan(items=len(texts), codes=("en", "eu", "ja"), holes=False, record_hook=evil)
    folder = build_run(tmp_path_factory.mktemp("evil") / "run", plan)
    section = _section(_change_tasks(folder, "toy_facts", output_type="generate_until"))
    cards = section.find("article")
    assert len(cards) == 2 * len(texts)
    return {f"{kind} {i // len(texts)}": card for i, (kind, card) in enumerate(zip([*HOSTILE] * 2, cards, strict=True))}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_are_shown_as_text_in_a_box_of_their_own(hostile: dict[str, Element], kind: str) -> None:
    _, expected = HOSTILE[kind]
    for which in range(2):
        card = hostile[f"{kind} {which}"]
        assert not card.find("script")
        contexts = [e for e in card.find("div", dir="auto") if e.attrs["class"] == "said"]
        assert len(contexts) >= 3
        boxes = contexts if which == 0 else [*contexts, *card.find("bdi")]
        for box in boxes:
            assert box.attrs["lang"] in {"en", "eu", "ja"}
            if which or box in contexts:
                own = box.find("i")[0].text if expected == "(no text)" and box.find("i") else _words(box)
                assert own.strip() == expected.strip() or box.tag == "bdi"
        for char in "".join("".join(e.own) for e in card.every()):
            # All that would hide or turn something was made visible; the page's own isolates stay in pairs.
            assert unicodedata.category(char) not in {"Cc", "Cf"} or char in "\n\t\u200d\u2068\u2069"


def test_written_answers_are_shown_whatever_they_hold(hostile: dict[str, Element]) -> None:
    for kind, (_, expected) in HOSTILE.items():
        answers = hostile[f"{kind} 1"].find("ul", **{"aria-label": "Answers"})[0].find("li")
        for row in answers:
            # Long ones are folded, and stand in a block.
            told = row.find("bdi") or row.find("div")
            assert told[0].text == " ".join(expected.split()), kind


def test_long_texts_have_a_beginning_an_end_and_a_fold() -> None:
    words = " ".join(f"word{i}" for i in range(3000))
    found = excerpt(words)
    assert found.head.startswith("word0 ")
    assert found.tail.endswith("word2999")
    assert len(found.head) + len(found.tail) == pytest.approx(600, abs=45)
    assert len(found.head) + len(found.middle) + len(found.tail) == pytest.approx(4000, abs=45)
    assert len(found.head) + len(found.middle) + found.omitted + len(found.tail) == len(words)
    assert words.startswith(found.head + found.middle)
    assert words.endswith(found.tail)
    # Nothing is folded that is about as long as what would stand for it.
    assert excerpt("x " * 350).tail == ""
    whole = excerpt("word " * 300)
    assert (whole.omitted, whole.head + whole.middle + whole.tail) == (0, "word " * 300)


def test_a_letter_is_never_cut_from_its_marks() -> None:
    family = "👩‍👩‍👧‍👦"
    accented = "e\N{COMBINING ACUTE ACCENT}\N{COMBINING CEDILLA}"
    for text in (family * 300, accented * 700):
        found = excerpt(text)
        assert found.tail
        for part in (found.middle, found.tail):
            assert not unicodedata.combining(part[0])
            assert part[0] != "\N{ZERO WIDTH JOINER}"
        assert not any(part.endswith("\N{ZERO WIDTH JOINER}") for part in (found.head, found.middle))


def test_a_text_of_joiners_alone_has_an_end() -> None:
    for text in ("\N{ZERO WIDTH JOINER}" * 10_000, "\N{COMBINING ACUTE ACCENT}" * 10_000, "x" * 10_000, "\n" * 10_000):
        found = excerpt(text)
        assert len(found.head + found.middle + found.tail) <= 10_000
        assert len(visible(text)) <= 10_000


def test_a_long_text_in_the_page_says_how_much_is_left_out(tmp_path: Path) -> None:
    def long(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"context": "x" * 10_000})

    run = load_run(build_run(tmp_path / "run", Plan(items=2, codes=("en", "eu"), holes=False, record_hook=long)))
    (said, *_) = _section(run).find("article")[0].find("div", **{"class": "said"})
    assert said.find("summary")[0].text == "Show 3,400 more characters"
    assert said.find("i", **{"class": "omitted"})[0].text.startswith("[6,000 characters are left out here")
    assert sum(len(part) for e in (said, *said.find("details")) for part in e.own) == 4000


def test_the_part_never_gets_larger_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUDGET", 120_000)

    def long(cell: Cell, record: Record) -> Record:
        # Every character takes five in the page.
        text = "'" * 700 if record.item_index % 2 else "ñ" * 400
        return record.model_copy(update={"context": text, "choices": (text[:250], *record.choices[1:])})

    run = load_run(build_run(tmp_path / "run", Plan(items=40, record_hook=long)))
    html = render(run)
    cards = re.findall(r'<article class="card".*?</article>', html, re.DOTALL)
    size = sum(len(card.encode()) for card in cards)
    assert 2 <= len(cards) < 48
    assert 60_000 < size <= 120_000
    section = Page(html).root.find("section", id="items")[0]
    assert "Some were left out, so that this file stays small enough to be sent." in section.text
    assert f"{len(cards)} of 80 items are shown" in section.text


def test_a_card_takes_no_more_than_was_reckoned(run: Run, tmp_path: Path) -> None:
    def options(cell: Cell, record: Record) -> Record:
        own = tuple(f"{choice} <{record.item_index}>" * 30 for choice in record.choices)
        return record.model_copy(update={"context": "word & word " * 900, "choices": own})

    other = load_run(build_run(tmp_path / "run", Plan(items=12, record_hook=options)))
    for one in (run, other):
        cards = [card for group in _built(one).groups for card in group.cards]
        made = re.findall(r' *<article class="card".*?</article>\n', render(one), re.DOTALL)
        assert len(made) == len(cards)
        for html, card in zip(made, cards, strict=True):
            assert 0.6 < len(html.encode()) / module._size(card) <= 1


def test_scores_between_right_and_wrong_are_shown_as_scores(tmp_path: Path) -> None:
    def part(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"score": 0.375 if record.item_index % 2 else None})

    section = _section(
        load_run(build_run(tmp_path / "run", Plan(items=4, codes=("en", "eu"), holes=False, record_hook=part)))
    )
    assert {em.text for em in section.find("em")} == {"score 0.38", "no score"}
    assert "Some answers are scored in part" in section.text


def test_a_share_is_never_all_or_nothing() -> None:
    text = load_text(data_root("reports") / "strings")
    builder = module._Builder(None, None, text)  # type: ignore[arg-type]
    assert [builder._share(value) for value in (1e-9, 0.004, 0.5, 0.996, 1 - 1e-12)] == ["1%", "1%", "50%", "99%", "99%"]
    assert builder._share(1.0) == "100%"
    assert math.isclose(module._SURE, 0.8)


def test_paper_holds_as_many_cards_as_the_style_sheet_shows(section: Element) -> None:
    css = (data_root("reports") / "style" / "70-items.css").read_text(encoding="utf-8")
    hidden = re.search(r"#items (\.card(?: ~ \.card)*) \{ display: none; \}", css)
    assert hidden is not None
    assert hidden[1].count(".card") == module._PRINTED + 1
    assert section.text.count("On paper, 6 items of this group are shown.") == 2


def test_names_of_models_and_sources_are_escaped(tmp_path: Path) -> None:
    plan = Plan(items=4, codes=("en", "eu"), holes=False, models={name: SCRIPT for name in MODELS})
    folder = build_run(tmp_path / "run", plan)
    run = _change_tasks(folder, source=SCRIPT + "\N{RIGHT-TO-LEFT OVERRIDE}")
    html = render(run)
    assert html.count("<script") == 1
    assert f"Source: {SCRIPT}⟨U+202E⟩" in Page(html).root.find("section", id="items")[0].text
    assert escape("{{7*7}}") in html
