"""Quantisations made of a sweep's models, by the real llama.cpp on tiny files; what they hold is read by the package gguf."""

from __future__ import annotations

import json
from collections import Counter

import gguf
import pytest

pytest.importorskip("llama_cpp")

from evalsuite import quantise
from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.load import load_catalog
from evalsuite.catalog.quantisations import QUANTISATIONS, other_types
from evalsuite.errors import FetchError, InputError
from evalsuite.plan import PlannedModel, make_plan, prepare_models
from evalsuite.quantise import Making, check_quantise, with_variants
from evalsuite.records import Model, ModelRef, Source, Sweep
from tests import tiny_gguf


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Told:
    """Keeps what is told."""

    def __init__(self):
        self.lines, self.bytes, self.titles = [], 0, []

    def start(self, total_bytes, title):
        self.titles.append((total_bytes, title))

    def advance(self, n):
        self.bytes += n

    def stop(self):
        pass

    def __call__(self, line):
        self.lines.append(line)

    @property
    def making(self):
        return Making(threads=1, silence_s=60.0, progress=self, tell=self)


@pytest.fixture
def told():
    return Told()


def sweep(*models, **fields):
    return Sweep.model_validate(
        {"name": "s", "models": list(models), "tasks": ["labels"], "languages": ["en"], "limit": 4, **fields}
    )


def prepared(asked, catalog, told, *, make=True):
    check_quantise(asked, catalog)
    return with_variants(prepare_models(asked, catalog, offline=True, download=True), asked, told.making, make=make)


def test_a_variant_is_the_source_in_other_types_and_says_where_it_came_from(tmp_path, catalog, told):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", quant="Q8_0")
    models = prepared(sweep(str(path), quantise=["Q4_0"]), catalog, told)
    assert list(models) == ["tiny", "tiny+Q4_0"]
    source, variant = models.values()
    made = variant.model.made_from
    assert (made.name, made.sha256, made.quantisation) == ("tiny", source.model.sha256, "Q8_0")
    assert (made.type, made.tool, made.requantised) == ("Q4_0", "llama-cpp-python", True)
    found = Counter(tensor.tensor_type.name for tensor in gguf.GGUFReader(variant.path).tensors)
    assert {one.type: one.tensors for one in variant.model.stored_as} == found
    assert found["Q4_0"] > found["Q8_0"]
    assert variant.model.quantisation == "Q4_0"
    assert variant.model.bytes == variant.path.stat().st_size < path.stat().st_size
    assert variant.model.parameters == source.model.parameters
    assert variant.model.title == f"{source.model.title}, Q4_0"
    assert "tiny+Q4_0: made from Q8_0: it cannot be better than its source" in told.lines
    assert told.titles == [(path.stat().st_size, "tiny to Q4_0")]
    assert told.bytes == path.stat().st_size
    plan = make_plan(sweep(str(path)), catalog, DataFinder(), models)
    assert [(cell.model, cell.model_sha256) for cell in plan.cells] == [
        ("tiny", source.model.sha256),
        ("tiny+Q4_0", variant.model.sha256),
    ]


def test_a_file_that_was_not_quantised_makes_no_warning(tmp_path, catalog, told):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf")
    variant = prepared(sweep(str(path), quantise=["Q8_0"]), catalog, told)["tiny+Q8_0"]
    assert not variant.model.made_from.requantised
    assert other_types(variant.model) == 0
    assert not any("better" in line or "another type" in line for line in told.lines)
    bits = [8.5 if tensor.tensor_type.name == "Q8_0" else 32 for tensor in gguf.GGUFReader(variant.path).tensors]
    counts = [int(tensor.n_elements) for tensor in gguf.GGUFReader(variant.path).tensors]
    mean = sum(b * n for b, n in zip(bits, counts, strict=True)) / sum(counts)
    assert variant.model.bits_per_weight == pytest.approx(mean)


def test_rows_that_no_k_type_can_hold_are_told(tmp_path, catalog, told):
    # The rows of the tiny model are 64 weights long, and a K type has blocks of 256.
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf")
    variant = prepared(sweep(str(path), quantise=["Q2_K"]), catalog, told)["tiny+Q2_K"]
    types = Counter(tensor.tensor_type.name for tensor in gguf.GGUFReader(variant.path).tensors)
    others = sum(n for name, n in types.items() if name not in {"F32", "Q2_K", "Q3_K", "Q4_K", "Q6_K"})
    assert others > 0
    assert other_types(variant.model) == others
    assert any(f"{others} quantised tensors are stored in another type than a K one" in line for line in told.lines)


