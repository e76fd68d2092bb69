"""How fast a remote side may be asked, and how long things last."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal

from msgspec import Struct

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd])")


class RateLimit(Struct, frozen=True, kw_only=True):
    """What the remote side allows. The host keeps to it over all workers that share the scope."""

    per_second: float | None = None
    per_minute: float | None = None
    per_day: float | None = None
    concurrency: int = 8
    """How many requests may be under way at once."""
    scope: Literal["account", "app"] = "account"
    """Whose limit it is: that of each remote account, or of the operator's app for all tenants together."""

    @property
    def rates(self) -> tuple[tuple[float, float], ...]:
        """Each limit as requests and the seconds they are for."""
        limits = ((self.per_second, 1), (self.per_minute, 60), (self.per_day, 86400))
        return tuple((allowed, float(seconds)) for allowed, seconds in limits if allowed is not None)


def duration(text: str) -> timedelta:
    """`15m`, `24h`, `1.5s` or `30d` as a time span. Raises ValueError for anything else."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration: write a number and s, m, h or d, such as 15m")
    return timedelta(seconds=float(found["number"]) * _UNITS[found["unit"]])
