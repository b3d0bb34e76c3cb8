"""How models, languages and groups are called in a report, and which colour and shape each series has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import FAMILIES
from evalsuite.records import PromptForm
from evalsuite.report.figures import marker_clip, marker_path, series_class
from evalsuite.report.text import Text

__all__ = ["LanguageName", "Names", "Series"]


@dataclass(frozen=True, slots=True)
class LanguageName:
    """A language's name in the language of the report and in itself."""

    code: str
    shown: str
    native: str
    low: bool


@dataclass(frozen=True, slots=True)
class Series:
    """One model in one prompt form: a colour and a shape throughout the report."""

    index: int
    model: str
    form: PromptForm
    label: str

    @property
    def colour(self) -> int:
        """Number of the colour in the style sheet."""
        return series_class(self.index)

    @property
    def path(self) -> str:
        """Shape, for a key."""
        return marker_path(self.index)

    @property
    def clip(self) -> str:
        """The same shape, for the rows of tables."""
        return marker_clip(self.index)


class Names:
    """Names of everything in one run."""

    def __init__(self, run: Run, text: Text) -> None:
        self._run = run
        self._text = text

    def model(self, name: str) -> str:
        """Return a model's title, or its name where two models have the same title."""
        models = self._run.manifest.models
        if name not in models:
            on = next((profile for profile in self._run.profiles if profile.model == name), None)
            if on is None:
                return name
            return self._text("word.on_device", model=self.model(on.facts.cell.model), device=on.device.cpu)
        title = models[name].title
        return name if [m.title for m in models.values()].count(title) > 1 else title

    def language(self, code: str) -> LanguageName:
        """Return what to call a language; a code that the run does not describe stands for itself."""
        known = self._run.language(code)
        if known is None:
            return LanguageName(code, code, "", low=False)
        # In English a language is called what its file says; a language of a user's own may be unknown to CLDR.
        here = None if self._text.language == "en" else self._text.language_name(code)
        return LanguageName(code, here or known.english_name, known.name, known.tier == "low")

    def form(self, form: PromptForm) -> str:
        """Return what to call a prompt form."""
        plain = form.wording == PromptForm.NATIVE
        parts = [] if plain and form.chat else [self._wording(form.wording)]
        parts += [self._text("word.chat")] if form.chat else []
        parts += [self._text("form.turned", n=form.rotation + 1)] if form.rotation else []
        return ", ".join(parts)

    def _wording(self, wording: str) -> str:
        if wording == PromptForm.NATIVE:
            return self._text("word.native")
        if wording == PromptForm.ENGLISH:
            return self._text("form.english")
        if wording in PromptForm.LABEL_WORDINGS:
            return self._text(f"form.{wording}")
        return self._text("form.wording", n=int(wording.rpartition("-")[2]))

    def group(self, group: str, form: PromptForm) -> str:
        """Return what to call a group; the prompt form is named only where the run has several."""
        return group if len(self._run.forms) == 1 else f"{group} ({self.form(form)})"

    def family_of(self, group: str) -> str:
        """Return what kind of work a group is, for those who do not know tasks by their names; empty where that is its name."""
        family = self._families.get(group, "")
        shown = self._text(f"family.{family}") if family in FAMILIES else family
        return "" if shown.casefold() == group.casefold() else shown

    @cached_property
    def _families(self) -> dict[str, str]:
        tasks = self._run.manifest.tasks.values()
        return {self._run.group_of(task.name): task.family for task in reversed(tasks)}

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """Every model × prompt form, in the order of every figure and table."""
        pairs = [(model, form) for model in self._run.models for form in self._run.forms]
        many = len(self._run.forms) > 1
        found = [
            Series(i, model, form, f"{self.model(model)} ({self.form(form)})" if many else self.model(model))
            for i, (model, form) in enumerate(pairs)
        ]
        # A model that was measured on several devices has a series for each.
        known = set(self._run.models)
        apart = [profile.model for profile in self._run.profiles if profile.model not in known]
        found += [Series(len(found) + i, name, self._run.forms[0], self.model(name)) for i, name in enumerate(apart)]
        return tuple(found)

    def key(self, row: Any) -> str:
        """Return what names a row of a table and the mark of a figure that shows the same number.

        Args:
            row: Any row with a model and a language; with a prompt form, and a task or group, where it has them.

        Returns:
            Nothing for what has no series, which is in no figure: baselines, and other forms than the main ones.
        """
        form = getattr(row, "form", None) or self._run.forms[0]
        series = next((s for s in self.series if s.model == row.model and s.form == form), None)
        if series is None:
            return ""
        parts = (row.language, getattr(row, "task", None) or getattr(row, "group", None), getattr(row, "kind", None))
        return " ".join([str(series.index), *(str(part) for part in parts if part)])

    def series_of(self, model: str, form: PromptForm) -> Series:
        """Return the series of a model in a prompt form."""
        return next(s for s in self.series if s.model == model and s.form == form)
