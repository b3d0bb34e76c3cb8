"""The page as a whole: it loads nothing, breaks no rule of accessibility, and fits every screen."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.browser.conftest import REPORTS, Open

NARROW, WIDTHS = 360, (768, 1280, 1920)


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_is_loaded_and_nothing_goes_wrong(opened: Open, name: str) -> None:
    found = opened(name)
    found.page.wait_for_load_state("networkidle")
    assert found.problems == []
    assert [url.partition(":")[0] for url in found.requests if not url.startswith("data:")] == ["file"]
    assert found.page.title() != "run"


def test_the_policy_stops_a_script_that_is_not_ours(opened: Open) -> None:
    found = opened("scores")
    found.run(
        "() => { const s = document.createElement('script'); s.textContent = \"document.title = 'run'\"; "
        "document.body.append(s); }"
    )
    assert found.page.title() != "run"
    assert any("Content Security Policy" in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("name", "scheme"), [*((name, "light") for name in REPORTS), ("scores", "dark"), ("device", "dark")]
)
def test_no_rule_of_accessibility_is_broken(opened: Open, name: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found = opened(name, color_scheme=scheme)
    result = Axe().run(
        found.page,
        options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    )
    broken = [
        f"{rule['id']}: {node['html'][:200]} ({node['failureSummary'][:300]})"
        for rule in result.response["violations"]
        for node in rule["nodes"][:3]
    ]
    assert broken == []
    # The rules did look at something.
    assert len(result.response["passes"]) > 20


@pytest.mark.parametrize(
    ("name", "width"), [*((name, NARROW) for name in REPORTS), *(("scores", width) for width in WIDTHS)]
)
def test_no_screen_has_to_scroll_sideways(opened: Open, name: str, width: int) -> None:
    found = opened(name, width=width)
    found.run("() => document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    wide = found.run(
        """() => {
          const limit = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= limit) return [];
          return [...document.querySelectorAll('body *')]
            .filter((e) => e.getBoundingClientRect().right > limit + 1 && !e.closest('.scroll'))
            .slice(0, 5).map((e) => e.outerHTML.slice(0, 120));
        }"""
    )
    assert wide == []
    assert found.run("() => document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["scores", "device"])
def test_everything_can_be_read_without_scripts(opened: Open, name: str) -> None:
    plain, scripted = opened(name, java_script_enabled=False), opened(name)
    for chapter in ("part-gaps", "part-method") if name == "scores" else ("part-device", "part-method"):
        # Heads of columns become buttons.
        parts = ", ".join(
            f"#{chapter} {tag}" for tag in ("p", "li", "td", "tbody th", "caption", "figcaption", "h3", "h4")
        )
        without = plain.page.locator(parts).all_inner_texts()
        assert sum(len(text) for text in without) > 500
        # Scripts add controls; they take nothing away and bring no text of the run.
        assert set(without) <= set(scripted.page.locator(parts).all_inner_texts())


def test_the_keyboard_reaches_everything_in_order(opened: Open) -> None:
    found = opened("scores")
    wanted = found.run(
        """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
          .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled)
          .map((e, i) => { e.dataset.order = i; return i; })"""
    )
    reached = []
    for _ in range(len(wanted) + 5):
        found.page.keyboard.press("Tab")
        order = found.run(
            """() => { const e = document.activeElement; const box = e.getBoundingClientRect();
              const style = getComputedStyle(e);
              return [e.dataset.order ?? null, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                      box.width > 0 && box.height > 0]; }"""
        )
        if order[0] is None:
            continue
        assert order[1], f"element {order[0]} does not show that it has the focus"
        reached.append(int(order[0]))
        if len(set(reached)) == len(wanted):
            break
    assert sorted(set(reached)) == wanted
    assert reached == sorted(reached)


def test_the_page_has_one_outline(opened: Open) -> None:
    for name in REPORTS:
        levels = opened(name).run("() => [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((h) => +h.tagName[1])")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), name


@pytest.mark.parametrize("name", REPORTS)
def test_figures_show_the_numbers_of_their_tables(opened: Open, name: str) -> None:
    """Every mark that names a row stands where its number says, and the row holds the same number."""
    found = opened(name)
    marks = found.run(
        """() => [...document.querySelectorAll('svg [data-key]')].map((mark) => {
          const box = mark.getBBox(), svg = mark.closest('svg'), section = mark.closest('section section, section');
          const rows = [...section.querySelectorAll(`:is(tr, td)[data-key="${mark.dataset.key}"]`)];
          const values = rows.flatMap((row) => row.dataset.v !== undefined ? [row.dataset.v]
            : [...row.querySelectorAll('[data-v]')].map((cell) => cell.dataset.v));
          return { figure: svg.getAttribute('aria-label'), map: !!svg.closest('.map'), key: mark.dataset.key,
                   v: mark.dataset.v, x: mark.getCTM().e + box.x + box.width / 2, y: mark.getCTM().f + box.y + box.height / 2, values };
        })"""
    )
    if name not in {"hostile", "forms", "labels"}:
        assert len(marks) > 10
    for mark in marks:
        assert mark["v"] in mark["values"], (
            f"{mark['figure']}: {mark['key']} shows {mark['v']}, its table {mark['values']}"
        )


def test_the_file_is_small_enough_to_be_sent(reports, runs: dict[str, Path]) -> None:
    for name in REPORTS:
        assert reports(name).stat().st_size < 3_000_000


A4 = (round((210 - 24) / 25.4 * 96), round((297 - 30) / 25.4 * 96))
"""Width and height of what a page of paper holds beside the margins of the style sheet, in CSS pixels."""


@pytest.mark.parametrize("name", ["scores", "device", "quantised"])
def test_paper_has_the_decision_on_its_first_page_and_cuts_no_figure(opened: Open, name: str) -> None:
    found = opened(name, width=A4[0], height=A4[1])
    found.page.emulate_media(media="print")
    end = found.run(
        "() => { const e = document.querySelector('#part-decision'); return e ? e.getBoundingClientRect().bottom : 0; }"
    )
    assert end <= A4[1]
    tall = found.run(
        "(most) => [...document.querySelectorAll('.panel, .notice, tr')].filter((e) => e.getBoundingClientRect().height > most)"
        ".map((e) => e.outerHTML.slice(0, 100))",
        A4[1],
    )
    assert tall == []
    printed = found.page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert len(printed) > 20_000
