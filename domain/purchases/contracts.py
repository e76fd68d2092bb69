"""What contracts decide: what holds after each event, under contract or not on a day, and what is due for renewal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from domain.core.problems import Invalid
from domain.purchases import rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from decimal import Decimal


class ContractStatus(StrEnum):
    """Whether a contract holds after the last of its events; a paused one does."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ENDED = "ENDED"


class ContractEventKind(StrEnum):
    """What happened to a contract."""

    START = "START"
    RENEW = "RENEW"
    UPGRADE = "UPGRADE"
    DOWNGRADE = "DOWNGRADE"
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    CANCEL = "CANCEL"
    END = "END"


FOREVER = date.max
"""The end of a contract that holds until it is ended."""

_BEGINS = {ContractEventKind.START, ContractEventKind.RENEW}
_GOES_ON = _BEGINS | {ContractEventKind.RESUME}
_ENDS = {ContractEventKind.CANCEL, ContractEventKind.END}
_EARNS_NOTHING = _ENDS | {ContractEventKind.PAUSE}


class StartMissing(Invalid):
    """A contract begins with a START. Give its first event, too."""


class RevenueMissing(Invalid):
    """A contract starts with a monthly recurring revenue. Give it; zero is one."""


class RevenueNegative(Invalid):
    """A monthly recurring revenue cannot be negative."""


class NothingHolds(Invalid):
    """The contract had ended before this event. Only START, RENEW and RESUME go on with it."""


