"""Writes the coverage table in docs/tasks.md from the catalog: `python tools/make_coverage.py [--check]`.

What fills a family in a language is computed; why nothing does stands in tasks/_coverage.yaml.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from evalsuite.analysis.rows import FAMILIES
from evalsuite.catalog.load import Catalog, load_catalog
from evalsuite.records import Task

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tasks.md"
BEGIN, END = "<!-- coverage: made by tools/make_coverage.py -->", "<!-- end of coverage -->"
SEEN = frozenset({"xwinograd_en", "xwinograd_pt"})
"""Tasks of lm-eval whose real data was at hand."""
LANGUAGES = ("en", "es", "pt", "ca", "gl", "eu", "ja")


def main() -> int:
    """Write the table, or with --check say whether it is as it would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page differs")
    check = parser.parse_args().check
    reasons = yaml.safe_load((ROOT / "tasks" / "_coverage.yaml").read_text(encoding="utf-8"))
    catalog = load_catalog()
    holes = [
        f"{family} in {code}"
        for family in FAMILIES
        for code in LANGUAGES
        if not _of(catalog, family, code) and code not in reasons["families"].get(family, {})
    ]
    filled = [
        f"{family} in {code}"
        for family, why in reasons["families"].items()
        for code in why
        if _of(catalog, family, code)
    ]
    for told, which in (("filled by no task, and no reason given", holes), ("has tasks and a reason why not", filled)):
        if which:
            print(f"{told}: {', '.join(which)} (tasks/_coverage.yaml)", file=sys.stderr)
            return 1
    page = PAGE.read_text(encoding="utf-8")
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        print(f"{PAGE.name} has no place for the table ({BEGIN} ... {END})", file=sys.stderr)
        return 1
    text = f"{head}{BEGIN}\n\n{_table(catalog, reasons)}\n{END}{tail}"
    if check and text != page:
        print(f"{PAGE.name} is not as the catalog would make it; run tools/make_coverage.py", file=sys.stderr)
        return 1
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    return 0


def _of(catalog: Catalog, family: str, code: str) -> list[Task]:
    return [task for task in catalog.tasks.values() if (task.family, task.language) == (family, code)]


def _table(catalog: Catalog, reasons: Mapping[str, Any]) -> str:
    lines = ["### At a glance", "", f"| family | {' | '.join(LANGUAGES)} |", f"| --- |{' --- |' * len(LANGUAGES)}"]
    for family in FAMILIES:
        cells = [len(_of(catalog, family, code)) for code in LANGUAGES]
        lines.append(f"| [{family}](#{family}) | " + " | ".join(str(n) if n else "none" for n in cells) + " |")
    lines += ["", "The numbers count tasks. Why a field says none stands below the family's table."]
    for family in FAMILIES:
        lines += ["", f"### {family}", "", *_family(catalog, family, reasons["families"].get(family, {}))]
    lines += ["", "### By kind", "", f"| kind | {' | '.join(LANGUAGES)} |", f"| --- |{' --- |' * len(LANGUAGES)}"]
    for kind, by_code in reasons["kinds"].items():
        lines.append(f"| {kind} | " + " | ".join(str(by_code.get(code, "")) for code in LANGUAGES) + " |")
    return "\n".join([*lines, ""])


def _family(catalog: Catalog, family: str, reasons: Mapping[str, str]) -> list[str]:
    groups: dict[str, list[Task]] = {}
    for task in catalog.tasks.values():
        if task.family == family:
            groups.setdefault(_row_of(task), []).append(task)
    lines = []
    if groups:
        lines += [
            "| group or task | languages (items) | parallel | scored by | chance | data | licence |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
    for name, tasks in sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        parallel = "yes" if tasks[0].parallel_group else "no"
        lines.append(
            f"| {name} | {_languages(tasks)} | {parallel} | `{_one(t.primary_metric for t in tasks)}` | "
            f"{_one(_chance(t) for t in tasks)} | {_one(_data(t) for t in tasks)} | {_one(t.licence for t in tasks)} |"
        )
    by_reason: dict[str, list[str]] = {}
    for code, reason in reasons.items():
        by_reason.setdefault(reason, []).append(code)
    return [*lines, "", *(f"- None in {', '.join(codes)}: {reason}" for reason, codes in by_reason.items())]


def _row_of(task: Task) -> str:
    """Return what a task's row is headed by: its parallel group, or its name with a star for the language."""
    name = task.parallel_group or re.sub(rf"_{task.language}(?=_|$)", "_*", task.name)
    return f"lm-eval: `{name}`" if task.lm_eval else f"`{name}`"


def _languages(tasks: Sequence[Task]) -> str:
    order = {code: place for place, code in enumerate(LANGUAGES)}
    shown = sorted(tasks, key=lambda task: (order.get(task.language, 99), task.name))
    counts = {task.items for task in tasks}
    if len(counts) == 1:
        return f"{' '.join(task.language for task in shown)} ({_count(tasks[0].items)})"
    return ", ".join(f"{task.language} ({_count(task.items)})" for task in shown)


def _count(items: int | None) -> str:
    return "?" if items is None else f"{items:,}"


def _chance(task: Task) -> str:
    return "" if task.chance is None else f"{task.chance:.2f}"


def _data(task: Task) -> str:
    if task.data.kind == "shipped":
        return "ships with the project"
    where = "github.com, by hand" if task.data.kind == "mirror" else "hub"
    unseen = "; tried on a stand-in only" if _only_stand_in(task) else ""
    return f"{where}: `{task.data.path}`{unseen}"


def _only_stand_in(task: Task) -> bool:
    """Whether the real set was not at hand: such sets have rows of invented text for the tests."""
    folder = ROOT / "tests" / "standins"
    if task.lm_eval:
        return task.name not in SEEN
    return (folder / task.path.parent.name / f"{task.language}.jsonl").exists()


def _one(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))


if __name__ == "__main__":
    sys.exit(main())
