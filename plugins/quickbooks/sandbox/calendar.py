"""Times as a company writes them: in its own offset, to the second, daylight saving included."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")


def stamp_of(moment: datetime) -> int:
    """Whole seconds since the epoch: the resolution of the vendor's times."""
    return int(moment.timestamp())


def written(stamp: int) -> str:
    """A stamp as a company writes it: 2026-01-31T16:05:09-08:00."""
    return datetime.fromtimestamp(stamp, PACIFIC).isoformat()


def written_finely(moment: datetime) -> str:
    """The `time` of an answer, with milliseconds."""
    return moment.astimezone(PACIFIC).isoformat(timespec="milliseconds")


def written_in_utc(stamp: int) -> str:
    """A stamp as a webhook writes it: 2026-02-01T00:05:09Z."""
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text: str) -> int:
    """The stamp of a time or date of a request; without an offset it is the company's.

    Raises ValueError when it is none.
    """
    moment = datetime.fromisoformat(text)
    return stamp_of(moment if moment.tzinfo else moment.replace(tzinfo=PACIFIC))


def day_of(stamp: int) -> str:
    """The company's date at a stamp."""
    return datetime.fromtimestamp(stamp, PACIFIC).date().isoformat()
