"""The part of the report on the device: the numbers of its tables, with label and reason, and nothing that was not measured."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import BaseLoader, Environment

from evalsuite.analysis import Run, analyse, load_run
from evalsuite.analysis.device_tables import DeviceTables, device_tables
from evalsuite.catalog.devices import load_budgets
from evalsuite.catalog.paths import data_root
from evalsuite.records import CellStatus, CurvePoint, Kind, MeterFound, RequestRow
from evalsuite.report import build
from evalsuite.report.build import build_report, render
from evalsuite.report.device_shown import Shown
from evalsuite.report.reasons import REASON
from evalsuite.report.text import MISSING, Text, load_text
from evalsuite.stats.energy import Quantity
from evalsuite.store import RunFolder, RunWriter
from tests.helpers import ROOT
from tests.report.conftest import Element, Page
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_profile import MIB, DevicePlan, Meter, build_profiles, stored

SMOL, GEMMA = MODELS
ONE = {SMOL: "One"}
ENGLISH = {"en": "English", "es": "Spanish", "eu": "Basque"}
EVIL = "<script>alert(1)</script>{{7*7}}{% raw %}\"'&$x^2$"
GRID = {"g_per_kwh": 174.0, "place": "Spain (ESP)", "source": "a table", "year": 2023}


def _short(row: RequestRow) -> RequestRow | None:
    """Keep classifications only: one figure is drawn in place of four."""
    return row if row.kind is Kind.CLASSIFICATION else None


BARE = DevicePlan(models=ONE, meter=None, rounds=2, noisy=(), throttled=(), row_hook=_short)
PROOF = {
    "needed_bytes": 1, "limit_bytes": 214 * MIB, "method": "cgroup2", "held": True, "oom_killed": False, "slower": 0.0,
    "proven": True,
}  # fmt: skip


def made(path: Path, plan: DevicePlan, **changes: Any) -> Run:
    return load_run(build_profiles(path, replace(plan, **changes)))


@pytest.fixture(autouse=True, scope="module")
def _compiled_once() -> Iterator[None]:
    """Keep the templates that were compiled: most of the time of these tests would else go there."""
    kept: dict[object, Environment] = {}

    def environment(*, loader: BaseLoader, **options: Any) -> Environment:
        key = tuple(sorted(options.items(), key=str))
        return kept.setdefault(key, Environment(loader=loader, **options))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "Environment", environment)
        yield


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("device") / "run", DevicePlan(grid=GRID, facts={"memory_proof": PROOF}))


@pytest.fixture(scope="module")
def tables(measured: Run) -> DeviceTables:
    return device_tables(measured)


@pytest.fixture(scope="module")
def html(measured: Run) -> str:
    return render(measured)


@pytest.fixture(scope="module")
def section(html: str) -> Element:
    return device(html)


def device(html: str) -> Element:
    (found,) = Page(html).root.find("section", id="device")
    return found


def table(section: Element, caption: str) -> Element:
    (found,) = [t for t in section.find("table") if t.find("caption")[0].text.startswith(caption)]
    return found


def cells(element: Element) -> list[list[str]]:
    return [[c.text for c in row.children if c.tag in {"td", "th"}] for row in element.find("tr") if row.find("td")]


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 0.1 else f"{1000 * value:.0f} ms"


# --- what is shown


def test_the_page_is_whole(html: str) -> None:
    page = Page(html)
    assert "On this device" in [e.text for e in page.root.find("h2")]
    ids = [e.attrs["id"] for e in page.root.every() if "id" in e.attrs]
    assert len(set(ids)) == len(ids)
    assert {e.attrs["href"][1:] for e in page.root.find("nav")[0].find("a")} <= set(ids)
    assert "device" in {e.attrs["href"][1:] for e in page.root.find("nav")[0].find("a")}
    for one in page.root.find("table"):
        width = len(one.find("thead")[0].find("th"))
        for row in one.find("tr"):
            inside = [e for e in row.children if e.tag in {"td", "th"}]
            assert sum(int(c.attrs.get("colspan", "1")) for c in inside) == width, row.text
    text = page.root.find("main")[0].text
    assert not re.search(r"\b(None|nan|inf|Undefined)\b|\{\w*\}", text), text


def test_latencies_are_those_of_the_tables(section: Element, tables: DeviceTables) -> None:
    titles = ("Short classification", "Reading question", "Translation", "Open answer")
    for kind, title in zip(Kind, titles, strict=True):
        shown = cells(table(section, title))
        # A column of 95th percentiles is there only where one exists.
        heads = [e.text for e in table(section, title).find("thead")[0].find("th")]
        assert ("p95" in heads) == (kind is Kind.CLASSIFICATION)
        rows = [r for code in ENGLISH for r in tables.latencies if (r.kind, r.language) == (kind, code)]
        assert len(shown) == len(rows) == 6
        for line, row in zip(shown, rows, strict=True):
            median = row.total.median
            assert median.value is not None
            assert median.low is not None
            assert median.high is not None
            assert line[0] == MODELS[row.model]
            assert line[1] == f"{row.n} {row.apart} kept apart"
            assert line[2] == f"{seconds(median.value)} {seconds(median.low)} to {seconds(median.high)}"
            assert f"{row.prompt_tokens + row.output_tokens:.0f}" in line
            tax = [t for t in tables.taxes if (t.model, t.kind, t.language) == (row.model, kind, row.language)]
            if not tax:
                assert line[-1] == "reference"
                continue
            for found, ratio in zip(line[-2:], (tax[0].tokens, tax[0].time), strict=True):
                assert found == f"{ratio.value:.2f}× {ratio.low:.2f} to {ratio.high:.2f}"


def figures_of(section: Element, start: str) -> list[Element]:
    """Return the figures whose name begins so."""
    return [svg for svg in section.find("svg", role="img") if svg.attrs["aria-label"].startswith(start)]


def test_every_kind_has_a_figure_that_says_its_medians(section: Element, tables: DeviceTables) -> None:
    figures = figures_of(section, "Median time of a request")
    assert len(figures) == 4
    for svg, kind in zip(figures, Kind, strict=True):
        said = svg.find("desc")[0].text
        for row in tables.latencies:
            if row.kind is kind:
                assert row.total.median.value is not None
                value = seconds(row.total.median.value)
                assert f"{ENGLISH[row.language]}, {MODELS[row.model]}: {value}" in said
                assert value in {e.text for e in svg.find("text")}


@pytest.mark.parametrize("factor", [0.01, 0.1, 1.0, 5.0, 100.0])
def test_ticks_of_an_axis_are_told_apart(tmp_path: Path, factor: float) -> None:
    def scale(row: RequestRow) -> RequestRow | None:
        return _short(row) and row.model_copy(update={"total_s": row.total_s * factor})

    for svg in figures_of(device(render(made(tmp_path / "run", BARE, row_hook=scale))), "Median time of a request"):
        texts = [e.text.replace(",", "") for e in svg.find("text") if "text-anchor: middle" in e.attrs["style"]]
        ticks = [float(text) for text in texts if text != "Seconds for a request"]
        assert len(ticks) > 2
        # As far apart as they are drawn: none is rounded to where it does not stand.
        assert ticks == pytest.approx([ticks[1] * n for n in range(len(ticks))], abs=1e-9), texts
        assert ticks[1] > 0


def test_memory_is_shown_by_part_with_what_it_rests_on(section: Element) -> None:
    first, second = cells(table(section, "Memory while requests were served"))
    basis = "proven: served the longest requests under a limit of 214 MiB (cgroup2), as fast as without"
    assert first[:9] == [
        MODELS[SMOL], "204 MiB", basis, "90 MiB", "114 MiB", "20 MiB", "30 MiB", "25 MiB", "none used",
    ]  # fmt: skip
    assert first[9:] == ["768", "— 97 % of the file stayed in the page cache", "0.25 s"]
    assert second[1] == "404 MiB"


def test_what_fits_is_shown_for_each_device(section: Element, tables: DeviceTables, tmp_path: Path) -> None:
    shown = cells(table(section, "Does it fit?"))
    assert [line[0] for line in shown] == [fit.budget.name for fit in tables.fits[0].fits]
    for line, fit in zip(shown, tables.fits[0].fits, strict=True):
        assert fit.margin_bytes is not None
        assert line[2] == f"{fit.verdict.value} {fit.margin_bytes / MIB:,.0f} MiB to spare"
    facts, _ = stored(build_profiles(tmp_path / "whole", BARE), SMOL)
    large = tuple(p.model_copy(update={"rss_anon": 2500 * MIB}) for p in facts.memory)
    lines = cells(table(device(render(made(tmp_path / "run", BARE, facts={"memory": large}))), "Does it fit?"))
    small = next(line for line in lines if line[0] == "Raspberry Pi 4 (2 GB)")
    # 2500 + 4 + 90 MiB are needed; 1508749312 bytes are free.
    assert small[2] == f"does not fit {2594 - 1508749312 / MIB:,.0f} MiB too little"
    unknown = tuple(p.model_copy(update={"rss_anon": None}) for p in facts.memory)
    lines = cells(table(device(render(made(tmp_path / "third", BARE, facts={"memory": unknown}))), "Does it fit?"))
    assert {line[2] for line in lines} == {"not known"}


def test_contexts_and_threads_are_shown(section: Element) -> None:
    whole, lacking = cells(table(section, "Time to read a text"))[:2]
    assert whole[1:] == ["128", "0.50 s", "256", "25.0", "4 MiB", "200 MiB"]
    assert lacking[1:] == ["512", "— the model was trained for 256 tokens"]
    assert cells(table(section, "Rates by number of threads"))[1] == [MODELS[SMOL], "4", "233", "25.0"]


def figures(value: float) -> str:
    """Three figures that count."""
    return f"{float(f'{value:.3g}'):.{max(0, 2 - int(f'{value:e}'.partition('e')[2]))}f}"


def test_energy_is_shown_with_label_and_interval(section: Element, tables: DeviceTables) -> None:
    shown = cells(table(section, "Energy of a request"))
    assert len(shown) == len(tables.energies) == 6
    for line, row in zip(shown, tables.energies, strict=True):
        assert line[0] == MODELS[row.model]
        assert line[1].startswith(ENGLISH[row.language])
        assert line[2:4] == ["Short classification", "measured at the wall"]
        for text, quantity in zip(
            line[4:9], (row.gross, row.net, row.per_token, row.per_thousand_chars, row.per_correct), strict=True
        ):
            assert quantity.value is not None
            assert quantity.low is not None
            assert quantity.high is not None
            ends = f"{figures(quantity.low)} – {figures(quantity.high)}"
            assert text == f"{figures(quantity.value)} J ({ends})"
        assert line[9] == f"{row.carbon_g:.2f} g 174 g/kWh, Spain (ESP) (a table, 2023)"
        assert line[10] == f"{row.mean_w:.1f}"
    assert "unavailable" not in section.text
    assert "rapl no /sys/class/powercap (use a plug with a meter)" in section.text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1234.6, "1,235 J"), (123.4, "123 J"), (12.34, "12.3 J"), (1.234, "1.23 J"), (0.1234, "0.123 J"),
     (0.00001234, "0.0000123 J"), (0.0, "0 J"), (None, MISSING)],
)  # fmt: skip
def test_no_small_energy_is_shown_as_zero(value: float | None, shown: str) -> None:
    text = load_text(data_root("reports") / "strings")
    assert Shown(text).joules(Quantity(value, reason="no interval")) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, MISSING), (0.0042, "4.2 ms"), (0.042, "42 ms"), (0.42, "0.42 s"), (4.2, "4.20 s"), (42.0, "42.0 s")],
)
def test_times_are_shown_in_a_unit_that_suits_them(value: float | None, shown: str) -> None:
    assert Shown(load_text(data_root("reports") / "strings")).seconds(value) == shown


def test_the_summary_speaks_of_speed_memory_and_energy(html: str, tables: DeviceTables, tmp_path: Path) -> None:
    said = Page(html).root.find("section", id="summary")[0].text
    rows = {(r.model, r.language): r for r in tables.latencies if r.kind is Kind.CLASSIFICATION}
    fast, slow = rows[SMOL, "en"].total.median.value, rows[SMOL, "eu"].total.median.value
    assert fast is not None
    assert slow is not None
    assert (
        f"On this device, {MODELS[SMOL]} takes {seconds(fast)} for a short classification in English, and "
        f"{seconds(slow)} in Basque." in said
    )
    n = len(load_budgets())
    assert f"{MODELS[SMOL]} needs 204 MiB of memory (proven under a limit) and fits {n} of {n} common devices." in said
    assert "Energy is not known" not in said
    alone = render(made(tmp_path / "run", BARE, codes=("eu",)))
    said = Page(alone).root.find("section", id="summary")[0].text
    assert re.search(r"takes \d\.\d\d s for a short classification in Basque\. One needs 204 MiB", said), said
    assert "(observed peak)" in said
    assert "Energy is not known: no power sensor was found, and no meter was named." in said


# --- what is missing


@pytest.mark.parametrize(
    ("plan", "reason", "fix"),
    [
        (BARE, "no power sensor was found, and no meter was named", "measure with --meter"),
        (
            DevicePlan(models=ONE, codes=("en",), meter=Meter(idle_s=20.0), rounds=2),
            "idle before: 20 s measured, 60 s needed; idle after: 20 s measured, 60 s needed",
            "measure for longer",
        ),
        (
            replace(BARE, meter=Meter(samples=False, failures=("the plug does not answer",))),
            "the power meter plug gave no value; the plug does not answer",
            "measure with --meter",
        ),
    ],
    ids=["no meter", "too short", "no value"],
)
def test_energy_that_is_missing_has_reason_and_fix_and_is_no_zero(
    tmp_path: Path, plan: DevicePlan, reason: str, fix: str
) -> None:
    section = device(render(made(tmp_path / "run", plan)))
    (notice,) = [e.text for e in section.find("p") if "unavailable" in e.text]
    assert notice.startswith(f"{reason}. To have a figure: {fix}")
    assert not re.search(r"\b0(\.0+)? (J|g|W)\b", section.text)
    assert not [t for t in section.find("table") if t.find("caption")[0].text.startswith("Energy")]


def test_an_estimate_is_called_one(tmp_path: Path) -> None:
    shown = cells(table(device(render(made(tmp_path / "run", BARE, watts=7.5))), "Energy of a request"))
    assert len(shown) == 3
    for line in shown:
        assert line[3] == "estimated 7.5 W given by the user × measured time"
        assert re.fullmatch(r"\d\.\d\d J", line[4])  # no interval
        assert line[5] == "— an estimate from one power has no idle part"
        assert line[9] == "— no grid was named (--grid)"


def test_a_tax_without_its_reference_is_not_called_the_reference(tmp_path: Path) -> None:
    section = device(render(made(tmp_path / "run", BARE, codes=("es", "eu"))))
    for line in cells(table(section, "Short classification")):
        assert line[-2:] == ["— the reference en was not measured"] * 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["One: no other work and no throttling disturbed the rounds."]),
        (
            {"noisy": (0,)},
            ["One: 1 of 2 rounds were disturbed by other work (0.42 cores were busy with other processes); {kept}"],
        ),
        (
            {"throttled": (1,)},
            ["One: in 1 of 2 rounds the device was slowed down (the frequency limit fell); {kept}"],
        ),
    ],
)  # fmt: skip
def test_the_state_of_the_device_is_told(tmp_path: Path, changes: dict[str, Any], told: list[str]) -> None:
    section = device(render(made(tmp_path / "run", BARE, **changes)))
    said = [e.text for e in section.find("ul", **{"class": "conditions"})[0].find("li")]
    kept = "they are kept apart where undisturbed ones remain."
    assert said == [*(sentence.format(kept=kept) for sentence in told), "One: the hottest sensor reached 61 °C."]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"throttled": None},
            "One: no other work disturbed the rounds; this system does not tell whether it was throttled.",
        ),
        (
            {"noisy": None, "noise": ("no /proc/stat",)},
            "One: whether other work disturbed the rounds cannot be told (no /proc/stat).",
        ),
    ],
)
def test_what_the_system_does_not_tell_is_not_called_quiet(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    facts, _ = stored(build_profiles(tmp_path / "whole", BARE), SMOL)
    stretches = tuple(s.model_copy(update={**changes, "temperature_max_c": None}) for s in facts.stretches)
    section = device(render(made(tmp_path / "run", BARE, facts={"stretches": stretches})))
    assert [e.text for e in section.find("ul", **{"class": "conditions"})[0].find("li")] == [told]


def test_a_profile_that_broke_off_or_is_not_finished_says_so(tmp_path: Path) -> None:
    failed = {"status": CellStatus.FAILED, "reason": "the engine crashed (SIGSEGV)", "sittings": 2}
    text = device(render(made(tmp_path / "failed", BARE, facts=failed))).text
    assert "One: the measurement broke off: the engine crashed (SIGSEGV)" in text
    assert "One: measured in 2 sittings, because it was interrupted." in text
    nothing = {
        **failed,
        "memory": (),
        "curve": (),
        "thread_points": (),
        "stretches": (),
        "engine": "",
        "rounds_done": 0,
    }
    empty = device(render(made(tmp_path / "empty", BARE, row_hook=lambda _: None, facts=nothing)))
    assert "the measurement broke off" in empty.text
    assert not empty.find("svg", role="img")
    text = device(render(made(tmp_path / "pending", BARE, facts={"status": CellStatus.PENDING, "rounds_done": 1}))).text
    assert "One: not finished yet; 1 of 2 rounds are measured." in text


def test_disturbed_figures_are_marked_in_table_and_figure(tmp_path: Path) -> None:
    section = device(render(made(tmp_path / "run", BARE, noisy=(0, 1))))
    assert {line[1] for line in cells(table(section, "Short"))} == {"6 disturbed"}
    quiet = device(render(made(tmp_path / "quiet", BARE)))

    def hollow(element: Element) -> int:
        # A hollow point is filled with the page's own colour.
        return sum("fill: var(--surface)" in e.attrs.get("style", "") for e in element.every())

    assert hollow(quiet) == 0
    assert hollow(section) > 0


# --- with scores, and without a device


def test_a_run_of_scores_has_no_part_on_the_device(run: Run, page: Page) -> None:
    assert not run.profiles
    assert not page.root.find("section", id="device")
    assert "On this device" not in page.root.text


def test_a_run_that_only_measures_a_device_has_no_part_on_scores(html: str) -> None:
    page = Page(html)
    for part in ("accuracy", "gap", "tokens", "method"):
        assert not page.root.find("section", id=part)
        assert not [a for a in page.root.find("a") if a.attrs["href"] == f"#{part}"]
    assert "No item has a score" not in page.root.text
    assert "item scored" not in page.root.text
    assert not [h for h in page.root.find("section", id="ran")[0].find("h4") if h.text == "Tasks"]


def test_a_run_with_scores_and_a_device_shows_both(tmp_path: Path) -> None:
    path = build_run(tmp_path / "run", Plan(items=6, codes=("en", "es", "eu"), holes=False))
    page = Page(render(made(path, BARE, models=None)))
    for part in ("accuracy", "gap", "tokens", "device", "method"):
        assert page.root.find("section", id=part)
    said = page.root.find("section", id="summary")[0].text
    assert "2 models were measured in 3 languages on 2 task groups" in said
    assert "On this device, SmolLM2 135M Instruct takes" in said


def test_all_text_is_escaped(tmp_path: Path) -> None:
    facts = {
        "status": CellStatus.FAILED, "reason": EVIL, "engine": EVIL, "cool_down": EVIL, "memory_proof": {"reason": EVIL},
    }  # fmt: skip
    found = (MeterFound(name=EVIL, available=False, told=EVIL, fix=EVIL),)
    plan = replace(BARE, models={SMOL: EVIL}, facts=facts, found=found, watts=5.0)
    html = render(made(tmp_path / "run", plan))
    assert "<script>alert" not in html
    section = device(html)
    assert not section.find("script")
    for text in (f"{EVIL}: the measurement broke off: {EVIL}", f"with {EVIL} on", f"Before {EVIL}: {EVIL}."):
        assert " ".join(text.split()) in section.text
    assert cells(table(section, "Memory while"))[0][1:3] == ["204 MiB", f"observed peak: {EVIL}"]
    assert f"{EVIL} {EVIL} ({EVIL})" in section.text
    for svg in section.find("svg", role="img"):
        # The figure of devices names no models.
        assert EVIL in svg.find("desc")[0].text or "devices have free" in svg.attrs["aria-label"]


def test_the_same_folder_gives_the_same_bytes(measured: Run, html: str, tmp_path: Path) -> None:
    assert build_report(measured.path, tmp_path / "r.html").read_text(encoding="utf-8") == html
    assert str(measured.path) not in html


# --- the strings


class _Recorded(Text):
    """Notes every key that is asked for."""

    asked: set[str]

    def __call__(self, key: str, **values: Any) -> str:
        self.asked.add(key)
        return super().__call__(key, **values)


def _strings() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted((data_root("reports") / "strings" / "en").glob("*.yaml")):
        found |= yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _variants(folder: Path, measured: Run) -> Iterator[Run]:
    """Runs that together show all that this part can show."""
    yield measured
    facts, _ = stored(measured.path, SMOL)
    untold = tuple(s.model_copy(update={"throttled": None}) for s in facts.stretches[:1])
    unheard = tuple(s.model_copy(update={"noisy": None}) for s in facts.stretches[:1])
    # Some fit nowhere, some tightly: the smallest device has 1439 MiB free.
    large = tuple(p.model_copy(update={"rss_anon": 1200 * MIB}) for p in facts.memory)
    unknown = tuple(p.model_copy(update={"rss_anon": None}) for p in facts.memory)
    variants: tuple[dict[str, Any], ...] = (
        {"facts": {"status": CellStatus.FAILED, "reason": "x", "sittings": 2, "memory": large}, "watts": 5.0},
        {"facts": {"status": CellStatus.PENDING, "memory": unknown}, "noisy": (0, 1), "throttled": (0,)},
        {"facts": {"stretches": untold, "memory": tuple(p.model_copy(update={"rss_anon": 3000 * MIB}) for p in large)}},
        {"facts": {"stretches": unheard}, "codes": ("eu",)},
        {"facts": {"memory": tuple(p.model_copy(update={"vram": 9 * MIB}) for p in facts.memory)}},
        {},
    )
    for number, changes in enumerate(variants):
        yield made(folder / str(number), BARE, **changes)
    yield made(folder / "derived", DevicePlan(models=ONE, codes=("en",), meter=Meter(label="derived"), rounds=2))
    yield _own(made(folder / "own", BARE))
    yield with_scores(folder / "scores")
    # How fast Catalan is read is an estimate.
    yield made(folder / "near", DevicePlan(models=ONE, codes=("en", "ca"), meter=None, rounds=2))


def with_scores(path: Path, **changes: Any) -> Run:
    """Return a run with scores and profiles: more requests than are drawn, and two lengths of context."""
    build_run(path, Plan(items=8, codes=("en", "es", "eu"), holes=False))
    points = tuple(
        CurvePoint(tokens=n, prefill_s=0.004 * n, steps_s=(0.02, 0.04, 0.05), kv_bytes=n * 1024, peak_rss=MIB * n)
        for n in (128, 512)
    )
    return made(path, DevicePlan(rounds=20, facts={"curve": points}), **changes)


def _own(run: Run) -> Run:
    """Return a run whose device was asked a user's own messages."""
    (profile,) = run.profiles
    settings = profile.facts.cell.settings.model_copy(update={"own_messages": True})
    cell = profile.facts.cell.model_copy(update={"settings": settings})
    facts = profile.facts.model_copy(update={"cell": cell})
    return replace(run, profiles=(replace(profile, facts=facts),))


