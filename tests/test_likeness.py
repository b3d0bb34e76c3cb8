"""What makes two things unlike: every property is named with both values, and what says nothing is not held against them."""

from __future__ import annotations

import pytest

from evalsuite.likeness import (
    changed,
    changed_versions,
    options,
    scoring_packages,
    unlike_devices,
    unlike_engines,
    unlike_languages,
    unlike_models,
    unlike_options,
    unlike_profiles,
    unlike_tasks,
    unlike_threads,
)
from evalsuite.records import (
    Cell,
    CellStatus,
    Device,
    Kind,
    Model,
    ProfileCell,
    ProfileFacts,
    ProfileSettings,
    PromptForm,
    Source,
    digest,
)
from tests.synthetic import language, task

TASK = task("toy_eu", "eu", "toy")
MODEL = Model(
    name="one", backend="llamacpp", title="One", licence="MIT", source=Source(kind="file"), sha256=digest("one")
)
CELL = Cell(
    id="c", model="one", model_sha256=digest("one"), task="toy_eu", task_sha256=digest("t"), language="eu",
    prompt_form=PromptForm.NATIVE, item_indices=(0, 1), chunk_size=2,
)  # fmt: skip
DEVICE = Device(
    cpu="E-1000", architecture="x86_64", cores_physical=2, cores_logical=4, ram_bytes=16 * 2**30, os="Debian 12",
    kernel="6.1", governor="performance",
)  # fmt: skip


def facts(**fields) -> ProfileFacts:
    settings = ProfileSettings.model_validate(fields.pop("settings", {}))
    engine = fields.pop("engine", "llama-cpp-python 0.3.36")
    cell = {
        "id": "p", "model": "one", "model_sha256": digest("one"), "languages": ("en", "eu"), "settings": settings,
        "texts_sha256": digest("texts"), "device": "d", "threads": 2, "threads_reason": "2 physical cores",
    }  # fmt: skip
    return ProfileFacts(cell=ProfileCell.model_validate(cell | fields), status=CellStatus.DONE, engine=engine)


def found(unlike) -> list[tuple[str, str, str]]:
    return [(one.field, one.first, one.second) for one in unlike]


def test_equal_things_are_alike():
    assert not unlike_tasks(TASK, TASK)
    assert not unlike_models(MODEL, MODEL)
    assert not unlike_languages(language("eu"), language("eu"))
    assert not unlike_devices(DEVICE, DEVICE)
    assert not unlike_options(CELL, CELL)
    assert not unlike_profiles(facts(), facts(), Kind.ANSWER)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"primary_metric": "acc_norm"}, ("primary metric", "acc", "acc_norm")),
        ({"output_type": "generate_until"}, ("output type", "multiple_choice", "generate_until")),
        ({"id_column": ("a", "b")}, ("id column", "index_id", "a, b")),
        ({"sha256": digest("x")}, ("sha256", TASK.sha256, digest("x"))),
    ],
    ids=str,
)
def test_a_task_that_scores_otherwise_is_unlike(fields, told):
    assert found(unlike_tasks(TASK, TASK.model_copy(update=fields))) == [told]


@pytest.mark.parametrize("field", ["path", "config", "split", "revision"])
def test_other_data_are_unlike_and_the_hash_of_the_task_file_is_then_no_news(field):
    data = TASK.data.model_copy(update={field: "other"})
    other = TASK.model_copy(update={"data": data, "sha256": digest("another file")})
    assert found(unlike_tasks(TASK, other)) == [(f"data {field}", getattr(TASK.data, field), "other")]


def test_files_of_data_are_compared_where_both_hashes_are_known():
    def with_hash(value):
        return TASK.model_copy(update={"data": TASK.data.model_copy(update={"sha256": value})})

    one, two = with_hash(digest(1)), with_hash(digest(2))
    assert found(unlike_tasks(one, two)) == [("data sha256", digest(1), digest(2))]
    assert not unlike_tasks(one, with_hash(None))


def test_a_model_is_its_file_and_its_engine_and_one_that_could_not_be_had_is_no_other_model():
    assert found(unlike_models(MODEL, MODEL.model_copy(update={"sha256": digest("two")}))) == [
        ("sha256", digest("one"), digest("two"))
    ]
    assert found(unlike_models(MODEL, MODEL.model_copy(update={"backend": "transformers"}))) == [
        ("backend", "llamacpp", "transformers")
    ]
    assert not unlike_models(MODEL, MODEL.model_copy(update={"sha256": None}))
    assert changed({"one": MODEL}, {"one": MODEL.model_copy(update={"sha256": digest("two")})}) == ["one"]


def test_options_make_another_cell_but_for_threads():
    threads, context = ({"options": value} for value in ({"threads": 3}, {"context": 512}))
    assert options(CELL.model_copy(update=threads)) == {}
    assert not unlike_options(CELL, CELL.model_copy(update=threads))
    assert found(unlike_options(CELL, CELL.model_copy(update=context))) == [("options", "{}", "{'context': 512}")]


def test_engines_are_the_packages_of_the_backend_that_may_change_a_score():
    ours, theirs = {"lm-eval": "0.4.13", "torch": "2.6"}, {"lm-eval": "0.4.12", "torch": "2.7"}
    assert scoring_packages(["fake"]) == ["lm-eval"]
    assert changed_versions(["fake"], ours, theirs) == ["lm-eval"]
    assert found(unlike_engines(["transformers"], ours, theirs)) == [
        ("lm-eval", "0.4.13", "0.4.12"),
        ("torch", "2.6", "2.7"),
    ]
    assert found(unlike_engines(["llamacpp"], ours, {**ours, "llama-cpp-python": "0.3"})) == [
        ("llama-cpp-python", "(none)", "0.3")
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"cpu": "B-5"}, ("cpu", "E-1000", "B-5")),
        ({"ram_bytes": 8 * 2**30}, ("memory", "16 GiB", "8 GiB")),
        ({"governor": "powersave"}, ("governor", "performance", "powersave")),
        ({"power_mode": "15W"}, ("power mode", "(none)", "15W")),
        ({"supply": "battery"}, ("supply", "(none)", "battery")),
    ],
    ids=str,
)
def test_a_device_is_its_parts_and_what_caps_its_clocks(fields, told):
    assert found(unlike_devices(DEVICE, DEVICE.model_copy(update=fields))) == [told]


def test_a_kernel_does_not_make_another_device():
    assert not unlike_devices(DEVICE, DEVICE.model_copy(update={"kernel": "6.6"}))


def test_profiles_are_unlike_by_engine_requests_answers_and_threads():
    other = facts(
        texts_sha256=digest("others"), engine="llama-cpp-python 0.3.37", threads=4, settings={"answer_tokens": 8}
    )
    told = [("engine", "llama-cpp-python 0.3.36", "llama-cpp-python 0.3.37")]
    told.append(("requests' sha256", digest("texts"), digest("others")))
    assert found(unlike_profiles(facts(), other, Kind.READING)) == told
    assert found(unlike_profiles(facts(), other, Kind.ANSWER)) == [*told, ("answer tokens", "64", "8")]
    assert found(unlike_threads(facts(), other)) == [("threads", "2", "4")]


def test_the_hash_of_requests_in_other_languages_says_nothing():
    assert not unlike_profiles(facts(), facts(languages=("en",), texts_sha256=digest("fewer")), Kind.READING)


def test_a_sentence_has_both_values_and_both_places():
    (one,) = unlike_models(MODEL, MODEL.model_copy(update={"backend": "transformers"}))
    assert one.told("a", "b") == "the model one is not the same: backend llamacpp in a, transformers in b"
