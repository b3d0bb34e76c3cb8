"""`evalsuite report` and `evalsuite view`: the HTML report of run folders, as a file or in a browser."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import console, names, told
from evalsuite.errors import InputError

if TYPE_CHECKING:
    from evalsuite.report.options import ReportOptions

__all__ = ["EXAMPLES", "VIEW_EXAMPLES", "command", "view"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite report out/quickstart\n\n"
    "  evalsuite report out/starter out/kitchen-pi -o meeting.html --policy policy.yaml --pdf\n\n"
    '  evalsuite report out/starter -o informe.html --lang es --question "¿Qué idiomas pueden empezar?"\n\n'
    "  evalsuite report out/starter -o short.html --sections decision,gaps --figures slides/\n\n"
    "Sections: decision, gaps, models, device, tradeoffs, items, method. Languages: en, es, pt, ca, gl, eu, ja. Several runs are "
    "joined as `evalsuite merge` joins them. docs/report.md explains the rest."
)
VIEW_EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite view out/starter\n\n"
    "  evalsuite view out/starter --lang ja --no-open --port 8123\n\n"
    "The page is served to this machine alone, until Ctrl-C. Nothing is written."
)

_Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders: scores, profiles.")]
_Title = Annotated[str | None, typer.Option("--title", help="Heading. Default: the run's own.")]
_Question = Annotated[str | None, typer.Option("--question", help="What is to be decided. Default: the policy's.")]
_Policy = Annotated[
    Path | None,
    typer.Option("--policy", "-p", help="YAML file with the rules that the decision page holds runs against."),
]
_Lang = Annotated[str, typer.Option("--lang", "-l", help="Language of the report: en, es, pt, ca, gl, eu, ja.")]
_Sections = Annotated[
    list[str] | None, typer.Option("--sections", help="Sections to write, such as decision,gaps. Default: all.")
]
_Theme = Annotated[Path | None, typer.Option("--theme", help="YAML file with a logo, a name and colours.")]
_Items = Annotated[
    int | None, typer.Option("--items", min=0, help="Items to show of each task group; 0: none. Default: 24 at most.")
]


@told
def command(
    runs: _Runs,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="HTML file. Default: <run folder>.html.")] = None,
    title: _Title = None,
    question: _Question = None,
    policy: _Policy = None,
    lang: _Lang = "en",
    sections: _Sections = None,
    theme: _Theme = None,
    items: _Items = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Write a PDF file beside it too (needs Chromium or WeasyPrint).")
    ] = False,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for each figure as SVG, PNG and CSV, for slides.")
    ] = None,
) -> None:
    """Write the report of run folders: one HTML file that needs no network. No model is loaded."""
    from evalsuite.report.build import build_report

    def tell(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False)

    options = _options(title, question, policy, lang, sections, theme, items)
    path = build_report(runs, _out(runs, out), options=options, figures=figures, tell=tell)
    console.print(f"report: {path}", soft_wrap=True, markup=False)
    if figures is not None:
        console.print(f"figures: {figures}", soft_wrap=True, markup=False)
    if pdf:
        from evalsuite.report.pdf import write_pdf

        console.print(f"pdf: {write_pdf(path, path.with_suffix('.pdf'))}", soft_wrap=True, markup=False)


@told
def view(
    runs: _Runs,
    title: _Title = None,
    question: _Question = None,
    policy: _Policy = None,
    lang: _Lang = "en",
    sections: _Sections = None,
    theme: _Theme = None,
    items: _Items = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of this machine. Default: a free one.")
    ] = 0,
    every: Annotated[
        float, typer.Option("--every", min=1.0, help="Seconds between two looks at the run folder.")
    ] = 10.0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Show the report in a browser, and make it anew while the run goes on."""
    from evalsuite.report.build import live_page
    from evalsuite.report.serve import Page, ReportServer, changed_at

    options = _options(title, question, policy, lang, sections, theme, items, live=True)
    page = Page(lambda: live_page(runs, options), lambda: changed_at(*runs), every)
    console.print("making the report", markup=False)
    page.refresh()
    server = ReportServer(page, port)
    stop = threading.Event()
    follow = threading.Thread(
        target=page.follow, args=(stop, lambda line: console.print(line, soft_wrap=True, markup=False)), daemon=True
    )
    follow.start()
    console.print(f"report: {server.url} (Ctrl-C ends it)", soft_wrap=True, markup=False)
    if open_browser and not webbrowser.open(server.url):
        console.print("no browser could be opened: open the address above in one", markup=False)
    try:
        server.run()
    except KeyboardInterrupt:
        console.print("\nno longer shown; nothing was written", markup=False)
    finally:
        stop.set()


def _options(
    title: str | None,
    question: str | None,
    policy: Path | None,
    lang: str,
    sections: list[str] | None,
    theme: Path | None,
    items: int | None,
    *,
    live: bool = False,
) -> ReportOptions:
    from evalsuite.gate.policy import load_policy
    from evalsuite.report.options import ReportOptions
    from evalsuite.report.theme import load_theme

    return ReportOptions(
        title=title,
        question=question,
        policy=None if policy is None else load_policy(policy),
        language=lang,
        sections=tuple(names(sections)),
        theme=None if theme is None else load_theme(theme),
        items=items,
        live=live,
    )


def _out(runs: list[Path], out: Path | None) -> Path:
    if out is not None:
        if out.is_dir():
            raise InputError(f"--out: {out} is a folder", fix=f"name a file: {out / 'report.html'}")
        return out
    if len(runs) > 1:
        raise InputError(
            "several runs, and no name for their report", fix="give a file with --out, such as -o report.html"
        )
    return runs[0].resolve().with_name(runs[0].resolve().name + ".html")
