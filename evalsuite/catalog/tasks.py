"""Tasks as validated objects: lm-eval YAML with our metadata, hashed with everything that it includes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import yaml

from evalsuite.catalog.lm_eval_tasks import read_lists
from evalsuite.catalog.paths import data_root
from evalsuite.catalog.yamlfile import LineOf, Loader, load_mapping, validate
from evalsuite.errors import CatalogError, InputError, suggest
from evalsuite.records import DataRef, Language, Task

__all__ = ["asked_columns", "has_changed", "load_tasks", "named", "names_of", "resolve_tasks", "task_folders"]

_METADATA = (
    "language", "family", "suite", "chance", "parallel_group", "id_column", "primary_metric", "primary_why", "licence", "source",
    "note", "items", "listed_options", "cluster_column", "accept", "trained_on",
)  # fmt: skip


_JINJA = jinja2.Environment(autoescape=False)  # noqa: S701  # prompts, not pages


class _Loader(Loader):
    """Reads lm-eval's `!function` tags as text; nothing is imported."""


class _Function(str):
    """The name of a Python function, `module.name`."""

    __slots__ = ()


def _function(loader: yaml.SafeLoader, node: yaml.Node) -> _Function:
    assert isinstance(node, yaml.ScalarNode)
    return _Function(loader.construct_scalar(node))


_Loader.add_constructor("!function", _function)


def task_folders(include: Sequence[Path] = ()) -> list[Path]:
    """Return the folders that hold task files, the shipped one first; lm-eval's `include_path`."""
    return [data_root("tasks"), *(path / "tasks" for path in include if (path / "tasks").is_dir())]


def load_tasks(include: Sequence[Path] = ()) -> dict[str, Task]:
    """Return all tasks by name; those of `include` folders add to the shipped ones or replace them.

    Raises:
        CatalogError: A file is wrong; the message names file, line and field.
    """
    tasks: dict[str, Task] = {}
    for folder in task_folders(include):
        for path in sorted(folder.rglob("*.yaml")):
            if path.parent.name != "data" and not path.name.startswith("_"):
                task = _load(path)
                tasks[task.name] = task
        for listed, path, entry in read_lists(folder):
            task = _load_named(listed, path, entry)
            tasks[task.name] = task
    return tasks


def resolve_tasks(
    names: Sequence[str], languages: Sequence[Language], tasks: Mapping[str, Task]
) -> tuple[list[Task], list[tuple[str, str]]]:
    """Return the tasks that `names` mean in `languages`, and the (name, language) pairs for which there is none.

    Args:
        names: Task names, parallel groups, families or suites; of several meanings the narrowest counts.
        languages: Languages that are asked for.
        tasks: The catalog.

    Raises:
        InputError: A name means nothing, or one exact task is in none of the languages.
    """
    codes = [language.code for language in languages]
    chosen: dict[str, Task] = {}
    missing: list[tuple[str, str]] = []
    for name in names:
        if name in tasks:
            if tasks[name].language not in codes:
                raise InputError(
                    f"task {name!r} is in {tasks[name].language!r}, which is not among the languages {', '.join(codes)}",
                    fix=f"add {tasks[name].language!r} to the languages, or leave the task out",
                )
            chosen[name] = tasks[name]
            continue
        members = named(name, tasks.values())
        if not members:
            known = {known for task in tasks.values() for known in names_of(task)}
            raise InputError(
                f"unknown task {name!r}", fix=suggest(name, known, kind="task", show="evalsuite tasks list")
            )
        for code in codes:
            found = [task for task in members if task.language == code]
            chosen.update({task.name: task for task in found})
            if not found:
                missing.append((name, code))
    return list(chosen.values()), missing


def has_changed(task: Task) -> bool:
    """Return whether the files of a task are no longer those that it was read from."""
    config, _, files = _merge(task.path, ())
    named = [] if task.lm_eval else config.get("metadata", {}).get("data_files") or []
    return _hash([*_code(config, task.path, files), *(task.path.parent / str(name) for name in named)]) != task.sha256


def asked_columns(task: Task) -> frozenset[str] | None:
    """Return the columns that a task's own wording puts to the model; none where that is up to a function."""
    config, _, _ = _merge(task.path, ())
    texts = [config.get(key) for key in ("doc_to_text", "doc_to_choice", "doc_to_target")]
    if any(isinstance(text, _Function) for text in texts):
        return None
    found: set[str] = set()
    for text in texts:
        # A column's bare name stands for the column.
        template = (
            text if isinstance(text, str) and "{" in text else f"{{{{ {text} }}}}" if isinstance(text, str) else ""
        )
        try:
            found |= jinja2.meta.find_undeclared_variables(_JINJA.parse(template))
        except jinja2.TemplateError:
            return None
    return frozenset(found)


def names_of(task: Task) -> tuple[str, ...]:
    """Return every name that a sweep can mean a task by, the narrowest first: its own, its group's, family's, suites'.

    `family:NAME` and `suite:NAME` are the last two without a doubt, where a group has the same name.
    """
    plain = dict.fromkeys(name for name in (task.name, task.parallel_group, task.family, *task.suite) if name)
    return (*plain, f"family:{task.family}", *(f"suite:{name}" for name in task.suite))


def named(name: str, tasks: Iterable[Task]) -> list[Task]:
    """Return the tasks that a name means: those of the group of that name, else of the family, else of the suite."""
    known = list(tasks)
    for meant in (
        [task for task in known if task.name == name],
        [task for task in known if task.parallel_group == name],
        [task for task in known if name in (task.family, f"family:{task.family}")],
        [task for task in known if name in task.suite or name in {f"suite:{suite}" for suite in task.suite}],
    ):
        if meant:
            return meant
    return []


