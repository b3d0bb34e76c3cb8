"""The transformers backend as lm-eval sees it, on tiny models: texts, tokens, chat, generation, loading."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from evalsuite.backends import load_backend  # noqa: E402
from evalsuite.backends.hf.lm import TransformersLM  # noqa: E402
from evalsuite.backends.hf.loading import load  # noqa: E402
from evalsuite.errors import BackendError, ContextLimitError, InputError, ModelFileError  # noqa: E402
from tests import tiny_gguf  # noqa: E402
from tests.tiny_hf import CONTEXT, write_model  # noqa: E402

TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[me]{% endif %}"
)
ASKED = [("The sea is", answer) for answer in (" salt", " wet", " deep")] + [("Zer da hau?", " itsasoa"), ("", "hola")]


def scored(pairs: list[tuple[str, str]]) -> list[Instance]:
    return [Instance("loglikelihood", {}, pair, 0) for pair in pairs]


def generated(*prompts: tuple[str, dict[str, Any]]) -> list[Instance]:
    return [Instance("generate_until", {}, prompt, 0) for prompt in prompts]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny") / "llama", "llama", template=TEMPLATE)


@pytest.fixture(scope="module")
def lm(folder: Path) -> Any:
    return load_backend("transformers")(path=folder, threads=1)


def test_scores_and_tokens_are_those_of_lm_evals_own_backend(folder: Path, lm: Any) -> None:
    """The independent implementation is lm-eval's `hf` model."""
    pytest.importorskip("accelerate")
    from lm_eval.models.huggingface import HFLM

    theirs = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=2)
    for pair in ASKED[:-1]:
        assert lm._encode_pair(*pair) == theirs._encode_pair(*pair)
    for text in ("<s>hola", "hola", "", "  two  spaces\n", "日本"):
        assert lm.tok_encode(text) == theirs.tok_encode(text)
        assert lm.tok_encode(text, add_special_tokens=False) == theirs.tok_encode(text, add_special_tokens=False)
    for (ours, greedy), (expected, also) in zip(
        lm.loglikelihood(scored(ASKED), disable_tqdm=True), theirs.loglikelihood(scored(ASKED), disable_tqdm=True),
        strict=True,
    ):  # fmt: skip
        assert ours == pytest.approx(expected, abs=1e-3)
        assert greedy == also
    asked = generated(*[(context, {"until": ["\n"], "max_gen_toks": 12}) for context, _ in ASKED[:4]])
    assert lm.generate_until(asked) == theirs.generate_until(asked, disable_tqdm=True)


def test_rolling_log_likelihood_is_that_of_lm_evals_own_backend(tmp_path: Path) -> None:
    """The independent implementation is lm-eval's `hf` model; with a BOS token it would count that twice."""
    pytest.importorskip("accelerate")
    from lm_eval.models.huggingface import HFLM

    folder = write_model(tmp_path, "gemma3", adds_bos=False)
    ours, theirs = TransformersLM(folder, threads=1), HFLM(pretrained=str(folder), dtype="float32", device="cpu")
    rolling = [Instance("loglikelihood_rolling", {}, ("Bat, bi, hiru, lau. " * 9,), 0)]
    assert len(ours.tok_encode(rolling[0].args[0])) > 2 * CONTEXT
    assert ours.loglikelihood_rolling(rolling) == pytest.approx(theirs.loglikelihood_rolling(rolling), abs=1e-2)


def test_announced_requests_are_planned_together(lm: Any) -> None:
    before = lm.evaluated_tokens
    expected = lm.loglikelihood(scored(ASKED), disable_tqdm=True)
    whole = lm.evaluated_tokens - before
    lm.announce(scored(ASKED))
    found = [lm.loglikelihood(scored([pair]), disable_tqdm=True)[0] for pair in ASKED]
    assert [logprob for logprob, _ in found] == pytest.approx([logprob for logprob, _ in expected], abs=1e-4)
    assert lm.evaluated_tokens - before == 2 * whole
    lm.forget()


