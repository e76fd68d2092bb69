"""A small business, written row by row: what the reading tests look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from domain.core.ids import new_id
from domain.customers.model import Customer, CustomerWord, IdentityClaim
from domain.interactions.model import Interaction
from domain.purchases.model import Order, OrderLine, Refund
from domain.stages.model import Lifecycle, LifecycleVersion, Stage, StageInterval

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.unit_of_work import Writing

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, 9, 0, 0, 123456, tzinfo=UTC)


@dataclass
class Business:
    """The ids of what was written, by name."""

    customers: dict[str, UUID] = field(default_factory=dict)
    interactions: list[UUID] = field(default_factory=list)
    orders: list[UUID] = field(default_factory=list)
    stages: dict[str, UUID] = field(default_factory=dict)


def customer(work: Writing, name: str, **more: Any) -> Customer:
    """A customer row with what it must have."""
    id_ = more.pop("id", None) or new_id()
    values: dict[str, Any] = {
        "id": id_, "kind": "PERSON", "display_name": name, "status": "ACTIVE", "root_id": id_, "member_ids": [id_],
        "emails": [], "phones": [], "addresses": [], "attributes": [], "first_seen_at": START, "created_at": START,
        "updated_at": START, **more,
    }  # fmt: skip
    row = Customer(**values)
    work.add(row)
    for word in name.lower().split() if id_ == row.root_id else ():
        work.add(CustomerWord(word=word, customer_id=row.root_id))
    return row


def interaction(work: Writing, who: UUID | None, day: int, **more: Any) -> Interaction:
    """An interaction some days after the start."""
    id_ = new_id()
    values: dict[str, Any] = {
        "id": id_, "revision": 1, "customer_id": who, "kind": "NOTE", "family": "NOTE", "channel": "OTHER",
        "direction": "INBOUND", "occurred_at": START + day * DAY, "recorded_at": START + day * DAY, "stream": "manual",
        "remote_id": id_.hex, "summary": f"Note of day {day}", "payload": {"text": f"Day {day}"}, **more,
    }  # fmt: skip
    row = Interaction(**values)
    work.add(row)
    return row


def order(work: Writing, who: UUID | None, day: int, minor: int, **more: Any) -> Order:
    """A completed sale of one line."""
    id_ = new_id()
    values: dict[str, Any] = {
        "id": id_, "version": 1, "number": f"N{day}", "customer_id": who, "occurred_at": START + day * DAY,
        "local_day": (START + day * DAY).date(), "recorded_at": START, "currency": "EUR", "amount": minor,
        "base_amount": minor, "base_currency": "EUR", "units": Decimal(1), "line_count": 1, "content_hash": b"x",
        "kind": "SALE", "status": "COMPLETED", **more,
    }  # fmt: skip
    row = Order(**values)
    work.add(row)
    work.add(
        OrderLine(
            order_id=id_, order_version=1, position=1, quantity=Decimal(1), unit_price=Decimal(minor) / 100,
            amount=minor, description="A thing", discount=0, tax=0,
        )
    )  # fmt: skip
    return row


def refund(work: Writing, who: UUID | None, day: int, minor: int, **more: Any) -> Refund:
    """Money given back."""
    values: dict[str, Any] = {
        "id": new_id(), "version": 1, "number": f"R{day}", "customer_id": who, "occurred_at": START + day * DAY,
        "local_day": (START + day * DAY).date(), "recorded_at": START, "currency": "EUR", "amount": minor,
        "base_amount": minor, "base_currency": "EUR", "units": Decimal(1), "line_count": 0, "content_hash": b"x",
        **more,
    }  # fmt: skip
    row = Refund(**values)
    work.add(row)
    return row


async def lifecycle(work: Writing, business: Business) -> Lifecycle:
    """The default lifecycle `buyer` of three stages."""
    way = Lifecycle(id=new_id(), key="buyer", labels={"en": "Buyer", "fa": "خریدار"}, is_default=True, created_at=START)
    version = LifecycleVersion(
        id=new_id(), lifecycle_id=way.id, number=1, created_at=START, published_at=START, stage_map=None
    )
    work.add(way, version)
    await work.flush()
    for position, (key, label, step) in enumerate(
        (("discovery", "کشف", "AWARE"), ("purchase", "خرید", "PURCHASE"), ("loyalty", "وفاداری", "RETAIN")), 1
    ):
        stage = Stage(
            id=new_id(), lifecycle_version_id=version.id, key=key, position=position, step=step, kind="OPEN",
            labels={"en": key.capitalize(), "fa": label}, needs={},
        )  # fmt: skip
        work.add(stage)
        business.stages[key] = stage.id
    await work.flush()
    return way


def stay(
    work: Writing, business: Business, way: Lifecycle, who: UUID, stage: str, entered: int, exited: int | None = None,
    visit: int = 1,
) -> StageInterval:  # fmt: skip
    """A stay of a customer in a stage; the customer was seeded in the same transaction."""
    if exited is None:
        found = next(one for one in work.session if isinstance(one, Customer) and one.id == who)
        found.default_stage, found.default_stage_id = f"buyer:{stage}", business.stages[stage]
    row = StageInterval(
        id=new_id(), customer_id=who, lifecycle_id=way.id, lifecycle_key="buyer", stage_id=business.stages[stage],
        stage_key=stage, visit=visit, entered_at=START + entered * DAY,
        exited_at=START + exited * DAY if exited is not None else None, is_current=exited is None, cause_kind="PERSON",
    )  # fmt: skip
    work.add(row)
    return row


async def business(work: Writing) -> Business:
    """Ada of Analytica, merged from two records; Bea, who never bought; an organisation with people; nobody's order."""
    made = Business()
    way = await lifecycle(work, made)
    org = customer(work, "Analytica", kind="ORGANISATION", country="DE")
    ada_id, twin_id = new_id(), new_id()
    ada = customer(
        work, "Ada Byron", id=ada_id, country="DE", organisation_id=org.id, member_ids=[ada_id, twin_id],
        primary_email="ada@example.com", first_purchase_at=START + DAY, last_purchase_at=START + 9 * DAY,
        emails=[{"address": "ada@example.com", "isPrimary": True, "verifiedAt": None, "source": "manual"}],
        addresses=[{"city": "Berlin", "country": "DE", "street": "Weg 1", "isPrimary": True}],
        attributes=[{"key": "tier", "type": "TEXT", "value": "gold", "pii": False, "labels": {}, "source": "manual"}],
    )  # fmt: skip
    customer(
        work, "A. Byron", id=twin_id, status="MERGED", root_id=ada_id, merged_into=ada_id, member_ids=[], country="DE"
    )
    bea = customer(work, "Bea Curie", country="DE")
    made.customers = {"org": org.id, "ada": ada_id, "twin": twin_id, "bea": bea.id}
    await work.flush()
    work.add(
        IdentityClaim(
            id=new_id(), customer_id=twin_id, scheme="email", value="ada@example.com", normalised="ada@example.com",
            strength="STRONG", source="manual", valid_from=START,
        )
    )  # fmt: skip
    for day in range(1, 8):
        made.interactions.append(interaction(work, ada.id if day % 2 else twin_id, day).id)
    made.interactions.append(
        interaction(
            work, org.id, 8, kind="EMAIL_SENT", family="EMAIL", channel="EMAIL", payload={"subject": "Offer"}
        ).id
    )  # fmt: skip
    made.orders.append(order(work, ada_id, 1, 1000).id)
    made.orders.append(order(work, twin_id, 9, 2550).id)
    made.orders.append(order(work, None, 3, 700).id)
    refund(work, ada_id, 10, 550, order_id=made.orders[1])
    stay(work, made, way, ada_id, "discovery", 0, 1)
    stay(work, made, way, ada_id, "purchase", 1, None)
    stay(work, made, way, bea.id, "discovery", 2, None)
    await work.flush()
    return made
