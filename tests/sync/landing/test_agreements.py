"""Contracts, opportunities, costs and departments land once, are versioned where they changed, and can go and come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from sync.runs import Counts
from tenure_sdk import (
    Contract,
    ContractEvent,
    Cost,
    Customer,
    ExchangeRate,
    Opportunity,
    Page,
    Product,
    Record,
    Ref,
)

if TYPE_CHECKING:
    from tests.sync.landing.conftest import Landing

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ADA = Ref("customer", "1")
STARTED = ContractEvent(
    kind="START", occurred_at=NOON, mrr=Decimal("33.333"), term_ends_on=date(2025, 5, 1), plan="Basic",
    product=Ref("product", "CRM"), family="crm",
)  # fmt: skip
ENDED = ContractEvent(kind="CANCEL", occurred_at=NOON + timedelta(days=30))
CONTRACT = Contract(id="c", number="C-1", customer=ADA, currency="EUR", events=(STARTED,))
OPPORTUNITY = Opportunity(
    id="o", customer=ADA, opened_at=NOON, amount=Decimal(500), currency="EUR", probability=Decimal("0.5"), stage="Offer"
)
COST = Cost(
    id="k", category="SERVICE", amount=Decimal("12.50"), currency="EUR", starts_on=date(2024, 5, 1), customer=ADA,
    description="A call", campaign="spring", case="T-1", department="care", rule=None,
)  # fmt: skip

CONTRACTS = """
SELECT version, status, amount, base_amount, plan, term_ends_on, ended_on, event_count, superseded_at IS NULL
FROM contracts WHERE $t ORDER BY version
"""


def changed(record: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(record, **changes)


async def test_a_contract_lands_with_what_happened_to_it(landing: Landing) -> None:
    assert (await landing.records(CONTRACT)).counts == Counts(read=1, created=1)
    assert await landing.rows(CONTRACTS) == [(1, "ACTIVE", 3333, 3333, "Basic", date(2025, 5, 1), None, 1, True)]
    assert (await landing.records(CONTRACT)).counts == Counts(read=1, unchanged=1)
    assert (await landing.records(changed(CONTRACT, version="2", updated_at=NOON))).counts.unchanged == 1
    later = await landing.records(changed(CONTRACT, events=(ENDED, STARTED)))
    assert later.counts == Counts(read=1, updated=1)
    assert len(later.touched) == 1
    assert await landing.rows(CONTRACTS) == [
        (1, "ACTIVE", 3333, 3333, "Basic", date(2025, 5, 1), None, 1, False),
        (2, "ENDED", 0, 0, "Basic", date(2025, 5, 1), date(2024, 5, 31), 2, True),
    ]
    assert await landing.rows(
        """SELECT e.contract_version, e.position, e.kind, e.mrr, e.base_mrr, e.local_day, p.sku, f.key
        FROM contract_events e JOIN products p ON p.tenant_id = e.tenant_id AND p.id = e.product_id
        JOIN product_families f ON f.tenant_id = e.tenant_id AND f.id = e.family_id
        WHERE e.$t ORDER BY 1, 2"""
    ) == [
        (1, 1, "START", 3333, 3333, date(2024, 5, 1), "CRM", "crm"),
        (2, 1, "START", 3333, 3333, date(2024, 5, 1), "CRM", "crm"),
        (2, 2, "CANCEL", 0, 0, date(2024, 5, 31), "CRM", "crm"),
    ]


async def test_what_is_no_contract_stays_out_alone(landing: Landing) -> None:
    headless = changed(CONTRACT, id="x", events=(ENDED,))
    endless = changed(CONTRACT, id="y", events=(changed(STARTED, mrr=Decimal("1e30")),))
    nowhere = changed(CONTRACT, id="z", currency="XXQ")
    landed = await landing.records(CONTRACT, headless, endless, nowhere)
    assert landed.counts == Counts(read=4, created=1, rejected=3)
    assert await landing.rows("SELECT remote_id, field, reason FROM dead_letters WHERE $t ORDER BY remote_id") == [
        ("x", "events.0", "A contract begins with a START. Give its first event, too."),
        ("y", "events.0.mrr", "is too large an amount of money"),
        ("z", "currency", "This is no ISO-4217 currency code. Use three capital letters, such as EUR."),
    ]


async def test_an_opportunity_lands_and_is_won(landing: Landing) -> None:
    assert (await landing.records(OPPORTUNITY)).counts == Counts(read=1, created=1)
    won = changed(OPPORTUNITY, status="WON", closed_at=NOON + timedelta(days=9), amount=Decimal("450.004"))
    assert (await landing.records(won)).counts == Counts(read=1, updated=1)
    assert await landing.rows(
        "SELECT version, number, status, amount, base_amount, probability, stage, local_day, closed_on, "
        "customer_id IS NULL FROM opportunities WHERE $t ORDER BY version"
    ) == [
        (1, "o", "OPEN", 50_000, 50_000, Decimal("0.5"), "Offer", date(2024, 5, 1), None, False),
        (2, "o", "WON", 45_000, 45_000, Decimal("0.5"), "Offer", date(2024, 5, 1), date(2024, 5, 10), False),
    ]


async def test_an_opportunity_that_makes_no_sense_stays_out(landing: Landing) -> None:
    odd = (
        changed(OPPORTUNITY, id="1", status="LOST"),
        changed(OPPORTUNITY, id="2", currency=None),
        changed(OPPORTUNITY, id="3", probability=Decimal(50)),
    )
    assert (await landing.records(*odd)).counts == Counts(read=3, rejected=3)
    assert await landing.rows("SELECT remote_id, field FROM dead_letters WHERE $t ORDER BY remote_id") == [
        ("1", "closed_at"), ("2", "amount"), ("3", "probability")
    ]  # fmt: skip


async def test_a_cost_lands_and_is_borne_by_whom_it_names(landing: Landing) -> None:
    shared = changed(COST, id="all", customer=None, rule="EQUAL", ends_on=date(2024, 6, 1))
    assert (await landing.records(COST, shared)).counts == Counts(read=2, created=2)
    corrected = await landing.records(changed(COST, amount=Decimal(13)), shared)
    assert corrected.counts == Counts(read=2, updated=1, unchanged=1)
    assert await landing.rows(
        """SELECT c.remote_id, c.version, c.amount, c.base_amount, c.starts_on, c.ends_on, c.description,
            c.campaign_key, c.case_key, d.key, c.rule, c.superseded_at IS NULL
        FROM cost_entries c JOIN departments d ON d.tenant_id = c.tenant_id AND d.id = c.department_id
        WHERE c.$t ORDER BY 1, 2"""
    ) == [
        ("all", 1, 1250, 1250, date(2024, 5, 1), date(2024, 6, 1), "A call", "spring", "T-1", "care", "EQUAL", True),
        ("k", 1, 1250, 1250, date(2024, 5, 1), date(2024, 5, 2), "A call", "spring", "T-1", "care", None, False),
        ("k", 2, 1300, 1300, date(2024, 5, 1), date(2024, 5, 2), "A call", "spring", "T-1", "care", None, True),
    ]
    borne = "SELECT amount_base, day, category FROM cost_allocations WHERE $t"
    assert await landing.rows(borne) == [(1300, date(2024, 5, 1), "SERVICE")]
    assert (await landing.page(Page(records=(), deletes=("k",)))).counts.deleted == 1
    assert await landing.rows(borne) == []


async def test_a_cost_that_makes_no_sense_stays_out(landing: Landing) -> None:
    odd = (changed(COST, id="1", ends_on=COST.starts_on), changed(COST, id="2", department="Care & Co"))
    assert (await landing.records(*odd)).counts == Counts(read=2, rejected=2)


async def test_what_is_gone_leaves_the_view_and_can_come_back(landing: Landing) -> None:
    standing = """
    SELECT 'contract', version FROM contracts WHERE $t AND superseded_at IS NULL
    UNION ALL SELECT 'cost', version FROM cost_entries WHERE $t AND superseded_at IS NULL
    UNION ALL SELECT 'opportunity', version FROM opportunities WHERE $t AND superseded_at IS NULL ORDER BY 1
    """
    await landing.records(CONTRACT, OPPORTUNITY, COST)
    gone = await landing.page(Page(records=(changed(OPPORTUNITY, deleted=True),), deletes=("c", "k")))
    assert gone.counts.deleted == 3
    assert await landing.rows(standing) == []
    back = await landing.records(CONTRACT, OPPORTUNITY, COST)
    assert back.counts == Counts(read=3, updated=3)
    assert await landing.rows(standing) == [("contract", 2), ("cost", 2), ("opportunity", 2)]


async def test_they_land_beside_everything_else_and_before_whom_they_name(landing: Landing) -> None:
    page: tuple[Record, ...] = (CONTRACT, OPPORTUNITY, COST, Product(id="CRM", sku="crm-1", name="CRM", family="crm"))
    assert (await landing.records(*page)).counts == Counts(read=4, created=4)
    assert (await landing.records(Customer(id="1", name="Ada"), *page)).counts == Counts(read=5, updated=1, unchanged=4)
    assert await landing.rows(
        """SELECT c.display_name, k.number, o.number FROM customers c
        JOIN contracts k ON k.tenant_id = c.tenant_id AND k.customer_id = c.id
        JOIN opportunities o ON o.tenant_id = c.tenant_id AND o.customer_id = c.id WHERE c.$t"""
    ) == [("Ada", "C-1", "o")]
    assert await landing.rows("SELECT first_seen_at FROM customers WHERE $t") == [
        (datetime(2024, 5, 1, tzinfo=UTC),)  # the first day that the cost was spent for
    ]


async def test_all_of_a_contract_is_converted_at_the_rate_of_its_day(landing: Landing) -> None:
    dollars = changed(CONTRACT, currency="USD", events=(changed(STARTED, mrr=Decimal(100)), ENDED))
    await landing.records(dollars, changed(OPPORTUNITY, currency="USD"))
    rated = "SELECT position, base_mrr FROM contract_events WHERE $t ORDER BY 1"
    assert await landing.rows(rated) == [(1, None), (2, None)]
    await landing.records(ExchangeRate(id="r", date=NOON.date(), base="USD", quote="EUR", rate=Decimal("0.9")))
    assert await landing.rows(rated) == [(1, 9_000), (2, 0)]
    assert await landing.rows("SELECT base_amount, base_currency FROM opportunities WHERE $t") == [(45_000, "EUR")]


MEMBERS = """
SELECT d.key, m.source, m.valid_from, m.valid_to FROM department_members m
JOIN departments d ON d.tenant_id = m.tenant_id AND d.id = m.department_id WHERE m.$t ORDER BY m.valid_from
"""


async def test_a_customers_department_is_what_its_source_says_now(landing: Landing) -> None:
    source = "shop:1"
    ada = Customer(id="1", name="Ada", department="north", updated_at=NOON)
    assert (await landing.records(ada)).counts == Counts(read=1, created=1)
    assert await landing.rows(MEMBERS) == [("north", source, NOON, None)]
    moved = NOON + timedelta(days=1)
    assert (await landing.records(changed(ada, department="south", updated_at=moved))).counts.updated == 1
    assert await landing.rows(MEMBERS) == [("north", source, NOON, moved), ("south", source, moved, None)]
    gone = NOON + timedelta(days=2)
    assert (await landing.records(changed(ada, department=None, updated_at=gone))).counts.updated == 1
    assert await landing.rows(MEMBERS) == [("north", source, NOON, moved), ("south", source, moved, gone)]
    unfit = await landing.records(changed(ada, department="The North"))
    assert [(reject.field, reject.value) for reject in unfit.rejects] == [("department", "The North")]
