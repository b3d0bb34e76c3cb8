"""Tasks of lm-eval itself that the suite takes as they are: named in lists with our metadata, and not copied."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from evalsuite.catalog.yamlfile import read_yaml
from evalsuite.errors import CatalogError

__all__ = ["LM_EVAL_LISTS", "find_task_files", "lm_eval_folder", "read_lists"]

LM_EVAL_LISTS = Path("lm_eval") / "data"
"""Where the lists lie below a folder of tasks; `files.yaml` there says in which file of lm-eval each task is."""
_FILES = "files.yaml"


@cache
def lm_eval_folder() -> Path:
    """Return the folder of lm-eval's own tasks; lm-eval is not imported.

    Raises:
        CatalogError: lm-eval is not installed.
    """
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise CatalogError("lm-eval is not installed", fix="install evalsuite again (`pip install evalsuite`)")
    return Path(next(iter(spec.submodule_search_locations))) / "tasks"


def read_lists(folder: Path) -> list[tuple[Path, Path, dict[str, Any]]]:
    """Return the entries of all lists below a folder of tasks: the list, lm-eval's file, and our metadata.

    Raises:
        CatalogError: A list is wrong, or names a task that the installed lm-eval does not have.
    """
    lists = sorted(p for p in (folder / LM_EVAL_LISTS).glob("*.yaml") if p.name != _FILES)
    if not lists:
        return []
    entries = [(path, entry) for path in lists for entry in _entries(path)]
    known = {}
    if (folder / LM_EVAL_LISTS / _FILES).is_file():
        known = read_yaml(folder / LM_EVAL_LISTS / _FILES)
    names = {str(entry["name"]) for _, entry in entries}
    if not all(name in known and (lm_eval_folder() / known[name]).is_file() for name in names):
        # No index, or one for another version of lm-eval: its files must be read, which takes some seconds.
        known = find_task_files(names)
    found = []
    for path, entry in entries:
        if entry["name"] not in known:
            raise CatalogError(
                f"{path}: the installed lm-eval has no task {entry['name']!r}",
                fix="mend the name, or install the version of lm-eval that evalsuite asks for",
            )
        found.append((path, lm_eval_folder() / known[entry["name"]], entry))
    return found


def _entries(path: Path) -> list[dict[str, Any]]:
    entries = read_yaml(path) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
        raise CatalogError(f"{path}: not a list of tasks", fix="write `- name: TASK` entries, see docs/tasks.md")
    return entries


def find_task_files(names: set[str]) -> dict[str, str]:
    """Return in which file, relative to lm-eval's tasks, each of its tasks is; reads all of them."""
    root = lm_eval_folder()
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*.yaml")):
        lines = path.read_text(encoding="utf-8").splitlines()
        # A task's name stands on a line of its own at the left margin; a group's list does not.
        for name in (line.removeprefix("task:").strip().strip("'\"") for line in lines if line.startswith("task:")):
            if name in names:
                found[name] = path.relative_to(root).as_posix()
    return dict(sorted(found.items()))
