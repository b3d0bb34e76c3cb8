"""Reports in a real browser: headless Chromium, driven by Playwright, with axe-core's rules of accessibility."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evalsuite.records import Cell, Record
from evalsuite.report import build_report
from evalsuite.report.options import ReportOptions
from evalsuite.report.pdf import find_browser
from tests.synthetic import Plan, build_run
from tests.synthetic_forms import build_forms
from tests.synthetic_labels import build_labels
from tests.synthetic_profile import DevicePlan, Meter, build_profiles
from tests.synthetic_quantised import build_quantised

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REPORTS = ("scores", "forms", "labels", "device", "quantised", "hostile")

BIDI = "\N{RIGHT-TO-LEFT OVERRIDE}evil\N{POP DIRECTIONAL FORMATTING}\N{RIGHT-TO-LEFT ISOLATE}isolated"
HOSTILE = (
    "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">{{7*7}}{% raw %}'\"&$x^2$",
    f"before {BIDI} after",
    "long " + "x" * 10_000,
    "שלום עולם مرحبا بالعالم",
    "👩‍👩‍👧‍👦 🏳️‍🌈 e" + "\N{COMBINING ACUTE ACCENT}" * 60,
    "",
    "\x00\x07\x1b[31m zero\N{ZERO WIDTH SPACE}width\N{ZERO WIDTH NO-BREAK SPACE}",
)
"""Texts of items and answers that try to break out of the page or to break its layout."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)


@dataclass
class Opened:
    """A page, and what happened while it was open."""

    page: Page
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script of the test says about the page."""
        return self.page.evaluate(script, *arguments)


Open = Callable[..., Opened]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, once for all tests."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[dev]'")
    program = find_browser()
    if program is None:
        if os.environ.get("EVALSUITE_NEEDS_BROWSER"):
            pytest.fail("no Chromium was found, and EVALSUITE_NEEDS_BROWSER says that there is one")
        pytest.skip("no Chromium: install one (Debian: apt install chromium) or set EVALSUITE_BROWSER")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders by the name of their report."""
    folder = tmp_path_factory.mktemp("runs")

    def hostile(cell: Cell, record: Record) -> Record:
        text = HOSTILE[record.item_index % len(HOSTILE)]
        return record.model_copy(update={"context": text, "choices": (text, *record.choices[1:])})

    return {
        "scores": build_run(folder / "scores"),
        "forms": build_forms(folder / "forms"),
        "labels": build_labels(folder / "labels"),
        "device": build_profiles(folder / "device", DevicePlan(meter=Meter())),
        "quantised": build_quantised(
            folder / "quantised",
            lambda model, _group, _code, item: float(item % (3 if model.endswith("Q2_K") else 5) > 0),
        ),
        "hostile": build_run(
            folder / "hostile",
            Plan(
                items=len(HOSTILE) * 2,
                models={f"m{i}": f"{i} {HOSTILE[0]}" for i in range(2)},
                note=HOSTILE[0] + HOSTILE[2],
                doc=HOSTILE[1],
                reason=HOSTILE[0],
                record_hook=hostile,
            ),
        ),
    }


@pytest.fixture(scope="session")
def reports(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return the report of a run, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("reports")
    made: dict[tuple[str, str], Path] = {}

    def report(name: str, language: str = "en") -> Path:
        if (name, language) not in made:
            options = ReportOptions(language=language)
            made[name, language] = build_report(runs[name], folder / f"{name}-{language}.html", options=options)
        return made[name, language]

    return report


@pytest.fixture
def opened(browser: Browser, reports: Callable[..., Path]) -> Iterator[Open]:
    """Return what opens a report."""
    contexts = []

    def open_(name: str, language: str = "en", *, width: int = 1280, height: int = 900, **context: Any) -> Opened:
        made = browser.new_context(viewport={"width": width, "height": height}, **context)
        contexts.append(made)
        found = Opened(made.new_page())
        found.page.on("console", lambda said: found.problems.append(f"{said.type}: {said.text}"))
        found.page.on("pageerror", lambda error: found.problems.append(f"error: {error}"))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(reports(name, language).as_uri())
        return found

    yield open_
    for one in contexts:
        one.close()
