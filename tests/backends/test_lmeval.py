"""Our engines among stock lm-eval's models: how they are found, what options they take, what they refuse."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evalsuite.backends import BACKENDS, backend_names
from evalsuite.backends.fake import FakeLM
from evalsuite.backends.lmeval import Offer, register
from evalsuite.catalog.fetch import FetchedModel
from evalsuite.errors import BackendError, InputError
from tests.helpers import ROOT

ADDED = {"batch_size": 1, "max_batch_size": None, "device": None}
"""What lm-eval's evaluator adds to the options of every model."""


class Strict(FakeLM):
    """Names all its options, as the engines do."""

    def __init__(self, path, threads=None, context=1 << 20, device=None):
        super().__init__(path, threads, context)
        self.given = {"path": path, "threads": threads, "context": context, "device": device}


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def strict(monkeypatch):
    monkeypatch.setitem(BACKENDS, "strict", f"{__name__}:Strict")
    return Offer("strict")


def test_every_backend_is_a_model_of_lm_eval_beside_its_own():
    from lm_eval.api.registry import get_model, model_registry

    names = register()
    assert set(names) == {f"evalsuite-{name}" for name in backend_names()}
    assert {"evalsuite-llamacpp", "evalsuite-fake"} <= set(names)
    assert register() == names
    assert get_model("evalsuite-fake") == Offer("fake")
    assert "hf" in model_registry


def test_registering_imports_no_engine():
    code = (
        "import sys\n"
        "from evalsuite.backends.lmeval import register\n"
        "register()\n"
        "print([m for m in ('torch', 'transformers', 'llama_cpp', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lm_eval_evaluates_with_it_by_name(weights):
    import lm_eval
    from lm_eval.tasks import TaskManager

    register()
    manager = TaskManager(include_path=str(ROOT / "tasks"), include_defaults=False)
    options = {"tasks": ["lexicon_eu"], "task_manager": manager, "limit": 3, "bootstrap_iters": 0}
    named = lm_eval.simple_evaluate(model="evalsuite-fake", model_args=f"path={weights},threads=2", **options)
    given = lm_eval.simple_evaluate(model=FakeLM(weights), **options)
    assert named["samples"]["lexicon_eu"] == given["samples"]["lexicon_eu"]
    assert named["config"]["model"] == "evalsuite-fake"


@pytest.mark.parametrize("written", [True, False])
def test_options_arrive_with_their_types_and_what_lm_eval_adds_does_not(strict, weights, written):
    if written:
        lm = strict.create_from_arg_string(f"path={weights},threads=2,context=512", ADDED)
    else:
        lm = strict.create_from_arg_obj({"path": str(weights), "threads": 2, "context": 512}, ADDED)
    assert lm.given == {"path": weights, "threads": 2, "context": 512, "device": None}


def test_an_engine_that_names_what_lm_eval_adds_gets_it(strict, weights):
    assert strict(path=weights, batch_size=4, device="cpu").given["device"] == "cpu"


def test_a_backends_own_unnamed_options_are_passed_on(weights):
    assert Offer("fake").create_from_arg_string(f"path={weights},output=hello", ADDED)._output == "hello"


@pytest.mark.parametrize(
    ("arguments", "told", "fix"),
    [
        ("path={},thread=3", "unknown option thread=3 of evalsuite-strict", "path, model, threads, context, device"),
        ("path={},threads=many", "threads='many' is no whole number above 0", "threads=2"),
        ("path={},threads=0", "threads=0", "threads=2"),
        ("path={},context=1.5", "context=1.5", "context=2"),
        ("path={},context=true", "context=True", "context=2"),
        ("path={}.gguf", "weights.bin.gguf' does not exist", "model=NAME"),
        ("threads=2", "neither given", "path=FILE.gguf"),
        ("path={},model=gemma3-270m", "both given", "path=FILE.gguf"),
        ("model=gema3-270m", "unknown model 'gema3-270m'", "gemma3-270m"),
        ("model=gemma3-270m", "is a model for llamacpp, not for strict", "--model evalsuite-llamacpp"),
    ],
)
def test_wrong_options_are_named_with_the_fix(strict, weights, arguments, told, fix):
    with pytest.raises(InputError) as caught:
        strict.create_from_arg_string(arguments.format(weights), ADDED)
    assert told in caught.value.problem
    assert fix in (caught.value.fix or "")


def test_options_that_only_the_class_knows_are_refused_alike(weights):
    with pytest.raises(InputError, match="unknown options: frobnicate"):
        Offer("fake").create_from_arg_string(f"path={weights},frobnicate=1", ADDED)


def test_a_fault_inside_an_engine_is_no_wrong_option(monkeypatch, weights):
    def broken(path, threads=None):
        raise TypeError("a fault")

    monkeypatch.setattr("evalsuite.backends.lmeval.load_backend", lambda name: broken)
    with pytest.raises(TypeError, match="a fault"):
        Offer("broken")(path=weights)


def test_a_model_of_the_catalog_is_fetched_and_its_options_can_be_replaced(monkeypatch, weights):
    from evalsuite.catalog.models import load_models

    model = load_models()["gemma3-270m"].model_copy(
        update={"backend": "strict", "options": {"context": 64, "threads": 1}}
    )
    monkeypatch.setitem(BACKENDS, "strict", f"{__name__}:Strict")
    monkeypatch.setattr("evalsuite.backends.lmeval.load_models", lambda: {"gemma3-270m": model})
    asked = []

    def fetch(model, *, offline):
        asked.append((model.name, offline))
        return FetchedModel(weights, "0" * 64, 7)

    lm = Offer("strict", fetch).create_from_arg_string("model=gemma3-270m,threads=2", ADDED)
    assert lm.given == {"path": weights, "threads": 2, "context": 64, "device": None}
    assert asked == [("gemma3-270m", False)]


def test_an_engine_that_is_not_installed(monkeypatch, weights):
    monkeypatch.setitem(BACKENDS, "absent", "no_such_package.lm:LM")
    with pytest.raises(BackendError, match="no_such_package"):
        Offer("absent")(path=weights)
