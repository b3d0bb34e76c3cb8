"""Writes tasks/lm_eval/data/files.yaml: in which file of the installed lm-eval each named task is. `[--check]` writes nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from evalsuite.catalog.lm_eval_tasks import LM_EVAL_LISTS, find_task_files

LISTS = Path(__file__).resolve().parent.parent / "tasks" / LM_EVAL_LISTS
HEAD = "# Made by tools/find_lm_eval_tasks.py from the installed lm-eval: where each named task is.\n"


def main() -> int:
    """Write the file, or with --check say whether it is as it would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file differs")
    check = parser.parse_args().check
    path = LISTS / "files.yaml"
    lists = [yaml.safe_load(p.read_text(encoding="utf-8")) or [] for p in LISTS.glob("*.yaml") if p != path]
    names = {str(entry["name"]) for entries in lists for entry in entries}
    found = find_task_files(names)
    lost = sorted(names - found.keys())
    if lost:
        print(f"lm-eval has no task {', '.join(lost)}", file=sys.stderr)
        return 1
    text = HEAD + yaml.safe_dump(found, width=1000)
    if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
        print(
            f"not as the installed lm-eval would make it: {path.name}; run tools/find_lm_eval_tasks.py", file=sys.stderr
        )
        return 1
    if not check:
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
