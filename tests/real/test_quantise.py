"""A quantisation of a real model is made, measured beside its source, and compared with it."""

from __future__ import annotations

from collections import Counter

import gguf

from evalsuite.analysis import delta_of_deltas, load_run, quantisation_deltas
from tests.helpers import evalsuite


def test_q2_k_of_a_real_model_is_made_scored_and_held_against_its_source(tmp_path):
    done = evalsuite(
        "run", "--model", "smollm2-135m-instruct", "--quantise", "Q2_K", "--langs", "es,eu", "--tasks", "labels",
        "--limit", "6", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = load_run(tmp_path / "run")
    source, variant = run.manifest.models.values()
    assert variant.name == "smollm2-135m-instruct+Q2_K"
    assert variant.made_from is not None
    assert variant.made_from.sha256 == source.sha256
    assert variant.made_from.requantised
    # Its rows are 576 weights long, no multiple of 256: most tensors cannot be stored in a K type.
    assert variant.source.path is not None
    types = Counter(tensor.tensor_type.name for tensor in gguf.GGUFReader(variant.source.path).tensors)
    assert {one.type: one.tensors for one in variant.stored_as} == types
    assert sum(n for name, n in types.items() if "_K" not in name and name != "F32") > types["Q2_K"]
    assert (source.bits_per_weight or 0) > (variant.bits_per_weight or 0) > 4
    rows = quantisation_deltas(run)
    assert [(row.language, row.difference.n) for row in rows] == [("es", 6), ("eu", 6)]
    double = next(row for row in delta_of_deltas(run) if row.language == "eu")
    assert (double.reference, double.difference.n) == ("es", 6)
    # Other weights, other log-probabilities: what was scored is not the source again.
    folders = {cell.model: tmp_path / "run" / "cells" / cell.id for cell in run.manifest.cells if cell.language == "es"}
    files = [folder / "records.parquet" for folder in folders.values()]
    assert len({path.read_bytes() for path in files}) == 2
    assert "made from smollm2-135m-instruct (Q4_1)" in (tmp_path / "run.html").read_text(encoding="utf-8")
