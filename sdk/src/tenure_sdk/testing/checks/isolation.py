"""ISO: a connector shares a process with others, and does them no harm."""

from __future__ import annotations

import asyncio
import logging
import traceback
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, check, marks, records_of, some
from tenure_sdk.testing.host import LOG, ReferenceHost
from tenure_sdk.testing.isolated import no_blocking, no_network
from tenure_sdk.testing.wire import Forward, cut, status

if TYPE_CHECKING:
    from tenure_sdk.connector import Stream
    from tenure_sdk.http import httpx


@check(
    "ISO-1",
    "bronze",
    "It never blocks the event loop",
    "Await instead: asyncio.sleep, ctx; what has to block belongs into asyncio.to_thread.",
)
async def never_blocks(bench: Bench) -> None:
    """Every stream, and the check of the account."""
    from blockbuster import BlockingError

    async def read(method: str, work: Any) -> None:
        try:
            with no_blocking():
                await work
        except BlockingError as problem:
            raise Breach(seen=str(problem).splitlines()[0], expected="nothing that blocks", at=method) from problem

    remote = bench.remote()
    await read("check", bench.host(remote).check())
    for stream in bench.streams():
        remote.seed(stream.name, 2)
        await read(stream.method, bench.host(remote).pages(stream))


@check(
    "ISO-2",
    "silver",
    "Cancelled anywhere, it leaves nothing behind",
    "Start no tasks of your own, and let CancelledError pass.",
)
async def leaves_nothing(bench: Bench) -> None:
    """Cancelled in each of the first requests."""
    for stream in _remote_streams(bench):
        remote = bench.remote()
        remote.seed(stream.name, 2 * remote.page_size)
        for after in range(3):
            host = bench.host(remote)
            reached = asyncio.Event()

            async def hang(
                _request: httpx.Request, _forward: Forward, reached: asyncio.Event = reached
            ) -> httpx.Response:
                reached.set()
                await asyncio.sleep(3600)
                raise AssertionError

            host.wire.arm(hang, after=after)
            before = asyncio.all_tasks()
            reading = asyncio.ensure_future(_read(stream, host))
            waiting = asyncio.ensure_future(reached.wait())
            await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in (reading, waiting):
                task.cancel()
            await asyncio.gather(reading, waiting, return_exceptions=True)
            left = asyncio.all_tasks() - before
            if left or host.wire.open:
                seen = f"{len(left)} tasks, {host.wire.open} requests"
                raise Breach(seen=seen, expected="none", at=stream.method)


@check(
    "ISO-3",
    "bronze",
    "It talks to the hosts that it names, and to no other",
    "Ask through ctx, and name every host in `hosts`.",
)
async def keeps_to_its_hosts(bench: Bench) -> None:
    """By the requests that were made, with sockets forbidden."""
    remote = bench.remote()
    host = bench.host(remote)
    allowed = {name.format_map(_settings(remote.config)).lower() for name in bench.connector.hosts}
    with no_network() as tried:
        await host.check()
        for stream in bench.streams():
            remote.seed(stream.name, 2)
            await host.pages(stream)
    strays = {call.url.host for call in host.wire.calls if call.url.host not in allowed or call.url.scheme != "https"}
    if tried or strays:
        raise Breach(seen=f"requests to {some(strays | set(tried))}", expected=f"only to {some(allowed) or 'none'}")


@check(
    "ISO-4", "bronze", "No secret stands in a log or an error", "Log through ctx.log, and never what a request carries."
)
async def keeps_secrets(bench: Bench) -> None:
    """When all is well, and when the remote side fails."""
    for stream in _remote_streams(bench):
        remote = bench.remote()
        remote.seed(stream.name, 2)
        for fault in (None, status(500), status(400), status(401), cut):
            host = bench.host(remote)
            secrets = host.secrets
            if fault is not None:
                host.wire.arm(fault, times=1000)
            with _Listening() as heard:
                try:
                    await host.check()
                    await host.pages(stream)
                except Exception as problem:  # noqa: BLE001 - only what it says matters
                    heard.append("".join(traceback.format_exception(problem)))
            told = [text for text in heard if any(secret in text for secret in secrets)]
            if told:
                hidden = told[0]
                for secret in secrets:
                    hidden = hidden.replace(secret, "<the secret>")
                raise Breach(seen=hidden.strip().splitlines()[-1], expected="no secret", at=stream.method)


@check(
    "ISO-5",
    "bronze",
    "Two accounts never mix",
    "Keep nothing of a run in the connector or its class: what a run needs is in ctx.",
)
async def keeps_accounts_apart(bench: Bench) -> None:
    """One connector reads two accounts at once."""
    for stream in _remote_streams(bench):
        sides = [bench.remote("1"), bench.remote("2")]
        for place, side in enumerate(sides):
            side.clock.forward(place * 1000)
            side.seed(stream.name, 3 * side.page_size - place)
        alone = [marks(records_of(await bench.host(side).pages(stream))) for side in sides]
        hosts = [bench.host(side) for side in sides]
        made = bench.connector()
        found: list[list[Any]] = await asyncio.gather(*(_read(stream, host, made) for host in hosts))
        for host, records, other, wanted in zip(hosts, found, reversed(hosts), alone, strict=True):
            strayed = [call for call in host.wire.calls if any(secret in _told(call) for secret in other.secrets)]
            if strayed or marks(records) != wanted:
                seen = "the other account's credentials" if strayed else "other records than when read alone"
                raise Breach(seen=seen, expected="each account by itself", at=stream.method)


class _Listening(logging.Handler):
    """Everything that anybody logs meanwhile."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []
        self._root = logging.getLogger()
        self._before = self._root.level, LOG.propagate, self._root.handlers

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            shown = [repr(value) for name, value in vars(record).items() if name not in logging.LogRecord.__dict__]
            self.heard.append(" ".join([record.getMessage(), *shown]))

    def __enter__(self) -> list[str]:
        self._root.setLevel(logging.DEBUG)
        LOG.propagate = True
        self._root.handlers = [self]
        return self.heard

    def __exit__(self, *_: object) -> None:
        level, LOG.propagate, self._root.handlers = self._before
        self._root.setLevel(level)


async def _read(stream: Stream, host: ReferenceHost, made: Any = None) -> list[Any]:
    async with aclosing(stream.read(made or host.connector(), host.context())) as pages:
        return records_of([page async for page in pages])


def _remote_streams(bench: Bench) -> tuple[Stream, ...]:
    if not bench.connector.hosts:
        raise NotApplicable("it talks to no remote side")
    return bench.streams()


def _settings(config: Any) -> dict[str, Any]:
    return {name: getattr(config, name) for name in config.__struct_fields__}


def _told(call: httpx.Request) -> str:
    return " ".join([str(call.url), *call.headers.values()])
