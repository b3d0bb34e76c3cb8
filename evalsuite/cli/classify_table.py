"""What became of a user's messages, for people and for scripts: accuracy, macro-F1, worst categories, confusions, times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from evalsuite.analysis.categories import CategoryRow, category_answers
from evalsuite.analysis.confidence import Confidence
from evalsuite.analysis.latency_table import latencies
from evalsuite.analysis.load import Run, load_run
from evalsuite.analysis.profile_rows import LatencyRow
from evalsuite.analysis.rows import ScoreRow
from evalsuite.analysis.score_table import scores
from evalsuite.analysis.trained import told, trained_scores
from evalsuite.cli.common import show_table
from evalsuite.records import Kind
from evalsuite.stats.intervals import Estimate

__all__ = ["rows_of", "show_rows"]

_WORST = 3


def rows_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of a run folder.

    `results` by model, language and wording, `trained` by baseline and language, `latency` by model and language.
    """
    run = load_run(folder)
    found = {(row.model, row.task, row.form): row for row in category_answers(run)}
    return {
        "results": [_result(row, found.get((row.model, row.task, row.form))) for row in _shown(run)],
        "trained": [_trained(row) for row in trained_scores(run)],
        "latency": [_times(row) for row in latencies(run.profiles) if row.kind is Kind.CLASSIFICATION],
    }


def show_rows(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Print what `rows_of` returns to standard output."""
    shown = Table(title="messages sorted into categories")
    for column in ("model", "lang", "wording"):
        shown.add_column(column)
    for column in ("n", "accuracy", "95 % interval", "chance", "macro-F1"):
        shown.add_column(column, justify="right")
    for row in rows["results"]:
        _add(shown, row, (row["model"], row["language"], row["wording"]), _two(row["macro_f1"]["value"]))
    for row in rows["trained"]:
        _add(shown, row, (f"{row['baseline']} (trained)", row["language"], ""), "")
    show_table(shown)
    for row in rows["trained"]:
        if row["accuracy"]["value"] is not None:
            typer.echo(f"{row['baseline']}, {row['language']}: {row['trained']}")
    for row in rows["results"]:
        _tell_mistakes(row)
    for row in rows["latency"]:
        times = [f"{name} {_time(row[key])}" for name, key in (("median", "median_s"), ("p95", "p95_s"))]
        typer.echo(f"{row['model']}, {row['language']}: one message takes {', '.join(times)} ({row['n']} requests)")
    for reason in dict.fromkeys(reason for row in rows["latency"] for reason in row["disturbed"]):
        typer.echo(f"! disturbed: {reason}")


def _tell_mistakes(row: dict[str, Any]) -> None:
    about = f"{row['model']}, {row['language']}, {row['wording']}"
    if row["accuracy"]["value"] is None:
        typer.echo(f"{about}: {row['accuracy']['reason']}")
    if row["worst"]:
        worst = ", ".join(f"{one['category']} {one['hits']} of {one['items']}" for one in row["worst"])
        typer.echo(f"{about}: worst: {worst}")
    if row["confused"]:
        most = row["confused"]
        typer.echo(f"{about}: most often confused: {most['right']} taken for {most['taken_for']}, {most['n']} times")


def _add(table: Table, row: dict[str, Any], names: tuple[str, str, str], macro_f1: str) -> None:
    accuracy = row["accuracy"]
    span = "" if accuracy["low"] is None else f"{accuracy['low']:.2f}–{accuracy['high']:.2f}"
    table.add_row(*names, str(accuracy["n"]), _two(accuracy["value"]), span, _two(row["chance"]), macro_f1)


def _shown(run: Run) -> list[ScoreRow]:
    """Return scores by model, then in the order of languages and wordings."""
    rows = scores(run)
    return [row for model in run.models for row in rows if row.model == model]


def _result(row: ScoreRow, answers: CategoryRow | None) -> dict[str, Any]:
    confusion = answers.confusion if answers else None
    reason = answers.reason if answers else "no answers"
    missed = [c for c in confusion.categories if c.items and c.hits < c.items] if confusion else []
    missed.sort(key=lambda c: (c.hits / c.items, -c.items))
    mistake = next(iter(confusion.mistakes(1)), None) if confusion else None
    return {
        "model": row.model,
        "task": row.task,
        "language": row.language,
        "wording": row.form.value,
        "accuracy": _estimate(row.estimate),
        "chance": row.chance,
        "above_chance": row.above_chance,
        "macro_f1": _estimate(confusion.macro_f1) if confusion else {"value": None, "reason": reason},
        "worst": [{"category": c.name, "hits": c.hits, "items": c.items} for c in missed[:_WORST]],
        "confused": None
        if mistake is None
        else {"right": mistake.right, "taken_for": mistake.taken_for, "n": mistake.n},
        "categories": [
            {"category": c.name, "n": c.items, "precision": _estimate(c.precision), "recall": _estimate(c.recall)}
            for c in (confusion.categories if confusion else ())
        ],
        "confidence": _confidence(answers.confidence if answers else None),
    }


def _confidence(found: Confidence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "mean": _estimate(found.mean),
        "brier": _estimate(found.brier),
        "auroc": _estimate(found.auroc),
        "taken_if_sure": [
            {"least": one.least, "share": _estimate(one.coverage), "accuracy": _estimate(one.accuracy)}
            for one in found.covered
        ],
    }


def _trained(row: ScoreRow) -> dict[str, Any]:
    return {
        "baseline": row.model,
        "task": row.task,
        "language": row.language,
        "trained": told(row.trained) if row.trained else "trained",
        "accuracy": _estimate(row.estimate),
        "chance": row.chance,
    }


def _times(row: LatencyRow) -> dict[str, Any]:
    return {
        "model": row.model,
        "language": row.language,
        "n": row.n,
        "apart": row.apart,
        "median_s": _estimate(row.total.median),
        "p95_s": _estimate(row.total.p95),
        "disturbed": row.flagged,
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "reason": found.reason}


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _time(estimate: dict[str, Any]) -> str:
    return f"unavailable ({estimate['reason']})" if estimate["value"] is None else f"{estimate['value']:.3g} s"
