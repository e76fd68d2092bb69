from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from domain import customers
from domain.customers.model import AttributeType
from domain.interactions.model import Family, InteractionKind
from sync.runs import Counts
from tenure_sdk import (
    PAYLOADS,
    Address,
    Customer,
    Email,
    ExchangeRate,
    Identity,
    Interaction,
    Note,
    Order,
    OrderLine,
    Page,
    Product,
    Ref,
    Refund,
)

if TYPE_CHECKING:
    from tests.sync.landing.conftest import Landing

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ADA = Customer(
    id="1",
    version="v1",
    updated_at=NOON,
    name="Ada Lovelace",
    emails=("ada@example.org", "ADA@example.com"),
    phones=("020 7946 0958",),
    addresses=(Address(street="12 St James's Square", city="London", country="GB"),),
    identities=(Identity("tax_id", "GB 123"),),
    organisation=Ref("customer", "9"),
    extra={"colour": "red"},
)


async def test_a_customer_brings_facts_claims_and_an_organisation(landing: Landing) -> None:
    landed = await landing.records(ADA)
    assert landed.counts == Counts(read=1, created=2)
    assert await landing.rows(
        "SELECT kind, display_name, country, primary_email, primary_phone FROM customers WHERE $t ORDER BY kind DESC"
    ) == [
        ("PERSON", "Ada Lovelace", "GB", "ada@example.org", "+442079460958"),
        ("ORGANISATION", "9", None, None, None),
    ]
    assert await landing.rows(
        "SELECT scheme, normalised, strength, is_primary FROM identity_claims WHERE $t ORDER BY scheme, normalised"
    ) == [
        ("email", "ada@example.com", "STRONG", False),
        ("email", "ada@example.org", "STRONG", True),
        ("external:shop:1", "1", "STRONG", False),
        ("external:shop:1", "9", "STRONG", False),
        ("phone", "+442079460958", "WEAK", True),
        ("tax_id", "GB123", "STRONG", False),
    ]
    assert await landing.rows(
        "SELECT organisation_id = (SELECT id FROM customers o WHERE o.$t AND o.kind = 'ORGANISATION') FROM customers "
        "WHERE $t AND kind = 'PERSON'"
    ) == [(True,)]
    assert await landing.rows("SELECT version, payload -> 'extra' ->> 'colour' FROM remote_records WHERE $t") == [
        ("v1", "red")
    ]


async def test_of_an_unchanged_customer_only_the_version_is_noted(landing: Landing) -> None:
    await landing.records(ADA)
    before = await landing.rows("SELECT version FROM customers WHERE $t")
    again = Customer(**{name: getattr(ADA, name) for name in ADA.__struct_fields__} | {"version": "v2"})
    assert (await landing.records(again)).counts == Counts(read=1, unchanged=1)
    assert await landing.rows("SELECT version FROM remote_records WHERE $t") == [("v2",)]
    assert await landing.rows("SELECT version FROM customers WHERE $t") == before


async def test_what_a_customers_source_no_longer_says_ends(landing: Landing) -> None:
    await landing.records(ADA)
    landed = await landing.records(Customer(id="1", name="Ada King", emails=("ada@example.org",)))
    assert landed.counts == Counts(read=1, updated=1)
    assert await landing.rows(
        "SELECT key, text_value, valid_to IS NULL FROM customer_facts WHERE $t ORDER BY key, recorded_at"
    ) == [
        ("address", None, False),
        ("country", "GB", False),
        ("name", "Ada Lovelace", False),
        ("name", "Ada King", True),
    ]
    assert await landing.rows(
        "SELECT scheme, value FROM identity_claims WHERE $t AND valid_to IS NULL ORDER BY scheme, value"
    ) == [("email", "ada@example.org"), ("external:shop:1", "1"), ("external:shop:1", "9")]
    assert await landing.rows("SELECT valid_to IS NULL FROM customer_relations WHERE $t") == [(False,)]
    assert await landing.rows("SELECT display_name, organisation_id FROM customers WHERE $t AND kind = 'PERSON'") == [
        ("Ada King", None)
    ]


