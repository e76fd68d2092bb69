"""From a mailbox into PostgreSQL: what stands there afterwards, and what stands nowhere."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import pytest
from sqlalchemy import text

from domain import customers
from plugins.outlook.sandbox.filling import weekly
from sync import runs
from sync.pull import pull
from sync.troubles import Outcome

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from plugins.outlook.sandbox import Mailbox
    from tests.conftest import Logins

    from .conftest import Side

BEA = ("Bea Kunde", "bea@customer.example")
CARL = ("Carl Client", "carl@client.example")
ROBIN = ("Robin Kolleg", "robin@acme.example")
STREAMS = ("contacts", "mail", "calendar")


class Tenant:
    """One tenant whose integration reads the mailbox."""

    def __init__(self, database: Database, tenant: UUID, integration: UUID, side: Side) -> None:
        self.database, self.id, self.integration, self.side = database, tenant, integration, side

    async def pull(self, *streams: str) -> None:
        for stream in streams or STREAMS:
            pulled = await pull(self.database, self.side.remote, self.id, self.integration, stream)
            assert pulled.outcome is Outcome.FINISHED

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        async with self.database.reading(self.id) as reading:
            found = await reading.rows(text(statement.replace("$t", f"tenant_id = '{self.id}'")))
        return [tuple(row) for row in found]

    async def timeline(self) -> list[tuple[Any, ...]]:
        """Whose, what kind and what, of all that is shown."""
        return await self.rows(
            "SELECT c.display_name, i.kind, i.summary FROM interactions i"
            " JOIN customers c ON c.tenant_id = i.tenant_id AND c.id = i.customer_id"
            " WHERE i.$t AND i.superseded_at IS NULL ORDER BY 1, 2, 3"
        )


@pytest.fixture
async def here(database: Database, tenant: UUID, side: Side) -> Tenant:
    async with database.unit_of_work(tenant) as work:
        integration = await runs.enabled(work, "outlook", await side.remote.check())
    return Tenant(database, tenant, integration.id, side)


async def everything(logins: Logins) -> str:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(str(logins.superuser))
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname !~ '^pg_'"
        )
        found = [await connection.fetch(f"SELECT t::text FROM {table['name']} AS t") for table in tables]
    finally:
        await connection.close()
    return "\n".join(str(row[0]) for rows in found for row in rows)


async def test_the_timelines_of_those_whom_it_concerns(here: Tenant, ana: Mailbox) -> None:
    now = here.side.clock.now
    ana.add_contact("Bea Kunde", "bea@customer.example")
    ana.add_contact("Carl Client", "carl@client.example")
    ana.receive(BEA, "The offer", cc=[CARL, ("Stranger", "x@elsewhere.example")])
    ana.send([CARL], "Our answer")
    ana.receive(("Stranger", "x@elsewhere.example"), "Of a stranger")
    ana.add_event("Review", now + timedelta(days=1), attendees=[BEA, ROBIN])
    ana.add_event("Weekly", now + timedelta(days=2), attendees=[CARL], recurrence=weekly(now + timedelta(days=2), 3))
    await here.pull()
    assert await here.timeline() == [
        ("Bea Kunde", "EMAIL_RECEIVED", "The offer"),
        ("Bea Kunde", "MEETING", "Review"),
        ("Carl Client", "EMAIL_RECEIVED", "The offer"),
        ("Carl Client", "EMAIL_SENT", "Our answer"),
        ("Carl Client", "MEETING", "Weekly"),
        ("Carl Client", "MEETING", "Weekly"),
        ("Carl Client", "MEETING", "Weekly"),
    ]
    assert await here.rows("SELECT count(*) FROM customers WHERE $t") == [(2,)]
    assert await here.rows("SELECT count(*) FROM interaction_contents WHERE $t") == [(0,)]
    await here.pull()
    assert len(await here.timeline()) == 7
    assert await here.rows("SELECT max(revision) FROM interactions WHERE $t") == [(1,)]


async def test_no_byte_of_what_is_private_stands_anywhere(here: Tenant, ana: Mailbox, logins: Logins) -> None:
    now = here.side.clock.now
    ana.add_contact("Bea Kunde", "bea@customer.example", personalNotes="hushednote")
    ana.receive(BEA, "The offer", "hushedbody")
    ana.receive(ROBIN, "hushedlunch", "hushedlunchbody")
    ana.draft([BEA], "husheddraft")
    ana.receive(BEA, "hushedjunk", folder="junkemail")
    ana.receive(BEA, "hushedtrash", folder="deleteditems")
    ana.receive(BEA, "hushedmark").extended["Integer 0x36"] = "3"
    ana.receive(("Stranger", "hushedstranger@elsewhere.example"), "hushedofastranger")
    ana.add_event("hushedevent", now, attendees=[BEA], sensitivity="private", location={"displayName": "hushedplace"})
    ana.add_event("hushedseries", now, attendees=[BEA], sensitivity="personal", recurrence=weekly(now, 5))
    ana.add_event("hushedteam", now, attendees=[ROBIN])
    await here.pull()
    assert await here.timeline() == [("Bea Kunde", "EMAIL_RECEIVED", "The offer")]
    assert "The offer" in (found := await everything(logins))
    assert "hushed" not in found


async def test_texts_are_kept_where_they_are_wanted(here: Tenant, ana: Mailbox, logins: Logins) -> None:
    ana.add_contact("Bea Kunde", "bea@customer.example")
    mail = ana.receive(BEA, "The offer", "Come when nobody reads it.")
    await here.pull()
    here.side.config = msgspec.structs.replace(here.side.config, keep="FULL")
    await here.pull()
    assert await here.rows("SELECT content FROM interaction_contents WHERE $t") == [("Come when nobody reads it.",)]
    ana.mark_private(ana.add_event("x", here.side.clock.now))
    ana.change(mail, {}, {"Integer 0x36": "2"})
    await here.pull()
    assert await here.timeline() == []
    assert "Come when nobody reads it." not in await everything(logins)


async def test_what_happens_to_a_mail(here: Tenant, ana: Mailbox) -> None:
    ana.add_contact("Bea Kunde", "bea@customer.example")
    mail = ana.receive(BEA, "The offer")
    await here.pull()
    for folder in ("archive", "inbox"):
        ana.move_to(mail, folder)
        await here.pull("mail")
        assert await here.timeline() == [("Bea Kunde", "EMAIL_RECEIVED", "The offer")]
    assert await here.rows("SELECT max(revision) FROM interactions WHERE $t") == [(1,)]
    ana.delete(mail)
    await here.pull("mail")
    assert await here.timeline() == []


async def test_after_a_lost_position_everything_is_read_anew(here: Tenant, ana: Mailbox) -> None:
    ana.add_contact("Bea Kunde", "bea@customer.example")
    for number in range(5):
        ana.receive(BEA, f"Mail {number}")
    await here.pull()
    ana.evict_delta_tokens()
    ana.receive(BEA, "Mail 5")
    await here.pull()
    assert [summary for _, _, summary in await here.timeline()] == [f"Mail {number}" for number in range(6)]


async def test_a_customer_who_was_merged_has_both_timelines(here: Tenant, ana: Mailbox) -> None:
    ana.add_contact("Bea Kunde", "bea@customer.example")
    ana.add_contact("Bea Privat", "bea@home.example")
    await here.pull("contacts")
    ids = dict(await here.rows("SELECT display_name, id FROM customers WHERE $t"))
    async with here.database.unit_of_work(here.id) as work:
        await customers.merge(work, ids["Bea Kunde"], [ids["Bea Privat"]])
    ana.receive(("Bea", "bea@home.example"), "From home", cc=[BEA])
    await here.pull("mail")
    assert len(await here.timeline()) == 1
