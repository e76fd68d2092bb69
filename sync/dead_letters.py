"""Dead letters: records that could not be taken, kept to be tried again or put aside by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert

from domain.integrations.model import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.unit_of_work import Writing
    from sync.contract import Refused
    from sync.runs import Run


async def keep(work: Writing, run: Run, refused: Sequence[Refused]) -> None:
    """Keep the records that broke the contract, each with the reason."""
    letters = [
        {
            "tenant_id": work.tenant_id, "id": work.ids(), "integration_id": run.integration_id, "run_id": run.id,
            "stream": run.stream.name, "remote_id": each.reject.record_id, "line": None, "field": each.reject.field,
            "value": None, "reason": each.reject.reason, "recorded_at": work.now, "type": each.type,
            "record": each.record,
        }
        for each in refused
    ]  # fmt: skip
    if letters:
        await work.execute(insert(DeadLetter), letters)
