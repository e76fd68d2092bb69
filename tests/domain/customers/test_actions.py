from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from domain import customers
from domain.core.audit import AuditEntry
from domain.core.clock import FixedClock
from domain.core.database import Database
from domain.core.events import OutboxEvent
from domain.core.problems import DomainError, NotFound, StaleVersion
from domain.customers import Address, Changes, ExternalRef, Identifier, NewCustomer, actions, by_hand, queries, rules
from domain.customers.model import (
    AttributeType,
    ConsentDecision,
    Customer,
    CustomerAttribute,
    CustomerFact,
    CustomerKind,
    CustomerWord,
    IdentityClaim,
    PiiClass,
    RelationKind,
    Survivorship,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from tests.conftest import Logins

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
ADA = NewCustomer(
    name="Ada Lovelace",
    emails=["Ada@Example.com", "ada@work.example", "ada@example.com"],
    phones=["020 7946 0000"],
    addresses=[Address(street="1 St James's Square", city="London", postal_code="SW1Y", country="GB")],
    country="GB",
    identities=[Identifier("tax_id", "gb 123-456")],
    external=[ExternalRef("crm:main", "C-1")],
)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
async def dated(logins: Logins, clock: FixedClock) -> AsyncIterator[Database]:
    """The database at a time that the test sets."""
    async with Database(str(logins.server), readers=1, writers=2, clock=clock) as opened:
        yield opened


async def made(database: Database, tenant: UUID, new: NewCustomer) -> Customer:
    async with database.unit_of_work(tenant) as work:
        return await customers.create(work, new)


async def updated(database: Database, tenant: UUID, of: Customer, changes: Changes) -> Customer:
    async with database.unit_of_work(tenant) as work:
        return await customers.update(work, of.id, of.version, changes)


async def everything(database: Database, tenant: UUID) -> list[Any]:
    """How many rows there are of all that a refused deed could have left behind."""
    async with database.reading(tenant) as reading:
        return [
            len(await reading.rows(select(model.__table__).where(model.__table__.c.tenant_id == tenant)))
            for model in (
                Customer,
                CustomerFact,
                CustomerAttribute,
                CustomerWord,
                IdentityClaim,
                OutboxEvent,
                AuditEntry,
            )
        ]


async def test_a_customer_made_by_hand_shows_everything_that_was_said(dated: Database, tenant: UUID) -> None:
    ada = await made(dated, tenant, ADA)
    said = {"source": "manual", "verifiedAt": None}
    assert (ada.kind, ada.display_name, ada.status, ada.country) == ("PERSON", "Ada Lovelace", "ACTIVE", "GB")
    assert (ada.primary_email, ada.primary_phone) == ("ada@example.com", "+442079460000")
    assert ada.emails == [
        {"address": "ada@example.com", "isPrimary": True, **said},
        {"address": "ada@work.example", "isPrimary": False, **said},
    ]
    assert ada.phones == [{"number": "+442079460000", "isPrimary": True, **said}]
    assert ada.addresses == [
        {
            "street": "1 St James's Square", "city": "London", "region": None, "postalCode": "SW1Y", "country": "GB",
            "isPrimary": True, "source": "manual",
        }
    ]  # fmt: skip
    assert (ada.first_seen_at, ada.root_id, ada.member_ids) == (START, ada.id, [ada.id])
    async with dated.reading(tenant) as reading:
        assert await customers.by_email(reading, " ADA@work.EXAMPLE ") == [ada.id]
        assert await customers.by_phone(reading, "020 7946 0000", "GB") == [ada.id]
        assert await customers.by_external(reading, "crm:main", "C-1") == [ada.id]
        assert await queries.holders(reading, "tax_id", "GB123456") == [ada.id]
        assert await customers.by_email(reading, "nobody@example.com") == []
        words = await reading.all(select(CustomerWord.word).where(CustomerWord.tenant_id == tenant))
        assert {"ada", "lovelace", "ada@example.com", "@work.example", "02079460000"} <= set(words)
        event = await reading.one(select(OutboxEvent).where(OutboxEvent.tenant_id == tenant))
        assert event is not None
        assert (event.name, event.subject, event.body) == ("customers.CustomerCreated", ada.id, {})


async def test_who_has_no_name_is_called_by_an_outside_id(database: Database, tenant: UUID) -> None:
    known = await made(database, tenant, NewCustomer(external=[ExternalRef("shop:uk", "12748")]))
    assert (known.display_name, known.emails, known.addresses) == ("12748", None, None)


@pytest.mark.parametrize(
    ("wrong", "problem", "path"),
    [
        ({"name": " \u200b"}, by_hand.UnreadableText, ("name",)),
        ({"name": "a\0b"}, by_hand.UnreadableText, ("name",)),
        ({"emails": ["ada@example.com", "ada@@x"]}, by_hand.NoEmail, ("emails", "1")),
        ({"phones": ["12"]}, by_hand.NoPhone, ("phones", "0")),
        ({"country": "UK!"}, by_hand.NoCountry, ("country",)),
        ({"addresses": [Address()]}, by_hand.UnreadableText, ("addresses", "0")),
        ({"addresses": [Address(country="England")]}, by_hand.NoCountry, ("addresses", "0", "country")),
        ({"identities": [Identifier("tax_id", "--")]}, by_hand.NoIdentifier, ()),
        ({"attributes": {"size": 4}}, rules.UnknownAttribute, ("attributes", "size")),
        ({"attributes": {"score": "4"}}, rules.WrongAttributeType, ("attributes", "score")),
    ],
)
async def test_what_cannot_be_said_is_refused_and_changes_nothing(
    database: Database, tenant: UUID, wrong: dict[str, Any], problem: type[DomainError], path: tuple[str, ...]
) -> None:
    async with database.unit_of_work(tenant) as work:
        await customers.define_attribute(work, "score", AttributeType.INTEGER, {"en": "Score"})
    known = await made(database, tenant, NewCustomer(name="Known"))
    before = await everything(database, tenant)
    with pytest.raises(problem) as refused:
        await made(database, tenant, replace(NewCustomer(name="New"), **wrong))
    assert refused.value.path == path
    if "identities" not in wrong:
        with pytest.raises(problem):
            await updated(database, tenant, known, replace(Changes(), **wrong))
    assert await everything(database, tenant) == before


async def test_a_change_closes_what_was_said_and_keeps_it_readable(
    dated: Database, clock: FixedClock, tenant: UUID
) -> None:
    async with dated.unit_of_work(tenant) as work:
        await customers.define_attribute(work, "tier", AttributeType.TEXT, {"en": "Tier"})
    ada = await made(dated, tenant, replace(ADA, attributes={"tier": "silver"}))
    clock.move(timedelta(days=30))
    after = await updated(dated, tenant, ada, Changes(name="Ada King", attributes={"tier": "gold"}))
    assert (after.display_name, after.version, after.updated_at) == ("Ada King", ada.version + 1, clock.now())
    assert [(each["key"], each["value"], each["validFrom"]) for each in after.attributes or []] == [
        ("tier", "gold", "2026-05-31T08:00:00+00:00")
    ]
    async with dated.reading(tenant) as reading:
        facts = await reading.all(
            select(CustomerFact)
            .where(CustomerFact.tenant_id == tenant, CustomerFact.key == "name")
            .order_by(CustomerFact.id)
        )
        assert [(fact.text_value, fact.valid_from, fact.valid_to) for fact in facts] == [
            ("Ada Lovelace", START, clock.now()), ("Ada King", clock.now(), None)
        ]  # fmt: skip
        assert await queries.golden_values(reading, ada.id) == {"tier": "gold"}
        assert await queries.golden_values(reading, ada.id, at=START) == {"tier": "silver"}
        assert await queries.golden_values(reading, ada.id, as_of=START, at=START) == {"tier": "silver"}
        event = (await reading.all(select(OutboxEvent).where(OutboxEvent.tenant_id == tenant)))[-1]
        assert (event.name, event.body) == ("customers.CustomerChanged", {"fields": ["name", "tier"]})


async def test_a_list_stands_for_the_whole_list_and_none_takes_away(
    dated: Database, clock: FixedClock, tenant: UUID
) -> None:
    ada = await made(dated, tenant, ADA)
    clock.move(timedelta(days=1))
    after = await updated(
        dated, tenant, ada, Changes(name=None, emails=["ada@work.example", "new@x.example"], phones=[], addresses=[])
    )
    assert [each["address"] for each in after.emails or []] == ["ada@work.example", "new@x.example"]
    assert (after.display_name, after.primary_email, after.phones, after.addresses) == (
        "C-1", "ada@work.example", None, None
    )  # fmt: skip
    assert after.country == "GB"
    async with dated.reading(tenant) as reading:
        assert await customers.by_email(reading, "ada@example.com") == []
        claims = await reading.all(
            select(IdentityClaim).where(IdentityClaim.tenant_id == tenant, IdentityClaim.scheme == "email")
        )
        assert sorted((each.normalised, each.is_primary, each.valid_to is None) for each in claims) == [
            ("ada@example.com", True, False), ("ada@work.example", False, False), ("ada@work.example", True, True),
            ("new@x.example", False, True),
        ]  # fmt: skip


async def test_saying_the_same_again_writes_no_fact_and_no_claim(database: Database, tenant: UUID) -> None:
    ada = await made(database, tenant, ADA)
    before = await everything(database, tenant)
    again = Changes(name=ADA.name, country="GB", emails=ADA.emails, phones=ADA.phones, addresses=ADA.addresses)
    after = await updated(database, tenant, ada, again)
    told = [0, 0, 0, 0, 0, 1, 1]  # an event and an audit entry
    assert await everything(database, tenant) == [one + more for one, more in zip(before, told, strict=True)]
    assert (after.version, after.updated_at) == (ada.version, ada.updated_at)


async def test_a_change_of_an_old_version_is_refused(database: Database, tenant: UUID) -> None:
    ada = await made(database, tenant, ADA)
    await updated(database, tenant, ada, Changes(name="Ada King"))
    before = await everything(database, tenant)
    with pytest.raises(StaleVersion) as stale:
        await updated(database, tenant, ada, Changes(name="Ada Byron"))
    assert stale.value.details == {"current_version": ada.version + 1}
    assert await everything(database, tenant) == before


async def test_a_foreign_customer_is_as_unknown_as_one_that_never_was(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    ada = await made(database, tenant, ADA)
    for unknown in (ada.id, database.ids()):
        for deed in (
            lambda work, id_: customers.update(work, id_, 1, Changes(name="Mine")),
            lambda work, id_: customers.record_consent(work, id_, "news", "email", ConsentDecision.GRANTED),
            lambda work, id_: customers.create(work, NewCustomer(organisation_id=id_)),
            lambda work, id_: customers.relate(work, RelationKind.HOUSEHOLD, id_, id_),
            customers.resolve,
        ):
            with pytest.raises(NotFound) as refused:
                async with database.unit_of_work(other_tenant) as work:
                    await deed(work, unknown)
            assert str(refused.value) == str(NotFound())


async def test_attributes_of_every_type_are_shown_and_can_be_filtered(dated: Database, tenant: UUID) -> None:
    values: dict[str, tuple[AttributeType, Any, Any, str]] = {
        "active": (AttributeType.BOOLEAN, True, True, "boolean_value"),
        "balance": (AttributeType.DECIMAL, Decimal("12.500"), "12.5", "integer_value"),
        "born": (AttributeType.DATE, date(1990, 2, 3), "1990-02-03", "date_value"),
        "nick": (AttributeType.TEXT, "Countess", "Countess", "text_value"),
        "seen": (AttributeType.DATETIME, START, "2026-05-01T08:00:00+00:00", "time_value"),
        "visits": (AttributeType.INTEGER, 7, 7, "integer_value"),
    }
    async with dated.unit_of_work(tenant) as work:
        for key, (kind, *_) in values.items():
            pii = PiiClass.PERSONAL if key == "nick" else PiiClass.NONE
            await customers.define_attribute(work, key, kind, {"en": key.title(), "fa": "ویژگی"}, pii=pii)
    ada = await made(dated, tenant, replace(ADA, attributes={key: each[1] for key, each in values.items()}))
    assert ada.attributes == [
        {
            "key": key, "type": kind.value, "value": value, "pii": key == "nick",
            "labels": {"en": key.title(), "fa": "ویژگی"}, "source": "manual", "confidence": 100,
            "validFrom": "2026-05-01T08:00:00+00:00",
        }
        for key, (kind, _, value, _) in values.items()
    ]  # fmt: skip
    async with dated.reading(tenant) as reading:
        rows = await reading.all(select(CustomerAttribute).where(CustomerAttribute.tenant_id == tenant))
    stored = {row.key: getattr(row, values[row.key][3]) for row in rows}
    assert stored == {**{key: each[1] for key, each in values.items()}, "balance": 12_500_000}
    async with dated.unit_of_work(tenant) as work:
        assert await queries.golden_values(work, ada.id) == {key: each[1] for key, each in values.items()}
        after = await customers.update(work, ada.id, ada.version, Changes(attributes=dict.fromkeys(values)))
        assert after.attributes is None
        assert await work.all(select(CustomerAttribute.key).where(CustomerAttribute.tenant_id == tenant)) == []


async def test_an_attribute_defined_anew_shows_its_new_winner(database: Database, tenant: UUID) -> None:
    ada = await made(database, tenant, ADA)
    async with database.unit_of_work(tenant) as work:
        await customers.define_attribute(work, "tier", AttributeType.TEXT, {"en": "Tier"})
        for source, value, days in (("crm:main", "gold", 2), ("shop:uk", "silver", 1)):
            work.add(
                CustomerFact(
                    id=work.ids(), customer_id=ada.id, key="tier", text_value=value, source=source, confidence=100,
                    valid_from=work.now - timedelta(days=days), recorded_at=work.now,
                )
            )  # fmt: skip
        await customers.refresh_heads(work, [ada.id])
        assert [each["value"] for each in (await customers.customer(work, ada.id)).attributes or []] == ["silver"]
        await customers.define_attribute(
            work, "tier", AttributeType.TEXT, {"en": "Tier"}, survivorship=Survivorship.MOST_TRUSTED,
            authority=["crm:main"],
        )  # fmt: skip
        assert [each["value"] for each in (await customers.customer(work, ada.id)).attributes or []] == ["gold"]


@pytest.mark.parametrize("key", ["name", "Tier", "", "9lives", "a" * 64, "with space"])
async def test_a_key_that_no_filter_can_write_is_refused(database: Database, tenant: UUID, key: str) -> None:
    with pytest.raises(actions.BadAttributeKey):
        async with database.unit_of_work(tenant) as work:
            await customers.define_attribute(work, key, AttributeType.TEXT, {})


async def test_an_attribute_keeps_its_type(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await customers.define_attribute(work, "tier", AttributeType.TEXT, {})
    with pytest.raises(actions.AttributeTypeFixed):
        async with database.unit_of_work(tenant) as work:
            await customers.define_attribute(work, "tier", AttributeType.INTEGER, {})


async def test_a_person_belongs_to_an_organisation_until_the_relation_ends(database: Database, tenant: UUID) -> None:
    acme = await made(database, tenant, NewCustomer(kind=CustomerKind.ORGANISATION, name="Acme"))
    ada = await made(database, tenant, ADA)
    async with database.unit_of_work(tenant) as work:
        relation = await customers.relate(work, RelationKind.EMPLOYS, acme.id, ada.id)
        assert await customers.relate(work, RelationKind.EMPLOYS, acme.id, ada.id) is relation
        assert (await customers.customer(work, ada.id)).organisation_id == acme.id
    async with database.unit_of_work(tenant) as work:
        ended = await customers.end_relation(work, relation.id)
        assert (ended.valid_to, (await customers.customer(work, ada.id)).organisation_id) == (work.now, None)
    for wrong, problem in (((ada.id, acme.id), by_hand.NotAnOrganisation), ((ada.id, ada.id), actions.RelatedToItself)):
        with pytest.raises(problem):
            async with database.unit_of_work(tenant) as work:
                await customers.relate(work, RelationKind.EMPLOYS, *wrong)


async def test_no_audit_entry_and_no_event_holds_a_personal_value(database: Database, tenant: UUID) -> None:
    ada = await made(database, tenant, ADA)
    await updated(database, tenant, ada, Changes(name="Ada King", emails=["secret@x.example"]))
    async with database.reading(tenant) as reading:
        entries = await reading.all(select(AuditEntry).where(AuditEntry.tenant_id == tenant))
        told = await reading.all(select(OutboxEvent).where(OutboxEvent.tenant_id == tenant))
    text = repr([(entry.before, entry.after, entry.subject) for entry in entries]) + repr([each.body for each in told])
    assert [value for value in ("Ada", "King", "secret", "example", "7946", "London") if value in text] == []
