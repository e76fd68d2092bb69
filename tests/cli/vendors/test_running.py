"""The demo's vendors after a restart are those from before: the same ids, versions and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from cli.vendors import running
from cli.vendors.dealings import COMPANY, MAILBOX
from cli.vendors.journal import Entry, Happened, Journal, Opened

if TYPE_CHECKING:
    from pathlib import Path

    from cli.vendors.running import Vendors

CUSTOMERS = 40


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vendors.jsonl"


def everything(vendors: Vendors) -> dict[str, Any]:
    """All that the vendors have, with its ids, versions and times."""
    books, box = vendors.quickbooks.company(COMPANY), vendors.outlook.mailbox(MAILBOX)
    found: dict[str, Any] = {name: list(books.records(name)) for name in ("Customer", "Item", "Invoice", "Payment")}
    found["mailbox"] = {item.id: (item.etag, item.kind, item.modified, item.fields) for item in box.items.values()}
    found["changes"] = {folder.key: folder.log.lines for folder in box.folders.values()}
    return found


async def test_a_restart_changes_nothing(file: Path) -> None:
    with running.opened(file) as vendors:
        await vendors.remember(CUSTOMERS)
        for _ in range(8):
            await vendors.happen()
        before = everything(vendors)
    with running.opened(file) as again:
        await again.remember(5)  # who is there already stays
        assert everything(again) == before
    assert len(before["Customer"]) == 1 + CUSTOMERS // 8
    assert [type(entry) for entry in Journal(file).read()] == [Opened] + [Happened] * 8


async def test_what_tenure_wrote_is_there_after_a_restart(file: Path) -> None:
    async def changed(vendors: Vendors, key: str, method: str, path: str, body: dict[str, Any]) -> Any:
        token = {"quickbooks": vendors.quickbooks.tokens_for(COMPANY), "outlook": vendors.outlook.tokens_for(MAILBOX)}
        headers = {"authorization": f"Bearer {token[key]['access_token']}", "accept": "application/json"}
        async with httpx2.AsyncClient(base_url=vendors.addresses[key], headers=headers) as client:
            answer = await client.request(method, path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

    with running.opened(file) as vendors:
        await vendors.remember(CUSTOMERS)
        async with vendors.listening():
            new = f"/v3/company/{COMPANY}/customer?minorversion=75&requestid=one"
            made = (await changed(vendors, "quickbooks", "POST", new, {"DisplayName": "نگار"}))["Customer"]
            query = f"/v3/company/{COMPANY}/query?query=select%20*%20from%20Customer&minorversion=75"
            await changed(vendors, "quickbooks", "GET", query, {})
            person = {"givenName": "Nasrin", "emailAddresses": [{"address": "nasrin@example.com", "name": "N"}]}
            contact = await changed(vendors, "outlook", "POST", "/v1.0/me/contacts", person)
            path = f"/v1.0/me/contacts/{contact['id']}"
            await changed(vendors, "outlook", "PATCH", path, {"surname": "Omidi"})
        await vendors.happen()
        before = everything(vendors)
    with running.opened(file) as again:
        await again.remember(CUSTOMERS)
        assert everything(again) == before
        assert again.quickbooks.company(COMPANY).read("Customer", made["Id"])["DisplayName"] == "نگار"
    assert [type(entry).__name__ for entry in Journal(file).read()] == ["Opened", *["Written"] * 3, "Happened"]


async def test_who_was_let_in_stays_in_after_a_restart(file: Path) -> None:
    async def refreshed(vendors: Vendors, key: str, token: str) -> httpx2.Response:
        sandbox = vendors.quickbooks if key == "quickbooks" else vendors.outlook
        app = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
        form = {"grant_type": "refresh_token", "refresh_token": token}
        async with httpx2.AsyncClient(base_url=vendors.addresses[key]) as client:
            if key == "quickbooks":
                return await client.post("/oauth2/v1/tokens/bearer", data=form, auth=(*app.values(),))
            return await client.post("/common/oauth2/v2.0/token", data=form | app)

    with running.opened(file) as vendors:
        await vendors.remember(CUSTOMERS)
        async with vendors.listening():
            tokens = {
                "quickbooks": vendors.quickbooks.tokens_for(COMPANY),
                "outlook": vendors.outlook.tokens_for(MAILBOX),
            }
            answers = {key: await refreshed(vendors, key, each["refresh_token"]) for key, each in tokens.items()}
            assert {key: answer.status_code for key, answer in answers.items()} == {"quickbooks": 200, "outlook": 200}
    with running.opened(file) as again:
        await again.remember(CUSTOMERS)
        async with again.listening():
            assert (await refreshed(again, "quickbooks", "RT-of-nobody")).status_code == 400
            for key, answer in answers.items():
                assert (await refreshed(again, key, answer.json()["refresh_token"])).status_code == 200
            new = [again.quickbooks.tokens_for(COMPANY)["refresh_token"] for _ in range(3)]
            assert answers["quickbooks"].json()["refresh_token"] not in new
    assert [type(entry).__name__ for entry in Journal(file).read()] == ["Opened", *["Allowed"] * 4]


def test_what_a_crash_cut_off_is_dropped(file: Path) -> None:
    entries: list[Entry] = [
        Opened(datetime(2026, 11, 1, tzinfo=UTC), CUSTOMERS),
        Happened(datetime(2026, 11, 2, tzinfo=UTC)),
    ]
    for entry in entries:
        Journal(file).write(entry)
    whole = file.read_bytes()
    file.write_bytes(whole + whole.splitlines(keepends=True)[-1][:-5])
    assert Journal(file).read() == entries
    assert file.read_bytes() == whole


def test_nobody_is_let_in_unasked_once_the_demo_runs(file: Path) -> None:
    with running.opened(file) as vendors:
        with vendors.approving():
            assert (vendors.quickbooks.auto_approve, vendors.outlook.auto_approve) == (True, True)
        assert (vendors.quickbooks.auto_approve, vendors.outlook.auto_approve) == (False, False)
