"""What can be named: languages, tasks and models, as their files describe them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from evalsuite.records.base import Frozen, Name, Sha256

__all__ = ["DataRef", "Language", "Model", "Source", "Task"]


class Language(Frozen):
    """One language: names, script, resource tier, prompt words, metric tokenizer, reference language."""

    code: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    name: str
    """The language's own name for itself, capitalised as a heading."""
    english_name: str
    locale: str
    """CLDR locale, as Babel writes it (`pt_PT`)."""
    iso639_3: Annotated[str, Field(pattern=r"^[a-z]{3}$")]
    flores: Annotated[str, Field(pattern=r"^[a-z]{3}_[A-Z][a-z]{3}$")]
    """Code in FLORES-200, SIB-200 and Belebele (`eus_Latn`)."""
    script: str
    """ISO 15924 (`Latn`, `Jpan`)."""
    family: str
    tier: Literal["high", "low"]
    """Resource tier: `low` marks the languages whose gaps the report must show."""
    reference: str | None
    """The language that gaps are taken against by default; none for the control."""
    spaced: bool
    """Whether words are written with spaces between them."""
    metric_tokenizer: Literal["13a", "intl", "char", "ja-mecab", "flores200"]
    """sacrebleu tokenizer for BLEU; chrF needs none."""
    colon: str
    """What stands between a label and its text."""
    prompts: dict[str, dict[str, str | dict[str, str]]]
    """Prompt words by task group; texts hold lm-eval's Jinja placeholders (`{{text}}`)."""
    path: Path
    sha256: Sha256


class DataRef(Frozen):
    """Where a task's items come from: files beside the task, or a data set on the hub."""

    kind: Literal["shipped", "hub"]
    path: str | None = None
    """Hub id."""
    config: str | None = None
    split: str
    revision: str | None = None
    found: str | None = None
    """Where it was found: "shipped", "mirror" or "hub"; none until it was looked for."""
    sha256: Sha256 | None = None
    """Of the split's file, where it was read from a mirror."""


class Task(Frozen):
    """One lm-eval task YAML with our metadata, hashed with everything that it includes."""

    name: Name
    language: str
    family: str
    suite: tuple[str, ...]
    output_type: str
    chance: float | None
    """Expected score of a guesser, 0 to 1; none where there is no such thing."""
    parallel_group: str | None
    id_column: str | None
    primary_metric: str
    licence: str
    source: str
    note: str | None = None
    """A caveat that must be shown wherever the task's scores are."""
    data: DataRef
    items: int | None = None
    """Number of items, where it is known without fetching the data."""
    path: Path
    sha256: Sha256
    """Hash of the YAML, its includes, its Python helpers and its shipped data."""


class Source(Frozen):
    """Where a model file comes from: `pypi:`, `hf:` or `file:`."""

    kind: Literal["pypi", "hf", "file"]
    package: str | None = None
    version: str | None = None
    members: tuple[str, ...] = ()
    """For `pypi`: `package==version:path/inside/wheel`, concatenated in order to make the file."""
    repo: str | None = None
    filename: str | None = None
    revision: str | None = None
    path: Path | None = None

    def __str__(self) -> str:
        if self.kind == "pypi":
            return f"pypi:{self.package}=={self.version}"
        if self.kind == "hf":
            return f"hf:{self.repo}/{self.filename}" + (f"@{self.revision[:12]}" if self.revision else "")
        return f"file:{self.path}"


class Model(Frozen):
    """One model of the catalog, or a file that the user named."""

    name: Name
    backend: str
    title: str
    licence: str
    licence_url: str | None = None
    parameters: Annotated[int, Field(gt=0)] | None = None
    quantisation: str | None = None
    context: Annotated[int, Field(gt=0)] | None = None
    """Context length that the model was trained for, in tokens."""
    source: Source
    bytes: Annotated[int, Field(gt=0)] | None = None
    sha256: Sha256 | None = None
    """Of the model file; none where the catalog cannot know it (it is then recorded at the first use)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Arguments for the backend."""
