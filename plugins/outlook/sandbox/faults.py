"""What can go wrong on the way, switched on by tests: all off at first."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from plugins.outlook.sandbox.calls import Request

Fault = Literal["throttled", "failed", "unavailable", "expired", "conflict", "truncated", "html", "dropped"]
"""What one call may suffer: 429, 500, 503, its token's end, a 412 out of nothing (writes with an `If-Match` only), half
of the JSON, an HTML page instead, or no answer at all. The first five come before the request has any effect, the last
three after it."""

FAULTS: tuple[Fault, ...] = get_args(Fault)


@dataclass
class Faults:
    """The switches. A call takes the next of `coming`, else what `hook` says, else a draw of `chances`."""

    coming: deque[Fault | None] = field(default_factory=deque)
    """The faults of the next calls, in order; None lets one pass."""
    hook: Callable[[Request], Fault | None] | None = None
    chances: dict[Fault, float] = field(default_factory=dict)
    """How likely each fault is for any call, from 0 to 1."""
    retry_after: float = 2.128
    """What a throttled call is told; the vendor's sample has a fraction too."""
    slow: float = 0.0
    """Seconds that every answer takes longer."""
    sent_lag: float = 0.0
    """Seconds for which a message that was just sent is not found by its id; listings and deltas show it."""
    expire_token_after: int | None = None
    """After how many calls each access token ends before its time."""
    empty_pages: float = 0.0
    """How likely a page of a delta is empty and has a link to go on."""
    duplicated_items: float = 0.0
    """How likely a page of a delta has its first entry twice."""
    duplicated_notifications: float = 0.0
    reordered_notifications: bool = False
    forged_notifications: float = 0.0
    """How likely a notification carries another clientState than the subscription's."""

    def clear(self) -> None:
        """All off."""
        self.__init__()  # type: ignore[misc]  # the defaults are said once, above

    def next(self, request: Request, random: Random) -> Fault | None:
        """What this call suffers."""
        if self.coming:
            return self.coming.popleft()
        said = self.hook(request) if self.hook else None
        if said is not None:
            return said
        return next((fault for fault in FAULTS if random.random() < self.chances.get(fault, 0.0)), None)
