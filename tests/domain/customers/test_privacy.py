from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import select

from domain import customers
from domain.core import audit
from domain.core.database import Database
from domain.core.problems import NotFound
from domain.core.tables import models, personal_columns
from domain.customers import Address, ExternalRef, NewCustomer, privacy
from domain.customers.merging import CustomerErased
from domain.customers.model import (
    AttributeType,
    ConsentDecision,
    PiiClass,
    PrivacyRequest,
    Suppression,
)
from domain.integrations.model import (
    DeadLetter,
    InboxEvent,
    Integration,
    OutboundChange,
    RecordLink,
    RemoteRecord,
    StagedLine,
    SyncConflict,
)
from domain.interactions.model import Interaction
from domain.purchases.model import CustomerTotals, Order, OrderLine
from domain.stages.model import Lifecycle, StageNote, StageTransition
from domain.tenants.model import IdempotencyKey
from tests.conftest import KEY, dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from tests.conftest import Logins

THEN = datetime(2025, 3, 1, tzinfo=UTC)
PERSONAL = (
    "Zuleika", "Dobsonova", "zuleika@dobsonova.example", "z.dobsonova@secret.example", "7946000123",
    "Mesopotamia Lane", "Wardenville", "darkest", "allergic to turquoise", "told us on the terrace",
    "NX-4711-Q", "moved by a whisper", "longs for orchids", "same aunt", "Zuleykha",
)  # fmt: skip
"""Every personal value of the customer below, in pieces that stand nowhere else in the database."""


@pytest.fixture
async def eraser(logins: Logins) -> AsyncIterator[Database]:
    async with Database(str(logins.privacy), readers=1, writers=2, key=KEY) as opened:
        yield opened


@dataclass(frozen=True)
class Life:
    survivor: UUID
    member: UUID
    stranger: UUID
    run: UUID
    order: UUID


@pytest.fixture
async def life(database: Database, tenant: UUID) -> Life:
    """A customer of two who were merged, with something in every table that keeps something of customers."""
    async with database.unit_of_work(tenant) as work:
        await customers.define_attribute(work, "diet", AttributeType.TEXT, {"en": "Diet"}, pii=PiiClass.PERSONAL)
        first = await customers.create(
            work,
            NewCustomer(
                name="Zuleika Dobsonova",
                emails=["Zuleika@Dobsonova.example", "z.dobsonova@secret.example"],
                phones=["+44 20 7946 0001", "+44 7946 000123"],
                addresses=[Address(street="7 Mesopotamia Lane", city="Wardenville", country="GB")],
                attributes={"diet": "allergic to turquoise"},
                external=[ExternalRef("crm:main", "NX-4711-Q")],
            ),
        )
        second = await customers.create(work, NewCustomer(name="Zuleykha Dobsonova", phones=["+447946000123"]))
        stranger = await customers.create(work, NewCustomer(name="Noaks Plain", emails=["noaks@judas.example"]))
        await customers.merge(work, first.id, [second.id], reason="same aunt")
        await customers.record_consent(
            work, second.id, "news", "email", ConsentDecision.GRANTED, evidence="told us on the terrace"
        )
        life = Life(first.id, second.id, stranger.id, work.ids(), work.ids())
        await _interactions_and_stages(work, life)
        await _documents(work, life)
        await _records(work, life)
        return life


async def _interactions_and_stages(work: Writing, life: Life) -> None:
    for customer, summary in ((life.survivor, 'her "darkest" secret'), (life.stranger, "a plain matter")):
        id_ = work.ids()
        work.add(
            Interaction(
                id=id_, revision=1, customer_id=customer, kind="NOTE", family="NOTE", occurred_at=THEN,
                recorded_at=work.now, stream="manual", remote_id=id_.hex, summary=summary, payload={"text": summary},
            )
        )  # fmt: skip
    lifecycle = Lifecycle(id=work.ids(), key="buyer", labels={}, created_at=THEN)
    stage = work.ids()
    await work.add(lifecycle).flush()
    work.add(
        StageTransition(
            id=work.ids(), customer_id=life.member, lifecycle_id=lifecycle.id, lifecycle_version_id=work.ids(),
            from_stage_id=None, to_stage_id=stage, occurred_at=THEN, recorded_at=work.now, cause_kind="PERSON",
            actor="system", reason="moved by a whisper", evidence={"saw": "moved by a whisper"},
        ),
        StageNote(
            id=work.ids(), customer_id=life.survivor, lifecycle_id=lifecycle.id, stage_id=stage, kind="NEED",
            text="longs for orchids", source="manual", author="system", occurred_at=THEN, recorded_at=work.now,
        ),
    )  # fmt: skip


