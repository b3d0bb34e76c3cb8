"""What it costs to analyse a million item records: time and memory of fresh processes, and ratios to other code.

    python benchmarks/analysis.py [--keep DIR] [--share 0.1] [--base CHECKOUT] [--parts load,analyse,gaps,report]
                                  [--tables]

The records are made up (`big_run.py`), once: with --keep they are used again. --base names another checkout of evalsuite,
which is measured on the same folder. Processor time says more than wall time on a machine that is shared; the peak of
memory is that of the whole process, and of a second one where tables are made in two. docs/performance.md has the results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PARTS = ("load", "gaps", "analyse", "report")
HERE = Path(__file__).resolve().parent.parent
# Runs against any version that has these two functions; each process measures one part, after what it needs.
CHILD = """
import json, resource, sys, tempfile, time
from pathlib import Path
def now():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)
begun, found = now(), {}
if sys.argv[1] == "report":
    # From nothing to the file, as the command does it.
    from evalsuite.report.build import build_report
    with tempfile.TemporaryDirectory() as folder:
        html = build_report(Path(sys.argv[2]), Path(folder) / "report.html")
        found["megabytes"] = html.stat().st_size / 1e6
        loaded, items = now(), None
else:
    from evalsuite.analysis import load_run, tables
    run = load_run(Path(sys.argv[2]))
    loaded, items = now(), len(run.items)
if sys.argv[1] == "analyse":
    rows = tables.analyse(run)
elif sys.argv[1] == "gaps":
    tables.gaps(run)
elif sys.argv[1] == "tables":
    names = ("scores gaps comparisons token_tax wordings option_orders written_answers corpus_translations "
             "category_answers fewer_categories category_names").split()
    for name in names:
        start = now()
        getattr(tables, name)(run)
        found[name] = now()[1] - start[1]
first, last = (begun, loaded) if sys.argv[1] in {"load", "report"} else (loaded, now())
# What a second process shares with the first is counted twice.
peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
kilobytes = sum(peaks) / (1024 if sys.platform == "darwin" else 1)
print(json.dumps({"items": items, "wall_s": last[0] - first[0], "cpu_s": last[1] - first[1],
                  "peak_mib": kilobytes / 1024, "tables": found}))
"""


def measured(part: str, run: Path, code: Path) -> dict[str, Any]:
    """Return what a part takes in a process of its own, with the evalsuite in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(code)}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, part, str(run.resolve())],
        cwd=code,  # which python puts first on its path
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def line(part: str, ours: dict[str, Any], base: dict[str, Any] | None) -> str:
    """Return a row of the table."""
    cells = [part, f"{ours['cpu_s']:.1f}", f"{ours['wall_s']:.1f}", f"{ours['peak_mib']:.0f}"]
    if base:
        cells += [f"{base['cpu_s'] / ours['cpu_s']:.1f}", f"{base['peak_mib'] / ours['peak_mib']:.1f}"]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="folder for the made-up run; made where it is not there")
    parser.add_argument("--share", type=float, default=1.0, help="part of the million records, 0 to 1")
    parser.add_argument("--base", type=Path, help="a checkout to compare with")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--tables", action="store_true", help="print the processor time of each table as well")
    asked = parser.parse_args()
    unknown = set(asked.parts.split(",")) - set(PARTS)
    if unknown or not 0 < asked.share <= 1:
        parser.error(f"--parts takes {', '.join(PARTS)}; --share a number above 0 and at most 1")
    with tempfile.TemporaryDirectory() as scratch:
        run = (asked.keep or Path(scratch)) / f"run-{asked.share:g}"
        if not (run / "manifest.json").exists():
            # Its imports would add to the memory of a process that measures.
            from big_run import build

            print(f"{build(run, asked.share):,} records made", file=sys.stderr, flush=True)
        compared = " times less processor time | times less memory |" if asked.base else ""
        print(f"| part | processor s | wall s | peak MiB |{compared}\n|{' --- |' * (6 if asked.base else 4)}")
        for part in asked.parts.split(","):
            ours = measured(part, run, HERE)
            print(line(part, ours, measured(part, run, asked.base) if asked.base else None), flush=True)
        if asked.tables:
            for name, seconds in sorted(measured("tables", run, HERE)["tables"].items(), key=lambda one: -one[1]):
                print(f"{name:>20} {seconds:6.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
