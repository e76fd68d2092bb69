"""The program as its users start it: a process of its own, on an embedded database."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from uuid import UUID

import httpx2
import pytest

from cli import tenants
from cli.main import main
from domain.tenants.model import Calendar, Role
from domain.tenants.rules import LANGUAGES, SCOPES_OF_ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator

TENURE = str(Path(sys.executable).with_name("tenure"))


@dataclass
class Said:
    """What a command wrote, and the code it ended with."""

    code: int | str
    out: io.StringIO
    err: io.StringIO

    @property
    def stdout(self) -> str:
        return self.out.getvalue()

    @property
    def stderr(self) -> str:
        return self.err.getvalue()


class Program:
    """`tenure` with a data directory of its own and nothing from the tester's environment."""

    def __init__(self, data: Path) -> None:
        self.data = data
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}
        self.environment = {**kept, "TENURE_DATA": str(data), "TENURE_METRICS_PORT": "0"}

    def run(self, *words: str, stdin: str = "", code: int = 0, **variables: str) -> Said:
        """What a command says, run in this process: each start of the program takes its second."""
        settings = {name: "" for name in os.environ if name.startswith("TENURE_")} | self.environment | variables
        said = Said(0, io.StringIO(), io.StringIO())
        with (
            pytest.MonkeyPatch.context() as patched,
            redirect_stdout(said.out),
            redirect_stderr(said.err),
        ):
            for name, value in settings.items():
                patched.setenv(name, value) if value else patched.delenv(name, raising=False)
            patched.setattr(sys, "argv", ["tenure", *words])
            patched.setattr(sys, "stdin", io.StringIO(stdin))
            patched.chdir(self.data)
            try:
                main()
            except SystemExit as ended:
                said.code = ended.code or 0
        assert said.code == code, said.stderr
        return said

    def process(self, *words: str) -> str:
        """What a command prints as a process of its own."""
        done = subprocess.run(
            [TENURE, *words], env=self.environment, capture_output=True, text=True, timeout=60, check=True,
            cwd=self.data,
        )  # fmt: skip
        return done.stdout

    def refused(self, *words: str, **variables: str) -> str:
        """The one line on stderr that says why."""
        done = self.run(*words, code=2, **variables)
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        return done.stderr.removeprefix("Error: ").rstrip()

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen([TENURE, *words], env=self.environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A program whose database a worker keeps up, so that each command finds it running."""
    program = Program(tmp_path_factory.mktemp("data"))
    keeper = program.start("worker")
    assert keeper.stderr is not None
    assert keeper.stderr.readline() == "Working.\n"
    yield program
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(timeout=10) == 0
    keeper.stderr.close()


@pytest.fixture(scope="module")
def acme(program: Program) -> str:
    done = program.run("tenants", "create", "acme", "--name", "Acme", "--time-zone", "Asia/Tehran", "--currency", "IRR",
                       "--calendar", "jalali", "--locale", "fa")  # fmt: skip
    return done.stdout.strip()


def test_help_comes_at_once(program: Program) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = program.process("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in (
        "serve",
        "worker",
        "demo",
        "migrate",
        "query",
        "schema",
        "tenants",
        "tokens",
        "audit",
        "customers",
        "import",
        "data",
    ):
        assert f"  {command} " in shown
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.6  # twice what it must reach


def test_help_loads_nothing_that_is_slow(program: Program) -> None:
    loaded = subprocess.run([sys.executable, "-c", "import cli.main, sys; print(*sys.modules)"], capture_output=True,
                            text=True, check=True).stdout.split()  # fmt: skip
    assert not {"sqlalchemy", "asyncpg", "uvicorn", "strawberry", "rich.console", "pydantic"} & set(loaded)


def test_a_tenant_is_created_and_listed(program: Program, acme: str) -> None:
    UUID(acme)
    assert f"acme\tACTIVE\t{acme}\n" in program.run("tenants", "list").stdout


REFUSALS = {
    "tenants create acme": "Another tenant has this short name. Choose another one. (slug: acme)",
    "tenants create x": "A tenant's short name has 2 to 40 lower-case letters, digits and hyphens,",
    "tenants create ok --time-zone Mars": "This is no IANA time zone. Use a name such as Europe/London.",
    "tenants create ok --currency XYZ": "This is no ISO-4217 currency code. Use three capital letters, such as EUR.",
    "tokens create nobody": "There is no tenant called nobody. `tenure tenants list` shows those there are.",
    "tokens create acme --role viewer --scope pii:read": "There is no such scope, or the principal's role",
    "tokens revoke acme 1": "Nothing with this id exists here. Check the id; one of another tenant gets",
    "customers export acme cus_1": "Nothing with this id exists here.",
    f"customers export acme cus_{'0' * 32}": "Nothing with this id exists here.",
    f"customers erase acme cus_{'0' * 32} --yes": "Nothing with this id exists here.",
    "query {a}": "A token is needed. Give --token or TENURE_TOKEN; `tenure tokens create` issues one.",
    "query {a} --token x --variables []": "The variables are no JSON object. Write them as '{\"first\": 10}'.",
    "query --token x --file absent": "absent cannot be read: [Errno 2]",
}


@pytest.mark.parametrize("command", REFUSALS)
def test_what_cannot_be_is_refused_in_one_line(
    program: Program, acme: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, since it is about words: each start of the program takes its second."""
    monkeypatch.setattr(sys, "argv", ["tenure", *command.split()])
    monkeypatch.setenv("TENURE_DATA", str(program.data))
    for name in ("TENURE_TOKEN", "TENURE_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(program.data)
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert ended.value.code == 2
    assert shown.out == ""
    assert shown.err.startswith(f"Error: {REFUSALS[command]}")
    assert shown.err.count("\n") == 1


def test_a_setting_that_cannot_be_is_refused_in_one_line(program: Program) -> None:
    assert program.refused("data", "path", TENURE_METRICS_PORT="many").startswith(
        "TENURE_METRICS_PORT: Input should be"
    )


def test_a_token_is_shown_once_and_can_be_revoked(program: Program, acme: str) -> None:
    done = program.run("tokens", "create", "acme", "--role", "agent", "--expires-in", "30d", "--name", "shop window")
    token = done.stdout.strip()
    assert re.fullmatch(r"tnr_[0-9a-f]{12}_[0-9A-Za-z_-]{32}", token)
    assert " ".join(sorted(SCOPES_OF_ROLE["AGENT"])) in done.stderr

    token_id, beginning, name, state = program.run("tokens", "list", "acme").stdout.splitlines()[0].split("\t")
    assert token.startswith(beginning)
    assert name == "shop window"
    assert state.startswith("expires ")

    program.run("tokens", "revoke", "acme", token_id)
    listed = program.run("tokens", "list", "acme").stdout
    assert listed.splitlines()[0].split("\t")[3].startswith("revoked ")
    assert token not in listed


def test_the_audit_log_is_verified_against_an_earlier_check(program: Program, acme: str) -> None:
    earlier = program.run("audit", "verify", "acme").stdout.strip()
    program.run("tokens", "create", "acme")
    later = program.run("audit", "verify", "acme", "--earlier", earlier).stdout.strip()
    assert int(later.partition(":")[0]) == int(earlier.partition(":")[0]) + 2

    forged = f"{earlier.partition(':')[0]}:{'0' * 64}"
    assert program.refused("audit", "verify", "acme", "--earlier", forged).startswith("The audit log was altered")
    assert "LENGTH:DIGEST" in program.run("audit", "verify", "acme", "--earlier", "7", code=2).stderr


def test_data_path_says_where_the_data_is(program: Program) -> None:
    assert program.run("data", "path").stdout == f"{program.data}\n"
    assert program.run("data", "path", "--data", "elsewhere").stdout == "elsewhere\n"


def test_migrate_says_what_it_reached(program: Program) -> None:
    assert re.fullmatch(r"The database is at \d{4}\.\n", program.run("migrate").stderr)


def test_no_server_is_said_so(program: Program) -> None:
    refusal = program.refused("query", "{ __typename }", "--token", "x", "--url", "http://127.0.0.1:1")
    assert refusal.startswith("No server answers at http://127.0.0.1:1")


def test_the_choices_are_those_of_the_domain() -> None:
    assert get_args(tenants.RoleName) == tuple(Role)
    assert get_args(tenants.CalendarName) == tuple(Calendar)
    assert get_args(tenants.LanguageName) == LANGUAGES


@pytest.fixture(scope="module")
def served(program: Program) -> Iterator[str]:
    """The address of a server that runs while the tests of this module do, and ends as it should."""
    server = program.start("serve", "--port", "0")
    assert server.stderr is not None
    line = server.stderr.readline()
    yield line.removeprefix("Tenure listens on ").rstrip()
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=10) == 0
    assert server.stderr.read() == ""
    server.stderr.close()


def test_a_server_says_where_it_listens_and_is_ready(served: str) -> None:
    for path in ("livez", "readyz"):
        assert httpx2.get(f"{served}/{path}").status_code == 200


@pytest.mark.parametrize("where", ["a running server", "the API in this process"])
def test_an_operation_is_answered(program: Program, acme: str, served: str, where: str) -> None:
    token = program.run("tokens", "create", "acme").stdout.strip()
    url = ["--url", served] if where == "a running server" else []
    done = program.run("query", "{ __typename }", *url, TENURE_TOKEN=token)
    assert json.loads(done.stdout) == {"data": {"__typename": "Query"}}
    done = program.run("query", *url, stdin="{ nothingLikeThis }", code=1, TENURE_TOKEN=token)
    assert "nothingLikeThis" in json.loads(done.stdout)["errors"][0]["message"]


def test_the_schema_is_printed(program: Program) -> None:
    assert "\ntype Query " in program.run("schema").stdout


def test_connectors_are_listed_and_decided_about(program: Program, acme: str) -> None:
    def listed() -> dict[str, str]:
        lines = program.run("connectors", "list").stdout.splitlines()[2:]
        return {line.split()[0]: " ".join(line.split()[2:]) for line in lines}

    before = listed()
    assert before["files"] == "none tenure LOADED the worker nothing"
    assert before["quickbooks"].startswith("gold tenure LOADED the worker QuickBooks Online needs an app")
    assert "the operator sets TENURE_OAUTH_QUICKBOOKS_ID" in before["quickbooks"]
    told = program.run("connectors", "isolate", "files", "process").stderr
    assert told == "files runs in a process of its own from its next run on.\n"
    program.run("connectors", "block", "files", "--reason", "It lost orders")
    assert listed()["files"] == "none tenure LOADED a process of its own blocked: It lost orders"
    assert program.run("connectors", "unblock", "files").stderr == "files is used again.\n"
    assert program.refused("connectors", "block", "nothing").startswith("No connector nothing is installed; ")
    refused = program.refused("connectors", "release", "files", "--tenant", "acme")
    assert refused.startswith("There is no integration files")
