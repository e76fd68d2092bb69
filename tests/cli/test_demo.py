"""The demo as a newcomer meets it: from nothing, again, after a kill, and where it cannot run."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from cli import demo as program
from cli.asking import DEMO_TOKEN
from domain.tenants.queries import authenticate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from domain.core.database import Database

pytestmark = pytest.mark.xdist_group("demo")

TENURE = str(Path(sys.executable).with_name("tenure"))
CURL = re.compile(r"curl -s (\S+) -H 'Authorization: (.+?)' -H 'Content-Type: (.+?)' -d '(.+?)' \| python3 ")
ALLOWED = "access-control-allow-origin"
COUNTS = """{
  customers(first: 1) { totalCount }
  orders(first: 1) { totalCount }
  interactions(first: 1) { totalCount }
}"""


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
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    @contextmanager
    def running(self, port: int = 0) -> Iterator[str]:
        """What the demo prints once it is ready; in the end it stops cleanly."""
        with self.start(port) as process:
            yield _until_ready(process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0

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


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return Demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def first(demo: Demo) -> tuple[str, Any]:
    """The token and the counts of the first start."""
    with demo.running() as guide:
        return demo.token.read_text(), ask(guide, COUNTS)


@pytest.fixture(scope="module")
def guide(demo: Demo, first: tuple[str, Any]) -> Iterator[str]:
    """What the second start prints; it runs while the tests of this module do."""
    with demo.running() as printed:
        yield printed


def test_a_second_start_uses_what_is_there(demo: Demo, first: tuple[str, Any], guide: str) -> None:
    token, counts = first
    assert demo.token.read_text() == token
    assert f"\n{token}" in guide
    assert ask(guide, COUNTS) == counts


def test_a_page_on_localhost_may_ask(guide: str) -> None:
    found = CURL.search(guide)
    assert found is not None
    origins = ("http://localhost:5173", "http://127.0.0.1:3000", "https://example.com")
    asked = [{"Origin": origin, "Access-Control-Request-Method": "POST"} for origin in origins]
    allowed = [httpx2.options(found[1], headers=headers).headers.get(ALLOWED) for headers in asked]
    assert allowed == ["http://localhost:5173", "http://127.0.0.1:3000", None]


def test_a_port_that_is_taken_is_refused_in_one_line(demo: Demo, guide: str) -> None:
    found = re.search(r"127\.0\.0\.1:(\d+)", guide)
    assert found is not None
    second = demo.start(int(found[1]))
    said, refusal = second.communicate(timeout=30)
    assert (second.returncode, said) == (2, "")
    assert re.fullmatch(rf"Error: Cannot listen on 127.0.0.1:{found[1]}: .*in use.* with --port.\n", refusal)


def test_it_listens_to_nobody_else(demo: Demo) -> None:
    refused = subprocess.run([TENURE, "demo", "--host", "::"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "No such option: --host" in refused.stderr


def test_whether_it_was_stopped_or_killed_there_is_never_half_of_it(tmp_path: Path, first: tuple[str, Any]) -> None:
    demo = Demo(tmp_path)
    for number, code in ((signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)):
        with demo.start() as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("Making up a business with 60 customers")
            process.send_signal(number)
            assert process.wait(timeout=10) == code
            assert process.stderr.read() == ""
    with demo.running() as guide:
        assert ask(guide, COUNTS)["customers"] == first[1]["customers"]
        assert ask(guide)["customer"]["orderTotals"]["orders"] == 9


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory in which a demo keeps its things, empty."""
    monkeypatch.chdir(tmp_path)
    DEMO_TOKEN.parent.mkdir(parents=True)


@pytest.mark.parametrize("before", ["one that works", "none", "one that does not", "no token at all"])
async def test_the_token_is_the_one_that_works_or_a_new_one(
    database: Database, tenant: UUID, home: None, before: str
) -> None:
    useless = {"one that does not": f"tnr_000000000000_{'x' * 32}", "no token at all": "سلام"}
    if before == "one that works":
        useless[before] = await program.token(database, tenant)
    if before in useless:
        DEMO_TOKEN.write_text(useless[before], encoding="utf-8")
    token = await program.token(database, tenant)
    assert (token == useless.get(before)) == (before == "one that works")
    assert DEMO_TOKEN.read_text().strip() == token
    assert (await authenticate(database, token)).tenant_id == tenant


async def test_the_token_is_for_its_owner_alone(database: Database, tenant: UUID, home: None) -> None:
    await program.token(database, tenant)
    assert stat.S_IMODE(DEMO_TOKEN.stat().st_mode) == 0o600
    assert [file.name for file in DEMO_TOKEN.parent.iterdir()] == ["token"]
