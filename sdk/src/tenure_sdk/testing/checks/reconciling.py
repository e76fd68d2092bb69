"""REC and PER: whether both sides are equal can be counted, and is counted fast."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tenure_sdk.connector import Control, Listing
from tenure_sdk.pages import LinePage
from tenure_sdk.testing.bench import Bench, Breach, by_id, check, records_of, some

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDS_PER_SECOND = 10_000
MOST_TIMES = 5


@check(
    "REC-1",
    "gold",
    "The totals are those of the stream",
    'Declare @totals for each stream, with sums named by field and currency: {"total EUR": ...}.',
)
async def totals_agree(bench: Bench) -> None:
    """The number of records, and the sums that name a field and a currency."""
    _for_each_stream(bench, Control)
    for control in bench.connector.declared(Control):
        remote = bench.remote()
        stream = next(stream for stream in bench.streams() if stream.name == control.stream)
        ids = remote.seed(stream.name, 2 * remote.page_size + 1)
        if stream.deletes != "none":
            remote.remove(stream.name, ids[0])
        host = bench.host(remote)
        told = await control.bound(host.connector())(host.context(), None)
        records = [record for record in records_of(await host.pages(stream)) if not record.deleted]
        found = by_id(records)
        sums = {name: _sum(list(found.values()), name) for name in told.sums}
        if told.count != len(found) or any(sums[name] != amount for name, amount in told.sums.items()):
            seen = f"{told.count} records, {dict(told.sums)}"
            raise Breach(seen=seen, expected=f"{len(found)} records, {sums}", at=control.method)


@check(
    "REC-2",
    "gold",
    "The listed ids are those of the stream",
    "Declare @ids for each stream, and list all pages with the version that the stream gives.",
)
async def ids_agree(bench: Bench) -> None:
    """Ids, and versions where they are told."""
    _for_each_stream(bench, Listing)
    for listing in bench.connector.declared(Listing):
        remote = bench.remote()
        stream = next(stream for stream in bench.streams() if stream.name == listing.stream)
        ids = remote.seed(stream.name, 2 * remote.page_size + 1)
        if stream.deletes != "none":
            remote.remove(stream.name, ids[0])
        host = bench.host(remote)
        told = {each.id: each.version for each in await host.ids(listing)}
        found = {record.id: record.version for record in records_of(await host.pages(stream)) if not record.deleted}
        wrong = [name for name in told.keys() & found.keys() if told[name] not in {None, found[name]}]
        if told.keys() != found.keys() or wrong:
            seen = f"differing ids: {some(told.keys() ^ found.keys()) or 'none'}; versions: {some(wrong) or 'none'}"
            raise Breach(seen=seen, expected=f"the {len(found)} ids of the stream", at=listing.method)


@check(
    "REC-3",
    "gold",
    "Twenty differences are found and mended",
    "Let @ids, @fetch and the stream give the same ids and versions.",
)
async def differences_are_mended(bench: Bench) -> None:
    """Five of each kind."""
    for listing in bench.declared(Listing):
        stream = next(stream for stream in bench.streams() if stream.name == listing.stream)
        if not bench.fetches(stream.records[0]):
            continue
        remote = bench.remote()
        ids = list(remote.seed(stream.name, 30))
        host = bench.host(remote)
        await host.pull(stream)
        remote.clock.forward(60)
        records = host.store[host.kind(stream)]
        wanted = {}
        for each in ids[:5]:
            del records[each]
            wanted[each] = "missing_local"
        for number in range(5):
            records[f"ghost-{number}"] = msgspec.structs.replace(records[ids[20]], id=f"ghost-{number}")
            wanted[f"ghost-{number}"] = "missing_remote"
        for each in ids[5:10]:
            remote.edit(stream.name, each)
            wanted[each] = "different"
        wanted |= dict.fromkeys(remote.seed(stream.name, 5), "missing_local")
        found = await host.reconcile(stream, listing)
        if found != wanted:
            differs = {name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)}
            raise Breach(seen=f"otherwise: {some(differs)}", expected="the 20 differences", at=listing.method)
        await host.repair(stream, found)
        left = await host.reconcile(stream, listing)
        if left:
            raise Breach(seen=f"still different: {some(set(left))}", expected="none", at=listing.method)


@check(
    "PER-1",
    "gold",
    "It reads 10,000 records in a second of the processor",
    "Map rows without converting them twice, and ask for large pages.",
)
async def fast_enough(bench: Bench) -> None:
    """The first stream, against the remote of the tests: the fastest of a few times, as others are at work too."""
    stream = bench.streams()[0]
    remote = bench.remote()
    remote.page_size = 1000
    remote.seed(stream.name, remote.large)
    found = 0.0
    for _ in range(MOST_TIMES):
        host = bench.host(remote)
        start = time.process_time()
        pages = await host.pages(stream)
        seconds = time.process_time() - start
        count = sum(len(page.rows) if isinstance(page, LinePage) else len(page.records) for page in pages)
        found = max(found, count / seconds)
        if found >= RECORDS_PER_SECOND:
            return
    raise Breach(seen=f"{found:,.0f} records a second", expected=f"at least {RECORDS_PER_SECOND:,}", at=stream.method)


def _for_each_stream(bench: Bench, kind: type[Control | Listing]) -> None:
    told = {each.stream for each in bench.connector.declared(kind)}
    missing = [stream.name for stream in bench.streams() if stream.name not in told]
    if missing:
        name = "totals" if kind is Control else "ids"
        raise Breach(seen=f"no @{name} of {some(missing)}", expected=f"@{name} of every stream")


def _sum(records: Sequence[Any], name: str) -> Decimal | None:
    """The sum of a field over the records of a currency, as `total EUR` names them; None for another name."""
    field, _, currency = name.rpartition(" ")
    if not field or not all(hasattr(record, field) for record in records):
        return None
    amounts = (getattr(record, field) for record in records if record.currency == currency)
    return sum((Decimal(str(amount)) for amount in amounts if amount is not None), Decimal(0))
