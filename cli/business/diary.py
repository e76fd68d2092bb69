"""A customer's life as it is told: records as a connector would hand them over, and what people do by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from tenure_sdk import Interaction, Order, Ref, Refund

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from tenure_sdk import Customer, OrderLine, Payload, Record


Status: TypeAlias = Literal["OPEN", "COMPLETED", "CANCELLED"]


class Consent(NamedTuple):
    """What the customer decided about being contacted."""

    purpose: str
    channel: str
    decision: str
    at: datetime


class Note(NamedTuple):
    """What somebody of the business noted about the customer in a stage."""

    stage: str
    kind: str
    text: str
    at: datetime


class Move(NamedTuple):
    """A move that somebody of the business made by hand."""

    stage: str
    at: datetime
    reason: str


@dataclass
class Diary:
    """What is told of one customer; nothing is told of what lies after `until`."""

    customer: Customer
    currency: str
    until: datetime
    records: list[Record] = field(default_factory=list)
    consents: list[Consent] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    _told: Counter[str] = field(default_factory=Counter)

    @property
    def whose(self) -> Ref:
        """The customer, as records name it."""
        return Ref("customer", self.customer.id)

    def happened(
        self, kind: str, at: datetime, channel: str, payload: Payload | None = None, summary: str | None = None,
        *, direction: Literal["INBOUND", "OUTBOUND"] | None = None, thread: str | None = None,
        machine_suspected: bool = False,
    ) -> None:  # fmt: skip
        """Something happened between the business and the customer."""
        if at < self.until:
            self.records.append(
                Interaction(
                    id=self._next("I"), kind=kind, occurred_at=at, customer=self.whose, channel=channel,
                    direction=direction, summary=summary, correlation_key=thread, payload=payload,
                    machine_suspected=machine_suspected,
                )
            )  # fmt: skip

    def bought(
        self, at: datetime, lines: Sequence[OrderLine], channel: str = "WEB",
        status: Status = "COMPLETED",
    ) -> Order:  # fmt: skip
        """An order that lies before `until`."""
        number = self._next("O")
        order = Order(
            id=number, number=number, occurred_at=at, customer=self.whose, currency=self.currency, lines=tuple(lines),
            channel=channel, status=status,
        )  # fmt: skip
        self.records.append(order)
        return order

    def given_back(
        self, at: datetime, order: Order, lines: Sequence[OrderLine] = (), total: Decimal | None = None
    ) -> None:
        """Money went back, for some lines of an order or as an amount."""
        if at < self.until:
            self.records.append(
                Refund(
                    id=self._next("R"), occurred_at=at, customer=self.whose, currency=self.currency,
                    order=Ref("order", order.id), lines=tuple(lines), total=total,
                )
            )  # fmt: skip

    def _next(self, what: str) -> str:
        self._told[what] += 1
        return f"{self.customer.id}-{what}{self._told[what]}"
