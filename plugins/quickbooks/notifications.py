"""What QuickBooks Online calls about: its format of before 2026, and CloudEvents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tenure_sdk import Merge, Signal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenure_sdk import Delivery

STREAMS = {
    "customer": "customers",
    "item": "items",
    "invoice": "invoices",
    "salesreceipt": "sales_receipts",
    "payment": "payments",
    "creditmemo": "credit_memos",
    "refundreceipt": "refund_receipts",
}
"""Which stream an entity is read by; calls about others say nothing to us."""
_TYPES = {"customers": "customer", "items": "product"}


class _Entity(Struct, rename="camel"):
    name: str
    id: str
    operation: str
    last_updated: str = ""
    deleted_id: str | None = None


class _Changes(Struct):
    entities: list[_Entity] = []


class _Notification(Struct, rename="camel"):
    realm_id: str
    data_change_event: _Changes = msgspec.field(default_factory=_Changes)


class _Legacy(Struct, rename="camel"):
    event_notifications: list[_Notification]


class _Details(Struct, rename="camel"):
    deleted_id: str | None = None


class _CloudEvent(Struct):
    id: str
    type: str
    intuitentityid: str = ""
    intuitaccountid: str = ""
    data: _Details | None = None


def signals(delivery: Delivery) -> list[Signal]:
    """What a call means, company by company. Raises ValueError where it is of neither format."""
    if delivery.body.lstrip().startswith(b"["):
        return [*_of_cloud_events(msgspec.json.decode(delivery.body, type=list[_CloudEvent]))]
    return [*_of_legacy(msgspec.json.decode(delivery.body, type=_Legacy))]


def _of_cloud_events(events: list[_CloudEvent]) -> Iterator[Signal]:
    """Their type is `qbo.<entity>.<verb>.v1`."""
    for event in events:
        vendor, entity, verb, *_ = [*event.type.split("."), "", "", ""]
        if vendor == "qbo":
            lost = event.data.deleted_id if event.data else None
            yield from _signal(event.intuitaccountid, entity, verb, event.intuitentityid, lost, event.id)


def _of_legacy(body: _Legacy) -> Iterator[Signal]:
    """They have no id of their own: what they say stands in for it."""
    for told in body.event_notifications:
        for each in told.data_change_event.entities:
            event = f"{told.realm_id}:{each.name}:{each.id}:{each.operation}:{each.last_updated}"
            yield from _signal(told.realm_id, each.name, each.operation, each.id, each.deleted_id, event)


def _signal(realm: str, entity: str, verb: str, id_: str, lost: str | None, event: str) -> Iterator[Signal]:
    """Verbs come as `Delete` and as `deleted`; what was voided or merged is still there, and is read again."""
    stream = STREAMS.get(entity.lower())
    if stream is None or not id_:
        return
    if verb.lower() in {"delete", "deleted"}:
        yield Signal(stream, deleted=(id_,), account=realm, event=event)
    elif verb.lower() in {"merge", "merged"} and lost and stream in _TYPES:
        merge = Merge(_TYPES[stream], gone=lost, into=id_)
        yield Signal(stream, ids=(id_,), deleted=(lost,), account=realm, event=event, merges=(merge,))
    else:
        yield Signal(stream, ids=(id_,), account=realm, event=event)
