"""A sandbox served over TLS under its vendor's names, and judges called to look at it."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv" / "judges" / "bin" / "python"
PATIENCE = 60


@dataclass(frozen=True)
class Served:
    """Where a sandbox can be reached as its vendor."""

    hosts: tuple[str, ...]
    port: int
    authority: Path

    def brief(self, **more: Any) -> dict[str, Any]:
        """What a judge must know to reach it."""
        return {"hosts": self.hosts, "address": ["127.0.0.1", self.port], "authority": str(self.authority), **more}


@contextmanager
def served(app: ASGIApp, hosts: tuple[str, ...], directory: Path) -> Iterator[Served]:
    """The app, over TLS on a port of this machine."""
    run("certificates.py", str(directory), *hosts)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        certificate = str(directory / "server.pem")
        config = uvicorn.Config(app, ssl_certfile=certificate, lifespan="off", ws="none", log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Served(hosts, listening.getsockname()[1], directory / "ca.pem")
        server.should_exit = True
        thread.join(PATIENCE)


def judge(script: str, brief: dict[str, Any], python: Path = PYTHON) -> dict[str, str | None]:
    """The verdicts of a judge's script, by scenario: None where all was well."""
    verdicts: dict[str, str | None] = json.loads(run(script, brief=json.dumps(brief), python=python))
    return verdicts


def run(script: str, *arguments: str, brief: str = "", python: Path = PYTHON) -> str:
    if not python.exists():
        pytest.fail("The judges are not here yet: make judges")
    command = [str(python), str(HERE / script), *arguments]
    done = subprocess.run(command, input=brief, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
