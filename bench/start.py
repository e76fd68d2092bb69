"""How soon the command line answers, and how soon a server is ready whose database is there already.

Both as a user has it: in a process of its own, with Python's compiled modules in place, on the embedded PostgreSQL,
which the server starts by itself. A server is ready when `/readyz` says so.
"""

from __future__ import annotations

import http.client
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.report import Report, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.options import Options

HELP, READY = 0.3, 5.0
TIMES = 5
PATIENCE = 120.0
"""Seconds that the first server may take, which makes its database."""

_TENURE = str(Path(sys.executable).with_name("tenure"))
_LEFT_OUT = {"PYTHONDONTWRITEBYTECODE", "TENURE_DATABASE_URL", "TENURE_DATABASE_OWNER_URL"}


async def run(options: Options) -> Report:
    """Ask for the help and start the server, several times each; the first time of each is not counted."""
    environment = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    environment["TENURE_DATA"] = str((options.data / "start").absolute())
    helps = [_help(environment) for _ in range(TIMES + 1)][1:]
    starts = [_start(environment) for _ in range(TIMES + 1)][1:]
    walls, cpus = zip(*starts, strict=True)
    help_cpu, ready = statistics.median(helps), statistics.median(walls)
    return Report(
        name="start",
        title="From the command to the answer",
        columns=["", "median seconds", "longest", "median seconds of CPU"],
        rows=[
            ["tenure --help", None, None, help_cpu],
            ["tenure serve, until it is ready", ready, max(walls), statistics.median(cpus)],
        ],
        verdicts=[
            Verdict("seconds of CPU for `tenure --help`", help_cpu, at_most=HELP),
            Verdict("seconds until the server is ready on an existing database", ready, at_most=READY),
        ],
        conditions={"times": TIMES},
        notes=["The server's seconds of CPU are its own process's; PostgreSQL's are not among them."],
    )


def _help(environment: Mapping[str, str]) -> float:
    """Seconds of CPU that the help takes."""
    before = _children()
    subprocess.run([_TENURE, "--help"], env=environment, stdout=subprocess.DEVNULL, check=True)
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _start(environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds until a server is ready, and how many of CPU; it is stopped again."""
    port = _free_port()
    begin = time.monotonic()
    with _serving(environment, port) as server:
        while not _is_ready(port):
            if server.poll() is not None or time.monotonic() - begin > PATIENCE:
                raise RuntimeError("The server did not start.")
            time.sleep(0.01)
        taken, used = time.monotonic() - begin, psutil.Process(server.pid).cpu_times()
    return taken, used.user + used.system


@contextmanager
def _serving(environment: Mapping[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [_TENURE, "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield server
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def _is_ready(port: int) -> bool:
    with suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    return False
