"""Contracts, opportunities and costs in files."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from plugins.files import connector
from tenure_sdk import ConfigInvalid, Contract, ContractEvent, Cost, Opportunity, Ref, Reject

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "contract,customer,what,on,plan,mrr,until\n"
LINES = (
    HEADER + "C-1,4711,new,2025-01-01,Basic,49.00,2026-01-01\n"
    "C-2,4712,new,2025-02-01,Pro,99.00,\n"
    "C-1,4711,more,2025-06-01,Pro,99.00,\n"
    "C-2,,cancelled,2025-07-01,,,\n"
)


def day(month: int, number: int = 1) -> datetime:
    return datetime(2025, month, number, tzinfo=UTC)


def test_what_happened_to_a_contract_is_gathered_from_the_whole_file(desk: Any, examples: Path) -> None:
    read = desk.read(LINES, examples / "contracts.toml")
    started = ContractEvent(
        kind="START", occurred_at=day(1), mrr=Decimal("49.00"), plan="Basic", term_ends_on=date(2026, 1, 1)
    )
    # A day is its midnight in London: in June and July that is 23:00 of the day before.
    may, june = datetime(2025, 5, 31, 23, tzinfo=UTC), datetime(2025, 6, 30, 23, tzinfo=UTC)
    raised = ContractEvent(kind="UPGRADE", occurred_at=may, mrr=Decimal("99.00"), plan="Pro")
    ended = ContractEvent(kind="CANCEL", occurred_at=june)
    other = ContractEvent(kind="START", occurred_at=day(2), mrr=Decimal("99.00"), plan="Pro")
    one, two = Ref("customer", "4711"), Ref("customer", "4712")
    assert read.records == [
        Contract(id="C-1", number="C-1", customer=one, currency="GBP", events=(started, raised)),
        Contract(id="C-2", number="C-2", customer=two, currency="GBP", events=(other, ended)),
    ]
    assert read.rejects == []


def test_a_contract_with_a_bad_line_stays_out_whole(desk: Any, examples: Path) -> None:
    bad = LINES + "C-1,4711,stolen,2025-08-01,,,\nC-2,9999,renewal,2025-09-01,,,\n"
    read = desk.read(bad, examples / "contracts.toml")
    assert read.records == []
    assert read.rejects == [
        Reject(6, "kind", "stolen", "is not among the values that the mapping lists", "C-1"),
        Reject(7, "customer", "9999", "is not that of the contract's first line that has one", "C-2"),
    ]


def test_resuming_anywhere_gives_the_rest(desk: Any, examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "PAGE_LINES", 2)
    lines = "".join(f"C-{at % 7},1,{'new' if at < 7 else 'more'},2025-01-{at % 28 + 1:02},,5,\n" for at in range(40))
    content = HEADER + lines + "C-9,1,odd,2025-01-01,,5,\n"
    pages = desk.read(content, examples / "contracts.toml").pages
    assert [len(page.records) + len(page.rejects) for page in pages] == [2, 2, 2, 2]
    for place, page in enumerate(pages):
        assert desk.read(content, examples / "contracts.toml", cursor=page.cursor).pages == pages[place + 1 :]


def test_a_preview_shows_contracts(desk: Any, examples: Path) -> None:
    page = desk.preview(3, LINES, examples / "contracts.toml")
    assert ([record.id for record in page.records], page.cursor) == (["C-1", "C-2"], None)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('id = ["contract"]', 'id = "line"', "record.id"),
        ("[fields]\n", '[[record.rules]]\ntype = "cost"\nwhen = { column = "what", empty = true }\n[fields]\n',
         "record.rules"),
        ('occurred_at = "on"', "", "fields"),
        ('plan = "plan"', 'colour = "plan"', "fields.colour"),
    ],
)  # fmt: skip
def test_a_mapping_of_contracts_that_is_wrong_names_its_key(
    desk: Any, examples: Path, old: str, new: str, key: str
) -> None:
    written = (examples / "contracts.toml").read_text()
    assert old in written
    with pytest.raises(ConfigInvalid) as error:
        desk.check(LINES, written.replace(old, new))
    assert error.value.key == key


def test_opportunities_and_costs(desk: Any) -> None:
    start = 'source = "x"\n[file]\nformat = "csv"\n[record]\nid = ["id"]\n'
    deals = start + (
        'type = "opportunity"\n[fields]\nopened_at = "on"\nstatus = "how"\nclosed_at = "end"\namount = "sum"\n'
        'currency = { constant = "EUR" }\nprobability = "chance"\n'
    )
    assert desk.read("id,on,how,end,sum,chance\n1,2025-01-01,won,2025-02-01,500,1\n", deals).records == [
        Opportunity(
            id="1", opened_at=day(1), status="WON", closed_at=day(2), amount=Decimal(500), currency="EUR",
            probability=Decimal(1),
        )
    ]  # fmt: skip
    costs = start + (
        'type = "cost"\n[fields]\ncategory = "what"\namount = "sum"\ncurrency = { constant = "EUR" }\n'
        'starts_on = "from"\nends_on = "to"\nrule = "how"\ndepartment = "who"\n'
    )
    content = "id,what,sum,from,to,how,who\nk,service,12.50,2025-01-01,2025-02-01,equal,care\nl,fun,1,2025-01-01,,,\n"
    read = desk.read(content, costs)
    assert read.records == [
        Cost(
            id="k", category="SERVICE", amount=Decimal("12.50"), currency="EUR", starts_on=date(2025, 1, 1),
            ends_on=date(2025, 2, 1), rule="EQUAL", department="care",
        )
    ]  # fmt: skip
    assert [(reject.line, reject.field) for reject in read.rejects] == [(3, "category")]
