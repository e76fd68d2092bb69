"""What `tenure integrations`, `sync` and `reconcile` say of the demo, and how they say what people read."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cli.integrations import ago, compared, share
from domain.core.problems import NotFound
from domain.integrations.model import ReconciliationReport
from domain.integrations.rules import UnknownStream
from tests.cli.conftest import is_read, settled

if TYPE_CHECKING:
    from tests.cli.conftest import Demo

STREAMS = ["customers", "items", "invoices", "sales_receipts", "payments", "credit_memos", "refund_receipts"]


@pytest.fixture
def running(demo: Demo, guide: str) -> Demo:
    """The demo, with everything read."""
    settled(guide, is_read)
    return demo


def test_all_are_listed(running: Demo) -> None:
    listed = running.tenure("integrations", "list", "--tenant", "demo").stdout.splitlines()
    heads, _, *rows = [re.split(r"\s{2,}", line.strip()) for line in listed]
    assert heads == [
        "integration", "connector", "state", "lag", "records", "conflicts", "accuracy", "waits for a person",
    ]  # fmt: skip
    assert [(row[0], row[1], row[2], row[-1]) for row in rows] == [
        ("The demo's shop", "demo", "ACTIVE", "nothing"),
        ("QuickBooks", "quickbooks", "ACTIVE", "nothing"),
        ("Outlook", "outlook", "ACTIVE", "nothing"),
    ]


def test_one_is_shown_with_its_streams(running: Demo) -> None:
    shown = running.tenure("integrations", "show", "quickbooks", "--tenant", "demo").stdout
    told = dict(re.findall(r"^([a-z ]+?)\s{2,}(\S.*)$", shown, re.MULTILINE))
    assert (told["account"], told["state"], told["connector"]) == ("Demo Trading Ltd", "ACTIVE", "quickbooks 1.0.0")
    rows = re.findall(r"^(\w+)\s+READ_ONLY\s+(\d*)", shown, re.MULTILINE)
    assert [name for name, _ in rows] == STREAMS
    assert rows[0] == ("customers", "9")


def test_one_that_is_not_there_is_refused_with_those_that_are(running: Demo) -> None:
    with pytest.raises(NotFound, match=r"There is no integration salesforce; .*quickbooks \(ing_\w{32}\)"):
        running.tenure("integrations", "show", "salesforce", "--tenant", "demo")


def test_the_worker_is_asked_and_can_be_watched(running: Demo) -> None:
    asked = running.tenure("sync", "run", "quickbooks", "--stream", "items", "--mode", "full", "--tenant", "demo")
    assert re.fullmatch(r"items\trun_[0-9a-f]{32}\n", asked.stdout)
    followed = running.tenure("sync", "status", "quickbooks", "--tenant", "demo", "--follow").stdout
    [*_, last] = [line for line in followed.splitlines() if line.startswith("stream items  mode FULL")]
    assert last.startswith("stream items  mode FULL  read 18  of 18")
    assert last.endswith("  state read")
    listed = running.tenure("sync", "status", "quickbooks", "--tenant", "demo").stdout
    assert re.search(r"^items\s+FULL\s+18\s+18 .*read\s*$", listed, re.MULTILINE)


def test_what_was_asked_for_is_followed_to_its_end(running: Demo) -> None:
    asked = ("sync", "run", "quickbooks", "--stream", "items", "--mode", "full", "--tenant", "demo", "--follow")
    [*_, last] = running.tenure(*asked).stdout.splitlines()
    assert re.fullmatch(r"stream items  mode FULL  read 18  of 18 .*  state read", last)


def test_it_can_read_by_itself(running: Demo) -> None:
    read = running.shell("sync", "run", "quickbooks", "--stream", "items", "--here", "--tenant", "demo")
    assert re.fullmatch(r"items: finished; \d+ read, 0 new, 0 changed, 0 deleted, 0 rejected\n", read)


def test_a_stream_that_is_not_there_is_refused(running: Demo) -> None:
    with pytest.raises(UnknownStream, match="The connector has no stream nothing; it has: credit_memos, customers, "):
        running.tenure("sync", "run", "quickbooks", "--stream", "nothing", "--tenant", "demo")


def test_both_sides_are_alike_and_the_report_can_be_computed_again(running: Demo) -> None:
    """Outlook can list its contacts: nothing happens to them meanwhile."""
    printed = running.tenure("reconcile", "outlook", "--deep", "--tenant", "demo").stdout
    found = dict(re.findall(r"^(report|accuracy|digest)\s+(\S.*)$", printed, re.MULTILINE))
    assert found["accuracy"] == "100 % of 16"
    verified = running.tenure("reconcile", "verify", found["report"], "--tenant", "demo")
    assert verified.stdout == f"{found['digest']}\n"
    assert verified.stderr == f"The report {found['report']} is as it was written.\n"
    with pytest.raises(NotFound):
        running.tenure("reconcile", "verify", "rec_x", "--tenant", "demo")


@pytest.mark.parametrize(
    ("lag", "said"),
    [
        (None, "never"),
        (timedelta(seconds=-3), "0 s ago"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=119), "1 h ago"),
        (timedelta(days=2, hours=23), "2 d ago"),
    ],
)
def test_a_lag_is_told_in_its_largest_unit(lag: timedelta | None, said: str) -> None:
    assert ago(lag) == said


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [(None, "not compared"), (1.0, "100 %"), (0.99999, "99.99 %"), (0.5, "50.00 %"), (0.0, "0.00 %")],
)
def test_what_is_not_whole_never_looks_whole(accuracy: float | None, said: str) -> None:
    assert share(accuracy) == said


def test_an_accuracy_says_of_how_many_records_it_is() -> None:
    assert compared(None) == "not compared"
    assert compared(ReconciliationReport(compared=1_200, matching=1_194)) == "99.50 % of 1,200"
