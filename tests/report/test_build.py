"""The report as a file: whole, self-contained, escaped, and with the numbers of the tables."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evalsuite.analysis import Run, analyse, load_run
from evalsuite.errors import StoreError
from evalsuite.records import Cell, Model, PromptForm, Record, Source
from evalsuite.report import build_report
from evalsuite.report.build import render
from evalsuite.report.provenance import source_text
from tests.report.conftest import Page
from tests.synthetic import MODELS, Plan, build_run

EVIL = "<script>alert(1)</script>{{7*7}}{% raw %}\"'&$x^2$"


def test_the_page_is_well_formed_and_says_what_it_is(page: Page) -> None:
    assert page.declarations == ["DOCTYPE html"]
    (html,) = page.root.find("html")
    assert html.attrs["lang"] == "en"
    assert page.root.find("title")[0].text == "Compact models for the service desk"
    assert page.root.find("meta", name="viewport")[0].attrs["content"].startswith("width=device-width")
    assert [e.text for e in page.root.find("h2")] == [
        "The decision",
        "Language gaps",
        "Models",
        "Items",
        "Method and provenance",
    ]


def test_the_page_loads_nothing_and_runs_its_own_script_alone(report: Path, page: Page) -> None:
    (script,) = page.root.find("script")
    assert not script.attrs
    # What a browser hashes is the text between the tags, to the byte.
    source = re.search(r"<script>(.*?)</script>", report.read_text(encoding="utf-8"), re.DOTALL)
    assert source is not None
    digest = base64.b64encode(hashlib.sha256(source[1].encode()).digest()).decode()
    policy = page.root.find("meta", **{"http-equiv": "Content-Security-Policy"})[0].attrs["content"]
    assert policy == (f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:")
    tags = {e.tag for e in page.root.every()}
    assert not tags & {"link", "img", "image", "iframe", "object", "embed", "base", "form", "foreignobject"}
    for element in page.root.every():
        for name, value in element.attrs.items():
            assert not name.startswith("on")
            if name in {"href", "src", "xlink:href", "action", "data", "srcset"}:
                assert value.startswith("#"), f"<{element.tag} {name}={value!r}>"
            assert "://" not in value
    text = report.read_text(encoding="utf-8")
    assert "@import" not in text
    assert set(re.findall(r"url\(\s*(.)", text)) <= {"#"}


def test_ids_are_unique_and_every_reference_is_met(report: Path, page: Page) -> None:
    ids = [e.attrs["id"] for e in page.root.every() if "id" in e.attrs]
    assert len(set(ids)) == len(ids)
    hrefs = {e.attrs["href"][1:] for e in page.root.every() if "href" in e.attrs}
    drawn = set(re.findall(r"url\(#([^)]+)\)", report.read_text(encoding="utf-8")))
    assert hrefs | drawn <= set(ids)


def test_every_figure_is_labelled_and_has_a_table(page: Page) -> None:
    figures = page.root.find("svg", role="img")
    assert (
        len(figures) == 15
    )  # the map of two models; scores, gaps, tokens of two groups; fewer categories in 7 languages
    for svg in figures:
        assert svg.attrs["aria-label"]
        assert svg.find("title")[0].text == svg.attrs["aria-label"]
        assert len(svg.find("desc")[0].text) > 40
    for svg in page.root.find("svg"):
        assert svg.attrs.get("role") == "img" or svg.attrs.get("aria-hidden") == "true"
    for section in ("accuracy", "gap", "tokens"):
        (part,) = page.root.find("section", id=section)
        assert len(part.find("figcaption")) == 1
        assert len(part.find("table")) >= len(part.find("svg", role="img"))
    assert all(table.find("caption")[0].text for table in page.root.find("table"))


def test_tables_have_as_many_cells_as_columns(page: Page) -> None:
    for table in page.root.find("table"):
        width = len(table.find("thead")[0].find("th"))
        for row in table.find("tr"):
            cells = [e for e in row.children if e.tag in {"td", "th"}]
            assert sum(int(c.attrs.get("colspan", "1")) for c in cells) == width, row.text


def test_scores_are_those_of_the_tables(run: Run, page: Page) -> None:
    shown = [t for t in page.root.find("section", id="accuracy")[0].find("table") if "Chance" in t.text]
    rows = [r.text for table in shown for r in table.find("tr") if r.find("td")]
    expected = analyse(run).scores
    by_group = [r for group in ("toy_topics", "toy_facts") for r in expected if r.group == group]
    assert len(rows) == len(by_group)
    for text, row in zip(rows, by_group, strict=True):
        if row.estimate.value is None:
            assert text.endswith(f"— {row.estimate.reason}")
        else:
            assert row.estimate.low is not None
            assert row.estimate.high is not None
            assert f"{100 * row.estimate.value:.1f}%" in text
            assert f"{100 * row.estimate.low:.1f} to {100 * row.estimate.high:.1f}" in text


def test_gaps_are_those_of_the_tables(run: Run, page: Page) -> None:
    rows = [r.text for r in page.root.find("section", id="gap")[0].find("tr") if r.find("td")]
    expected = analyse(run).gaps
    by_group = [r for group in ("toy_topics", "toy_facts") for r in expected if r.group == group]
    assert len(rows) == len(by_group)
    for text, row in zip(rows, by_group, strict=True):
        d = row.difference
        if d.difference is None:
            assert text.endswith(f"— {row.reason}")
            continue
        assert f"{100 * d.difference:+.1f}".replace("-", "−").replace("+0.0", "0.0") in text
        assert str(row.verdict) in text
        assert f"{d.only_first} / {d.only_second}" in text
    family = sum(1 for r in expected if r.difference.p is not None)
    assert f"over all {family} gaps in this report" in page.root.find("section", id="gap")[0].text


def test_low_resource_languages_are_marked_in_words(page: Page) -> None:
    for svg in page.root.find("section", id="gap")[0].find("svg", role="img"):
        assert svg.text.count("low-resource") == 3
    heads = [e.text for e in page.root.find("section", id="gap")[0].find("tr", **{"class": "group"})]
    assert "Basque Euskara low-resource" in heads
    assert "Japanese 日本語" in heads
    assert {e.attrs["lang"] for e in page.root.find("span", **{"class": "native"})} == {
        "es",
        "pt",
        "ca",
        "gl",
        "eu",
        "ja",
    }


def test_what_is_missing_is_listed_with_reason_and_fix(page: Page) -> None:
    rows = [r.text for r in page.root.find("section", id="failures")[0].find("tr") if r.find("td")]
    assert len(rows) == 3
    assert "the engine crashed: SIGSEGV build llama-cpp-python without AMX" in rows[0]
    assert "20 of 60 not finished yet Run the same command again" in rows[1]
    assert rows[2].startswith("skipped all models toy_facts_eu Basque —")


def test_a_sample_is_said_to_be_one(page: Page) -> None:
    assert "on a seeded sample of 60 of 120 to 204 items per task" in page.root.find("section", id="summary")[0].text
    assert "60 of 204" in page.root.find("section", id="ran")[0].text


def test_provenance_is_complete(run: Run, page: Page) -> None:
    text = page.root.find("section", id="provenance")[0].text
    manifest = run.manifest
    for model in manifest.models.values():
        assert str(model.sha256) in text
        assert str(model.source) in text
    assert all(task.sha256 in text for task in manifest.tasks.values())
    assert all(one.sha256 in text for one in manifest.languages.values())
    for value in (manifest.command, str(manifest.sweep.seed), manifest.device.cpu, manifest.device.fingerprint):
        assert value in text
    assert all(version in text for version in manifest.versions.values())
    # The failed cell spent nothing, the pending one is not summed yet: the total says that it is partial.
    assert "known for 25 of 26 cells" in text


def test_a_local_file_does_not_give_its_folder_away() -> None:
    model = Model(
        name="m", backend="llamacpp", title="M", licence="MIT", source=Source(kind="file", path=Path("/home/me/m.gguf"))
    )
    assert source_text(model) == "file:m.gguf"


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report in which all free text is hostile."""
    plan = Plan(
        items=8,
        codes=("en", "eu", "ja"),
        models={name: f"{i}{EVIL}" for i, name in enumerate(MODELS)},
        note=EVIL,
        doc=EVIL,
        reason=EVIL,
    )
    return render(load_run(build_run(tmp_path_factory.mktemp("evil") / "run", plan)))


