"""The law of evidence: whatever happened, it is what plain Python tells from the current interactions."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address, ip_network
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from domain import customers, interactions, purchases
from domain.core.database import Database
from domain.core.events import OutboxEvent
from domain.customers import NewCustomer, privacy
from domain.customers.model import Customer, IdentityClaim
from domain.interactions import Channel, Direction, InteractionKind, NewInteraction, evidence, rules, settle_evidence
from domain.interactions.model import (
    CampaignResponse,
    Case,
    Interaction,
    Referral,
    Review,
    SocialMention,
    SurveyResponse,
)
from domain.tenants.model import Tenant
from tests.conftest import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from tests.conftest import Logins

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ZONE = "Asia/Tehran"
TABLES = (Case, SurveyResponse, Review, SocialMention, Referral, CampaignResponse)


@pytest.fixture
async def people(database: Database, tenant: UUID) -> list[UUID]:
    """Four customers; the last two share what proves that they are one, though a person told them apart."""
    async with database.unit_of_work(tenant) as work:
        await work.execute(update(Tenant).where(Tenant.tenant_id == tenant).values(time_zone=ZONE))
        made = [
            (await customers.create(work, NewCustomer(name=f"Number {at}", emails=[f"n{at}@example.com"]))).id
            for at in range(4)
        ]
        await customers.veto(work, made[2], made[3])
        for customer in made[2:]:
            work.add(
                IdentityClaim(
                    id=work.ids(), customer_id=customer, scheme="tax_id", value="7", normalised="7", strength="STRONG",
                    source="manual", valid_from=NOON,
                )
            )  # fmt: skip
    return made


@pytest.fixture
async def eraser(logins: Logins) -> AsyncIterator[Database]:
    async with Database(str(logins.privacy), readers=1, writers=2, key=KEY) as opened:
        yield opened


async def tell(work: Writing, kind: str, who: UUID, at: datetime, **known: Any) -> UUID:
    """Record something that happened and settle what it proves."""
    new = NewInteraction(InteractionKind(kind), at, who, **known)
    made = (await interactions.record(work, new)).id
    await settle_evidence(work, [who])
    return made


def bought(at: datetime, who: UUID) -> purchases.NewOrder:
    return purchases.NewOrder(occurred_at=at, currency="EUR", total=Decimal(9), customer_id=who)


async def rows_of(reading: Reading, model: Any) -> Sequence[Any]:
    return await reading.all(
        select(model).where(model.tenant_id == reading.tenant_id).execution_options(populate_existing=True)
    )


# One by one


async def test_a_case_is_all_its_steps(database: Database, tenant: UUID, people: list[UUID]) -> None:
    ada = people[0]
    async with database.unit_of_work(tenant) as work:
        opened = await tell(work, "CASE_OPENED", ada, NOON, payload={"case_id": "c7", "title": "Broken lamp"})
        await tell(work, "CASE_ANSWERED", ada, NOON + 90 * SECOND, payload={"case_id": "c7", "priority": "high"})
        spent = {"case_id": "c7", "cost": Decimal("12.345"), "currency": "EUR"}
        await tell(work, "CASE_RESOLVED", ada, NOON + HOUR, payload=spent)
        await tell(work, "CASE_REOPENED", ada, NOON + 2 * HOUR, payload={"case_id": "c7"})
        [case] = await rows_of(work, Case)
        assert (case.resolved_at, case.resolution_minutes, case.reopened) == (None, None, 1)
        await tell(work, "CASE_CLOSED", ada, NOON + 3 * HOUR, payload={"case_id": "c7"})
        await tell(work, "CASE_OPENED", ada, NOON, payload={"case_id": "c8", "cost": 7, "currency": "QQQ"})
        case, other = sorted(await rows_of(work, Case), key=lambda row: row.case_key)
    assert (case.id, case.customer_id, case.case_key, case.title) == (opened, ada, "c7", "Broken lamp")
    assert (case.opened_at, case.answered_at, case.resolved_at) == (NOON, NOON + 90 * SECOND, NOON + 3 * HOUR)
    assert (case.answer_minutes, case.resolution_minutes, case.reopened, case.priority) == (1, 180, 1, "high")
    assert (case.cost, case.currency) == (1234, "EUR")
    assert (other.cost, other.currency, other.answered_at) == (None, None, None)


async def test_scores_have_the_scale_that_their_measure_has(
    database: Database, tenant: UUID, people: list[UUID]
) -> None:
    told: list[dict[str, Any]] = [
        {"kind": "NPS", "score": 9}, {"kind": "CSAT", "score": 4}, {"kind": "CSAT", "score": 8},
        {"kind": "CSAT", "score": 8, "scale": 10}, {"kind": "CES", "score": 6}, {"comment": "Fine"},
    ]  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        for at, payload in enumerate(told):
            await tell(work, "SURVEY", people[0], NOON + at * HOUR, payload=payload)
        found = sorted(await rows_of(work, SurveyResponse), key=lambda row: row.occurred_at)
    assert [(row.measure, row.score, row.out_of) for row in found] == [
        ("NPS", 9, 10), ("CSAT", 4, 5), ("CSAT", 8, None), ("CSAT", 8, 10), ("CES", 6, None),
    ]  # fmt: skip


async def test_four_of_five_is_positive_and_no_rating_is_neither(
    database: Database, tenant: UUID, people: list[UUID]
) -> None:
    async with database.unit_of_work(tenant) as work:
        for at, payload in enumerate([{"rating": 4}, {"rating": Decimal("7.9"), "scale": 10}, {"text": "Hm"}]):
            await tell(work, "REVIEW", people[0], NOON + at * HOUR, payload=payload)
        await tell(work, "SOCIAL_MENTION", people[0], NOON, payload={"site": "forum"})
        reviews = sorted(await rows_of(work, Review), key=lambda row: row.occurred_at)
        [mention] = await rows_of(work, SocialMention)
    assert [(row.rating, row.out_of, row.is_positive) for row in reviews] == [
        (4, 5, True), (Decimal("7.9"), 10, False), (None, 5, None),
    ]  # fmt: skip
    assert (mention.site, mention.is_positive) == ("forum", None)


async def test_a_referral_converts_on_its_day_or_later_and_never_oneself(
    database: Database, tenant: UUID, people: list[UUID]
) -> None:
    ada, bea, cid, dan = people
    async with database.unit_of_work(tenant) as work:
        to_bea = await tell(work, "REFERRAL", ada, NOON, payload={"referred_customer_id": bea})
        to_dan = await tell(work, "REFERRAL", cid, NOON, payload={"referred_customer_id": dan})
        late = await tell(work, "REFERRAL", cid, NOON + 48 * HOUR, payload={"referred_customer_id": bea})
        nobody = await tell(work, "REFERRAL", ada, NOON, payload={"referred": "a friend"})
        await purchases.record_order(work, bought(NOON - 2 * HOUR, bea))
        await settle_evidence(work, [bea])
        found = {row.id: row for row in await rows_of(work, Referral)}
    told = {id_: (row.referred_id, row.is_self, row.converted_at, row.referred_remote_id) for id_, row in found.items()}
    assert told == {
        to_bea: (bea, False, NOON - 2 * HOUR, None),
        to_dan: (dan, True, None, None),
        late: (bea, False, None, None),
        nobody: (None, False, None, None),
    }


@pytest.mark.parametrize(
    ("known", "after", "is_person"),
    [
        ({}, 3 * SECOND, True),
        ({}, 1.9 * SECOND, False),
        ({"machine_suspected": True}, HOUR, False),
        ({"payload": {"method": "head"}}, HOUR, False),
        ({"payload": {"user_agent": "Mozilla/5.0 (compatible; Barracuda)"}}, HOUR, False),
        ({"payload": {"user_agent": "Mozilla/5.0 (Windows NT 10.0)", "method": "GET"}}, HOUR, True),
        ({"payload": {"ip": "67.231.145.7"}}, HOUR, False),
        ({"payload": {"ip": "not an address"}}, HOUR, True),
        ({"payload": {"ip": "67.231.145.256"}}, HOUR, True),
        ({"payload": {"ip": "2001:db8::1"}}, HOUR, True),
    ],
)
async def test_a_machine_is_no_person(
    database: Database, tenant: UUID, people: list[UUID], known: dict[str, Any], after: timedelta, *, is_person: bool
) -> None:
    spring = {"campaign_key": "spring"}
    async with database.unit_of_work(tenant) as work:
        await tell(work, "EMAIL_SENT", people[0], NOON, **spring)
        await tell(work, "EMAIL_OPENED", people[0], NOON + MINUTE, **spring)
        await tell(work, "EMAIL_CLICKED", people[0], NOON + after, **spring, **known)
        [pair] = await rows_of(work, CampaignResponse)
    assert (pair.customer_id, pair.campaign_key, pair.delivered_at, pair.deliveries) == (people[0], "spring", NOON, 1)
    assert (pair.raw_at, pair.raw_responses) == (NOON + after, 1)
    assert (pair.human_at, pair.human_responses) == ((NOON + after, 1) if is_person else (None, 0))


async def test_three_links_within_ten_seconds_are_a_burst(database: Database, tenant: UUID, people: list[UUID]) -> None:
    spring = {"campaign_key": "spring"}
    clicks = [(60, "a"), (65, "b"), (70, "c"), (80.1, "c"), (100, "a"), (101, "a"), (102, "b")]
    async with database.unit_of_work(tenant) as work:
        await tell(work, "EMAIL_SENT", people[0], NOON, **spring)
        for seconds, link in clicks:
            await tell(work, "EMAIL_CLICKED", people[0], NOON + seconds * SECOND, **spring, payload={"link": link})
        [pair] = await rows_of(work, CampaignResponse)
    assert (pair.raw_responses, pair.human_responses) == (7, 4)
    assert (pair.raw_at, pair.human_at) == (NOON + 60 * SECOND, NOON + 80.1 * SECOND)


async def test_what_came_back_was_not_delivered_and_a_reply_need_not_name_the_campaign(
    database: Database, tenant: UUID, people: list[UUID]
) -> None:
    ada, bea = people[:2]
    async with database.unit_of_work(tenant) as work:
        await tell(work, "EMAIL_SENT", ada, NOON, campaign_key="spring", correlation_key="t1")
        await tell(work, "EMAIL_BOUNCED", ada, NOON + SECOND, correlation_key="t1")
        assert await rows_of(work, CampaignResponse) == []
        await tell(work, "EMAIL_CLICKED", bea, NOON, campaign_key="spring")
        await tell(work, "EMAIL_SENT", bea, NOON + HOUR, campaign_key="spring", correlation_key="t2")
        await tell(work, "EMAIL_RECEIVED", bea, NOON + 2 * HOUR, correlation_key="t2")
        [pair] = await rows_of(work, CampaignResponse)
    assert (pair.customer_id, pair.raw_responses, pair.human_at) == (bea, 1, NOON + 2 * HOUR)


async def test_a_revision_for_another_customer_names_the_former_one(
    database: Database, tenant: UUID, people: list[UUID]
) -> None:
    ada, bea = people[:2]
    async with database.unit_of_work(tenant) as work:
        made = await tell(work, "REVIEW", ada, NOON, payload={"rating": 5})
        await interactions.revise(work, made, NewInteraction(InteractionKind.REVIEW, NOON, bea, payload={"rating": 1}))
        await work.flush()
        event = OutboxEvent(name="", subject=made, body={"customer_id": bea.hex, "customers": [ada.hex]})
        await evidence.settle_touched(work, event)
        [review] = await rows_of(work, Review)
    async with database.reading(tenant) as reading:
        told = await reading.all(
            select(OutboxEvent.body).where(
                OutboxEvent.tenant_id == tenant, OutboxEvent.name == "interactions.InteractionRevised"
            )
        )
    assert (review.customer_id, review.is_positive) == (bea, False)
    assert told == [{"customer_id": bea.hex, "kind": "REVIEW", "revision": 2, "customers": [ada.hex]}]


# The law

KINDS = (
    "CASE_OPENED", "CASE_ANSWERED", "CASE_RESOLVED", "CASE_REOPENED", "CASE_CLOSED", "SURVEY", "REVIEW",
    "SOCIAL_MENTION", "REFERRAL", "EMAIL_SENT", "EMAIL_SENT", "EMAIL_BOUNCED", "EMAIL_CLICKED", "EMAIL_CLICKED",
    "EMAIL_CLICKED", "EMAIL_RECEIVED", "EMAIL_OPENED", "MESSAGE", "CALL", "VISIT", "NOTE",
)  # fmt: skip


class Life:
    """Things that happen at random; the same for the same seed."""

    def __init__(self, work: Writing, people: list[UUID], seed: int) -> None:
        self.work, self.people, self.chance = work, people, Random(seed)  # noqa: S311 - a made-up life
        self.known: list[UUID] = []
        self.batches: list[UUID] = []

    def _some(self) -> NewInteraction:
        chance = self.chance
        kind = InteractionKind(chance.choice(KINDS))
        family = interactions.FAMILY_OF[kind]
        payloads: dict[str, dict[str, Any]] = {
            "CASE": {"case_id": chance.choice(["c1", "c2"]), "title": chance.choice([None, "Lamp", "Cord"]),
                     "cost": chance.choice([None, Decimal("3.005"), Decimal(8)]), "currency": "EUR"},
            "SURVEY": {"kind": chance.choice(["NPS", "CSAT", "CES"]), "score": chance.choice([None, 3, 5])},
            "REVIEW": {"rating": chance.choice([None, 2, 4]), "site": "forum"},
            "REFERRAL": {"referred_customer_id": chance.choice([None, *self.people])},
            "EMAIL": {"link": chance.choice("abcd"), "method": chance.choice([None, None, None, "HEAD"]),
                      "user_agent": chance.choice([None, None, None, "curl/8"]),
                      "ip": chance.choice([None, None, None, "52.101.0.9", "10.0.0.1", "nowhere"])},
            "VISIT": {"url": chance.choice("abcd")},
            "NOTE": {"text": "n"},
        }  # fmt: skip
        return NewInteraction(
            kind, NOON + chance.randrange(40) * SECOND + chance.choice([0, 0, 20]) * HOUR, chance.choice(self.people),
            Channel.EMAIL, chance.choice(list(Direction)), payload=payloads.get(family),
            correlation_key=chance.choice([None, None, "t1", "t2"]),
            campaign_key=chance.choice([None, "spring", "may"]), machine_suspected=chance.random() < 0.1,
        )  # fmt: skip

    async def happen(self) -> None:
        """Something that is settled for those whom it touched, and for nobody else."""
        match self.chance.choice(["tell"] * 8 + ["revise"] * 3 + ["delete", "buy", "merge", "part"]):
            case "revise" if self.known:
                touched = await self._revise(self.chance.choice(self.known))
            case "delete" if self.known:
                touched = await self._forget(self.known.pop(self.chance.randrange(len(self.known))))
            case "buy":
                touched = [self.chance.choice(self.people)]
                when = NOON + self.chance.choice([-30, 0, 30]) * HOUR
                await purchases.record_order(self.work, bought(when, touched[0]))
            case "merge":
                touched = await self._merge()
            case "part" if self.batches:
                await customers.unmerge(self.work, batch_id=self.batches.pop())
                touched = self.people[:2]
            case _:
                new = self._some()
                self.known.append((await interactions.record(self.work, new)).id)
                touched = [new.customer_id] if new.customer_id else []
        await settle_evidence(self.work, touched)

    async def _revise(self, which: UUID) -> list[UUID]:
        before = (await interactions.interaction(self.work, which)).customer_id
        new = self._some()
        await interactions.revise(self.work, which, new)
        return [each for each in (before, new.customer_id) if each]

    async def _forget(self, which: UUID) -> list[UUID]:
        gone = await interactions.interaction(self.work, which)
        gone.superseded_at = self.work.now
        await self.work.flush()
        return [gone.customer_id] if gone.customer_id else []

    async def _merge(self) -> list[UUID]:
        if not self.batches:
            merged = await customers.merge(self.work, self.people[0], [self.people[1]])
            self.batches.append(merged.batch_id)
            await purchases.settle_totals(self.work, self.people[:2])
        return self.people[:2]


@pytest.mark.parametrize("seed", range(2))
async def test_evidence_is_what_the_current_interactions_say(
    database: Database, eraser: Database, tenant: UUID, people: list[UUID], seed: int
) -> None:
    async with database.unit_of_work(tenant) as work:
        life = Life(work, people, seed)
        for step in range(75):
            await life.happen()
            if step % 15 == 14:
                await check(work)
    async with eraser.unit_of_work(tenant) as work:
        await privacy.erase_customer(work, people[0])
        await settle_evidence(work, [people[0]])
        await check(work)
        assert not [row for row in await rows_of(work, Case) if row.customer_id == people[0]]


async def check(work: Reading) -> None:
    """What is kept is what is recomputed, and settling again writes nothing."""
    recomputed = await expected(work)
    for model in TABLES:
        columns = [each.name for each in model.__table__.columns if each.name != "tenant_id"]
        kept = {tuple(getattr(row, name) for name in columns) for row in await rows_of(work, model)}
        assert kept == {tuple(row[name] for name in columns) for row in recomputed[model]}, model.__tablename__


async def expected(work: Reading) -> dict[Any, list[dict[str, Any]]]:
    """The rows of every table in plain Python, from the current interactions and who is one with whom."""
    known = {row.id: row for row in await rows_of(work, Customer)}
    told = [
        row for row in await rows_of(work, Interaction)
        if row.superseded_at is None and row.customer_id and known[row.customer_id].status != "ERASED"
    ]  # fmt: skip
    told.sort(key=lambda row: (row.occurred_at, row.id))
    strong = defaultdict(set)
    for claim in await rows_of(work, IdentityClaim):
        if claim.strength == "STRONG" and claim.valid_to is None and claim.normalised:
            strong[known[claim.customer_id].root_id].add((claim.scheme, claim.normalised))
    families = defaultdict(list)
    for row in told:
        families[known[row.customer_id].root_id].append(row)
    return {
        Case: [each for root in families.values() for each in _cases(root)],
        SurveyResponse: [_survey(row) for row in told if row.kind == "SURVEY" and "score" in (row.payload or {})],
        Review: [_opinion(row) for row in told if row.kind == "REVIEW"],
        SocialMention: [_opinion(row) for row in told if row.kind == "SOCIAL_MENTION"],
        Referral: [_referral(row, known, strong) for row in told if row.kind == "REFERRAL"],
        CampaignResponse: [each for root, rows in families.items() for each in _responses(root, rows)],
    }


def _day(at: datetime) -> Any:
    return at.astimezone(ZoneInfo(ZONE)).date()


def _what(row: Interaction) -> dict[str, Any]:
    at = row.occurred_at
    return {"id": row.id, "customer_id": row.customer_id, "occurred_at": at, "local_day": _day(at)}


def _cases(rows: Iterable[Interaction]) -> Iterable[dict[str, Any]]:
    steps = defaultdict(list)
    for row in rows:
        if row.family == "CASE":
            steps[(row.payload or {}).get("case_id") or row.correlation_key or row.remote_id].append(row)
    for key, told in steps.items():
        opened = told[0].occurred_at
        begun = max([row.occurred_at for row in told if row.kind == "CASE_REOPENED"], default=opened)
        ended = [row.occurred_at for row in told if row.kind in {"CASE_RESOLVED", "CASE_CLOSED"}]
        answered = next((row.occurred_at for row in told if row.kind == "CASE_ANSWERED"), None)
        resolved = next((at for at in ended if at >= begun), None)
        said = [row.payload or {} for row in told]
        costs = [Decimal(each["cost"]) for each in said if "cost" in each]
        yield {
            "id": min(row.id for row in told), "customer_id": told[0].customer_id, "case_key": key,
            "integration_id": None, "priority": None, "opened_at": opened, "local_day": _day(opened),
            "title": next((each["title"] for each in reversed(said) if "title" in each), None),
            "answered_at": answered, "resolved_at": resolved,
            "reopened": sum(row.kind == "CASE_REOPENED" for row in told),
            "answer_minutes": None if answered is None else (answered - opened) // MINUTE,
            "resolution_minutes": None if resolved is None else (resolved - opened) // MINUTE,
            "cost": round(costs[-1] * 100) if costs else None, "currency": "EUR" if costs else None,
        }  # fmt: skip


def _survey(row: Interaction) -> dict[str, Any]:
    told = row.payload or {}
    out_of = {"NPS": 10, "CSAT": 5, "CES": None}[told["kind"]]
    return {**_what(row), "survey": None, "measure": told["kind"], "score": Decimal(told["score"]), "out_of": out_of}


def _opinion(row: Interaction) -> dict[str, Any]:
    told = row.payload or {}
    rating = Decimal(told["rating"]) if "rating" in told else None
    positive = None if rating is None else rating >= 4
    return {**_what(row), "site": "forum", "rating": rating, "out_of": 5, "is_positive": positive}


def _referral(row: Interaction, known: dict[UUID, Customer], strong: dict[UUID, Any]) -> dict[str, Any]:
    named = (row.payload or {}).get("referred_customer_id")
    referred = next((each for each in known.values() if named and str(each.id) == named), None)
    assert row.customer_id
    mine = known[row.customer_id].root_id
    theirs = known[referred.root_id] if referred else None
    bought = theirs.first_purchase_at if theirs else None
    return {
        **_what(row), "referred_id": referred and referred.id, "integration_id": None, "referred_remote_id": None,
        "is_self": theirs is not None and bool(theirs.id == mine or strong[mine] & strong[theirs.id]),
        "converted_at": bought if bought and _day(bought) >= _day(row.occurred_at) else None,
    }  # fmt: skip


def _responses(root: UUID, rows: list[Interaction]) -> Iterable[dict[str, Any]]:
    sent = [row for row in rows if row.campaign_key and _is_delivery(row, rows)]
    for campaign in sorted({row.campaign_key for row in sent if row.campaign_key}):
        moments = [row.occurred_at for row in sent if row.campaign_key == campaign]
        threads = {row.correlation_key for row in sent if row.campaign_key == campaign} - {None}
        hits = [
            row for row in rows
            if _is_answer(row) and row.occurred_at >= moments[0]
            and (row.campaign_key == campaign or (row.campaign_key is None and row.correlation_key in threads))
        ]  # fmt: skip
        people = [row for row in hits if not _is_machine(row, moments) and not _in_burst(row, hits)]
        yield {
            "customer_id": root, "campaign_key": campaign, "delivered_at": moments[0], "delivered_on": _day(moments[0]),
            "deliveries": len(moments), "raw_at": hits[0].occurred_at if hits else None,
            "human_at": people[0].occurred_at if people else None, "raw_responses": len(hits),
            "human_responses": len(people),
        }  # fmt: skip


def _is_delivery(row: Interaction, rows: list[Interaction]) -> bool:
    if row.kind != "EMAIL_SENT":
        return row.kind in {"MESSAGE", "CALL"} and row.direction == "OUTBOUND"
    return not any(
        back.kind == "EMAIL_BOUNCED" and back.occurred_at >= row.occurred_at
        and back.correlation_key == row.correlation_key
        and (back.correlation_key is not None or back.campaign_key == row.campaign_key)
        for back in rows
    )  # fmt: skip


def _is_answer(row: Interaction) -> bool:
    if row.kind in {"MESSAGE", "CALL"}:
        return row.direction == "INBOUND"
    return row.kind in {"EMAIL_CLICKED", "VISIT", "EMAIL_RECEIVED"}


def _is_machine(row: Interaction, moments: list[datetime]) -> bool:
    told = row.payload or {}
    try:
        scanned = any(ip_address(told.get("ip", "")) in ip_network(net) for net in rules.SCANNER_NETS)
    except ValueError:
        scanned = False
    return (
        row.machine_suspected or scanned or told.get("method") == "HEAD" or told.get("user_agent") == "curl/8"
        or any(timedelta() <= row.occurred_at - at < 2 * SECOND for at in moments)
    )  # fmt: skip


def _in_burst(row: Interaction, hits: list[Interaction]) -> bool:
    def links(since: datetime) -> set[str]:
        within = (hit for hit in hits if timedelta() <= hit.occurred_at - since <= 10 * SECOND)
        return {link for hit in within if (link := (hit.payload or {}).get("link") or (hit.payload or {}).get("url"))}

    return any(
        timedelta() <= row.occurred_at - hit.occurred_at <= 10 * SECOND and len(links(hit.occurred_at)) >= 3
        for hit in hits
    )
