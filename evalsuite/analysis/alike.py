"""Whether cells of two runs may be compared: the same task, data, prompt, items, metric, model and engine, but for what is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import pandas as pd

from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import SCORINGS
from evalsuite.analysis.pairs import Side
from evalsuite.errors import InputError
from evalsuite.likeness import (
    Unlike,
    scoring_packages,
    unlike_devices,
    unlike_engines,
    unlike_models,
    unlike_options,
    unlike_tasks,
)
from evalsuite.records import LONG_FAMILY, Cell
from evalsuite.store import RunFolder

__all__ = ["Doubts", "check_sides"]

_SHOWN = 6
"""Differences that an error lists."""
_LM_EVAL = "lm-eval"
_AROUND = 24
"""Characters of a prompt that are shown before and after the first difference."""


@dataclass
class Doubts:
    """What was found to be unlike, and what a reader must know besides, each once."""

    labels: tuple[str, str]
    """What to call the two runs."""
    unlike: dict[Unlike, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, found: Sequence[Unlike]) -> None:
        """Remember what is unlike."""
        self.unlike |= dict.fromkeys(found)

    def note(self, text: str) -> None:
        """Remember what a reader must know."""
        self.notes[text] = None

    @property
    def told(self) -> list[str]:
        """A sentence for each thing that is unlike."""
        return [one.told(*self.labels) for one in self.unlike]

    def refuse(self) -> None:
        """Refuse the comparison where something is unlike.

        Raises:
            InputError: It names what differs, with both values.
        """
        if not self.unlike:
            return
        told = self.told
        more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
        fixes = dict.fromkeys(one.fix for one in self.unlike)
        raise InputError(
            "these are not alike, so a difference would not be that of what is compared:\n  "
            + "\n  ".join([*told[:_SHOWN], *more]),
            fix=f"{'; '.join(list(fixes)[:2])}; or compare them all the same with --force, and the warning stays with the result",
        )


def check_sides(first: Side, second: Side, by: Axis, doubts: Doubts) -> None:
    """Remember in what two cells of two runs differ besides what is compared. Cells of one run are alike by its making.

    Args:
        first: A cell of the first run.
        second: A cell of the same task, of the second run.
        by: What is compared.
        doubts: Takes what is found.
    """
    if first.run is second.run:
        return
    one, other = first.run.manifest, second.run.manifest
    doubts.add(unlike_tasks(one.tasks[first.task], other.tasks[second.task]))
    if first.form != second.form and by is not Axis.PROMPT:
        fix = "measure one of them again in the form of the other, or compare the forms with --by prompt"
        doubts.add([Unlike("the question", "prompt form", first.form.value, second.form.value, fix)])
    same_model = first.model == second.model
    cells = _cell(first), _cell(second)
    if same_model:
        doubts.add(unlike_models(one.models[first.model], other.models[second.model]))
        if cells[0] and cells[1]:
            doubts.add(unlike_options(cells[0], cells[1]))
    asked = _unlike_items(first, second)
    doubts.add(asked)
    _check_engines(first, second, doubts, same_model=same_model, same_items=not asked)
    devices = unlike_devices(one.device, other.device)
    if devices and by is not Axis.DEVICE:
        told = "; ".join(d.values(*doubts.labels) for d in devices[:2])
        doubts.note(
            f"The runs were scored on different devices ({told}): their kernels round differently, which turns close answers."
        )


def _check_engines(first: Side, second: Side, doubts: Doubts, *, same_model: bool, same_items: bool) -> None:
    backends = [side.run.manifest.models[side.model].backend for side in (first, second)]
    common = set(scoring_packages(backends[:1])) & set(scoring_packages(backends[1:]))
    versions = first.run.manifest.versions, second.run.manifest.versions
    for found in unlike_engines(backends, *versions):
        told = found.values(*doubts.labels)
        if found.field not in common:
            continue
        if found.field == _LM_EVAL and same_items and _recomputed(first) and _recomputed(second):
            doubts.note(
                f"lm-eval differs ({told}), which does not matter where prompts and answers are the same texts and every score "
                "is what the stored log-probabilities give."
            )
        elif found.field != _LM_EVAL and same_model:
            doubts.note(f"The engine differs ({told}): it is part of what the two runs of {first.model} differ in.")
        else:
            doubts.add([found])


def _recomputed(side: Side) -> bool:
    """Return whether every score of a cell is what its stored log-probabilities give."""
    metric = side.run.manifest.tasks[side.task].primary_metric
    cell = _cell(side)
    frame = side.run.frames.get(cell.id) if cell else None
    if frame is None or metric not in SCORINGS:
        return False
    known = frame.loc[frame["score"].notna()]
    return bool((known["score"] == known[metric]).all())


def _unlike_items(first: Side, second: Side) -> list[Unlike]:
    """Return whether shared items were put in other words, or have another right answer."""
    cells = _cell(first), _cell(second)
    # Prompts that are compared differ. A chat template is the model's own, and so is the length of a text that is cut to
    # so many of its tokens.
    family = first.run.manifest.tasks[first.task].family
    own_words = first.model != second.model and (first.form.chat or family == LONG_FAMILY)
    if cells[0] is None or cells[1] is None or first.form != second.form or own_words:
        return []
    ours, theirs = _hashes(first.run, cells[0]), _hashes(second.run, cells[1])
    shared = ours.index.intersection(theirs.index)
    found = []
    for name, column, text in (("prompt", "prompt_hash", "context"), ("right answer", "target_hash", "target")):
        differing = shared[(ours.loc[shared, column] != theirs.loc[shared, column]).to_numpy()]
        if len(differing):
            item = str(differing[0])
            values = _excerpts(_text(first.run, cells[0], item, text), _text(second.run, cells[1], item, text))
            told = f"{len(differing)} of {len(shared)} shared items, such as {item}:"
            fix = "measure one of them again with the task and the prompt form of the other"
            found.append(Unlike(f"the {name} of {first.task} ({first.form.value})", told, *values, fix))
    return found


def _cell(side: Side) -> Cell | None:
    result = side.run.result(side.model, side.task, side.form)
    return result.cell if result else None


def _hashes(run: Run, cell: Cell) -> pd.DataFrame:
    columns = ("item_id", "prompt_hash", "target_hash")
    frame: pd.DataFrame = RunFolder(run.path).table(cell, columns=columns).to_pandas()
    # Items that share an id cannot be paired, and are refused where they are to be.
    return frame.drop_duplicates("item_id").set_index("item_id")


def _text(run: Run, cell: Cell, item: str, column: str) -> str:
    rows = RunFolder(run.path).table(cell, columns=("item_id", column)).to_pylist()
    return next(str(row[column]) for row in rows if row["item_id"] == item)


def _excerpts(ours: str, theirs: str) -> tuple[str, str]:
    """Return two texts as far as they differ, with some characters around."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))
    start = max(0, same - _AROUND)
    return _excerpt(ours, start, same), _excerpt(theirs, start, same)


def _excerpt(text: str, start: int, same: int) -> str:
    end = same + _AROUND
    shown = ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
    return repr(shown)