async def _documents(work: Writing, life: Life) -> None:
    head = {
        "version": 1, "occurred_at": THEN, "local_day": THEN.date(), "recorded_at": work.now, "currency": "EUR",
        "amount": 4250, "units": 2, "line_count": 1, "content_hash": b"hash of the order",
    }  # fmt: skip
    order = Order(id=life.order, customer_id=life.member, kind="SALE", status="COMPLETED", **head)
    await work.add(order).flush()
    work.add(
        OrderLine(
            order_id=life.order, order_version=1, position=1, description="Orchid pot", quantity=2, unit_price=21,
            amount=4250,
        ),
        CustomerTotals(customer_id=life.survivor, occasions=1, orders=1, first_at=THEN, last_at=THEN),
    )  # fmt: skip


async def _records(work: Writing, life: Life) -> None:
    integration = Integration(
        id=work.ids(), connector="crm", account="main", label="CRM", config={}, state="ACTIVE", created_at=THEN,
        updated_at=THEN,
    )  # fmt: skip
    await work.add(integration).flush()
    for remote, local, said in (("17", life.survivor, "Zuleika Dobsonova"), ("18", life.stranger, "Noaks Plain")):
        key = {"integration_id": integration.id, "remote_id": remote}
        work.add(
            RemoteRecord(
                type="customer", content_hash=said.encode()[:1] * 32, payload={"name": said}, recorded_at=THEN,
                updated_at=THEN, **key,
            ),
            RecordLink(type="customer", local_id=local, agreed={"name": said}, **key),
            DeadLetter(
                id=work.ids(), run_id=life.run, stream="customers", line=3, field="phone", value=f"{said}'s phone",
                reason="is no phone number", recorded_at=THEN, record={"name": said}, **key,
            ),
            OutboundChange(
                id=work.ids(), type="customer", local_id=local, op="update", record={"name": said}, fields=["name"],
                base={"name": ["?", said]}, key="1", status="SENT", recorded_at=THEN, **key,
            ),
            SyncConflict(
                id=work.ids(), type="customer", local_id=local, field="name", policy="MANUAL", base={"value": said},
                ours={"value": said}, theirs={"value": said}, recorded_at=THEN, **key,
            ),
            InboxEvent(
                id=work.ids(), integration_id=integration.id, key=remote, path="events", headers={}, received_at=THEN,
                body=f"{said} called".encode(),
            ),
            DeadLetter(
                id=work.ids(), integration_id=integration.id, run_id=life.run, stream="orders", line=4,
                field="note", value=f"for {said}", reason="is too long", recorded_at=THEN,
            ),
            StagedLine(
                run_id=life.run, record="order", document="1", line=int(remote), occurred_at=THEN, customer=remote,
                customer_name=said, currency="EUR", digits=2,
            ),
            IdempotencyKey(
                token_id=work.ids(), field="updateCustomer", key=remote, input_digest=b"digest",
                answer={"customer": f"cus_{local.hex}"}, created_at=THEN, expires_at=THEN,
            ),
        )  # fmt: skip


