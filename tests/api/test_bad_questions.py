"""What cannot be measured: for each bad input what is answered, what to do is in it, and nothing has changed."""

from __future__ import annotations

from asyncio import to_thread
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest
from typer.testing import CliRunner

from api.problems import BadUserInput
from cli.main import app
from domain.initiatives.queries import NotMeasured, UnknownInitiative
from domain.metrics.settling import roll_up
from domain.tenants import queries as tenants
from tests import snapshots
from tests.api.business import COST, KPI, Business, found
from tests.conftest import dsn, new_tenant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

    from api.engine import Engine
    from domain.core.database import Database
    from domain.core.problems import DomainError
    from tests.conftest import Logins

PLAN = {"name": "Calls", "goLiveOn": "2025-05-01", "baselineDays": 60}
WHY = """problems { __typename code message path ... on TooEarly { earliestAt rule }
  ... on NotEnoughData { have need of } ... on TierNotPossible { possible } }"""
FIGURES = """query ($keys: [String!]!, $window: WindowInput!, $options: MetricOptions) {
  metrics(keys: $keys, window: $window, options: $options) { total { value missing } } }"""
NOBODY = "0190" + "0" * 28


async def bought(business: Business, database: Database, who: str, *days: str) -> None:
    """What is known of somebody's purchases once the relay has been there."""
    for day in days:
        order = {"customer": who, "occurredAt": f"{day}T10:00:00Z", "currency": "EUR", "total": "20.00"}
        await business.caller.do("recordOrder", order)
    async with database.unit_of_work(business.caller.identity.tenant_id) as work:
        await roll_up(work, [UUID(who[4:])])


async def planned(business: Business, **more: Any) -> str:
    made = await business.caller.do("createInitiative", {**PLAN, **more}, "initiative { id }")
    return str(made["initiative"]["id"])


@pytest.fixture(scope="module")
async def empty(engine: Engine, database: Database) -> Business:
    """One where nobody bought before 2026, so that there is no baseline for anything."""
    return await found(engine, database, await new_tenant(database))


@pytest.fixture(scope="module")
async def shop(engine: Engine, database: Database, logins: Logins) -> tuple[Business, dict[str, str]]:
    """One whose two customers bought once before 2 March 2025, and one of them twice after it; and its initiatives."""
    business = await found(engine, database, await new_tenant(database))
    await bought(business, database, business.acme, "2025-01-10", "2025-03-20", "2025-04-10", "2025-05-20")
    await bought(business, database, business.ada, "2025-01-20")
    whose: dict[str, dict[str, Any]] = {
        "one-time": {"goLiveOn": "2025-02-01", "baselineDays": 20}, "future": {"goLiveOn": "2031-01-01"},
        "long": {"baselineDays": 300}, "first": {"goLiveOn": "2025-01-10"}, "strict": {"tier": "RIGOROUS"},
        "broken": {}, "sealed": {}, "planned": {}, "gone": {},
    }  # fmt: skip
    made = {name: await planned(business, **more) for name, more in whose.items()}
    for name in ("one-time", "strict", "broken", "sealed"):
        await business.caller.do("sealBaseline", {"id": made[name]})
    superuser = await asyncpg.connect(dsn(logins.superuser))
    broken = "SELECT id FROM baseline.seals WHERE initiative_id = $1"
    done = await superuser.execute(
        f"UPDATE baseline.sealed_days SET amount = amount + 1 WHERE seal_id = ({broken})", UUID(made["broken"][4:])
    )  # fmt: skip
    await superuser.execute("UPDATE initiatives SET status = 'SEALED' WHERE id = $1", UUID(made["gone"][4:]))
    await superuser.close()
    assert done != "UPDATE 0"
    return business, made


@pytest.fixture(scope="module", autouse=True)
async def unchanged(logins: Logins, empty: Business, shop: tuple[Business, dict[str, str]]) -> AsyncIterator[None]:
    """Whatever the tests here send, nothing changes."""
    del empty, shop
    async with snapshots.opened(logins) as tables, tables.nothing_changes():
        yield


