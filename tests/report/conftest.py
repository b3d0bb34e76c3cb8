"""A report that every test of this package may read, and a parser for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evalsuite.analysis import Run, load_run
from evalsuite.report import build_report
from tests.synthetic import build_run

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

_CELLS, _ROWS = frozenset({"td", "th"}), frozenset({"td", "th", "tr"})
_ENDED_BY = {"td": _CELLS, "th": _CELLS, "tr": _ROWS, "tbody": _ROWS}
"""Open elements that end where one of a tag begins (HTML, optional tags)."""
_WITHIN = {"thead": _ROWS, "tbody": _ROWS, "table": _ROWS}
"""Open elements that end with the element that they are in."""


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attrs: dict[str, str]
    children: list[Element] = field(default_factory=list)
    own: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The element's text with single spaces."""
        return " ".join(" ".join(self._parts()).split())

    def find(self, tag: str, **attrs: str) -> list[Element]:
        """Return the descendants with a tag and attribute values."""
        found = [self] if self.tag == tag and attrs.items() <= self.attrs.items() else []
        return found + [e for child in self.children for e in child.find(tag, **attrs)]

    def every(self) -> list[Element]:
        """Return the element and all its descendants."""
        return [self, *(e for child in self.children for e in child.every())]

    def _parts(self) -> list[str]:
        return [*self.own, *(part for child in self.children for part in child._parts())]


class Page(HTMLParser):
    """A strict reading of a page: what is opened must be closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("root", {})
        self.declarations: list[str] = []
        self._stack = [self.root]
        self.feed(html)
        self.close()
        assert len(self._stack) == 1, f"never closed: {[e.tag for e in self._stack[1:]]}"
        # Drawings share their styles as classes: here each has its own again.
        styles = dict(re.findall(r"^\.(f[a-z]+)\{([^}]*)\}$", html, re.MULTILINE))
        for element in self.root.every():
            if (name := element.attrs.get("class")) in styles:
                element.attrs["style"] = styles[name]

    def handle_decl(self, decl: str) -> None:
        self.declarations.append(decl)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute of <{tag}> is there twice"
        # The ends of cells and rows are implied.
        self._close(_ENDED_BY.get(tag, frozenset()))
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._stack[-1].children.append(element)
        if tag not in _VOID:
            self._stack.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._stack.pop()

    def _close(self, tags: frozenset[str]) -> None:
        while self._stack[-1].tag in tags:
            self._stack.pop()

    def handle_endtag(self, tag: str) -> None:
        self._close(_WITHIN.get(tag, frozenset()))
        assert self._stack[-1].tag == tag, f"</{tag}> closes <{self._stack[-1].tag}>"
        self._stack.pop()

    def handle_data(self, data: str) -> None:
        self._stack[-1].own.append(data)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two models, two groups and seven languages, one failed, one pending and one skipped cell."""
    return load_run(build_run(tmp_path_factory.mktemp("runs") / "example"))


@pytest.fixture(scope="session")
def report(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of that run."""
    return build_report(run.path, tmp_path_factory.mktemp("out") / "report.html")


@pytest.fixture(scope="session")
def page(report: Path) -> Page:
    """The same report, parsed."""
    return Page(report.read_text(encoding="utf-8"))