async def test_no_byte_of_an_erased_customer_stays_in_any_table(
    database: Database, eraser: Database, logins: Logins, tenant: UUID, life: Life
) -> None:
    assert {where for found in (await _found(logins, PERSONAL)).values() for where in found} >= {
        "customers.display_name", "customers.emails", "customer_facts.text_value", "customer_facts.json_value",
        "customer_attributes.text_value", "customer_words.word", "identity_claims.value", "identity_edges.reason",
        "consent_events.evidence", "interactions.summary", "interactions.payload", "stage_notes.text",
        "stage_transitions.reason", "remote_records.payload", "record_links.agreed", "dead_letters.value",
        "dead_letters.record", "staged_lines.customer_name", "outbound_changes.record", "outbound_changes.base",
        "sync_conflicts.base", "sync_conflicts.ours", "sync_conflicts.theirs", "inbox_events.body",
    }  # fmt: skip
    before = await _kept(logins, tenant)
    async with eraser.unit_of_work(tenant) as work:
        request = await customers.erase_customer(work, life.member)
    assert await _found(logins, PERSONAL) == {value: [] for value in PERSONAL}
    assert await _kept(logins, tenant) == before
    assert request.certificate == privacy.certificate(request, [life.survivor, life.member])
    assert {(step["table"], step["deed"], step["rows"]) for step in request.steps} == {
        ("consent_events", "emptied", 1), ("customer_attributes", "removed", 1), ("customer_facts", "emptied", 4),
        ("customer_words", "removed", 18), ("customers", "emptied", 1), ("dead_letters", "emptied", 2),
        ("identity_claims", "emptied", 6), ("identity_edges", "emptied", 1), ("idempotency_keys", "removed", 1),
        ("interactions", "emptied", 1), ("merge_candidates", "removed", 1), ("record_links", "emptied", 1),
        ("remote_records", "emptied", 1), ("staged_lines", "emptied", 1), ("stage_notes", "emptied", 1),
        ("stage_transitions", "emptied", 1), ("outbound_changes", "emptied", 1), ("sync_conflicts", "emptied", 1),
        ("inbox_events", "emptied", 1),
    }  # fmt: skip
    async with database.reading(tenant) as reading:
        assert (await audit.verify(reading)).length > 0


async def test_the_stranger_keeps_everything(eraser: Database, logins: Logins, tenant: UUID, life: Life) -> None:
    theirs = ("Noaks Plain", "noaks@judas.example", "a plain matter")
    before = await _found(logins, theirs)
    async with eraser.unit_of_work(tenant) as work:
        await customers.erase_customer(work, life.survivor)
    assert await _found(logins, theirs) == before
    assert all(before.values())


async def test_an_erased_customer_still_answers_to_every_old_id(
    database: Database, eraser: Database, tenant: UUID, life: Life
) -> None:
    async with eraser.unit_of_work(tenant) as work:
        await customers.erase_customer(work, life.survivor)
    async with database.reading(tenant) as reading:
        shown = await customers.customer(reading, life.member)
        assert await customers.by_email(reading, "zuleika@dobsonova.example") == []
    assert (shown.id, shown.status, shown.member_ids) == (life.survivor, "ERASED", [life.survivor, life.member])
    blank = ("display_name", "country", "primary_email", "primary_phone", "emails", "phones", "addresses", "attributes")
    assert [getattr(shown, name) for name in blank] == [None] * len(blank)


async def test_nothing_can_be_added_to_an_erased_customer(
    database: Database, eraser: Database, tenant: UUID, life: Life
) -> None:
    async with eraser.unit_of_work(tenant) as work:
        await customers.erase_customer(work, life.survivor)
    for change in (
        lambda work: customers.update(work, life.survivor, 1, customers.Changes(name="Again")),
        lambda work: customers.merge(work, life.stranger, [life.member]),
        lambda work: customers.record_consent(work, life.member, "news", "email", ConsentDecision.GRANTED),
    ):
        with pytest.raises(CustomerErased):
            async with database.unit_of_work(tenant) as work:
                await change(work)
    for again in (customers.erase_customer, customers.request_erasure):
        with pytest.raises(privacy.AlreadyErased):
            async with eraser.unit_of_work(tenant) as work:
                await again(work, life.member)


