"""Data from the hub's cache on this machine, at the revision that a task asks for and no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.catalog.data import DataFinder
from evalsuite.errors import DataMissingError
from evalsuite.records import Task

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["HubCacheFinder"]

_COMMIT = re.compile(r"^[0-9a-f]{40}$")


class HubCacheFinder(DataFinder):
    """Finds data in a mirror and in the hub's cache on this machine; the network must be switched off.

    Offline, `datasets` takes the newest revision that it has; only the one that the task asks for will do.
    """

    def load(self, task: Task, count_tokens: Callable[[str], int] | None = None) -> DatasetDict:
        """Return the task's data, as `DataFinder.load` does."""
        import datasets

        # It would say for each split that the hub cannot be reached.
        datasets.logging.set_verbosity_error()
        found = super().load(task, count_tokens)
        revision = task.data.revision
        if self.locate(task).data.found == "hub" and revision is not None:
            files = [str(entry["filename"]) for entry in found[task.data.split].cache_files]
            if not _COMMIT.match(revision) or not files or any(revision not in Path(name).parts for name in files):
                raise DataMissingError(
                    f"{task.data.path} is in the hub's cache, but not as revision {revision}",
                    fix="make the pack without --offline, or give a mirror with --data",
                )
        return found
