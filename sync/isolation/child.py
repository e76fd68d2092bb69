"""The process of a connector: it runs the connector's code for one integration, and asks the server for what it needs.

It knows the SDK, the connector and the guard of requests, and nothing of the database, the keys or other tenants.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import resource
import signal
import socket
import sys
import time
import traceback
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from sync.access import egress
from sync.entries import GROUP, Plugin
from sync.isolation.frames import (
    HEAD,
    METHODS,
    NOTHING,
    Answer,
    Ask,
    Beat,
    Call,
    Close,
    Failed,
    Item,
    Leave,
    Next,
    Note,
    Result,
    Start,
    ToProcess,
    bodies,
    encoded,
    failure_of,
    frame,
    length,
    problem_of,
)
from sync.remote import LoopRemote
from tenure_sdk import Connector, Context, Credentials, LinePage, Page, Unsupported

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from tenure_sdk import Window

_FILES = 256
_UNREAD = 1024 * 1024
"""Bytes of log that wait for the server; further lines are dropped."""
_DIE_WITH_PARENT = 1


def main(descriptor: int) -> None:
    """Serve one integration over a socket until the server closes it."""
    die_with_parent()
    wire = socket.socket(fileno=descriptor)
    start = msgspec.msgpack.decode(_received(wire), type=Start)
    _limit(start)
    try:
        connector = _connector(start)
    except (Exception, SystemExit) as problem:
        wire.sendall(frame(Note(logging.ERROR, f"It cannot be loaded: {type(problem).__name__}: {problem}")))
        raise
    asyncio.run(Service(start, connector).run(wire))


def die_with_parent() -> None:
    """Have the kernel end this process with the one that started it; elsewhere the end of the socket does."""
    parent = os.getppid()
    prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def prctl(option: int, value: int) -> None:
    """Ask Linux for something about this process; other systems are not asked."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _received(wire: socket.socket) -> bytes:
    return _exactly(wire, length(_exactly(wire, HEAD)))


def _exactly(wire: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = wire.recv(size - len(found))
        if not part:
            sys.exit(0)
        found += part
    return found


def _limit(start: Start) -> None:
    """Bounds that this process cannot lift again. Nothing of its memory is written to a disk."""
    resource.setrlimit(resource.RLIMIT_CPU, (start.cpu, start.cpu + 1))
    for what, most in ((resource.RLIMIT_AS, start.memory), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, _FILES)):
        resource.setrlimit(what, (most, most))


def _connector(start: Start) -> type[Connector[Any]]:
    for found in Plugin(EntryPoint(start.key, start.entry, GROUP)).connectors():
        if isinstance(found, type) and issubclass(found, Connector) and found.key == start.key:
            return found
    raise LookupError(start.key)