async def test_no_sync_can_bring_an_erased_person_back(
    database: Database, eraser: Database, tenant: UUID, other_tenant: UUID, life: Life
) -> None:
    asked = [
        ("email", "zuleika@dobsonova.example"), ("external:crm:main", "NX-4711-Q"), ("phone", "+447946000123"),
        ("email", "noaks@judas.example"),
    ]  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        assert await customers.suppressed(work, asked) == set()
    async with eraser.unit_of_work(tenant) as work:
        await customers.erase_customer(work, life.survivor)
    async with database.unit_of_work(tenant) as work:
        # A phone is weak: a household that shares it with the erased person is not shut out.
        assert await customers.suppressed(work, asked) == set(asked[:2])
        digests = await work.all(select(Suppression.digest).where(Suppression.tenant_id == tenant))
    assert len(digests) == 3
    assert hashlib.blake2b(b"email\0zuleika@dobsonova.example", key=KEY, digest_size=32).digest() in digests
    async with database.unit_of_work(other_tenant) as work:
        assert await customers.suppressed(work, asked) == set()


async def test_a_request_waits_for_the_command_that_meets_it(
    database: Database, eraser: Database, tenant: UUID, life: Life
) -> None:
    async with database.unit_of_work(tenant) as work:
        asked = await customers.request_erasure(work, life.member)
    async with eraser.unit_of_work(tenant) as work:
        met = await customers.erase_customer(work, life.survivor)
    assert (met.id, asked.completed_at, met.completed_at is None) == (asked.id, None, False)
    async with database.reading(tenant) as reading:
        assert len(await reading.all(select(PrivacyRequest).where(PrivacyRequest.tenant_id == tenant))) == 1


async def test_an_export_holds_everything_that_is_kept_of_a_customer_and_nothing_of_others(
    database: Database, tenant: UUID, life: Life
) -> None:
    async with database.reading(tenant) as reading:
        export = await customers.export_customer(reading, life.member)
        assert json.loads(json.dumps(export)) == export
    assert (export["customer"], export["members"]) == (
        str(life.survivor), [str(life.survivor), str(life.member)]
    )  # fmt: skip
    assert {table: len(rows) for table, rows in export["tables"].items()} == {
        "consent_events": 1, "customer_attributes": 1, "customer_facts": 4, "customer_totals": 1,
        "customer_words": 18, "customers": 2, "identity_claims": 6, "identity_edges": 1, "interactions": 1,
        "merge_candidates": 1, "order_lines": 1, "orders": 1, "record_links": 1, "remote_records": 1,
        "stage_notes": 1, "stage_transitions": 1, "outbound_changes": 1, "sync_conflicts": 1,
    }  # fmt: skip
    text = json.dumps(export, ensure_ascii=False)
    assert [value for value in PERSONAL if value not in text] == []
    assert "Noaks" not in text


async def test_an_export_that_is_handed_over_is_audited_and_meets_the_requests_for_it(
    database: Database, tenant: UUID, life: Life
) -> None:
    async with database.unit_of_work(tenant) as work:
        asked = await customers.request_export(work, life.survivor)
        erasure = await customers.request_erasure(work, life.survivor)
    async with database.unit_of_work(tenant) as work:
        kept = await privacy.hand_over(work, life.member)
    async with database.reading(tenant) as reading:
        assert kept["tables"].keys() == (await customers.export_customer(reading, life.member))["tables"].keys()
        of = select(PrivacyRequest.id).where(PrivacyRequest.tenant_id == tenant, PrivacyRequest.completed_at.is_(None))
        assert list(await reading.all(of)) == [erasure.id]
        assert asked.id != erasure.id
        entries = select(audit.AuditEntry).where(audit.AuditEntry.tenant_id == tenant)
        last = (await reading.all(entries.order_by(audit.AuditEntry.position.desc()).limit(1)))[0]
        assert (last.action, last.subject) == ("customers.export", f"customer:{life.member.hex}")
        assert last.after == {"tables": sorted(kept["tables"])}


async def test_a_foreign_customer_is_unknown(
    database: Database, eraser: Database, other_tenant: UUID, life: Life
) -> None:
    async with database.reading(other_tenant) as reading:
        with pytest.raises(NotFound):
            await customers.export_customer(reading, life.survivor)
    with pytest.raises(NotFound):
        async with eraser.unit_of_work(other_tenant) as work:
            await customers.erase_customer(work, life.survivor)


