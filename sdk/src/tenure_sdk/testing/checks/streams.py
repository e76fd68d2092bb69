"""STR and SCH: what a stream yields, whatever the remote side has in its rows."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from tenure_sdk.connector import Connector, Stream
from tenure_sdk.pages import REQUIRED_LINE_COLUMNS, LinePage, Page
from tenure_sdk.records import RECORD_TYPES, Record, record_type
from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, by_id, check, records_of, some
from tenure_sdk.testing.elsewhere import address_of, ask
from tenure_sdk.testing.values import inexact, problem_of, values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenure_sdk.testing.remote import RemoteSide

LARGEST_PAGE = 5_000
STRANGE = "Ünïcode 日本語 علی‌رضا \u202eRTL\u202c 👩‍👩‍👧 \"'<b>&amp;\\ %s {0} "


@check("STR-1", "bronze", "Every stream yields what the remote side has", "Read all pages, and leave no record out.")
async def streams_yield(bench: Bench) -> None:
    """More than a page of each."""
    for stream, remote in _seeded(bench):
        pages = await bench.host(remote).pages(stream)
        wanted = 1 if remote.real else 2 * remote.page_size + 1
        found = {record.id for record in records_of(pages)} or {row[0] for page in pages for row in _rows(page)}
        if len(found) < wanted:
            raise Breach(seen=f"{len(found)} records", expected=f"{wanted}, as the remote side has", at=stream.method)


@check(
    "STR-2",
    "bronze",
    "Every record is one by its type",
    'Give the field the type that it has in the page "Records" (an id is text: str(row["id"])), and reject the record'
    " where the remote side has no such value.",
)
async def records_are_valid(bench: Bench) -> None:
    """But for money, currencies and times, which are another check's."""
    for stream, remote in _seeded(bench):
        for page in await bench.host(remote).pages(stream):
            if isinstance(page, LinePage):
                missing = set(REQUIRED_LINE_COLUMNS) - set(page.columns)
                if missing:
                    raise Breach(
                        seen=f"lines without {some(missing)}", expected="every required column", at=stream.method
                    )
                continue
            for record in page.records:
                problem = problem_of(record)
                if problem is not None:
                    expected = f"a {type(record).__name__} as tenure_sdk.records says"
                    raise Breach(seen=f"{record.id}: {problem}", expected=expected, at=stream.method)


@check(
    "STR-3",
    "bronze",
    "Ids are there, and each comes once in a reading",
    "Use the remote side's own id, and ask for pages in an order that does not change while you read.",
)
async def ids_are_unique(bench: Bench) -> None:
    """By type and id."""
    for stream, remote in _seeded(bench):
        seen: set[tuple[str, str]] = set()
        for record in records_of(await bench.host(remote).pages(stream)):
            name = record_type(record), record.id
            if not isinstance(record.id, str) or not record.id:
                raise Breach(seen=f"the id {record.id!r}", expected="a text that is not empty", at=stream.method)
            if name in seen:
                raise Breach(seen=f"{record.id} twice in one reading", expected="each id once", at=stream.method)
            seen.add(name)


@check(
    "STR-4",
    "bronze",
    "Money is Decimal, currencies are ISO 4217, times have a zone",
    "Make amounts with Decimal(text), write currencies as EUR, and give every time its zone.",
)
async def values_are_exact(bench: Bench) -> None:
    """Every value of every record, at any depth."""
    for stream, remote in _seeded(bench):
        for record in records_of(await bench.host(remote).pages(stream)):
            for path, value in values(record, record_type(record)):
                problem = inexact(path, value)
                if problem:
                    raise Breach(seen=f"{path} = {value!r}", expected=problem, at=stream.method)


@check(
    "STR-5",
    "bronze",
    "Two readings of the same are the same",
    "Take nothing into a record that the remote side did not send: no time of reading, no random id.",
)
async def readings_agree(bench: Bench) -> None:
    """A while apart."""
    for stream, remote in _seeded(bench):
        first = records_of(await bench.host(remote).pages(stream))
        remote.clock.forward(7)
        second = records_of(await bench.host(remote).pages(stream))
        if by_id(first) != by_id(second):
            differs = [name[1] for name, record in by_id(first).items() if by_id(second).get(name) != record]
            raise Breach(
                seen=f"another reading has others: {some(differs)}", expected="equal records", at=stream.method
            )


@check(
    "STR-6",
    "silver",
    "Pages are small, and the first comes before the last is asked for",
    "Yield each page of the remote side as it comes, at most 5,000 records at once.",
)
async def pages_are_small(bench: Bench) -> None:
    """`large` records of each stream."""
    for stream in bench.streams():
        remote = bench.remote()
        remote.page_size = 1000
        remote.seed(stream.name, remote.large)
        host = bench.host(remote)
        early, read = 0, 0
        async with aclosing(stream.read(host.connector(), host.context())) as pages:
            async for page in pages:
                early = early or len(host.wire.calls)
                read += 1
                size = len(page.records) if isinstance(page, Page) else len(page.rows)
                if size > LARGEST_PAGE:
                    raise Breach(seen=f"a page of {size}", expected=f"at most {LARGEST_PAGE}", at=stream.method)
        if (read == 1 and len(host.wire.calls) > 2) or (early > 2 and early == len(host.wire.calls)):
            seen = f"{early} of {len(host.wire.calls)} requests before the first page"
            raise Breach(seen=seen, expected="a page as soon as it is there", at=stream.method)


