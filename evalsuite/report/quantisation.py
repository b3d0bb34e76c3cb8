"""The part of the report on quantisation: what files hold, what it costs, and whether some languages pay more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup

from evalsuite.analysis.load import Run
from evalsuite.analysis.quantisation import DeltaRow, DoubleDeltaRow, TierDeltaRow, quantised_models
from evalsuite.analysis.rows import Scale, Verdict
from evalsuite.analysis.tables import Tables
from evalsuite.catalog.quantisations import other_types, types_text
from evalsuite.records import Model
from evalsuite.report.blocks import Block, Blocks, Gathered, Part, Row
from evalsuite.report.figures import draw
from evalsuite.report.forest import forest
from evalsuite.report.names import Names
from evalsuite.report.text import MISSING, Text

__all__ = ["QuantisationSection", "QuantisedFile", "build_quantisation", "made_text"]


@dataclass(frozen=True, slots=True)
class QuantisedFile:
    """What one file of a family holds, as text."""

    model: str
    made_from: str
    """Empty for a file that came as it is."""
    notes: tuple[str, ...]
    size: str
    bits: str
    types: str


@dataclass(frozen=True, slots=True)
class QuantisationSection:
    """Everything of the part on quantisation."""

    files: tuple[QuantisedFile, ...]
    deltas: tuple[Part[DeltaRow], ...]
    languages: tuple[Part[DoubleDeltaRow], ...]
    tiers: tuple[TierDeltaRow, ...]
    tiers_caption: str
    tiers_note: str
    """What the table of tiers shows, in a sentence."""
    drawn: tuple[Block[DeltaRow], ...]
    """Blocks of `deltas` that have a figure."""
    forest: str
    """What is said below the figure."""


def build_quantisation(run: Run, tables: Tables, names: Names, text: Text) -> QuantisationSection | None:
    """Return the part on quantisation; none where the run has no quantisation beside what it was made from."""
    return _Builder(run, tables, names, text).build() if tables.quantisation else None


def made_text(text: Text, model: Model) -> str:
    """Return what a file was made from and with what; empty for one that came as it is."""
    made = model.made_from
    if made is None:
        return ""
    source = made.quantisation or text("word.unknown")
    return text("quantisation.made", source=made.name, quantisation=source, tool=made.tool, version=made.version)


class _Builder:
    def __init__(self, run: Run, tables: Tables, names: Names, text: Text) -> None:
        self._run, self._tables, self._names, self._text = run, tables, names, text
        self._blocks = Blocks(run, text, (r.group for r in tables.scores if r.scale is Scale.RAW))

    def build(self) -> QuantisationSection:
        tables, text = self._tables, self._text
        deltas = self._parts("quantisation-deltas", tables.quantisation, self._deltas)
        margins = any(row.margin is not None for row in tables.quantisation)
        return QuantisationSection(
            files=tuple(self._files()),
            deltas=deltas,
            languages=self._parts("quantisation-languages", tables.quantisation_languages, self._languages),
            tiers=tables.quantisation_tiers,
            tiers_caption=text("quantisation.tiers_caption", family=_tested(tables.quantisation_tiers)),
            tiers_note=self._note("quantisation.tiers_note", tables.quantisation_tiers),
            drawn=tuple(block for part in deltas for block in part.blocks if block.figure is not None),
            forest=text("quantisation.forest" if margins else "quantisation.forest_raw"),
        )

    def _files(self) -> Iterable[QuantisedFile]:
        text = self._text
        pairs = quantised_models(self._run)
        for name in dict.fromkeys(name for pair in pairs for name in (pair.base, pair.model)):
            model = self._run.manifest.models[name]
            made, others = model.made_from, other_types(model)
            notes = (
                [text("quantisation.requantised", source=made.quantisation or "")] if made and made.requantised else []
            )
            notes += [text("quantisation.others", n=others)] if others else []
            yield QuantisedFile(
                model=name,
                made_from=made_text(text, model),
                notes=tuple(notes),
                size=MISSING if model.bytes is None else text("scale.bytes", n=text.number(model.bytes / 1e6, 0)),
                bits=text.number(model.bits_per_weight, 2),
                types=types_text(model) or text("word.unknown"),
            )

    def _parts(
        self, section: str, rows: Iterable[Row], make: Callable[[Gathered[Row]], Block[Row]]
    ) -> tuple[Part[Row], ...]:
        return self._blocks.parts(section, [make(found) for found in self._blocks.gather(section, rows)])

    def _deltas(self, found: Gathered[DeltaRow]) -> Block[DeltaRow]:
        family = _tested(self._tables.quantisation)
        caption = self._text("quantisation.caption", group=found.title, family=family)
        margins = {row.margin for row in found.rows if row.scale is Scale.SHARE and row.margin is not None}
        caption += "".join(
            f" {self._text('quantisation.margin', margin=_points(margin))}" for margin in sorted(margins)
        )
        panel = forest(found, self._tables.quantisation, self._names, self._text)
        figure = None if panel is None else draw(panel)
        return self._block(found, caption, self._note("quantisation.note", found.rows), figure)

    def _languages(self, found: Gathered[DoubleDeltaRow]) -> Block[DoubleDeltaRow]:
        family = _tested(self._tables.quantisation_languages)
        caption = self._text("quantisation.languages_caption", group=found.title, family=family)
        return self._block(found, caption, self._note("quantisation.languages_note", found.rows))

    def _block(self, found: Gathered[Row], caption: str, note: str, figure: Markup | None = None) -> Block[Row]:
        return Block(found.id, found.title, found.family, caption, figure, self._blocks.lines(found.rows), note)

    def _note(self, key: str, rows: Iterable[DeltaRow | DoubleDeltaRow | TierDeltaRow]) -> str:
        """Return how many differences are shown; that none is shown is not that there is none."""
        verdicts = [row.verdict for row in rows if row.verdict is not None]
        behind, ahead = verdicts.count(Verdict.BEHIND), verdicts.count(Verdict.AHEAD)
        return self._text(key, n=len(verdicts), behind=behind, ahead=ahead) if verdicts else ""


def _points(share: float) -> str:
    return f"{100 * share:g}"


def _tested(rows: Iterable[DeltaRow | DoubleDeltaRow | TierDeltaRow]) -> int:
    return sum(1 for row in rows if row.difference.p is not None)
