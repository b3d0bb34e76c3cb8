"""One error family: every message says what was wrong, the value, and the fix.

The command line catches `EvalsuiteError` once and exits with code 2 and no traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BackendError",
    "CatalogError",
    "ContextLimitError",
    "DataMissingError",
    "EvalsuiteError",
    "FetchError",
    "InputError",
    "ModelFileError",
    "StoreError",
    "suggest",
]


class EvalsuiteError(Exception):
    """An error that a user can act on.

    Args:
        problem: What was wrong, with the value that was given.
        fix: What to do about it; shown on its own line.
    """

    def __init__(self, problem: str, *, fix: str | None = None) -> None:
        self.problem = problem
        self.fix = fix
        super().__init__(problem if fix is None else f"{problem}\n  fix: {fix}")


class InputError(EvalsuiteError):
    """A command-line argument or a sweep file that cannot be used."""


class CatalogError(EvalsuiteError):
    """A language, task or model file that does not hold what it must."""


class DataMissingError(EvalsuiteError):
    """A data set that can be had from none of the places it was looked for in."""


class FetchError(EvalsuiteError):
    """A download that failed, was refused (`--offline`) or did not match its sha256."""


class ModelFileError(EvalsuiteError):
    """A model file that is no usable model: no GGUF, truncated, vocabulary only, unknown architecture."""


class BackendError(EvalsuiteError):
    """An engine that could not do what it was asked."""


class ContextLimitError(BackendError):
    """A request that is longer than the model's context."""


class StoreError(EvalsuiteError):
    """A run folder that is locked, unreadable, newer than this version or unlike this run."""


def suggest(name: str, known: Iterable[str], *, kind: str, show: str) -> str:
    """Return a fix for an unknown name: the nearest known names, else the command that lists them.

    Args:
        name: The name that was given.
        known: All names that would have been understood.
        kind: What the names are, in the singular ("task").
        show: The command that lists them.
    """
    names = sorted(set(known))
    # Case is folded for the comparison only, so that "Gemma3" finds "gemma3-270m".
    folded = {candidate.casefold(): candidate for candidate in names}
    near = [folded[hit] for hit in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    near += [n for n in names if n not in near and name and n.casefold().startswith(name.casefold())][:3]
    if near:
        return f"did you mean {' or '.join(repr(n) for n in near)}? `{show}` lists every {kind}"
    return f"`{show}` lists every {kind}"