def _load(path: Path) -> Task:
    config, line_of, files = _merge(path, ())
    metadata = config.get("metadata")
    if not isinstance(metadata, dict):
        raise CatalogError(
            f"{path}: metadata: missing",
            fix="give the task our metadata (language, family, chance, ...), see docs/tasks.md",
        )
    named = metadata.get("data_files") or []
    if not isinstance(named, list):
        raise CatalogError(f"{path}:{line_of(('metadata', 'data_files'))}: metadata.data_files: not a list: {named!r}")
    data_files = [path.parent / str(name) for name in named]
    lost = [f for f in data_files if not f.is_file()]
    if lost:
        raise CatalogError(f"{path}:{line_of(('metadata', 'data_files'))}: metadata.data_files: no file {lost[0]}")
    return validate(
        Task,
        {
            **_fields(metadata),
            "wordings": ("native", *_mapping(metadata, "forms")),
            "name": config.get("task"),
            "output_type": config.get("output_type"),
            "data": _data_ref(config, metadata, path, line_of),
            "path": path,
            "sha256": _hash([*_code(config, path, files), *data_files]),
        },
        path,
        lambda loc: line_of(("metadata", *loc)) if loc and loc[0] in _METADATA else line_of(loc),
    )


def _load_named(listed: Path, path: Path, entry: Mapping[str, Any]) -> Task:
    """Return a task of lm-eval, with the metadata of our list."""
    config, line_of, files = _merge(path, ())
    unknown = entry.keys() - {"name", "columns", *_METADATA}
    if unknown:
        raise CatalogError(f"{listed}: {entry['name']}: unknown field {min(unknown)!r}")
    return validate(
        Task,
        {
            **_fields({"family": listed.stem, **entry}),
            "name": entry["name"],
            "lm_eval": True,
            "output_type": config.get("output_type"),
            "data": _data_ref(config, entry, path, line_of),
            "path": path,
            "sha256": _hash(_code(config, path, files)),
        },
        listed,
        lambda _: 1,
    )


def _fields(metadata: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: metadata[key] for key in _METADATA if key in metadata}
    fields["answer_language"] = metadata.get("target_language")
    return {"chance": None, "parallel_group": None, "id_column": None, "suite": (), **fields}


def _code(config: Mapping[str, Any], path: Path, files: set[Path]) -> list[Path]:
    """Return the files that a configuration came from, and the helper modules that it names."""
    helpers = {path.parent / f"{f.rpartition('.')[0].replace('.', '/')}.py" for f in _functions(config)}
    return sorted(f for f in files | helpers if f.is_file())


def _data_ref(config: Mapping[str, Any], metadata: Mapping[str, Any], path: Path, line_of: LineOf) -> DataRef:
    """Return where a configuration says that the items are."""
    split = config.get("test_split") or config.get("validation_split")
    if not split:
        raise CatalogError(f"{path}: test_split: missing", fix="name the split that holds the items")
    pool = _mapping(metadata, "pool")
    kwargs = config.get("dataset_kwargs") or {}
    if not isinstance(kwargs, dict) or kwargs.keys() - {"revision"}:
        raise CatalogError(
            f"{path}:{line_of(('dataset_kwargs',))}: dataset_kwargs: only `revision` is understood (given: {kwargs!r})",
            fix="read local files with a `custom_dataset` function beside the task, see docs/tasks.md",
        )
    kind = "mirror" if metadata.get("published") == "elsewhere" else "hub"
    place: dict[str, Any] = {
        "kind": kind,
        "path": config.get("dataset_path"),
        "config": config.get("dataset_name"),
        **kwargs,
    }
    if pool:
        place = {
            "kind": kind,
            "path": pool.get("path"),
            "configs": pool.get("configs"),
            "revision": pool.get("revision"),
        }
    elif config.get("custom_dataset"):
        place = {"kind": "shipped"}
    return validate(
        DataRef,
        {**place, "split": split},
        path,
        lambda loc: line_of(("dataset_kwargs", *loc)) if loc[:1] == ("revision",) else line_of(loc),
    )


def _mapping(metadata: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Return a field of the metadata that holds a mapping; empty where it is missing."""
    value = metadata.get(field) or {}
    return value if isinstance(value, dict) else {}


def _merge(path: Path, above: tuple[Path, ...]) -> tuple[dict[str, Any], LineOf, set[Path]]:
    """Return the configuration with its includes, as lm-eval merges them, and every file that it came from."""
    path = path.resolve()
    if path in above:
        raise CatalogError(f"{path}: include: the files include each other")
    config, line_of = load_mapping(path, loader=_Loader)
    includes = config.pop("include", None) or []
    merged: dict[str, Any] = {}
    files = {path}
    for name in includes if isinstance(includes, list) else [includes]:
        if not (path.parent / name).is_file():
            raise CatalogError(f"{path}:{line_of(('include',))}: include: no file {name}")
        part, _, part_files = _merge(path.parent / name, (*above, path))
        # A helper module lies beside the file that names it.
        beside = (path.parent / name).parent
        files |= part_files | {beside / f"{f.rpartition('.')[0].replace('.', '/')}.py" for f in _functions(part)}
        merged.update(part)
    return {**merged, **config}, line_of, files


def _functions(value: Any) -> Iterable[_Function]:
    if isinstance(value, _Function):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _functions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _functions(item)


def _hash(files: Sequence[Path]) -> str:
    """Hash files by name and content; the place of the checkout does not matter."""
    whole = hashlib.sha256()
    for path in dict.fromkeys(p.resolve() for p in files):
        whole.update(f"{path.name}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()
