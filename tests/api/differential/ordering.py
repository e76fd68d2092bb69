"""What lists are sorted by, in plain Python."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.differential.ledger import Origin
    from tests.api.differential.tables import Row

LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""Where a moment that never was stands in an order: before all others."""


def terms_of(target: str, asked: list[Mapping[str, Any]] | None) -> tuple[tuple[str, bool], ...]:
    """What a list is sorted by: each field once, and the id at last to settle ties, the way round of the first."""
    terms: dict[str, bool] = {}
    for part in asked or ():
        terms.setdefault(part["field"], part["direction"] == "DESC")
    if not terms:
        terms = dict([_DEFAULTS[target]])
    terms.setdefault("ID", next(iter(terms.values())))
    listed = list(terms.items())
    return tuple(listed[: [name for name, _ in listed].index("ID") + 1])


def compared(one: Origin, other: Origin) -> int:
    """Which of two rows of a list comes first: negative, nothing or positive."""
    for (_, descending), left, right in zip(one.terms, one.place, other.place, strict=True):
        if left != right:
            return (1 if left > right else -1) * (-1 if descending else 1)
    return 0


def _moment(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name] or LONG_AGO


_BY_ID: dict[str, Callable[[Row], Any]] = {"ID": lambda row: row["id"]}
_BY_TIME = _BY_ID | {"OCCURRED_AT": _moment("occurred_at")}
_BY_OTHER: dict[str, Callable[[Row], Any]] = {"ID": lambda row: row["other_id"]}
_BY_POSITION: dict[str, Callable[[Row], Any]] = dict.fromkeys(("POSITION", "ID"), lambda row: row["position"])
_OF_INTEGRATIONS = (
    "Integration", "SyncRun", "DeadLetter", "SyncConflict", "BulkDelete", "LinkCandidate", "OutboundChange",
    "ReconciliationReport",
)  # fmt: skip
ORDERS: dict[str, dict[str, Callable[[Row], Any]]] = {
    "Customer": _BY_ID
    | {
        "DISPLAY_NAME": lambda row: (row["display_name"] or "").encode(),
        **{
            name.upper(): _moment(name)
            for name in ("first_seen_at", "first_purchase_at", "last_purchase_at", "created_at", "updated_at")
        },
    },
    **dict.fromkeys(("SurveyResponse", "Review", "SocialMention", "Referral"), _BY_TIME),
    "Initiative": _BY_ID,
    "Cost": _BY_ID | {"STARTS_ON": lambda row: row["starts_on"]},
    "CostShare": {
        "DAY": lambda row: row["day"],
        "ID": lambda row: f"{row['entry_id']}{row['customer_id']}".encode(),
    },
    "Department": _BY_ID | {"KEY": lambda row: row["key"].encode()},
    "DepartmentMembership": _BY_ID | {"SINCE": _moment("valid_from")},
    "Objective": _BY_ID,
    "Case": _BY_ID | {"OPENED_AT": _moment("opened_at")},
    "CampaignResponse": {"ID": lambda row: row["campaign_key"].encode()},
    "Segment": _BY_ID | {"KEY": lambda row: row["key"].encode()},
    "SegmentVersion": _BY_ID | {"NUMBER": lambda row: row["number"]},
    "SegmentMembershipEvent": _BY_ID | {"AT": _moment("at")},
    "StageInterval": _BY_ID | {"ENTERED_AT": _moment("entered_at")},
    **dict.fromkeys(("StageNote", "Interaction", "Order", "Refund", "Payment", "CreditNote"), _BY_TIME),
    "Invoice": _BY_ID | {"ISSUED_AT": _moment("occurred_at")},
    "Contract": _BY_ID | {"STARTED_AT": _moment("occurred_at")},
    "Opportunity": _BY_ID | {"OPENED_AT": _moment("opened_at")},
    **dict.fromkeys(("PaymentAllocation", "CreditNoteAllocation"), _BY_OTHER),
    **dict.fromkeys(("OrderLine", "RefundLine", "ContractEvent", "AuditEntry"), _BY_POSITION),
    "IdentityEdge": _BY_ID | {"RECORDED_AT": _moment("recorded_at")},
    "MergeCandidate": _BY_ID | {"SCORE": lambda row: row["score"]},
    "Product": _BY_ID | {"SKU": lambda row: row["sku"].encode()},
    **dict.fromkeys(("ApiToken", *_OF_INTEGRATIONS), _BY_ID),
    "ReconciliationDifference": {"ID": lambda row: " ".join((row["stream"], row["type"], row["remote_id"])).encode()},
}
"""By type: what its lists can be sorted by, and the value of a row."""

_DEFAULTS = {
    **dict.fromkeys(("SurveyResponse", "Review", "SocialMention", "Referral"), ("OCCURRED_AT", True)),
    "Initiative": ("ID", True), "Cost": ("STARTS_ON", True), "CostShare": ("DAY", True), "Department": ("KEY", False),
    "DepartmentMembership": ("SINCE", True), "Objective": ("ID", True),
    "Case": ("OPENED_AT", True), "CampaignResponse": ("ID", False),
    "Segment": ("KEY", False), "SegmentVersion": ("NUMBER", True), "SegmentMembershipEvent": ("AT", True),
    "IdentityEdge": ("RECORDED_AT", True),
    "Customer": ("ID", False), "MergeCandidate": ("SCORE", True), "StageInterval": ("ENTERED_AT", False),
    "StageNote": ("OCCURRED_AT", True), "Interaction": ("OCCURRED_AT", True), "Order": ("OCCURRED_AT", True),
    "Refund": ("OCCURRED_AT", True), "Payment": ("OCCURRED_AT", True), "CreditNote": ("OCCURRED_AT", True),
    "Invoice": ("ISSUED_AT", True), "PaymentAllocation": ("ID", False), "CreditNoteAllocation": ("ID", False),
    "Contract": ("STARTED_AT", True), "ContractEvent": ("POSITION", False), "Opportunity": ("OPENED_AT", True),
    "Product": ("SKU", False), "OrderLine": ("POSITION", False),
    "RefundLine": ("POSITION", False), "ApiToken": ("ID", True), "AuditEntry": ("ID", True),
    **dict.fromkeys(_OF_INTEGRATIONS, ("ID", True)), "ReconciliationDifference": ("ID", False),
}  # fmt: skip
"""What each kind of list is sorted by unless asked otherwise."""
