"""Where the data files that ship with the project lie: inside the wheel, or in the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from evalsuite.errors import CatalogError

__all__ = ["DataKind", "data_root"]

DataKind = Literal["tasks", "langs", "models", "reports", "devices", "examples/policies"]

_PACKAGE = Path(__file__).resolve().parent.parent


def data_root(kind: DataKind, *, package: Path = _PACKAGE) -> Path:
    """Return the folder of the shipped `kind`.

    Args:
        kind: Which folder.
        package: The package's own folder; only tests pass another one.
    """
    inside = package / "_data" / kind
    if inside.is_dir():
        return inside
    checkout = package.parent / kind
    # Beside an installed package a folder of this name belongs to some other distribution.
    if package.parent.name not in {"site-packages", "dist-packages"} and checkout.is_dir():
        return checkout
    raise CatalogError(
        f"the {kind!r} that ship with evalsuite are missing: looked in {inside}",
        fix="install evalsuite again (`pip install --force-reinstall --no-deps evalsuite`)",
    )
