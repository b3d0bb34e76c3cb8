"""The float32 copy holds exactly the weights that the quantised file stands for."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

llama_cpp = pytest.importorskip("llama_cpp")
pytest.importorskip("lm_eval")

from lm_eval.api.instance import Instance  # noqa: E402

from evalsuite.backends.llamacpp import dequantise  # noqa: E402
from evalsuite.backends.llamacpp.dequantise import dequantised  # noqa: E402
from evalsuite.backends.llamacpp.lm import LlamaCppLM  # noqa: E402
from evalsuite.errors import BackendError  # noqa: E402
from tests import tiny_gguf  # noqa: E402


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("quant", ["Q8_0", "Q4_0"])
def test_weights_are_those_of_the_quantised_file(tmp_path, quant):
    """The independent computation is that of the package `gguf`."""
    stored = tiny_gguf.write_llama(tmp_path / "tiny.gguf", quant=quant)
    copy = dequantised(stored, threads=1)
    wanted = {t.name: gguf.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(stored).tensors}
    found = {t.name: t for t in gguf.GGUFReader(copy).tensors}
    assert set(found) == set(wanted)
    for name, tensor in found.items():
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
        np.testing.assert_array_equal(tensor.data.ravel(), wanted[name].ravel())


def test_the_copy_is_made_once_and_belongs_to_the_content(tmp_path, monkeypatch):
    first = tiny_gguf.write_llama(tmp_path / "a.gguf", quant="Q8_0")
    copy = dequantised(first, threads=1)
    monkeypatch.setattr(dequantise, "_convert", None)
    moved = first.rename(tmp_path / "b.gguf")
    assert dequantised(moved, threads=1) == copy
    plain = tiny_gguf.write_llama(tmp_path / "plain.gguf", quant="F32")
    assert dequantised(plain, threads=1) == plain


def test_a_failed_conversion_leaves_nothing_behind(tmp_path, monkeypatch):
    stored = tiny_gguf.write_llama(tmp_path / "tiny.gguf", quant="Q8_0")
    monkeypatch.setattr(llama_cpp, "llama_model_quantize", lambda *_: 1)
    with pytest.raises(BackendError, match="could not convert"):
        dequantised(stored, threads=1)
    assert not list((tmp_path / "cache" / "dequantised").glob("*.gguf*"))


def test_scores_are_near_those_of_the_stored_weights(tmp_path):
    stored = tiny_gguf.write_llama(tmp_path / "tiny.gguf", quant="Q8_0")
    asked = [Instance("loglikelihood", {}, pair, 0) for pair in (("Kaixo", " zu"), ("Kaixo", " gu"), ("", "abc"))]
    scores = []
    for compute in ("stored", "dequantised"):
        lm = LlamaCppLM(stored, threads=1, compute=compute)
        scores.append([value for value, _ in lm.loglikelihood(asked, disable_tqdm=True)])
        lm.close()
    # Activations are rounded to 8 bits in one of them.
    assert scores[0] == pytest.approx(scores[1], abs=0.2)
    assert scores[0] != scores[1]


def test_an_unknown_way_to_compute_is_refused(tmp_path):
    with pytest.raises(BackendError, match="compute='fast' is unknown"):
        LlamaCppLM(tmp_path / "none.gguf", compute="fast")
