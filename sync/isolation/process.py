"""A process that runs a connector: started, listened to, and ended when it shows no life or breaks the rules."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from sync import figures
from sync.isolation.child import prctl
from sync.isolation.frames import (
    Answer,
    Ask,
    Beat,
    Call,
    Close,
    Failed,
    FromProcess,
    Item,
    Leave,
    Next,
    Note,
    Result,
    bodies,
    encoded,
    failure_of,
    frame,
    problem_of,
)
from tenure_sdk import ConnectorError, ContractViolation, Transient

if TYPE_CHECKING:
    from logging import Logger

    from sync.isolation.frames import Start
    from sync.isolation.limits import Limits
    from tenure_sdk import Host

log = structlog.get_logger()

MOST_NOTES = 10_000
"""Lines of log that one process may write; those after them are dropped, and ten times as many are a flood."""

MOST_QUESTIONS = 1_000
"""Questions of one process that may wait for their answer."""

_BOOT = "import sys; fd, *sys.path[:] = sys.argv[1:]; from sync.isolation.child import main; main(int(fd))"
_KEPT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ")
"""The variables that a process of a connector gets to see, and no others."""
_DUMPABLE = 4
_DONE = "was ended"
_CLOSING = 2.0
"""Seconds that a stream gets to end when nobody wants more of it."""
_LONGEST_NOTE = 2_000


class ProcessStopped(ContractViolation):
    """The connector's process was stopped, or ended by itself."""


