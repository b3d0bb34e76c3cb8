"""YAML files that people write: a mapping with the line of every field, and errors that name file, line and field."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from evalsuite.errors import CatalogError, EvalsuiteError

__all__ = ["LineOf", "Loader", "load_mapping", "read_yaml", "validate"]

if TYPE_CHECKING or not yaml.__with_libyaml__:  # noqa: SIM108  # a class must have one name for the type checker
    Loader = yaml.SafeLoader
else:
    Loader = yaml.CSafeLoader
"""PyYAML's safe loader; the one in C where there is one, which is many times as fast."""

_Loc = tuple[int | str, ...]
LineOf = Callable[[_Loc], int]
"""Line (from 1) of the field at a path of keys and positions; of its nearest parent where it is not in the file."""

_ModelT = TypeVar("_ModelT", bound=BaseModel)
_TEXT_KEYS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
_SHOWN = 80
"""Longest value that is repeated in a message."""


def load_mapping(
    path: Path,
    *,
    error: type[EvalsuiteError] = CatalogError,
    loader: type[yaml.SafeLoader] = Loader,
) -> tuple[dict[str, Any], LineOf]:
    """Read a YAML file that holds one mapping.

    Args:
        path: The file.
        error: What to raise when it cannot be read.
        loader: For files with tags of their own (lm-eval's `!function`): a subclass of `Loader`.
    """
    text = _read(path, error)
    parser = loader(text)
    try:
        node = parser.get_single_node()
        if node is None:
            raise error(f"{path}: the file is empty", fix="write `key: value` lines into it")
        _refuse_repeats(node, path, error, frozenset())
        lines: dict[_Loc, int] = {}
        _collect_lines(node, (), lines, frozenset())
        data = parser.construct_document(node)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        told = " ".join(part for part in (problem.context, problem.problem) if part)
        raise error(f"{where}: not valid YAML: {told}") from problem
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        # ValueError: a scalar that looks like a date or a number and is none ("2026-02-31").
        raise error(f"{path}: not valid YAML: {problem}") from problem
    finally:
        parser.dispose()
    if not isinstance(data, dict):
        raise error(f"{path}: holds a {type(data).__name__}; it must be a mapping (`key: value` lines)")
    for key, _ in node.value:
        # Keys such as `no` and `on` are booleans in YAML.
        if key.tag not in _TEXT_KEYS:
            told = (
                f"{path}:{key.start_mark.line + 1}: the key `{key.value}` is not text but {key.tag.rpartition(':')[2]}"
            )
            raise error(told, fix="put the key in quotes")

    def line_of(loc: _Loc) -> int:
        for end in range(len(loc), 0, -1):
            if loc[:end] in lines:
                return lines[loc[:end]]
        return 1

    return data, line_of


def read_yaml(path: Path) -> Any:
    """Return what a YAML file of our own holds."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)  # noqa: S506  # both are safe loaders


def validate(
    model: type[_ModelT],
    data: Mapping[str, Any],
    path: Path,
    line_of: LineOf,
    *,
    error: type[EvalsuiteError] = CatalogError,
) -> _ModelT:
    """Make a model from a mapping; a failure names file, line, field and value, a line for each problem."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as problem:
        told = [_describe(item, model, path, line_of) for item in problem.errors(include_url=False)]
        # pydantic reports in the order of the model; people read from the top of their file.
        told.sort(key=lambda pair: pair[0])
        raise error("\n".join(text for _, text in told)) from problem


def _read(path: Path, error: type[EvalsuiteError]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as problem:
        raise error(f"{path}: no such file") from problem
    except UnicodeDecodeError as problem:
        raise error(f"{path}: not UTF-8 text (byte {problem.start})", fix="save the file as UTF-8") from problem
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror or problem}") from problem


def _refuse_repeats(node: yaml.Node, path: Path, error: type[EvalsuiteError], above: frozenset[int]) -> None:
    """PyYAML keeps the last of two equal keys and says nothing."""
    if id(node) in above:
        raise error(f"{path}:{node.start_mark.line + 1}: an alias that holds itself")
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                line = key.start_mark.line + 1
                if key.value in seen:
                    first = seen[key.value]
                    raise error(f"{path}:{line}: {key.value!r} is given twice (first on line {first})")
                seen[key.value] = line
            _refuse_repeats(value, path, error, above)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeats(value, path, error, above)


def _collect_lines(node: yaml.Node, loc: _Loc, lines: dict[_Loc, int], above: frozenset[int]) -> None:
    if id(node) in above:
        return
    above = above | {id(node)}
    lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                inner = (*loc, key.value)
                lines[inner] = key.start_mark.line + 1
                _collect_lines(value, inner, lines, above)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            _collect_lines(value, (*loc, position), lines, above)


def _describe(item: Any, model: type[BaseModel], path: Path, line_of: LineOf) -> tuple[int, str]:
    loc: _Loc = item["loc"]
    line = line_of(loc)
    field = ".".join(str(part) for part in loc)
    if item["type"] == "missing":
        told = "is missing"
    elif item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1]), _fields_at(model, loc[:-1]), n=1)
        told = "unknown field" + (f"; did you mean {near[0]!r}?" if near else "")
    else:
        told = str(item["msg"]).removeprefix("Value error, ")
        told = told[:1].lower() + told[1:]
        shown = repr(item["input"])
        # A whole mapping is no help; it stands in the file.
        if loc and not isinstance(item["input"], dict):
            told += f" (given: {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'})"
    prefix = f"{path}:{line}: " + (f"{field}: " if field else "")
    return line, prefix + told


def _fields_at(model: type[BaseModel], loc: _Loc) -> tuple[str, ...]:
    """Return the fields that are known at a path of keys and positions; none where no model stands there."""
    kind: Any = model
    for part in loc:
        found = _model_in(kind)
        if found is not None:
            field = found.model_fields.get(str(part))
            kind = None if field is None else field.annotation
        else:
            # A list or mapping: what it holds is the last of its arguments but for the dots of `tuple[X, ...]`.
            held = [one for one in _flat(kind) if one is not Ellipsis]
            kind = held[-1] if held else None
    found = _model_in(kind)
    return tuple(found.model_fields) if found else ()


def _flat(kind: Any) -> tuple[Any, ...]:
    """Return the arguments of a generic type, through `Annotated` and `X | None`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _flat(arguments[0])
    if origin in (Union, UnionType):
        return next((inner for one in arguments if (inner := _flat(one))), ())
    return arguments


def _model_in(kind: Any) -> type[BaseModel] | None:
    """Return the model that a type is, through `Annotated` and `X | None`; none for lists and mappings."""
    origin = get_origin(kind)
    if origin is Annotated or origin in (Union, UnionType):
        return next((inner for one in get_args(kind) if (inner := _model_in(one))), None)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
