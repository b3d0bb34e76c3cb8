"""How scores, tokens, time and memory change with the length of the text: tasks of the family `long`, by size and depth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ALPHA
from evalsuite.analysis.score_table import why_no_items
from evalsuite.records import BEYOND_CONTEXT, LONG_FAMILY, Cell, CurvePoint, PromptForm, ReadingLabel, Task
from evalsuite.stats.intervals import Estimate, ratio_of_means
from evalsuite.stats.scores import score_interval
from evalsuite.stats.unpaired import newcombe_independent
from evalsuite.store import RunFolder

__all__ = ["THIRDS", "AtLength", "DepthRow", "LengthRow", "depths", "lengths"]

THIRDS = 3
"""Parts of a document that depths are told by: first, middle, last."""


@dataclass(frozen=True, slots=True)
class AtLength:
    """What a prompt of some length takes on the device, from the measured lengths on both sides of it."""

    value: float | None
    """Seconds, or bytes."""
    label: ReadingLabel
    reason: str | None = None
    """Why there is no value; of a value, how it was come by."""


@dataclass(frozen=True, slots=True)
class LengthRow:
    """One model on the items of one size, in one language and prompt form."""

    model: str
    group: str
    language: str
    form: PromptForm
    size: int
    """Tokens that the item's text was made for."""
    estimate: Estimate
    """Score of the items that were asked. Items of one document share its text, which no interval here takes in."""
    beyond: int
    """Items that were not asked, because they are longer than the model's context."""
    context: int | None
    """The model's context in tokens; none where every item fitted."""
    tokens: float | None
    """Mean tokens of a prompt, asked or not."""
    ratio: Estimate
    """Tokens for each token of the reference language, on the same items."""
    drop: Estimate
    """Score minus that of the shortest size; other items, so the interval is unpaired."""
    prefill_s: AtLength
    """Seconds to read so many tokens."""
    cache_bytes: AtLength
    """The cache and the engine's buffers for so many tokens."""
    peak_rss_bytes: AtLength
    """Peak of the process's memory with so many tokens."""


@dataclass(frozen=True, slots=True)
class DepthRow:
    """One model on the items of one size, by where in the document the answer stands; all languages together."""

    model: str
    group: str
    form: PromptForm
    size: int
    languages: int
    """Languages that have scores."""
    thirds: tuple[Estimate, ...]
    """Score by third: first, middle, last. One item in several languages counts as one cluster."""


def lengths(run: Run) -> tuple[LengthRow, ...]:
    """Return a row for every model × language × size of each task on long texts."""
    found: list[LengthRow] = []
    for key in _keys(run):
        frames = dict(_by_language(run, *key))
        for language in frames:
            found += _rows(run, key, language, frames)
    return tuple(found)


def depths(run: Run) -> tuple[DepthRow, ...]:
    """Return a row for every model × size of each task on long texts."""
    rows = []
    for group, form, model in _keys(run):
        frames = [frame for _, frame in _by_language(run, group, form, model) if len(frame)]
        if not frames:
            continue
        whole = pd.concat(frames, ignore_index=True)
        for size, same in whole.groupby("size"):
            scored = same.loc[same["score"].notna()]
            thirds = tuple(_third(scored.loc[scored["third"] == third]) for third in range(THIRDS))
            rows.append(DepthRow(model, group, form, int(str(size)), int(scored["language"].nunique()), thirds))
    return tuple(rows)


def _keys(run: Run) -> list[tuple[str, PromptForm, str]]:
    groups = dict.fromkeys(run.group_of(t.name) for t in run.manifest.tasks.values() if t.family == LONG_FAMILY)
    return [
        (group, form, model) for group in run.groups if group in groups for form in run.forms for model in run.models
    ]


def _by_language(run: Run, group: str, form: PromptForm, model: str) -> Iterable[tuple[str, pd.DataFrame]]:
    for language in run.languages:
        for task in run.manifest.tasks.values():
            if run.group_of(task.name) == group and task.language == language and task.family == LONG_FAMILY:
                yield language, _items(run, task, form, model)


def _items(run: Run, task: Task, form: PromptForm, model: str) -> pd.DataFrame:
    """Return the items of a cell with `size`, `third`, `language` and the context that they did not fit (0: they did)."""
    result = run.result(model, task.name, form)
    frame = run.frames.get(result.cell.id) if result else None
    if result is None or frame is None:
        return pd.DataFrame()
    facts = _facts(run, result.cell)
    joined = frame.assign(language=task.language).merge(facts, on="item_id", how="inner", validate="one_to_one")
    return joined.sort_values("item_id", ignore_index=True)


def _facts(run: Run, cell: Cell) -> pd.DataFrame:
    """Return what the items themselves say of their length and depth; those that say nothing are left out."""
    stored = RunFolder(run.path).table(cell, ["item_id", "doc", "metrics"]).to_pydict()
    rows = []
    for item, doc, metrics in zip(stored["item_id"], stored["doc"], stored["metrics"], strict=True):
        data, told = json.loads(doc), json.loads(metrics) if isinstance(metrics, str) else metrics
        if isinstance(data, dict) and isinstance(data.get("size"), int) and isinstance(data.get("depth"), float):
            third = min(THIRDS - 1, int(data["depth"] * THIRDS))
            beyond = (told or {}).get(BEYOND_CONTEXT) or {}
            rows.append((item, data["size"], third, int(beyond.get("context_tokens", 0))))
    return pd.DataFrame(rows, columns=["item_id", "size", "third", "beyond"])