class Process:
    """A connector's process, from its start to its end; whatever it does, awaiting it ends."""

    def __init__(self, start: Start, host: Host | None, limits: Limits, notes: Logger) -> None:
        self._start, self._host, self._limits, self._notes = start, host, limits, notes
        self._ids = count()
        self._waiting: dict[int, asyncio.Future[Result | Item]] = {}
        self._admitted: dict[int, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._watchers: tuple[asyncio.Task[None], ...] = ()
        self._noted = 0
        self._why: str | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def pid(self) -> int | None:
        """The system's number of the process, once it was started."""
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._why is None

    async def begin(self) -> None:
        """Start it: a program of its own, with nothing of this process but one socket. Raises Transient."""
        _hide()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await _started(theirs)
            reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        except OSError as problem:
            raise Transient("The connector's process could not be started; it is tried again.") from problem
        finally:
            if self._writer is None:
                ours.close()
        self._heard_at = time.monotonic()
        self._writer.write(frame(self._start))
        self._watchers = (
            asyncio.create_task(self._listen(reader), name=f"connector {self._start.key}"),
            asyncio.create_task(self._watch(), name=f"watch {self._start.key}"),
        )

    def number(self) -> int:
        """The number of a new call, by which more of many is asked for."""
        return next(self._ids)

    async def ask(self, number: int, method: str, *given: Any) -> Result | Item:
        """Have something done, and what came of it."""
        return await self._answered(number, Call(number, method, encoded(given)))

    async def following(self, number: int) -> Result | Item:
        """The next one of many."""
        return await self._answered(number, Next(number))

    async def close(self, number: int) -> None:
        """Have a stream end of which no more is wanted; one that does not is left to the end of the process."""
        with suppress(ConnectorError, TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await self._answered(number, Close(number))

    async def end(self) -> None:
        """End it with all that it started; when this returns it is gone."""
        self._fall(_DONE)
        tasks = (*self._watchers, *self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            await self._process.wait()

    async def _answered(self, number: int, message: msgspec.Struct) -> Result | Item:
        """What comes of a message. Raises what the connector raises, and ProcessStopped."""
        if self._why is not None:
            raise ProcessStopped(self._why)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._limits.deadline) as limit:
                await self._send(message)
                came: Result | Item = await waiting
                return came
        except TimeoutError:
            if not limit.expired():
                raise
            self._fall(f"did not answer within {self._limits.deadline:g} seconds")
            raise ProcessStopped(self._why) from None
        finally:
            self._waiting.pop(number, None)

    async def _send(self, message: msgspec.Struct) -> None:
        assert self._writer is not None  # noqa: S101 - it was begun
        self._writer.write(frame(message))
        with suppress(ConnectionError):  # whoever listens hears of it
            await self._writer.drain()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Hear what it says until it says nothing more, or what cannot be."""
        try:
            async for body in bodies(reader):
                self._hear(msgspec.msgpack.decode(body, type=FromProcess))
        except (ConnectorError, msgspec.MsgspecError, asyncio.IncompleteReadError):
            self._fall("sent what is no message")
        except ConnectionError:
            pass
        self._fall(_ended(await self._ending(), self._limits))

    async def _ending(self) -> int:
        """The code with which it ended by itself; 0 where it only fell silent."""
        assert self._process is not None  # noqa: S101 - it was begun
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING):
                return await self._process.wait()
        return 0

    def _hear(self, message: FromProcess) -> None:
        match message:
            case Beat():
                self._heard_at = time.monotonic()
            case Result() | Item():
                self._came(message)
            case Failed():
                self._failed(message)
            case Ask():
                self._asked(message)
            case Leave():
                if message.id in self._admitted:
                    self._admitted[message.id].set()
            case Note():
                self._note(message)

    def _came(self, message: Result | Item) -> None:
        waiting = self._waiting.get(message.id)
        if waiting is None or waiting.done():
            self._count()  # nobody waits for it any more
        else:
            waiting.set_result(message)

    def _failed(self, message: Failed) -> None:
        waiting = self._waiting.get(message.id)
        if waiting is None or waiting.done():
            self._count()
            return
        if message.failure.at:
            log.warning("connector.broke", connector=self._start.key, error=message.failure.at[0],
                        at=list(message.failure.at[1:]))  # fmt: skip
        waiting.set_exception(problem_of(message.failure))

    def _note(self, note: Note) -> None:
        self._count()
        if self._noted <= MOST_NOTES:
            self._notes.log(note.level, "%s", note.text[:_LONGEST_NOTE])

    def _count(self) -> None:
        """Count what was not asked for. Raises ContractViolation when it is a flood."""
        self._noted += 1
        if self._noted > 10 * MOST_NOTES:
            raise ContractViolation

    def _asked(self, question: Ask) -> None:
        if len(self._tasks) >= MOST_QUESTIONS:
            raise ContractViolation
        task = asyncio.create_task(self._answer(question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, question: Ask) -> None:
        """Do as the host what the process cannot do; how it fails is told there, and not more than that."""
        try:
            await self._served(question)
        except ConnectorError as problem:
            await self._reply(Answer(question.id, failure=failure_of(problem)))
        except Exception as problem:  # noqa: BLE001 - the database may be away, which is not the connector's to know
            log.warning("connector.unserved", connector=self._start.key, error=type(problem).__name__)
            unserved = Transient("The server could not let a request in; it is tried again.")
            await self._reply(Answer(question.id, failure=failure_of(unserved)))

    async def _served(self, question: Ask) -> None:
        if self._host is None:
            raise ContractViolation("A connector makes no request while it reads a delivery.")
        given = msgspec.msgpack.decode(question.given)
        match question.what:
            case "credentials":
                await self._reply(Answer(question.id, encoded(await self._host.credentials(given))))
            case "slow_down":
                await self._host.slow_down(given)
                await self._reply(Answer(question.id))
            case "admit":
                over = self._admitted[question.id] = asyncio.Event()
                try:
                    async with self._host.admission():
                        await self._reply(Answer(question.id))
                        await over.wait()
                finally:
                    del self._admitted[question.id]

    async def _reply(self, answer: Answer) -> None:
        if self._why is None:
            await self._send(answer)

    async def _watch(self) -> None:
        """End it when its event loop shows no life."""
        silent = 0.0
        while silent <= self._limits.heartbeat:
            await asyncio.sleep(min(1.0, self._limits.heartbeat / 4))  # what was said meanwhile is heard before
            silent = time.monotonic() - self._heard_at
        self._fall(f"showed no sign of life for {self._limits.heartbeat:g} seconds")

    def _fall(self, why: str) -> None:
        """End the process, and tell everybody who waits for it."""
        if self._why is not None:
            return
        self._why = f"The connector's process {why}."
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ProcessStopped(self._why))
        for over in self._admitted.values():
            over.set()
        if why is not _DONE:
            figures.STOPPED.labels(self._start.key).inc()
            log.warning("connector.stopped", connector=self._start.key, why=self._why)


def _ended(code: int, limits: Limits) -> str:
    """Why a process ended, by the code it left."""
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return f"was stopped by the system, which lets it use {limits.cpu} seconds and {limits.memory >> 20} MiB"
    return f"ended by a signal ({signal.Signals(-code).name})" if code < 0 else f"ended by itself (code {code})"


def _hide() -> None:
    """Have the system keep this process's environment and memory from the processes that it starts."""
    prctl(_DUMPABLE, 0)


async def _started(wire: socket.socket) -> asyncio.subprocess.Process:
    paths = [str(Path.cwd() / path) for path in sys.path]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-X", "utf8", "-c", _BOOT, str(wire.fileno()), *paths,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        pass_fds=(wire.fileno(),), start_new_session=True, cwd="/",
        env={name: os.environ[name] for name in _KEPT if name in os.environ} | {"MALLOC_ARENA_MAX": "2"},
    )  # fmt: skip
