"""Shows a gate's result on a terminal: a table where it is wide enough, else lines; symbols always with their words."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evalsuite.gate import Decision, GateResult, Outcome, Rollout, UseCaseResult
from evalsuite.gate.write import SYMBOLS

__all__ = ["show_gate"]

_STYLES = {Outcome.GO: "bold blue", Outcome.NO_GO: "bold yellow", Outcome.INCONCLUSIVE: "bold"}
"""Blue and yellow are told apart with any common colour blindness; the words say it without them."""
_NARROW = 90
"""Columns below which sentences would be broken into shreds by a table."""


def show_gate(result: GateResult, *, details: bool = False, console: Console | None = None) -> None:
    """Print a result to standard output.

    Args:
        result: From `hold`.
        details: Whether to show every rule, and not only those that stand in the way.
        console: Where to print; none for standard output.
    """
    out = console or Console(highlight=False, markup=False, emoji=False)
    signs = _can_show(out)
    out.print(Text.assemble(f"{result.policy.name}: ", _verdict(result.outcome, signs=signs)))
    if result.policy.question:
        out.print(_text(result.policy.question))
    for one in result.use_cases:
        out.print()
        out.print(Text.assemble(f"{one.name}: ", _verdict(one.outcome, signs=signs)))
        for about in one.about:
            out.print(_text(about))
        for outcome in reversed(Outcome):
            there = [_language(rollout) for rollout in one.rollouts if rollout.outcome is outcome]
            if there:
                out.print(Text.assemble("  ", _verdict(outcome, signs=signs), f": {', '.join(there)}"))
        if out.width < _NARROW:
            _lines(out, one, details=details, signs=signs)
        else:
            _table(out, one, details=details, signs=signs)
    if result.fixes:
        out.print()
        out.print("What would settle what is open:")
        for fix in result.fixes:
            out.print(_text(f"- {fix}"), soft_wrap=True)
    for note in result.notes:
        out.print(_text(f"note: {note}"))


def _language(rollout: Rollout) -> str:
    return f"{rollout.language} ({', '.join(rollout.models)})" if rollout.models else rollout.language


def _can_show(console: Console) -> bool:
    try:
        "".join(SYMBOLS.values()).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _text(text: str) -> Text:
    """Return text without characters that steer a terminal: notes of tasks and names of devices come from anywhere."""
    return Text("".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text))


def _verdict(outcome: Outcome, *, signs: bool) -> Text:
    return Text(f"{SYMBOLS[outcome]} {outcome.value}" if signs else outcome.value, style=_STYLES[outcome])


def _table(out: Console, one: UseCaseResult, *, details: bool, signs: bool) -> None:
    table = Table(show_lines=True)
    for head in ("language", "model", "decision", "why"):
        table.add_column(head, ratio=1 if head == "why" else None, no_wrap=head == "decision", overflow="fold")
    for rollout in one.rollouts:
        for decision in rollout.decisions:
            why = Text("\n").join(_text(line) for line in _why(decision, details=details))
            table.add_row(_text(rollout.language), _text(decision.model), _verdict(decision.outcome, signs=signs), why)
    out.print(table)


def _lines(out: Console, one: UseCaseResult, *, details: bool, signs: bool) -> None:
    for rollout in one.rollouts:
        for decision in rollout.decisions:
            head = f"{rollout.language}, {decision.model}: "
            out.print(Text.assemble(head, _verdict(decision.outcome, signs=signs)))
            for line in _why(decision, details=details):
                out.print(Padding(_text(line), (0, 0, 0, 4)))


def _why(decision: Decision, *, details: bool) -> Iterator[str]:
    """Yield why, a line for each rule that decided; with `details` for each rule."""
    yield decision.sentence
    wanted = decision.findings if details else [f for f in decision.open if f.outcome is decision.outcome]
    for finding in wanted:
        task = f" ({finding.test.task})" if finding.test.task else ""
        mark = f"[{finding.outcome.value}] " if details else ""
        yield f"- {mark}{finding.test.rule}{task}: {finding.sentence}"
