"""Documents that clients have persisted, so that they can send a digest instead of the text; bounded per tenant."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from domain.tenants.model import PersistedDocument

if TYPE_CHECKING:
    from domain.core.unit_of_work import Reading, Writing

MOST = 1_000
"""How many documents one tenant can persist; the one that was kept longest ago goes first."""

MOST_BYTES = 4 << 20
"""How many bytes they may have together."""

_KEPT_ANEW_EVERY = timedelta(days=1)


async def document(reading: Reading, digest: bytes) -> str | None:
    """The text of a persisted document."""
    is_it = (PersistedDocument.tenant_id == reading.tenant_id) & (PersistedDocument.digest == digest)
    return await reading.one(select(PersistedDocument.document).where(is_it))


async def keep(work: Writing, digest: bytes, text: str) -> None:
    """Persist a document and forget the oldest beyond the tenant's bounds; one that was kept today stays as it is."""
    mine = PersistedDocument.tenant_id == work.tenant_id
    new = {"tenant_id": work.tenant_id, "digest": digest, "document": text, "used_at": work.now}
    kept = await work.execute(
        insert(PersistedDocument)
        .values(new)
        .on_conflict_do_update(
            index_elements=["tenant_id", "digest"],
            set_={"used_at": work.now},
            where=PersistedDocument.used_at < work.now - _KEPT_ANEW_EVERY,
        )
    )
    if kept.rowcount == 0:
        return
    newest_first = (PersistedDocument.used_at.desc(), PersistedDocument.digest)
    ranked = (
        select(
            PersistedDocument.digest,
            func.row_number().over(order_by=newest_first).label("rank"),
            func.sum(func.octet_length(PersistedDocument.document)).over(order_by=newest_first).label("bytes"),
        )
        .where(mine)
        .subquery()
    )
    beyond = select(ranked.c.digest).where(or_(ranked.c.rank > MOST, ranked.c.bytes > MOST_BYTES))
    await work.execute(delete(PersistedDocument).where(mine, PersistedDocument.digest.in_(beyond)))
