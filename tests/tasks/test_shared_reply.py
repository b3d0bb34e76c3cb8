"""The shared helper of tasks that ask for a language: every kind of reply is told from the others."""

from __future__ import annotations

import pytest

from tests.tasks.building import module

score = module("_shared/reply").score
BASQUE = "Eskerrik asko zure mezuagatik. Bihar goizean bidaliko dizugu lanpara berria."
SPANISH = "Muchas gracias por su mensaje. Mañana por la mañana le enviaremos la lámpara nueva."
KINDS = ("in_language", "wrong_language", "unjudged", "empty")


def kinds(reply: str, wanted: str = "eu") -> set[str]:
    found = score({}, [reply], {"target_language": wanted})
    assert sum(found[kind] for kind in KINDS) == 1.0
    return {kind for kind in KINDS if found[kind]}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (BASQUE, "in_language"),
        (SPANISH, "wrong_language"),
        (f"{BASQUE}\n{SPANISH}", "wrong_language"),
        ("Bai.", "unjudged"),
        ("1234 5678 90", "unjudged"),
        ("", "empty"),
        (" \n...\n", "empty"),
    ],
)
def test_each_reply_is_of_one_kind(reply: str, kind: str) -> None:
    assert kinds(reply) == {kind}


def test_lines_are_counted_apart() -> None:
    found = score({}, [f"{BASQUE}\n{BASQUE}\n{SPANISH}"], {"target_language": "eu"})
    assert found["lines_in_language"] == pytest.approx(2 / 3)
    assert found["in_language"] == 0.0


def test_a_loop_in_the_right_language_is_both() -> None:
    found = score({}, ["Bihar bidaliko dizugu lanpara. " * 8], {"target_language": "eu"})
    assert (found["in_language"], found["looping"]) == (1.0, 1.0)


def test_the_wanted_language_is_the_tasks_own() -> None:
    assert kinds(SPANISH, "es") == {"in_language"}
    assert kinds("ご連絡ありがとうございます。新しいランプを明日の朝お送りします。", "ja") == {"in_language"}
