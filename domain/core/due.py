"""Work that waits for its time: who does which kind of it, one transaction each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from domain.core.unit_of_work import Writing

    Job = Callable[[Writing, str], Awaitable[datetime | None]]


@dataclass
class Jobs:
    """Who does the work of each kind that `events.make_due` names."""

    by_kind: dict[str, Job] = field(default_factory=dict)

    def due(self, kind: str) -> Callable[[Job], Job]:
        """Register a job: `async def (work, key)`, run when it is due, which says when it is due again, or None.

        Its entry is locked until the transaction ends, so a job does one short portion and asks to be called again.
        """

        def register(job: Job) -> Job:
            self.by_kind[kind] = job
            return job

        return register


jobs = Jobs()
due = jobs.due
