"""The words round items, told from a few prompts."""

from __future__ import annotations

from pathlib import Path

from evalsuite.analysis import load_run
from evalsuite.analysis.prompt_frames import frame_of, prompt_frames
from evalsuite.records import Cell, Record
from tests.synthetic import Plan, build_run


def test_what_prompts_share_stays_and_what_differs_is_a_field() -> None:
    assert frame_of(["Text: A bus came.\nTopic:", "Text: The sun rose.\nTopic:"]) == "Text: …\nTopic:"


def test_words_between_two_fields_are_found_line_by_line() -> None:
    prompts = [f"Text: {text}\nQuestion: {asked}?\nAnswer:" for text, asked in (("a b", "who"), ("c", "what"))]
    assert frame_of(prompts) == "Text: …\nQuestion: …\nAnswer:"


def test_letters_that_items_share_by_chance_are_no_words() -> None:
    assert frame_of(["Text: these", "Text: those"]) == "Text: …"
    assert frame_of(["Name of the peseta:", "Name of the rouble:"]) == "Name of the …:"


def test_texts_of_unlike_numbers_of_lines_are_compared_whole() -> None:
    assert frame_of(["Poem:\none\ntwo\nTopic:", "Poem:\nthree\nTopic:"]) == "Poem:\n…\nTopic:"


def test_japanese_has_no_spaces_to_cut_at() -> None:
    assert frame_of(["文章：雨が降った。\n話題：", "文章：株が上がる。\n話題："]) == "文章：…\n話題："
    assert frame_of(["円の名：", "ユーロの名："]) == "…の名："


def test_one_prompt_tells_nothing() -> None:
    assert frame_of(["Text: a"]) is None
    assert frame_of(["same", "same"]) is None
    assert frame_of(["", "a"]) == "…"


def test_each_task_has_a_frame_from_what_was_stored(tmp_path: Path) -> None:
    def asked(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"context": f"[{cell.language}] x{record.item_index}\nTopic:"})

    run = load_run(build_run(tmp_path / "run", Plan(items=12, codes=("en", "eu"), record_hook=asked)))
    frames = {frame.task.name: frame for frame in prompt_frames(run)}
    assert frames["toy_topics_eu"].prompt == "[eu] …\nTopic:"
    assert frames["toy_topics_en"].prompt == "[en] …\nTopic:"
    assert frames["toy_topics_en"].answers == run.frames[run.results[0].cell.id]["choices"].iloc[0]
    assert [frame.group for frame in frames.values()] == sorted(
        (frame.group for frame in frames.values()), key=run.groups.index
    )
