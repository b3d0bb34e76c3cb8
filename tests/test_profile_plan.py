"""Which profiles a sweep asks for, why one is skipped, and what makes it another profile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalsuite.catalog.languages import load_languages
from evalsuite.catalog.profile_texts import ProfileTexts, load_profile_texts
from evalsuite.errors import CatalogError, DataMissingError
from evalsuite.machine import CoreChoice
from evalsuite.profile_plan import PROFILE_TASK, ProfilePlan, plan_profiles
from evalsuite.records import Kind, Language, Model, ProfileSettings, ProfileText, Source, Sweep, digest

LANGUAGES = load_languages()
TWO = [LANGUAGES["es"], LANGUAGES["eu"]]
CORES = CoreChoice(2, "2 physical cores")
FILE = Path("/models/m.gguf")


@pytest.fixture(scope="module", autouse=True)
def read_once() -> Iterator[None]:
    """Reading the messages of a language takes longer than all the rest here."""
    known: dict[tuple[Any, ...], ProfileTexts] = {}

    def load(languages: Sequence[Language], include: Sequence[Path] = ()) -> ProfileTexts:
        key = (*(language.code for language in languages), *include)
        if key not in known:
            known[key] = load_profile_texts(languages, include)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evalsuite.profile_plan.load_profile_texts", load)
        yield


def model(name: str = "m", **fields: Any) -> Model:
    known: dict[str, Any] = {
        "name": name,
        "backend": "llamacpp",
        "title": name,
        "licence": "x",
        "source": Source(kind="file"),
        "sha256": "a" * 64,
        **fields,
    }
    return Model.model_validate(known)


def sweep(**fields: Any) -> Sweep:
    known = {"name": "s", "models": ["m"], "languages": ["es", "eu"], "profile": {}, **fields}
    return Sweep.model_validate(known)


def plan(
    asked: Sweep | None = None,
    *models: tuple[Model, Path | None],
    languages: list[Language] | None = None,
    device: str = "d1",
    cores: CoreChoice = CORES,
) -> ProfilePlan:
    given = {one.name: (one, path) for one, path in models or ((model(), FILE),)}
    return plan_profiles(asked or sweep(), languages or TWO, given, device, cores)


def only_id(*args: Any, **kwargs: Any) -> str:
    (cell,) = plan(*args, **kwargs).cells
    return cell.id


def unwritten(code: str = "xx") -> Language:
    """A language that has a file in `langs/`, and no requests."""
    return LANGUAGES["eu"].model_copy(update={"code": code, "english_name": "Exish"})


# --- cells


def test_there_is_one_profile_for_each_model_over_all_languages() -> None:
    found = plan(sweep(), (model("a"), Path("/models/a.gguf")), (model("b", sha256="b" * 64), Path("/models/b.gguf")))
    assert [(cell.model, cell.languages, cell.model_sha256) for cell in found.cells] == [
        ("a", ("es", "eu"), "a" * 64),
        ("b", ("es", "eu"), "b" * 64),
    ]
    assert found.paths == {"a": Path("/models/a.gguf"), "b": Path("/models/b.gguf")}
    assert found.skips == ()
    assert {text.language for text in found.texts.requests} == {"es", "eu"}
    assert {cell.texts_sha256 for cell in found.cells} == {found.texts.sha256}
    assert {cell.device for cell in found.cells} == {"d1"}


def test_settings_are_those_of_the_sweep_or_the_defaults() -> None:
    (cell,) = plan(sweep(profile={"rounds": 7})).cells
    assert cell.settings.rounds == 7
    (cell,) = plan(sweep(profile=None, tasks=["labels"])).cells
    assert cell.settings.rounds == 3


def test_threads_come_from_the_profile_then_the_sweep_then_the_machine() -> None:
    def threads(**fields: Any) -> tuple[int, str]:
        (cell,) = plan(sweep(**fields)).cells
        return cell.threads, cell.threads_reason

    assert threads() == (2, "2 physical cores")
    assert threads(threads=3) == (3, "as asked for")
    assert threads(threads=3, profile={"threads": 1}) == (1, "as asked for")


def test_a_long_name_makes_no_longer_folder() -> None:
    (cell,) = plan(sweep(), (model("m" * 110), FILE)).cells
    assert len(cell.id) == 60 + 1 + 10
    assert cell.model == "m" * 110


def test_requests_may_be_given_and_of_kinds_that_are_asked_for() -> None:
    own = ProfileText(language="eu", id="1", kind=Kind.CLASSIFICATION, prompt="Mezua: a", choices=(" b", " c"), right=0)
    other = own.model_copy(update={"id": "2", "kind": Kind.ANSWER})
    asked = sweep(languages=["eu", "xx"], profile={"kinds": ["classification"], "own_messages": True})
    found = plan_profiles(
        asked,
        [LANGUAGES["eu"], unwritten()],
        {"m": (model(), FILE)},
        "d1",
        CORES,
        texts=ProfileTexts((own, other), "a b"),
    )
    assert found.texts.requests == (own,)
    (cell,) = found.cells
    assert cell.languages == ("eu", "xx"), "no shipped requests are looked for"
    assert found.skips == ()
    assert cell.texts_sha256 == ProfileTexts((own,), "a b").sha256


# --- what makes it another profile


def test_settings_that_came_later_leave_older_profiles_what_they_are() -> None:
    settings = json.loads(ProfileSettings().model_dump_json())
    for name in ("kinds", "own_messages", "watts", "grid", "ambient_c", "prove_memory", "cool_down_s"):
        del settings[name]
    (cell,) = plan().cells
    older = digest(["a" * 64, ("es", "eu"), settings, cell.texts_sha256, 2, "d1", ""])
    assert cell.id == f"m.{older[:10]}"
    assert only_id(sweep(profile={"kinds": ["classification"]})) != cell.id
    assert only_id(sweep(profile={"own_messages": True})) != cell.id


def test_a_profile_is_the_same_where_nothing_that_counts_has_changed() -> None:
    first = only_id()
    assert only_id() == first
    same = (
        only_id(sweep(name="other", limits={"load_timeout_s": 5})),
        only_id(sweep(tasks=["labels"], limit=7, seed=1)),
        only_id(sweep(threads=2)),
        only_id(sweep(profile={"curve": [5120, 128, 512, 2048, 1024, 128]})),
        only_id(sweep(), (model(title="Another title", licence="MIT"), Path("/elsewhere/m.gguf"))),
        only_id(cores=CoreChoice(2, "cgroup limit 2")),
    )
    assert set(same) == {first}


def test_a_profile_is_another_one_where_something_that_counts_has_changed(tmp_path: Path) -> None:
    ours = tmp_path / "tasks" / "profile" / "data" / "es.jsonl"
    ours.parent.mkdir(parents=True)
    shipped = Path(__file__).parent.parent / "tasks" / "profile" / "data" / "es.jsonl"
    ours.write_text(shipped.read_text(encoding="utf-8").replace("lunes", "martes"), encoding="utf-8")
    ids = [
        only_id(),
        only_id(sweep(), (model(sha256="b" * 64), FILE)),
        only_id(languages=TWO[:1]),
        only_id(sweep(profile={"rounds": 4})),
        only_id(sweep(profile={"seed": 1})),
        only_id(sweep(profile={"curve": [128]})),
        only_id(sweep(profile={"meters": ["none"]})),
        only_id(sweep(include=[tmp_path])),
        only_id(sweep(threads=1)),
        only_id(cores=CoreChoice(4, "4 physical cores")),
        only_id(device="d2"),
    ]
    assert len(set(ids)) == len(ids)


# --- skips


@pytest.mark.parametrize(
    ("fields", "path", "reason", "fix"),
    [
        pytest.param({}, None, "the model file is not at hand", "`evalsuite models fetch m`", id="no file"),
        pytest.param({"sha256": None}, None, "not at hand", "`evalsuite models fetch m`", id="no file, no hash"),
        pytest.param({"backend": "transformers"}, FILE, "not with transformers", "GGUF", id="another backend"),
        pytest.param(
            {"options": {"compute": "dequantised"}}, FILE, "not what a device runs", "profile m", id="float32"
        ),
    ],
)
def test_a_model_that_cannot_be_profiled_is_skipped_in_every_language(
    fields: dict[str, Any], path: Path | None, reason: str, fix: str
) -> None:
    found = plan(sweep(), (model("good", sha256="c" * 64), FILE), (model("m", **fields), path))
    assert [cell.model for cell in found.cells] == ["good"]
    assert set(found.paths) == {"good"}
    assert [(skip.model, skip.task, skip.language) for skip in found.skips] == [
        ("m", PROFILE_TASK, "es"),
        ("m", PROFILE_TASK, "eu"),
    ]
    assert all(reason in skip.reason and fix in str(skip.fix) for skip in found.skips)


def test_a_dequantised_copy_is_skipped_with_the_name_of_the_stored_model() -> None:
    found = plan(sweep(), (model("m+dequantised", options={"compute": "dequantised"}), FILE))
    assert found.cells == ()
    assert {skip.fix for skip in found.skips} == {"profile m"}


def test_a_model_with_other_options_is_profiled() -> None:
    assert len(plan(sweep(), (model(options={"compute": "stored", "context": 512}), FILE)).cells) == 1


def test_a_language_without_requests_is_skipped_and_the_others_measured() -> None:
    found = plan(languages=[unwritten(), *TWO])
    (cell,) = found.cells
    assert cell.languages == ("es", "eu")
    (skip,) = found.skips
    assert (skip.model, skip.task, skip.language) == (None, PROFILE_TASK, "xx")
    assert "no requests for a profile in Exish (xx)" in skip.reason
    assert "--include" in str(skip.fix)
    assert only_id(languages=[unwritten(), *TWO]) == only_id()


def test_a_language_without_requests_that_is_the_only_one_is_refused() -> None:
    with pytest.raises(DataMissingError, match=r"no requests for a profile in Exish \(xx\)"):
        plan(languages=[unwritten()])


def test_no_language_with_requests_is_refused() -> None:
    with pytest.raises(DataMissingError, match="none of the languages xx, yy has requests for a profile") as caught:
        plan(languages=[unwritten(), unwritten("yy")])
    assert caught.value.fix


def test_a_wrong_file_of_requests_is_no_reason_to_skip(tmp_path: Path) -> None:
    path = tmp_path / "tasks" / "profile" / "data" / "es.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"id": "a", "kind": "essay", "prompt": "b"}) + "\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"es\.jsonl:1"):
        plan(sweep(include=[tmp_path]))
