"""What to do about missing evidence: commands, joined where one does for several languages or tasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["Fix", "advice", "joined", "profile_fix", "run_fix"]


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to do."""

    text: str = ""
    """In words, where it is no command; otherwise what else there is to say about it."""
    verb: str | None = None
    """`run` or `profile`; none where it is no command."""
    model: str = ""
    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    rounds: int | None = None
    """Rounds of a profile; none where the default will do."""

    def __str__(self) -> str:
        """Return it as a person is told."""
        if self.verb is None:
            return self.text
        tasks = f" --tasks {','.join(self.tasks)}" if self.tasks else ""
        rounds = f" --rounds {self.rounds}" if self.rounds else ""
        model = f"--model {self.model}" if self.verb == "run" else self.model
        command = f"`evalsuite {self.verb} {model}{tasks} --langs {','.join(self.languages)}{rounds}`"
        return f"{command} {self.text}".rstrip()


def advice(text: str) -> Fix:
    """Return what to do in words."""
    return Fix(text)


def run_fix(model: str, task: str, *languages: str, text: str = "") -> Fix:
    """Return the command that measures scores."""
    return Fix(text, "run", model, (task,), languages)


def profile_fix(model: str, *languages: str, text: str = "", rounds: int | None = None) -> Fix:
    """Return the command that measures a device."""
    return Fix(text, "profile", model, (), languages, rounds)


def joined(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    """Return fixes without repeats; commands of one verb, model and remark are one, with the most rounds of them."""
    found: dict[tuple[str | None, str, str], Fix] = {}
    for fix in fixes:
        key = (fix.verb, fix.model, fix.text)
        held = found.get(key)
        if held is None:
            found[key] = fix
            continue
        rounds = [one.rounds for one in (held, fix) if one.rounds is not None]
        found[key] = replace(
            held,
            tasks=tuple(dict.fromkeys((*held.tasks, *fix.tasks))),
            languages=tuple(dict.fromkeys((*held.languages, *fix.languages))),
            rounds=max(rounds, default=None),
        )
    return tuple(found.values())
