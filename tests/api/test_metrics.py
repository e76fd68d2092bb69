"""Metrics as front ends ask for them: both ways of answering agree (see `ask`), and what is wrong is said."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from api import ids
from api.engine import Ask, completed
from api.problems import Forbidden
from domain.customers.model import Customer
from domain.metrics import settling
from domain.metrics.catalogue import CATALOGUE
from domain.metrics.publishing import publish
from domain.purchases.contracts import ContractEventKind, NewEvent
from domain.purchases.selling import NewContract, record_contract
from tests.api import seeding
from tests.api.conftest import ALL_SCOPES, identity
from tests.api.test_statements import Counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from api.engine import Engine
    from domain.core.database import Database

    Asking = Callable[..., Awaitable[dict[str, Any]]]

SERIES = """query($keys: [String!]!, $window: WindowInput!, $stages: [StageRef!], $segments: [ID!], $asOf: DateTime) {
  metrics(keys: $keys, window: $window, grain: MONTH, stages: $stages, segments: $segments, asOf: $asOf) {
    metric { key name unit better step minimum grain } segment { id } stage { key name }
    total { value money { amount currency } missing numerator denominator n unit definition { version }
      interval { low } window { start end } censored }
    points { start end label complete value { value missing window { start end } } } } }"""
JANUARY = {"start": "2026-01-01", "end": "2026-02-01"}


@pytest.fixture
async def business(database: Database, tenant: UUID) -> seeding.Business:
    async with database.unit_of_work(tenant) as work:
        made = await seeding.business(work)
        await settling.roll_up(work, await work.all(select(Customer.id).where(Customer.tenant_id == tenant)))
        return made


async def test_a_series_says_what_it_is_made_of(ask: Asking, business: seeding.Business) -> None:
    answer = await ask(SERIES, keys=["size_of_transaction", "recency"], window=JANUARY)
    size, recency = answer["data"]["metrics"]
    assert size == {
        "metric": {"key": "size_of_transaction", "name": "Size of transaction", "unit": "MONEY", "better": "HIGHER",
                   "step": "PURCHASE", "minimum": 1, "grain": "DAY"},
        "segment": None,
        "stage": None,
        "total": {"value": "15", "money": {"amount": "15.00", "currency": "EUR"}, "missing": None, "numerator": "30",
                  "denominator": "2", "n": 2, "unit": "MONEY", "definition": {"version": 1}, "interval": None,
                  "window": JANUARY, "censored": False},
        "points": [{"start": "2026-01-01", "end": "2026-02-01", "label": "2026-01", "complete": True,
                    "value": {"value": "15", "missing": None, "window": JANUARY}}],
    }  # fmt: skip
    assert (recency["total"]["value"], recency["total"]["money"]) == ("22", None)


async def test_what_is_divided_is_in_the_main_unit_of_money_too(
    ask: Asking, business: seeding.Business, database: Database, tenant: UUID
) -> None:
    start = NewEvent(kind=ContractEventKind.START, occurred_at=datetime(2025, 12, 1, tzinfo=UTC), mrr=Decimal("12.50"))
    async with database.unit_of_work(tenant) as work:
        signed = NewContract(currency="EUR", events=[start], customer_id=business.customers["ada"])
        await record_contract(work, signed)
    answer = await ask(SERIES, keys=["gross_revenue_retention"], window=JANUARY)
    total = answer["data"]["metrics"][0]["total"]
    assert [total[part] for part in ("value", "numerator", "denominator", "n")] == ["1", "12.5", "12.5", 1]


async def test_names_are_in_the_readers_language(ask: Asking, business: seeding.Business) -> None:
    answer = await ask(SERIES, language="fa", keys=["recency"], window=JANUARY)
    assert answer["data"]["metrics"][0]["metric"]["name"] == "تازگی خرید"


async def test_a_stage_has_the_values_of_those_who_are_there(ask: Asking, business: seeding.Business) -> None:
    stages = [{"key": "purchase"}, {"key": "discovery", "lifecycle": "buyer"}]
    answer = await ask(SERIES, keys=["occasions"], window=JANUARY, stages=stages)
    found = [(each["stage"]["key"], each["total"]["value"]) for each in answer["data"]["metrics"]]
    assert found == [("purchase", "2"), ("discovery", "0")]


@pytest.mark.parametrize(
    ("problem", "wrong"),
    [
        ("UNKNOWN_METRIC", {"keys": ["happiness"]}),
        ("WINDOW_EMPTY", {"window": {"start": "2026-01-01", "end": "2026-01-01"}}),
        ("WINDOW_OPEN", {"window": {"start": "2026-01-01"}}),
        ("WINDOW_IN_FUTURE", {"window": {"start": "2126-01-01", "end": "2126-02-01"}}),
        ("UNKNOWN_STAGE", {"stages": [{"key": "nowhere"}]}),
        ("UNKNOWN_SEGMENT", {"segments": ["seg_" + 32 * "0"]}),
    ],
)
async def test_what_cannot_be_asked_is_said(
    ask: Asking, business: seeding.Business, problem: str, wrong: dict[str, Any]
) -> None:
    answer = await ask(SERIES, **{"keys": ["occasions"], "window": JANUARY, **wrong})
    (error,) = answer["errors"]
    assert (answer["data"], error["path"]) == (None, ["metrics"])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "problem": problem}


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "There is no metric frequncy and no luck. Did you mean frequency or usage_frequency or recency?"),
        ("fa", "سنجه‌ای با کلید frequncy، luck نیست (نزدیک به آن: frequency، usage_frequency، recency)."),
    ],
)
async def test_a_metric_that_is_not_there_is_named_with_those_much_like_it(
    ask: Asking, business: seeding.Business, language: str, said: str
) -> None:
    answer = await ask(SERIES, language=language, keys=["occasions", "frequncy", "luck"], window=JANUARY)
    (error,) = answer["errors"]
    assert error["message"].startswith(said)


async def test_what_figures_count_by_can_be_said(ask: Asking, business: seeding.Business) -> None:
    counted = """query($options: MetricOptions) {
      metrics(keys: ["revenue", "unused"], window: {start: "2026-01-01", end: "2026-02-01"}, options: $options) {
        total { value } } }"""
    usual = await ask(counted)
    assert await ask(counted, options={}) == usual
    everything = {"paidOnly": False, "view": "BOOKED", "acquisitionLagDays": 0, "contractGapDays": 0}
    everything |= {"unusedAfterDays": 30, "conversionDays": 90, "responseDays": 7, "aliveThreshold": "0.5"}
    everything |= {"expansionIsUpsell": False}
    assert await ask(counted, options=everything) == usual
    for wrong, problem in (
        ({"unusedAfterDays": 0}, "DAYS_OUT_OF_RANGE"), ({"conversionDays": 0}, "DAYS_OUT_OF_RANGE"),
        ({"responseDays": 3661}, "DAYS_OUT_OF_RANGE"), ({"aliveThreshold": "0"}, "THRESHOLD_OUT_OF_RANGE"),
        ({"product": "nothing"}, "PRODUCT_NOT_FOUND"),
    ):  # fmt: skip
        refused = await ask(counted, options=wrong)
        assert refused["errors"][0]["extensions"]["problem"] == problem


async def test_the_catalogue_is_listed(ask: Asking) -> None:
    answer = await ask("{ metricDefinitions { key version description isPersonal isMarketingOnly kind grain } }")
    listed = answer["data"]["metricDefinitions"]
    assert [each["key"] for each in listed] == [one.key for one in CATALOGUE]
    (gap,) = [each for each in listed if each["key"] == "median_purchase_gap"]
    assert (gap["kind"], gap["isPersonal"], gap["isMarketingOnly"]) == ("MEDIAN", True, False)
    longer = {each["key"]: each["grain"] for each in listed if each["grain"] not in {"DAY", "WEEK"}}
    assert longer == dict.fromkeys(
        ("conversion_rate", "stickiness", "gross_revenue_retention", "net_revenue_retention"), "MONTH"
    )


async def test_metrics_take_a_scope_of_their_own(ask: Asking, business: seeding.Business) -> None:
    with pytest.raises(Forbidden, match="metrics:read"):
        await ask("{ metricDefinitions { key } }", scopes=ALL_SCOPES - {"metrics:read"})


OF_CUSTOMERS = """query($keys: [String!]) { customers(first: 20, orderBy: [{field: ID}]) { nodes { displayName
  metrics(keys: $keys) { metric { key } value { value money { amount } missing n window { start } }
    cohortValue { value n window { start } } percentile z } } } }"""


async def test_customers_stand_beside_all_as_last_published(
    ask: Asking, engine: Engine, database: Database, tenant: UUID, business: seeding.Business
) -> None:
    keys = ["lifespan"]
    first = (await ask(OF_CUSTOMERS, keys=keys))["data"]["customers"]["nodes"]
    value = {"value": "8", "money": None, "missing": None, "n": 1, "window": {"start": None}}
    ada = {"metric": {"key": "lifespan"}, "value": value}
    (found,) = [each["metrics"] for each in first if each["displayName"].startswith("Ada")]
    assert found == [{**ada, "cohortValue": None, "percentile": None, "z": None}]
    async with database.unit_of_work(tenant) as work:
        await publish(work)
    nodes = (await ask(OF_CUSTOMERS, keys=keys))["data"]["customers"]["nodes"]
    (found,) = [each["metrics"] for each in nodes if each["displayName"].startswith("Ada")]
    cohort = {"value": "8", "n": 1, "window": {"start": None}}
    assert found == [{**ada, "cohortValue": cohort, "percentile": "100", "z": None}]
    others = [each["metrics"][0]["value"]["missing"] for each in nodes if not each["displayName"].startswith("Ada")]
    assert set(others) == {"NO_DATA"}


async def test_however_many_customers_there_are_the_statements_are_the_same(
    engine: Engine, database: Database, tenant: UUID, business: seeding.Business
) -> None:
    counts = []
    for size in (1, 3):
        document = OF_CUSTOMERS.replace("first: 20", f"first: {size}")
        prepared = engine.prepare(Ask(document, identity(tenant)))
        async with database.snapshot(tenant) as connection:
            counted = Counted(connection)
            answer = await completed(prepared, counted)
        assert len(answer["data"]["customers"]["nodes"]) == size
        counts.append(counted.fetched)
    assert counts == [5, 5]


FITTING = """query($metric: MetricFilter!) { customers(first: 9, filter: {metric: $metric}) {
  nodes { id metrics(keys: ["revenue"]) { value { value } } } totalCount } }"""


async def test_customers_are_found_by_what_a_metric_is_worth(ask: Asking, business: seeding.Business) -> None:
    async def found(**metric: Any) -> list[str]:
        page = (await ask(FITTING, metric=metric))["data"]["customers"]
        assert page["totalCount"] == len(page["nodes"])
        return [each["metrics"][0]["value"]["value"] for each in page["nodes"]]

    everybody = sorted(map(Decimal, await found(key="revenue")))
    most = everybody[-1]
    assert everybody[0] < most
    assert await found(key="revenue", gte=str(most)) == [str(most)]
    assert sorted(map(Decimal, await found(key="revenue", lte=str(most - Decimal("0.01"))))) == everybody[:-1]
    assert await found(key="revenue", gte="1", lte="0") == []


@pytest.mark.parametrize(("key", "problem"), [("nope", "UNKNOWN_METRIC"), ("repeat_purchase_rate", "NOT_PERSONAL")])
async def test_customers_cannot_be_found_by_a_metric_that_they_do_not_have(
    ask: Asking, business: seeding.Business, key: str, problem: str
) -> None:
    ((error),) = (await ask(FITTING, metric={"key": key}))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "problem": problem}


async def test_an_unknown_key_of_a_customers_metric_is_said(ask: Asking, business: seeding.Business) -> None:
    who = ids.encode("cus", business.customers["ada"])
    document = "query($id: ID!) { customer(by: {id: $id}) { metrics(keys: [%s]) { z } } }"
    for key, problem in (("happiness", "UNKNOWN_METRIC"), ("active_customers", "NOT_PERSONAL")):
        answer = await ask(document % f'"{key}"', id=who)
        assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "problem": problem}