def test_generation_does_not_depend_on_company_and_ends_at_stop_strings(lm: Any) -> None:
    options = {"max_gen_toks": 16}
    prompts = [(text, options) for text in ("a", "The sea is deep and", "Zer da", "x y z")]
    alone = [lm.generate_until(generated(prompt))[0] for prompt in prompts]
    assert lm.generate_until(generated(*prompts)) == alone
    whole = max(alone, key=len)
    context = prompts[alone.index(whole)][0]
    # Tokens are mostly single bytes, so that this one straddles them.
    stop = whole[3:6]
    (found,) = lm.generate_until(generated((context, {**options, "until": [stop, "never said"]})))
    assert found == whole[: whole.index(stop)]


def test_settings_that_a_model_brings_along_are_not_used(folder: Path, tmp_path: Path, lm: Any) -> None:
    target = _changed(folder, tmp_path / "penalised")
    settings = {"eos_token_id": [2, 9], "do_sample": True, "temperature": 3.0, "repetition_penalty": 9.0}
    (target / "generation_config.json").write_text(json.dumps(settings), encoding="utf-8")
    asked = generated(("The sea", {"max_gen_toks": 8}))
    assert TransformersLM(target, threads=1).generate_until(asked) == lm.generate_until(asked)


def test_sampling_is_seeded_and_does_not_depend_on_company(lm: Any) -> None:
    def sample(seed: int) -> tuple[str, dict[str, Any]]:
        return ("The", {"max_gen_toks": 12, "do_sample": True, "temperature": 1.5, "top_k": 50, "seed": seed})

    alone = [lm.generate_until(generated(sample(seed)))[0] for seed in range(3)]
    state = torch.random.get_rng_state()
    assert lm.generate_until(generated(*(sample(seed) for seed in range(3)))) == alone
    assert len(set(alone)) > 1
    assert torch.equal(torch.random.get_rng_state(), state)
    with pytest.raises(BackendError, match="beam search"):
        lm.generate_until(generated(("a", {"num_beams": 3})))


def test_a_request_beyond_the_context_is_refused(folder: Path) -> None:
    short = TransformersLM(folder, context=16, threads=1)
    assert short.max_length == 16
    with pytest.raises(ContextLimitError, match="context of 16 tokens"):
        short.loglikelihood(scored([("one two three four " * 3, " five")]), disable_tqdm=True)
    with pytest.raises(ContextLimitError):
        short.generate_until(generated(("one", {"max_gen_toks": 64})))
    short.close()


def test_chat_is_written_by_the_tokenizers_own_template(tmp_path: Path, lm: Any) -> None:
    messages = [{"role": "user", "content": "Zer moduz? {{ 7 * 7 }}"}]
    assert lm.apply_chat_template(messages) == "[user] Zer moduz? {{ 7 * 7 }}\n[me]"
    assert lm.chat_template(True) == TEMPLATE
    assert lm.chat_template(False) is None
    base = TransformersLM(write_model(tmp_path, "llama"), threads=1)
    assert base.chat_template(True) is None
    with pytest.raises(BackendError, match="no chat template"):
        base.apply_chat_template(messages)


def test_a_gguf_file_scores_as_the_same_model_in_llama_cpp(tmp_path: Path) -> None:
    """The independent implementation is llama.cpp on the same float32 weights."""
    pytest.importorskip("llama_cpp")
    pytest.importorskip("gguf")
    from evalsuite.backends.llamacpp.lm import LlamaCppLM

    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", context=CONTEXT)
    ours, theirs = TransformersLM(path, threads=1), LlamaCppLM(path, threads=1)
    for text, _ in ASKED:
        assert ours.tok_encode(text) == theirs.tok_encode(text)
    found = ours.loglikelihood(scored(ASKED), disable_tqdm=True)
    expected = theirs.loglikelihood(scored(ASKED), disable_tqdm=True)
    # llama.cpp's cache holds 16 bits.
    assert [logprob for logprob, _ in found] == pytest.approx([logprob for logprob, _ in expected], abs=0.05)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "auto"])