def test_a_variant_is_made_once_and_again_where_the_cache_has_changed(tmp_path, catalog, told, cache, monkeypatch):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf")
    asked = sweep(str(path), quantise=["Q4_0"])
    first = prepared(asked, catalog, told)["tiny+Q4_0"]
    assert {p.suffix for p in (cache / "quantised").iterdir()} == {".gguf", ".json", ".lock"}
    content = first.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(quantise, "_run_child", None)
        assert prepared(asked, catalog, told)["tiny+Q4_0"] == first
    first.path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = prepared(asked, catalog, told)["tiny+Q4_0"]
    assert again.model.sha256 == first.model.sha256
    assert again.path.read_bytes() == content


def test_nothing_is_made_for_a_plan(tmp_path, catalog, told, cache):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", quant="Q8_0")
    models = prepared(sweep(str(path), quantise=["Q4_0", "Q2_K"]), catalog, told, make=False)
    for name in ("tiny+Q4_0", "tiny+Q2_K"):
        planned = models[name]
        assert planned.made
        assert planned.path is planned.problem is planned.model.sha256 is None
        assert planned.model.made_from.requantised
    assert not (cache / "quantised").exists()
    assert len(make_plan(sweep(str(path)), catalog, DataFinder(), models).cells) == 3


def test_the_type_that_a_file_has_already_is_not_made(tmp_path, catalog, told):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", quant="Q8_0")
    assert list(prepared(sweep(str(path), quantise=["q8_0"]), catalog, told)) == ["tiny"]
    assert told.lines == ["tiny is Q8_0 already, so that is not made of it"]


def test_a_model_may_have_a_list_of_its_own(tmp_path, catalog, told):
    paths = [tiny_gguf.write_llama(tmp_path / f"{name}.gguf", seed=i) for i, name in enumerate("abc")]
    a, b, c = ({"path": str(path)} for path in paths)
    asked = sweep(a, {**b, "quantise": ["Q8_0"]}, {**c, "quantise": []}, quantise=["Q4_0"])
    assert list(prepared(asked, catalog, told)) == ["a", "a+Q4_0", "b", "b+Q8_0", "c"]


def test_a_crash_of_llama_cpp_costs_its_variant_alone(tmp_path, catalog, told, cache, monkeypatch):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf")
    crash = tmp_path / "crash" / "llama_cpp.py"
    crash.parent.mkdir()
    crash.write_text("import os\nos.kill(os.getpid(), 11)\n")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(crash.parent), prepend=":")
        models = prepared(sweep(str(path), quantise=["Q4_0"]), catalog, told)
    lost = models["tiny+Q4_0"]
    assert lost.path is None
    assert lost.problem == "Q4_0 could not be made of tiny: the engine crashed (SIGSEGV)"
    assert str(cache / "quantised") in lost.fix
    assert lost.model.made_from.name == "tiny"
    assert not list((cache / "quantised").glob("*.part")) + list((cache / "quantised").glob("*.gguf"))
    plan = make_plan(sweep(str(path)), catalog, DataFinder(), models)
    assert [cell.model for cell in plan.cells] == ["tiny"]
    assert [(skip.model, skip.reason, skip.fix) for skip in plan.skips] == [("tiny+Q4_0", lost.problem, lost.fix)]


def test_a_refusal_of_llama_cpp_is_told_in_its_words(tmp_path, catalog, told):
    # llama.cpp checks what it has quantised, and refuses weights that are no numbers.
    path = tiny_gguf.write_nan(tmp_path / "nan.gguf")
    lost = prepared(sweep(str(path), quantise=["Q4_0"]), catalog, told)["nan+Q4_0"]
    assert lost.path is None
    assert "could not be made of nan" in lost.problem
    assert "status 1" in lost.problem


def test_a_wrong_file_is_not_kept(tmp_path, catalog, told, monkeypatch, cache):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf")
    other = tiny_gguf.write_gemma3(tmp_path / "other.gguf")
    monkeypatch.setattr(quantise, "_run_child", lambda job, *_: job.target.write_bytes(other.read_bytes()))
    lost = prepared(sweep(str(path), quantise=["Q4_0"]), catalog, told)["tiny+Q4_0"]
    found, wanted = (len(gguf.GGUFReader(one).tensors) for one in (other, path))
    assert f"wrote a wrong file: tensors {found}, expected {wanted}" in lost.problem
    assert not list((cache / "quantised").glob("*.gguf*"))


def test_a_full_disk_is_told_with_what_to_do(tmp_path, catalog, told, monkeypatch):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1 << 20})())
    lost = prepared(sweep(str(path), quantise=["Q4_0"]), catalog, told)["tiny+Q4_0"]
    assert "no disk space: needs 64 MiB, 1 MiB free" in lost.problem
    assert "EVALSUITE_CACHE" in lost.fix


