"""What can be recorded: interactions, orders, refunds, products and rates."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import strawberry

from api.changes import mutation
from api.changing.inputs import given, id_of, needed, several
from api.reference import Reference
from api.replays import Done
from api.scalars import CurrencyCode
from domain import interactions, purchases
from domain.core.unit_of_work import Writing
from domain.interactions.model import Channel, Direction, InteractionKind
from domain.purchases.model import OrderKind, OrderStatus

CUSTOMERS = "customers:write"
PURCHASES = "purchases:write"


@strawberry.input(description="What an interaction holds beside its kind; only what fits its kind is taken.")
class PayloadInput:
    """What an interaction holds."""

    subject: str | None = given("The subject line of an e-mail.")
    text: str | None = given("What a message, note or review says.")
    title: str | None = given("What a meeting, task, case or envelope is about.")
    sender: str | None = given("Who wrote or called.")
    recipients: list[str] | None = given("To whom it went.")
    duration_seconds: int | None = given("How long a call lasted.")
    outcome: str | None = given("How a call ended.")
    starts_at: datetime | None = given("When a meeting begins.")
    ends_at: datetime | None = given("When a meeting ends.")
    attendees: list[str] | None = given("Who takes part in a meeting.")
    score: Decimal | None = given("The score of a survey.")
    rating: Decimal | None = given("The rating of a review.")
    scale: int | None = given("The highest score or rating there is.")
    url: str | None = given("What was looked at.")
    product: str | None = given("What was used.")
    quantity: Decimal | None = given("How much was used.")
    referred: str | None = given("Who was referred.")
    due_at: datetime | None = given("By when a task is to be done.")
    done: bool | None = given("Whether a task is done.")
    status: str | None = given("How far it has come.")

    def told(self) -> dict[str, Any]:
        """What was given, by the names that payloads have."""
        names = {"sender": "from", "recipients": "to"}
        return {
            names.get(name, name): value
            for name, value in vars(self).items()
            if value is not strawberry.UNSET and value is not None
        }


@strawberry.input(description="Something that happened.")
class RecordInteractionInput:
    """Something that happened."""

    customer: strawberry.ID | None = given("Whom it concerns.", None)
    kind: InteractionKind = needed("What kind of thing happened.")
    channel: Channel | None = given("By which way.", None)
    direction: Direction | None = given("Who began it.", None)
    occurred_at: datetime = needed("When it happened.")
    summary: str | None = given("What it was about, in a line.", None)
    payload: PayloadInput | None = given("What it holds.", None)
    correlation_key: str | None = given("What belongs together, such as a thread.", None)
    campaign_key: str | None = given("The campaign that it belongs to.", None)


@mutation("interaction", "interactions.Interaction", scope=CUSTOMERS)
async def record_interaction(work: Writing, asked: RecordInteractionInput) -> Done:
    """Put something that happened on the timeline."""
    interactions.check_by_hand(asked.kind)
    made = await interactions.record(
        work,
        interactions.NewInteraction(
            kind=asked.kind, occurred_at=asked.occurred_at, customer_id=id_of("cus", asked.customer),
            channel=asked.channel, direction=asked.direction, summary=asked.summary,
            payload=asked.payload.told() if asked.payload else None, correlation_key=asked.correlation_key,
            campaign_key=asked.campaign_key,
        ),
    )  # fmt: skip
    return Done(Reference("Interaction", made.id))


@strawberry.input(description="A line of an order or a refund.")
class LineInput:
    """A line."""

    sku: str | None = given("The stock code of what was bought.", None)
    description: str | None = given("What the document says was bought.", None)
    quantity: Decimal = given("How many.", Decimal(1))
    unit_price: Decimal = needed("What one costs.")
    discount: Decimal = given("Taken off the line.", Decimal(0))
    tax: Decimal = given("Tax on the line, not in its amount.", Decimal(0))
    cost: Decimal | None = given("The cost of goods.", None)

    def told(self) -> purchases.NewLine:
        """The line as the domain takes it."""
        return purchases.NewLine(
            sku=self.sku, description=self.description, quantity=self.quantity, unit_price=self.unit_price,
            discount=self.discount, tax=self.tax, cost=self.cost,
        )  # fmt: skip


@strawberry.input(description="A purchase, or an adjustment of the books.")
class RecordOrderInput:
    """A purchase."""

    customer: strawberry.ID | None = given("Who bought; nobody need be known.", None)
    kind: OrderKind = given("A sale or an adjustment.", OrderKind.SALE)
    status: OrderStatus = given("How far it has come.", OrderStatus.COMPLETED)
    number: str | None = given("The number that people call it by.", None)
    occurred_at: datetime = needed("When it happened.")
    currency: CurrencyCode = needed("The currency of its amounts.")
    lines: list[LineInput] = several("Its lines; without them, give a total.")
    total: Decimal | None = given("The total, where there are no lines.", None)
    units: Decimal | None = given("How many units, where there are no lines.", None)
    channel: str | None = given("Where it was placed.", None)
    campaign_key: str | None = given("The campaign that led to it.", None)

    def told(self) -> purchases.NewOrder:
        """The order as the domain takes it."""
        return purchases.NewOrder(
            occurred_at=self.occurred_at, currency=self.currency, customer_id=id_of("cus", self.customer),
            number=self.number, lines=[line.told() for line in self.lines], total=self.total, units=self.units,
            kind=self.kind, status=self.status, channel=self.channel, campaign_key=self.campaign_key,
        )  # fmt: skip


@mutation("order", "purchases.Order", scope=PURCHASES)
async def record_order(work: Writing, asked: RecordOrderInput) -> Done:
    """Record a purchase or an adjustment."""
    made = await purchases.record_order(work, asked.told())
    return Done(Reference("Order", made.id))


@strawberry.input(description="What an order says from now on; the earlier version stays readable.")
class ChangeOrderInput:
    """What an order says from now on."""

    id: strawberry.ID = needed("The order.")
    version: int = needed("The version that the change was decided on.")
    order: RecordOrderInput = needed("The whole order as it is now.")


@mutation("order", "purchases.Order", scope=PURCHASES)
async def change_order(work: Writing, asked: ChangeOrderInput) -> Done:
    """Write a new version of an order."""
    changed = await purchases.change_order(work, id_of("ord", asked.id), asked.version, asked.order.told())
    return Done(Reference("Order", changed.id))


@strawberry.input(description="An order that does not take place.")
class CancelOrderInput:
    """An order that does not take place."""

    id: strawberry.ID = needed("The order.")
    version: int = needed("The version that was read.")


@mutation("order", "purchases.Order", scope=PURCHASES)
async def cancel_order(work: Writing, asked: CancelOrderInput) -> Done:
    """Cancel an order."""
    cancelled = await purchases.cancel_order(work, id_of("ord", asked.id), asked.version)
    return Done(Reference("Order", cancelled.id))


@strawberry.input(description="Money given back.")
class RecordRefundInput:
    """Money given back."""

    customer: strawberry.ID | None = given("To whom; nobody need be known.", None)
    order: strawberry.ID | None = given("The order that is refunded, where it is known.", None)
    number: str | None = given("The number that people call it by.", None)
    occurred_at: datetime = needed("When it happened.")
    currency: CurrencyCode = needed("The currency of its amounts.")
    lines: list[LineInput] = several("What was given back; without lines, give a total.")
    total: Decimal | None = given("The total, where there are no lines.", None)
    reason: str | None = given("Why.", None)


@mutation("refund", "purchases.Refund", scope=PURCHASES)
async def record_refund(work: Writing, asked: RecordRefundInput) -> Done:
    """Record money that was given back."""
    made = await purchases.record_refund(
        work,
        purchases.NewRefund(
            occurred_at=asked.occurred_at, currency=asked.currency, customer_id=id_of("cus", asked.customer),
            number=asked.number, lines=[line.told() for line in asked.lines], total=asked.total,
            order_id=id_of("ord", asked.order), reason=asked.reason,
        ),
    )  # fmt: skip
    return Done(Reference("Refund", made.id))


@strawberry.input(description="What one unit of a currency buys of another on a day.")
class RecordExchangeRateInput:
    """An exchange rate."""

    day: date = needed("The day.")
    base: CurrencyCode = needed("The currency that is converted.")
    quote: CurrencyCode = needed("The currency that it is converted into.")
    rate: Decimal = needed("How much of the second one unit of the first buys.")


@mutation("tenant", "tenants.Tenant", scope=PURCHASES)
async def record_exchange_rate(work: Writing, asked: RecordExchangeRateInput) -> Done:
    """Record the rate of a day; documents that waited for one are converted."""
    await purchases.record_rate(work, asked.day, asked.base, asked.quote, asked.rate)
    return Done(Reference("Tenant", work.tenant_id))