def test_other_dtypes_are_near_float32(folder: Path, lm: Any, dtype: str) -> None:
    other = TransformersLM(folder, dtype=dtype, threads=1)
    assert other.engine.shares
    expected = lm.loglikelihood(scored(ASKED), disable_tqdm=True)
    for (ours, _), (exact, _), (_, answer) in zip(
        other.loglikelihood(scored(ASKED), disable_tqdm=True), expected, ASKED, strict=True
    ):
        assert ours == pytest.approx(exact, abs=0.2 * len(answer))


@pytest.mark.parametrize(("quantisation", "tolerance"), [("int8", 0.3), ("int4", 3.0)])
def test_quantised_weights_are_near_float32(folder: Path, lm: Any, quantisation: str, tolerance: float) -> None:
    pytest.importorskip("torchao")
    other = TransformersLM(folder, quantisation=quantisation, threads=1)
    assert other.engine.shares
    expected = [logprob for logprob, _ in lm.loglikelihood(scored(ASKED), disable_tqdm=True)]
    found = [logprob for logprob, _ in other.loglikelihood(scored(ASKED), disable_tqdm=True)]
    assert found != expected
    for ours, exact, (_, answer) in zip(found, expected, ASKED, strict=True):
        assert abs(ours - exact) < tolerance * len(answer)


def test_quantisation_without_its_package_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(BackendError, match="needs torchao") as caught:
        load(folder, quantisation="int8")
    assert caught.value.fix is not None
    assert "evalsuite[hf,quant]" in caught.value.fix


def test_without_torch_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("evalsuite.backends.hf")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BackendError, match="needs a package") as caught:
        load_backend("transformers")
    assert caught.value.fix is not None
    assert "evalsuite[hf]" in caught.value.fix


def _changed(folder: Path, target: Path, **changes: Any) -> Path:
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    (target / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")
    return target


def test_options_and_files_that_cannot_be_used_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown dtype 'float8'"):
        load(folder, dtype="float8")
    with pytest.raises(InputError, match="unknown quantisation 'int2'"):
        load(folder, quantisation="int2")
    with pytest.raises(ModelFileError, match="no such file or folder"):
        load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileError, match=r"no config\.json"):
        load(tmp_path / "empty")
    (tmp_path / "model.gguf").write_bytes(b"no gguf at all")
    with pytest.raises(ModelFileError, match="GGUF"):
        load(tmp_path / "model.gguf")
    with pytest.raises(ModelFileError, match="cannot load this"):
        load(_changed(folder, tmp_path / "unknown", model_type="nobody_knows"))
    broken = _changed(folder, tmp_path / "broken")
    (broken / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match="cannot load this"):
        load(broken)


def test_a_name_that_the_hub_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any, **__: Any) -> None:
        raise OSError("we couldn't connect, and couldn't find it in the cached files")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", nowhere)
    with pytest.raises(ModelFileError, match="the hub or its cache") as caught:
        load("nobody/nothing")
    assert "HF_HUB_OFFLINE" in str(caught.value.fix)


def test_models_that_write_no_text_are_refused(folder: Path, tmp_path: Path) -> None:
    bert = {"model_type": "bert", "architectures": ["BertModel"]}
    with pytest.raises(ModelFileError, match="'bert' is an encoder"):
        load(_changed(folder, tmp_path / "bert", **bert))
    with pytest.raises(ModelFileError, match="encoder-decoder"):
        load(_changed(folder, tmp_path / "t5", model_type="t5", architectures=["T5ForConditionalGeneration"]))


def test_a_model_that_looks_ahead_is_refused(tmp_path: Path) -> None:
    """Text-embedding models come as causal architectures with their mask taken away."""
    folder = write_model(tmp_path / "gemma", "gemma3")
    seeing = _changed(folder, tmp_path / "embedding", use_bidirectional_attention=True)
    with pytest.raises(ModelFileError, match="no causal language model"):
        TransformersLM(seeing, threads=1)
