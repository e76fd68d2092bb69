"""Histories that a test makes up, and the purchases of CDNOW as one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.initiatives.history import NEVER, ROWS, History, Weeks
from tests.conftest import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterable

GO_LIVE = date(1998, 1, 1).toordinal()
MEASURED = date(1998, 7, 1).toordinal()


def history(
    rows: Iterable[tuple[int, int] | tuple[int, int, dict[str, float]]],
    *,
    customers: int,
    days: tuple[int, int],
    weeks: Weeks | None = None,
    **columns: Any,
) -> History:
    """A history of rows (customer, day, what else than one occasion of 100 happened)."""
    told = sorted(((row[0], row[1], (row[2:] or ({},))[0]) for row in rows), key=lambda row: row[:2])
    plain = {"occasions": 1.0, "units": 1.0, "amount": 100.0}
    values = {
        name: np.array([row[2].get(name, plain.get(name, 0.0)) for row in told], dtype=np.float64) for name in ROWS[2:]
    }
    customer = np.array([row[0] for row in told], dtype=np.int32)
    day = np.array([row[1] for row in told], dtype=np.int32)
    bought = values["occasions"] > 0
    first = _firsts(customer[bought], day[bought], customers)
    known = {
        "unit": np.arange(customers, dtype=np.int32),
        "first_occasion": first,
        "first_seen": np.full(customers, days[0], dtype=np.int32),
        "erased_at": np.full(customers, NEVER, dtype=np.int32),
        "department": np.full(customers, NEVER, dtype=np.int32),
        "occasions_before": np.zeros(customers, dtype=np.int32),
    }
    given = {name: np.asarray(value, dtype=np.int32) for name, value in columns.items()}
    return History(
        first=days[0], last=days[1], customer=customer, day=day, weeks=weeks or Weeks.none(0), **values, **known | given
    )


def split(whole: History, go_live: int) -> tuple[History, History]:
    """What was known at the go-live, and what came after it."""
    return _between(whole, whole.first, go_live), _between(whole, go_live, whole.last)


def with_rows(
    known: History, kept: np.ndarray[Any, Any], more: dict[str, np.ndarray[Any, Any]] | None = None
) -> History:
    """The same customers with these of their rows, and more of them."""
    rows = {name: getattr(known, name)[kept] for name in ROWS}
    if more is None:
        return replace(known, **rows)
    rows = {name: np.concatenate((values, more[name])) for name, values in rows.items()}
    order = np.lexsort((rows["day"], rows["customer"]))
    return replace(known, **{name: values[order] for name, values in rows.items()})


@cache
def cdnow(*, paid_only: bool = False) -> History:
    """The purchases of CDNOW from 1997-01-01 to 1998-06-30, amounts in cents."""
    written = np.loadtxt(SHARED / "data" / "CDNOW_master.txt", skiprows=1)
    if paid_only:
        written = written[written[:, 3] > 0]
    who, units, amount = written[:, 0].astype(np.int64) - 1, written[:, 2], np.rint(100 * written[:, 3])
    calendar = {number: _day(number) for number in set(written[:, 1].astype(np.int64).tolist())}
    day = np.array([calendar[number] for number in written[:, 1].astype(np.int64).tolist()])
    occasion, of = np.unique(who * 10**6 + day, return_inverse=True)
    customer, days = (occasion // 10**6).astype(np.int32), (occasion % 10**6).astype(np.int32)
    customers, nothing = int(who.max()) + 1, np.zeros(len(occasion))
    first = _firsts(customer, days, customers)
    none = np.full(customers, NEVER, dtype=np.int32)
    return History(
        first=date(1997, 1, 1).toordinal(),
        last=MEASURED,
        unit=np.arange(customers, dtype=np.int32),
        first_occasion=first,
        first_seen=first,
        erased_at=none,
        department=none,
        occasions_before=np.zeros(customers, dtype=np.int32),
        customer=customer,
        day=days,
        occasions=np.ones(len(occasion)),
        units=np.bincount(of, units),
        amount=np.bincount(of, amount),
        contribution=nothing,
        service_cost=nothing,
        deliveries=nothing,
        responses=nothing,
        unrated=nothing,
    )


def _between(whole: History, first: int, last: int) -> History:
    kept = (whole.day >= first) & (whole.day < last)
    return replace(whole, first=first, last=last, **{name: getattr(whole, name)[kept] for name in ROWS})


def _firsts(customer: np.ndarray[Any, Any], day: np.ndarray[Any, Any], customers: int) -> np.ndarray[Any, Any]:
    firsts = np.full(customers, NEVER, dtype=np.int32)
    firsts[customer[::-1]] = day[::-1]  # rows are sorted by day: the earliest is assigned last
    return firsts


def _day(number: int) -> int:
    return date(number // 10_000, number // 100 % 100, number % 100).toordinal()
