"""Prints a report to PDF with a browser that is on this machine, or with WeasyPrint; nothing is fetched."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from evalsuite.errors import InputError
from evalsuite.report.figure_files import light_colours

__all__ = ["BROWSERS", "find_browser", "self_styled", "write_pdf"]

BROWSERS = (
    *(
        "chromium",
        "chromium-browser",
        "google-chrome-stable",
        "google-chrome",
        "chrome",
        "microsoft-edge",
        "brave-browser",
    ),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
"""Programs that print as Chromium does, looked for in this order."""

_RULE = re.compile(r"^(\.(f[a-z]+)\{[^}]*\})$", re.MULTILINE)
"""A style that drawings share (`compact.Styles`)."""
_DRAWING = re.compile(r'(<svg [^>]*class="fig"[^>]*>)(.*?)(?=</svg>)', re.DOTALL)
_CLASS = re.compile(r'class="(f[a-z]+)"')
_USED = re.compile(r"var\(--([\w-]+)\)")

_NAMED = "EVALSUITE_BROWSER"
_LIMIT_S = 180
_QUIET = (
    *("--headless", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-extensions", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--no-pdf-header-footer"),
)


def find_browser(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the browser to print with: the one that EVALSUITE_BROWSER names, or the first that is found.

    Raises:
        InputError: EVALSUITE_BROWSER names a program that is not there.
    """
    named = environment.get(_NAMED)
    if named:
        found = shutil.which(named)
        if found is None:
            raise InputError(f"{_NAMED}={named}: there is no such program", fix=f"name a Chromium, or unset {_NAMED}")
        return found
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def write_pdf(html: Path, out: Path, *, browser: str | None = None) -> Path:
    """Print a report to a PDF file and return it.

    Args:
        html: The report.
        out: The PDF file; an earlier one stays whole until the new one is.
        browser: Program to print with; by default `find_browser`, then WeasyPrint.

    Raises:
        InputError: There is neither a browser nor WeasyPrint, it failed, or the file cannot be written.
    """
    found = browser or find_browser()
    if found is None and importlib.util.find_spec("weasyprint") is None:
        raise InputError(
            f"no PDF: neither Chromium (or Chrome, or Edge) nor WeasyPrint is on this machine; {html} is written",
            fix=f"install one of them (Debian: apt install chromium), set {_NAMED}, or print the HTML file from any browser",
        )
    with tempfile.TemporaryDirectory(prefix="evalsuite-pdf-") as folder:
        made = Path(folder) / "report.pdf"
        told = _weasy(html, made) if found is None else _chromium(found, html, made, Path(folder))
        if not made.is_file() or not made.read_bytes().startswith(b"%PDF"):
            last = told.strip().splitlines()[-1:] or ["it said nothing"]
            raise InputError(
                f"no PDF: {found or 'WeasyPrint'} wrote none: {last[0]}", fix=f"print {html} from a browser"
            )
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            part = out.with_name(out.name + ".part")
            shutil.copyfile(made, part)
            part.replace(out)
        except OSError as error:
            raise InputError(
                f"{out} cannot be written: {error.strerror or error}", fix="give another file with --out"
            ) from error
    return out


def _chromium(browser: str, html: Path, out: Path, folder: Path) -> str:
    # As root Chromium refuses its sandbox; the page is our own, and its policy lets it load nothing.
    root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    command = [browser, *_QUIET, *root, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={out}"]
    try:
        done = subprocess.run(
            [*command, html.resolve().as_uri()],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"no PDF: {browser} could not print: {error}", fix=f"print {html} from a browser") from error
    return done.stderr


def _weasy(html: Path, out: Path) -> str:
    import weasyprint

    page = self_styled(html.read_text(encoding="utf-8"))
    weasyprint.HTML(string=page, base_url=str(html)).write_pdf(str(out))
    return ""


def self_styled(page: str) -> str:
    """Return a page whose drawings carry their own styles in light colours: WeasyPrint applies none of the page's to them."""
    colours = light_colours(page)
    rules = {name: _USED.sub(lambda found: colours.get(found[1], found[0]), rule) for rule, name in _RULE.findall(page)}

    def carried(drawing: re.Match[str]) -> str:
        names = dict.fromkeys(_CLASS.findall(drawing[2]))
        style = "\n".join(rules[name] for name in names if name in rules)
        body = _USED.sub(lambda found: colours.get(found[1], found[0]), drawing[2])
        return f"{drawing[1]}<style>{style}</style>{body}"

    return _DRAWING.sub(carried, page)
