"""One sitting, in this process: contexts that fit the model, signs of life between requests, threads that are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
pytest.importorskip("gguf", reason="the gguf package, which writes the tiny models, is not installed")

from evalsuite.backends.llamacpp.stream import Stream
from evalsuite.errors import ContextLimitError
from evalsuite.profiling.child import ProfileJob
from evalsuite.profiling.session import Session, context_for, serve, serve_longest
from evalsuite.records import Kind, ProfileCell, ProfileSettings, ProfileText
from tests import tiny_gguf

LANGUAGES = ("es", "eu")


def texts(languages: tuple[str, ...] = LANGUAGES) -> tuple[ProfileText, ...]:
    found = []
    for code in languages:
        fields: dict[Kind, dict[str, Any]] = {
            Kind.CLASSIFICATION: {"choices": (f" {code}", " b", " bc"), "right": 1},
            Kind.READING: {"answer": f" in {code}"},
            Kind.TRANSLATION: {"answer": f" to {code}"},
            Kind.ANSWER: {},
        }
        found += [
            ProfileText(language=code, id=f"{kind}-1", kind=kind, prompt=f"{code} {kind}:", **more)
            for kind, more in fields.items()
        ]
    return tuple(found)


def job(path: Path, **settings: Any) -> ProfileJob:
    known = {"rounds": 2, "classifications": 1, "answer_tokens": 8, "curve": [], "meters": ["none"], **settings}
    cell = ProfileCell(
        id="tiny.0",
        model="tiny",
        model_sha256="a" * 64,
        languages=LANGUAGES,
        settings=ProfileSettings.model_validate(known),
        texts_sha256="b" * 64,
        device="d",
        threads=1,
        threads_reason="as asked for",
    )
    return ProfileJob(cell=cell, model_path=path, texts=texts(), long="A long text that goes on. " * 9)


def events(asked: ProfileJob) -> list[tuple[str, dict[str, Any]]]:
    """Return what a sitting sends, as it would come through the pipe."""
    told: list[tuple[str, dict[str, Any]]] = []
    with Session(asked, lambda event, **fields: told.append((event, json.loads(json.dumps(fields))))) as session:
        session.run()
    return told


def of_kind(told: list[tuple[str, dict[str, Any]]], kind: str) -> list[dict[str, Any]]:
    return [fields for event, fields in told if event == kind]


@pytest.mark.parametrize("trained", [100, 200, 1000])
def test_a_model_is_measured_in_the_context_that_it_was_trained_for(tmp_path: Path, trained: int) -> None:
    """Contexts are opened in steps of 256 tokens, which must refuse no request that fits by itself."""
    path = tiny_gguf.write_llama(tmp_path / "model.gguf", context=trained)
    told = events(job(path, threads_sweep=[1], curve=[64, 900, 2000]))
    assert [len(round_["rows"]) for round_ in of_kind(told, "round")] == [8, 8]
    (point,) = (event["point"] for event in of_kind(told, "threads"))
    # 256 tokens and 24 steps, where there is room for both.
    assert point["prefill_tokens"] == min(256, trained - 24)
    assert len(point["prefill_s"]) == 3
    assert len(point["steps_s"]) == 3 * 24
    curve = {event["point"]["tokens"]: event["point"] for event in of_kind(told, "curve")}
    fits = {tokens: tokens + 16 <= trained for tokens in (64, 900, 2000)}
    assert {tokens: point["reason"] is None for tokens, point in curve.items()} == fits
    assert {tokens: point["prefill_s"] is not None for tokens, point in curve.items()} == fits
    assert f"trained for {trained}" in curve[2000]["reason"]
    assert len(curve[64]["steps_s"]) == 16
    assert [event["name"] for event in of_kind(told, "part")] == ["threads", "curve"]


def test_a_request_that_is_longer_than_the_model_was_trained_for_is_told(tmp_path: Path) -> None:
    path = tiny_gguf.write_llama(tmp_path / "model.gguf", context=12)
    with pytest.raises(ContextLimitError, match="was trained for 12"):
        events(job(path))


@pytest.mark.parametrize(
    ("prompt", "answer_tokens", "cells"),
    [
        # Letters with no merge among them: one token each. 8 tokens are spare, and contexts come in steps of 256.
        ("x" * 184, 64, 256),
        ("x" * 185, 64, 512),
        ("x" * 300, 204, 512),
    ],
)
def test_the_context_has_room_for_the_longest_request(
    tmp_path: Path, prompt: str, answer_tokens: int, cells: int
) -> None:
    stream = Stream(tiny_gguf.write_llama(tmp_path / "model.gguf", context=4096), threads=1)
    settings = ProfileSettings(answer_tokens=answer_tokens)
    longest = ProfileText(language="en", id="a", kind=Kind.ANSWER, prompt=prompt)
    assert context_for(stream, [*texts(), longest], settings) == cells
    spelled = ProfileText(language="en", id="b", kind=Kind.READING, prompt=prompt, answer="y" * answer_tokens)
    assert context_for(stream, [spelled, *texts()], settings) == cells
    chosen = ProfileText(
        language="en", id="c", kind=Kind.CLASSIFICATION, prompt=prompt, choices=("b", "y" * answer_tokens), right=0
    )
    assert context_for(stream, [chosen, *texts()], settings) == cells
    stream.open_context(cells)
    for text in (longest, spelled, chosen):
        serve(stream, text, settings)
    stream.close()


def test_every_request_is_a_sign_of_life(tmp_path: Path) -> None:
    """A round of all languages may take longer on a small device than the parent waits for one event."""
    told = events(job(tiny_gguf.write_llama(tmp_path / "model.gguf", context=512)))
    names = [event for event, _ in told]
    start = names.index("meters")
    first, second = (place for place, name in enumerate(names) if name == "round")
    assert names[start:first].count("beat") == 8
    assert names[first:second].count("beat") == 8


def test_rounds_go_on_where_the_last_sitting_ended(tmp_path: Path) -> None:
    asked = job(tiny_gguf.write_llama(tmp_path / "model.gguf", context=512), rounds=4, curve=[32])
    asked = asked.model_copy(update={"rounds_done": 2, "sitting": 1, "stored": ("loads", "threads")})
    told = events(asked)
    assert [event["number"] for event in of_kind(told, "round")] == [2, 3]
    assert {row["sitting"] for event in of_kind(told, "round") for row in event["rows"]} == {1}
    # What is stored is not measured again; the model is loaded all the same.
    assert of_kind(told, "load") == []
    assert [event["name"] for event in of_kind(told, "part")] == ["curve"]
    assert [event["phase"]["phase"] for event in of_kind(told, "memory")] == [
        *("before the model", "loading, warm", "serving requests", "context of 32 tokens")
    ]


def test_each_kind_of_request_is_served_in_its_way(tmp_path: Path) -> None:
    stream = Stream(tiny_gguf.write_llama(tmp_path / "model.gguf", context=512), threads=1)
    stream.open_context(256)
    settings = ProfileSettings(answer_tokens=7)
    for text in texts():
        served, right = serve(stream, text, settings)
        if text.kind is Kind.CLASSIFICATION:
            assert served.text in text.choices
            assert right == (text.choices.index(served.text) == text.right)
        elif text.kind is Kind.ANSWER:
            assert (len(served.tokens), right) == (7, None)
        else:
            assert (served.text, right) == (text.answer, None)
    stream.close()


def test_the_run_under_a_limit_serves_the_longest_classification_and_the_longest_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = job(tiny_gguf.write_llama(tmp_path / "model.gguf", context=512))
    done: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "evalsuite.profiling.session.serve", lambda _, text, settings: done.append((text.kind, text.language))
    )
    assert serve_longest(asked) >= 0
    longest = max((t for t in asked.texts if t.kind is not Kind.CLASSIFICATION), key=lambda t: len(t.prompt + t.answer))
    assert done == 2 * [(Kind.CLASSIFICATION, "es"), (longest.kind, "es")]
