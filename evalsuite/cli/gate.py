"""`evalsuite gate`: hold runs against a rollout policy; GO, NO-GO or INCONCLUSIVE, as an exit code too."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import console, print_json, told
from evalsuite.errors import EvalsuiteError, InputError

if TYPE_CHECKING:
    from evalsuite.gate import GateResult

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite gate --example > policy.yaml\n\n"
    "  evalsuite gate out/starter --policy policy.yaml\n\n"
    "  evalsuite gate out/starter out/kitchen-pi --policy policy.yaml --details\n\n"
    "  evalsuite gate out/starter --policy policy.yaml --junit gate.xml --markdown gate.md --json gate.json\n\n"
    "Exit code 0: GO. 1: NO-GO. 3: INCONCLUSIVE, with what to run. 2: bad input; 70: a mistake in evalsuite. Several runs are joined as "
    "`evalsuite merge` joins them; what does not belong together is refused. docs/gate.md explains policies."
)


_BROKEN = 70
"""Exit code of a mistake in this program, as in BSD's sysexits.h."""


@told
def command(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="RUN...", help="Run folders: scores, profiles.")] = None,
    policy: Annotated[Path | None, typer.Option("--policy", "-p", help="YAML file with the rules.")] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print an example of a policy, and do nothing else.")
    ] = False,
    details: Annotated[
        bool, typer.Option("--details", help="Show every rule, not only what stands in the way.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every number to a JSON file; `-` for standard output.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML, for CI.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write Markdown, for people.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Date that ages are counted to, as 2026-11-22. Default: today.")
    ] = None,
) -> None:
    """Hold runs against a rollout policy: GO, NO-GO or INCONCLUSIVE for each use case, language and model."""
    from evalsuite.gate import example_policy, hold, load_policy, open_runs
    from evalsuite.gate.write import EXIT_CODES

    if example:
        sys.stdout.write(example_policy())
        return
    if policy is None:
        raise InputError("no policy was given", fix="give --policy FILE; `evalsuite gate --example` prints one")
    rules = load_policy(policy)
    if not runs:
        raise InputError("no run was given", fix="name the run folders: `evalsuite gate RUN --policy FILE`")
    now = _date(as_of)
    wanted = any(rules.evidence_of(use_case).spot_check for use_case in rules.use_cases)
    try:
        with open_runs(runs, spot_checks=wanted) as inputs:
            result = hold(rules, inputs, as_of=now)
    except EvalsuiteError:
        raise
    except Exception as error:
        # Python ends with 1 on a mistake of ours, and 1 would say NO-GO.
        traceback.print_exc()
        raise typer.Exit(_BROKEN) from error
    _write(result, json_file, junit, markdown)
    if json_file != Path("-"):
        from evalsuite.cli.gate_table import show_gate

        with _readers_that_leave():
            show_gate(result, details=details)
    raise typer.Exit(EXIT_CODES[result.outcome])


@contextmanager
def _readers_that_leave() -> Iterator[None]:
    """Keep a closed pipe (`evalsuite gate ... | head`) from changing the exit code, which is the decision."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich ends the program with 1, which would say NO-GO
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--as-of: {text!r} is no date", fix="write year, month and day: 2026-11-22") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _write(result: GateResult, json_file: Path | None, junit: Path | None, markdown: Path | None) -> None:
    import json

    from evalsuite.gate.write import gate_facts, gate_markdown, junit_xml

    if json_file == Path("-"):
        with _readers_that_leave():
            print_json(gate_facts(result))
        json_file = None
    if json_file is not None:
        _save(json_file, (json.dumps(gate_facts(result), ensure_ascii=False, indent=2) + "\n").encode())
    if junit is not None:
        _save(junit, junit_xml(result))
    if markdown is not None:
        _save(markdown, gate_markdown(result).encode())


def _save(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}", fix="give a file in a folder that exists"
        ) from error
    console.print(f"wrote {path}", markup=False, soft_wrap=True)
