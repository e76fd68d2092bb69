"""How much a company may be asked: 500 calls a minute, 10 at once, 40 batches a minute."""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugins.quickbooks.sandbox import refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

MINUTE = 60.0


@dataclass
class _Use:
    calls: deque[float] = field(default_factory=deque)
    batches: deque[float] = field(default_factory=deque)
    running: int = 0


class Throttling:
    """Counts the calls per company over the last minute. A limit of None is none: for measurements."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.per_minute: int | None = 500
        self.at_once: int | None = 10
        self.batches_per_minute: int | None = 40
        self._now = now
        self._uses: dict[str, _Use] = defaultdict(_Use)

    def lift(self) -> None:
        """No limits any more."""
        self.per_minute = self.at_once = self.batches_per_minute = None

    @contextmanager
    def one_call(self, realm: str) -> Iterator[None]:
        """The time of one call; refused when it is one too many."""
        use = self._uses[realm]
        if self.at_once is not None and use.running >= self.at_once:
            raise refusals.throttled()
        self._count(use.calls, 1, self.per_minute)
        use.running += 1
        try:
            yield
        finally:
            use.running -= 1

    def batch(self, realm: str, items: int) -> None:
        """A batch: each of its items is a call of its own."""
        use = self._uses[realm]
        self._count(use.batches, 1, self.batches_per_minute)
        self._count(use.calls, max(0, items - 1), self.per_minute)

    def _count(self, times: deque[float], many: int, limit: int | None) -> None:
        if limit is None:
            return
        now = self._now().timestamp()
        while times and times[0] <= now - MINUTE:
            times.popleft()
        if len(times) + many > limit:
            raise refusals.throttled()
        times.extend([now] * many)