class TermBackwards(Invalid):
    """A term ends after the day on which it starts."""


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """Something that happened to a contract, as it is told; what it does not say stays as it was."""

    kind: ContractEventKind
    occurred_at: datetime
    mrr: Decimal | None = None
    term_starts_on: date | None = None
    term_ends_on: date | None = None
    sku: str | None = None
    family: str | None = None
    plan: str | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event as it is kept: everything that holds after it, until the next one."""

    kind: ContractEventKind
    occurred_at: datetime
    local_day: date
    mrr: int
    term_starts_on: date
    term_ends_on: date | None
    sku: str | None
    family: str | None
    plan: str | None


def follow(currency: str, told: Iterable[NewEvent], time_zone: str) -> tuple[Event, ...]:
    """The events in the order of time, each with all that holds after it; of one moment, in the order they are told.

    Raises UnknownCurrency, StartMissing, RevenueMissing, RevenueNegative, NothingHolds, TermBackwards or what
    `rules.to_money` does.
    """
    events: list[Event] = []
    earned: int | None = None  # what the contract earned last: a pause and an end only interrupt it
    for place, new in sorted(enumerate(told), key=lambda each: each[1].occurred_at):
        at = ("events", str(place))
        before = events[-1] if events else None
        _check_order(new, before, at)
        if new.kind in _EARNS_NOTHING:
            mrr = 0
        else:
            mrr = earned = _mrr(currency, new, earned, at)
        events.append(_after(new, before, rules.local_day(new.occurred_at, time_zone), mrr, at))
    if not events:
        raise StartMissing(path=("events",))
    return tuple(events)


def _check_order(new: NewEvent, before: Event | None, at: tuple[str, ...]) -> None:
    if before is None and new.kind != ContractEventKind.START:
        raise StartMissing(path=at)
    if before is not None and before.kind in _ENDS and new.kind not in _GOES_ON:
        raise NothingHolds(path=at)


def _mrr(currency: str, new: NewEvent, earned: int | None, at: tuple[str, ...]) -> int:
    if new.mrr is None:
        if earned is None:
            raise RevenueMissing(path=(*at, "mrr"))
        return earned
    mrr = rules.to_money(new.mrr, currency, *at, "mrr")
    if mrr < 0:
        raise RevenueNegative(path=(*at, "mrr"))
    return mrr


def _after(new: NewEvent, before: Event | None, day: date, mrr: int, at: tuple[str, ...]) -> Event:
    event = Event(
        kind=new.kind, occurred_at=new.occurred_at, local_day=day, mrr=mrr, term_starts_on=new.term_starts_on or day,
        term_ends_on=new.term_ends_on, sku=new.sku, family=new.family, plan=new.plan,
    )  # fmt: skip
    if before is not None:
        event = _going_on(event, new, before)
    if event.term_ends_on is not None and event.term_ends_on <= event.term_starts_on:
        raise TermBackwards(path=(*at, "termEndsOn"))
    return event


def _going_on(event: Event, new: NewEvent, before: Event) -> Event:
    """The event with what it does not say and the one before it left."""
    event = replace(event, plan=event.plan or before.plan)
    if not (event.sku or event.family):
        event = replace(event, sku=before.sku, family=before.family)
    if new.kind in _BEGINS:
        return event
    return replace(
        event, term_starts_on=new.term_starts_on or before.term_starts_on,
        term_ends_on=new.term_ends_on or before.term_ends_on,
    )  # fmt: skip


def status_of(events: Sequence[Event]) -> ContractStatus:
    """Whether a contract holds after the last of its events; a paused one does."""
    last = events[-1].kind
    if last in _ENDS:
        return ContractStatus.ENDED
    return ContractStatus.PAUSED if last == ContractEventKind.PAUSE else ContractStatus.ACTIVE


@dataclass(frozen=True)
class Span:
    """Days on which a contract holds: from `start` up to and without `end`."""

    start: date
    end: date


def spans(events: Sequence[Event]) -> list[Span]:
    """The days on which a contract holds: up to an event that ends it, or to the end of a term that nobody renewed.

    A pause is no end.
    """
    found: list[Span] = []
    for event, after in pairwise([*events, None]):
        if event is None or event.kind in _ENDS:
            continue
        end = min(event.term_ends_on or FOREVER, after.local_day if after else FOREVER)
        if event.local_day < end:
            found.append(Span(event.local_day, end))
    return without_gaps(found)


def without_gaps(held: Iterable[Span], days: int = 0) -> list[Span]:
    """Spans joined where at most so many days lie between them: such a gap is no end.

    With the spans of all contracts of a customer: when the customer was under contract.
    """
    joined: list[Span] = []
    for span in sorted(held, key=lambda span: (span.start, span.end)):
        if joined and span.start <= _later(joined[-1].end, days):
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _later(day: date, days: int) -> date:
    return day + timedelta(days=min(days, (FOREVER - day).days))


def under_contract(held: Iterable[Span], day: date, gap: int = 0) -> bool:
    """Whether one of these spans, joined over gaps of at most so many days, has the day."""
    return any(span.start <= day < span.end for span in without_gaps(held, gap))


def mrr_on(events: Sequence[Event], day: date) -> int:
    """The monthly recurring revenue at the end of a day, in minor units; zero where the contract does not hold."""
    if not under_contract(spans(events), day):
        return 0
    return next((event.mrr for event in reversed(events) if event.local_day <= day), 0)


@dataclass(frozen=True)
class Due:
    """A term that was due for renewal on a day, and whether it was renewed by then."""

    day: date
    renewed: bool


def due_within(events: Sequence[Event], window: rules.Window) -> list[Due]:
    """The terms that were due for renewal within a window; one that was called off before is due no longer.

    A term is renewed where another one began on the day on which it was due, or before.
    """
    found = []
    for term, after in pairwise([*_terms(events), None]):
        if term is None or term.due_on is None or not _within(term.due_on, window):
            continue
        if term.ended_on is None or term.ended_on >= term.due_on:
            found.append(Due(term.due_on, renewed=after is not None and after.began_on <= term.due_on))
    return found


@dataclass(frozen=True)
class _Term:
    began_on: date
    due_on: date | None
    ended_on: date | None = None


def _terms(events: Iterable[Event]) -> list[_Term]:
    terms: list[_Term] = []
    for event in events:
        if event.kind in _ENDS:
            terms[-1] = replace(terms[-1], ended_on=event.local_day)
        elif event.kind in _BEGINS or terms[-1].ended_on is not None:
            terms.append(_Term(event.local_day, event.term_ends_on))
        else:
            terms[-1] = replace(terms[-1], due_on=event.term_ends_on)
    return terms


def _within(day: date, window: rules.Window) -> bool:
    return (window.start is None or window.start <= day) and (window.end is None or day < window.end)


def renewals_within(events: Iterable[Event], window: rules.Window) -> int:
    """How many renewals there were within a window."""
    return sum(event.kind == ContractEventKind.RENEW and _within(event.local_day, window) for event in events)
