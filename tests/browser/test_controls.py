"""What the report's script adds: sorted and filtered tables, colours, and the way through single items."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from tests.browser.conftest import REPORTS, Open, Opened

_SCORES = "#accuracy table >> nth=1"
"""The table of a group in which one cell failed."""


def _column(found: Opened, column: str) -> list[list[float | None]]:
    """Return the numbers of a column by body of the table; none where a row has no number."""
    shown: list[list[float | None]] = found.page.locator(_SCORES).evaluate(
        """(table, name) => {
          const at = [...table.tHead.rows[0].cells].findIndex((head) => head.textContent.trim() === name);
          const rows = (body) => [...body.rows].filter((row) => !row.classList.contains("group"));
          return [...table.tBodies].map((body) => rows(body).map((row) => {
            const cell = row.cells.length === table.tHead.rows[0].cells.length ? row.cells[at] : null;
            return cell && cell.dataset.v !== undefined ? Number(cell.dataset.v) : null;
          }));
        }""",
        column,
    )
    return shown


def _ordered(values: Sequence[float | None], *, down: bool) -> bool:
    known = [value for value in values if value is not None]
    return known == sorted(known, reverse=down) and list(values[: len(known)]) == known


def test_a_table_is_sorted_within_each_language_and_what_is_missing_comes_last(opened: Open) -> None:
    found = opened("scores")
    before = _column(found, "Score")
    assert [None in body for body in before].count(True) == 2  # one cell failed, one was skipped
    table = found.page.locator(_SCORES)
    button, head = (table.locator(one, has_text="Score") for one in ("th .sort", "th:has(.sort)"))
    for direction in ("descending", "ascending", "descending"):
        button.focus()
        found.page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == direction
        after = _column(found, "Score")
        assert [sorted(map(str, body)) for body in after] == [sorted(map(str, body)) for body in before]
        assert all(_ordered(body, down=direction == "descending") for body in after)
    # The name of each language still heads its rows.
    assert table.evaluate("(table) => [...table.tBodies].every((body) => body.rows[0].className === 'group')")
    table.locator("th .sort", has_text="Model").click()
    assert head.get_attribute("aria-sort") is None
    assert found.problems == []


@pytest.mark.parametrize("name", REPORTS)
def test_every_column_of_every_table_can_be_sorted_both_ways(opened: Open, name: str) -> None:
    found = opened(name)
    told = found.run(
        """() => {
          const rows = (table) => [...table.tBodies].flatMap((body) => [...body.rows]).map((row) => row.textContent).sort().join("|");
          const wrong = [];
          for (const button of document.querySelectorAll("main .sort")) {
            const table = button.closest("table"), before = rows(table);
            for (const sign of [1, -1]) {
              button.click();
              if (rows(table) !== before) wrong.push(button.textContent);
              if (!["ascending", "descending"].includes(button.parentNode.getAttribute("aria-sort"))) wrong.push(button.outerHTML);
            }
          }
          return wrong;
        }"""
    )
    assert told == []
    assert found.problems == []


def test_tables_are_filtered_and_say_so(opened: Open) -> None:
    found = opened("scores")
    rows = found.page.locator("main tr[data-key]")
    every = rows.count()
    found.page.select_option(".page-tools [name=language]", "eu")
    kept = found.run(
        "() => [...document.querySelectorAll('main tr[data-key]')].filter((row) => !row.hidden).map((row) => row.dataset.key)"
    )
    assert 0 < len(kept) < every
    assert {key.split()[1] for key in kept} == {"eu"}
    status = found.page.locator(".page-tools [role=status]").inner_text()
    assert f"Rows that are hidden in all tables: {every - len(kept)}." in status
    # No language is left without its rows.
    assert found.run(
        """() => [...document.querySelectorAll("main tbody:not([hidden])")].every((body) => !body.querySelector("tr[data-key]")
          || [...body.rows].some((row) => row.dataset.key && !row.hidden))"""
    )
    found.page.select_option(".page-tools [name=language]", "")
    assert found.run("() => document.querySelectorAll('main tr[hidden], main tbody[hidden]').length") == 0
    assert found.page.locator(".page-tools [role=status]").inner_text() == ""


def test_the_colours_are_chosen_and_kept_and_paper_stays_light(opened: Open) -> None:
    found = opened("scores", color_scheme="light")
    background = "() => getComputedStyle(document.body).backgroundColor"
    light = found.run(background)
    found.page.select_option("[name=theme]", "dark")
    dark = found.run(background)
    assert dark != light
    found.page.reload()
    assert found.run(background) == dark
    assert found.page.input_value("[name=theme]") == "dark"
    found.page.emulate_media(media="print")
    assert found.run("() => getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()") == "#171a1f"
    assert not found.page.locator(".page-tools").is_visible()
    found.page.emulate_media(media="screen", color_scheme="dark")
    found.page.select_option("[name=theme]", "light")
    assert found.run(background) == light
    found.page.select_option("[name=theme]", "")
    assert found.run(background) == dark


def test_items_are_found_by_what_went_wrong_and_the_address_keeps_it(opened: Open) -> None:
    found = opened("scores")
    status = found.page.locator("#items [role=status]")
    total = found.page.locator("#items .card").count()
    assert status.inner_text() == f"Items found: {total} of {total}"
    found.page.select_option("#items [name=language]", "eu")
    found.page.select_option("#items [name=model]", "0")
    found.page.select_option("#items [name=answers]", "l")
    found.page.wait_for_function("() => location.hash.includes('answers=l')")
    wanted = found.run(
        "() => [...document.querySelectorAll('#items .card')].filter((card) => "
        "card.querySelector('.side[data-l=eu] li.l[data-m=\"0\"]')).length"
    )
    assert 0 < wanted < total
    assert status.inner_text() == f"Items found: {wanted} of {total}"
    shown = found.page.locator("#items .card:not([hidden])")
    assert shown.count() == wanted
    # Beside the language stands its reference, and no other.
    sides = shown.first.locator(".side:not([hidden])")
    assert [sides.nth(i).get_attribute("data-l") for i in range(sides.count())] == ["en", "eu"]
    again = found.page.context.new_page()
    again.goto(found.page.url)
    assert again.locator("#items [role=status]").inner_text() == f"Items found: {wanted} of {total}"
    found.page.click("#items [data-do=reset]")
    assert status.inner_text() == f"Items found: {total} of {total}"
    assert found.page.url.endswith("#items")
    assert found.problems == []


def test_an_address_that_names_what_is_not_there_breaks_nothing(opened: Open) -> None:
    found = opened("scores")
    found.page.goto(found.page.url.partition("#")[0] + '#items?language=zz"]&model=99&group=%3Cb%3E&text=(&other=1')
    found.page.reload()
    assert re.fullmatch(r"Items found: 0 of \d+", found.page.locator("#items [role=status]").inner_text())
    assert found.page.input_value("#items [name=language]") == ""
    assert found.problems == []


def test_the_keyboard_goes_from_item_to_item(opened: Open) -> None:
    found = opened("scores", reduced_motion="reduce")
    titles = found.run("() => [...document.querySelectorAll('#items h5')].map((title) => title.textContent)")
    focused = "() => document.activeElement.querySelector('h5')?.textContent"
    found.page.click("#items [data-do=next]")
    assert found.run(focused) == titles[0]
    for key, place in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("ArrowLeft", 0), ("ArrowLeft", 0)):
        found.page.keyboard.press(key)
        assert found.run(focused) == titles[place]
    assert found.page.locator("#items .card").first.is_visible()


def test_a_table_is_copied_for_a_spreadsheet(opened: Open) -> None:
    found = opened("hostile", permissions=["clipboard-read", "clipboard-write"])
    found.page.locator("#accuracy [data-do=copy]").first.click()
    found.page.wait_for_function("() => document.querySelector('.page-tools [role=status]').textContent")
    lines = found.run("() => navigator.clipboard.readText()").splitlines()
    assert len(lines) > 10
    # A name with commas and quotes stays in its cell.
    assert {len(re.findall(r'"(?:[^"]|"")*"', line)) for line in lines} == {7}
    assert all(re.fullmatch(r'"(?:[^"]|"")*"(?:,"(?:[^"]|"")*")*', line) for line in lines)


def test_controls_are_large_enough_and_not_on_paper(opened: Open) -> None:
    found = opened("scores", width=360)
    small = found.run(
        """() => [...document.querySelectorAll("button, select, input")].map((e) => [e.getBoundingClientRect(), e.outerHTML])
          .filter(([box]) => box.width && (box.width < 24 || box.height < 24)).map(([, html]) => html)"""
    )
    assert small == []
    found.page.emulate_media(media="print")
    assert found.page.locator("select:visible, input:visible").count() == 0
    assert found.page.locator("#items .item-group").first.locator(".card:visible").count() <= 6


def test_without_scripts_there_are_no_controls_and_all_items(opened: Open) -> None:
    found = opened("scores", java_script_enabled=False)
    assert found.page.locator("select, input, button").count() == 0
    assert found.page.locator("#items .card").count() > 20


def test_hostile_items_stay_in_their_boxes(opened: Open) -> None:
    found = opened("hostile", width=360)
    found.page.click("[data-do=fold]")
    wide = found.run(
        """() => [...document.querySelectorAll("#items .side")].flatMap((side) => {
          const box = side.getBoundingClientRect();
          return [...side.querySelectorAll("*")].map((e) => e.getBoundingClientRect())
            .filter((own) => own.width && (own.right > box.right + 2 || own.left < box.left - 2)).map((own) => own.width);
        })"""
    )
    assert wide == []
    assert found.page.title() != "run"
    assert found.problems == []
