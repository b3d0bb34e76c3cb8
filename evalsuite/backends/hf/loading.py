"""Loads a model and its tokenizer: a folder in the hub's layout, a model of the hub, or a GGUF file, dequantised."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
import transformers

from evalsuite.catalog.gguf import check_gguf
from evalsuite.errors import BackendError, InputError, ModelFileError

__all__ = ["DTYPES", "QUANTISATIONS", "LoadedModel", "load"]

DTYPES: dict[str, torch.dtype | str] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "auto": "auto",
}
"""What weights and activations are computed in; `auto` is what the model was saved in."""
QUANTISATIONS = ("int8", "int4")
_INT4_GROUP = 32
"""Weights in a row that share a scale."""
_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$")
_ENCODER = "give a causal language model; embedding and encoder models need another backend"


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready for evaluation, and its tokenizer."""

    model: Any
    tokenizer: Any
    name: str
    exact: bool
    """Whether it computes in float32."""


@dataclass(frozen=True)
class _Place:
    """Where transformers finds a model."""

    name: str
    """A folder or a name on the hub."""
    gguf: str | None = None
    """The file in the folder."""

    def arguments(self) -> dict[str, Any]:
        """Return what `from_pretrained` calls it."""
        return {"pretrained_model_name_or_path": self.name, **({"gguf_file": self.gguf} if self.gguf else {})}


def load(path: str | Path, *, dtype: str = "float32", quantisation: str | None = None) -> LoadedModel:
    """Return a model with its tokenizer.

    Args:
        path: A folder with `config.json`, a GGUF file, or a name on the hub (`owner/repository`). With HF_HUB_OFFLINE=1
            only the hub's cache is looked into.
        dtype: One of `DTYPES`.
        quantisation: One of `QUANTISATIONS`, or none.

    Raises:
        InputError: An option has an unknown value.
        ModelFileError: There is no such model, or it is no causal language model.
        BackendError: A package is missing.
    """
    _check_options(dtype, quantisation)
    place = _place(path)
    try:
        with _read_once(place):
            config = transformers.AutoConfig.from_pretrained(**place.arguments())
            _refuse_encoders(config, path)
            tokenizer = transformers.AutoTokenizer.from_pretrained(**place.arguments())
            model = transformers.AutoModelForCausalLM.from_pretrained(
                **place.arguments(), config=config, dtype=DTYPES[dtype], **_dequantised(place)
            )
    except ImportError as error:
        raise BackendError(
            f"{path}: this model needs a package that is not installed: {_first_line(error)}",
            fix="pip install 'evalsuite[hf]', and what the message names",
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        _refuse(path, place, error)
    model = model.eval()
    # What a model brings along (a temperature, a repetition penalty) would fill in what a request leaves open.
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=getattr(model.generation_config, "eos_token_id", None)
    )
    if quantisation is not None:
        _quantise(model, quantisation)
    name = Path(place.gguf or place.name).stem if place.gguf or Path(place.name).is_dir() else place.name
    return LoadedModel(model, tokenizer, name, exact=model.dtype == torch.float32)


def _check_options(dtype: str, quantisation: str | None) -> None:
    if dtype not in DTYPES:
        raise InputError(f"unknown dtype {dtype!r}", fix=f"dtype is one of {', '.join(DTYPES)}")
    if quantisation is not None and quantisation not in QUANTISATIONS:
        raise InputError(
            f"unknown quantisation {quantisation!r}",
            fix=f"quantisation is one of {', '.join(QUANTISATIONS)}, or left out",
        )


def _place(path: str | Path) -> _Place:
    local = Path(path).expanduser()
    if local.is_file():
        # Refuses what is truncated, a vocabulary only, or no GGUF at all.
        check_gguf(local)
        return _Place(str(local.parent), local.name)
    if local.is_dir():
        if not (local / "config.json").is_file():
            raise ModelFileError(
                f"{path}: the folder has no config.json",
                fix="give a folder as the hub lays it out, or name the .gguf file inside it",
            )
        return _Place(str(local))
    name = str(path)
    if local.is_absolute() or not _HUB_ID.match(name) or name.endswith(".gguf"):
        raise ModelFileError(
            f"{name}: there is no such file or folder",
            fix="give a folder with config.json, a GGUF file, or a name on the hub (owner/repository)",
        )
    return _Place(name)


def _refuse_encoders(config: Any, path: str | Path) -> None:
    """Refuse what scores no next token: encoders, encoder-decoders and models for embeddings."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = config.model_type
    writes = [name for name in config.architectures or () if re.search("CausalLM|LMHead|ConditionalGeneration", name)]
    if config.is_encoder_decoder:
        raise ModelFileError(f"{path}: '{kind}' is an encoder-decoder", fix=_ENCODER)
    encodes = kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or (encodes and not writes):
        raise ModelFileError(f"{path}: '{kind}' is an encoder, so it cannot score or write text", fix=_ENCODER)


@contextmanager
def _read_once(place: _Place) -> Iterator[None]:
    """Keep a parsed GGUF file while it is loaded: transformers parses it three times, and a vocabulary takes long."""
    if place.gguf is None:
        yield
        return
    import gguf

    reader = gguf.GGUFReader
    gguf.GGUFReader = functools.cache(reader)
    try:
        yield
    finally:
        gguf.GGUFReader = reader


def _dequantised(place: _Place) -> dict[str, Any]:
    # Later versions may keep the blocks of a GGUF file, whose kernels round activations.
    if place.gguf is None or not hasattr(transformers, "GgufConfig"):
        return {}
    return {"quantization_config": transformers.GgufConfig(dequantize=True)}


def _quantise(model: Any, quantisation: str) -> None:
    """Quantise the weights of all linear layers but the last in place; activations keep their dtype."""
    try:
        from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, quantize_
        from torchao.quantization.granularity import PerGroup
    except ImportError as error:
        raise BackendError(
            f"quantisation={quantisation} needs torchao, which cannot be imported: {_first_line(error)}",
            fix="pip install 'evalsuite[hf,quant]', or leave quantisation out",
        ) from error
    int4: torch.dtype = torch.int4  # type: ignore[attr-defined]  # missing in torch's stubs
    config = (
        Int8WeightOnlyConfig()
        if quantisation == "int8"
        else IntxWeightOnlyConfig(weight_dtype=int4, granularity=PerGroup(_INT4_GROUP))
    )
    # Often the same matrix as the input embedding.
    last = model.get_output_embeddings()
    try:
        quantize_(model, config, filter_fn=lambda part, _: isinstance(part, torch.nn.Linear) and part is not last)
    except (RuntimeError, ValueError, AssertionError, NotImplementedError) as error:
        raise BackendError(
            f"torchao cannot quantise this model to {quantisation}: {_first_line(error)}", fix="leave quantisation out"
        ) from error


def _refuse(path: str | Path, place: _Place, error: Exception) -> NoReturn:
    if place.gguf is None and not Path(place.name).is_dir():
        raise ModelFileError(
            f"{path}: neither a file, nor a folder, nor a model that the hub or its cache has: {_first_line(error)}",
            fix="check the name; with HF_HUB_OFFLINE=1 it must have been downloaded before",
        ) from error
    raise ModelFileError(
        f"{path}: transformers {transformers.__version__} cannot load this: {_first_line(error)}",
        fix="fetch the files again, upgrade transformers, or take a model of a supported architecture",
    ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