def test_text_from_models_and_data_is_escaped(evil: str) -> None:
    page = Page(evil)
    assert len(page.root.find("script")) == evil.count("<script") == 1
    assert "alert(1)" not in page.root.find("script")[0].text
    assert "{{7*7}}" in evil
    assert f"0{EVIL}" in page.root.find("ul", **{"class": "key"})[0].text
    assert EVIL in page.root.find("section", id="ran")[0].text
    assert EVIL in page.root.find("section", id="failures")[0].text
    for svg in page.root.find("svg", role="img"):
        told = svg.find("desc")[0].text + svg.attrs["aria-label"]
        assert f"0{EVIL}" in told or f"1{EVIL}" in told
        assert not svg.find("script")


def test_the_same_run_gives_the_same_bytes(run: Run, report: Path) -> None:
    assert render(load_run(run.path)) == report.read_text(encoding="utf-8")


def test_one_model_one_language_needs_no_gap(tmp_path: Path) -> None:
    name = next(iter(MODELS))
    plan = Plan(items=5, codes=("en",), models={name: "One"}, holes=False, limit=None)
    page = Page(render(load_run(build_run(tmp_path / "run", plan))))
    assert "there are no gaps" in page.root.find("section", id="gap")[0].text
    assert "Nothing is missing" in page.root.find("section", id="failures")[0].text
    assert "sample" not in page.root.find("section", id="summary")[0].text
    assert not page.root.find("h4", id="pairs")


