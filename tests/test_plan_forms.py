"""Which forms and how many items a sweep asks of a task, and what becomes of options that are turned."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.backends.fake import FakeLM
from evalsuite.catalog.data import DataFinder, item_id
from evalsuite.catalog.load import load_catalog
from evalsuite.errors import InputError
from evalsuite.harness import build_task
from evalsuite.plan import limit_of, make_plan
from evalsuite.records import PromptForm
from tests.test_plan import planned, sweep


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """Return a mirror with some invented items of sets that are not shipped."""
    folder = tmp_path_factory.mktemp("mirror")

    def write(place, rows):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path)

    topics = ("sports", "health", "travel")
    for code in ("eng_Latn", "eus_Latn"):
        rows = [{"index_id": n, "category": topics[n % 3], "text": f"{code} {n}"} for n in range(9)]
        write(f"Davlan/sib200/{code}/test.parquet", rows)
    for subject in load_catalog().tasks["jmmlu_ja"].data.configs:
        rows = [
            {"question": f"{subject} {n}", "A": "1", "B": "2", "C": "3", "D": "4", "answer": "ABCD"[n]}
            for n in range(4)
        ]
        write(f"nlp-waseda/JMMLU/{subject}/test.parquet", rows)
    return folder


def forms(plan, task):
    return [str(cell.prompt_form) for cell in plan.cells if cell.task == task]


def test_other_wordings_are_asked_where_the_sweep_wants_them(catalog, mirror):
    asked = sweep(tasks=["sib200", "labels"], all_wordings=["sib200"])
    plan = make_plan(asked, catalog, DataFinder(mirror, offline=True), planned())
    assert forms(plan, "sib200_eu") == ["native", "native-2", "native-3", "english"]
    assert forms(plan, "sib200_en") == ["native", "native-2", "native-3"], "English has no other English words"
    assert forms(plan, "labels_eu") == ["native"]


def test_options_are_turned_where_they_are_listed(catalog, mirror):
    asked = sweep(tasks=["jmmlu_ja", "labels"], languages=["ja"], option_orders=["facts"], prompt_forms=["chat"])
    plan = make_plan(asked, catalog, DataFinder(mirror, offline=True), planned())
    assert forms(plan, "jmmlu_ja") == ["chat", "chat~1", "chat~2", "chat~3"]
    assert forms(plan, "labels_ja") == ["chat"], "only what is named is turned"


def test_a_form_that_a_task_lacks_is_skipped_with_the_reason(catalog):
    plan = make_plan(sweep(prompt_forms=["native-7"]), catalog, DataFinder(), planned())
    assert plan.cells == ()
    assert {skip.reason for skip in plan.skips} == {
        "the task has no wording 'native-7', only native, english, listed, described, english-names, english-described",
        "the task has no wording 'native-7', only native, listed, described",
    }


def test_texts_that_are_only_read_come_in_no_chat_template(catalog):
    asked = sweep(tasks=["parity", "labels"], prompt_forms=[PromptForm.NATIVE, PromptForm.CHAT])
    plan = make_plan(asked, catalog, DataFinder(), planned())
    assert forms(plan, "parity_eu") == ["native"]
    assert forms(plan, "labels_eu") == ["native", "chat"]
    reasons = {skip.reason for skip in plan.skips if skip.task == "parity_eu"}
    assert reasons == {"whole texts are read as they are, in no chat template"}


def test_the_narrowest_limit_counts(catalog):
    asked = sweep(limit=9, limits_of={"starter": 7, "labels": 5, "labels_eu": 3})
    found = {
        name: limit_of(catalog.tasks[name], asked, catalog.tasks)
        for name in ("labels_eu", "labels_en", "lexicon_en", "sib200_en")
    }
    assert found == {"labels_eu": 3, "labels_en": 5, "lexicon_en": 7, "sib200_en": 9}


def test_turned_options_keep_their_right_answer(catalog, mirror):
    task, finder = catalog.tasks["jmmlu_ja"], DataFinder(mirror, offline=True)
    straight = build_task(task, finder, PromptForm.NATIVE).items(range(8))
    for turn in (1, 2, 3):
        turned = build_task(task, finder, PromptForm.make("native", rotation=turn)).items(range(8))
        for before, after in zip(straight, turned, strict=True):
            assert before.id == after.id
            assert after.gold is not None
            assert (after.gold + turn) % 4 == before.gold
            lines = [
                line.partition(". ")[2] for line in before.context.splitlines() if line[:2] in ("A.", "B.", "C.", "D.")
            ]
            moved = [
                line.partition(". ")[2] for line in after.context.splitlines() if line[:2] in ("A.", "B.", "C.", "D.")
            ]
            assert moved == lines[turn:] + lines[:turn]
            assert len(moved) == 4


def test_several_configurations_are_one_task_and_ids_say_which(catalog, mirror):
    task, finder = catalog.tasks["jmmlu_ja"], DataFinder(mirror, offline=True)
    assert len(task.data.configs) == 53
    ids = finder.item_ids(task)
    assert len(set(ids)) == len(ids) == 4 * 53
    row = finder.load(task)["test"][5]
    assert row["subset"] == task.data.configs[1]
    assert item_id(task, row, 5) == ids[5]
    located = finder.locate(task)
    (mirror / "nlp-waseda/JMMLU" / task.data.configs[0] / "test.parquet").touch()
    assert located.data.sha256 == finder.locate(task).data.sha256, "the digest is of what the files hold"


def test_every_wording_is_scored_in_its_own_words(catalog, mirror):
    finder, lm = DataFinder(mirror, offline=True), FakeLM(path=Path("fake.bin"))
    contexts = {}
    for wording in catalog.tasks["sib200_eu"].wordings:
        (record,) = build_task(catalog.tasks["sib200_eu"], finder, PromptForm(wording)).score(lm, [4])
        contexts[wording] = (record.context, record.choices[4])
        assert len(record.prior_logprobs) == 7
    assert contexts["native"] == ("Testua: eus_Latn 4\nGaia:", "osasuna")
    assert contexts["english"] == ("Text: eus_Latn 4\nTopic:", "health")
    assert len(set(contexts.values())) == 4


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("limits_of", {"labls": 3}, "limits_of: unknown task 'labls'"),
        ("all_wordings", ["sib2000"], "all_wordings: unknown task 'sib2000'"),
        ("option_orders", ["jmmlu_jp"], "option_orders: unknown task 'jmmlu_jp'"),
        ("option_orders", ["labels"], "option_orders: 'labels' lists no options"),
    ],
)
def test_names_that_would_do_nothing_are_refused(catalog, field, value, told):
    with pytest.raises(InputError, match=told) as caught:
        make_plan(sweep(**{field: value}), catalog, DataFinder(), planned())
    assert caught.value.fix
