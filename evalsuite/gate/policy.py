"""Rollout policies: YAML files in plain terms, read into validated records; errors name file, line and field."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from evalsuite.catalog.paths import data_root
from evalsuite.catalog.yamlfile import load_mapping, validate
from evalsuite.errors import InputError
from evalsuite.gate.amounts import GapAmount, Level, ScoreAmount, ShareAmount
from evalsuite.records import Frozen, Kind, PromptForm, ReadingLabel

__all__ = [
    "ALL",
    "EXAMPLE",
    "SCORE_RULES",
    "Correction",
    "Evidence",
    "Family",
    "Need",
    "Policy",
    "Rules",
    "UseCase",
    "example_policy",
    "load_policy",
]

ALL = "all"
"""In the place of a list: all languages, or all models, of the runs."""
SCORE_RULES = ("minimum_score", "above_chance", "maximum_gap", "wrong_language_share")
"""Rules that need the scores of tasks; the others need a profile of a device."""
EXAMPLE = "labels.yaml"
"""The policy that ships as an example."""


def _shown(text: str) -> str:
    # Names are printed: a character that steers a terminal is none.
    if not text.isprintable() or not text.strip():
        raise ValueError("must be text that can be shown on one line")
    return text


_Text = Annotated[str, Field(strict=True, max_length=200), AfterValidator(_shown)]
_Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(strict=True, gt=0)]
_Flag = Annotated[bool, Field(strict=True)]
_Names = Annotated[tuple[_Text, ...], Field(min_length=1)]


class Correction(StrEnum):
    """What is done about many decisions at once."""

    HOLM = "holm"
    NONE = "none"


class Family(StrEnum):
    """Which decisions are corrected together."""

    ROLLOUT = "rollout"
    """Those of one use case in one language: the models that one may be chosen from."""
    POLICY = "policy"
    """All decisions of the policy."""


class Need(StrEnum):
    """How many of the models a language needs."""

    ANY = "any"
    """One model that meets all rules is enough."""
    EVERY = "every"
    """Every model must meet all rules."""


class Rules(Frozen):
    """What a model must keep to in one language; a rule that is not named is not asked for."""

    minimum_score: ScoreAmount | None = None
    """Least score of each task: `60 %`."""
    above_chance: _Flag | None = None
    """Whether each task's score must be shown to be better than guessing."""
    maximum_gap: GapAmount | None = None
    """Most that the score may be behind the reference language, on the same items: `10 points`."""
    wrong_language_share: ShareAmount | None = None
    """Largest share of written answers that may be in another language."""
    latency_p95_s: _Positive | None = None
    """Time within which 19 of 20 requests are answered, in seconds."""
    first_token_p95_s: _Positive | None = None
    """Time within which 19 of 20 requests begin to be answered, in seconds."""
    memory_mib: _Positive | None = None
    """Memory that the model may need while it serves requests, in MiB."""
    energy_j: _Positive | None = None
    """Energy of one request, in joules, with what the idle device takes."""

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of the rules that are asked for, in the order of this record."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) not in (None, False))

    def over(self, base: Rules) -> Rules:
        """Return `base` with what this record names in place of its own; `null` takes a rule away."""
        return base.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


class Evidence(Frozen):
    """What evidence is needed. What is lacking makes a decision inconclusive, never GO."""

    least_items: _Count | None = None
    """Scored items of each task."""
    least_requests: _Count | None = None
    """Timed requests of the kind."""
    no_warnings: _Flag = True
    """Whether the scores must be free of warnings: guessing, or nearly always the same answer."""
    undisturbed: _Flag = True
    """Whether times and energy must be of rounds that no other work and no throttling disturbed."""
    device: _Text | None = None
    """A part of the name of the processor or board, or the fingerprint, of the device that times, memory and energy are of."""
    memory_proven: _Flag = False
    """Whether the need for memory must be proven by a run under a limit."""
    energy_labels: Annotated[tuple[ReadingLabel, ...], Field(min_length=1)] = (
        ReadingLabel.MEASURED,
        ReadingLabel.DERIVED,
    )
    """How a figure of energy may have come about: measured, derived, estimated."""
    spot_check: _Flag = False
    """Whether a spot check must have shown that the scores hold on the device."""
    oldest_days: _Positive | None = None
    """Greatest age of results, in days."""

    @field_validator("energy_labels")
    @classmethod
    def _no_missing(cls, value: tuple[ReadingLabel, ...]) -> tuple[ReadingLabel, ...]:
        if ReadingLabel.UNAVAILABLE in value:
            raise ValueError("'unavailable' is no figure; write measured, derived or estimated")
        return value

    def over(self, base: Evidence) -> Evidence:
        """Return `base` with what this record names in place of its own."""
        return base.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