@check("STR-7", "silver", "The order does not depend on chance", "Do not walk through a set: sort it, or use a dict.")
async def order_is_fixed(bench: Bench) -> None:
    """In two interpreters with other hash seeds."""
    bench.streams()
    if not isinstance(bench.remote_class, type):
        raise NotApplicable("the remote of the tests is no class: another process cannot find it")
    addresses = address_of(bench.connector), address_of(bench.remote_class)
    one, two = (ask("ordered", *addresses, seed=seed) for seed in ("1", "2"))
    for stream, ids in one.items():
        if ids != two[stream]:
            raise Breach(seen=f"{some(ids[:3])}... and {some(two[stream][:3])}...", expected="one order", at=stream)


@check("STR-8", "bronze", "Text of any script and length survives", "Do not cut, escape or re-encode text.")
async def text_survives(bench: Bench) -> None:
    """Many scripts, then as long as the remote side takes it."""
    for stream in bench.streams():
        remote = bench.remote()
        text = (STRANGE * (remote.longest_text // len(STRANGE) + 1))[: remote.longest_text].strip()
        name = remote.seed_text(stream.name, text)
        found = [record for record in records_of(await bench.host(remote).pages(stream)) if record.id == name]
        texts = [value for record in found for _, value in values(record, "") if isinstance(value, str)]
        if not any(text in each for each in texts):
            longest = max((len(each) for each in texts), default=0)
            seen = f"{len(found)} records, the longest text has {longest} characters"
            raise Breach(seen=seen, expected=f"the text of {len(text)} characters as it is", at=stream.method)


@check(
    "SCH-1",
    "bronze",
    "A field that nobody knows is kept in `extra`",
    "Set extra=left_over(row, ...) with the names that have a field.",
)
async def unknown_fields_are_kept(bench: Bench) -> None:
    """One more field in a row."""
    for stream in bench.streams():
        remote = bench.remote()
        record_id, name, text = remote.seed_unknown(stream.name)
        found = [record for record in records_of(await bench.host(remote).pages(stream)) if record.id == record_id]
        extra = found[0].extra if found else {}
        if text not in map(str, extra.values()):
            seen = f"extra = {extra!r}" if found else "the record is missing"
            raise Breach(seen=seen, expected=f"{name} with {text!r} in extra", at=stream.method)


@check(
    "SCH-2",
    "bronze",
    "A field that is not there is None",
    'Read what the remote side may leave out with row.get("...").',
)
async def missing_fields_are_none(bench: Bench) -> None:
    """A row with nothing but what is required."""
    for stream in bench.streams():
        await _needs_valid(bench, stream)
        remote = bench.remote()
        record_id = remote.seed_bare(stream.name)
        host = bench.host(remote, strict=True)
        await host.pull(stream)
        if not any(record.id == record_id for record in host.read) or host.dead:
            reasons = some(list(host.dead.values())) or "the record is missing"
            raise Breach(seen=reasons, expected="the record, with None in those fields", at=stream.method)


@check(
    "SCH-3",
    "silver",
    "A value of a wrong type costs that record only",
    "Map rows with `mapped`, which sets aside the one that fails.",
)
async def wrong_types_cost_one_record(bench: Bench) -> None:
    """One spoilt row among good ones; it may have made several records, of which one has its id."""
    for stream in bench.streams():
        await _needs_valid(bench, stream)
        remote = bench.remote()
        ids = remote.seed(stream.name, 2 * remote.page_size + 1)
        whole = {name[1] for name in by_id(records_of(await bench.host(remote).pages(stream)))} & set(ids)
        spoilt = sorted(whole)[1]
        remote.spoil(stream.name, spoilt)
        host = bench.host(remote, strict=True)
        await host.pull(stream)
        lost = whole - {each for records in host.store.values() for each in records} - {spoilt}
        if lost:
            raise Breach(seen=f"{some(lost)} are missing too", expected="only the spoilt record", at=stream.method)
        if (stream.name, spoilt) not in host.dead and not _reads_anyway(host.read, spoilt):
            raise Breach(seen="nobody hears of it", expected="a Reject with its id and a reason", at=stream.method)


@check(
    "SCH-4",
    "gold",
    "The account's own fields are those in its records",
    "Let custom_fields ask the remote side, and use the same keys in `attributes`.",
)
async def custom_fields_match(bench: Bench) -> None:
    """Declared and used."""
    if bench.connector.custom_fields is Connector.custom_fields:
        raise NotApplicable("custom_fields is not overridden")
    host = bench.host()
    fields = await host.connector().custom_fields(host.context())
    wrong = [field.key for field in fields if field.of not in RECORD_TYPES or not field.title]
    if wrong:
        raise Breach(seen=f"{some(wrong)} of no record type, or without title", expected="both", at="custom_fields")
    known = {(field.of, field.key) for field in fields}
    for stream, remote in _seeded(bench):
        for record in records_of(await bench.host(remote).pages(stream)):
            used = {(record_type(record), key) for key in getattr(record, "attributes", {})}
            if used - known:
                unknown = some([key for _, key in used - known])
                raise Breach(seen=f"records have {unknown}", expected="a Field for each", at="custom_fields")


def _seeded(bench: Bench) -> Iterator[tuple[Stream, RemoteSide]]:
    """Each stream with a remote side of its own that has some of it."""
    for stream in bench.streams():
        yield stream, bench.filled(stream)


async def _needs_valid(bench: Bench, stream: Stream) -> None:
    """What the remote side has there is read without complaint. Raises NotApplicable where it is not."""
    remote = bench.remote()
    remote.seed(stream.name, 1)
    host = bench.host(remote, strict=True)
    await host.pull(stream)
    if host.dead:
        raise NotApplicable("good records are rejected too: see STR-2")


def _rows(page: Page | LinePage) -> Iterator[tuple[Any, ...]]:
    if isinstance(page, LinePage):
        yield from page.rows


def _reads_anyway(read: list[Record], record_id: str) -> bool:
    """The connector made a good record of it all the same."""
    return any(record.id == record_id for record in read)
