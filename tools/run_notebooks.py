"""Executes notebooks/ from top to bottom and writes them back with tidy outputs; `--check` executes and writes nothing."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat

__all__ = ["BYTES_OF_FIGURE", "BYTES_OF_NOTEBOOK", "NOTEBOOKS", "execute", "faults", "main", "texts_of", "tidy"]

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
SHOWN_FOLDER = "../out/notebooks"
"""Where the notebooks write unless EVALSUITE_NOTEBOOKS says otherwise; their outputs name it, wherever they were made."""
BYTES_OF_NOTEBOOK = 150_000
BYTES_OF_FIGURE = 40_000
"""Of one figure, as base64 text."""
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_MACHINE_PATH = re.compile(r"(?<![\w.~])(?:/(?:home|root|tmp|work|opt|usr|var|mnt|srv|private|Users)/|[A-Za-z]:\\)\S*")
_WARNING = re.compile(r"\b\w*Warning:|\bwarnings\.warn\(")


def execute(path: Path, folder: Path, *, timeout_s: int = 900) -> Any:
    """Execute a notebook in a fresh kernel and return it with its outputs, tidied.

    Args:
        path: The notebook; relative paths in it start from its folder, as in Jupyter.
        folder: Where it writes what it measures.
        timeout_s: Longest time for one cell.

    Raises:
        CellExecutionError: A cell raised an error.
        CellTimeoutError: A cell took longer.
        DeadKernelError: The kernel ended.
    """
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=timeout_s,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        coalesce_streams=True,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
    )
    with tempfile.TemporaryDirectory() as settings:
        client.execute(env=_environment(folder, settings))
    tidy(notebook, folder)
    return notebook


def tidy(notebook: Any, folder: Path) -> None:
    """Take out of a notebook what differs from machine to machine without saying anything: paths, colours, metadata.

    Args:
        notebook: Is changed in place.
        folder: Where it wrote; its outputs will name `SHOWN_FOLDER`.
    """
    notebook.metadata = nbformat.from_dict(_METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
            if "text" in output:
                output.text = _plain(output.text, folder)
            for kind, text in output.get("data", {}).items():
                if not kind.startswith("image/"):
                    output.data[kind] = _plain(text, folder)


def faults(notebook: Any) -> Iterator[str]:
    """Yield what a notebook that is committed must not have: errors, warnings, gaps, paths of a machine, bulk.

    Args:
        notebook: An executed notebook.
    """
    size = len(nbformat.writes(notebook).encode())
    if size > BYTES_OF_NOTEBOOK:
        yield f"{size} bytes, at most {BYTES_OF_NOTEBOOK} are allowed"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        yield f"not executed from top to bottom: the execution counts are {counts}"
    if notebook.metadata != _METADATA or any(cell.metadata for cell in notebook.cells):
        yield "has metadata that say when or where it was executed"
    for cell in code:
        yield from (f"cell {cell.execution_count}: {fault}" for fault in _faults_of_outputs(cell.outputs))


def texts_of(notebook: Any) -> str:
    """Return the text of all outputs, as a terminal would show them."""
    shown = (output.get("text") or output.get("data", {}).get("text/plain", "") for output in _outputs(notebook))
    return "\n".join(shown)


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute the notebooks that are named, or all, in one folder; return 1 where a cell fails or an output is unfit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="default: all of notebooks/")
    parser.add_argument("--check", action="store_true", help="execute, and write nothing")
    parser.add_argument("--timeout-s", type=int, default=900, metavar="N", help="longest time for one cell (900)")
    given = parser.parse_args(arguments)
    missing = [str(path) for path in given.notebooks if not path.is_file()]
    if missing:
        parser.error(f"no such notebook: {', '.join(missing)}")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for path in given.notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
            found = _run_one(path.resolve(), Path(folder), check=given.check, timeout_s=given.timeout_s)
            failed = failed or bool(found)
            for fault in found:
                print(f"{path.name}: {fault}", file=sys.stderr)
    return int(failed)


def _run_one(path: Path, folder: Path, *, check: bool, timeout_s: int) -> list[str]:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    start = time.monotonic()
    try:
        notebook = execute(path, folder, timeout_s=timeout_s)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return [_ANSI.sub("", str(error)).strip()]
    found = list(faults(notebook))
    if not check and not found:
        nbformat.write(notebook, path)
    print(f"{path.name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return found


def _environment(folder: Path, settings: str) -> dict[str, str]:
    """Return the environment of a kernel: the command line of this Python, and none of the user's own IPython settings."""
    return {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
        "EVALSUITE_NOTEBOOKS": str(folder),
        "IPYTHONDIR": settings,
        "JUPYTER_CONFIG_DIR": settings,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }


def _plain(text: str, folder: Path) -> str:
    known = {str(folder): SHOWN_FOLDER, str(folder.resolve()): SHOWN_FOLDER, str(ROOT): "..", str(Path.home()): "~"}
    for path in sorted(known.keys() - {os.sep}, key=len, reverse=True):
        text = text.replace(path, known[path])
    return _TRAILING.sub("", _ANSI.sub("", text))


def _faults_of_outputs(outputs: Sequence[Any]) -> Iterator[str]:
    for output in outputs:
        if output.output_type == "error":
            yield f"ends in an error: {output.ename}: {output.evalue}"
        for kind, data in output.get("data", {}).items():
            if kind.startswith("image/") and len(data) > BYTES_OF_FIGURE:
                yield f"a figure of {len(data)} bytes, at most {BYTES_OF_FIGURE} are allowed"
        shown = [output.get("text", ""), *(v for k, v in output.get("data", {}).items() if not k.startswith("image/"))]
        for text in shown:
            yield from (f"shows a path of the machine: {found}" for found in _MACHINE_PATH.findall(text))
            yield from (f"shows a warning: {found}" for found in _WARNING.findall(text))


def _outputs(notebook: Any) -> Iterator[Any]:
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


if __name__ == "__main__":
    sys.exit(main())