def test_messages_of_a_user_are_not_said_to_be_the_same_content_or_the_shipped_categories(tmp_path: Path) -> None:
    page = render(_own(made(tmp_path / "own", BARE)))
    said = Page(page).root.find("section", id="device")[0].text
    assert "need not have the same content" in said
    assert "one of the user's categories" in said
    assert "with the same content in every language" not in said
    assert "twelve categories" not in said
    assert "behind every bar of a panel" not in said


def test_every_string_of_the_device_is_there_and_used(
    measured: Run, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strings = _strings()
    recorded = _Recorded(strings, "en_GB")
    recorded.asked = set()
    monkeypatch.setattr(build, "load_text", lambda *_: recorded)
    # A key that is missing ends the rendering.
    for one in _variants(tmp_path, measured):
        render(one)
    ours = {key for key in strings if key.startswith(("device.", "label."))}
    assert ours - recorded.asked == set()
    render(run)  # columns are shared with the tables of scores
    columns = {key for key in strings if key.startswith("col.")}
    assert columns - recorded.asked - _written() == set()


def _sources() -> str:
    paths = [*(ROOT / "reports").rglob("*.j2"), *(ROOT / "evalsuite" / "report").glob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(paths))


def _written() -> set[str]:
    """Keys that stand in the sources as they are, or whose last part is a column's name there."""
    quoted = set(re.findall(r"""["']([\w. ]+)["']""", _sources()))
    return quoted | {f"col.{name}" for name in quoted}


def test_no_string_of_the_report_is_unused() -> None:
    sources = _sources()
    begun = set(re.findall(r"""["']([\w.]+\.)["'] ~""", sources)) | set(re.findall(r"""f["']([\w.]+\.)\{""", sources))
    # A part's title is asked for as the part's name with an ending.
    titles = {f"{name}.title" for name in _written()} if '~ ".title"' in sources else set()
    # Reasons are asked for by what analysis says.
    begun.add(REASON)
    unused = {
        key
        for key in _strings().keys() - _written() - titles - {"locale"}
        if not any(key.startswith(prefix) for prefix in begun)
    }
    assert unused == set()


def test_every_string_that_is_asked_for_by_name_is_there() -> None:
    asked = set(re.findall(r"""\b(?:t|text|_text)\(\s*["']([\w. ]+)["'][,)]""", _sources()))
    assert len(asked) > 100
    assert asked - _strings().keys() == set()


def test_a_model_that_was_measured_on_two_devices_has_rows_of_its_own_for_each(tmp_path: Path) -> None:
    folder = build_profiles(tmp_path / "run", DevicePlan(models=ONE, codes=("en", "es"), meter=None))
    manifest = RunFolder(folder).manifest
    (cell,) = manifest.profiles
    other = manifest.device.model_copy(update={"cpu": "Raspberry <Pi> 5", "ram_bytes": 8 * 2**30})
    there = cell.model_copy(update={"id": f"{cell.id}-there", "device": other.fingerprint})
    shutil.copytree(folder / "profiles" / cell.id, folder / "profiles" / there.id)
    facts = folder / "profiles" / there.id / "profile.json"
    known = json.loads(facts.read_text(encoding="utf-8"))
    facts.write_text(json.dumps(known | {"cell": there.model_dump(mode="json")}), encoding="utf-8")
    with RunWriter(folder) as writer:
        writer.write_manifest(
            manifest.model_copy(update={"profiles": (cell, there), "devices": {other.fingerprint: other}})
        )
    run = load_run(folder)
    tables = device_tables(run)
    names = {row.model for row in tables.latencies}
    assert names == {f"{SMOL}@{device}" for device in (cell.device, other.fingerprint)}
    assert len(tables.fits) == len(tables.memory) == 2
    text = render(run)
    assert "One on Raspberry &lt;Pi&gt; 5" in text
    assert "<Pi>" not in text


def test_a_profile_that_is_not_whole_stands_among_what_is_missing(tmp_path: Path) -> None:
    folder = build_profiles(tmp_path / "run", DevicePlan(models=ONE, codes=("en",), meter=None))
    (cell,) = RunFolder(folder).manifest.profiles
    path = folder / "profiles" / cell.id / "profile.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    told = {"status": "failed", "reason": "the engine crashed (SIGILL) (fix: build it anew)", "rounds_done": 2}
    path.write_text(json.dumps(facts | told), encoding="utf-8")
    (row,) = [row for row in analyse(load_run(folder)).failures if row.task == "profile"]
    assert (row.status, row.model, row.done) == ("failed", SMOL, 2)
    assert (row.reason, row.fix) == ("the engine crashed (SIGILL)", "build it anew")
    shutil.rmtree(path.parent)
    (row,) = [row for row in analyse(load_run(folder)).failures if row.task == "profile"]
    assert (row.status, row.done) == ("pending", 0)
