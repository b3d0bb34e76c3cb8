"""The report on categories: what it shows is what the tables hold."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from evalsuite.analysis import Run, Tables, analyse, load_run
from evalsuite.catalog.paths import data_root
from evalsuite.records import Cell, PromptForm, Record, Task
from evalsuite.report.build import render
from evalsuite.report.curves import Curve, CurvePanel, Point, draw_curves
from evalsuite.report.labels import shade
from tests import synthetic
from tests.report.conftest import Element, Page
from tests.synthetic import Plan, build_run
from tests.synthetic_labels import Labels, build_labels, names_of

SECTIONS = {
    "categories": "Categories and confidence",
    "label_sets": "Number of categories",
    "label_wordings": "Names of categories",
}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Tables]:
    """Two models, two languages, twelve categories that are named in three ways."""
    plan = Labels(each=10, wordings=("native", "listed", "english-names"))
    run = load_run(build_labels(tmp_path_factory.mktemp("runs") / "labels", plan))
    return run, analyse(run)


@pytest.fixture(scope="module")
def page(labelled: tuple[Run, Tables]) -> Page:
    """The report of that run, parsed."""
    return Page(render(*labelled))


def _section(page: Page, name: str) -> Element:
    return page.root.find("section", id=name)[0]


def _table(element: Element, part: str) -> Element:
    return next(t for t in element.find("table") if part in t.find("caption")[0].text)


def _rows(table: Element) -> list[str]:
    return [r.text for r in table.find("tr") if r.find("td")]


def _hundred(value: float | None) -> str:
    assert value is not None
    return f"{100 * value:.1f}"


def test_each_has_its_section_and_its_place_in_the_contents(page: Page) -> None:
    assert {name: _section(page, name).find("h3")[0].text for name in SECTIONS} == SECTIONS
    links = [e.attrs["href"] for e in page.root.find("nav")[0].find("a")]
    assert [link for link in links if link[1:] in SECTIONS] == [f"#{name}" for name in SECTIONS]


def test_a_run_without_categories_has_no_such_section(tmp_path: Path) -> None:
    plan = Labels(codes=("en",), changes={"listed_options": 12, "family": "choice"})
    page = Page(render(load_run(build_labels(tmp_path / "run", plan))))
    assert [name for name in SECTIONS if page.root.find("section", id=name)] == []


def test_tables_are_whole_and_have_captions(page: Page) -> None:
    for name in SECTIONS:
        for table in _section(page, name).find("table"):
            assert len(table.find("caption")[0].text) > 40
            width = len(table.find("thead")[0].find("th"))
            for row in table.find("tr"):
                cells = [e for e in row.children if e.tag in {"td", "th"}]
                assert sum(int(c.attrs.get("colspan", "1")) for c in cells) == width, row.text


def test_confusions_are_those_of_the_table(labelled: tuple[Run, Tables], page: Page) -> None:
    section = _section(page, "categories")
    rows = _rows(_table(section, "macro-F1"))
    details = section.find("details")
    assert len(rows) == len(details) == 4
    for text, detail, row in zip(rows, details, labelled[1].categories, strict=True):
        found = row.confusion
        assert found is not None
        for e in (found.macro_f1, found.balanced_accuracy):
            assert f"{_hundred(e.value)}% {_hundred(e.low)} to {_hundred(e.high)}" in text
        most = found.mistakes(1)[0]
        assert text.endswith(f"{most.right} → {most.taken_for} ({most.n})")
        lines = [r for r in _table(detail, "by right category").find("tr") if r.find("td")]
        for i, (line, counts) in enumerate(zip(lines, found.matrix, strict=True)):
            cells = line.find("td")
            assert [int(c.text or 0) for c in cells] == list(counts)
            assert [(c.attrs.get("class", "").split() or ["shade0"])[0] for c in cells] == [
                f"shade{shade(n, 10)}" if shade(n, 10) else "hit" if j == i else "shade0" for j, n in enumerate(counts)
            ]
            assert ["hit" in c.attrs.get("class", "") for c in cells] == [j == i for j in range(12)]
        each = _rows(_table(detail, "each category"))
        assert [line.split()[1] for line in each] == list(names_of(12, row.language))


def test_confidence_is_that_of_the_table(labelled: tuple[Run, Tables], page: Page) -> None:
    section = _section(page, "categories")
    sure, taken = _rows(_table(section, "calibration error")), _rows(_table(section, "what is left"))
    for text, left, row in zip(sure, taken, labelled[1].categories, strict=True):
        found = row.confidence
        assert found is not None
        error = found.calibration
        assert f"{_hundred(error.estimate.value)} {_hundred(error.estimate.low)} to" in text
        assert f"{_hundred(error.by_chance)} 95% below {_hundred(error.by_chance_high)}" in text
        assert f"{found.brier.value:.2f} {found.brier.low:.2f} to {found.brier.high:.2f} all alike: 0.92" in text
        assert text.endswith(f"{found.auroc.value:.2f} {found.auroc.low:.2f} to {found.auroc.high:.2f}")
        for one in found.covered:
            assert f"{_hundred(one.coverage.value)}% answered" in left
            if one.accuracy.value is not None:
                assert f"{_hundred(one.accuracy.value)}% right" in left
    off = [r.confidence.calibration for r in labelled[1].categories if r.confidence]
    shown = sum((c.estimate.value or 0) > (c.by_chance_high or 1) for c in off)
    assert f"In {shown} of 4 rows confidence and share right differ" in section.text


def test_numbers_of_categories_are_those_of_the_table(labelled: tuple[Run, Tables], page: Page) -> None:
    section = _section(page, "label_sets")
    rows, same = _rows(_table(section, "200 random sub-sets")), _rows(_table(section, "first two categories"))
    for text, kept, row in zip(rows, same, labelled[1].label_sets, strict=True):
        for s in row.sizes:
            ends = f"{_hundred(s.accuracy.value)}% {_hundred(s.accuracy.low)} to {_hundred(s.accuracy.high)}"
            assert f"{ends} {s.ratio:.1f} × chance" in text
            assert s.set_low is None or f"sets {_hundred(s.set_low)} to {_hundred(s.set_high)}" in text
            assert f"{_hundred(s.same_items.value)}%" in kept
    added = _rows(_table(section, "is added to a set"))
    steps = [(row, a) for row in labelled[1].label_sets for a in row.added]
    for text, (_, a) in zip(added, steps, strict=True):
        assert f"{a.size} → {a.size + 1} {_hundred(a.before.value)}%" in text
        assert f" −{abs(100 * (a.change.value or 0)):.1f} " in text
        assert f"{_hundred(a.recall.value)}% {_hundred(a.recall.low)} to {_hundred(a.recall.high)}" in text
    lost = [a.lost.value for _, a in steps if a.lost.value is not None]
    assert f"takes {_hundred(min(lost))}% to {_hundred(max(lost))}% of the answers" in section.text
    figures = section.find("svg", **{"class": "fig"})
    assert [f.attrs["aria-label"] for f in figures] == [
        "Accuracy by number of categories in English",
        "Accuracy by number of categories in Basque",
    ]


def test_ways_of_naming_are_those_of_the_table(labelled: tuple[Run, Tables], page: Page) -> None:
    section = _section(page, "label_wordings")
    rows = _rows(_table(section, "difference to the plain form"))
    for text, row in zip(rows, labelled[1].label_wordings, strict=True):
        assert f"{_hundred(row.score.value)}%" in text
        assert f" {row.tokens:.1f} " in text
        if row.difference:
            assert "120 items in both inconclusive" in text
            assert row.tokens_ratio is not None
            assert f"{row.tokens_ratio.value:.2f}×" in text
    assert "plain form" in rows[0]
    assert "categories listed" in rows[1]
    assert "English category names" in rows[2]
    assert "corrected by Holm over all 8 differences" in section.text
    assert "Shown to be better than the plain form: 0 of 8 differences; shown to be worse: 0." in section.text


def test_many_categories_have_a_list_in_place_of_a_matrix(tmp_path: Path) -> None:
    run = load_run(build_labels(tmp_path / "run", Labels(categories=17, codes=("ja",))))
    tables = analyse(run)
    detail = _section(Page(render(run, tables)), "categories").find("details")[0]
    assert len(detail.find("table")) == 1
    confusion = tables.categories[0].confusion
    assert confusion is not None
    assert [e.text for e in detail.find("li")] == [f"{m.right} → {m.taken_for} ({m.n})" for m in confusion.mistakes(10)]
    assert detail.find("ul")[0].attrs["lang"] == "ja"


def test_what_is_missing_says_why(tmp_path: Path) -> None:
    plan = Labels(codes=("en",), changes={"primary_metric": "acc_mutual_info"}, wordings=("native", "listed"))
    path = build_labels(tmp_path / "run", plan)
    for folder in (path / "cells").glob("*--listed"):
        for file in folder.iterdir():
            file.unlink()
    page = Page(render(load_run(path)))
    missing = [c.text for name in SECTIONS for c in _section(page, name).find("td", **{"class": "missing"})]
    prior = "— log-probabilities without context were not measured"
    assert missing == [*[prior] * 2 * 4, *["— not both have scores"] * 2]


def test_a_model_with_one_answer_can_be_shown(tmp_path: Path) -> None:
    plan = Labels(codes=("en",), values=lambda cell, index: [-9.0] * 3 + [-1.0] + [-9.0] * 8)
    section = _section(Page(render(load_run(build_labels(tmp_path / "run", plan)))), "categories")
    assert "11 of 12" in _rows(_table(section, "macro-F1"))[0]
    each = _table(section, "each category")
    assert {e.attrs["title"] for e in each.find("abbr")} == {"never answered"}


def test_several_prompt_forms_can_be_shown(tmp_path: Path) -> None:
    forms = (PromptForm.NATIVE, PromptForm("listed"))
    plan = Labels(codes=("en",), forms=forms)
    page = Page(render(load_run(build_labels(tmp_path / "run", plan))))
    said = [e.text for e in _section(page, "categories").find("summary")]
    assert any("(categories listed)" in line for line in said)
    ids = [e.attrs["id"] for e in page.root.every() if "id" in e.attrs]
    assert len(set(ids)) == len(ids)


def test_of_many_groups_only_a_users_own_categories_have_details(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tasks(plan: Plan) -> dict[str, Task]:
        families = ["labels", *["classification"] * 6]
        made = [
            synthetic.task(f"toy_topics{i}_{code}", code, f"toy_topics{i}", family=family, note=None)
            for i, family in enumerate(families)
            for code in plan.codes
        ]
        return {one.name: one for one in made}

    monkeypatch.setattr(synthetic, "_tasks", tasks)
    path = build_run(tmp_path / "run", Plan(items=21, codes=("en", "eu"), holes=False))
    page = Page(render(load_run(path)))
    section = _section(page, "categories")
    details = section.find("details", **{"class": "confusion"})
    assert [d.find("summary")[0].text.split()[-1] for d in details] == [
        f"(toy_topics0_{code})" for code in ("en", "eu")
    ]
    assert "for the model with the most right answers" in section.text
    assert len(_section(page, "label_sets").find("svg", **{"class": "fig"})) == 2
    ids = [e.attrs["id"] for e in page.root.every() if "id" in e.attrs]
    assert len(set(ids)) == len(ids)
    assert {e.attrs["href"][1:] for e in page.root.every() if "href" in e.attrs} <= set(ids)


def test_names_from_elsewhere_are_escaped(tmp_path: Path) -> None:
    def change(cell: Cell, made: Record) -> Record:
        return made.model_copy(update={"choices": ("<script>x</script>", *made.choices[1:])})

    html = render(load_run(build_labels(tmp_path / "run", Labels(codes=("en",), change=change))))
    assert "<script>x" not in html
    assert "&lt;script&gt;x" in html


def test_shades_grow_with_the_share_of_the_row() -> None:
    assert [shade(n, 10) for n in (0, 1, 2, 3, 5, 6, 10)] == [0, 1, 2, 3, 3, 4, 4]
    assert shade(0, 0) == 0


def _luminance(parts: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (p / 255 for p in parts)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1])
def test_numbers_can_be_read_on_every_shade(scheme: int) -> None:
    css = (data_root("reports") / "style" / "10-base.css").read_text(encoding="utf-8")
    block = re.findall(r":root(?: |:not\S+ )\{([^}]*--page: #[^}]*)\}", css)[scheme]
    colours = {
        name: [int(value[i : i + 2], 16) for i in (0, 2, 4)]
        for name, value in re.findall(r"--(\w+): #([0-9a-f]{6})", block)
    }
    mixes = [int(n) / 100 for n in re.findall(r"\.shade\d .*?var\(--accent\) (\d+)%, var\(--surface\)", css)]
    assert len(mixes) == 4
    assert mixes == sorted(mixes)
    for mix in mixes:
        mixed = [mix * a + (1 - mix) * b for a, b in zip(colours["accent"], colours["surface"], strict=True)]
        low, high = sorted((_luminance(mixed), _luminance([float(c) for c in colours["ink"]])))
        # WCAG 2.2: 4.5 for text.
        assert (high + 0.05) / (low + 0.05) >= 4.5


def _panel(name: str = "English") -> CurvePanel:
    return CurvePanel(
        id="p", title=name, description="B & c", curves=(
            Curve(0, (Point(2, 0.9, 0.8, 1.0), Point(4, 0.7))), Curve(8, (Point(2, 0.6, 0.5, 0.7),)),
        ), chance=((2, 0.5), (4, 0.25)), chance_label="Chance", ticks=(2, 4), x_axis="Number", top=1.0,
        tick=lambda v: f"{v:.1f}",
    )  # fmt: skip


def test_curves_have_no_colours_or_fonts_of_their_own() -> None:
    svg = draw_curves(_panel())
    assert svg == draw_curves(_panel())
    assert not re.search(r"#[0-9a-f]{6}\b(?![\"-])", re.sub(r'(id|href|url)[="(#]+[^")]*', "", svg))
    assert "font-family" not in svg
    assert {"var(--ink)", "var(--series-1)", "var(--series-2)"} <= set(re.findall(r"var\([^)]*\)", svg))
    texts = [e.text for e in ET.fromstring(svg).iter("text")]
    assert {"2", "4", "Number", "Chance", "0.0", "1.0"} <= set(texts)


def test_text_in_curves_is_text() -> None:
    root = ET.fromstring(draw_curves(_panel("<script>$x^2$</script>")))
    assert root.attrib["aria-label"] == "<script>$x^2$</script>"
    assert not list(root.iter("script"))
    bare = ET.fromstring(draw_curves(CurvePanel("p", "T", "D", (), (), "Chance", (2, 4), "Number", 1.0, str)))
    assert "Chance" not in {e.text for e in bare.iter("text")}
