"""The summary paragraph: made from verdicts alone, so that it never claims more than the tables do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from evalsuite.analysis.flags import FlagKind
from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ComparisonRow, GapRow, Scale, TokenRow, Verdict
from evalsuite.analysis.tables import Tables
from evalsuite.report.names import Names
from evalsuite.report.text import Text

__all__ = ["summarise"]

_FEW_UNITS = 6
"""Up to this many task groups are named; more are counted."""

_Outcome = tuple[tuple[str, str | None], ...]
"""Per unit (a group in a prompt form) the model that is ahead of all others, or none."""


def summarise(run: Run, tables: Tables, names: Names, text: Text, sample: str | None) -> tuple[str, ...]:
    """Return the sentences of the summary, in order; `sample` says which part of the items was taken, if not all."""
    scored = [r for r in tables.scores if r.estimate.value is not None]
    codes = list(dict.fromkeys(r.language for r in scored))
    models = list(dict.fromkeys(r.model for r in scored))
    groups = list(dict.fromkeys(r.group for r in scored))
    if not scored:
        return (text("summary.nothing"),)
    sentences = [
        text(
            "summary.scope_sample" if sample else "summary.scope",
            sample=sample,
            models=text("summary.models", n=len(models)),
            was=text("summary.was", n=len(models)),
            languages=text("summary.languages", n=len(codes)),
            groups=text("summary.groups", n=len(groups)),
        )
    ]
    writer = _Writer(run, tables, names, text)
    if len(run.models) > 1:
        sentences += writer.best(codes)
    sentences += writer.gaps()
    sentences += writer.flags()
    sentences += writer.chance()
    sentences += writer.tokens()
    if tables.failures:
        sentences.append(text("summary.missing", n=len(tables.failures)))
    return tuple(sentences)


class _Writer:
    def __init__(self, run: Run, tables: Tables, names: Names, text: Text) -> None:
        self._run, self._tables, self._names, self._text = run, tables, names, text

    def best(self, codes: list[str]) -> Iterator[str]:
        """Say in which languages one model is ahead of all others."""
        outcomes: dict[tuple[_Outcome, bool], list[str]] = defaultdict(list)
        for code in codes:
            outcome = self._outcome(code)
            whole = len(outcome) == len(self._units(code))
            if outcome and not any(winner for _, winner in outcome):
                # Where nothing is shown, on which tasks it is not shown does not matter.
                outcome, whole = (("", None),), True
            outcomes[outcome, whole].append(code)
        # What is shown comes first.
        for (outcome, whole), same in sorted(outcomes.items(), key=lambda pair: not any(w for _, w in pair[0][0])):
            yield self._best(outcome, same, whole=whole, everywhere=len(same) == len(codes))

    def gaps(self) -> Iterator[str]:
        """Say which languages are shown to be behind or ahead, and what the inconclusive ones leave open."""
        for reference in dict.fromkeys(r.reference for r in self._tables.gaps):
            rows: dict[str, list[GapRow]] = defaultdict(list)
            for row in self._tables.gaps:
                if row.reference == reference and row.verdict is not None:
                    rows[row.language].append(row)
            name = self._names.language(reference).shown
            for verdict, key in ((Verdict.BEHIND, "summary.behind"), (Verdict.AHEAD, "summary.ahead")):
                hits = {code: [r for r in same if r.verdict is verdict] for code, same in rows.items()}
                items = [self._hit(code, found, len(rows[code])) for code, found in hits.items() if found]
                if items:
                    yield self._text(key, reference=name, languages=self._text.join(items))
            yield from self._within(name, rows)
            unsure = {c: same for c, same in rows.items() if _is_open(same)}
            if unsure:
                yield self._unsure(name, unsure)

    def flags(self) -> Iterator[str]:
        """Name the models that are at chance everywhere, and say how many other warnings there are."""
        whole = [f for f in self._tables.flags if f.kind is FlagKind.MODEL_AT_CHANCE]
        for flag in whole:
            yield self._text("summary.model_at_chance", model=self._names.series_of(flag.model, flag.form).label)
        rest = sum(1 for f in self._tables.flags if f.kind is not FlagKind.TOO_FEW_ITEMS) - len(whole)
        if rest:
            yield self._text("summary.flags_more" if whole else "summary.flags", n=rest)

    def chance(self) -> Iterator[str]:
        """Name the models and languages that cannot be told from guessing on any group."""
        by_model: dict[str, list[str]] = {}
        everywhere = [f.model for f in self._tables.flags if f.kind is FlagKind.MODEL_AT_CHANCE]
        # A model that is at chance in all its forms has had its sentence.
        for model in (m for m in self._run.models if everywhere.count(m) < len(self._run.forms)):
            for code in self._run.languages:
                rows = [r for r in self._tables.scores if (r.model, r.language) == (model, code)]
                told = [r.above_chance for r in rows if r.above_chance is not None]
                if told and not any(told):
                    by_model.setdefault(model, []).append(self._names.language(code).shown)
        if by_model:
            items = [
                self._text("summary.chance_item", model=self._names.model(m), languages=self._text.join(found))
                for m, found in by_model.items()
            ]
            yield self._text("summary.chance", items="; ".join(items))

    def tokens(self) -> Iterator[str]:
        """Name the highest token tax, where one is clearly above 1."""
        taxed = [
            (r.ratio.value, r) for r in self._tables.tokens if r.ratio.value is not None and (r.ratio.low or 0) > 1
        ]
        if not taxed:
            return
        value, row = max(taxed, key=lambda pair: pair[0])
        yield self._token(value, row)

    def _token(self, value: float, row: TokenRow) -> str:
        return self._text(
            "summary.tokens",
            reference=self._names.language(row.reference or "").shown,
            language=self._names.language(row.language).shown,
            model=self._names.model(row.model),
            ratio=self._text.number(value),
            group=self._names.group(row.group, row.form),
        )

    def _outcome(self, code: str) -> _Outcome:
        found: list[tuple[str, str | None]] = []
        for task in self._run.manifest.tasks.values():
            for form in self._run.forms:
                rows = [
                    r for r in self._tables.comparisons if r.task == task.name and r.form == form and r.language == code
                ]
                # Only where every model can be compared may one be called the best.
                pairs = len(self._run.models) * (len(self._run.models) - 1) // 2
                if rows and len(rows) == pairs:
                    found.append((self._names.group(rows[0].group, form), self._winner(rows)))
        return tuple(found)

    def _winner(self, rows: list[ComparisonRow]) -> str | None:
        wins: dict[str, int] = defaultdict(int)
        for row in rows:
            if row.verdict is Verdict.AHEAD:
                wins[row.model] += 1
            elif row.verdict is Verdict.BEHIND:
                wins[row.other] += 1
        return next((m for m, n in wins.items() if n == len(self._run.models) - 1), None)

    def _best(self, outcome: _Outcome, codes: list[str], *, whole: bool, everywhere: bool) -> str:
        languages = self._text.join([self._names.language(code).shown for code in codes])
        winners = {winner for _, winner in outcome if winner is not None}
        if not outcome:
            return self._text(
                "summary.best_missing_anywhere" if everywhere else "summary.best_missing", languages=languages
            )
        if not winners:
            return self._text("summary.best_none_anywhere" if everywhere else "summary.best_none", languages=languages)
        if len(winners) == 1 and whole and all(winner for _, winner in outcome):
            key = "summary.best_everywhere" if everywhere else "summary.best_all"
            return self._text(key, model=self._names.model(winners.pop()), languages=languages)
        by_winner: dict[str, list[str]] = defaultdict(list)
        for unit, winner in outcome:
            if winner is not None:
                by_winner[winner].append(unit)
        wins = [self._win(model, units, len(outcome)) for model, units in by_winner.items()]
        key = "summary.best_split" if len(winners) > 1 else "summary.best_some"
        return self._text(key, languages=languages, wins=self._text.join(wins))

    def _win(self, model: str, units: list[str], total: int) -> str:
        if total > _FEW_UNITS:
            return self._text("summary.win_many", model=self._names.model(model), n=len(units), total=total)
        return self._text("summary.win", model=self._names.model(model), groups=self._text.join(units))

    def _units(self, code: str) -> set[tuple[str, str]]:
        return {(r.task, r.form.value) for r in self._tables.scores if r.language == code}

    def _hit(self, code: str, found: list[GapRow], total: int) -> str:
        name = self._names.language(code).shown
        sizes = [abs(100 * r.difference.difference) for r in found if r.difference.difference is not None]
        if any(r.scale is not Scale.SHARE for r in found):
            return self._text("summary.behind_item_raw", language=name, hits=len(found), total=total)
        low, high = self._text.number(min(sizes)), self._text.number(max(sizes))
        size = low if low == high else self._text("word.range", low=low, high=high)
        return self._text("summary.behind_item", language=name, hits=len(found), total=total, range=size)

    def _within(self, reference: str, rows: Mapping[str, list[GapRow]]) -> Iterator[str]:
        small = {code: [r for r in same if r.verdict is Verdict.WITHIN] for code, same in rows.items()}
        margins = {
            r.margin for found in small.values() for r in found if r.scale is Scale.SHARE and r.margin is not None
        }
        if len(margins) != 1:
            return
        items = [
            self._text(
                "summary.within_item",
                language=self._names.language(code).shown,
                hits=len(found),
                total=len(rows[code]),
            )
            for code, found in small.items()
            if found
        ]
        margin = self._text.number(100 * margins.pop())
        yield self._text("summary.within", reference=reference, margin=margin, languages=self._text.join(items))

    def _unsure(self, reference: str, rows: Mapping[str, list[GapRow]]) -> str:
        languages = self._text.join([self._names.language(code).shown for code in rows])
        every = [r for same in rows.values() for r in same]
        ends = [100 * abs(v) for r in every for v in (r.difference.low, r.difference.high) if v is not None]
        if not ends or any(r.scale is not Scale.SHARE for r in every):
            return self._text("summary.open_raw", languages=languages, reference=reference)
        limit = self._text.number(max(ends))
        return self._text("summary.open", languages=languages, reference=reference, limit=limit)


def _is_open(rows: list[GapRow]) -> bool:
    """Return whether no difference is shown anywhere, and somewhere not even that there is none that matters."""
    verdicts = {r.verdict for r in rows}
    return Verdict.INCONCLUSIVE in verdicts and verdicts <= {Verdict.INCONCLUSIVE, Verdict.WITHIN}