class UseCase(Frozen):
    """One use of a model: its tasks, its languages, and what it must keep to."""

    name: _Text
    tasks: tuple[_Text, ...] = ()
    """Task names, parallel groups, families or suites, as a sweep names them. Each must keep the rules by itself."""
    categories: _Names | None = None
    """Only items of these categories."""
    category_column: _Text | None = None
    """Column of the items that names their category; none: the one that the task says, or `category`."""
    languages: _Names | None = None
    """Codes; none stands for all languages of the tasks, or of the profiles where there are no tasks."""
    models: _Names | None = None
    """Names; none stands for all models of the runs."""
    prompt_form: PromptForm | None = None
    """None where the runs have one only."""
    requests: Kind | None = None
    """Kind of request of the profile that stands for this use; needed for rules of time and energy."""
    rules: Rules
    overrides: dict[str, Rules] = Field(default_factory=dict)
    """Rules for one language in place of `rules`, by its code."""
    evidence: Evidence = Evidence()
    """In place of the policy's."""

    @field_validator("languages", "models", mode="before")
    @classmethod
    def _all(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value != ALL:
                raise ValueError(f"write a list such as [{value}], or `all`")
            return None
        return value

    @field_validator("tasks", "categories", "languages", "models")
    @classmethod
    def _no_repeats(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        repeated = sorted({name for name in value or () if (value or ()).count(name) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return value

    @model_validator(mode="after")
    def _whole(self) -> UseCase:
        asked = {code: self.rules_of(code).asked for code in ("", *self.overrides)}
        if not any(asked.values()):
            raise ValueError("rules: asks for nothing; name at least one rule")
        empty = [code for code, names in asked.items() if code and not names]
        if empty:
            raise ValueError(
                f"overrides: no rule is left for {', '.join(empty)}; leave the language out of `languages`"
            )
        scored = next((name for name in SCORE_RULES if any(name in names for names in asked.values())), None)
        if scored and not self.tasks:
            raise ValueError(f"tasks: missing; {scored} is of the scores of tasks")
        if self.categories and not self.tasks:
            raise ValueError("categories: are of no use without `tasks`")
        timed = ("latency_p95_s", "first_token_p95_s", "energy_j")
        needing = [name for name in timed if any(name in names for names in asked.values())]
        if needing and self.requests is None:
            kinds = ", ".join(Kind)
            raise ValueError(f"requests: missing; {needing[0]} is of one kind of request: {kinds}")
        strange = [code for code in self.overrides if self.languages and code not in self.languages]
        if strange:
            raise ValueError(f"overrides: {strange[0]!r} is not among the languages {', '.join(self.languages or ())}")
        if self.category_column and not self.categories:
            raise ValueError("category_column: is of no use without `categories`")
        return self

    def rules_of(self, language: str) -> Rules:
        """Return the rules for a language."""
        return self.overrides[language].over(self.rules) if language in self.overrides else self.rules


class Policy(Frozen):
    """What must hold before a model is rolled out."""

    name: _Text
    question: _Text | None = None
    """What is to be decided, in the words of the person who decides."""
    reference: _Text | None = None
    """Language that gaps are taken against; none: the runs' own."""
    confidence: Level = 0.95
    """Of every statement: a rule is met only if it would be found so wrongly in at most 5 % of cases."""
    correction: Correction = Correction.HOLM
    family: Family = Family.ROLLOUT
    need: Need = Need.ANY
    evidence: Evidence = Evidence()
    use_cases: tuple[UseCase, ...]
    path: Path
    sha256: str

    @field_validator("use_cases")
    @classmethod
    def _named_apart(cls, value: tuple[UseCase, ...]) -> tuple[UseCase, ...]:
        if not value:
            raise ValueError("name at least one use case")
        names = [one.name for one in value]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"two use cases have the name {repeated[0]!r}")
        return value

    @property
    def alpha(self) -> float:
        """Level of every one-sided test."""
        return 1 - self.confidence

    def evidence_of(self, use_case: UseCase) -> Evidence:
        """Return the evidence that a use case needs."""
        return use_case.evidence.over(self.evidence)


def load_policy(path: Path) -> Policy:
    """Return the policy of a file.

    Raises:
        InputError: The file is missing or wrong; the message names file, line and field.
    """
    if not path.exists():
        raise InputError(
            f"{path}: no such policy file",
            fix="`evalsuite gate --example > policy.yaml` writes one to begin with; docs/gate.md explains it",
        )
    data, line_of = load_mapping(path, error=InputError)
    for ours in ("path", "sha256"):
        if ours in data:
            raise InputError(f"{path}:{line_of((ours,))}: {ours}: unknown field", fix="remove it")
    made = {"name": path.stem, **data, "path": path, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return validate(Policy, made, path, line_of, error=InputError)


def example_policy() -> str:
    """Return the text of the policy that ships as an example.

    Raises:
        CatalogError: It is missing from the installation.
    """
    return (data_root("examples/policies") / EXAMPLE).read_text(encoding="utf-8")
