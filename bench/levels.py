"""For comparison: hand-written SQL, one statement per list level, completed by hand-written Python and orjson."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from api.pages import encode_cursor, time_mark
from api.reads.completion import amount
from bench import hand
from domain.core.rounding import half_even

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LATEST = """
select p.n, i.occurred_at, i.id, i.kind, i.channel, i.direction, i.summary
from unnest($2::int4[], $3::uuid[]) as p(n, id) cross join lateral (
  select * from interactions i where i.tenant_id = $1 and i.customer_id = p.id and i.superseded_at is null
  order by i.occurred_at desc, i.id desc limit $4::int4) i"""

_MEMBERS = """
c.member_ids || case when c.kind = 'ORGANISATION' then array(select unnest(m.member_ids) from customers m
  where m.tenant_id = $1 and m.organisation_id = any(c.member_ids) and m.status = 'ACTIVE') end"""

STATEMENTS = {
    "Q1": f"""
select c.id, c.kind, coalesce(c.display_name, ''), c.status, c.emails, c.phones, c.addresses, g.id,
  coalesce(g.display_name, ''), h.entered_at, h.visit, s.key, s.labels->>'en', s.position, {_MEMBERS}, b.base_currency,
  o.sales, o.gross, o.gross - r.refunded + o.adjusted,
  case when o.sales > 0 then {half_even("o.gross", "o.sales")}::bigint end, o.first_at, o.last_at
from customers c
left join customers m on m.tenant_id = $1 and m.id = c.organisation_id
left join customers g on g.tenant_id = $1 and g.id = m.root_id
left join stage_intervals h on h.tenant_id = $1 and h.customer_id = c.id and h.is_current and h.lifecycle_key = 'buyer'
left join stages s on s.tenant_id = $1 and s.id = h.stage_id
join tenants b on b.tenant_id = $1
cross join lateral (select count(*) filter (where d.kind = 'SALE') as sales,
    coalesce(sum(d.base_amount) filter (where d.kind = 'SALE'), 0)::bigint as gross,
    coalesce(sum(d.base_amount) filter (where d.kind = 'ADJUSTMENT'), 0)::bigint as adjusted,
    min(d.occurred_at) filter (where d.kind = 'SALE') as first_at,
    max(d.occurred_at) filter (where d.kind = 'SALE') as last_at
  from orders d where d.tenant_id = $1 and d.customer_id = any(c.member_ids) and d.superseded_at is null
    and d.status = 'COMPLETED') o
cross join lateral (select coalesce(sum(d.base_amount), 0)::bigint as refunded
  from refunds d left join orders p on p.tenant_id = $1 and p.id = d.order_id and p.superseded_at is null
  where d.tenant_id = $1 and d.customer_id = any(c.member_ids) and d.superseded_at is null
    and (p.id is null or p.status = 'COMPLETED')) r
where c.tenant_id = $1 and c.id = (select m.root_id from customers m where m.tenant_id = $1 and m.id = $2::uuid)""",
    "stays": """
select h.visit, h.entered_at, h.exited_at, h.cause_kind, s.key, s.labels->>'en'
from stage_intervals h join stages s on s.tenant_id = $1 and s.id = h.stage_id
where h.tenant_id = $1 and h.customer_id = $2::uuid and h.lifecycle_key = 'buyer'
order by h.entered_at, h.id limit 50""",
    "Q2": f"""
select c.id, c.last_at, coalesce(c.display_name, ''), c.emails, s.key, s.labels->>'en', {_MEMBERS}
from (select c.*, coalesce(c.last_purchase_at, '-infinity'::timestamptz) as last_at
  from customers c where c.tenant_id = $1 and c.status = 'ACTIVE' and c.country = $3::text
    and c.default_stage = 'buyer:' || $2::text
  order by coalesce(c.last_purchase_at, '-infinity'::timestamptz) desc, c.id desc limit 51) c
join stages s on s.tenant_id = $1 and s.id = c.default_stage_id
order by c.last_at desc, c.id desc""",
    "Q3": """
select c.id, c.kind, coalesce(c.display_name, ''), c.status, c.country, c.first_seen_at, c.first_purchase_at,
  c.last_purchase_at, c.created_at, c.updated_at
