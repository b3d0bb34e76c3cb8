"""Offers our engines to stock lm-eval, as models named `evalsuite-<backend>`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from evalsuite.backends import backend_names, load_backend
from evalsuite.catalog.fetch import FetchedModel, fetch_model
from evalsuite.catalog.models import load_models, resolve_model
from evalsuite.errors import InputError
from evalsuite.records import Model, ModelRef

__all__ = ["Fetch", "Offer", "register"]

_PASSED_BY_LM_EVAL = ("batch_size", "max_batch_size", "device")
"""What lm-eval gives to every model, asked for or not; of no meaning to an engine that does not name it."""
_COUNTS = ("threads", "context")


class Fetch(Protocol):
    """Brings a model of the catalog into the cache."""

    def __call__(self, model: Model, *, offline: bool) -> FetchedModel: ...


@dataclass(frozen=True)
class Offer:
    """Stands for a backend in lm-eval's registry of models; the engine is imported when a model is made.

    Its options are those of the backend's class; in place of `path`, a file, `model` may name a model of the catalog.
    """

    backend: str
    fetch: Fetch = field(default=fetch_model, compare=False)

    @property
    def name(self) -> str:
        """The name that lm-eval knows it by."""
        return f"evalsuite-{self.backend}"

    def __call__(self, **options: Any) -> Any:
        """Return the lm-eval model.

        Raises:
            InputError: An option is unknown or has a wrong value, or the model cannot be found.
            BackendError: The engine is not installed.
            FetchError: The model cannot be fetched.
        """
        build = load_backend(self.backend)
        named, takes_more = _options_of(build)
        given = {key: value for key, value in options.items() if key in named or key not in _PASSED_BY_LM_EVAL}
        known = ["path", "model", *(key for key in named if key != "path")]
        unknown = [key for key in given if key not in known]
        if unknown and not takes_more:
            raise InputError(
                f"unknown option {unknown[0]}={given[unknown[0]]!r} of {self.name}",
                fix=f"--model_args knows {', '.join(known)}",
            )
        _refuse_wrong_counts(given, named)
        given = self._with_file(given)
        try:
            return build(**given)
        except TypeError as error:
            if not unknown:
                raise
            # Some of its options have no names in its signature: it is the class that knows them.
            raise InputError(f"{self.name}: {error}", fix=f"--model_args knows {', '.join(known)}") from error

    def create_from_arg_obj(self, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None) -> Any:
        """Return the model, from options and from what lm-eval adds to them: its way of making one."""
        added = {key: value for key, value in (additional_config or {}).items() if value is not None}
        return self(**{**arg_dict, **added})

    def create_from_arg_string(self, arg_string: str, additional_config: dict[str, Any] | None = None) -> Any:
        """Return the model, from options as they are written: `path=model.gguf,threads=2`."""
        from lm_eval.utils import simple_parse_args_string

        return self.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    def _with_file(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options with the path of a file that is there."""
        options = dict(given)
        path, model = options.pop("path", None), options.pop("model", None)
        if (path is None) == (model is None):
            raise InputError(
                f"{self.name} takes a model's file or its name in the catalog, {'neither' if path is None else 'both'} given",
                fix="--model_args path=FILE.gguf, or --model_args model=NAME (`evalsuite models list`)",
            )
        if path is None:
            return {**self._from_catalog(str(model)), **options}
        file = Path(str(path)).expanduser()
        if not file.exists():
            raise InputError(
                f"model file {str(path)!r} does not exist",
                fix="check the path; --model_args model=NAME takes a model of the catalog (`evalsuite models list`)",
            )
        return {"path": file, **options}

    def _from_catalog(self, name: str) -> dict[str, Any]:
        from huggingface_hub.constants import HF_HUB_OFFLINE

        model = resolve_model(ModelRef.model_validate(name), load_models())
        if model.backend != self.backend:
            raise InputError(
                f"the catalog's {name!r} is a model for {model.backend}, not for {self.backend}",
                fix=f"--model evalsuite-{model.backend}",
            )
        return {"path": self.fetch(model, offline=HF_HUB_OFFLINE).path, **model.options}


def register(fetch: Fetch = fetch_model) -> tuple[str, ...]:
    """Add every backend to lm-eval's models; return their names there.

    lm-eval looks for models of others nowhere, so this must be called in the process that evaluates.

    Args:
        fetch: Brings a model of the catalog into the cache.
    """
    # lm-eval fills its registry only where it finds it empty.
    import lm_eval.models  # noqa: F401
    from lm_eval.api.registry import model_registry

    offers = [Offer(backend, fetch) for backend in backend_names()]
    for offer in offers:
        model_registry.register(offer.name, target=offer)
    return tuple(offer.name for offer in offers)


def _options_of(build: Callable[..., Any]) -> tuple[list[str], bool]:
    """Return the options that a backend's class names, and whether it takes others too."""
    parameters = inspect.signature(build).parameters.values()
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = [p.name for p in parameters if p.kind not in variable]
    return named, any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def _refuse_wrong_counts(given: Mapping[str, Any], named: Collection[str]) -> None:
    for key in _COUNTS:
        value = given.get(key)
        if key in named and value is not None and (type(value) is not int or value < 1):
            raise InputError(f"{key}={value!r} is no whole number above 0", fix=f"for example {key}=2, or leave it out")
