"""Outlook's limits for one app and one mailbox: 4 requests at a time, 10,000 in ten minutes."""

from __future__ import annotations

from collections import Counter, deque
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from plugins.outlook.sandbox.errors import throttled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

CONCURRENT, PER_WINDOW, WINDOW = 4, 10_000, timedelta(minutes=10)


class Throttle:
    """Counts the requests to each mailbox and refuses what is too much."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.running: Counter[str] = Counter()
        self.past: dict[str, deque[datetime]] = {}
        self.most_at_once: Counter[str] = Counter()
        """The most requests that ran at once, by mailbox: what a test of a client's manners asks for."""

    @contextmanager
    def admitted(self, mailbox: str) -> Iterator[None]:
        """Room for one request, or a 429 that says when to come again."""
        now, past = self.now(), self.past.setdefault(mailbox, deque())
        while past and past[0] <= now - WINDOW:
            past.popleft()
        if len(past) >= PER_WINDOW:
            raise throttled((past[0] + WINDOW - now).total_seconds(), "Application is over its RequestCount limit.")
        if self.running[mailbox] >= CONCURRENT:
            raise throttled(1)
        past.append(now)
        self.running[mailbox] += 1
        self.most_at_once[mailbox] = max(self.most_at_once[mailbox], self.running[mailbox])
        try:
            yield
        finally:
            self.running[mailbox] -= 1
