"""What holds after each event of a contract, when it holds, and when it is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import UnknownCurrency
from domain.purchases.contracts import (
    ContractEventKind,
    ContractStatus,
    Due,
    Event,
    NewEvent,
    NothingHolds,
    RevenueMissing,
    RevenueNegative,
    Span,
    StartMissing,
    TermBackwards,
    due_within,
    follow,
    mrr_on,
    renewals_within,
    spans,
    status_of,
    under_contract,
    without_gaps,
)
from domain.purchases.rules import TooPrecise, Window

ENDLESS = date.max


def told(day: str, kind: str, mrr: str | None = None, **more: Any) -> NewEvent:
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return NewEvent(
        kind=ContractEventKind(kind), occurred_at=moment, mrr=None if mrr is None else Decimal(mrr), **more
    )  # fmt: skip


def followed(*events: NewEvent) -> tuple[Event, ...]:
    return follow("EUR", events, "UTC")


def term(first: str, last: str) -> dict[str, Any]:
    return {"term_starts_on": date.fromisoformat(first), "term_ends_on": date.fromisoformat(last)}


YEARLY = (
    told("2025-01-01", "START", "100", plan="Basic", sku="CRM-B", **term("2025-01-01", "2026-01-01")),
    told("2025-04-01", "UPGRADE", "150", plan="Pro"),
    told("2025-12-15", "RENEW", **term("2026-01-01", "2027-01-01")),
    told("2026-03-01", "CANCEL"),
)


def test_what_an_event_does_not_say_stays() -> None:
    start, upgrade, renewal, end = followed(*YEARLY)
    assert [event.mrr for event in (start, upgrade, renewal, end)] == [10_000, 15_000, 15_000, 0]
    assert (upgrade.sku, upgrade.plan, upgrade.term_starts_on, upgrade.term_ends_on) == (
        "CRM-B", "Pro", date(2025, 1, 1), date(2026, 1, 1)
    )  # fmt: skip
    assert (renewal.plan, renewal.local_day, renewal.term_starts_on) == ("Pro", date(2025, 12, 15), date(2026, 1, 1))
    assert status_of((start, upgrade, renewal)) is ContractStatus.ACTIVE
    assert status_of((start, upgrade, renewal, end)) is ContractStatus.ENDED


def test_a_pause_earns_nothing_and_is_no_end() -> None:
    events = followed(
        told("2025-01-01", "START", "80"), told("2025-03-01", "PAUSE", "50"), told("2025-05-01", "RESUME")
    )  # fmt: skip
    assert [event.mrr for event in events] == [8_000, 0, 8_000]
    assert spans(events) == [Span(date(2025, 1, 1), ENDLESS)]
    assert status_of(events[:2]) is ContractStatus.PAUSED
    assert [mrr_on(events, date(2025, month, 1)) for month in (2, 3, 4, 5)] == [8_000, 0, 0, 8_000]


def test_events_are_told_in_any_order_and_days_are_the_tenants() -> None:
    late = NewEvent(kind=ContractEventKind.START, occurred_at=datetime(2025, 1, 31, 23, tzinfo=UTC), mrr=Decimal(1))
    events = follow("JPY", [told("2025-06-01", "END"), late], "Asia/Tokyo")
    assert [(event.kind, event.local_day, event.mrr) for event in events] == [
        ("START", date(2025, 2, 1), 1), ("END", date(2025, 6, 1), 0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "problem", "path"),
    [
        ([], StartMissing, ("events",)),
        ([told("2025-01-01", "RENEW", "1")], StartMissing, ("events", "0")),
        ([told("2025-01-01", "START")], RevenueMissing, ("events", "0", "mrr")),
        ([told("2025-01-01", "START", "-1")], RevenueNegative, ("events", "0", "mrr")),
        ([told("2025-01-01", "START", "0.001")], TooPrecise, ("events", "0", "mrr")),
        ([told("2025-01-02", "UPGRADE", "2"), told("2025-01-01", "START", "1"), told("2025-01-01", "END")],
         NothingHolds, ("events", "0")),
        ([told("2025-01-01", "START", "1", **term("2025-01-01", "2025-01-01"))], TermBackwards,
         ("events", "0", "termEndsOn")),
    ],
)  # fmt: skip
def test_what_is_no_contract_is_refused(events: list[NewEvent], problem: type[Any], path: tuple[str, ...]) -> None:
    with pytest.raises(problem) as refused:
        followed(*events)
    assert refused.value.path == path


def test_the_currency_is_one() -> None:
    with pytest.raises(UnknownCurrency):
        follow("XXQ", [told("2025-01-01", "START", "1")], "UTC")


def test_a_contract_holds_until_it_ends_or_its_term_runs_out() -> None:
    events = followed(*YEARLY)
    assert spans(events) == [Span(date(2025, 1, 1), date(2026, 3, 1))]
    assert spans(events[:2]) == [Span(date(2025, 1, 1), date(2026, 1, 1))]
    assert [mrr_on(events, day) for day in (date(2024, 12, 31), date(2025, 4, 1), date(2026, 3, 1))] == [0, 15_000, 0]
    assert mrr_on(events[:2], date(2026, 1, 1)) == 0


def test_a_gap_of_so_many_days_is_no_end() -> None:
    events = followed(
        told("2025-01-01", "START", "10"), told("2025-03-01", "END"), told("2025-03-06", "RENEW"),
        told("2025-06-01", "END"),
    )  # fmt: skip
    held = spans(events)
    assert held == [Span(date(2025, 1, 1), date(2025, 3, 1)), Span(date(2025, 3, 6), date(2025, 6, 1))]
    in_the_gap = date(2025, 3, 3)
    assert [under_contract(held, in_the_gap, gap) for gap in (0, 4, 5)] == [False, False, True]
    assert not under_contract(held, date(2025, 6, 1), 365)


def test_a_term_that_was_due_was_renewed_or_not() -> None:
    events = followed(*YEARLY)
    year = Window(date(2026, 1, 1), date(2027, 1, 1))
    assert due_within(events, year) == [Due(date(2026, 1, 1), renewed=True)]
    assert due_within(events, Window()) == [Due(date(2026, 1, 1), renewed=True)]  # the second was called off before
    assert due_within(events[:2], year) == [Due(date(2026, 1, 1), renewed=False)]
    assert due_within(events[:2], Window(end=date(2026, 1, 1))) == []
    assert renewals_within(events, Window(date(2025, 12, 1), date(2026, 1, 1))) == 1


def test_a_term_that_ran_out_on_its_day_was_due_and_not_renewed() -> None:
    events = followed(
        told("2025-01-01", "START", "10", term_ends_on=date(2025, 2, 1)), told("2025-02-01", "END"),
        told("2025-02-03", "RENEW", term_ends_on=date(2025, 3, 3)),
    )  # fmt: skip
    assert due_within(events, Window()) == [
        Due(date(2025, 2, 1), renewed=False), Due(date(2025, 3, 3), renewed=False)
    ]  # fmt: skip


def test_an_amendment_moves_the_day_on_which_the_term_is_due() -> None:
    events = followed(
        told("2025-01-01", "START", "10", term_ends_on=date(2025, 2, 1)),
        told("2025-01-10", "UPGRADE", "20", term_ends_on=date(2025, 7, 1)),
    )
    assert due_within(events, Window()) == [Due(date(2025, 7, 1), renewed=False)]


DAYS = st.integers(0, 300).map(lambda days: date(2025, 1, 1) + timedelta(days=days))
SPANS = st.lists(st.tuples(DAYS, st.integers(1, 60)).map(lambda one: Span(one[0], one[0] + timedelta(days=one[1]))))


@given(SPANS, DAYS)
def test_joined_spans_have_the_days_of_all(held: list[Span], day: date) -> None:
    joined = without_gaps(held)
    assert under_contract(joined, day) is any(span.start <= day < span.end for span in held)
    assert without_gaps(joined) == joined


@given(SPANS, DAYS, st.integers(0, 60))
def test_a_longer_gap_never_ends_more(held: list[Span], day: date, gap: int) -> None:
    assert under_contract(held, day, gap + 1) >= under_contract(held, day, gap) >= under_contract(held, day)
