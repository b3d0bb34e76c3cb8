"""Rows of a table as a pandas frame: a column for each number, estimates flattened under the name of their field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, get_args, get_origin, get_type_hints

import pandas as pd

from evalsuite.analysis.gap_rows import Part
from evalsuite.stats.energy import Quantity
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.paired import PairedDifference

__all__ = ["to_frame"]

_Column = tuple[str, Callable[[Any], Any]]
_PARTS = {Estimate: ("low", "high", "n", "method", "reason"), Quantity: ("low", "high", "reason")}
"""What stands beside the value, as `NAME_low` and so on."""


def to_frame(rows: Iterable[Any], row_type: type) -> pd.DataFrame:
    """Return frozen rows as a tidy frame, a row each; its columns depend on the type alone.

    A field that is an `Estimate` or a `Quantity` becomes `NAME`, `NAME_low`, `NAME_high`, … and `NAME_reason`, which says
    why a number is missing. What a `PairedDifference` named `difference` holds stands under its own names, what other
    dataclasses hold as `NAME_FIELD`. Enumerations become their values. Tuples of rows, which are tables of their own, are left out.

    Args:
        rows: Instances of `row_type`.
        row_type: A frozen dataclass.
    """
    columns = _columns(row_type)
    return pd.DataFrame([[read(row) for _, read in columns] for row in rows], columns=[name for name, _ in columns])


@cache
def _columns(row_type: type) -> tuple[_Column, ...]:
    hints = get_type_hints(row_type)
    own = {field.name for field in fields(row_type)}
    return tuple(
        (name, read)
        for field in fields(row_type)
        for name, read in _of_field(field.name, hints[field.name])
        # A row that has a word of its own for something has the last one: its reason covers that of its difference.
        if name == field.name or name not in own
    )


def _of_field(name: str, hint: Any) -> Iterator[_Column]:
    if get_origin(hint) is Part:
        found = _through(attrgetter(name), attrgetter("found"))
        inner = _dataclass_in(get_args(hint)[0])
        if inner is not None:
            yield from ((f"{name}_{column}", _through(found, get)) for column, get in _columns(inner))
        yield f"{name}_reason", _inside(name, "reason")
        return
    kind = _dataclass_in(hint)
    if kind is None:
        if not _holds_rows(hint):
            yield name, _plain(attrgetter(name))
        return
    if kind in _PARTS:
        yield name, _inside(name, "value")
        yield from ((f"{name}_{part}", _inside(name, part)) for part in _PARTS[kind])
        return
    before = "" if kind is PairedDifference and name == "difference" else f"{name}_"
    yield from ((f"{before}{column}", _through(attrgetter(name), get)) for column, get in _columns(kind))


def _inside(name: str, part: str) -> Callable[[Any], Any]:
    return _through(attrgetter(name), attrgetter(part))


def _through(outer: Callable[[Any], Any], read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def get(row: Any) -> Any:
        found = outer(row)
        return None if found is None else read(found)

    return get


def _plain(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def get(row: Any) -> Any:
        found = read(row)
        return found.value if isinstance(found, Enum) else found

    return get


def _dataclass_in(hint: Any) -> type | None:
    """Return the dataclass that a field holds, also where it may hold none instead."""
    options = [hint] if isinstance(hint, type) else [one for one in get_args(hint) if one is not type(None)]
    alone = options[0] if len(options) == 1 and get_origin(hint) is not tuple else None
    return alone if isinstance(alone, type) and is_dataclass(alone) else None


def _holds_rows(hint: Any) -> bool:
    return get_origin(hint) is tuple and any(_dataclass_in(one) for one in get_args(hint))
