"""The built wheel, not only the checkout: it holds its data and works with no checkout beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

from tests.helpers import ROOT, write_sweep


def test_the_wheel_works_by_itself(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, timeout=600)
    (wheel,) = tmp_path.glob("evalsuite-*.whl")
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(place)}
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True, text=True, env=environment, cwd=tmp_path, check=True, timeout=600,
        ).stdout  # fmt: skip

    where = run("-c", "import evalsuite; print(evalsuite.__file__)").strip()
    assert where.startswith(str(place))
    tasks = json.loads(run("-m", "evalsuite", "tasks", "list", "--json"))
    assert {"labels_eu", "lexicon_ja", "sib200_gl"} <= {task["name"] for task in tasks}
    assert all(task["path"].startswith(str(place)) for task in tasks if not task["lm_eval"])
    assert len(json.loads(run("-m", "evalsuite", "models", "list", "--json"))) >= 12
    assert run("-m", "evalsuite", "gate", "--example").startswith("# Which compact model")
    told = json.loads(
        run("-m", "evalsuite", "run", write_sweep(tmp_path, limit=4), "--out", tmp_path / "run", "--json")
    )
    assert told["done"] == 4
    assert "</html>" in (tmp_path / "run.html").read_text(encoding="utf-8")
