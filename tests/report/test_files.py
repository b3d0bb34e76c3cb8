"""What is written beside the page: the PDF, and each figure by itself."""

from __future__ import annotations

import csv
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from evalsuite.analysis import Run, analyse
from evalsuite.errors import InputError
from evalsuite.report import build_report, pdf
from evalsuite.report.options import ReportOptions
from evalsuite.report.pdf import find_browser, write_pdf
from tests.report.conftest import Page


@pytest.fixture(scope="module")
def figures(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    build_report(run.path, folder / "report.html", figures=folder / "new" / "slides")
    return folder


def test_each_figure_of_the_page_is_written_in_three_ways(figures: Path) -> None:
    page = Page((figures / "report.html").read_text(encoding="utf-8"))
    drawn = page.root.find("svg", role="img")
    names = {path.name for path in (figures / "new" / "slides").iterdir()}
    assert len(names) == 3 * len(drawn)
    stems = {name.rpartition(".")[0] for name in names}
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("svg", "png", "csv")}


def test_a_figure_stands_by_itself(figures: Path) -> None:
    for path in (figures / "new" / "slides").glob("*.svg"):
        source = path.read_text(encoding="utf-8")
        assert "var(" not in source
        # No stand-in of a colour is left, which a page would have replaced.
        assert not re.search(r"#(?:0[1-6]0[1-6]0[1-6]|[12]0000[0-6])\b", source)
        assert list(ET.fromstring(source).iter("{http://www.w3.org/2000/svg}text"))
    for path in (figures / "new" / "slides").glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_the_numbers_are_those_of_the_tables(run: Run, figures: Path) -> None:
    expected = sorted(
        round(100 * row.difference.difference, 9) for row in analyse(run).gaps if row.difference.difference is not None
    )
    found = []
    for path in (figures / "new" / "slides").glob("gaps-*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            found += [float(row["value"]) for row in csv.DictReader(file)]
    assert sorted(round(value, 9) for value in found) == expected


def test_a_folder_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="cannot be written to"):
        build_report(
            run.path, tmp_path / "r.html", figures=tmp_path / "taken", options=ReportOptions(sections=("gaps",))
        )


def test_without_a_browser_the_page_is_there_and_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError) as caught:
        write_pdf(tmp_path / "r.html", tmp_path / "r.pdf")
    assert "neither Chromium" in caught.value.problem
    assert "apt install chromium" in (caught.value.fix or "")


def test_a_browser_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_browser({"EVALSUITE_BROWSER": sys.executable}) == sys.executable
    with pytest.raises(InputError, match="EVALSUITE_BROWSER=nothing-here"):
        find_browser({"EVALSUITE_BROWSER": "nothing-here"})


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for the browser")
def test_a_browser_that_fails_leaves_an_earlier_file_whole(tmp_path: Path) -> None:
    broken = tmp_path / "browser"
    broken.write_text("#!/bin/sh\necho 'cannot open display' >&2\nexit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "r.html").write_text("<p>")
    (tmp_path / "r.pdf").write_bytes(b"%PDF earlier")
    with pytest.raises(InputError, match="wrote none: cannot open display"):
        write_pdf(tmp_path / "r.html", tmp_path / "r.pdf", browser=str(broken))
    assert (tmp_path / "r.pdf").read_bytes() == b"%PDF earlier"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--sections", "gap"], "did you mean 'gaps'"),
        (["--lang", "fr"], "fr"),
        (["--policy", "missing.yaml"], "no such policy file"),
        (["--theme", "missing.yaml"], "missing.yaml"),
        (["--out", "."], "is a folder"),
    ],
)
def test_bad_options_are_told_on_the_command_line(run: Run, arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evalsuite", "report", str(run.path), *arguments],
        capture_output=True, text=True, check=False, cwd=run.path.parent,
    )  # fmt: skip
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_for_weasyprint_each_drawing_carries_its_styles_in_light_colours(figures: Path) -> None:
    page = pdf.self_styled((figures / "report.html").read_text(encoding="utf-8"))
    drawings = re.findall(r'<svg [^>]*class="fig".*?</svg>', page, re.DOTALL)
    assert drawings
    for drawing in drawings:
        (style,) = re.findall(r"<style>(.*?)</style>", drawing, re.DOTALL)
        assert "var(" not in drawing
        used = set(re.findall(r'class="(f[a-z]+)"', drawing)) - {"fig"}
        assert used <= set(re.findall(r"^\.(\w+)\{", style, re.MULTILINE))
        assert re.search(r"fill: #[0-9a-f]{6}", style)
