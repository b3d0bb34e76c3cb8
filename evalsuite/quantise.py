"""Quantisations that a sweep asks for: made of its models in a child process, kept in the cache, planned beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from evalsuite.catalog.fetch import Progress, cache_dir
from evalsuite.catalog.gguf import GgufInfo, check_gguf
from evalsuite.catalog.load import Catalog
from evalsuite.catalog.made import make_once
from evalsuite.catalog.models import resolve_model
from evalsuite.catalog.quantisations import (
    NOT_QUANTISED,
    QUANTISATIONS,
    check_quantisation,
    other_types,
    types_text,
    usual_bits,
)
from evalsuite.catalog.sources.file import file_sha256
from evalsuite.catalog.sources.transfer import sha256_of
from evalsuite.child import ChildProcess
from evalsuite.errors import BackendError, EvalsuiteError, InputError
from evalsuite.plan import PlannedModel
from evalsuite.provenance import versions
from evalsuite.quantise_child import QuantiseJob
from evalsuite.records import MadeFrom, Model, ModelRef, Source, Sweep

__all__ = ["Making", "check_quantise", "variant_name", "with_variants"]

_BACKEND = "llamacpp"
_TOOL = "llama-cpp-python"
_LONGEST_NAME = 120
_MOST_BITS = 8.5
"""What a tensor takes that cannot be stored as asked: llama.cpp then takes another type, up to Q8_0."""
_HEADER_BYTES = 64 << 20
"""More than any header and vocabulary."""
_MIB = 1 << 20


@dataclass(frozen=True)
class Making:
    """How quantisations are made."""

    threads: int
    silence_s: float
    """Longest time for one tensor, after which the child is given up."""
    progress: Progress
    """Is told of the bytes of the source that are done."""
    tell: Callable[[str], None]
    """Is given a line for what a reader of the results should know."""


def check_quantise(sweep: Sweep, catalog: Catalog) -> None:
    """Refuse quantisations that cannot be made, before anything is fetched.

    Raises:
        InputError: A name is unknown, or a model that is to be quantised is no GGUF file.
    """
    for name in (*sweep.quantise, *(name for ref in sweep.models for name in ref.quantise or ())):
        check_quantisation(name)
    refs = [(ref, resolve_model(ref, catalog.models)) for ref in sweep.models]
    for ref, model in refs:
        if ref.quantise and not _can_be_quantised(model):
            raise InputError(
                f"{model.name}{ref.compute}: quantise: only GGUF files of llama.cpp, as they are stored, can be quantised",
                fix="leave `quantise` out for this model, or name a GGUF file",
            )
    if sweep.quantise and not any(_can_be_quantised(model) for _, model in refs):
        raise InputError(
            f"quantise: none of the models is a GGUF file of llama.cpp ({', '.join(ref.name for ref in sweep.models)})",
            fix="leave `quantise` out, or add a GGUF file",
        )


def variant_name(model: str, quantisation: str) -> str:
    """Return the name of a model's quantisation, such as `gemma3-270m+Q2_K`."""
    return f"{model}+{quantisation}"


def with_variants(
    models: Mapping[str, PlannedModel], sweep: Sweep, making: Making, *, make: bool
) -> dict[str, PlannedModel]:
    """Return the models of a sweep, each with its quantisations behind it.

    A quantisation that cannot be made has its reason in `PlannedModel.problem`, and costs nothing but itself.

    Args:
        models: From `prepare_models`, in the order of the sweep.
        sweep: Says which quantisations.
        making: How they are made.
        make: Whether one that is not in the cache is made; otherwise its path and hash stay unknown.

    Raises:
        InputError: A name is too long, or is that of another model.
    """
    found: dict[str, PlannedModel] = {}
    for ref, planned in zip(sweep.models, models.values(), strict=True):
        found[planned.model.name] = planned
        for quantisation in _asked(ref, sweep, planned.model, making.tell):
            variant = _variant(planned, quantisation, making, make=make)
            if variant.model.name in models or variant.model.name in found:
                raise InputError(
                    f"two models are named {variant.model.name!r}", fix="give one a `name` of its own in the sweep file"
                )
            found[variant.model.name] = variant
    return found


def _can_be_quantised(model: Model) -> bool:
    return model.backend == _BACKEND and model.options.get("compute") != "dequantised"


def _asked(ref: ModelRef, sweep: Sweep, model: Model, tell: Callable[[str], None]) -> Iterator[str]:
    """Yield the quantisations to make of a model; of a float32 copy none, since the model itself has them."""
    asked = sweep.quantise if ref.quantise is None else ref.quantise
    if asked and not _can_be_quantised(model):
        if model.backend != _BACKEND:
            tell(f"{model.name} is not quantised: only GGUF files of llama.cpp can be")
        return
    for quantisation in dict.fromkeys(asked):
        if quantisation == model.quantisation:
            tell(f"{model.name} is {quantisation} already, so that is not made of it")
        else:
            yield quantisation