class Service:
    """One connector at the server's service: answers calls, and shows that its event loop turns."""

    def __init__(self, start: Start, connector: type[Connector[Any]]) -> None:
        self._start = start
        self._connector = connector
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._many: dict[int, AsyncGenerator[Any, None]] = {}

    async def run(self, wire: socket.socket) -> None:
        """Answer until the server is gone."""
        reader, self._writer = await asyncio.open_unix_connection(sock=wire)
        self._server = Server(self._send)
        beat = asyncio.create_task(self._beat())
        try:
            async with egress.client(self._transport()) as client:
                self._remote = self._bound(client)
                async for body in bodies(reader):
                    self._heard(msgspec.msgpack.decode(body, type=ToProcess))
        finally:
            beat.cancel()
            for task in self._tasks.values():
                task.cancel()

    def _send(self, message: msgspec.Struct) -> None:
        self._writer.write(frame(message))

    async def _beat(self) -> None:
        while True:
            self._send(Beat())
            await asyncio.sleep(self._start.beat)

    def _transport(self) -> Any:
        return egress.Sandboxed(self._start.sandbox) if self._start.sandbox else egress.Guarded()

    def _bound(self, client: Any) -> LoopRemote:
        """The connector with what its requests need; where it serves no integration, it has no context."""
        start, made = self._start, self._connector()
        if start.config == NOTHING:
            return LoopRemote(self._connector, no_context)
        config = msgspec.msgpack.decode(start.config, type=self._connector.config_type())
        log = logging.Logger(f"tenure.connector.{start.key}")  # noqa: LOG001 - it belongs to this process alone
        log.addHandler(_Noted(self._note))
        auth, now = made.auth_for(config), _clock(start.now)
        deadline = None if start.deadline is None else datetime.fromtimestamp(start.deadline, UTC)

        def context(window: Window | None) -> Context[Any]:
            return Context(
                config, now=now, log=log, client=client, host=self._server, auth=auth, hosts=self._connector.hosts,
                account=start.account, callback=start.callback, window=window, deadline=deadline,
                classify=made.classify,
            )  # fmt: skip

        return LoopRemote(self._connector, context)

    def _note(self, level: int, text: str) -> None:
        if self._writer.transport.get_write_buffer_size() < _UNREAD:
            self._send(Note(level, text))

    def _heard(self, message: ToProcess) -> None:
        match message:
            case Answer():
                self._server.answered(message)
            case Call():
                self._begin(message.id, self._call(message))
            case Next():
                self._begin(message.id, self._next(message.id))
            case Close():
                self._begin(message.id, self._close(message.id, self._tasks.get(message.id)))

    def _begin(self, call: int, work: Any) -> None:
        task = asyncio.create_task(self._guarded(call, work))
        self._tasks[call] = task
        task.add_done_callback(lambda done: self._tasks.pop(call) if self._tasks.get(call) is done else None)

    async def _guarded(self, call: int, work: Any) -> None:
        """Do what was asked for; whatever comes of it is told, and nothing ends this process."""
        try:
            self._send(await work)
        except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as problem:  # noqa: BLE001
            self._many.pop(call, None)
            self._send(Failed(call, failure_of(problem, _places(problem))))
        await self._writer.drain()

    async def _call(self, call: Call) -> msgspec.Struct:
        method = METHODS[call.method]
        given = msgspec.msgpack.decode(call.given, type=method.takes)
        done = getattr(self._remote, call.method)(*given)
        if not method.many:
            return Result(call.id, encoded(await done))
        self._many[call.id] = done
        return await self._next(call.id)

    async def _next(self, call: int) -> msgspec.Struct:
        """The next one of many; a result says that there is none."""
        try:
            item = await anext(self._many[call])
        except StopAsyncIteration:
            del self._many[call]
            return Result(call, encoded(None))
        kind = "page" if isinstance(item, Page) else "lines" if isinstance(item, LinePage) else "other"
        return Item(call, kind, encoded(item))  # type: ignore[arg-type] # the three are literals

    async def _close(self, call: int, under_way: asyncio.Task[None] | None) -> msgspec.Struct:
        """Have a generator end, also one that is at work."""
        if under_way is not None:
            under_way.cancel()
            await asyncio.wait({under_way})
        if (many := self._many.pop(call, None)) is not None:
            await many.aclose()
        return Result(call, encoded(None))


class Server:
    """The server as the host of requests: it lets them in, and keeps them to the pace."""

    def __init__(self, send: Callable[[msgspec.Struct], None]) -> None:
        self._send = send
        self._ids = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def credentials(self, refused: str | None = None) -> Credentials:
        """What lets a request in. Raises AuthRevoked when somebody has to authorise anew."""
        return msgspec.convert(await self._asked(next(self._ids), "credentials", refused), Credentials)

    @asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        """The right to have one request under way; raises RateLimited when its turn is far."""
        number = next(self._ids)
        try:
            await self._asked(number, "admit", None)
            yield
        finally:
            self._send(Leave(number))

    async def slow_down(self, seconds: float | None) -> None:
        """The remote side asked to slow down."""
        await self._asked(next(self._ids), "slow_down", seconds)

    def answered(self, answer: Answer) -> None:
        """The server has answered."""
        waiting = self._waiting.pop(answer.id, None)
        if waiting is None or waiting.done():
            return
        if answer.failure is not None:
            waiting.set_exception(problem_of(answer.failure))
        else:
            waiting.set_result(msgspec.msgpack.decode(answer.given))

    async def _asked(self, number: int, what: Any, given: object) -> Any:
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send(Ask(number, what, encoded(given)))
        try:
            return await self._waiting[number]
        finally:
            self._waiting.pop(number, None)


class _Noted(logging.Handler):
    """Hands the lines of a log on."""

    def __init__(self, note: Callable[[int, str], None]) -> None:
        super().__init__()
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):  # a line that cannot be written is no reason to fail
            self._note(record.levelno, record.getMessage())


def _clock(began: float) -> Callable[[], datetime]:
    """The server's time, going on from the moment at which it was told."""
    began_at, since = datetime.fromtimestamp(began, UTC), time.monotonic()
    return lambda: began_at + timedelta(seconds=time.monotonic() - since)


def no_context(_: Window | None) -> Context[Any]:
    """What a connector gets where it serves no integration."""
    raise Unsupported("Deliveries are read without an integration.")


def _places(problem: BaseException) -> tuple[str, ...]:
    """Where an error came up: files, lines and functions, without the values that stood there."""
    frames = traceback.extract_tb(problem.__traceback__)
    return tuple(f"{each.filename}:{each.lineno} in {each.name}" for each in frames[-20:])
