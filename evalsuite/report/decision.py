"""The first page: the question, an answer for each language and use case, what carries it, and what is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalsuite.analysis.beside import LARGE
from evalsuite.analysis.device_tables import DeviceTables
from evalsuite.analysis.flags import FlagKind
from evalsuite.analysis.load import Run
from evalsuite.analysis.profile_rows import LatencyRow
from evalsuite.analysis.rows import GapRow, Scale, Verdict
from evalsuite.analysis.tables import Tables
from evalsuite.gate.decide import hold
from evalsuite.gate.defaults import default_policy
from evalsuite.gate.inputs import Inputs
from evalsuite.gate.placement import HYBRID_SHARE, Place, Placement, placements
from evalsuite.gate.policy import Policy
from evalsuite.gate.rows import Unit
from evalsuite.records import Kind
from evalsuite.report.decision_words import DecisionWords
from evalsuite.report.device_shown import Shown
from evalsuite.report.gap_why import GapWhy
from evalsuite.report.names import Names
from evalsuite.report.options import ReportOptions
from evalsuite.report.provenance import sample_text
from evalsuite.report.text import Text

__all__ = ["Answer", "DecisionPage", "build_decision"]

_WIDE = 5
"""Up to this many use cases are columns; more of them are rows, and the languages columns."""
_BY_USE_CASE = 4
"""Items that the sentence on what is ready names."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One field of the table."""

    place: Place
    model: str | None
    """What to call the model that may be used."""
    why: tuple[str, ...]

    @property
    def css(self) -> str:
        """Class of its look."""
        return self.place.value.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Everything of the first page."""

    question: str
    use_cases: tuple[str, ...]
    languages: tuple[str, ...]
    answers: dict[tuple[str, str], Answer]
    """By use case and language; a language that a use case does not name has none."""
    places: tuple[Place, ...]
    """Those that occur, in the order of their legend."""
    sentences: tuple[str, ...]
    unknown: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    """What is asked, by use case."""
    about_rules: tuple[str, ...]
    policy: str | None
    """Name of the policy's file, where it is the reader's own."""

    @property
    def turned(self) -> bool:
        """Whether use cases are the rows."""
        return len(self.use_cases) > _WIDE


def build_decision(
    inputs: Inputs,
    tables: Tables,
    device: DeviceTables,
    why: GapWhy | None,
    names: Names,
    text: Text,
    options: ReportOptions,
) -> DecisionPage | None:
    """Return the first page; none where a run has nothing that rules could be about.

    Raises:
        InputError: The policy does not fit the runs.
        StoreError: The runs were measured on another device than the policy asks for.
    """
    run = inputs.run
    policy = options.policy or default_policy(run, lambda family: _family(family, text))
    if policy is None:
        return None
    # Ages count to the day of the newest run, or the same run would not give the same page tomorrow.
    result = hold(
        policy,
        inputs,
        as_of=max(source.created for source in inputs.sources),
        flags=tables.flags,
        # Of a large run nobody waits for the numbers of items that would settle what is open.
        settle=len(run.items) < LARGE,
    )
    found = placements(result, run, tables.categories)
    reference = policy.reference or next((r for code in run.languages if (r := run.reference_of(code))), None)
    words = DecisionWords(text, names, reference)
    writer = _Writer(inputs, tables, device, names, text, words)
    used = [place for place in Place if any(one.place is place for one in found)]
    return DecisionPage(
        question=options.question
        or policy.question
        or text("decision.question" if run.profiles else "decision.question_plain"),
        use_cases=tuple(one.name for one in policy.use_cases),
        languages=tuple(code for code in run.languages if any(one.language == code for one in found))
        + tuple(dict.fromkeys(one.language for one in found if one.language not in run.languages)),
        answers={
            (one.use_case, one.language): Answer(
                one.place,
                names.model(one.model) if one.model and one.place in {Place.DEVICE, Place.HYBRID} else None,
                words.why(one),
            )
            for one in found
        },
        places=tuple(used),
        sentences=(writer.ready(found), writer.hold_back(found, why), writer.cost()),
        unknown=tuple(writer.unknown(found)),
        rules=words.rules(policy),
        about_rules=(*_about(policy, text, given=options.policy is not None), *_device(policy, run, text)),
        policy=policy.path.name if options.policy is not None else None,
    )


def _family(family: str, text: Text) -> str:
    from evalsuite.analysis.rows import FAMILIES

    return text(f"family.{family}") if family in FAMILIES else family


def _about(policy: Policy, text: Text, *, given: bool) -> Iterator[str]:
    if given:
        yield text("decision.rules.policy", name=policy.name, file=policy.path.name, sha256=policy.sha256[:12])
    else:
        yield text("decision.rules.default")
    yield text("decision.rules.hybrid", share=text.percent_sign(text.number(100 * HYBRID_SHARE, 0)))
    yield text("decision.rules.confidence", level=text.percent_sign(text.number(100 * policy.confidence, 0)))


def _device(policy: Policy, run: Run, text: Text) -> Iterator[str]:
    """Say which device counts, where the shipped thresholds had to choose one of several."""
    for profile in run.profiles:
        if policy.evidence.device == profile.device.fingerprint:
            yield text("decision.rules.device", device=profile.device.cpu)
            return


class _Writer:
    def __init__(
        self, inputs: Inputs, tables: Tables, device: DeviceTables, names: Names, text: Text, words: DecisionWords
    ) -> None:
        self._run, self._tables, self._device = inputs.run, tables, device
        self._names, self._text, self._words = names, text, words
        self._shown = Shown(text)

    # --- what can go ahead

    def ready(self, found: Sequence[Placement]) -> str:
        """Say what may be done on the device, and where in part."""
        whole, part = (self._named(found, place) for place in (Place.DEVICE, Place.HYBRID))
        said = [
            *([self._text("decision.go.some", items=whole)] if whole else []),
            *([self._text("decision.go.hybrid", items=part)] if part else []),
        ]
        return " ".join(said) or self._text("decision.go.none")

    def _named(self, found: Sequence[Placement], place: Place) -> str:
        same: dict[tuple[str, str], list[str]] = {}
        for one in found:
            if one.place is place and one.model is not None:
                same.setdefault((one.use_case, one.model), []).append(self._names.language(one.language).shown)
        items = [
            self._text(
                "decision.go.item", use_case=case, languages=self._text.join(codes), model=self._names.model(model)
            )
            for (case, model), codes in same.items()
        ]
        return self._text.series(items[:_BY_USE_CASE]) + (" …" if len(items) > _BY_USE_CASE else "")

    # --- which language to hold back

    def hold_back(self, found: Sequence[Placement], why: GapWhy | None) -> str:
        """Name the language that is shown to fall behind most often, by how much, and what that points to."""
        rows = self._best_gaps()
        behind = Counter(r.language for r in rows if r.verdict is Verdict.BEHIND)
        if not rows:
            return self._text("decision.hold.no_reference")
        if not behind:
            return self._broken(found) or self._text("decision.hold.none")
        worst = max(behind, key=lambda code: (behind[code], self._largest(rows, code)[0]))
        points, row = self._largest(rows, worst)
        sign = next(
            (one.signs[0] for one in (why.rows if why else ()) if one.gap == row and one.signs),
            None,
        )
        none = self._text("why.sign.none")
        said = {
            "language": self._names.language(worst).shown,
            "reference": self._names.language(row.reference).shown,
            "hits": behind[worst],
            "total": sum(1 for r in rows if r.language == worst),
            "points": self._text.number(points),
            "group": self._group(row.group),
            "model": self._names.model(row.model),
        }
        if sign is None or sign == none:
            return self._text("decision.hold.gap", **said)
        return self._text("decision.hold.why", **said, sign=sign)

    def _group(self, group: str) -> str:
        """Return the name of a group with its family, for those who do not know the tasks by their names."""
        shown = self._names.family_of(group)
        return f"{group} – {shown[:1].lower()}{shown[1:]}" if shown else group

    def _best_gaps(self) -> list[GapRow]:
        """Return the gaps of each group's best model: what a weak one loses is no reason to hold a language back."""
        scored: dict[tuple[str, str], list[float]] = {}
        for row in self._tables.scores:
            if row.scale is Scale.SHARE and row.estimate.value is not None and row.form in self._run.forms[:1]:
                scored.setdefault((row.group, row.model), []).append(row.estimate.value)
        best: dict[str, tuple[float, str]] = {}
        for (group, model), values in scored.items():
            best[group] = max(best.get(group, (-1.0, "")), (sum(values) / len(values), model))
        return [
            row
            for row in self._tables.gaps
            if row.verdict is not None and row.scale is Scale.SHARE and best.get(row.group, (0.0, ""))[1] == row.model
        ]

    @staticmethod
    def _largest(rows: Sequence[GapRow], code: str) -> tuple[float, GapRow]:
        behind = [r for r in rows if r.language == code and r.verdict is Verdict.BEHIND]
        row = min(behind, key=lambda r: r.difference.difference or 0.0)
        return 100 * abs(row.difference.difference or 0.0), row

    def _broken(self, found: Sequence[Placement]) -> str | None:
        cloud = [one for one in found if one.place is Place.CLOUD and one.finding is not None]
        if not cloud:
            return None
        worst = max(dict.fromkeys(one.language for one in cloud), key=lambda c: sum(one.language == c for one in cloud))
        first = next(one for one in cloud if one.language == worst)
        assert first.finding is not None
        return self._text(
            "decision.hold.broken",
            language=self._names.language(worst).shown,
            hits=sum(one.language == worst for one in cloud),
            total=sum(one.language == worst for one in found),
            use_case=first.use_case,
            why=self._words.finding(first.finding),
        )

    # --- what it costs

    def cost(self) -> str:
        """Say what the lightest model that was measured takes, in the fastest and in the slowest language."""
        held = [row for row in self._device.memory if row.needed is not None]
        if not held:
            return self._text("decision.cost.none")
        row = min(held, key=lambda r: r.needed or 0)
        said = {"model": self._names.model(row.model), "memory": self._shown.memory(row.needed)}
        times = [
            r
            for r in self._device.latencies
            if r.model == row.model and r.kind is Kind.CLASSIFICATION and r.total.median.value is not None
        ]
        if not times:
            return self._text("decision.cost.memory", **said)
        fast, slow = min(times, key=_median), max(times, key=_median)
        return self._text(
            "decision.cost.times",
            **said,
            fast=self._shown.seconds(_median(fast)),
            quick=self._names.language(fast.language).shown,
            slow=self._shown.seconds(_median(slow)),
            late=self._names.language(slow.language).shown,
        )

    # --- what is not known

    def unknown(self, found: Sequence[Placement]) -> Iterator[str]:
        """Yield what a reader must not take for known, the gravest first."""
        measured = {profile.facts.cell.model for profile in self._run.profiles}
        lacking = [self._names.model(model) for model in self._run.models if model not in measured]
        if lacking:
            yield self._text("decision.unknown.device", models=self._text.join(lacking))
        yield from self._open(found)
        warnings = sum(1 for flag in self._tables.flags if flag.kind is not FlagKind.TOO_FEW_ITEMS)
        if warnings:
            yield self._text("decision.unknown.warnings", n=warnings)
        if self._tables.failures:
            yield self._text("decision.unknown.failures", n=len(self._tables.failures))
        if sample := sample_text(self._run, self._text):
            yield self._text("decision.unknown.sample", sample=sample)
        if measured and not any(row.gross.value is not None for row in self._device.energies):
            yield self._text("decision.unknown.energy")
        yield self._text("decision.unknown.texts")

    def _open(self, found: Sequence[Placement]) -> Iterator[str]:
        waiting = [one for one in found if one.place is Place.NOT_YET]
        if not waiting:
            return
        needed = [
            one.finding.test.needed
            for one in waiting
            if one.finding is not None
            and one.finding.test.needed is not None
            and one.finding.test.unit in {Unit.SHARE, Unit.POINTS}
        ]
        if needed:
            low, high = (self._text.integer(n) for n in (min(needed), max(needed)))
            yield self._text("decision.unknown.open", n=len(waiting), low=low, high=high)
        else:
            yield self._text("decision.unknown.open_plain", n=len(waiting))


def _median(row: LatencyRow) -> float:
    return row.total.median.value or 0.0
