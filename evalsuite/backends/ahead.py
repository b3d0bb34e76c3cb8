"""Work that is planned as a whole and done as far as it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from typing import Generic, TypeVar

__all__ = ["Ahead"]

Asked = TypeVar("Asked", bound=Hashable)
Found = TypeVar("Found")


class Ahead(Generic[Asked, Found]):
    """Results of requests that are planned together, and worked off as far as they are asked for.

    Args:
        plan: Yields (index, result) of the requests that it is given, in an order of its own.
    """

    def __init__(self, plan: Callable[[Sequence[Asked]], Iterator[tuple[int, Found]]]) -> None:
        self._plan = plan
        self._known: dict[Asked, Found] = {}
        self._left: dict[Asked, None] = {}
        """Announced, and not known yet, in order."""
        self._coming: Generator[tuple[Asked, Found], None, None] | None = None

    def announce(self, requests: Sequence[Asked]) -> None:
        """Plan `requests` when the first of them is asked for; replaces an earlier plan."""
        self.forget()
        self._left = dict.fromkeys(requests)

    def forget(self) -> None:
        """Drop results and plan."""
        self.pause()
        self._known, self._left = {}, {}

    def pause(self) -> None:
        """Leave the engine; what is left of the plan is planned anew when it is asked for."""
        if self._coming is not None:
            self._coming.close()
            self._coming = None

    def knows(self, requests: Sequence[Asked]) -> bool:
        """Tell whether the engine is not needed for these."""
        return all(request in self._known for request in requests)

    def get(self, requests: Sequence[Asked]) -> dict[Asked, Found]:
        """Return the results of `requests`."""
        missing = {request: None for request in requests if request not in self._known}
        strangers = [request for request in missing if request not in self._left]
        found: dict[Asked, Found] = {}
        if strangers:
            self.pause()
            found = {strangers[index]: result for index, result in self._plan(strangers)}
        missing = {request: None for request in missing if request not in found}
        while missing:
            if self._coming is None:
                self._coming = self._work(list(self._left))
            try:
                request, result = next(self._coming)
            except BaseException:
                # A generator that raised is at its end; what is left can still be asked for.
                self._coming = None
                raise
            self._known[request] = result
            del self._left[request]
            missing.pop(request, None)
        return found | {request: self._known[request] for request in requests if request not in found}

    def _work(self, requests: Sequence[Asked]) -> Generator[tuple[Asked, Found], None, None]:
        for index, result in self._plan(requests):
            yield requests[index], result
