"""A demo that runs as newcomers start it: its first start fills it, its second one is what the tests look at."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import pytest
from typer.testing import CliRunner

from cli.main import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.testing import Result

TENURE = str(Path(sys.executable).with_name("tenure"))
CURL = re.compile(r"curl -s (\S+) -H 'Authorization: (.+?)' -H 'Content-Type: (.+?)' -d '(.+?)' \| python3 ")
STATE = """{
  customers(first: 1) { totalCount }
  invoices(first: 1) { totalCount }
  viewer { attention { needsReauth quarantined conflicts bulkDeletes linkCandidates rejectedRecords } }
  integrations(first: 10) { nodes {
    label state reason account accountLabel accuracy
    streams { name readUntil }
    runs(first: 50) { nodes { stream mode endedAt error read rejected deleted } }
  } }
}"""
"""What is connected, and what came of it."""


class Demo:
    """A directory with a demo of sixty customers in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_") and name != "PORT"}
        self.environment = {
            **kept,
            "TENURE_DEMO_CUSTOMERS": "60",
            "TENURE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        }

    def start(self, port: int = 0) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [TENURE, "demo", "--port", str(port)], cwd=self.home, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    @contextmanager
    def running(self, port: int = 0) -> Iterator[str]:
        """What the demo prints once it is ready; in the end it stops cleanly, and nothing of it is left."""
        with self.start(port) as process:
            yield _until_ready(process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=15) == 0
            with pytest.raises(ProcessLookupError):
                os.killpg(process.pid, 0)
        assert list(self.home.glob("var/demo/postgres/*/data/postmaster.pid")) == []

    def shell(self, *words: str) -> str:
        """What another command prints, in a shell that has the demo's settings."""
        command = ["bash", "-c", '. var/demo/env; exec "$@"', "bash", TENURE, *words]
        return subprocess.run(
            command, cwd=self.home, env=self.environment, text=True, capture_output=True, check=True
        ).stdout

    def tenure(self, *words: str) -> Result:
        """What another command says, run in this process, which is faster. Raises what refuses it."""
        lines = (self.home / "var" / "demo" / "env").read_text().splitlines()
        exported = [shlex.split(line)[1].partition("=") for line in lines if line.startswith("export ")]
        known = {name: None for name in os.environ if name.startswith("TENURE_")}
        settings = {name: value for name, _, value in exported}
        return CliRunner().invoke(app, words, env={**known, **settings}, catch_exceptions=False)

    @property
    def token(self) -> Path:
        return self.home / "var" / "demo" / "token"


def _until_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    said = ""
    while line := process.stdout.readline():
        said += line
        if line.startswith("Ctrl-C"):
            return said
    raise AssertionError(process.stderr.read())


def ask(guide: str, query: str | None = None) -> Any:
    """The answer to the printed line, or to another query in its place."""
    found = CURL.search(guide)
    assert found is not None, guide
    url, bearer, kind, body = found.groups()
    sent = json.dumps({"query": query}) if query else body
    answer = httpx2.post(url, headers={"Authorization": bearer, "Content-Type": kind}, content=sent).json()
    assert "errors" not in answer
    return answer["data"]


class First(NamedTuple):
    """What the first start came to."""

    token: str
    state: Any


def settled(guide: str, is_settled: Callable[[Any], bool]) -> Any:
    """The state of the demo as soon as it is as it should be."""
    deadline = time.monotonic() + 60
    while not is_settled(state := ask(guide, STATE)):
        assert time.monotonic() < deadline, state
        time.sleep(0.5)
    return state


def is_read(state: Any) -> bool:
    """Whether every stream was read to its end."""
    streams = [stream for each in state["integrations"]["nodes"] for stream in each["streams"]]
    return len(streams) == 10 and all(stream["readUntil"] for stream in streams)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo that stands still."""
    return Demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def first(demo: Demo) -> First:
    """The first start, until everything was read."""
    with demo.running() as guide:
        return First(demo.token.read_text(), settled(guide, is_read))


@pytest.fixture(scope="session")
def guide(demo: Demo, first: First) -> Iterator[str]:
    """What the second start prints; it runs as long as tests need it."""
    with demo.running() as printed:
        yield printed
