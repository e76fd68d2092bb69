"""Where the present comes from, so that a test can set it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from domain.core.problems import Invalid


class NoTimeZone(Invalid):
    """The time says no offset from UTC. Write it with one, such as 2026-05-01T12:00:00Z."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment, aware and in UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)


@dataclass
class FixedClock:
    """A clock that stands still until it is moved."""

    at: datetime

    def now(self) -> datetime:
        """The moment that was set."""
        return self.at

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self.at += by


def aware(moment: datetime, *path: str) -> datetime:
    """A moment that was given, in UTC. Raises NoTimeZone."""
    if moment.utcoffset() is None:
        raise NoTimeZone(path=path)
    return moment.astimezone(UTC)