Told = dict[str, Any]
SEAL, MEASURE = "sealBaseline", "takeMeasurement"
REFUSED: dict[str, tuple[str, str, Told]] = {
    "before go-live": (SEAL, "future", {
        "__typename": "TooEarly", "code": "TOO_EARLY", "earliestAt": "2031-01-01", "rule": "GO_LIVE",
        "message": "The days before go-live are not over. Seal on 2031-01-01, or later.",
    }),
    "a window that begins before the first data": (SEAL, "long", {
        "__typename": "InvalidInput", "code": "WINDOW_BEFORE_DATA",
        "message": "The baseline begins on 2024-07-05, before 2025-01-10, the first day that is known."
                   " Choose at most 55 days.",
    }),
    "a window that ends before the first data": (SEAL, "first", {
        "__typename": "NotEnoughData", "code": "NOT_ENOUGH_DATA", "have": 0, "need": 2,
        "of": "days from the first purchase to go-live",
    }),
    "sealing twice": (SEAL, "sealed", {
        "__typename": "Conflict", "code": "ALREADY_SEALED", "path": ["id"],
        "message": "The baseline of this initiative is sealed: neither it nor what it was sealed for can change."
                   " Plan another one.",
    }),
    "measuring without a seal": (MEASURE, "planned", {"__typename": "Conflict", "code": "NOT_SEALED", "path": ["id"]}),
    "all customers one-time buyers": (MEASURE, "one-time", {
        "__typename": "NotEnoughData", "code": "INSUFFICIENT_DATA", "have": 0, "need": 1,
        "of": "customers who bought twice within the baseline",
    }),
    "a broken seal": (MEASURE, "broken", {
        "__typename": "Conflict", "code": "SEAL_BROKEN",
        "message": "The sealed baseline was altered: nothing is compared with it. `tenure baseline verify` says where"
                   " it breaks.",
    }),
    "nobody left alone and too few weeks": (MEASURE, "strict", {
        "__typename": "TierNotPossible", "code": "TIER_NOT_POSSIBLE", "possible": ["QUICK", "STANDARD"],
    }),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_an_initiative_that_cannot_be_sealed_or_measured(
    shop: tuple[Business, dict[str, str]], case: str
) -> None:
    name, which, told = REFUSED[case]
    thing = "initiative" if name == SEAL else "measurement"
    (problem,) = (await shop[0].caller.payload(name, {"id": shop[1][which]}, f"{thing} {{ id }} {WHY}"))["problems"]
    assert {key: problem[key] for key in told} == told


async def test_one_time_buyers_give_no_date(shop: tuple[Business, dict[str, str]]) -> None:
    document = """query ($id: ID!) { node(id: $id) { ... on Initiative { baseline { waiting {
      earliestMeasurementOn preliminaryBeginBy gaps { medianGap } } } } } }"""
    answer = await shop[0].caller.answer(document, id=shop[1]["one-time"])
    waiting = answer["data"]["node"]["baseline"]["waiting"]
    assert (waiting["earliestMeasurementOn"], waiting["preliminaryBeginBy"]) == (None, None)


async def test_an_empty_tenant_has_nothing_to_seal_and_no_models(empty: Business) -> None:
    answer = await empty.caller.answer("{ models { kind } customerEquity { missing current { value { amount } } } }")
    nothing = {"missing": "NOT_FITTED", "current": {"value": None}}
    assert answer["data"] == {"models": [], "customerEquity": nothing}
    keys = ["retention", "nps", "p_alive", "conversion_rate", "acquisition_cost"]
    for window, missing in (
        ({"start": "1990-01-01", "end": "1990-02-01"}, ["NO_DATA"] * 5),
        ({"start": "2026-03-02", "end": "2026-04-01"},
         ["DENOMINATOR_ZERO", "DENOMINATOR_ZERO", "NO_DATA", "DENOMINATOR_ZERO", "DENOMINATOR_ZERO"]),
    ):  # fmt: skip
        answer = await empty.caller.answer(FIGURES, keys=keys, window=window)
        totals = [each["total"] for each in answer["data"]["metrics"]]
        assert ([each["value"] for each in totals], [each["missing"] for each in totals]) == ([None] * 5, missing)


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ({"start": "2999-01-01", "end": "2999-02-01"}, "WINDOW_IN_FUTURE"),
        ({"start": "2026-02-01", "end": "2026-01-01"}, "WINDOW_EMPTY"),
        ({"end": "2026-01-01"}, "WINDOW_OPEN"),
        ({"start": "1900-01-01", "end": "2026-01-01"}, "WINDOW_TOO_LONG"),
    ],
)
async def test_a_window_that_is_none(empty: Business, window: dict[str, str], problem: str) -> None:
    answer = await empty.caller.answer(FIGURES, keys=["revenue"], window=window)
    assert [error["extensions"]["problem"] for error in answer["errors"]] == [problem]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-30"])
async def test_a_day_that_is_none_or_endless(empty: Business, day: str) -> None:
    with pytest.raises(BadUserInput, match="A day is expected"):
        await empty.caller.answer(FIGURES, keys=["revenue"], window={"start": day, "end": "2026-01-01"})