def _variant(source: PlannedModel, quantisation: str, making: Making, *, make: bool) -> PlannedModel:
    model, sha256 = _described(source.model, quantisation), source.model.sha256
    if source.problem is not None:
        problem = f"{source.model.name}, of which it is to be made, cannot be had: {source.problem}"
        return PlannedModel(model, None, problem=problem, fix=source.fix, made=True)
    if source.path is None or sha256 is None:
        return PlannedModel(model, None, made=True)
    root = cache_dir()
    made_from = model.made_from
    assert made_from is not None
    target = root / "quantised" / f"{sha256}.{quantisation}.{_TOOL}-{made_from.version}.gguf"
    try:
        if not _is_good(target, root):
            if not make:
                return PlannedModel(model, None, made=True)
            _make(source, model, target, making)
        info = check_gguf(target)
        variant = model.model_copy(
            update={
                "sha256": file_sha256(target, root),
                "bytes": info.file_bytes,
                "stored_as": info.stored_as,
                "source": Source(kind="file", path=target),
            }
        )
    except EvalsuiteError as error:
        problem = f"{quantisation} could not be made of {source.model.name}: {error.problem}"
        fix = error.fix or f"leave {quantisation} out of `quantise`"
        making.tell(f"{model.name}: {problem}")
        return PlannedModel(model, None, problem=problem, fix=fix, made=True)
    for note in _notes(variant):
        making.tell(f"{variant.name}: {note}")
    return PlannedModel(variant, target, source.has_chat_template, made=True)


def _described(source: Model, quantisation: str) -> Model:
    """Return the model that a quantisation will be, as far as that is known beforehand."""
    name = variant_name(source.name, quantisation)
    if len(name) > _LONGEST_NAME:
        raise InputError(f"the name {name!r} is too long", fix="give the model a shorter `name` in the sweep file")
    size = round(source.parameters * usual_bits(quantisation) / 8) if source.parameters else None
    return source.model_copy(
        update={
            "name": name,
            "title": f"{source.title}, {quantisation}",
            "quantisation": quantisation,
            "source": Source(kind="file"),
            "sha256": None,
            "bytes": size,
            "stored_as": (),
            "made_from": MadeFrom(
                name=source.name,
                sha256=source.sha256,
                quantisation=source.quantisation,
                type=quantisation,
                tool=_TOOL,
                version=versions().get(_TOOL, "unknown"),
                requantised=source.quantisation not in NOT_QUANTISED,
            ),
        }
    )


def _make(source: PlannedModel, model: Model, target: Path, making: Making) -> None:
    """Make the file of a variant.

    Raises:
        BackendError: llama.cpp refused, crashed, or wrote something else.
        FetchError: There is no room for it.
    """
    made_from = model.made_from
    assert source.path is not None
    assert made_from is not None
    job = QuantiseJob(
        source=source.path,
        target=target,
        ftype=QUANTISATIONS[made_from.type],
        requantise=made_from.requantised,
        threads=making.threads,
    )
    info = check_gguf(source.path)
    bits = max(usual_bits(made_from.type), _MOST_BITS)
    making.progress.start(info.file_bytes, f"{made_from.name} to {made_from.type}")
    try:
        make_once(
            target,
            partial(_make_part, job, info, target, making),
            needed_bytes=round(info.parameters * bits / 8) + _HEADER_BYTES,
            there=partial(_is_good, target, cache_dir()),
        )
    finally:
        making.progress.stop()


def _make_part(job: QuantiseJob, source: GgufInfo, target: Path, making: Making, part: Path) -> None:
    log = target.with_suffix(".log")
    log.unlink(missing_ok=True)
    _run_child(job.model_copy(update={"target": part}), log, source.file_bytes, making)
    _check_made(part, source, job.ftype)
    log.unlink(missing_ok=True)
    # The stamp comes first: without its file it says nothing, but a file without it would be made again.
    stamp = _stamp_path(target)
    temporary = stamp.with_name(f"{part.name}.json")
    temporary.write_text(json.dumps({"sha256": sha256_of(part)}), encoding="utf-8")
    temporary.replace(stamp)


def _run_child(job: QuantiseJob, log: Path, size: int, making: Making) -> None:
    child = ChildProcess("evalsuite.quantise_child", job.model_dump_json().encode(), log)
    told = 0
    try:
        while True:
            event = child.next_event(making.silence_s)
            if event["event"] == "tensor":
                done = size * event["done"] // event["total"]
                making.progress.advance(done - told)
                told = done
            elif event["event"] == "finished":
                return
            else:  # failed, died, silent
                raise BackendError(str(event["reason"]), fix=f"what llama.cpp said is in {log}")
    finally:
        child.stop()


def _check_made(path: Path, source: GgufInfo, ftype: int) -> None:
    """Refuse a file that is not the source in the quantisation that was asked for."""
    info = check_gguf(path)
    wanted = next(name for name, number in QUANTISATIONS.items() if number == ftype)
    for what, found, expected in (
        ("tensors", info.tensor_count, source.tensor_count),
        ("weights", info.parameters, source.parameters),
        ("quantisation", info.quantisation, wanted),
    ):
        if found != expected:
            raise BackendError(f"llama.cpp wrote a wrong file: {what} {found}, expected {expected}")


def _is_good(target: Path, root: Path) -> bool:
    """Tell whether the cache holds the file as it was made."""
    if not target.is_file():
        return False
    try:
        stamp = json.loads(_stamp_path(target).read_text(encoding="utf-8"))
        return bool(stamp["sha256"] == file_sha256(target, root))
    except (OSError, ValueError, KeyError, TypeError):
        return False  # unreadable is as good as none


def _stamp_path(target: Path) -> Path:
    return target.with_name(target.name + ".json")


def _notes(model: Model) -> Iterator[str]:
    """Yield what a reader of the results should know about a quantisation."""
    made_from, bits = model.made_from, model.bits_per_weight
    assert made_from is not None
    size = f"{(model.bytes or 0) / _MIB:.0f} MiB" + ("" if bits is None else f", {bits:.1f} bits per weight")
    yield f"{size}; tensors: {types_text(model)}"
    if made_from.requantised:
        yield f"made from {made_from.quantisation or 'a quantised file'}: it cannot be better than its source"
    others = other_types(model)
    if others:
        yield f"{others} quantised tensors are stored in another type than a K one: it is less small than its name says"
