"""The parts of the report on other wordings, orders of options, written answers and translations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from evalsuite.analysis.load import Run
from evalsuite.analysis.orders import OrderRow
from evalsuite.analysis.replies import ReplyRow
from evalsuite.analysis.rows import ALPHA, Scale
from evalsuite.analysis.sensitivity import WordingRow
from evalsuite.analysis.tables import Tables
from evalsuite.analysis.translations import TranslationRow
from evalsuite.records import PromptForm
from evalsuite.report.blocks import Block, Blocks, Gathered, Part, Row
from evalsuite.report.names import Names
from evalsuite.report.panels import Panels
from evalsuite.report.text import Text

__all__ = ["Variants", "build_variants"]


@dataclass(frozen=True, slots=True)
class Variants:
    """Blocks by section; empty where the run has nothing of the kind."""

    wordings: tuple[Part[WordingRow], ...]
    orders: tuple[Part[OrderRow], ...]
    replies: tuple[Part[ReplyRow], ...]
    translations: tuple[Part[TranslationRow], ...]
    signatures: tuple[tuple[str, str], ...]
    """Languages that are translated into, and sacrebleu's signature, for each signature of the run."""

    @property
    def sections(self) -> tuple[str, ...]:
        """Names of the sections that there are, in order."""
        every = {
            "wordings": self.wordings,
            "orders": self.orders,
            "translations": self.translations,
            "replies": self.replies,
        }
        return tuple(name for name, parts in every.items() if parts)


def build_variants(run: Run, tables: Tables, names: Names, text: Text) -> Variants:
    """Return the blocks of all four sections."""
    return _Builder(run, tables, names, text).build()


class _Builder:
    def __init__(self, run: Run, tables: Tables, names: Names, text: Text) -> None:
        self._run, self._tables, self._names, self._text = run, tables, names, text
        self._show = Panels(text, names, tables.scores)
        self._blocks = Blocks(run, text, (r.group for r in tables.scores if r.scale is Scale.RAW))

    def build(self) -> Variants:
        tables = self._tables
        return Variants(
            wordings=self._parts("wordings", tables.wordings, self._wordings),
            orders=self._parts("orders", tables.orders, self._orders),
            replies=self._parts("replies", tables.replies, self._replies),
            translations=self._parts("translations", tables.translations, self._translations),
            signatures=tuple(self._signatures()),
        )

    def _parts(
        self, section: str, rows: Iterable[Row], make: Callable[[Gathered[Row]], Block[Row]]
    ) -> tuple[Part[Row], ...]:
        return self._blocks.parts(section, [make(found) for found in self._blocks.gather(section, rows)])

    def _wordings(self, found: Gathered[WordingRow]) -> Block[WordingRow]:
        forms = {form for row in found.rows for form, _ in row.scores}
        family = sum(1 for r in self._tables.wordings if r.own)
        english = sum(1 for r in self._tables.wordings if r.english and r.english.p is not None)
        caption = self._text("wordings.caption", group=found.title, family=family, english=english)
        columns = tuple(sorted(forms, key=lambda form: form.rank))
        return self._block(found, caption, self._wordings_note(found.rows), columns)

    def _wordings_note(self, rows: list[WordingRow]) -> str:
        told = [(row.own.spread, row) for row in rows if row.own]
        if not told:
            return self._text("wordings.note_none")
        spread, widest = max(told, key=lambda pair: pair[0])
        assert widest.own
        return self._text(
            "wordings.note",
            model=self._names.series_of(widest.model, self._series_form(widest.form)).label,
            language=self._names.language(widest.language).shown,
            low=self._show.score(widest.low, widest.scale),
            high=self._show.score(widest.high, widest.scale),
            spread=self._show.size(spread, widest.scale),
            expected=self._show.size(widest.own.expected, widest.scale),
            shown=sum(1 for _, row in told if row.more_than_chance),
            n=len(told),
        )

    def _orders(self, found: Gathered[OrderRow]) -> Block[OrderRow]:
        turns = tuple(sorted({turn for row in found.rows for turn, _ in row.scores}))
        family = sum(1 for r in self._tables.orders if r.places)
        caption = self._text("orders.caption", group=found.title, family=family)
        circular = sorted(r.circular.value for r in found.rows if r.circular.value is not None)
        note = ""
        if circular:
            low, high = (self._text.percent(v) for v in (circular[0], circular[-1]))
            tested = [r for r in found.rows if r.p_holm is not None]
            note = self._text(
                "orders.note",
                range=low if low == high else self._text("word.range", low=low, high=high),
                shown=sum(1 for r in tested if r.p_holm is not None and r.p_holm < ALPHA),
                n=len(tested),
            )
        return self._block(found, caption, note, turns)

    def _replies(self, found: Gathered[ReplyRow]) -> Block[ReplyRow]:
        return self._block(found, self._text("replies.caption", group=found.title))

    def _translations(self, found: Gathered[TranslationRow]) -> Block[TranslationRow]:
        documents = any(r.clusters for r in found.rows)
        key = "translations.caption_documents" if documents else "translations.caption"
        return self._block(found, self._text(key, group=found.title))

    def _block(self, found: Gathered[Row], caption: str, note: str = "", columns: tuple[Any, ...] = ()) -> Block[Row]:
        lines = self._blocks.lines(found.rows)
        return Block(found.id, found.title, found.family, caption, None, lines, note, columns)

    def _series_form(self, form: PromptForm) -> PromptForm:
        return form if form in self._run.forms else self._run.forms[0]

    def _signatures(self) -> Iterable[tuple[str, str]]:
        found: dict[str, list[str]] = {}
        for row in self._tables.translations:
            for name, signature in (("chrF++", row.chrf_signature), ("BLEU", row.bleu_signature)):
                if signature:
                    found.setdefault(f"{name}|{signature}", []).append(self._names.language(row.target).shown)
        return ((self._text.join(list(dict.fromkeys(codes))), signature) for signature, codes in found.items())