MONEY = {"amount": "1", "currency": "USD"}
EMPTY = {"start": "2026-03-01", "end": "2026-03-01"}
PATHS: dict[str, tuple[str, Told, str, list[str] | None]] = {
    "a currency without a rate": ("recordCost", {**COST, "money": MONEY}, "NO_RATE_FOR_COST", ["money", "currency"]),
    "the same of an initiative": (
        "createInitiative", {**PLAN, "costs": [{"money": {**MONEY, "currency": "EUR"}}, {"money": MONEY}]},
        "NO_RATE_FOR_COST", ["costs", "1", "money", "currency"],
    ),
    "too many decimals": (
        "createInitiative", {**PLAN, "costs": [{"money": {"amount": "0.001", "currency": "EUR"}}]}, "TOO_PRECISE",
        ["costs", "0", "money", "amount"],
    ),
    "a period without a day": (
        "createInitiative", {**PLAN, "costs": [{"money": MONEY, "period": EMPTY}]}, "PERIOD_IS_EMPTY",
        ["costs", "0", "period", "end"],
    ),
    "a smallest change that is none": (
        "createInitiative", {**PLAN, "minimumEffects": [
            {"question": "FREQUENCY", "change": "0.1"}, {"question": "SIZE", "change": "2"},
        ]}, "BAD_MINIMUM_EFFECT", ["minimumEffects", "1", "change"],
    ),
    "an unknown metric": (
        "createObjective", {"statement": "More.", "kpis": [KPI, {**KPI, "metric": "luck"}]}, "UNKNOWN_METRIC",
        ["kpis", "1", "metric"],
    ),
    "a segment that is not there": (
        "previewSegment", {"criteria": {"segment": f"seg_{NOBODY}"}}, "UNKNOWN_SEGMENT", ["criteria", "segment"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PATHS)
async def test_a_problem_points_into_the_input(empty: Business, case: str) -> None:
    name, asked, code, path = PATHS[case]
    problem = await empty.caller.refused(name, asked)
    assert (problem["code"], problem["path"]) == (code, path)


async def test_what_a_sealed_one_is_for_is_named_as_it_was_asked(
    shop: tuple[Business, dict[str, str]],
) -> None:
    business, made = shop
    for changed, path in (({"customers": [business.ada]}, "customers"), ({"baselineDays": 61}, "baselineDays")):
        asked = {**PLAN, **changed, "id": made["sealed"], "version": 2}
        problem = await business.caller.refused("updateInitiative", asked)
        assert (problem["code"], problem["path"]) == ("ALREADY_SEALED", [path])


async def said(business: Business, database: Database, logins: Logins, *words: str) -> Result:
    """What a command says of this tenant. Raises what refuses it."""
    tenant = business.caller.identity.tenant_id
    async with database.reading(tenant) as reading:
        slug = (await tenants.tenant(reading)).slug
    environment = {"TENURE_DATABASE_URL": logins.server.render_as_string(hide_password=False)}
    return await to_thread(
        CliRunner().invoke, app, [*words, "--tenant", slug], env=environment, catch_exceptions=False
    )  # fmt: skip


async def test_a_command_tells_which_seal_is_broken(
    shop: tuple[Business, dict[str, str]], database: Database, logins: Logins
) -> None:
    business, made = shop
    found = await said(business, database, logins, "baseline", "verify")
    intact = {line.split()[0]: "intact" in line for line in found.stdout.splitlines() if line.startswith("ini_")}
    assert found.exit_code == 1
    sealed = ("one-time", "strict", "broken", "sealed", "gone")
    assert intact == {made[name]: name not in {"broken", "gone"} for name in sealed}


async def test_a_command_tells_whether_a_head_that_was_kept_is_still_there(
    shop: tuple[Business, dict[str, str]], database: Database, logins: Logins
) -> None:
    business, made = shop
    lines = (await said(business, database, logins, "baseline", "verify")).stdout.splitlines()
    heads = {line.split()[0]: line.split()[-1] for line in lines if line.startswith("ini_")}
    kept, broken = heads[made["sealed"]], heads[made["broken"]]
    asked = ("--head", kept, "--head", kept[:16].upper(), "--head", broken, "--head", "0" * 64)
    found = await said(business, database, logins, "baseline", "verify", *asked)
    told = [" ".join(line.split()[1:]) for line in found.stdout.splitlines()[-4:]]
    of_sealed = f"the head of {made['sealed']}"
    assert told == [of_sealed, of_sealed, "IN NO INTACT CHAIN", "IN NO INTACT CHAIN"]
    assert found.exit_code == 1
    wrong = await said(business, database, logins, "baseline", "verify", "--head", "abc")
    assert (wrong.exit_code, "64 hexadecimal digits" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("which", "problem", "message"),
    [
        ("sealed", NotMeasured, "This initiative was not measured yet. Take a measurement first."),
        ("nobody's", UnknownInitiative, "There is no initiative with this id here."),
        ("no id", UnknownInitiative, "There is no initiative with this id here."),
    ],
)
async def test_a_command_reports_nothing_of_what_was_not_measured(
    shop: tuple[Business, dict[str, str]], database: Database, logins: Logins, tmp_path: Path, which: str,
    problem: type[DomainError], message: str,
) -> None:  # fmt: skip
    initiative = {**shop[1], "nobody's": f"ini_{NOBODY}", "no id": "calls"}[which]
    with pytest.raises(problem) as refused:
        await said(shop[0], database, logins, "initiative", "report", initiative, "--out", str(tmp_path / "page"))
    assert refused.value.message.startswith(message)
