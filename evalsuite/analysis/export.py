"""Writes a run for other tools: its items as a table or as lm-eval's sample files, its accuracies as Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from evalsuite.errors import StoreError
from evalsuite.records import Record
from evalsuite.store import RunFolder

__all__ = ["export_lm_eval", "export_markdown", "export_table", "write_text"]


def export_table(run: RunFolder, out: Path, *, csv: bool) -> Path:
    """Write one row for each item, with model, task, language and prompt form beside the record's fields.

    Args:
        run: The run.
        out: File to write.
        csv: Whether to write CSV (lists as JSON) instead of Parquet.

    Raises:
        StoreError: The run has no items, or the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    tables = []
    for cell in run.manifest.cells:
        table = run.table(cell).replace_schema_metadata(None)
        for place, (name, value) in enumerate(
            (("model", cell.model), ("task", cell.task), ("language", cell.language), ("form", cell.prompt_form.value))
        ):
            table = table.add_column(place, name, pa.array([value] * table.num_rows, pa.string()))
        tables.append(table)
    whole = pa.concat_tables(tables) if tables else None
    if whole is None or whole.num_rows == 0:
        raise StoreError(f"{run.path} has no items to export", fix="run the sweep first")
    if csv:
        for place, column in enumerate(whole.schema):
            if pa.types.is_list(column.type):
                texts = [
                    None if v is None else json.dumps(v, ensure_ascii=False) for v in whole[column.name].to_pylist()
                ]
                whole = whole.set_column(place, column.name, pa.array(texts, pa.string()))
    _atomically(
        out, lambda path: pa_csv.write_csv(whole, path) if csv else pq.write_table(whole, path, compression="zstd")
    )
    return out


def export_lm_eval(run: RunFolder, out: Path) -> list[Path]:
    """Write `<model>/samples_<task>_<time>.jsonl` files with the fields of lm-eval's `--log_samples`.

    Raises:
        StoreError: The run has no items, or a file cannot be written.
    """
    manifest = run.manifest
    stamp = manifest.created.replace(":", "-").removesuffix("+00-00")
    paths = []
    for cell in manifest.cells:
        records = run.records(cell)
        if not records:
            continue
        form = "" if cell.prompt_form.value == "native" else f"_{cell.prompt_form.value}"
        path = out / f"{cell.model}{form}" / f"samples_{cell.task}_{stamp}.jsonl"
        lines = "".join(json.dumps(_sample(record), ensure_ascii=False) + "\n" for record in records)
        write_text(lines, path)
        paths.append(path)
    if not paths:
        raise StoreError(f"{run.path} has no items to export", fix="run the sweep first")
    return paths


def export_markdown(run: RunFolder, out: Path) -> Path:
    """Write the accuracies of a run as a Markdown document.

    Raises:
        StoreError: The run has no items, or the file cannot be written.
    """
    from evalsuite.analysis.load import load_run
    from evalsuite.analysis.markdown import write_accuracy_table

    loaded = load_run(run.path)
    if loaded.items.empty:
        raise StoreError(f"{run.path} has no items to export", fix="run the sweep first")
    return write_text(write_accuracy_table(loaded), out)


def write_text(text: str, out: Path) -> Path:
    """Write a text file whole, beside its place and moved there.

    Raises:
        StoreError: The file cannot be written.
    """
    _atomically(out, partial(_write_text, text))
    return out


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _sample(record: Record) -> dict[str, Any]:
    arguments = json.loads(record.arguments)
    return {
        "doc_id": record.item_index,
        "doc": json.loads(record.doc),
        "target": record.target,
        "arguments": {
            f"gen_args_{i}": {f"arg_{j}": value for j, value in enumerate(argument)}
            for i, argument in enumerate(arguments)
        },
        "resps": _texts(json.loads(record.responses)),
        "filtered_resps": _texts(json.loads(record.filtered)),
        "filter": record.filter,
        "metrics": list(record.metrics),
        "doc_hash": record.doc_hash,
        "prompt_hash": record.prompt_hash,
        "target_hash": record.target_hash,
        **record.metrics,
    }


def _texts(value: Any) -> Any:
    """lm-eval writes every reply as text."""
    return [_texts(item) for item in value] if isinstance(value, list) else str(value)


def _atomically(path: Path, write: Callable[[Path], Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        write(part)
        part.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror or error}", fix="give another place with --out"
        ) from error
