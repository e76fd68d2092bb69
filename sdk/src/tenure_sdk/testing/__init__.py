"""The conformance kit: what every connector has to do, tried against a remote side that fails on demand."""

from __future__ import annotations

from tenure_sdk.testing import checks
from tenure_sdk.testing.bench import (
    CHECKS,
    TIERS,
    Bench,
    Breach,
    Check,
    NotApplicable,
    Outcome,
    Result,
    Tier,
    examine,
    examine_all,
    tier_of,
)
from tenure_sdk.testing.conformance import Conformance
from tenure_sdk.testing.fake import Call, FakeRemote, Refusal, Row, Table, route, signed
from tenure_sdk.testing.host import ReferenceHost
from tenure_sdk.testing.live import LIVE, LiveAccount
from tenure_sdk.testing.recording import Recorded
from tenure_sdk.testing.remote import Clock, Missing, RemoteSide
from tenure_sdk.testing.wire import Fault, Wire

__all__ = [
    "CHECKS",
    "LIVE",
    "TIERS",
    "Bench",
    "Breach",
    "Call",
    "Check",
    "Clock",
    "Conformance",
    "FakeRemote",
    "Fault",
    "LiveAccount",
    "Missing",
    "NotApplicable",
    "Outcome",
    "Recorded",
    "ReferenceHost",
    "Refusal",
    "RemoteSide",
    "Result",
    "Row",
    "Table",
    "Tier",
    "Wire",
    "checks",
    "examine",
    "examine_all",
    "route",
    "signed",
    "tier_of",
]
