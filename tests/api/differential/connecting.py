"""Resolvers of what is connected: integrations, their streams and runs, and what waits for a person."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_DOWN, Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sync.access import pace
from tests.api.differential.things import read_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row

_WAITING: dict[str, tuple[str, str, Callable[[Row], bool]]] = {
    "SyncConflict": ("conflicts", "sync_conflicts", lambda row: row["resolution"] is None),
    "DeadLetter": ("deadLetters", "dead_letters", lambda row: row["resolution"] is None),
    "BulkDelete": ("bulkDeletes", "bulk_deletes", lambda row: row["decision"] is None),
    "LinkCandidate": ("linkCandidates", "link_candidates", lambda row: row["decision"] is None),
    "OutboundChange": (
        "outboundChanges", "outbound_changes",
        lambda row: row["status"] in {"QUEUED", "SENDING", "WAITING", "REJECTED"},
    ),
    "SyncRun": ("runs", "sync_runs", lambda _: True),
    "ReconciliationReport": ("reports", "reconciliation_reports", lambda _: True),
}  # fmt: skip
"""By type: under which field of an integration its rows stand, where they are, and which of them."""

_ATTENTION: dict[str, tuple[str, str, str, Callable[[Row], bool], str]] = {
    "conflicts": (
        "CONFLICT", "sync_conflicts", "recorded_at", lambda row: row["resolution"] is None,
        "Both sides changed the same field.",
    ),
    "pausedStreams": (
        "PAUSED_STREAM", "stream_states", "updated_at", lambda row: row["paused_reason"] is not None,
        "Streams are not read until somebody resumes them.",
    ),
    "bulkDeletes": (
        "BULK_DELETE", "bulk_deletes", "recorded_at", lambda row: row["decision"] is None,
        "Many records are gone at the other side.",
    ),
    "linkCandidates": (
        "LINK_CANDIDATE", "link_candidates", "recorded_at", lambda row: row["decision"] is None,
        "Records of the other side may be customers of ours.",
    ),
    "rejectedRecords": (
        "REJECTED_RECORD", "dead_letters", "recorded_at", lambda row: row["resolution"] is None,
        "Records or values could not be accepted.",
    ),
    "rejectedChanges": (
        "REJECTED_CHANGE", "outbound_changes", "recorded_at", lambda row: row["status"] == "REJECTED",
        "The other side did not take changes.",
    ),
    "schemaDrifts": (
        "SCHEMA_DRIFT", "schema_drifts", "first_seen_at", lambda row: row["acknowledged_at"] is None,
        "The other side sends other fields than before.",
    ),
}  # fmt: skip
"""By count: the kind of its items, where they are, since when each waits, which of them wait, and what is said."""

_STATES = {"needsReauth": "NEEDS_REAUTH", "quarantined": "QUARANTINED", "paused": "PAUSED"}


def add(naive: Naive, on: Callable[..., None]) -> None:
    """What every field shows."""
    of = naive.tables
    on(
        "Query",
        integrations=lambda _, **asked: naive.page(
            "Integration", naive.typed("Integration", of.rows["integrations"]), asked
        ),
        integration=lambda _, id: naive.exactly("integrations", read_id(id, "ing"), "Integration"),  # noqa: A006
        syncRun=lambda _, id: naive.exactly("sync_runs", read_id(id, "run"), "SyncRun"),  # noqa: A006 - an argument
        reconciliationReport=lambda _, id: naive.exactly(  # noqa: A006 - as above
            "reconciliation_reports", read_id(id, "rec"), "ReconciliationReport"
        ),
        outgoingWebhook=lambda _: next(iter(of.rows["outgoing_webhooks"]), None),
    )
    _of_attention(naive, on)
    _of_integrations(naive, on)
    _of_streams(naive, on)
    for type_ in ("SyncRun",):
        on(type_, integration=lambda row: naive.exactly("integrations", row["integration_id"], "Integration"))
        on(
            type_,
            **{
                name: lambda row, _name=name: row["counters"].get(_name, 0)
                for name in (
                    "read",
                    "created",
                    "updated",
                    "unchanged",
                    "deleted",
                    "rejected",
                    "doubles",
                    "strangers",
                    "unreadable",
                )
            },
        )
    on(
        "SyncConflict",
        base=lambda row: row["base"] and row["base"]["value"][0],
        **{name: lambda row, _name=name: row[_name] and row[_name]["value"] for name in ("ours", "theirs")},
    )
    on("LinkCandidate", customer=lambda row: naive.customer(row["local_id"]))
    on(
        "ReconciliationReport",
        accuracy=_accuracy,
        digest=lambda row: row["digest"].hex(),
        differences=lambda row, **asked: naive.page(
            "ReconciliationDifference",
            of.all("reconciliation_differences", lambda found: found["report_id"] == row["id"]), asked,
        ),
    )  # fmt: skip


def _accuracy(report: Row) -> Decimal:
    share = Decimal(report["matching"]) / report["compared"] if report["compared"] else Decimal(1)
    return share.quantize(Decimal("0.000001"), ROUND_DOWN)


def _of_integrations(naive: Naive, on: Callable[..., None]) -> None:
    of = naive.tables

    def of_it(table: str, row: Row, fits: Callable[[Row], bool] = lambda _: True) -> list[Row]:
        return of.all(table, lambda each: each["integration_id"] == row["id"] and fits(each))

    def last_report(row: Row) -> Row | None:
        return max(of_it("reconciliation_reports", row), key=lambda report: report["id"], default=None)

    def accuracy(row: Row) -> Any:
        return (latest := last_report(row)) and _accuracy(latest)

    on(
        "Integration",
        secrets=lambda row: sorted(
            each["name"] for each in of_it("integration_secrets", row) if each["ciphertext"] is not None
        ),
        accuracy=accuracy,
        compared=lambda row: (latest := last_report(row)) and latest["compared"],
        comparedStreams=lambda row: (latest := last_report(row)) and [each["stream"] for each in latest["streams"]],
        quota=lambda row: _quota(of.rows["rate_buckets"], row, naive.reading.now),
        streams=lambda row: sorted(of_it("stream_settings", row), key=lambda each: each["stream"]),
        drifts=lambda row: sorted(of_it("schema_drifts", row), key=lambda each: (each["stream"], each["field"])),
        **{
            field: lambda row, _type=type_, _table=table, _fits=fits, **asked: naive.page(
                _type, naive.typed(_type, of_it(_table, row, _fits)), asked
            )
            for type_, (field, table, fits) in _WAITING.items()
        },
    )


def _quota(buckets: list[Row], integration: Row, now: datetime) -> list[Row]:
    account = sha256((integration["account"] or integration["id"].hex).encode()).hexdigest()[:32]
    scope = f"{integration['connector']}:account:{account}"
    return sorted(
        (_limit(row, now) for row in buckets if row["scope"].startswith(f"{scope}/")), key=lambda each: each["seconds"]
    )


def _limit(bucket: Row, now: datetime) -> Row:
    requests, seconds = map(int, bucket["scope"].split("/")[1:])
    rate = pace.Rate(requests, seconds)
    known = pace.Bucket(float(bucket["tokens"]), float(bucket["factor"]), bucket["parked_until"], bucket["refilled_at"])
    left, until = pace.refilled(known, rate, now), bucket["parked_until"]
    return {
        "requests": requests, "seconds": seconds, "remaining": int(max(0, left.tokens)),
        "pace": round(Decimal(left.factor), 4), "rests_until": until if until and until > now else None,
    }  # fmt: skip


def _of_streams(naive: Naive, on: Callable[..., None]) -> None:
    def state(row: Row) -> Row:
        found = naive.tables.one(
            "stream_states",
            lambda each: (each["integration_id"], each["stream"]) == (row["integration_id"], row["stream"]),
        )
        return found or {"paused_reason": None, "read_until": None, "seen_count": 0, "expected_count": None}

    on(
        "IntegrationStream",
        name=lambda row: row["stream"],
        ownership=lambda row: [{"field": field, "owner": owner} for field, owner in sorted(row["ownership"].items())],
        pausedReason=lambda row: state(row)["paused_reason"],
        readUntil=lambda row: state(row)["read_until"],
        awaitsFirstReading=lambda row: row["direction"] == "TWO_WAY" and state(row)["read_until"] is None,
        lagSeconds=lambda row: (
            int((naive.reading.now - until).total_seconds()) if (until := state(row)["read_until"]) else None
        ),
        seenCount=lambda row: state(row)["seen_count"],
        expectedCount=lambda row: state(row)["expected_count"],
    )


def _of_attention(naive: Naive, on: Callable[..., None]) -> None:
    of = naive.tables

    def living() -> dict[Any, Row]:
        found = of.all("integrations", lambda row: row["state"] != "DISCONNECTED")
        return {row["id"]: row for row in found}

    def waiting(count: str) -> dict[Any, list[Row]]:
        _, table, _, fits, _ = _ATTENTION[count]
        known = living()
        found = defaultdict(list)
        for row in of.all(table, lambda row: row["integration_id"] in known and fits(row)):
            found[row["integration_id"]].append(row)
        return found

    def in_state(state: str) -> list[Row]:
        return of.all("integrations", lambda row: row["state"] == state)

    def items(_: Row) -> list[Row]:
        known = living()
        told = [
            (row["state_since"] or row["updated_at"], row["id"], state, 1, row["reason"] or "")
            for state in _STATES.values()
            for row in in_state(state)
        ]
        for count, (kind, _table, since, _fits, words) in _ATTENTION.items():
            told += [
                (min(row[since] for row in rows), id_, kind, len(rows), words) for id_, rows in waiting(count).items()
            ]
        return [
            {
                "kind": kind, "integration": f"ing_{id_.hex}", "label": known[id_]["label"], "count": number,
                "message": words, "since": since,
            }
            for since, id_, kind, number, words in sorted(told)
        ]  # fmt: skip

    on(
        "Attention",
        items=items,
        **{count: lambda _, _count=count: sum(map(len, waiting(_count).values())) for count in _ATTENTION},
        **{count: lambda _, _state=state: len(in_state(_state)) for count, state in _STATES.items()},
    )
