"""What can be recorded of recurring business and of sales that may come about."""

from datetime import date, datetime
from decimal import Decimal

import strawberry

from api.changes import mutation
from api.changing.inputs import given, id_of, needed
from api.changing.records import PURCHASES
from api.reference import Reference
from api.replays import Done
from api.scalars import CurrencyCode
from domain import purchases
from domain.core.problems import Invalid
from domain.core.unit_of_work import Writing
from domain.purchases.contracts import ContractEventKind
from domain.purchases.opportunities import OpportunityStatus


class VersionWithoutId(Invalid):
    """What is told anew is named by its id and its current version. Give both, or neither for something new."""


@strawberry.input(description="Something that happened to a contract; what it does not say stays as it was.")
class ContractEventInput:
    """Something that happened to a contract."""

    kind: ContractEventKind = needed("What happened.")
    occurred_at: datetime = needed("When it took effect.")
    mrr: Decimal | None = given("The monthly recurring revenue after it; a START needs it.", None)
    term_starts_on: date | None = given("The first day of the term; without it the day of a START or RENEW.", None)
    term_ends_on: date | None = given("The day on which the term is due for renewal; without it, it has no end.", None)
    sku: str | None = given("The stock code of what is bought after it.", None)
    family: str | None = given("The key of a product family, where no product is named.", None)
    plan: str | None = given("The plan after it.", None)

    def told(self) -> purchases.NewEvent:
        """The event as the domain takes it."""
        return purchases.NewEvent(
            kind=self.kind, occurred_at=self.occurred_at, mrr=self.mrr, term_starts_on=self.term_starts_on,
            term_ends_on=self.term_ends_on, sku=self.sku, family=self.family, plan=self.plan,
        )  # fmt: skip


@strawberry.input(description="A contract, told as everything that happened to it so far.")
class RecordContractInput:
    """A contract."""

    id: strawberry.ID | None = given("The contract that is told anew; without it a new one is recorded.", None)
    version: int | None = given("The version of it that was read.", None)
    customer: strawberry.ID | None = given("With whom; nobody need be known.", None)
    number: str | None = given("The number that people call it by.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    events: list[ContractEventInput] = needed("Everything that happened to it, in any order; the first is its START.")


@mutation("contract", "contracts.Contract", scope=PURCHASES)
async def record_contract(work: Writing, asked: RecordContractInput) -> Done:
    """Record a contract, or tell a known one anew; its earlier version stays readable."""
    new = purchases.NewContract(
        currency=asked.currency, events=[event.told() for event in asked.events],
        customer_id=id_of("cus", asked.customer), number=asked.number,
    )  # fmt: skip
    made = await purchases.record_contract(work, new, _after("con", asked.id, asked.version))
    return Done(Reference("Contract", made.id))


@strawberry.input(description="A sale that may come about.")
class RecordOpportunityInput:
    """A sale that may come about."""

    id: strawberry.ID | None = given("The opportunity that is told anew; without it a new one is recorded.", None)
    version: int | None = given("The version of it that was read.", None)
    customer: strawberry.ID | None = given("With whom; nobody need be known.", None)
    number: str | None = given("The number that people call it by.", None)
    opened_at: datetime = needed("When it was opened.")
    status: OpportunityStatus = given("Whether it is open, won or lost.", OpportunityStatus.OPEN)
    closed_at: datetime | None = given("When it was won or lost.", None)
    amount: Decimal | None = given("What it may bring; with its currency.", None)
    currency: CurrencyCode | None = given("The currency of the amount.", None)
    probability: Decimal | None = given("How likely it is to be won, from 0 to 1.", None)
    stage: str | None = given("Where it stands in the pipeline.", None)
    expected_close_on: date | None = given("The day on which it is expected to be closed.", None)


@mutation("opportunity", "opportunities.Opportunity", scope=PURCHASES)
async def record_opportunity(work: Writing, asked: RecordOpportunityInput) -> Done:
    """Record an opportunity, or tell a known one anew, as when it was won; its earlier version stays readable."""
    new = purchases.NewOpportunity(
        opened_at=asked.opened_at, customer_id=id_of("cus", asked.customer), number=asked.number, status=asked.status,
        closed_at=asked.closed_at, amount=asked.amount, currency=asked.currency, probability=asked.probability,
        stage=asked.stage, expected_close_on=asked.expected_close_on,
    )  # fmt: skip
    made = await purchases.record_opportunity(work, new, _after("opp", asked.id, asked.version))
    return Done(Reference("Opportunity", made.id))


def _after(prefix: str, id_: str | None, version: int | None) -> purchases.Version | None:
    known = id_of(prefix, id_)
    if (known is None) != (version is None):
        raise VersionWithoutId(path=("version",))
    return None if known is None or version is None else purchases.Version(known, version)
