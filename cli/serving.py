"""Serving: the API, the relay and the worker, in one process or apart, and their clean end."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
import uvloop

from cli import logs, terminal
from cli.rights import RefusedToStart
from domain.core import due, events
from sync import duties, figures, worker
from sync.access import idle
from sync.errands import Errands
from sync.hints import Hints
from sync.inbox import Splitter
from sync.listening import Listening
from sync.schedule import Syncs
from sync.switchboard import Switchboard
from sync.two_way import reactions
from sync.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from domain.core.database import Database
    from domain.core.settings import Settings

    Prepare = Callable[[Database], Coroutine[Any, Any, None]]

log = structlog.get_logger()

DRAIN = 5
"""Seconds that requests under way get to end, once the server is asked to stop."""

FINISH = 7.0
"""Seconds that the worker's transactions under way get; then they are undone, and what they did stays due."""


_YOUNG_OBJECTS = 200_000
"""How many more objects there are before the young ones are looked through: two pages of a sync, the one that lands
and the next one, have some 130,000, of which none can go. Looking through them takes a fortieth of what they cost."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


async def serve(
    settings: Settings, listening: socket.socket, announce: Callable[[str], None], prepare: Prepare | None = None
) -> None:
    """Serve the API and do the work behind it, until SIGTERM or Ctrl-C; `announce` learns the address when it answers.

    What there is to `prepare` in the database is done before, and given up when asked to stop meanwhile. Stops in this
    order: no new requests, those under way, the worker, the pools, the embedded database.
    """
    from api.app import create_app

    logs.configure(settings.log_level)
    worker.load()
    stopping = _stop_on_signals()
    with figures.served(settings.metrics_port):
        async with terminal.opened(settings) as database:
            if prepare is not None and not await _done(prepare(database), stopping):
                return
            server = Server(create_app(settings, database), lambda: announce(address(listening)))
            async with _working(settings, database, stopping):
                await answer(server, listening, stopping)


async def work(settings: Settings, announce: Callable[[str], None]) -> None:
    """Do the work behind the API in a process of its own, until SIGTERM or Ctrl-C."""
    logs.configure(settings.log_level)
    worker.load()
    rest()
    stopping = _stop_on_signals()
    with figures.served(settings.metrics_port):
        async with terminal.opened(settings) as database, _working(settings, database, stopping):
            announce("Working.")
            await stopping.wait()


async def answer(server: Server, listening: socket.socket, stopping: asyncio.Event) -> None:
    """Answer requests until `stopping` is set; those under way then are answered too, as far as DRAIN allows."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_pass_on(stopping, server))
        await server.serve(sockets=[listening])
        stopping.set()


def rest() -> None:
    """Tell the garbage collector that what is loaded stays: it would walk all of it for every few pages."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)


def bound(host: str, port: int) -> socket.socket:
    """A socket on the address, before anything slow begins. Raises RefusedToStart where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as refused:
        bound.close()
        raise RefusedToStart(f"Cannot listen on {host}:{port}: {refused}. Choose another with --port.") from refused
    return bound


def address(listening: socket.socket) -> str:
    """How clients of this machine reach a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn, without its own ideas of signals, and saying when it listens."""

    def __init__(self, app: Any, listens: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app, http="httptools", ws="websockets-sansio", ws_max_size=1 << 20, lifespan="on", log_config=None,
                access_log=False, server_header=False, timeout_graceful_shutdown=DRAIN,
            )
        )  # fmt: skip
        self._app = app
        self._listens = listens

    def stop(self) -> None:
        """Take no more requests; the application learns it too, so that it can end what has no end of its own."""
        self._app.drain()
        self.should_exit = True

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals to us: uvicorn would end the process before the pools and the database are closed."""
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, listen, and say so."""
        await super().startup(sockets)
        rest()
        self._listens()


@asynccontextmanager
async def _working(settings: Settings, database: Database, stopping: asyncio.Event) -> AsyncIterator[None]:
    """A worker beside whatever runs inside; at the end it may finish its transactions."""
    async with Hints(database) as hints, Switchboard(database, settings) as board, asyncio.TaskGroup() as tasks:
        heard = events.reactions.copy()
        jobs = due.Jobs(dict(due.jobs.by_kind))
        reactions.register(heard, jobs, board.registry)
        idle.register(jobs, board.remotes)
        listening = Listening(database, board.registry.listeners, stopping)
        remember = listening.remember if listening.listeners else None
        errands = Errands(database, board, stopping, duties.KINDS, Splitter(database, board), duties.OF_TENANTS)
        working = {
            tasks.create_task(Worker(database, stopping, heard, jobs, remember).run(hints)),
            tasks.create_task(listening.run()),
            tasks.create_task(Syncs(database, board.remotes, board.registry, stopping).run()),
            tasks.create_task(errands.run()),
        }
        yield
        stopping.set()
        await asyncio.wait(working, timeout=FINISH)
        for task in working:
            task.cancel()


async def _pass_on(stopping: asyncio.Event, server: Server) -> None:
    await stopping.wait()
    server.stop()


async def _done(work: Coroutine[Any, Any, None], stopping: asyncio.Event) -> bool:
    """Do some work to its end, or cancel it as soon as `stopping` is set; whether it was done."""
    working, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stop):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await working
    return not working.cancelled()


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
