"""Replies of a real vendor are kept without secrets and people, and make the same records again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from acme_books import AcmeBooks
from acme_books.sandbox import FakeAcme

from tenure_sdk import cli
from tenure_sdk.http import httpx
from tenure_sdk.testing import Bench, LiveAccount, Missing, Recorded, ReferenceHost, examine
from tenure_sdk.testing.live import LIVE
from tenure_sdk.testing.recording import Redaction

if TYPE_CHECKING:
    from collections.abc import Sequence


def environment(remote: FakeAcme) -> dict[str, str]:
    return {"ACME_BOOKS_COMPANY": "1", "ACME_BOOKS_ACCESS_TOKEN": remote.credentials()["access_token"]}


def record(remote: FakeAcme, stream: str, file: Path, keep: Sequence[str] = ()) -> tuple[int, int]:
    return asyncio.run(
        cli.recorded(
            AcmeBooks, stream, 7, environment(remote), file, keep=keep, transport=remote.transport(),
        )
    )  # fmt: skip


def landed(file: Path, stream: str) -> dict[str, Any]:
    async def pull() -> dict[str, Any]:
        host = ReferenceHost(AcmeBooks, Recorded(AcmeBooks, file))
        try:
            await host.pull(next(each for each in AcmeBooks.streams() if each.name == stream))
        finally:
            await host.aclose()
        return host.store[stream.removesuffix("s")]

    return asyncio.run(pull())


def test_what_was_recorded_makes_the_same_records_of_nobody(tmp_path: Path) -> None:
    remote = FakeAcme()
    ids = remote.seed("customers", 7)
    assert record(remote, "customers", tmp_path / "customers.json") == (7, 2)
    told = (tmp_path / "customers.json").read_text()
    assert remote.credentials()["access_token"] not in told
    assert "c1@example.com" not in told
    found = landed(tmp_path / "customers.json", "customers")
    assert list(found) == list(ids)
    assert [(each.name, each.emails) for each in found.values()][:2] == [
        ("Xxxxxxxx 0", ("person1@example.com",)), ("Xxxxxxxx 0", ("person2@example.com",)),
    ]  # fmt: skip
    record(remote, "customers", tmp_path / "named.json", keep=["name"])
    assert landed(tmp_path / "named.json", "customers")[ids[0]].name == "Customer 1"


def test_amounts_stay_exact(tmp_path: Path) -> None:
    remote = FakeAcme()
    [name] = remote.seed("invoices", 1)
    record(remote, "invoices", tmp_path / "invoices.json")
    assert landed(tmp_path / "invoices.json", "invoices")[name].total == Decimal("1.10")


def test_what_was_not_recorded_is_told(tmp_path: Path) -> None:
    record(FakeAcme(), "customers", tmp_path / "customers.json")
    with pytest.raises(Missing, match="no reply to GET /v1/1/invoices is recorded"):
        landed(tmp_path / "customers.json", "invoices")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"id": "k-7", "DisplayName": "Zoë Ng", "CustomerRef": {"value": "7", "name": "Zoë"}},
         {"id": "k-7", "DisplayName": "Xxx Xx", "CustomerRef": {"value": "7", "name": "Xxx"}}),
        ({"phone": {"number": "+49 30 1", "id": "p1"}}, {"phone": {"number": "+00 00 0", "id": "p1"}}),
        ({"to": ["Ada <ada@x.org>", "ADA@x.org"]}, {"to": ["Ada <person1@example.com>", "person1@example.com"]}),
        ({"notes": ["2026-03-01", "call 5"], "total": Decimal("1.10")},
         {"notes": ["2026-03-01", "xxxx 0"], "total": Decimal("1.10")}),
        ({"next": "https://a.example/?token=s3cret&page=2"}, {"next": "https://a.example/?token=***&page=2"}),
    ],
)  # fmt: skip
def test_redaction(told: dict[str, Any], kept: dict[str, Any]) -> None:
    assert Redaction(["s3cret"]).value(told) == kept


def test_a_real_account_is_read_and_never_changed() -> None:
    remote = FakeAcme()
    for stream in ("customers", "products", "invoices"):
        remote.seed(stream, 3)
    asked: list[str] = []

    async def watched(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return remote._answer(request)

    def account(account: str = "1") -> LiveAccount:
        given = environment(remote)
        return LiveAccount(AcmeBooks, account=account, environment=given, transport=httpx.MockTransport(watched))

    bench = Bench(AcmeBooks, account)
    outcomes = {name: examine(bench, name).outcome for name in LIVE}
    assert outcomes == dict.fromkeys(LIVE, "passed") | {"SCH-4": "not applicable"}
    assert set(asked) == {"GET"}
    remote.revoke()
    assert examine(bench, "AUT-1").seen == ("AuthRevoked: The remote side refused credentials that were just renewed.")


def test_live_asks_for_the_account(tmp_path: Path) -> None:
    (tmp_path / "test_acme.py").write_text(
        (Path(__file__).parents[1] / "examples/acme_books/tests/test_acme_books.py").read_text()
    )
    told = subprocess.run(
        [sys.executable, "-m", "tenure_sdk.cli", "check", "--live", "--only", "aut-1", str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert (
        "seen:     the settings of acme-books stand in ACME_BOOKS_COMPANY, which the environment has not" in told.stdout
    )
    assert not (tmp_path / "conformance.json").exists()
