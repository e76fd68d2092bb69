"""ERR and RAT: a remote side that fails, refuses or asks for patience."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from tenure_sdk.connector import Push, Stream
from tenure_sdk.errors import ConnectorError, PermissionDenied, RateLimited, Transient
from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, check, marks, records_of
from tenure_sdk.testing.wire import READS, Fault, cut, html, lost_reply, reset, slow, status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenure_sdk.http import httpx
    from tenure_sdk.testing.host import ReferenceHost

FAILURES: dict[str, Fault] = {
    "a timeout": slow, "a broken line": reset, "half an answer": cut, "a page for people": html, "a 502": status(502),
}  # fmt: skip


@check(
    "ERR-1",
    "bronze",
    "Retry-After is kept",
    "Ask through ctx and let RateLimited pass; where the vendor says it in other words, do so in `classify`.",
)
async def patience(bench: Bench) -> None:
    """Seven seconds are waited for; an hour gives the run back."""
    for stream in _remote_streams(bench):
        remote = bench.remote()
        remote.seed(stream.name, 2)
        whole = marks(records_of(await bench.host(remote).pages(stream)))
        host = bench.host(remote)
        host.wire.arm(status(429, retry_after="7"))
        before = remote.clock.at
        found = marks(records_of(await host.pages(stream)))
        waited = (remote.clock.at - before).total_seconds()
        if found != whole or host.slowed != [7.0] or waited < 7:
            seen = f"waited {waited:.0f} s, told the host {host.slowed}, read {len(found)} of {len(whole)}"
            raise Breach(seen=seen, expected="7 s, and every record", at=stream.method)
        host.wire.arm(status(429, retry_after="3600"), times=50)
        try:
            await host.pages(stream)
        except RateLimited as problem:
            if problem.retry_after == 3600:
                continue
        raise Breach(seen="a limit of an hour did not come through", expected="RateLimited(3600)", at=stream.method)


@check(
    "ERR-2", "bronze", "A failure that passes is not noticed", "Ask through ctx, which tries again where that is safe."
)
async def short_failures(bench: Bench) -> None:
    """Two 500, then an answer."""
    for stream in _remote_streams(bench):
        remote = bench.remote()
        remote.seed(stream.name, 2 * remote.page_size)
        whole = marks(records_of(await bench.host(remote).pages(stream)))
        host = bench.host(remote)
        host.wire.arm(status(500), times=2)
        found = marks(records_of(await host.pages(stream)))
        if found != whole:
            raise Breach(seen=f"{len(found)} of {len(whole)} records", expected="all of them", at=stream.method)


@check(
    "ERR-3",
    "silver",
    "A failure that stays is Transient",
    "Catch no error that you do not mend, and raise no other one instead.",
)
async def lasting_failures(bench: Bench) -> None:
    """Whatever the remote side does instead of answering."""
    for stream in _remote_streams(bench):
        for name, fault in FAILURES.items():
            remote = bench.remote()
            remote.seed(stream.name, 2)
            host = bench.host(remote)
            host.wire.arm(fault, times=1000)
            try:
                await host.pages(stream)
            except Transient:
                continue
            except Exception as problem:
                seen = f"{name} became {type(problem).__name__}: {problem}"
                raise Breach(seen=seen, expected="Transient", at=stream.method) from problem
            raise Breach(seen=f"{name} went unnoticed", expected="Transient", at=stream.method)


@check("ERR-4", "silver", "A stream that is not allowed says so, and stops no other", "Let PermissionDenied pass.")
async def forbidden_streams(bench: Bench) -> None:
    """A 403 to each in turn."""
    for stream in _remote_streams(bench):
        remote = bench.remote()
        remote.seed(stream.name, 1)
        host = bench.host(remote)
        host.wire.arm(status(403), times=1000)
        try:
            await host.pages(stream)
        except PermissionDenied:
            continue
        except Exception as problem:
            seen = f"{type(problem).__name__}: {problem}"
            raise Breach(seen=seen, expected="PermissionDenied", at=stream.method) from problem
        raise Breach(seen="the stream ended as if it were whole", expected="PermissionDenied", at=stream.method)


@check(
    "ERR-5",
    "bronze",
    "What may have been done is not asked for again",
    "Say idempotent=True only where the remote side knows the key again, and declare replays=True there.",
)
async def no_blind_repetition(bench: Bench) -> None:
    """Every reply to a create is lost."""
    for push in bench.declared(Push):
        if "create" not in push.ops:
            continue
        remote = bench.remote()
        host = bench.host(remote)
        change = remote.sample(push.record, 1)
        host.wire.arm(lost_reply, times=50, only=_writes)
        with suppress(ConnectorError):
            await host.push_once(change)
        sent = [(call.url, call.content) for call in host.wire.writes]
        if not push.replays and len(sent) != len(set(sent)):
            raise Breach(seen=f"{len(sent)} requests for one create", expected="one", at=push.method)


@check(
    "RAT-1", "silver", "The declared limit is kept, also by fifty at once", "Ask through ctx; ctx.raw knows no limits."
)
async def limits_are_kept(bench: Bench) -> None:
    """Requests by the remote side's clock."""
    host = await _hurried(bench)
    if host.admitted < len(host.wire.calls):
        seen = f"{len(host.wire.calls)} requests, {host.admitted} of them admitted"
        raise Breach(seen=seen, expected="each admitted by the host", at="check")
    for most, seconds in bench.connector.rate.rates:
        crowd = _crowd(host.wire.times, seconds)
        if crowd > most:
            raise Breach(seen=f"{crowd} requests in {seconds:.0f} s", expected=f"at most {most:.0f}", at="check")


@check(
    "RAT-2",
    "silver",
    "No more requests are under way at once than declared",
    "Ask through ctx; ctx.raw knows no limits.",
)
async def concurrency_is_kept(bench: Bench) -> None:
    """The most that were open at once."""
    host = await _hurried(bench)
    if host.wire.most > bench.connector.rate.concurrency:
        seen = f"{host.wire.most} requests at once"
        raise Breach(seen=seen, expected=f"at most {bench.connector.rate.concurrency}", at="check")


async def _hurried(bench: Bench) -> ReferenceHost:
    if not bench.connector.hosts:
        raise NotApplicable("it talks to no remote side")
    host = bench.host()
    await asyncio.gather(*(host.check() for _ in range(50)))
    return host


def _crowd(times: Sequence[float], seconds: float) -> int:
    """The most requests in any span of so many seconds."""
    return max((sum(start <= at < start + seconds for at in times) for start in times), default=0)


def _writes(request: httpx.Request) -> bool:
    return request.method not in READS


def _remote_streams(bench: Bench) -> tuple[Stream, ...]:
    if not bench.connector.hosts:
        raise NotApplicable("it talks to no remote side")
    return bench.streams()
