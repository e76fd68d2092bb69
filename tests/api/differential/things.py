"""Global ids in plain Python: which kind of thing each names and where its rows are kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from graphql import GraphQLError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.differential.tables import Row

PREFIXES = {
    "ini": "Initiative", "bas": "Baseline", "mea": "Measurement",
    "cus": "Customer", "mca": "MergeCandidate", "lcy": "Lifecycle", "stg": "Stage", "siv": "StageInterval",
    "edg": "IdentityEdge",
    "sno": "StageNote", "ing": "Integration", "fam": "ProductFamily", "prd": "Product", "ord": "Order", "ref": "Refund",
    "inv": "Invoice", "pay": "Payment", "crn": "CreditNote", "con": "Contract", "opp": "Opportunity",
    "int": "Interaction", "ten": "Tenant", "pri": "Principal", "tok": "ApiToken", "atd": "AttributeDefinition",
    "prv": "PrivacyRequest", "str": "StageTransition", "run": "SyncRun", "dlt": "DeadLetter", "cft": "SyncConflict",
    "cst": "Cost", "dep": "Department", "obj": "Objective",
    "seg": "Segment", "sgv": "SegmentVersion", "sge": "SegmentMembershipEvent",
    "cas": "Case", "srv": "SurveyResponse", "rvw": "Review", "smn": "SocialMention", "rfl": "Referral",
    "bkd": "BulkDelete", "lkc": "LinkCandidate", "obc": "OutboundChange", "rec": "ReconciliationReport",
}  # fmt: skip
TABLE_OF = {
    "ini": "initiatives", "bas": "baseline.seals", "mea": "measurements",
    "edg": "identity_edges",
    "mca": "merge_candidates", "lcy": "lifecycles", "stg": "stages", "siv": "stage_intervals", "sno": "stage_notes",
    "ing": "integrations", "fam": "product_families", "prd": "products", "ord": "orders", "ref": "refunds",
    "inv": "invoices", "pay": "payments", "crn": "credit_notes", "con": "contracts", "opp": "opportunities",
    "int": "interactions",
    "pri": "principals",
    "tok": "api_tokens",
    "atd": "attribute_definitions",
    "prv": "privacy_requests",
    "str": "stage_transitions",
    "run": "sync_runs",
    "dlt": "dead_letters",
    "cft": "sync_conflicts",
    "bkd": "bulk_deletes",
    "lkc": "link_candidates",
    "obc": "outbound_changes",
    "rec": "reconciliation_reports",
    "cst": "cost_entries",
    "dep": "departments",
    "obj": "objectives",
    "cas": "cases",
    "seg": "segments",
    "sgv": "segment_versions",
    "sge": "segment_membership_events",
    "srv": "survey_responses",
    "rvw": "reviews",
    "smn": "social_mentions",
    "rfl": "referrals",
}  # fmt: skip


class BadInput(GraphQLError):
    """An argument that cannot be accepted."""

    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"code": "BAD_USER_INPUT"})


_ID = re.compile(r"([a-z]{3})_([0-9a-f]{32})")


def read_id(text: str, expected: str | None = None) -> Any:
    """The kind and the UUID of a global id; only the UUID where one kind is expected. Raises BadInput."""
    found = _ID.fullmatch(text)
    if found is None or expected not in {None, found[1]}:
        raise BadInput("no such id")
    return UUID(found[2]) if expected else (found[1], UUID(found[2]))


def global_id(prefix: str) -> Callable[[Row], str]:
    return lambda row: f"{prefix}_{row['id'].hex}"