def test_a_run_that_has_measured_nothing_has_a_report(tmp_path: Path) -> None:
    path = build_run(tmp_path / "run", Plan(items=3, codes=("en", "eu")))
    for file in (path / "cells").glob("*/*"):
        file.unlink()
    page = Page(render(load_run(path)))
    assert (
        page.root.find("section", id="summary")[0].text
        == "What the numbers show No item has a score yet, so nothing can be said."
    )
    assert not page.root.find("svg", role="img")


def test_both_prompt_forms_are_told_apart(tmp_path: Path) -> None:
    plan = Plan(items=6, codes=("en", "eu"), holes=False, forms=(PromptForm.NATIVE, PromptForm.CHAT))
    page = Page(render(load_run(build_run(tmp_path / "run", plan))))
    keys = [e.text for e in page.root.find("ul", **{"class": "key"})[0].find("li")]
    assert keys == [f"{title} ({form})" for title in MODELS.values() for form in ("plain form", "chat form")]


def test_raw_and_ungrouped_scores_have_their_own_blocks(tmp_path: Path) -> None:
    def as_chrf(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"score": 30.0 + record.item_index}) if "facts" in cell.task else record

    plan = Plan(items=12, codes=("en", "eu"), holes=False, record_hook=as_chrf)
    page = Page(render(load_run(build_run(tmp_path / "run", plan))))
    first = page.root.find("section", id="accuracy")[0].find("svg", role="img")
    assert [any("%" in e.text for e in svg.find("text")) for svg in first] == [True, False]
    assert "35.50" in page.root.find("section", id="accuracy")[0].text


def test_the_report_is_written_whole_or_not_at_all(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    assert build_report(run.path, out) == out
    assert [p.name for p in out.parent.iterdir()] == ["report.html"]
    with pytest.raises(StoreError, match="cannot be written"):
        build_report(run.path, tmp_path / "new")
    assert [p.name for p in out.parent.iterdir()] == ["report.html"]


def test_reporting_imports_no_engine(run: Run, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "import evalsuite.analysis, evalsuite.report\n"
        "assert not {'pandas', 'matplotlib', 'scipy'} & set(sys.modules), 'not lazy'\n"
        f"evalsuite.report.build_report(pathlib.Path({str(run.path)!r}), pathlib.Path({str(tmp_path / 'r.html')!r}))\n"
        "heavy = {'torch', 'llama_cpp', 'lm_eval', 'transformers', 'evalsuite.backends', 'evalsuite.meters'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_of_many_models_only_the_leader_is_compared(tmp_path: Path) -> None:
    plan = Plan(items=20, codes=("en",), models={f"m{i}": f"Model {i}" for i in range(5)}, holes=False)
    run = load_run(build_run(tmp_path / "run", plan))
    section = Page(render(run)).root.find("section", id="accuracy")[0]
    rows = [r for t in section.find("table") if "Difference" in t.text for r in t.find("tr") if r.find("td")]
    assert len(rows) == 2 * 4
    assert all("−" not in r.find("td")[1].text for r in rows)
    assert "over all 20 pairs of models, also those that are not shown" in section.text
