"""What a run says about the software that made it."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["command_line", "versions"]

_PACKAGES = (
    "evalsuite", "lm-eval", "llama-cpp-python", "datasets", "numpy", "scipy", "pyarrow", "Babel", "transformers", "torch",
    "torchao", "scikit-learn",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on; absent ones are left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def command_line(arguments: Sequence[str]) -> str:
    """Return a command as a person would type it again, without the path of the program."""
    typed = shlex.join([Path(arguments[0]).name.replace("__main__.py", "evalsuite"), *arguments[1:]])
    # A path need not be UTF-8; what is stored must be.
    return typed.encode(errors="backslashreplace").decode()
