"""What happened between customers and the business."""

from __future__ import annotations

from domain.interactions.actions import MANUAL, NewInteraction, record, revise
from domain.interactions.evidence import settle_evidence
from domain.interactions.model import FAMILY_OF, Channel, Direction, Family, Interaction, InteractionKind
from domain.interactions.queries import (
    CustomerNotFound,
    InteractionNotFound,
    check_customer,
    interaction,
    revisions,
    timeline,
)
from domain.interactions.rules import (
    LINE,
    PAYLOADS,
    CommercePayload,
    PayloadInvalid,
    check_by_hand,
    keep,
    keep_record,
)

__all__ = [
    "FAMILY_OF",
    "LINE",
    "MANUAL",
    "PAYLOADS",
    "Channel",
    "CommercePayload",
    "CustomerNotFound",
    "Direction",
    "Family",
    "Interaction",
    "InteractionKind",
    "InteractionNotFound",
    "NewInteraction",
    "PayloadInvalid",
    "check_by_hand",
    "check_customer",
    "interaction",
    "keep",
    "keep_record",
    "record",
    "revise",
    "revisions",
    "settle_evidence",
    "timeline",
]
