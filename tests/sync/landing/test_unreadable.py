from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync import dead_letters, runs
from sync.land import land
from sync.runs import Counts
from tenure_sdk import Account, Address, Customer, Identity, Page, Reject
from tests.sync.landing.conftest import STREAM

if TYPE_CHECKING:
    from uuid import UUID

    from tests.sync.landing.conftest import Landing

EVE = Customer(id="1", name="Eve", emails=("bad@@", "eve@example.org", " "), phones=("12", "+442079460958", "12"))
BAD_EMAIL = Reject(7, "emails", "bad@@", "is no e-mail address", "1")
BAD_PHONE = Reject(
    7, "phones", "12", "is no phone number; without an address in a country it needs its country code", "1"
)


async def letters(landing: Landing) -> list[tuple[Any, ...]]:
    found = "SELECT remote_id, line, field, value, landed, resolution FROM dead_letters WHERE $t ORDER BY id"
    return list(await landing.rows(found))


async def read_anew(landing: Landing) -> UUID:
    """Begin another run of the same stream."""
    async with landing.database.unit_of_work(landing.tenant) as work:
        await runs.finish(work, landing.run)
        integration = await runs.enabled(work, "shop", Account("1", "Shop"))
        landing.run = await runs.begin(work, integration, STREAM, mode="FULL")
    return landing.run.id


async def test_a_record_lands_with_what_can_be_read_and_the_rest_is_told(landing: Landing) -> None:
    landed = await landing.page(Page([EVE], lines={"1": 7}))
    assert landed.counts == Counts(read=1, created=1, unreadable=2)
    assert (landed.rejects, landed.unreadable) == ([], [BAD_EMAIL, BAD_PHONE])
    assert await landing.rows("SELECT display_name, primary_email, primary_phone FROM customers WHERE $t") == [
        ("Eve", "eve@example.org", "+442079460958")
    ]
    assert await landing.rows("SELECT normalised FROM identity_claims WHERE $t AND scheme <> 'external:shop:1'") == [
        ("eve@example.org",), ("+442079460958",)
    ]  # fmt: skip
    assert await letters(landing) == [("1", 7, "emails", "bad@@", True, None), ("1", 7, "phones", "12", True, None)]


async def test_a_value_that_stays_unreadable_is_told_by_each_run_and_kept_once(landing: Landing) -> None:
    await landing.page(Page([EVE], lines={"1": 7}))
    again = await read_anew(landing)
    landed = await landing.page(Page([EVE], lines={"1": 8}))
    assert landed.counts == Counts(read=1, unchanged=1, unreadable=2)
    assert [reject.value for reject in landed.unreadable] == ["bad@@", "12"]
    renamed = Customer(id="1", name="Eva", emails=EVE.emails, phones=EVE.phones)
    assert (await landing.page(Page([renamed], lines={"1": 9}))).counts == Counts(read=1, updated=1, unreadable=2)
    assert await landing.rows("SELECT line, value, run_id FROM dead_letters WHERE $t ORDER BY id") == [
        (9, "bad@@", again), (9, "12", again)
    ]  # fmt: skip


async def test_a_value_that_the_other_side_corrects_waits_no_longer(landing: Landing) -> None:
    await landing.page(Page([EVE], lines={"1": 7}))
    corrected = Customer(id="1", name="Eve", emails=("eve@example.org",), phones=("12",))
    assert (await landing.records(corrected)).counts == Counts(read=1, updated=1, unreadable=1)
    assert [(value, resolution) for _, _, _, value, _, resolution in await letters(landing)] == [
        ("bad@@", "CORRECTED"), ("12", None)
    ]  # fmt: skip


async def test_a_value_that_was_put_aside_does_not_come_back_and_trying_again_reads_no_better(landing: Landing) -> None:
    await landing.records(EVE)
    waiting = [row[0] for row in await landing.rows("SELECT id FROM dead_letters WHERE $t ORDER BY id")]
    async with landing.database.unit_of_work(landing.tenant) as work:
        assert await dead_letters.retry(work, waiting) == dead_letters.Retried([], waiting, [])
        await dead_letters.discard(work, waiting[:1])
    renamed = Customer(id="1", name="Eva", emails=EVE.emails, phones=EVE.phones)
    await landing.records(renamed)
    assert [(value, resolution) for _, _, _, value, _, resolution in await letters(landing)] == [
        ("bad@@", "DISCARDED"), ("12", None)
    ]  # fmt: skip


async def test_what_is_no_country_is_the_name_of_one_or_told(landing: Landing) -> None:
    named = Address(city="Pristina", country="XK")
    doubly = Address(country="ZZ", country_name="Zedland")
    landed = await landing.records(
        Customer(id="1", addresses=(named, doubly), phones=("020 7946 0958",), identities=(Identity("tax_id", "--"),))
    )
    assert [(each.field, each.value, each.reason) for each in landed.unreadable] == [
        ("addresses.country", "ZZ", "is no country (ISO 3166-1)"),
        ("phones", "020 7946 0958", BAD_PHONE.reason),
        ("identities", "--", "is no tax_id"),
    ]
    assert await landing.rows("SELECT country FROM customers WHERE $t") == [(None,)]
    assert await landing.rows("SELECT json_value FROM customer_facts WHERE $t AND key = 'address' ORDER BY id") == [
        ({"city": "Pristina", "country_name": "XK"},), ({"country_name": "Zedland"},)
    ]  # fmt: skip


async def test_what_an_importer_sends_is_placed(landing: Landing) -> None:
    async with landing.database.unit_of_work(landing.tenant) as work:
        landed = await land(work, landing.run, Page([Customer(id="2", attributes={"since": "x"})], lines={"2": 3}))
    assert [(each.line, each.field, each.value) for each in landed.rejects] == [(3, "attributes.since", "x")]
