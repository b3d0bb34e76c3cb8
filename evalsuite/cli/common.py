"""What the verbs share: the consoles, errors, progress on a terminal and off it, and catalogs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console

from evalsuite.errors import EvalsuiteError

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID
    from rich.table import Table

    from evalsuite.records import Cell, Skip

__all__ = [
    "DataOption",
    "FetchBar",
    "IncludeOption",
    "JsonOption",
    "OfflineOption",
    "RunBar",
    "console",
    "names",
    "print_json",
    "show_skips",
    "show_table",
    "told",
]

console = Console(stderr=True, highlight=False, emoji=False)
"""For people: progress, notes, errors. What scripts read goes to standard output."""

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Mirror of hub data sets: <hub id>/<config>/<split>.parquet. Also EVALSUITE_DATA."),
]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Never touch the network.")]
IncludeOption = Annotated[
    list[Path] | None,
    typer.Option("--include", help="Folder with your own tasks/, langs/ or models/. May be given more than once."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def told(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn our errors into a message and exit code 2, and an interrupt into 130."""

    @wraps(function)
    def verb(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except EvalsuiteError as error:
            _fail(error)
        except KeyboardInterrupt:
            console.print("\nstopped; what was measured is stored, and the same command goes on from there")
            raise typer.Exit(130) from None

    return verb


def _fail(error: EvalsuiteError) -> NoReturn:
    console.print(f"[bold red]error:[/] {_plain(error.problem)}", soft_wrap=True)
    if error.fix:
        console.print(f"  [bold]fix:[/] {_plain(error.fix)}", soft_wrap=True)
    raise typer.Exit(2) from None


def _plain(text: str) -> str:
    """Keep text from files and models from being read as rich's markup."""
    from rich.markup import escape

    return escape(text)


def names(values: Sequence[str] | None) -> list[str]:
    """Split options such as `--langs es,eu` and repeated ones alike."""
    return [name.strip() for value in values or () for name in value.split(",") if name.strip()]


def print_json(value: Any) -> None:
    """Print JSON to standard output."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def show_skips(skips: Sequence[Skip]) -> None:
    """Say what is not run, why, and what to do about it."""
    for skip in skips:
        what = f"{skip.model} × {skip.task}" if skip.model else f"{skip.task} ({skip.language})"
        fix = f" (fix: {skip.fix})" if skip.fix else ""
        console.print(f"skipped: {what}: {skip.reason}{fix}", markup=False, soft_wrap=True)


def show_table(table: Table) -> None:
    """Print a table to standard output; what stands in its cells is shown as it is, never read as markup."""
    Console(highlight=False, markup=False, emoji=False).print(table)


class FetchBar:
    """Shows a download: a bar on a terminal, else a line at its start and end."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def start(self, total_bytes: int | None, title: str) -> None:
        size = f" ({total_bytes / 2**20:.0f} MiB)" if total_bytes else ""
        if not console.is_terminal:
            console.print(f"fetching {_plain(title)}{size}")
            return
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        self._bar = Progress(
            "[progress.description]{task.description}",
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._bar.start()
        self._task = self._bar.add_task(_plain(title), total=total_bytes)

    def advance(self, n: int) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, n)

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None


class RunBar:
    """Shows a run: items, rate and time left on a terminal, else a line for each cell."""

    unit = "items"

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._items = self._done = self._tokens = 0
        self._cell: str | None = None
        self._cells = self._seen = 0
        self._began = time.monotonic()

    def begin(self, cells: int, items: int) -> None:
        self._cells, self._items, self._began = cells, items, time.monotonic()
        if not console.is_terminal or not items:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(self.unit),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._bar.start()
        self._task = self._bar.add_task("loading", total=items, rate="")

    def cell(self, cell: Cell) -> None:
        form = "" if cell.prompt_form == "native" else f" ({cell.prompt_form})"
        self.piece(f"{cell.model} × {cell.task}{form}")

    def piece(self, text: str) -> None:
        """Show what is worked on from now on."""
        self._seen += 1
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=_plain(text))
        else:
            console.print(f"[{self._seen}/{self._cells}] {text}{self._left()}", markup=False, soft_wrap=True)

    def _left(self) -> str:
        """Return the time left, once there is enough to judge by."""
        spent = time.monotonic() - self._began
        if not self._done or spent < 5:
            return ""
        left = spent / self._done * (self._items - self._done)
        rate = f" {self._tokens / spent:.0f} tokens/s," if self._tokens else ""
        return f"  {self._done}/{self._items} {self.unit},{rate} about {left / 60:.1f} min left"

    def advance(self, items: int, tokens: int = 0) -> None:
        self._done += items
        self._tokens += tokens
        if self._bar is not None and self._task is not None:
            rate = self._tokens / max(1e-9, time.monotonic() - self._began)
            self._bar.update(self._task, advance=items, rate=f"{rate:.0f} tokens/s" if self._tokens else "")

    def note(self, text: str) -> None:
        console.print(_plain(text), soft_wrap=True)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
