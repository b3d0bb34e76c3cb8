"""What all data models have in common: frozen, strict, and hashed by their content."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Frozen", "Name", "Sha256", "digest"]


class Frozen(BaseModel):
    """Base of all data models: frozen, and refusing what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def digest(value: Any) -> str:
    """Return the sha256 (hex) of a JSON-serialisable value, independent of key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=120)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