def _rows(
    run: Run, key: tuple[str, PromptForm, str], language: str, frames: Mapping[str, pd.DataFrame]
) -> Iterable[LengthRow]:
    (group, form, model), frame = key, frames[language]
    if frame.empty:
        return
    reference = run.reference_of(language)
    other = frames.get(reference or "", pd.DataFrame())
    task = str(frame["task"].iloc[0])
    sizes = {int(str(size)): same for size, same in frame.groupby("size")}
    shortest = sizes[min(sizes)]
    for size, same in sizes.items():
        beyond = same.loc[same["beyond"] > 0, "beyond"]
        tokens = same["context_tokens"].mean()
        mean = None if np.isnan(tokens) else float(tokens)
        why = why_no_items(run, model, task, form)
        yield LengthRow(
            model=model,
            group=group,
            language=language,
            form=form,
            size=size,
            estimate=_estimate(same, why),
            beyond=len(beyond),
            context=int(beyond.max()) if len(beyond) else None,
            tokens=mean,
            ratio=_ratio(same, other, reference),
            drop=_drop(same, shortest),
            prefill_s=_at(run, model, mean, "prefill_s"),
            cache_bytes=_at(run, model, mean, "cache"),
            peak_rss_bytes=_at(run, model, mean, "peak_rss"),
        )


def _estimate(frame: pd.DataFrame, why: str) -> Estimate:
    values = frame["score"].dropna().to_numpy(dtype=np.float64)
    if not values.size:
        longer = int((frame["beyond"] > 0).sum())
        reason = f"{longer} items are longer than the model's context" if longer else why
        return Estimate(None, None, None, 0, "", reason)
    # Items of one document are taken as independent: two to five documents say nothing of how documents differ.
    return score_interval(values, level=1 - ALPHA)


def _third(frame: pd.DataFrame) -> Estimate:
    values = frame["score"].to_numpy(dtype=np.float64) if len(frame) else np.empty(0)
    return score_interval(values, list(frame["item_id"]) if len(frame) else [], level=1 - ALPHA)


def _drop(frame: pd.DataFrame, shortest: pd.DataFrame) -> Estimate:
    if frame is shortest:
        return Estimate(None, None, None, 0, "", "the shortest size")
    here, there = (f["score"].dropna().to_numpy(dtype=np.float64) for f in (frame, shortest))
    if not np.isin(np.concatenate([here, there]), (0.0, 1.0)).all():
        difference = float(here.mean() - there.mean()) if here.size and there.size else None
        return Estimate(difference, None, None, int(here.size + there.size), "", "scores are not 0 or 1")
    counts = [(int(values.sum()), int(values.size)) for values in (here, there)]
    return newcombe_independent(counts[0], counts[1], level=1 - ALPHA)


def _ratio(frame: pd.DataFrame, other: pd.DataFrame, reference: str | None) -> Estimate:
    if reference is None:
        return Estimate(None, None, None, 0, "", "the reference language")
    if other.empty:
        return Estimate(None, None, None, 0, "", f"no items in {reference}")
    both = frame[["item_id", "context_tokens"]].merge(other[["item_id", "context_tokens"]], on="item_id").dropna()
    if both.empty:
        return Estimate(None, None, None, 0, "", f"no items in common with {reference}")
    return ratio_of_means(both["context_tokens_x"].to_numpy(), both["context_tokens_y"].to_numpy(), level=1 - ALPHA)


def _at(run: Run, model: str, tokens: float | None, what: str) -> AtLength:
    """Return what so many tokens take by the curve of contexts in the run's profile of the model."""
    measured = [profile for profile in run.profiles if profile.facts.cell.model == model]
    if tokens is None:
        return _nothing("the number of tokens is not known")
    if len(measured) != 1:
        return _nothing("measured on several devices" if measured else "the run has no profile of this model")
    points = [(p.tokens, v) for p in measured[0].facts.curve if (v := _value(p, what)) is not None]
    return between(points, tokens)


def _value(point: CurvePoint, what: str) -> float | None:
    if what == "cache":
        parts = (point.kv_bytes, point.compute_bytes)
        return None if None in parts else float(sum(part or 0 for part in parts))
    value: float | None = point.prefill_s if what == "prefill_s" else point.peak_rss
    return value


def between(points: Sequence[tuple[int, float]], tokens: float) -> AtLength:
    """Return the value at a length, on the straight line between the measured lengths on both sides; none beyond them.

    Args:
        points: (tokens, value), in ascending order of tokens.
        tokens: The length that is asked for.
    """
    if not points:
        return _nothing("the profile has no curve of contexts")
    shortest, longest = points[0][0], points[-1][0]
    if tokens > longest:
        return _nothing(f"longer than the longest measured context of {longest} tokens")
    if tokens < shortest:
        return _nothing(f"shorter than the shortest measured context of {shortest} tokens")
    value = float(np.interp(tokens, [t for t, _ in points], [v for _, v in points]))
    return AtLength(value, ReadingLabel.DERIVED, "on the straight line between the measured lengths on both sides")


def _nothing(reason: str) -> AtLength:
    return AtLength(None, ReadingLabel.UNAVAILABLE, reason)
