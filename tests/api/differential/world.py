"""A tiny business with everything that is hard to read: merges, ties, nulls, versions, currencies, two lifecycles.

Two tenants are written with it; a third of their ids, and all their names and keys, are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import md5
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import update

from domain.core.audit import AuditEntry
from domain.customers.folding import index_words
from domain.customers.model import (
    AttributeDefinition,
    ConsentEvent,
    Customer,
    CustomerAttribute,
    CustomerWord,
    IdentityClaim,
    MergeCandidate,
    PrivacyRequest,
    PrivacyRequestKind,
    Survivorship,
)
from domain.interactions.model import FAMILY_OF, Channel, Direction, Interaction, InteractionContent, InteractionKind
from domain.purchases.model import (
    CreditNote,
    CreditNoteAllocation,
    ExchangeRate,
    Invoice,
    InvoiceStatus,
    Order,
    OrderLine,
    Payment,
    PaymentAllocation,
    PaymentStatus,
    Product,
    ProductFamily,
    Refund,
    RefundLine,
)
from domain.stages.history import Transition, intervals
from domain.stages.model import (
    CauseKind,
    Lifecycle,
    LifecycleVersion,
    Movement,
    Stage,
    StageInterval,
    StageNote,
    StageTransition,
    TransitionRule,
)
from domain.stages.rules import Trigger
from domain.tenants.model import ApiToken, Principal, Role, Tenant
from tests.api.differential import begun, connected, grouped, promised, proved, spent, united, valued

if TYPE_CHECKING:
    from domain.core.unit_of_work import Writing

START = datetime(2026, 1, 1, 9, 0, 0, 123456, tzinfo=UTC)
NOW = datetime(2026, 3, 1, 12, 30, 0, 654321, tzinfo=UTC)
DAY = timedelta(days=1)
SHARED_IDS = 3


@dataclass
class World:
    """What is being written for one tenant."""

    work: Writing
    name: str
    random: Random = field(init=False)
    made: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.name)  # noqa: S311 - a made-up business

    def id(self) -> UUID:
        """The next id: the same in every run, every third one the same for both tenants."""
        self.made += 1
        whose = "both" if self.made % SHARED_IDS == 0 else self.name
        return UUID(bytes=md5(f"{whose} {self.made}".encode(), usedforsecurity=False).digest())

    def moment(self, days: int = 6) -> datetime:
        """One of a few moments, so that many are equal."""
        return START + self.random.randrange(days) * DAY

    def maybe(self, value: Any, chance: float = 0.7) -> Any:
        """The value, or nothing."""
        return value if self.random.random() < chance else None

    async def add(self, *rows: Any) -> None:
        """Write rows before those that refer to them."""
        self.work.add(*rows)
        await self.work.flush()


async def write(work: Writing, name: str) -> None:
    """The whole business of one tenant."""
    world = World(work, name)
    await work.execute(
        update(Tenant)
        .where(Tenant.tenant_id == work.tenant_id)
        .values(base_currency="EUR", time_zone="Asia/Tehran", slug=name, name=name.title())
    )
    await _principals(world)
    people = await _customers(world)
    integrations = await connected.integrations(world, people)
    await _identities(world, people)
    await _lifecycles(world, people)
    documents = await _purchases(world, people, integrations)
    await _interactions(world, people, integrations, documents)
    await proved.evidence(world, people)
    await grouped.segments(world, people)
    await spent.money(world, people)
    await valued.customers(world, people)
    await promised.business(world, people)
    await begun.initiatives(world)
    await spent.on_initiatives(world)
    await united.identities(world, people)
    await united.moves(world)


# Who asks


async def _principals(world: World) -> None:
    for at, role in enumerate(Role):
        principal = Principal(
            id=world.id(), kind="PERSON" if at % 2 else "SERVICE", name=f"{role.title()} of {world.name}", role=role,
            created_at=START,
        )  # fmt: skip
        await world.add(principal)
        world.work.add(
            ApiToken(
                id=world.id(), principal_id=principal.id, prefix=f"tnr_{world.name}{at}", secret_hash=b"", name=role,
                scopes=["customers:read", "pii:read"][: at % 3], created_at=START, expires_at=world.maybe(NOW, 0.5),
                revoked_at=world.maybe(START, 0.3), last_used_at=world.maybe(START, 0.5),
            )
        )  # fmt: skip
        world.work.add(
            AuditEntry(
                position=at + 100, at=START, actor="system", action="token.made", subject=f"token:{at}",
                request_id=world.maybe(f"r{at}"), prev_hash=bytes(32), hash=bytes([at]) * 32,
            )
        )  # fmt: skip
    await world.work.flush()


# Customers

ATTRIBUTES: dict[str, tuple[str, list[Any], str, bool]] = {
    "tier": ("TEXT", ["gold", "silver", ""], "text_value", False),
    "seats": ("INTEGER", [0, 5, 9_000_000_000], "integer_value", False),
    "discount": ("DECIMAL", ["0.125", "12", "-3.5"], "integer_value", False),
    "vip": ("BOOLEAN", [True, False], "boolean_value", False),
    "birthday": ("DATE", ["1815-12-10", "2000-02-29"], "date_value", False),
    "trial_ends": ("DATETIME", ["2026-02-01T10:00:00+00:00"], "time_value", False),
    "passport": ("TEXT", ["X123", "Y456"], "text_value", True),
}
_PEOPLE = (
    # name, kind, organisation, merged into
    ("Analytica", "ORGANISATION", None, None),
    ("Analytica GmbH", "ORGANISATION", None, "Analytica"),
    ("Analytica Labs", "ORGANISATION", "Analytica", None),
    ("بازار", "ORGANISATION", None, None),
    ("Ada Byron", "PERSON", "Analytica", None),
    ("A. Byron", "PERSON", "Analytica", "Ada Byron"),
    ("Bea Curie", "PERSON", "Analytica GmbH", None),
    ("Beatrice Curie", "PERSON", None, "Bea Curie"),
    ("B. Curie", "PERSON", None, "Bea Curie"),
    ("سیروس", "PERSON", "بازار", None),
    ("Dora Ada", "PERSON", None, None),
    ("", "PERSON", "Analytica Labs", None),
    ("bea curie", "PERSON", None, None),
    ("Erased", "PERSON", "بازار", None),
)


async def _customers(world: World) -> dict[str, Customer]:
    ids = {name: world.id() for name, *_ in _PEOPLE}
    people: dict[str, Customer] = {}
    for name, kind, organisation, into in _PEOPLE:
        root = ids[into or name]
        members = [] if into else [ids[name], *(ids[other] for other, *_, target in _PEOPLE if target == name)]
        bought = world.maybe(world.moment(), 0.5)
        erased = name == "Erased"
        country = world.maybe(world.random.choice(["DE", "IR", "GB"]))
        emails, phones, addresses = _contacts(world, name, country) if not erased else (None, None, None)
        people[name] = Customer(
            id=ids[name], kind=kind, display_name=None if erased or not name else name, country=country,
            status="ERASED" if erased else "MERGED" if into else "ACTIVE", root_id=root, member_ids=members,
            merged_into=root if into else None, organisation_id=ids[organisation] if organisation else None,
            emails=emails, phones=phones, addresses=addresses,
            attributes=None if erased else world.maybe(_attributes(world), 0.95),
            primary_email=emails[0]["address"] if emails else None,
            primary_phone=phones[0]["number"] if phones else None, first_seen_at=world.moment(2),
            first_purchase_at=bought, last_purchase_at=bought and bought + world.random.randrange(2) * DAY,
            created_at=world.moment(3), updated_at=world.moment(3), version=world.random.randrange(1, 4),
        )  # fmt: skip
    await world.add(*people.values())
    for customer in people.values():
        await _beside(world, customer)
    return people


def _contacts(world: World, name: str, country: str | None) -> tuple[Any, Any, Any]:
    first = (name.split() or ["nobody"])[0].strip(".").lower()
    emails = [
        {"address": f"{first}@{host}", "isPrimary": not at, "verifiedAt": world.maybe(START.isoformat()), "source": "x"}
        for at, host in enumerate(("example.com", "mail.example.org")[: world.random.randrange(3)])
    ]
    phones = [
        {"number": number, "isPrimary": not at, "verifiedAt": world.maybe(START.isoformat(), 0.3), "source": "manual"}
        for at, number in enumerate(("+442071838750", "+989121234567")[: world.random.randrange(3)])
    ]
    addresses = [
        {"street": world.maybe("Weg 1"), "city": world.maybe("Berlin"), "region": world.maybe("BE", 0.4),
         "postalCode": world.maybe("10115"), "country": country, "isPrimary": not at, "source": "manual"}
        for at in range(world.random.randrange(3))
    ]  # fmt: skip
    return emails or world.maybe([], 0.5), phones or None, addresses or world.maybe([], 0.5)


def _attributes(world: World) -> list[dict[str, Any]]:
    return [
        {"key": key, "type": type_, "value": world.random.choice(values), "pii": pii, "labels": {},
         "source": world.maybe("manual"), "confidence": world.maybe(90)}
        for key, (type_, values, _, pii) in sorted(ATTRIBUTES.items()) if world.random.random() < 0.8
    ]  # fmt: skip


async def _beside(world: World, customer: Customer) -> None:
    if customer.status != "ACTIVE":
        return
    for attribute in customer.attributes or ():
        column = ATTRIBUTES[attribute["key"]][2]
        value: Any = attribute["value"]
        if attribute["type"] == "DECIMAL":
            value = int(Decimal(value) * 1_000_000)
        elif attribute["type"] == "DATE":
            value = datetime.fromisoformat(value).date()
        elif attribute["type"] == "DATETIME":
            value = datetime.fromisoformat(value)
        world.work.add(CustomerAttribute(customer_id=customer.id, key=attribute["key"], **{column: value}))
    emails = [email["address"] for email in customer.emails or ()]
    phones = [phone["number"] for phone in customer.phones or ()]
    for word in sorted(index_words([customer.display_name or ""], emails, phones)):
        world.work.add(CustomerWord(word=word, customer_id=customer.id))
    await world.work.flush()


async def _identities(world: World, people: dict[str, Customer]) -> None:
    claims = [
        ("email", "Ada@Example.com", "ada@example.com", "A. Byron", "STRONG"),
        ("email", "ada@example.com", "ada@example.com", "Ada Byron", "STRONG"),
        ("email", "bea@example.com", "bea@example.com", "B. Curie", "STRONG"),
        ("email", "bea@example.com", "bea@example.com", "bea curie", "WEAK"),
        ("phone", "+44 20 7183 8750", "+442071838750", "Bea Curie", "STRONG"),
        ("phone", "+989121234567", "+989121234567", "سیروس", "WEAK"),
        ("device", "d-1", "d-1", "Ada Byron", "DEVICE"),
        ("tax_id", None, None, "Dora Ada", "STRONG"),
    ]
    for at, (scheme, value, normalised, who, strength) in enumerate(claims * 2):
        ended = at >= len(claims)
        world.work.add(
            IdentityClaim(
                id=world.id(), customer_id=people["Dora Ada" if ended else who].id, scheme=scheme, value=value,
                normalised=normalised, strength=strength, source="manual", verified_at=world.maybe(START, 0.5),
                valid_from=START, valid_to=START + DAY if ended else None,
            )
        )  # fmt: skip
    for _ in range(14):
        world.work.add(
            ConsentEvent(
                id=world.id(), customer_id=world.random.choice(list(people.values())).id, purpose="news",
                channel=world.random.choice(["EMAIL", "SMS"]), actor="system", occurred_at=world.moment(2),
                decision=world.random.choice(["GRANTED", "DENIED", "REVOKED"]), recorded_at=START,
                lawful_basis=world.maybe("consent"),
            )
        )  # fmt: skip
    pairs = [
        ("Ada Byron", "Dora Ada", "OPEN"), ("Bea Curie", "bea curie", "OPEN"), ("سیروس", "Dora Ada", "OPEN"),
        ("Analytica", "بازار", "OPEN"), ("Analytica", "Analytica Labs", "REJECTED"), ("", "bea curie", "ACCEPTED"),
    ]  # fmt: skip
    for left, right, state in pairs:
        features: Any = [
            {"name": "email", "value": 1, "weight": world.maybe(7.25), "explanation": world.maybe("the same")}
        ]
        world.work.add(
            MergeCandidate(
                id=world.id(), left_id=people[left].id, right_id=people[right].id,
                score=world.random.choice([870, 500, 1000]), features=world.maybe(features), state=state,
                created_at=START, updated_at=START,
            )
        )  # fmt: skip
    for kind in PrivacyRequestKind:
        world.work.add(
            PrivacyRequest(
                id=world.id(), customer_id=people["Erased"].id, kind=kind, actor="system", requested_at=START, steps=[],
                completed_at=world.maybe(START, 0.5),
            )
        )  # fmt: skip
    await _definitions(world)


async def _definitions(world: World) -> None:
    for at, (key, (type_, _, _, pii)) in enumerate(ATTRIBUTES.items()):
        world.work.add(
            AttributeDefinition(
                id=world.id(), key=key, type=type_, labels=[{"en": key}, {"en": key, "fa": "ویژگی"}][at % 2],
                pii="PERSONAL" if pii else "NONE", survivorship=list(Survivorship)[at % len(Survivorship)],
                authority=["manual", "files:shop"][: at % 3], created_at=START,
            )
        )  # fmt: skip
    await world.work.flush()


# Stages

_STEPS = ("AWARE", "CONSIDER", "PURCHASE", "USE", "RETAIN", "ADVOCATE")
_KINDS = ("OPEN", "OPEN", "WON", "OPEN", "LOST", "CHURNED")


async def _lifecycles(world: World, people: dict[str, Customer]) -> None:
    for key, versions in (("buyer", (True, True, False)), ("saas", (True,)), ("sketch", (False,)), ("void", ())):
        way = Lifecycle(
            id=world.id(), key=key, labels={"en": key.title(), "fa": "خریدار"} if key == "buyer" else {"en": key},
            is_default=key == "buyer", created_at=START, template_key=world.maybe(key, 0.5),
        )  # fmt: skip
        await world.add(way)
        stages: list[Stage] = []
        for number, published in enumerate(versions, 1):
            stages = await _version(world, way, number, published=published) or stages
        if any(versions):
            await _stays(world, way, stages, people)


async def _version(world: World, way: Lifecycle, number: int, *, published: bool) -> list[Stage]:
    version = LifecycleVersion(
        id=world.id(), lifecycle_id=way.id, number=number, created_at=START + number * DAY,
        published_at=START + number * DAY if published else None,
    )  # fmt: skip
    await world.add(version)
    stages = [
        Stage(
            id=world.id(), lifecycle_version_id=version.id, key=f"{way.key}_{step.lower()}", position=position,
            step=step, kind=kind, labels=[{"en": step}, {"en": step, "fa": f"مرحله {position}"}][position % 2],
            needs=[{}, {"en": "Help"}, {"fa": "کمک"}][position % 3], rotting_days=world.maybe(position, 0.5),
        )
        for position, (step, kind) in enumerate(zip(_STEPS, _KINDS, strict=True), 1)
    ]  # fmt: skip
    rules = [
        TransitionRule(
            id=world.id(), lifecycle_version_id=version.id, position=position, trigger=trigger, condition=None,
            from_stage=world.maybe(stages[0].key), to_stage=world.maybe(stages[1].key), requires_reason=position == 1,
        )
        for position, trigger in enumerate(Trigger, 1)
    ]  # fmt: skip
    await world.add(*stages, *rules)
    return stages if published else []


async def _stays(world: World, way: Lifecycle, stages: list[Stage], people: dict[str, Customer]) -> None:
    keys = {stage.id: stage.key for stage in stages}
    for customer in people.values():
        if customer.root_id != customer.id:
            continue
        moves = [move for member in customer.member_ids for move in _moves(world, way, stages, member)]
        await world.add(*moves)
        log = [
            Transition(
                id=move.id, target=keys.get(move.to_stage_id), occurred_at=move.occurred_at,
                recorded_at=move.recorded_at, cause=CauseKind(move.cause_kind), corrects=move.corrects,
            )
            for move in moves
        ]  # fmt: skip
        stage_of = {move.id: move.to_stage_id for move in moves}
        for stay in intervals(log):
            if stay.is_current and way.is_default:
                customer.default_stage = f"{way.key}:{stay.stage}"
                customer.default_stage_id = stage_of[stay.transition]
            world.work.add(
                StageInterval(
                    id=stay.transition, customer_id=customer.id, lifecycle_id=way.id, lifecycle_key=way.key,
                    stage_id=stage_of[stay.transition], stage_key=stay.stage, visit=stay.visit,
                    entered_at=stay.entered_at, exited_at=stay.exited_at, is_current=stay.is_current,
                    cause_kind=stay.cause,
                )
            )  # fmt: skip
        for member in customer.member_ids:
            _notes(world, way, stages[0], member)
    await world.work.flush()


def _moves(world: World, way: Lifecycle, stages: list[Stage], who: UUID) -> list[StageTransition]:
    """Some moves of one customer, at few moments; some are corrected later, and some corrections once more."""
    moves: list[StageTransition] = []
    for at in range(world.random.randrange(6)):
        corrected = next((move for move in moves if move.corrects is None), None) if world.maybe(at, 0.3) else None
        target = world.maybe(world.random.choice(stages), 0.9)
        moves.append(
            StageTransition(
                id=world.id(), customer_id=who, lifecycle_id=way.id,
                lifecycle_version_id=stages[0].lifecycle_version_id,
                from_stage_id=None if target else stages[0].id, to_stage_id=target and target.id,
                occurred_at=START + (at // 2) * DAY + timedelta(microseconds=at % 2 * 999_999),
                recorded_at=START + world.random.randrange(3) * DAY,
                direction=world.maybe(world.random.choice(list(Movement))),
                cause_kind=world.random.choice(list(CauseKind)), actor="system", reason=world.maybe("He asked"),
                corrects=corrected and corrected.id,
            )
        )  # fmt: skip
        if corrected is not None and moves[-1].recorded_at < corrected.recorded_at:
            moves[-1].recorded_at = corrected.recorded_at
    return moves


def _notes(world: World, way: Lifecycle, stage: Stage, who: UUID) -> None:
    for _ in range(world.random.randrange(3)):
        world.work.add(
            StageNote(
                id=world.id(), customer_id=who, lifecycle_id=way.id, stage_id=stage.id,
                kind=world.random.choice(["NEED", "PAIN_POINT", "PLAN"]), text=world.maybe("Wants a call"),
                source="manual", author="system", occurred_at=world.moment(2), recorded_at=START,
            )
        )  # fmt: skip


# Purchases


async def _purchases(world: World, people: dict[str, Customer], integrations: list[UUID]) -> dict[str, list[UUID]]:
    products = await _products(world)
    for base, quote, day, rate in (
        ("USD", "EUR", 0, "0.900000"), ("USD", "EUR", 3, "0.850000"), ("USD", "EUR", 3, "0.875000"),
        ("EUR", "JPY", 1, "160.123457"), ("JPY", "EUR", 4, "0.006250"), ("EUR", "KWD", 0, "0.333333"),
    ):  # fmt: skip
        world.made += 1
        world.work.add(
            ExchangeRate(
                id=world.id(), day=(START + day * DAY).date(), base=base, quote=quote, rate=Decimal(rate),
                source="manual", recorded_at=START + world.made * DAY,
            )
        )  # fmt: skip
    buyers = [*people.values(), None, None]
    orders, sales, returns = [], [], []
    for at in range(22):
        buyer = world.random.choice(buyers)
        document = _document(world, at, buyer, integrations)
        orders.append(document["id"])
        sales += await _versions(world, Order, OrderLine, "order", products, {
            **document, "number": world.maybe(f"N{at % 9}", 0.9), "kind": "ADJUSTMENT" if at % 6 == 5 else "SALE",
            "status": ["COMPLETED", "COMPLETED", "OPEN", "COMPLETED", "CANCELLED"][at % 5],
            "channel": world.maybe("web"), "amount": document["amount"] * (-1 if at % 12 == 11 else 1),
        })  # fmt: skip
    for at in range(14):
        buyer = world.random.choice(buyers)
        order = [world.random.choice(orders), None, world.id(), world.random.choice(orders)][at % 4]
        document = _document(world, at, buyer, integrations)
        returns += await _versions(world, Refund, RefundLine, "refund", products, {
            **document, "number": world.maybe(f"R{at}"), "order_id": order, "reason": world.maybe("broken", 0.4),
        })  # fmt: skip
    bills = await _invoices(world, [sale for sale in sales if sale["kind"] == "SALE"])
    notes = await _credit_notes(world, returns, bills)
    payments = await _payments(world, buyers, integrations, bills)
    return {"order_id": orders, "invoice_id": bills, "payment_id": payments, "credit_note_id": notes}


_BILLED = (
    "id", "customer_id", "occurred_at", "local_day", "recorded_at", "currency", "amount", "base_amount",
    "base_currency", "units", "line_count", "integration_id", "remote_id", "content_hash", "number",
)  # fmt: skip


async def _invoices(world: World, sales: list[dict[str, Any]]) -> list[UUID]:
    """Bills of most sales, in few days and every status; some in two versions."""
    for at, sale in enumerate(sales[:-3]):
        billed = {name: sale[name] for name in _BILLED}
        for version in range(1, at % 2 + 2):
            world.work.add(
                Invoice(
                    **billed, version=version, superseded_at=sale["recorded_at"] if version <= at % 2 else None,
                    order_version=sale["version"], status=list(InvoiceStatus)[at % 4 if at % 3 else 1],
                    native_status=world.maybe("Sent"), sent_at=world.maybe(world.moment()),
                    due_on=world.maybe((START + world.random.randrange(4) * DAY).date() if at % 5 else NOW.date()),
                    balance=world.maybe(world.random.choice([0, sale["amount"], 7])), changed_at=None,
                )
            )  # fmt: skip
    await world.work.flush()
    return [sale["id"] for sale in sales[:-3]]


async def _credit_notes(world: World, returns: list[dict[str, Any]], bills: list[UUID]) -> list[UUID]:
    """Credit notes of most refunds; what they settle is here, or not yet."""
    for at, refund in enumerate(returns[:-3]):
        given = {name: refund[name] for name in _BILLED}
        await world.add(
            CreditNote(
                **given, version=1, superseded_at=None, refund_version=refund["version"], balance=world.maybe(at)
            )
        )  # fmt: skip
        for invoice in _settled(world, bills):
            world.work.add(
                CreditNoteAllocation(credit_note_id=refund["id"], credit_note_version=1, invoice_id=invoice, amount=at)
            )  # fmt: skip
    await world.work.flush()
    return [refund["id"] for refund in returns[:-3]]


async def _payments(
    world: World, buyers: list[Customer | None], integrations: list[UUID], bills: list[UUID]
) -> list[UUID]:
    """Payments in every status, some in two versions that settle something else."""
    made = []
    for at in range(16):
        document = _document(world, at, world.random.choice(buyers), integrations)
        del document["units"], document["line_count"]
        made.append(document["id"])
        for version in range(1, at % 3 // 2 + 2):
            superseded = document["recorded_at"] if version <= at % 3 // 2 else None
            await world.add(
                Payment(
                    **document, version=version, superseded_at=superseded, number=world.maybe(f"P{at}"),
                    status=list(PaymentStatus)[at % 3], method=world.maybe(["card", "cash"][at % 2]), unapplied=at - 3,
                )
            )  # fmt: skip
            for invoice in _settled(world, bills):
                world.work.add(
                    PaymentAllocation(
                        payment_id=document["id"], payment_version=version, invoice_id=invoice, amount=at * 11
                    )
                )  # fmt: skip
    await world.work.flush()
    return made


def _settled(world: World, bills: list[UUID]) -> list[UUID]:
    """A few of the bills, and at times one that is not here yet."""
    return [*world.random.sample(bills, world.random.randrange(4)), *filter(None, [world.maybe(world.id(), 0.2)])]


async def _products(world: World) -> list[UUID | None]:
    families = [
        ProductFamily(id=world.id(), key=key, name=key.title(), created_at=START) for key in ("lamps", "cables")
    ]
    await world.add(*families)
    ids: list[UUID | None] = [None]
    for at, name in enumerate(("Lamp", "lamp, large", None, "کابل", "Gone")):
        ids.append(world.id())
        family = world.maybe(world.random.choice(families).id)
        world.work.add(
            Product(
                id=ids[-1], sku=f"S{at}", name="Old", valid_from=START - DAY, valid_to=START,
                family_id=None, tier_rank=None, complements=[],
            )
        )  # fmt: skip
        if name != "Gone":
            world.work.add(
                Product(
                    id=ids[-1], sku=f"S{9 - at}", name=name, valid_from=START, valid_to=None, family_id=family,
                    tier_rank=world.maybe(at), complements=[],
                )
            )  # fmt: skip
    await world.work.flush()
    return ids


def _document(world: World, at: int, buyer: Customer | None, integrations: list[UUID]) -> dict[str, Any]:
    currency = ["EUR", "USD", "JPY", "KWD", "EUR", "CHF"][at % 6]
    amount = world.random.randrange(0, 99_999) if at else 0
    occurred = world.moment()
    rated = occurred > START
    settled = {"EUR": amount, "USD": amount // 2, "JPY": amount if rated else None, "KWD": amount * 3, "CHF": None}
    return {
        "id": world.id(), "customer_id": buyer and buyer.id, "occurred_at": occurred, "local_day": occurred.date(),
        "recorded_at": occurred + DAY, "currency": currency, "amount": amount,
        "base_amount": settled[currency], "base_currency": None if settled[currency] is None else "EUR",
        "units": Decimal(at) / 4, "line_count": at % 4,
        "integration_id": world.maybe(world.random.choice(integrations), 0.5), "remote_id": f"D{at}",
        "content_hash": b"x",
    }  # fmt: skip


async def _versions(
    world: World, head: Any, line: Any, link: str, products: list[UUID | None], document: dict[str, Any]
) -> list[dict[str, Any]]:
    """Write a document in one or two versions; what the current one says."""
    versions = world.random.choice([1, 1, 2])
    for version in range(1, versions + 1):
        superseded = document["recorded_at"] if version < versions else None
        await world.add(head(**document, version=version, superseded_at=superseded))
        for position in range(1, document["line_count"] + version):
            cost = world.maybe(position * 7, 0.5)
            world.work.add(
                line(
                    **{f"{link}_id": document["id"], f"{link}_version": version}, position=position,
                    product_id=world.random.choice(products), description=world.maybe("A thing"),
                    quantity=Decimal(position) / 3, unit_price=Decimal("0.001") * position, cost_amount=cost,
                    amount=position * 111, discount=position, tax=position * 19,
                )
            )  # fmt: skip
    await world.work.flush()
    return [{**document, "version": versions}]


# Interactions

_PAYLOADS: dict[str, dict[str, Any]] = {
    "EMAIL": {"subject": "Offer", "from": "ada@example.com", "to": ["bea@example.com", "x@y.org"], "message_id": "m1",
              "link": "https://example.com"},
    "MESSAGE": {"text": "Hello", "from": "+442071838750", "to": ["+989121234567"], "status": "delivered"},
    "CALL": {"from": "+442071838750", "to": "+989121234567", "duration_seconds": 61, "outcome": "answered",
             "recording_url": "https://example.com/r"},
    "MEETING": {"title": "Demo", "starts_at": "2026-01-05T10:00:00Z", "ends_at": "2026-01-05T11:00:00.5+03:30",
                "attendees": ["Ada", ""], "location": "Berlin", "status": "held"},
    "ENVELOPE": {"title": "Contract", "envelope_id": "e1", "signers": ["Ada"], "reason": "late"},
    "CASE": {"case_id": "c1", "title": "Broken", "status": "open", "priority": "high", "cost": "12.50",
             "currency": "EUR"},
    "SURVEY": {"survey": "nps", "score": "9", "scale": 10, "comment": "Fine"},
    "REVIEW": {"rating": "4.5", "scale": 5, "text": "Good", "site": "example.com"},
    "REFERRAL": {"referred": "Bea", "code": "ADA10", "status": "joined"},
    "USAGE": {"product": "Lamp", "feature": "dimmer", "quantity": "1.250", "unit": "h"},
    "VISIT": {"url": "https://example.com", "referrer": "https://example.org", "seconds": 30, "session": "s1"},
    "COMMERCE": {"order_id": None, "invoice_id": None, "payment_id": None, "credit_note_id": None, "number": "N1"},
    "STAGE": {"lifecycle": "buyer", "from_stage": "buyer_aware", "to_stage": "buyer_use"},
    "NOTE": {"text": "Day", "author": "Bea"},
    "TASK": {"title": "Call", "assignee": "Bea", "due_at": "2026-01-09T10:00:00+00:00", "done": True},
}  # fmt: skip


_ALONE = [kind for kind, family in FAMILY_OF.items() if list(FAMILY_OF.values()).count(family) == 1]
"""The kinds that are a family by themselves: of these several are needed."""


async def _interactions(
    world: World, people: dict[str, Customer], integrations: list[UUID], documents: dict[str, list[UUID]]
) -> None:
    whose = [*people.values(), None]
    for at, kind in enumerate([*InteractionKind, *_ALONE, *_ALONE, *_ALONE]):
        family = FAMILY_OF[kind]
        who = whose[at % len(whose)]
        payload = {key: value for key, value in _PAYLOADS[family].items() if world.random.random() < 0.8}
        for key in [key for key in documents if key in payload]:
            payload[key] = str(world.random.choice([*documents[key], world.id()]))
        integration = world.maybe(world.random.choice(integrations), 0.5)
        values: dict[str, Any] = {
            "id": world.id(), "customer_id": who and who.id, "kind": kind, "family": family,
            "channel": world.maybe(list(Channel)[at % len(Channel)]),
            "direction": world.maybe(list(Direction)[at % len(Direction)]), "occurred_at": world.moment(4),
            "recorded_at": world.moment(4), "integration_id": integration, "stream": "mail" if at % 2 else "manual",
            "remote_id": f"I{at}", "machine_suspected": at % 5 == 0, "summary": world.maybe(f"It was {kind}"),
            "correlation_key": world.maybe(f"thread {at % 3}", 0.4), "payload": world.maybe(payload, 0.95),
        }  # fmt: skip
        if at % 7 == 0:
            world.work.add(Interaction(**values, revision=1, superseded_at=START))
        await world.add(Interaction(**values, revision=2 if at % 7 == 0 else 1))
        if family in {"EMAIL", "MEETING"}:
            said = {"interaction_id": values["id"], "customer_id": values["customer_id"], "recorded_at": START}
            world.work.add(InteractionContent(**said, content=f"Text {at}" if at % 3 else None))
