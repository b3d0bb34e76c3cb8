"""Scores whether a reply is in the language that was asked for; runs in stock lm-eval with evalsuite installed."""

from __future__ import annotations

from typing import Any


def score(doc: dict[str, Any], results: list[str], metadata: dict[str, Any]) -> dict[str, float]:
    """Return whether a reply keeps to the wanted language, and what else became of it.

    Args:
        doc: An item; not looked at.
        results: The model's text, alone in a list.
        metadata: The task's; `target_language` is the ISO 639-1 code of the language that is wanted.

    Returns:
        `in_language`, 1 if no line is in another language and the reply could be judged, else 0 (the response-level pass
        rate of Marchisio et al., 2024, but that replies which cannot be judged count as failed); `lines_in_language`,
        the share of right lines among those that could be judged, and `in_language` where none could. Then, 0 or 1:
        `wrong_language`; `unjudged`, for text too short, too mixed or too much code to tell; `empty`; `looping`. A
        reply is one of in_language, wrong_language, unjudged and empty; a loop may be in the right language.
    """
    from evalsuite.texts.identify import Verdict, fidelity
    from evalsuite.texts.replies import ReplyKind, classify

    del doc
    wanted = metadata["target_language"]
    kind = classify(results[0])
    found = fidelity(results[0], wanted, (wanted,))
    right = kind is not ReplyKind.EMPTY and found.verdict is Verdict.RIGHT
    lines = found.line_pass_rate
    return {
        "in_language": float(right),
        "lines_in_language": float(right) if lines is None else lines,
        "wrong_language": float(found.verdict is Verdict.WRONG),
        "unjudged": float(kind is not ReplyKind.EMPTY and found.verdict is Verdict.UNKNOWN),
        "empty": float(kind is ReplyKind.EMPTY),
        "looping": float(kind is ReplyKind.LOOPING),
    }
