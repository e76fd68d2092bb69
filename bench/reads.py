"""The speed of the compiled reads beside hand-written SQL, and that both give the same documents.

The servers share one core; the load and PostgreSQL share another. Rounds go through all servers in turn, so that what
else happens on the machine falls on all of them.
"""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import psutil

from bench import cluster, generate, hand, load
from bench.cluster import SERVER
from bench.operations import FIRST_BY_ID, Operation, mark_of, operations
from bench.report import Report, Verdict
from domain.core.database import dsn_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from bench.cluster import Cluster
    from bench.options import Options

OURS, HAND, LEVELS = "ours", "hand", "levels"
SIDES = {OURS: "Tenure", HAND: "SQL that builds JSON", LEVELS: "SQL per level + Python"}
ROUNDS = 5
CLIENTS = 16
"""Twice as many as there are connections to the database: with fewer, the faster sides leave its core idle."""
_NOTE = (
    "The documents are equal, compared for every set of values before measuring. Tenure's side includes the token, the"
    " limits, both walls and the transaction; the others have the transaction and both walls only."
)
_VALUES = 200
_WARM = 1.0
_JEMALLOC = ("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "/usr/lib/aarch64-linux-gnu/libjemalloc.so.2")


@dataclass
class Side:
    """One of the servers under measurement."""

    name: str
    port: int
    process: psutil.Process
    token: str | None = None

    def ask(self, path: str, body: bytes) -> Any:
        """One document. Raises RuntimeError unless it is answered with 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", path, body, self._headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{self.name} answered {answer.status}: {text[:500]!r}")
        return orjson.loads(text)

    def request(self, path: str, body: bytes) -> bytes:
        """The same as one piece of bytes."""
        headers = "".join(f"{key}: {value}\r\n" for key, value in self._headers.items())
        return (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        times = self.process.cpu_times()
        return times.user + times.system

    @cached_property
    def _headers(self) -> dict[str, str]:
        entrance = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Content-Type": "application/json", "Accept": "application/json", **entrance}


@dataclass(frozen=True)
class Sample:
    """One run of one side: requests per second, and milliseconds of CPU for each request."""

    rate: float
    server: float
    postgres: float


async def run(options: Options) -> Report:
    """Measure all three operations on all sides. Raises RuntimeError when two documents differ."""
    with cluster.running(options.data) as postgres:
        database = await generate.generated(postgres, options.size, print)
        tenant_id = await _tenant(postgres, database)
        token = await generate.issue_token(postgres, database, tenant_id)
        cores = sorted(os.sched_getaffinity(0))
        postgres.pin({cores[-1]})
        with _served(postgres, database, tenant_id, token, {cores[0]}) as sides:
            os.sched_setaffinity(0, {cores[-1]})
            start = sides[OURS].ask("/graphql", _body(FIRST_BY_ID, {}))["data"]["customers"]["pageInfo"]["endCursor"]
            connection = await postgres.connect(database)
            asked = await operations(connection, tenant_id, start, _VALUES)
            await connection.close()
            plays = {operation.name: _play(sides, operation) for operation in asked}
            samples = await _rounds(postgres, sides, plays, options.seconds)
            explained = await _explained(postgres, database, tenant_id, plays)
        return _report(options, asked, samples, explained, len(cores))


async def _tenant(postgres: Cluster, database: str) -> UUID:
    connection = await postgres.connect(database)
    found: UUID = await connection.fetchval("SELECT id FROM directory.tenants WHERE slug = 'tenant-1'")
    await connection.close()
    return found


# The servers


@contextmanager
def _served(
    postgres: Cluster, database: str, tenant_id: UUID, token: str, cores: set[int]
) -> Iterator[dict[str, Side]]:
    address = dsn_of(postgres.address(database, SERVER))
    started: dict[str, Side] = {}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, name in enumerate(SIDES):
            port = 18080 + number
            command = [sys.executable, "-m", "bench.serve", name]
            options = ["--database", address, "--tenant", str(tenant_id), "--port", str(port)]
            process = subprocess.Popen([*command, *options], env=_environment())
            processes.append(process)
            os.sched_setaffinity(process.pid, cores)
            started[name] = Side(name, port, psutil.Process(process.pid), token if name == OURS else None)
        for side in started.values():
            _wait_for(side)
        yield started
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """Both sides under jemalloc with huge pages where it is installed: memory is slow on virtual machines."""
    library = next((path for path in _JEMALLOC if Path(path).exists()), None)
    if library is None:
        return dict(os.environ)
    settings = "thp:always,metadata_thp:always"
    return {**os.environ, "LD_PRELOAD": library, "PYTHONMALLOC": "malloc", "MALLOC_CONF": settings}


def _wait_for(side: Side) -> None:
    patience = time.monotonic() + 60
    while time.monotonic() < patience:
        with suppress(OSError):
            http.client.HTTPConnection("127.0.0.1", side.port).connect()
            return
        if not side.process.is_running() or side.process.status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    raise RuntimeError(f"The server {side.name} did not start.")


# The same question to all of them


def _body(text: str, values: dict[str, Any]) -> bytes:
    return orjson.dumps({"query": text, "variables": values})


@dataclass(frozen=True)
class Play:
    """An operation as each side is asked it, with the values of one request for the record."""

    requests: dict[str, list[bytes]]
    values: dict[str, Any]


def _play(sides: dict[str, Side], operation: Operation) -> Play:
    """The requests of an operation. Raises RuntimeError when the sides' documents differ."""
    requests: dict[str, list[bytes]] = {name: [] for name in sides}
    for values in operation.values:
        asked = _body(operation.text, values)
        answer = sides[OURS].ask("/graphql", asked)
        requests[OURS].append(sides[OURS].request("/graphql", asked))
        marked = {**values, "mark": _mark(answer["data"])}
        for name in (HAND, LEVELS):
            body, path = orjson.dumps(marked), f"/{operation.name}"
            if sides[name].ask(path, body) != answer:
                raise RuntimeError(f"{operation.name} {values}: {name} does not give the same document.")
            requests[name].append(sides[name].request(path, body))
    return Play(requests, marked)


def _mark(data: dict[str, Any]) -> str:
    """What our cursors begin with: the others are told it, since they know no filters."""
    page = (data.get("customer") or {}).get("timeline") or data.get("customers") or {}
    cursor = page.get("pageInfo", {}).get("endCursor")
    return mark_of(cursor) if cursor else ""


# Measuring


Samples = dict[str, dict[str, list[Sample]]]


async def _rounds(postgres: Cluster, sides: dict[str, Side], plays: dict[str, Play], seconds: float) -> Samples:
    for play in plays.values():
        for name, side in sides.items():
            await load.run(side.port, play.requests[name], connections=CLIENTS, seconds=_WARM)
    samples: Samples = {operation: {name: [] for name in sides} for operation in plays}
    for _ in range(ROUNDS):
        for operation, play in plays.items():
            for name, side in sides.items():
                samples[operation][name].append(await _sample(postgres, side, play.requests[name], seconds))
    return samples


async def _sample(postgres: Cluster, side: Side, requests: list[bytes], seconds: float) -> Sample:
    server, backends = side.cpu(), postgres.cpu()
    rate = await load.run(side.port, requests, connections=CLIENTS, seconds=seconds)
    answered = rate * seconds / 1000
    return Sample(rate, (side.cpu() - server) / answered, (postgres.cpu() - backends) / answered)


async def _explained(postgres: Cluster, database: str, tenant_id: UUID, plays: dict[str, Play]) -> str:
    """How PostgreSQL runs the hand-written statements, behind the same walls."""
    connection = await postgres.connect(database, SERVER)
    parts = []
    for name, play in plays.items():
        values = hand.arguments(name, play.values)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(f"SET LOCAL tenure.tenant_id = '{tenant_id.hex}'")
            rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {hand.STATEMENTS[name]}", tenant_id, *values)
        parts.append(f"{name}\n{hand.STATEMENTS[name].strip()}\n\n" + "\n".join(row[0] for row in rows))
    await connection.close()
    return "\n\n\n".join(parts) + "\n"


# The report


def _report(options: Options, asked: tuple[Operation, ...], samples: Samples, explained: str, cores: int) -> Report:
    rows: list[list[Any]] = []
    verdicts = []
    for operation in asked:
        rates = {name: _median(taken, "rate") for name, taken in samples[operation.name].items()}
        for name, taken in samples[operation.name].items():
            rows.append(
                [
                    operation.name,
                    SIDES[name],
                    rates[name],
                    rates[OURS] / rates[name],
                    _median(taken, "server"),
                    _median(taken, "postgres"),
                ]
            )
        promise = f"{operation.name} ({operation.about}), ours to hand-written SQL"
        verdicts.append(Verdict(promise, rates[OURS] / rates[HAND], at_least=operation.target))
    size = options.size
    return Report(
        name=f"reads-{size.customers}",
        title="Compiled reads beside hand-written SQL",
        columns=["", "served by", "requests/s", "Tenure is x times as fast", "server CPU ms", "PostgreSQL CPU ms"],
        rows=rows,
        verdicts=verdicts,
        conditions={
            "data": str(size),
            "rounds": f"{ROUNDS} of {options.seconds:g} s each, interleaved; medians",
            "load": f"{CLIENTS} keep-alive connections",
            "cores": "the server on one, load and PostgreSQL on another" if cores > 1 else "one for everything",
            "memory allocator": "jemalloc" if "LD_PRELOAD" in _environment() else "the system's",
        },
        notes=[_NOTE],
        attachments={"explain.txt": explained},
    )


def _median(taken: list[Sample], figure: str) -> float:
    return float(statistics.median(getattr(sample, figure) for sample in taken))