async def test_the_application_cannot_do_what_the_eraser_does(database: Database, tenant: UUID, life: Life) -> None:
    with pytest.raises(Exception, match="permission denied"):
        async with database.unit_of_work(tenant) as work:
            await customers.erase_customer(work, life.survivor)
    async with database.reading(tenant) as reading:
        assert (await customers.customer(reading, life.survivor)).display_name == "Zuleykha Dobsonova"


async def test_the_eraser_can_do_nothing_but_empty_the_marked_columns(logins: Logins) -> None:
    connection = await asyncpg.connect(dsn(logins.superuser))
    held = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.column_privileges "
        "WHERE grantee = 'tenure_eraser' AND privilege_type = 'UPDATE'"
    )
    others = await connection.fetch(
        "SELECT DISTINCT privilege_type FROM information_schema.table_privileges WHERE grantee = 'tenure_eraser'"
    )
    await connection.close()
    marked = {(model.__tablename__, column) for model in models() for column in personal_columns(model)}
    assert {tuple(row) for row in held} == marked
    assert {row["privilege_type"] for row in others} == {"SELECT", "DELETE"}


def test_every_table_with_personal_columns_is_known_to_be_about_somebody() -> None:
    nobody = {
        model.__tablename__
        for model in models()
        if personal_columns(model) and privacy._about(model, []) is None  # type: ignore[arg-type]
    }
    # These are searched for what the customer's own rows say.
    assert nobody == {"dead_letters", "idempotency_keys", "inbox_events", "persisted_documents", "staged_lines"}


async def _found(logins: Logins, values: Sequence[str]) -> dict[str, list[str]]:
    """By value, every column of the whole database in which it stands."""
    connection = await asyncpg.connect(dsn(logins.superuser))
    columns = await connection.fetch(
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
        "JOIN information_schema.tables USING (table_schema, table_name) "
        "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') "
        "ORDER BY table_name, column_name"
    )
    found: dict[str, list[str]] = {value: [] for value in values}
    for _, together in groupby(columns, key=itemgetter(0, 1)):
        looks = " UNION ALL ".join(_look(*column) for column in together)
        for value, where in await connection.fetch(looks, values):
            found[value].append(where)
    await connection.close()
    return found


def _look(schema: str, table: str, column: str, kind: str) -> str:
    text = f"""encode("{column}", 'escape')""" if kind == "bytea" else f'"{column}"::text'
    holds = f'EXISTS (SELECT FROM "{schema}"."{table}" WHERE strpos(lower({text}), lower(sought.value)) > 0)'
    return f"SELECT sought.value, '{table}.{column}' FROM unnest($1::text[]) AS sought (value) WHERE {holds}"


async def _kept(logins: Logins, tenant: UUID) -> dict[str, Any]:
    """What erasure leaves: keys, times, amounts and hashes."""
    connection = await asyncpg.connect(dsn(logins.superuser))
    counted = {
        table: await connection.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant)
        for table in ("customers", "customer_facts", "identity_claims", "identity_edges", "interactions", "orders",
                      "stage_transitions", "stage_notes", "remote_records", "record_links", "dead_letters")
    }  # fmt: skip
    kept = {
        "orders": "SELECT id, customer_id, amount, content_hash, occurred_at FROM orders WHERE tenant_id = $1",
        "lines": "SELECT order_id, amount, description FROM order_lines WHERE tenant_id = $1",
        "totals": "SELECT customer_id, orders FROM customer_totals WHERE tenant_id = $1",
        "hashes": "SELECT remote_id, content_hash FROM remote_records WHERE tenant_id = $1",
        "interactions": "SELECT id, customer_id, occurred_at, kind FROM interactions WHERE tenant_id = $1",
        "edges": "SELECT id, customer_id, into_id, recorded_at FROM identity_edges WHERE tenant_id = $1",
    }
    rows = {
        name: [tuple(row) for row in await connection.fetch(f"{sql} ORDER BY 1", tenant)] for name, sql in kept.items()
    }
    await connection.close()
    return {**counted, **rows}
