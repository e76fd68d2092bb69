"""The demo as a newcomer meets it: from nothing, again, after a kill, and where it cannot run."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from cli import demo as program
from cli.asking import DEMO_TOKEN
from cli.business import shirin
from domain.tenants.queries import authenticate
from tests.cli.conftest import CURL, TENURE, Demo, ask, is_read, settled

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database
    from tests.cli.conftest import First

ALLOWED = "access-control-allow-origin"
NOTHING = {
    "needsReauth": 0, "quarantined": 0, "conflicts": 0, "bulkDeletes": 0, "linkCandidates": 0, "rejectedRecords": 0,
}  # fmt: skip
HOUSE = f"""{{
  customer(by: {{ email: "{shirin.EMPLOYER_EMAIL}" }}) {{
    displayName
    sources {{ type integration {{ label }} }}
    invoices(first: 1) {{ totalCount }}
    timeline(first: 20, filter: {{ kind: {{ in: [EMAIL_RECEIVED, EMAIL_SENT, MEETING] }} }}) {{
      nodes {{ kind summary source {{ integration {{ label }} }} }}
    }}
  }}
}}"""


def by_label(state: Any) -> dict[str, Any]:
    return {each["label"]: each for each in state["integrations"]["nodes"]}


def test_both_vendors_are_connected_and_read(first: First) -> None:
    connected = by_label(first.state)
    assert {label: (each["state"], each["accountLabel"]) for label, each in connected.items()} == {
        "QuickBooks": ("ACTIVE", "Demo Trading Ltd"),
        "Outlook": ("ACTIVE", "office@demo-trading.example"),
        "The demo's shop": ("ACTIVE", None),
    }
    runs = [run for each in connected.values() for run in each["runs"]["nodes"]]
    assert [(run["error"], run["rejected"], run["deleted"]) for run in runs] == [(None, 0, 0)] * len(runs)
    assert first.state["viewer"]["attention"] == NOTHING


def test_whom_a_vendor_knows_by_the_same_address_is_the_same_customer(first: First, guide: str) -> None:
    """Sixty, Shirin and her employer: the nine in the books and the sixteen in the mailbox are among them."""
    assert first.state["customers"]["totalCount"] == 62
    house = ask(guide, HOUSE)["customer"]
    assert house["displayName"] == shirin.EMPLOYER
    assert sorted((each["type"], each["integration"]["label"]) for each in house["sources"]) == [
        ("customer", "QuickBooks"),
        ("customer", "The demo's shop"),
    ]
    assert house["invoices"]["totalCount"] >= 6
    entries = [(each["kind"], each["summary"]) for each in house["timeline"]["nodes"] if _is_outlooks(each)]
    assert entries[:3] == [
        ("MEETING", "Tasting at Saffron Hill"),
        ("EMAIL_SENT", "Re: A second machine"),
        ("EMAIL_RECEIVED", "A second machine"),
    ]


def _is_outlooks(entry: Any) -> bool:
    return bool(entry["source"] and entry["source"]["integration"]["label"] == "Outlook")


def test_a_second_start_uses_what_is_there(demo: Demo, first: First, guide: str) -> None:
    assert demo.token.read_text() == first.token
    assert f"\n{first.token}" in guide
    state = settled(guide, is_read)
    assert state["customers"]["totalCount"] == 62
    assert state["invoices"]["totalCount"] >= first.state["invoices"]["totalCount"]
    assert state["viewer"]["attention"] == NOTHING
    before, after = by_label(first.state), by_label(state)
    assert len(after["The demo's shop"]["runs"]["nodes"]) == 1
    assert {label: (each["state"], each["account"]) for label, each in after.items()} == {
        label: (each["state"], each["account"]) for label, each in before.items()
    }
    runs = [run for each in after.values() for run in each["runs"]["nodes"]]
    assert [(run["error"], run["rejected"], run["deleted"]) for run in runs] == [(None, 0, 0)] * len(runs)


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


def test_whether_it_was_stopped_or_killed_there_is_never_half_of_it(tmp_path: Path, first: First) -> None:
    demo = Demo(tmp_path)
    for number, code in ((signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)):
        with demo.start() as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("Making up a business with 60 customers")
            process.send_signal(number)
            assert process.wait(timeout=10) == code
            assert process.stderr.read() == ""
    with demo.running() as guide:
        assert ask(guide, "{ customers(first: 1) { totalCount } }")["customers"] == first.state["customers"]
        assert ask(guide)["customer"]["orderTotals"]["orders"] == 9


def test_what_happens_at_a_vendor_is_heard_of(first: First, guide: str) -> None:
    """The first thing after a start is an invoice or a mail, within twenty seconds; the tests before took some."""
    settled(guide, lambda state: _read_so_far(state) > _read_so_far(first.state))


def _read_so_far(state: Any) -> int:
    return sum(run["read"] for each in state["integrations"]["nodes"] for run in each["runs"]["nodes"])


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
