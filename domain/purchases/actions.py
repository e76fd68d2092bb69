"""What can happen to purchases: documents are recorded, changed by new versions, cancelled and refunded."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from domain import interactions
from domain.core.clock import aware
from domain.core.money import Money
from domain.core.problems import NotAllowed, StaleVersion
from domain.interactions import Channel, CommercePayload, InteractionKind, NewInteraction
from domain.purchases import catalogue, queries, rules
from domain.purchases.model import ExchangeRate, Order, OrderKind, OrderLine, OrderStatus, Refund, RefundLine
from domain.purchases.settling import settle_base_amounts, settle_totals
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

    from domain.core.unit_of_work import Writing

_MADE_BY_THE_VERSION = {"version", "recorded_at", "superseded_at", "status"}


class OrderIsBilled(NotAllowed):
    """An invoice bills this order, which says what the invoice says. Change the invoice where it was written."""


@dataclass(frozen=True)
class External:
    """Where a document stands at the other side."""

    integration_id: UUID
    remote_id: str


@dataclass(frozen=True, kw_only=True)
class NewDocument:
    """What an order and a refund have in common: lines, or a total and units; nobody need have bought."""

    occurred_at: datetime
    currency: str
    customer_id: UUID | None = None
    number: str | None = None
    lines: Sequence[rules.NewLine] = ()
    total: Decimal | None = None
    units: Decimal | None = None
    external: External | None = None


@dataclass(frozen=True, kw_only=True)
class NewOrder(NewDocument):
    """What an order says."""

    kind: OrderKind = OrderKind.SALE
    status: OrderStatus = OrderStatus.COMPLETED
    channel: str | None = None
    campaign_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewRefund(NewDocument):
    """What a refund says: quantities and amounts count what was given back; the order need not be known."""

    order_id: UUID | None = None
    reason: str | None = None


async def record_order(work: Writing, new: NewOrder) -> Order:
    """Record a purchase or an adjustment, put it on the timeline, and settle what follows from it.

    Products are made for stock codes that nobody has defined. Raises CustomerNotFound, NegativeAmount, NoTimeZone or
    what `rules.add_lines` raises.
    """
    content, lines = await _order(work, new)
    order = Order(id=work.ids(), version=1, recorded_at=work.now, **_external(new), **content)
    return await _write(work, "orders.record", order, lines)


async def change_order(work: Writing, order_id: UUID, version: int, new: NewOrder) -> Order:
    """Replace what an order says by a new version; the earlier ones stay readable. The same again makes none.

    Where it stands at the other side is kept. Raises OrderNotFound, OrderIsBilled, StaleVersion where `version` is
    not the current one, or what `record_order` raises.
    """
    content, lines = await _order(work, new)
    known = await _lock(work, order_id, version)
    if (known.content_hash, known.status) == (content["content_hash"], content["status"]):
        return known
    await _supersede(work, known)
    order = Order(
        id=known.id, version=known.version + 1, recorded_at=work.now, integration_id=known.integration_id,
        remote_id=known.remote_id, **content,
    )  # fmt: skip
    return await _write(work, "orders.change", order, lines, known)


async def cancel_order(work: Writing, order_id: UUID, version: int) -> Order:
    """Call an order off by a new version that says the same and is no purchase; a cancelled one stays as it is.

    Raises OrderNotFound, OrderIsBilled, or StaleVersion where `version` is not the current one.
    """
    known = await _lock(work, order_id, version)
    if known.status == OrderStatus.CANCELLED:
        return known
    lines = [_copy(line, {"order_version"}) for line in await queries.order_lines(work, known)]
    await _supersede(work, known)
    order = Order(
        version=known.version + 1, recorded_at=work.now, status=OrderStatus.CANCELLED,
        **_copy(known, _MADE_BY_THE_VERSION),
    )  # fmt: skip
    return await _write(work, "orders.cancel", order, lines, known)


async def record_refund(work: Writing, new: NewRefund) -> Refund:
    """Record money given back, put it on the timeline, and settle what follows from it.

    With a known order it has the order's customer and currency. Raises OrderNotFound, RefundOfAnother,
    CurrenciesDiffer, or what `record_order` raises.
    """
    order = await queries.order(work, new.order_id) if new.order_id else None
    customer_id = new.customer_id
    if order:
        await interactions.check_customer(work, new.customer_id)
        rules.check_refund(new.currency, order.currency, new.customer_id, order.customer_id)
        customer_id = order.customer_id
    content, lines = await _document(work, new, order_id=new.order_id, customer_id=customer_id, reason=new.reason)
    rules.check_not_negative(content["amount"])
    refund = Refund(id=work.ids(), version=1, recorded_at=work.now, **_external(new), **content)
    work.add(refund)
    await work.flush()
    await _write_lines(work, RefundLine, lines, refund_id=refund.id, refund_version=refund.version)
    await interactions.record(work, _refunded(refund), refund.id)
    await settle_base_amounts(work)
    await settle_totals(work, _known(refund.customer_id))
    await work.session.refresh(refund)
    work.emit("purchases.RefundRecorded", refund.id, customer_id=_hex(refund.customer_id), order_id=_hex(new.order_id))
    work.audit("refunds.record", f"refund:{refund.id.hex}", after={"amount": refund.amount, "currency": new.currency})
    return refund


async def record_rate(
    work: Writing, day: date, base: str, quote: str, rate: Decimal, source: str = "manual"
) -> ExchangeRate:
    """Record what one unit of `base` buys of `quote` from a day on, and settle the documents that waited for it.

    The rate recorded last for a day counts; the same rate again writes nothing. Raises UnknownCurrency, SameCurrency,
    RateNotPositive or TooPrecise.
    """
    kept = rules.check_rate(base, quote, rate)
    known = await queries.rate_of_day(work, day, base, quote)
    if known and known.rate == kept:
        return known
    recorded = ExchangeRate(
        id=work.ids(), day=day, base=base, quote=quote, rate=kept, source=source, recorded_at=work.now
    )  # fmt: skip
    work.add(recorded)
    await settle_base_amounts(work)
    said = {"day": day.isoformat(), "base": base, "quote": quote, "rate": str(kept)}
    work.emit("purchases.RateRecorded", recorded.id, day=day.isoformat(), base=base, quote=quote)
    work.audit("exchange_rates.record", f"exchange_rate:{recorded.id.hex}", after=said)
    return recorded


async def _order(work: Writing, new: NewOrder) -> tuple[dict[str, Any], Sequence[dict[str, Any]]]:
    content, lines = await _document(
        work, new, customer_id=new.customer_id, kind=new.kind, channel=new.channel, campaign_key=new.campaign_key
    )
    if new.kind == OrderKind.SALE:
        rules.check_not_negative(content["amount"])
    return {**content, "status": new.status}, lines


async def _document(
    work: Writing, new: NewDocument, *, customer_id: UUID | None, **more: Any
) -> tuple[dict[str, Any], Sequence[dict[str, Any]]]:
    occurred_at = aware(new.occurred_at, "occurredAt")
    total = rules.add_lines(new.currency, new.lines, new.total, new.units)
    await interactions.check_customer(work, customer_id)
    products = await catalogue.find_or_make(work, (line.sku for line in total.lines if line.sku), occurred_at)
    content = {
        "occurred_at": occurred_at, "currency": new.currency, "customer_id": customer_id, "number": new.number,
        "amount": total.amount, "units": total.units, "line_count": len(total.lines), **more,
    }  # fmt: skip
    day = rules.local_day(occurred_at, (await tenants.tenant(work)).time_zone)
    lines = [_line(line, products.get(line.sku or "")) for line in total.lines]
    return {**content, "local_day": day, "content_hash": rules.digest(content, lines)}, lines


def _line(line: rules.Line, product_id: UUID | None) -> dict[str, Any]:
    kept = asdict(line)
    del kept["sku"]
    return {**kept, "product_id": product_id}


def _external(new: NewDocument) -> dict[str, Any]:
    return asdict(new.external) if new.external else {}


def _copy(row: Order | OrderLine, without: set[str]) -> dict[str, Any]:
    return {
        column.key: getattr(row, column.key) for column in row.__table__.columns if column.key not in without
    }  # fmt: skip


async def _lock(work: Writing, order_id: UUID, version: int) -> Order:
    await queries.order(work, order_id)
    if await queries.is_billed(work, order_id):
        raise OrderIsBilled(id=order_id)
    known = await work.one(queries.current_order(work, order_id).with_for_update())
    if known is None or known.version != version:  # None: superseded while we waited for the lock
        raise StaleVersion(path=("version",), current_version=known.version if known else None)
    return known


async def _supersede(work: Writing, known: Order) -> None:
    known.superseded_at = work.now
    await work.flush()  # before the new version comes: one version is current


async def _write(
    work: Writing, deed: str, order: Order, lines: Iterable[dict[str, Any]], was: Order | None = None
) -> Order:
    work.add(order)
    await work.flush()
    await _write_lines(work, OrderLine, lines, order_id=order.id, order_version=order.version)
    await _show(work, order, was)
    await settle_base_amounts(work)
    await settle_totals(work, _known(order.customer_id, was.customer_id if was else None))
    await work.session.refresh(order)
    said = {"version": order.version, "status": order.status}
    former = was.customer_id if was and was.customer_id != order.customer_id else None
    also = {"customers": [former.hex]} if former else {}
    work.emit("purchases.OrderRecorded", order.id, customer_id=_hex(order.customer_id), **said, **also)
    work.audit(deed, f"order:{order.id.hex}", after={**said, "amount": order.amount, "currency": order.currency})
    return order


async def _write_lines(
    work: Writing, model: type[OrderLine | RefundLine], lines: Iterable[dict[str, Any]], **of: Any
) -> None:
    rows = [{**line, **of, "tenant_id": work.tenant_id} for line in lines]
    if rows:
        await work.execute(insert(model), rows)


async def _show(work: Writing, order: Order, was: Order | None) -> None:
    # An order's place on the timeline has the order's id, so that a new version revises it.
    if was and await interactions.revisions(work, order.id):
        await interactions.revise(work, order.id, _placed(order))
    else:
        await interactions.record(work, _placed(order), order.id)
    if order.status == OrderStatus.CANCELLED and (was is None or was.status != OrderStatus.CANCELLED):
        await interactions.record(work, _commerce(InteractionKind.ORDER_CANCELLED, work.now, order, order.id))


def _placed(order: Order) -> NewInteraction:
    sale = order.kind == OrderKind.SALE
    kind = InteractionKind.ORDER_PLACED if sale else InteractionKind.ORDER_ADJUSTED
    return _commerce(kind, order.occurred_at, order, order.id)


def _refunded(refund: Refund) -> NewInteraction:
    return _commerce(InteractionKind.ORDER_REFUNDED, refund.occurred_at, refund, refund.order_id, refund.id)


def _commerce(
    kind: InteractionKind, occurred_at: datetime, document: Order | Refund, order_id: UUID | None,
    refund_id: UUID | None = None,
) -> NewInteraction:  # fmt: skip
    order = document if isinstance(document, Order) else None
    return NewInteraction(
        kind, occurred_at, document.customer_id,
        channel=Channel.__members__.get((order.channel or "").upper()) if order else None,
        payload=CommercePayload(
            order_id=order_id, refund_id=refund_id, number=document.number,
            amount=Money.of_minor(document.amount, document.currency).amount, currency=document.currency,
        ),
        correlation_key=(order_id or document.id).hex, campaign_key=order.campaign_key if order else None,
    )  # fmt: skip


def _known(*customers: UUID | None) -> list[UUID]:
    return [customer for customer in customers if customer is not None]


def _hex(id_: UUID | None) -> str | None:
    return id_.hex if id_ else None
