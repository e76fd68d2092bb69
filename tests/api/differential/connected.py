"""What the business is connected with: integrations in every state, their streams and runs, and what waits there."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.postgresql import insert

from domain.integrations.model import (
    BulkDelete,
    ChangeStatus,
    DeadLetter,
    DriftPolicy,
    Integration,
    IntegrationSecret,
    IntegrationState,
    LinkCandidate,
    OutboundChange,
    OutgoingWebhook,
    Ownership,
    RateBucket,
    ReconciliationDifference,
    ReconciliationReport,
    RecordLink,
    RunMode,
    SchemaDrift,
    StreamSetting,
    StreamState,
    SyncConflict,
    SyncDirection,
    SyncRun,
)

if TYPE_CHECKING:
    from uuid import UUID

    from domain.customers.model import Customer
    from tests.api.differential.world import World

_KNOWN = (
    # connector, account, state
    ("files", "shop", "ACTIVE"), ("files", "archive", "PAUSED"), ("quickbooks", "9", "DRAFT"),
    ("outlook", "ada", "DISCONNECTED"),
)  # fmt: skip
_HOUR = timedelta(hours=1)
_COUNTERS = {
    "read": 9, "created": 4, "updated": 3, "unchanged": 1, "deleted": 1, "rejected": 0, "doubles": 1, "strangers": 2,
    "unreadable": 3,
}  # fmt: skip


async def integrations(world: World, people: dict[str, Customer]) -> list[UUID]:
    """Integrations with the links of their records; the first four have what waits for a person, too."""
    made = [await _integration(world, *known) for known in _KNOWN]
    others = [state for state in IntegrationState if state not in {known[2] for known in _KNOWN}]
    waiting = [*made, *[await _integration(world, "salesforce", state.lower(), state) for state in others]]
    for at, integration_id in enumerate(waiting):
        await _streams(world, integration_id)
        await _waiting(world, integration_id, list(people.values()), at)
    await _links(world, people, made)
    world.work.add(
        OutgoingWebhook(
            url=f"https://{world.name}.example.com/", ciphertext=b"sealed", key_id="k", failures=2,
            last_error=world.maybe("The address answered 500.", 0.5), updated_at=world.moment(),
        )
    )  # fmt: skip
    await world.work.flush()
    return made


async def _integration(world: World, connector: str, account: str, state: str) -> UUID:
    integration_id = world.id()
    await world.add(
        Integration(
            id=integration_id, connector=connector, account=account, label=account.title(),
            account_label=world.maybe(f"Account {account}"), config=world.maybe({"book": "main", "depth": 3}) or {},
            state=state, reason=world.maybe("It was so."), state_since=world.maybe(world.moment()),
            connector_version=world.maybe("1.0"), drift_policy=world.random.choice(list(DriftPolicy)),
            activated_at=world.maybe(world.moment()), created_at=world.moment(), updated_at=world.moment(),
            version=world.random.randrange(1, 9),
        )
    )  # fmt: skip
    await _buckets(world, f"{connector}:account:{sha256(account.encode()).hexdigest()[:32]}")
    for name in ("token", "api_key"):
        world.work.add(
            IntegrationSecret(
                integration_id=integration_id, name=name, ciphertext=world.maybe(b"sealed"), updated_at=world.moment()
            )
        )
    await world.work.flush()
    return integration_id


async def _buckets(world: World, scope: str) -> None:
    """What is left of the limits of an account; both tenants have the same accounts."""
    for rate in ("", "/500/60", "/9000/86400"):
        bucket = insert(RateBucket).values(
            scope=scope + rate, tokens=Decimal(world.random.randrange(-9, 700)), factor=Decimal("0.25"),
            parked_until=world.maybe(world.work.now + world.random.choice([_HOUR, -_HOUR])),
            refilled_at=world.work.now - world.random.randrange(9) * timedelta(minutes=1),
        )  # fmt: skip
        await world.work.execute(bucket.on_conflict_do_nothing())


async def _streams(world: World, integration_id: UUID) -> None:
    for stream in ("customers", "invoices", "mail"):
        ownership = world.maybe({"name": world.random.choice(list(Ownership)), "emails": "NEWEST"}, 0.6) or {}
        world.work.add(
            StreamSetting(
                integration_id=integration_id, stream=stream, enabled=world.random.random() < 0.5,
                direction=world.random.choice(list(SyncDirection)), since=world.maybe(world.moment()),
                every_seconds=world.maybe(600), ownership=ownership,
                quarantined_fields=world.maybe(["customer.extra.age"], 0.4) or [], updated_at=world.moment(),
            )
        )  # fmt: skip
        if world.random.random() < 0.6:
            world.work.add(
                StreamState(
                    integration_id=integration_id, stream=stream, read_until=world.maybe(world.moment()),
                    expected_count=world.maybe(40), seen_count=7, paused_reason=world.maybe("No permission.", 0.3),
                    updated_at=world.moment(),
                )
            )  # fmt: skip
    for field in ("customer.extra.age", "customer.extra.size"):
        world.work.add(
            SchemaDrift(
                integration_id=integration_id, stream="customers", field=field, kind="TYPE",
                was=world.maybe("string"), became=world.maybe("integer"), count=3, first_seen_at=world.moment(),
                last_seen_at=world.moment(), acknowledged_at=world.maybe(world.moment(), 0.4),
            )
        )  # fmt: skip
    await world.work.flush()


async def _waiting(world: World, integration_id: UUID, people: list[Customer], at: int) -> None:
    runs = [await _run(world, integration_id, mode) for mode in RunMode]
    whose: dict[str, Any] = {"integration_id": integration_id}
    for number in range(3):
        someone = world.random.choice(people).id
        decided = world.maybe(world.moment(), 0.4)
        world.work.add(
            DeadLetter(
                id=world.id(), **whose, run_id=runs[0], stream="customers", remote_id=world.maybe(f"L{number}"),
                field=world.maybe("name"), reason="It is bad.", recorded_at=world.moment(), resolved_at=decided,
                resolution=decided and "DISCARDED", attempts=number + 1,
            ),
            SyncConflict(
                id=world.id(), **whose, type="customer", remote_id=f"C{number}", local_id=someone, field="name",
                policy=world.random.choice(list(Ownership)), base=world.maybe({"value": ["Ada", "ada"]}),
                ours=world.maybe({"value": "Ada B."}), theirs=world.maybe({"value": None}), recorded_at=world.moment(),
                resolution=decided and "OURS", resolved_at=decided,
            ),
            BulkDelete(
                id=world.id(), **whose, run_id=runs[0], stream="customers", found=30, known=40, ids=[],
                recorded_at=world.moment(), decision=decided and "APPROVED", decided_at=decided,
                applied_at=decided and world.maybe(world.moment()),
            ),
            LinkCandidate(
                id=world.id(), **whose, type="customer", remote_id=f"K{number}", local_id=someone,
                because="Both have the same name.", recorded_at=world.moment(), decision=decided and "SAME",
            ),
        )  # fmt: skip
    for number, status in enumerate(ChangeStatus):
        world.work.add(
            OutboundChange(
                id=world.id(), **whose, type="customer", local_id=world.random.choice(people).id, op="update",
                remote_id=world.maybe(f"O{number}"), fields=["name", "emails"][: number % 3], key=f"k{number}",
                status=status, attempts=number, error=world.maybe("The name is taken.", 0.4),
                recorded_at=world.moment(), sent_at=world.maybe(world.moment(), 0.4),
            )
        )  # fmt: skip
    for number in range(at % 3):
        await _report(world, integration_id, number)
    await world.work.flush()


async def _run(world: World, integration_id: UUID, mode: RunMode) -> UUID:
    run = SyncRun(
        id=world.id(), integration_id=integration_id, stream="customers", mode=mode,
        window_start=world.maybe(world.moment(), 0.3), window_end=world.maybe(world.moment(), 0.3),
        started_at=world.moment(), ended_at=world.maybe(world.moment()), error=world.maybe("It failed.", 0.3),
        cancelled_at=world.maybe(world.moment(), 0.3),
        counters=world.maybe(_COUNTERS) or {},
    )  # fmt: skip
    await world.add(run)
    return run.id


async def _report(world: World, integration_id: UUID, number: int) -> None:
    compared = world.random.choice([0, 4, 8])
    counts = {
        "stream": "customers", "local_count": 5, "remote_count": 6, "compared": compared, "matching": compared // 2,
        "missing_local": 1, "missing_remote": 0, "different": 2, "awaiting_push": 0, "rejected": 1, "sums": {},
    }  # fmt: skip
    report = ReconciliationReport(
        id=world.id(), integration_id=integration_id, started_at=world.moment(), recorded_at=world.moment() + _HOUR,
        streams=[counts, {**counts, "stream": "invoices"}][: number + 1], compared=compared,
        matching=compared // 2 + number * (compared // 4), digest=bytes([number]) * 32,
    )  # fmt: skip
    await world.add(report)
    for place, kind in enumerate(("DIFFERENT", "MISSING_LOCAL", "REJECTED")):
        world.work.add(
            ReconciliationDifference(
                report_id=report.id, stream="customers", type="customer", remote_id=f"D{place}", kind=kind,
                fields=["name"][: place % 2], detail={},
            )
        )  # fmt: skip


async def _links(world: World, people: dict[str, Customer], made: list[UUID]) -> None:
    for at, customer in enumerate(people.values()):
        for integration in made[: at % 4]:
            remote = f"R{at % 5 if integration == made[0] else at}-{at // 5}"
            world.work.add(
                RecordLink(integration_id=integration, type="customer", remote_id=remote, local_id=customer.id),
                RecordLink(integration_id=integration, type="order", remote_id=remote, local_id=world.id()),
            )
    await world.add(
        RecordLink(integration_id=made[0], type="customer", remote_id="twice", local_id=people["Ada Byron"].id),
        RecordLink(integration_id=made[1], type="customer", remote_id="twice", local_id=people["Bea Curie"].id),
        RecordLink(integration_id=made[2], type="customer", remote_id="twice", local_id=people["A. Byron"].id),
    )