async def test_a_moment_that_no_calendar_has_is_refused(landing: Landing) -> None:
    async with landing.database.unit_of_work(landing.tenant) as work:
        await customers.define_attribute(work, "since", AttributeType.DATETIME, {"en": "Since"})
    moments = ("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "2026-01-01T01:00:00+01:00")
    landed = await landing.records(*(Customer(id=each, attributes={"since": each}) for each in moments))
    assert [(each.value, each.reason) for each in landed.rejects] == [(each, "is no datetime") for each in moments[:2]]
    assert await landing.rows("SELECT time_value FROM customer_attributes WHERE $t") == [
        (datetime(2026, 1, 1, tzinfo=UTC),)
    ]


async def test_attributes_must_be_defined_and_fit(landing: Landing) -> None:
    async with landing.database.unit_of_work(landing.tenant) as work:
        await customers.define_attribute(work, "size", AttributeType.DECIMAL, {"en": "Size"})
    landed = await landing.records(
        Customer(id="1", attributes={"size": "1.5"}),
        Customer(id="2", attributes={"size": "large"}),
        Customer(id="3", attributes={"colour": "red"}),
    )
    assert landed.counts == Counts(read=3, created=1, rejected=2)
    assert await landing.rows("SELECT key, integer_value FROM customer_attributes WHERE $t") == [("size", 1_500_000)]
    assert await landing.rows("SELECT field, value, reason FROM dead_letters WHERE $t ORDER BY field DESC") == [
        ("attributes.size", "large", "is no decimal"),
        ("attributes.colour", "red", "is no attribute of this tenant; defined are: size"),
    ]


async def test_an_attribute_that_no_index_holds_is_left_out_with_its_customer(landing: Landing) -> None:
    async with landing.database.unit_of_work(landing.tenant) as work:
        await customers.define_attribute(work, "tier", AttributeType.TEXT, {"en": "Tier"})
    long = [Customer(id=str(size), name="Ada", attributes={"tier": "é" * size}) for size in (1_000, 1_001)]
    landed = await landing.records(*long)
    assert landed.counts == Counts(read=2, created=1, rejected=1)
    assert await landing.rows("SELECT remote_id, field, reason FROM dead_letters WHERE $t") == [
        ("1001", "attributes.tier", "is longer than 2,000 bytes")
    ]


async def test_a_strong_identifier_makes_two_records_one_customer(landing: Landing) -> None:
    await landing.records(Customer(id="1", emails=("a@example.org",)), Customer(id="2", emails=("A@example.org",)))
    assert await landing.rows("SELECT status FROM customers WHERE $t ORDER BY id") == [("ACTIVE",), ("MERGED",)]


async def test_an_erased_person_does_not_come_back_by_another_id(landing: Landing) -> None:
    landing.database.key = bytes(32)
    await landing.records(Customer(id="1", emails=("a@example.org",)))
    ((customer_id,),) = await landing.rows("SELECT id FROM customers WHERE $t")
    async with landing.database.unit_of_work(landing.tenant) as work:
        from sqlalchemy import text

        digest = customers.privacy.folding.suppression_hash(work.key, "email", "a@example.org")
        await work.execute(
            text("INSERT INTO suppressions (tenant_id, digest, recorded_at) VALUES (:tenant, :digest, :now)"),
            {"tenant": work.tenant_id, "digest": digest, "now": work.now},
        )
    landed = await landing.records(Customer(id="2", name="A", emails=("A@example.org",)))
    assert landed.counts == Counts(read=1, rejected=1)
    assert await landing.rows("SELECT id FROM customers WHERE $t") == [(customer_id,)]


async def test_an_interaction_comes_once_and_its_newer_version_is_a_revision(landing: Landing) -> None:
    mail = Interaction(
        id="m1", kind="EMAIL_SENT", occurred_at=NOON, customer=Ref("customer", "1"), channel="email",
        summary="Hello", payload=Email(subject="Hello", campaign="spring"),
    )  # fmt: skip
    assert (await landing.records(mail)).counts == Counts(read=1, created=1)
    assert (await landing.records(mail)).counts == Counts(read=1, unchanged=1)
    edited = Interaction(id="m1", kind="EMAIL_SENT", occurred_at=NOON, customer=Ref("customer", "1"), summary="Hi")
    assert (await landing.records(edited)).counts == Counts(read=1, updated=1)
    assert await landing.rows(
        "SELECT revision, family, channel, summary, campaign_key, superseded_at IS NULL, count(*) OVER (), "
        "count(*) OVER (PARTITION BY id) FROM interactions WHERE $t ORDER BY revision"
    ) == [
        (1, "EMAIL", "EMAIL", "Hello", "spring", False, 2, 2),
        (2, "EMAIL", None, "Hi", None, True, 2, 2),
    ]
    assert await landing.rows("SELECT count(*) FROM customers WHERE $t") == [(1,)]


async def test_a_summary_is_cut_to_a_line(landing: Landing) -> None:
    told = "".join(map(chr, range(0x4E00, 0x6E00)))  # as far as compression goes, too much for an entry of an index
    mail = Interaction(id="m1", kind="EMAIL_SENT", occurred_at=NOON, customer=Ref("customer", "1"), summary=told)
    assert (await landing.records(mail)).counts == Counts(read=1, created=1)
    assert (await landing.records(mail)).counts == Counts(read=1, unchanged=1)
    order = Order(
        id="o1", occurred_at=NOON, customer=Ref("customer", "1"), number=told[:600], currency="EUR", total=Decimal(10)
    )
    assert (await landing.records(order)).counts == Counts(read=1, created=1)
    assert await landing.rows("SELECT summary FROM interactions WHERE $t ORDER BY kind") == [
        (told[:400],),
        (f"Order {told[:394]}",),
    ]


async def test_only_what_is_new_or_moved_touches_its_customers(landing: Landing) -> None:
    def visit(name: str, customer: str, at: datetime = NOON) -> Interaction:
        return Interaction(id=name, kind="VISIT", occurred_at=at, customer=Ref("customer", customer))

    await landing.records(*(visit(f"of {customer}", customer) for customer in ("1", "2", "3", "4")))
    ids = dict(await landing.rows("SELECT remote_id, local_id FROM record_links WHERE $t AND type = 'customer'"))
    earlier = NOON - timedelta(days=1)
    landed = await landing.records(
        Customer(id="4", name="Ada"), visit("of 1", "1"), visit("of 2", "3"), visit("earlier", "1", earlier),
        visit("of 4", "4"), visit("of 5", "5"),
    )  # fmt: skip
    assert landed.counts == Counts(read=6, created=2, updated=2, unchanged=2)
    (fifth,) = {local_id for (local_id,) in await landing.rows("SELECT id FROM customers WHERE $t")} - set(ids.values())
    assert set(landed.touched) == {ids["1"], ids["2"], ids["3"], ids["4"], fifth}
    assert await landing.rows(
        "SELECT remote_id, revision, superseded_at IS NULL, customer_id FROM interactions WHERE $t"
        " ORDER BY remote_id, revision"
    ) == [
        ("earlier", 1, True, ids["1"]), ("of 1", 1, True, ids["1"]), ("of 2", 1, False, ids["2"]),
        ("of 2", 2, True, ids["3"]), ("of 3", 1, True, ids["3"]), ("of 4", 1, True, ids["4"]),
        ("of 5", 1, True, fifth),
    ]  # fmt: skip
    assert await landing.rows("SELECT id, first_seen_at FROM customers WHERE $t ORDER BY first_seen_at LIMIT 1") == [
        (ids["1"], earlier)
    ]


async def test_an_interaction_of_an_unknown_channel_is_left_out(landing: Landing) -> None:
    landed = await landing.records(
        Interaction(id="1", kind="NOTE", occurred_at=NOON, channel="pigeon", payload=Note(text="x")),
        Interaction(id="2", kind="NOTE", occurred_at=NOON, channel="mail", payload=Note(text="x")),
    )
    assert landed.counts == Counts(read=2, created=1, rejected=1)
    assert await landing.rows("SELECT field, value FROM dead_letters WHERE $t") == [("channel", "pigeon")]


def test_every_kind_and_payload_of_the_sdk_has_its_place() -> None:
    assert PAYLOADS.keys() <= set(InteractionKind)
    assert {payload.__struct_config__.tag.upper() for payload in PAYLOADS.values()} <= set(Family)  # type: ignore[union-attr]


async def test_a_product_is_found_by_its_stock_code_and_changes_open_a_new_row(landing: Landing) -> None:
    lines = (OrderLine(product=Ref("product", "p1"), quantity=Decimal(1), unit_price=Decimal(1)),)
    await landing.records(Order(id="A", occurred_at=NOON, currency="EUR", lines=lines))
    await landing.records(Product(id="p1", sku="S-1", name="Mug", family="cups", tier_rank=1))
    landed = await landing.records(
        Product(id="p1", sku="S-1", name="Big mug", family="cups"),
        Product(id="p2", sku="S-1", name="Big mug", family="cups"),
    )
    assert landed.counts.updated >= 1
    assert await landing.rows(
        "SELECT sku, name, tier_rank, valid_to IS NULL FROM products WHERE $t ORDER BY valid_from"
    ) == [
        ("p1", None, None, False),
        ("S-1", "Mug", 1, False),
        ("S-1", "Big mug", None, True),
    ]
    assert await landing.rows(
        "SELECT count(DISTINCT product_id), count(DISTINCT p.id) FROM order_lines l JOIN products p USING (tenant_id) "
        "WHERE l.$t"
    ) == [(1, 1)]
    assert await landing.rows("SELECT key FROM product_families WHERE $t") == [("cups",)]


async def test_orders_and_refunds_of_a_connector_become_documents(landing: Landing) -> None:
    line = OrderLine(quantity=Decimal(2), unit_price=Decimal("9.99"), discount=Decimal(1), tax=Decimal("3.61"))
    landed = await landing.records(
        Refund(id="R", occurred_at=NOON, currency="EUR", total=Decimal(5), order=Ref("order", "A")),
        Order(id="A", number="2024-1", occurred_at=NOON, customer=Ref("customer", "1"), currency="EUR", lines=(line,)),
        Order(id="B", occurred_at=NOON, currency="EUR", lines=(line,), status="CANCELLED"),
    )  # fmt: skip
    assert landed.counts == Counts(read=3, created=3)
    assert await landing.rows("SELECT number, amount, status FROM orders WHERE $t ORDER BY number") == [
        ("2024-1", 1898, "COMPLETED"),
        ("B", 1898, "CANCELLED"),
    ]
    assert await landing.rows("SELECT amount, order_id IS NOT NULL FROM refunds WHERE $t") == [(500, True)]
    assert await landing.rows("SELECT occasions, orders FROM customer_totals WHERE $t") == [(1, 1)]


async def test_exchange_rates_convert_what_waited_and_a_corrected_one_stands_beside(landing: Landing) -> None:
    await landing.records(Order(id="A", occurred_at=NOON, currency="USD", total=Decimal(10)))
    assert await landing.rows("SELECT base_amount FROM orders WHERE $t") == [(None,)]
    rate = ExchangeRate(id="1", date=date(2024, 5, 1), base="USD", quote="EUR", rate=Decimal("0.9"))
    assert (await landing.records(rate)).counts == Counts(read=1, created=1)
    assert await landing.rows("SELECT base_amount, base_currency FROM orders WHERE $t") == [(900, "EUR")]
    assert (await landing.records(rate)).counts == Counts(read=1, unchanged=1)
    corrected = ExchangeRate(id="1", date=date(2024, 5, 1), base="USD", quote="EUR", rate=Decimal("0.91"))
    assert (await landing.records(corrected)).counts == Counts(read=1, updated=1)
    assert await landing.rows("SELECT rate FROM exchange_rates WHERE $t ORDER BY recorded_at") == [
        (Decimal("0.9"),),
        (Decimal("0.91"),),
    ]


async def test_what_is_gone_leaves_the_view_stays_in_history_and_can_come_back(landing: Landing) -> None:
    order = Order(id="A", occurred_at=NOON, customer=Ref("customer", "1"), currency="EUR", total=Decimal(10))
    note = Interaction(id="n", kind="NOTE", occurred_at=NOON, customer=Ref("customer", "1"), payload=Note(text="x"))
    await landing.records(order, note)
    landed = await landing.page(Page(records=(), deletes=("A", "n", "unknown")))
    assert landed.counts == Counts(deleted=2)
    assert await landing.rows("SELECT count(*) FROM orders WHERE $t AND superseded_at IS NULL") == [(0,)]
    assert await landing.rows("SELECT count(*) FROM interactions WHERE $t AND superseded_at IS NULL") == [(0,)]
    assert await landing.rows("SELECT count(*) FROM customer_totals WHERE $t") == [(0,)]
    assert (await landing.records(order, note)).counts == Counts(read=2, created=1, updated=1)
    assert await landing.rows("SELECT version FROM orders WHERE $t AND superseded_at IS NULL") == [(2,)]
    assert await landing.rows("SELECT count(*) FROM interactions WHERE $t AND superseded_at IS NULL") == [(2,)]


async def test_a_customer_that_was_named_first_is_the_one_that_is_described_later(landing: Landing) -> None:
    await landing.records(
        Order(id="A", occurred_at=NOON, customer=Ref("customer", "1"), currency="EUR", total=Decimal(1))
    )
    before = await landing.rows("SELECT id FROM customers WHERE $t")
    landed = await landing.records(Customer(id="1", name="Ada"))
    assert landed.counts == Counts(read=1, updated=1)
    assert await landing.rows("SELECT id FROM customers WHERE $t") == before
    assert await landing.rows("SELECT display_name, first_seen_at FROM customers WHERE $t") == [("Ada", NOON)]


async def test_the_last_of_two_records_with_one_id_on_a_page_counts(landing: Landing) -> None:
    landed = await landing.records(Customer(id="1", name="Ada"), Customer(id="1", name="Ada King"))
    assert landed.counts == Counts(read=2, created=1, doubles=1)
    assert await landing.rows("SELECT display_name FROM customers WHERE $t") == [("Ada King",)]
