"""CUR: a reading that is broken off goes on where it was, and nothing is lost at the seams."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from tenure_sdk.errors import CursorExpired
from tenure_sdk.pages import MAX_CURSOR_BYTES
from tenure_sdk.testing.bench import CHECKS, Bench, Breach, NotApplicable, check, marks, records_of, some
from tenure_sdk.testing.host import moment_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenure_sdk.connector import Stream
    from tenure_sdk.records import Record
    from tenure_sdk.testing.host import ReferenceHost
    from tenure_sdk.testing.remote import RemoteSide

MOST_KILLS = 8


@check(
    "CUR-1",
    "bronze",
    "A cursor is small, plain JSON without a secret",
    "Keep only what is needed to go on: a time, an id, a token of the remote side.",
)
async def cursors_are_plain(bench: Bench) -> None:
    """Every cursor of every page."""
    for stream in bench.streams():
        remote = bench.remote()
        if not remote.real:
            _seed_apart(remote, stream, 2 * remote.page_size + 1)
        host = bench.host(remote)
        for page in await host.pages(stream):
            problem = _unplain(page.cursor, host.secrets)
            if problem:
                raise Breach(seen=problem, expected="a JSON value of at most 16 KiB, without secrets", at=stream.method)


@check(
    "CUR-2",
    "bronze",
    "Killed after any page and resumed, nothing is missing",
    "Yield with each page a cursor that covers that page and those before it, and no more.",
)
async def resumes(bench: Bench) -> None:
    """Records that changed at different times."""
    for stream in bench.streams():
        remote = bench.remote()
        _seed_apart(remote, stream, 3 * remote.page_size + 1)
        await _kill_and_resume(bench, stream, remote)


@check(
    "CUR-3",
    "bronze",
    "Records that changed at the same moment survive a kill between them",
    "Ask for what changed at or after the cursor, never after it: what comes twice is dropped by the host.",
)
async def ties(bench: Bench) -> None:
    """Three pages of one moment."""
    await _needs("CUR-2", bench)
    for stream in bench.streams():
        remote = bench.remote()
        remote.seed(stream.name, 3 * remote.page_size)
        await _kill_and_resume(bench, stream, remote)


@check(
    "CUR-4",
    "silver",
    "What changes while it is read is seen in this run or the next",
    "Take the cursor from the records that were read, not from the clock after reading.",
)
async def changes_midway(bench: Bench) -> None:
    """One record that was read already, and one that was not."""
    await _needs("CUR-2", bench)
    for stream in bench.streams():
        remote = bench.remote()
        ids = _seed_apart(remote, stream, 3 * remote.page_size)
        host = bench.host(remote)
        await host.pull(stream, stop_after=1)
        again = bench.restarted(host)
        remote.clock.forward(1)
        for name in (ids[0], ids[-1]):
            remote.edit(stream.name, name)
        await again.pull(stream)
        remote.clock.forward(60)
        await again.pull(stream)
        whole = records_of(await bench.host(remote).pages(stream))
        _same(_landed(again), whole, stream)


@check(
    "CUR-5",
    "bronze",
    "After the last cursor only what is new is read",
    "Ask the remote side for what changed since the cursor, and yield the cursor with every page.",
)
async def reads_only_what_is_new(bench: Bench) -> None:
    """Nothing has changed since."""
    found = False
    for stream in bench.streams():
        if stream.cursor is None or stream.deletes == "snapshot":
            continue
        found = True
        remote = bench.remote()
        ids = _seed_apart(remote, stream, 3 * remote.page_size, seconds=max(60.0, stream.overlap.total_seconds()))
        host = bench.host(remote)
        await host.pull(stream)
        whole = list(host.read)
        host.read.clear()
        await host.pull(stream)
        latest = max((at for record in whole if (at := moment_of(record))), default=None)
        old = [record.id for record in host.read if _is_before(record, latest, stream.overlap)]
        if old or len(host.read) >= len(ids):
            seen = f"{len(host.read)} of {len(ids)} records again, such as {some(old)}"
            raise Breach(seen=seen, expected="those at the cursor, and no older ones", at=stream.method)
    if not found:
        raise NotApplicable("no stream has a cursor")


@check(
    "CUR-6",
    "silver",
    "A cursor of the future finds nothing and does no harm",
    "Pass the cursor on; do not compute with it.",
)
async def future_cursor(bench: Bench) -> None:
    """From a remote side whose clock was ten years ahead."""
    await _needs("CUR-5", bench)
    for stream in _with_cursor(bench):
        ahead, remote = bench.remote(), bench.remote()
        remote.seed(stream.name, remote.page_size)
        ahead.clock.forward(timedelta(days=3650).total_seconds())
        ahead.seed(stream.name, 1)
        early = bench.host(ahead)
        await early.pull(stream)
        try:
            found = records_of(await bench.host(remote).pages(stream, early.cursors.get(stream.name)))
        except CursorExpired:
            continue
        if found:
            raise Breach(seen=f"{len(found)} records", expected="none", at=stream.method)


@check(
    "CUR-7",
    "silver",
    "What is committed late is found within the overlap",
    "Ask for what changed since the cursor less the declared overlap.",
)
async def late_commits(bench: Bench) -> None:
    """A record whose time lies behind the cursor."""
    streams = [stream for stream in _with_cursor(bench) if stream.overlap]
    if not streams:
        raise NotApplicable("no stream declares an overlap")
    for stream in streams:
        remote = bench.remote()
        _seed_apart(remote, stream, 2)
        host = bench.host(remote)
        await host.pull(stream)
        now = remote.clock.at
        remote.clock.at = now - min(stream.overlap, timedelta(minutes=5)) * 0.9
        [late] = remote.seed(stream.name, 1)
        remote.clock.at = now + timedelta(seconds=1)
        await host.pull(stream)
        if not any(late in records for records in host.store.values()):
            raise Breach(seen=f"{late} was never read", expected=f"what lies {stream.overlap} back", at=stream.method)


@check(
    "CUR-8",
    "silver",
    "A cursor that has expired leads to a full reading",
    "Raise CursorExpired where the remote side no longer knows the cursor.",
)
async def expired_cursor(bench: Bench) -> None:
    """The remote side forgets."""
    if not bench.remote().cursors_expire:
        raise NotApplicable("the remote side's cursors do not expire")
    for stream in _with_cursor(bench):
        remote = bench.remote()
        ids = _seed_apart(remote, stream, 2 * remote.page_size)
        host = bench.host(remote)
        await host.pull(stream)
        remote.edit(stream.name, ids[0])
        remote.expire_cursors()
        await host.pull(stream)
        _same(_landed(host), records_of(await bench.host(remote).pages(stream)), stream)


@check("CUR-9", "silver", "Cursors of earlier versions can be read", "Translate them in migrate_cursor.")
async def old_cursors(bench: Bench) -> None:
    """Those of `old_cursors`."""
    if not bench.old_cursors:
        raise NotApplicable("no old_cursors are given: there was no release before")
    for stream in bench.streams():
        if stream.name in bench.old_cursors:
            version, cursor = bench.old_cursors[stream.name]
            host = bench.host()
            await host.pages(stream, host.connector().migrate_cursor(stream.name, version, cursor))


@check(
    "CUR-10",
    "silver",
    "Times are compared as moments, also when clocks are put back",
    "Keep times with their offset and compare them as datetimes, never as text.",
)
async def clocks_put_back(bench: Bench) -> None:
    """A remote side in a zone whose clocks are put back between the records."""
    await _needs("CUR-2", bench)
    for stream in _with_cursor(bench):
        remote = bench.remote()
        remote.zone = ZoneInfo("America/Los_Angeles")
        remote.clock.at = datetime(2026, 11, 1, 8, 5, tzinfo=UTC)
        wanted: dict[str, datetime] = {}
        for _ in range(2 * remote.page_size):
            wanted |= dict.fromkeys(remote.seed(stream.name, 1), remote.clock.at)
            remote.clock.forward(600)
        for record in records_of(await bench.host(remote).pages(stream)):
            at = moment_of(record)
            if at is not None and record.id in wanted and abs(at - wanted[record.id]) > timedelta(seconds=1):
                raise Breach(seen=f"{record.id} changed at {at}", expected=f"{wanted[record.id]}", at=stream.method)
        await _kill_and_resume(bench, stream, remote)


@check(
    "CUR-11",
    "silver",
    "An answer that is cut at the remote side's cap is noticed",
    "Where an answer has as many records as the cap, ask again with a smaller window.",
)
async def response_cap(bench: Bench) -> None:
    """More changes than an answer takes."""
    cap = bench.remote().cap
    if cap is None:
        raise NotApplicable("the remote side's answers are not cut")
    for stream in _with_cursor(bench):
        remote = bench.remote()
        _seed_apart(remote, stream, 1)
        host = bench.host(remote)
        await host.pull(stream)
        remote.clock.forward(60)
        _seed_apart(remote, stream, 2 * cap + 1)
        await host.pull(stream)
        _same(_landed(host), records_of(await bench.host(remote).pages(stream)), stream)
        if len(host.store.get(host.kind(stream), {})) != remote.count(stream.name):
            seen = f"{len(host.store.get(host.kind(stream), {}))} records"
            raise Breach(seen=seen, expected=f"{remote.count(stream.name)}", at=stream.method)


async def _kill_and_resume(bench: Bench, stream: Stream, remote: RemoteSide) -> None:
    pages = await bench.host(remote).pages(stream)
    whole = records_of(pages)
    kills = (
        range(len(pages)) if len(pages) <= MOST_KILLS else (*range(MOST_KILLS // 2), *range(len(pages) - 4, len(pages)))
    )
    for kill in kills:
        host = bench.host(remote)
        await host.pull(stream, stop_after=kill)
        again = bench.restarted(host)
        await again.pull(stream)
        _same(_landed(again), whole, stream, f"killed after page {kill} and resumed")


def _same(landed: list[Any], whole: list[Record], stream: Stream, when: str = "") -> None:
    has, wanted = marks(landed), marks(whole)
    missing = [name[1] for name in wanted.keys() - has.keys()]
    stale = [name[1] for name, mark in wanted.items() if name in has and has[name] != mark]
    if missing or stale:
        before = f"{when}: " if when else ""
        seen = f"{before}missing: {some(missing) or 'none'}; not up to date: {some(stale) or 'none'}"
        raise Breach(seen=seen, expected=f"all {len(wanted)} records as they are", at=stream.method)


async def _needs(earlier: str, bench: Bench) -> None:
    """A check that would only repeat what another one found does not apply."""
    if earlier not in bench.outcomes:
        try:
            await CHECKS[earlier].run(bench)
        except Breach:
            bench.outcomes[earlier] = "failed"
    if bench.outcomes.get(earlier) == "failed":
        raise NotApplicable(f"what {earlier} found comes first")


def _landed(host: ReferenceHost) -> list[Any]:
    return [record for records in host.store.values() for record in records.values()]


def _seed_apart(remote: RemoteSide, stream: Stream, count: int, *, seconds: float = 1.0) -> list[str]:
    """Records that changed one after the other."""
    ids: list[Sequence[str]] = []
    for _ in range(count):
        ids.append(remote.seed(stream.name, 1))
        remote.clock.forward(seconds)
    return list(itertools.chain(*ids))


def _with_cursor(bench: Bench) -> list[Stream]:
    found = [stream for stream in bench.streams() if stream.cursor is not None]
    if not found:
        raise NotApplicable("no stream has a cursor")
    return found


def _is_before(record: Record, latest: datetime | None, overlap: timedelta) -> bool:
    at = moment_of(record)
    return at is not None and latest is not None and at < latest - overlap


def _unplain(cursor: Any, secrets: set[str]) -> str | None:
    try:
        written = msgspec.json.encode(cursor, enc_hook=_refuse)
    except (TypeError, ValueError) as problem:
        return f"{type(cursor).__name__}: {problem}"
    if type(cursor) not in {str, int, float, bool, dict, list, type(None)}:
        return f"a {type(cursor).__name__}, which comes back from storage as something else"
    if len(written) > MAX_CURSOR_BYTES:
        return f"a cursor of {len(written)} bytes"
    if any(secret.encode() in written for secret in secrets):
        return "a cursor with a secret in it"
    return None


def _refuse(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} is no JSON")