def test_what_cannot_be_fetched_cannot_be_quantised(catalog, told):
    # Two models, since the only one of a sweep is an error of its own.
    asked = sweep("smollm2-135m-instruct", "gemma3-270m", quantise=["Q2_K"])
    models = prepared(asked, catalog, told)
    lost = models["gemma3-270m+Q2_K"]
    assert "gemma3-270m, of which it is to be made, cannot be had" in lost.problem
    with pytest.raises(FetchError):
        prepared(sweep("gemma3-270m", quantise=["Q2_K"]), catalog, told)


@pytest.mark.parametrize(("name", "near"), [("Q4_KM", "'Q4_K_M'"), ("q8", "'Q8_0'"), ("Q2K", "'Q2_K'")])
def test_unknown_quantisations_suggest_near_ones(catalog, name, near):
    with pytest.raises(InputError) as error:
        check_quantise(sweep("gemma3-270m", quantise=[name]), catalog)
    assert repr(name.upper()) in error.value.problem
    assert near in (error.value.fix or "")


def test_a_quantisation_that_is_meant_for_an_importance_matrix_is_refused_with_its_reason(catalog):
    with pytest.raises(InputError, match="IQ2_XXS is not made here: it is meant for an importance matrix"):
        check_quantise(sweep({"name": "gemma3-270m", "quantise": ["IQ2_XXS"]}), catalog)


@pytest.mark.parametrize(
    ("models", "fields", "told"),
    [
        ([{"name": "gemma3-270m", "backend": "fake"}], {"quantise": ["Q8_0"]}, "none of the models is a GGUF file"),
        ([{"name": "gemma3-270m", "backend": "fake", "quantise": ["Q8_0"]}], {}, "only GGUF files of llama.cpp"),
        ([{"name": "gemma3-270m+dequantised", "quantise": ["Q8_0"]}], {}, "gemma3-270m+dequantised: quantise"),
    ],
    ids=["all of another engine", "its own list", "a float32 copy"],
)
def test_what_is_no_gguf_file_cannot_be_quantised(catalog, models, fields, told):
    with pytest.raises(InputError) as error:
        check_quantise(sweep(*models, **fields), catalog)
    assert told in error.value.problem


def test_names_may_not_collide_nor_grow_too_long(tmp_path, catalog, told):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf")
    twice = sweep({"name": "a", "path": str(path)}, {"name": "a+Q4_0", "path": str(path)}, quantise=["Q4_0"])
    with pytest.raises(InputError, match=r"two models are named 'a\+Q4_0'"):
        prepared(twice, catalog, told)
    with pytest.raises(InputError, match="is too long"):
        prepared(sweep({"name": "a" * 118, "path": str(path)}, quantise=["Q4_0"]), catalog, told)


def test_a_list_with_repeats_is_refused():
    with pytest.raises(ValueError, match="named twice: Q8_0"):
        sweep("m", quantise=["Q8_0", "q8_0"])


def test_models_of_other_engines_stay_as_they_are_beside_a_gguf_file(tmp_path, catalog, told):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf")
    asked = sweep(str(path), f"{path}+dequantised", "other", quantise=["Q8_0"])
    other = Model(name="other", backend="fake", title="Other", licence="x", source=Source(kind="file"))
    models = dict(prepare_models(sweep(str(path), f"{path}+dequantised"), catalog, offline=True, download=True))
    models["other"] = PlannedModel(other, None)
    assert list(with_variants(models, asked, told.making, make=False)) == [
        *("tiny", "tiny+Q8_0", "tiny+dequantised", "other")
    ]
    assert told.lines == ["other is not quantised: only GGUF files of llama.cpp can be"]


def test_numbers_of_the_types_are_those_of_llama_cpp():
    import llama_cpp

    for name, number in QUANTISATIONS.items():
        constant = "LLAMA_FTYPE_ALL_F32" if name == "F32" else f"LLAMA_FTYPE_MOSTLY_{name}"
        assert getattr(llama_cpp, constant) == number, name


def test_the_entry_of_a_model_file_may_say_what_it_was_made_from(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    made = {"name": "big", "type": "Q2_K", "tool": "llama.cpp", "version": "b1", "requantised": False}
    text = {"title": "T", "licence": "x", "source": {"file": "t.gguf"}, "made_from": made}
    (folder / "small.yaml").write_text(json.dumps(text), encoding="utf-8")
    model = load_catalog([tmp_path]).models["small"]
    assert model.made_from is not None
    assert model.made_from.name == "big"
    assert model.made_from.sha256 is None


def test_a_reference_keeps_its_list_in_json():
    ref = ModelRef.model_validate({"name": "m", "quantise": ["q2_k"]})
    assert ModelRef.model_validate_json(ref.model_dump_json()) == ref
    assert ref.quantise == ("Q2_K",)
