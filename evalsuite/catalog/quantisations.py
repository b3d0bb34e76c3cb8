"""The quantisations that llama.cpp can make of a model by itself, and what a file's types say of one."""

from __future__ import annotations

from typing import Final

from evalsuite.catalog.gguf import FILE_TYPES
from evalsuite.errors import InputError, suggest
from evalsuite.records import Model

__all__ = ["NOT_QUANTISED", "QUANTISATIONS", "check_quantisation", "other_types", "types_text", "usual_bits"]

NOT_QUANTISED: Final = frozenset({"F32", "F16", "BF16"})
"""Types that hold floating-point numbers."""

# Mean bits of a weight in a large model. Left out are types that are meant for an importance matrix, which is made from texts.
_USUAL_BITS: Final = {
    "F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 8.5, "Q6_K": 6.6, "Q5_K_M": 5.7, "Q5_K_S": 5.5, "Q5_1": 6.0,
    "Q5_0": 5.5, "Q4_K_M": 4.9, "Q4_K_S": 4.6, "Q4_1": 5.0, "Q4_0": 4.6, "IQ4_NL": 4.5, "IQ4_XS": 4.3, "Q3_K_L": 4.3,
    "Q3_K_M": 3.9, "Q3_K_S": 3.5, "Q2_K": 3.0,
}  # fmt: skip

QUANTISATIONS: Final = {name: number for number, name in FILE_TYPES.items() if name in _USUAL_BITS}
"""Name → llama.cpp's number of every quantisation that can be asked for."""


def check_quantisation(name: str) -> None:
    """Refuse what is no quantisation that can be made here.

    Raises:
        InputError: It is not; the fix names near ones.
    """
    if name in QUANTISATIONS:
        return
    if name in FILE_TYPES.values():
        raise InputError(
            f"quantise: {name} is not made here: it is meant for an importance matrix, or for models of its own kind",
            fix=f"take one of {', '.join(QUANTISATIONS)}",
        )
    fix = suggest(name, QUANTISATIONS, kind="quantisation", show="docs/quantisation.md")
    raise InputError(f"quantise: unknown quantisation {name!r}", fix=fix)


def usual_bits(name: str) -> float:
    """Return roughly how many bits a weight takes in a quantisation of a large model; for estimates alone."""
    return _USUAL_BITS[name]


def other_types(model: Model) -> int:
    """Return how many quantised tensors of a K quantisation are stored in another type than a K one; 0 for other files.

    llama.cpp takes another type where the rows of a tensor are no multiple of 256 weights, as in many small models, so
    that a file called Q2_K may hold no tensor of that type.
    """
    asked = model.made_from.type if model.made_from else model.quantisation or ""
    if "_K" not in asked:
        return 0
    kept = NOT_QUANTISED | {f"I{bits}" for bits in (8, 16, 32, 64)}
    return sum(one.tensors for one in model.stored_as if "_K" not in one.type and one.type not in kept)


def types_text(model: Model) -> str:
    """Return how many tensors are stored in which type, such as "1 Q8_0, 72 Q4_0"; most weights first."""
    return ", ".join(f"{one.tensors} {one.type}" for one in model.stored_as)