from customers c where c.tenant_id = $1 and c.status = 'ACTIVE' and c.id > $2::uuid order by c.id limit 500""",
    "latest": _LATEST,
}


class Server(hand.Server):
    """The same endpoint, its documents completed in Python."""

    statements = STATEMENTS

    async def read(self, prepared: Mapping[str, Any], name: str, given: Mapping[str, Any]) -> bytes:
        """The document of an operation."""
        tenant, values = self._tenant_id, hand.arguments(name, given)
        match name:
            case "Q1":
                data = {"customer": await _view(prepared, tenant, *values)}
            case "Q2":
                data = {"customers": await _page(prepared, tenant, *values)}
            case _:
                data = {"customers": {"nodes": [_flat(row) for row in await prepared["Q3"].fetch(tenant, *values)]}}
        return orjson.dumps({"data": data})


async def _view(prepared: Mapping[str, Any], tenant: Any, id_: Any, mark: str) -> dict[str, Any] | None:
    found = await prepared["Q1"].fetchrow(tenant, id_)
    if found is None:
        return None
    (
        own, kind, name, status, emails, phones, addresses, firm, firm_name, entered, visit, key, label, position,
        members, currency, sales, gross, net, average, first_at, last_at,
    ) = found  # fmt: skip
    stays = await prepared["stays"].fetch(tenant, own)
    rows = await prepared["latest"].fetch(tenant, [0] * len(members), members, 21)
    rows = sorted(rows, key=_recent, reverse=True) if len(members) > 1 else rows
    edges = [
        {
            "cursor": encode_cursor(mark, f"{time_mark(at)}|{id_.hex}"),
            "node": {
                "id": "int_" + id_.hex, "kind": kind, "channel": channel, "direction": direction, "occurredAt": at,
                "summary": summary,
            },
        }
        for _, at, id_, kind, channel, direction, summary in rows[:20]
    ]  # fmt: skip

    def money(minor: int | None) -> dict[str, str] | None:
        return None if minor is None else {"amount": amount(minor, currency), "currency": currency}

    return {
        "id": "cus_" + own.hex,
        "kind": kind,
        "displayName": name,
        "status": status,
        "emails": [{"address": email["address"]} for email in orjson.loads(emails)],
        "phones": [{"number": phone["number"]} for phone in orjson.loads(phones)],
        "addresses": [{"city": one.get("city"), "country": one.get("country")} for one in orjson.loads(addresses)],
        "organisation": None if firm is None else {"id": "cus_" + firm.hex, "displayName": firm_name},
        "stage": None if entered is None else {
            "enteredAt": entered, "visit": visit, "stage": {"key": key, "name": label, "position": position},
        },
        "stageHistory": {
            "nodes": [
                {"visit": v, "enteredAt": i, "exitedAt": o, "cause": {"kind": c}, "stage": {"key": k, "name": n}}
                for v, i, o, c, k, n in stays
            ]
        },
        "timeline": {
            "edges": edges,
            "pageInfo": {"hasNextPage": len(rows) > 20, "endCursor": edges[-1]["cursor"] if edges else None},
        },
        "orderTotals": {
            "orders": sales, "gross": money(gross), "net": money(net), "average": money(average), "firstAt": first_at,
            "lastAt": last_at,
        },
    }  # fmt: skip


async def _page(prepared: Mapping[str, Any], tenant: Any, stage: str, country: str, mark: str) -> dict[str, Any]:
    rows = await prepared["Q2"].fetch(tenant, stage, country)
    shown = rows[:50]
    numbers = [number for number, row in enumerate(shown) for _ in row[6]]
    happened: list[list[Any]] = [[] for _ in shown]
    for one in await prepared["latest"].fetch(tenant, numbers, [id_ for row in shown for id_ in row[6]], 5):
        happened[one[0]].append(one)
    edges = [
        {
            "cursor": encode_cursor(mark, f"{time_mark(last_at)}|{id_.hex}"),
            "node": {
                "id": "cus_" + id_.hex,
                "displayName": name,
                "emails": [{"address": email["address"]} for email in orjson.loads(emails)],
                "stage": {"stage": {"key": key, "name": label}},
                "timeline": {
                    "nodes": [
                        {"id": "int_" + i.hex, "kind": kind, "channel": channel, "occurredAt": at, "summary": summary}
                        for _, at, i, kind, channel, _, summary in _five(found, members)
                    ]
                },
            },
        }
        for (id_, last_at, name, emails, key, label, members), found in zip(shown, happened, strict=True)
    ]
    info = {
        "hasNextPage": len(rows) > 50,
        "hasPreviousPage": False,
        "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None,
    }
    return {"edges": edges, "pageInfo": info}


def _five(found: list[Any], members: Sequence[Any]) -> list[Any]:
    return sorted(found, key=_recent, reverse=True)[:5] if len(members) > 1 else found


def _recent(row: Any) -> Any:
    return row[1], row[2]


def _flat(row: Any) -> dict[str, Any]:
    id_, kind, name, status, country, seen, first, last, created, updated = row
    return {
        "id": "cus_" + id_.hex, "kind": kind, "displayName": name, "status": status, "country": country,
        "firstSeenAt": seen, "firstPurchaseAt": first, "lastPurchaseAt": last, "createdAt": created,
        "updatedAt": updated,
    }  # fmt: skip
