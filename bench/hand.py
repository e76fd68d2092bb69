"""What the compiled reads are compared with: hand-written SQL that builds the same documents in PostgreSQL.

Each operation is one prepared statement, whose bytes are passed through. The transaction and both walls are the same as
ours; there is no GraphQL, no token, no limit. The statements build strings, which is faster than `json_build_object`
and much faster than `jsonb`.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import asyncpg
import orjson

from domain.core.rounding import half_even
from domain.core.tenancy import begin_reading

if TYPE_CHECKING:
    from collections.abc import Mapping


def _text(value: str) -> str:
    return f"to_json({value})::text"


def _maybe(value: str) -> str:
    return f"coalesce(to_json({value})::text, 'null')"


def _id(prefix: str, value: str) -> str:
    return f"'\"{prefix}_', replace({value}::text, '-', ''), '\"'"


def _cursor(mark: str, at: str, id_: str) -> str:
    """What the API writes: microseconds since 1970 and the id; the first day of all stands for never."""
    micros = (
        f"case when {at} = '-infinity' then -62135596800000000 else (extract(epoch from {at}) * 1000000)::bigint end"
    )
    plain = f"convert_to({mark} || {micros} || '|' || replace({id_}::text, '-', ''), 'UTF8')"
    return f"'\"' || replace(encode({plain}, 'base64'), E'\\n', '') || '\"'"


def _list(column: str, *keys: str) -> str:
    entries = " || ',".join(f"\"{key}\":' || coalesce((e->'{key}')::text, 'null')" for key in keys)
    return f"(select string_agg('{{{entries} || '}}', ',') from jsonb_array_elements({column}) e)"


def _money(minor: str) -> str:
    return (
        f'case when o.unrated + r.unrated = 0 and {minor} is not null then concat(\'{{"amount":"\','
        f" round(({minor}) / 100.0, 2), '\",\"currency\":\"', b.base_currency, '\"}}') else 'null' end"
    )


_STAGE_HISTORY = f"""
select string_agg(concat('{{"visit":', h.visit, ',"enteredAt":', {_text("h.entered_at")}, ',"exitedAt":',
    {_maybe("h.exited_at")}, ',"cause":{{"kind":', {_text("h.cause_kind")}, '}},"stage":{{"key":', {_text("s.key")},
    ',"name":', {_text("s.labels->>'en'")}, '}}}}'), ',' order by h.entered_at, h.id)
from (select * from stage_intervals h where h.tenant_id = $1 and h.customer_id = c.id and h.lifecycle_key = 'buyer'
  order by h.entered_at, h.id limit 50) h join stages s on s.tenant_id = $1 and s.id = h.stage_id"""

_MEMBERS = """
unnest(c.member_ids || case when c.kind = 'ORGANISATION' then array(select unnest(m.member_ids) from customers m
  where m.tenant_id = $1 and m.organisation_id = any(c.member_ids) and m.status = 'ACTIVE') end) as k(id)"""


def _latest(count: str, more: str = "") -> str:
    return f"""
(select i.*{more}
 from {_MEMBERS} cross join lateral (
   select i.* from interactions i where i.tenant_id = $1 and i.customer_id = k.id and i.superseded_at is null
   order by i.occurred_at desc, i.id desc limit {count}) i
 order by i.occurred_at desc, i.id desc limit {count}) i"""


_RANKED = ", row_number() over (order by i.occurred_at desc, i.id desc) as rank, count(*) over () as found"
_TIMELINE = f"""
select concat('{{"edges":[', string_agg(concat('{{"cursor":', i.cursor, ',"node":{{"id":', {_id("int", "i.id")},
    ',"kind":', {_text("i.kind")}, ',"channel":', {_maybe("i.channel")}, ',"direction":', {_maybe("i.direction")},
    ',"occurredAt":', {_text("i.occurred_at")}, ',"summary":', {_maybe("i.summary")}, '}}}}'), ',')
    filter (where i.rank <= 20), '],"pageInfo":{{"hasNextPage":', case when count(*) > 20 then 'true' else 'false' end,
    ',"endCursor":', coalesce(max(i.cursor) filter (where i.rank = least(i.found, 20)), 'null'), '}}}}')
from (select i.*, {_cursor("$3", "i.occurred_at", "i.id")} as cursor from {_latest("21", _RANKED)}) i"""

_TOTALS = f"""
select concat('{{"orders":', o.sales, ',"gross":', {_money("o.gross")}, ',"net":',
    {_money("o.gross - r.refunded + o.adjusted")}, ',"average":',
    {_money(f"case when o.sales > 0 then {half_even('o.gross', 'o.sales')}::bigint end")},
    ',"firstAt":', {_maybe("o.first_at")}, ',"lastAt":', {_maybe("o.last_at")}, '}}')
from (select count(*) filter (where d.kind = 'SALE') as sales,
    coalesce(sum(d.base_amount) filter (where d.kind = 'SALE'), 0)::bigint as gross,
    coalesce(sum(d.base_amount) filter (where d.kind = 'ADJUSTMENT'), 0)::bigint as adjusted,
    count(*) filter (where d.base_amount is null) as unrated,
    min(d.occurred_at) filter (where d.kind = 'SALE') as first_at,
    max(d.occurred_at) filter (where d.kind = 'SALE') as last_at
  from orders d where d.tenant_id = $1 and d.customer_id = any(c.member_ids) and d.superseded_at is null
    and d.status = 'COMPLETED') o,
 (select coalesce(sum(d.base_amount), 0)::bigint as refunded, count(*) filter (where d.base_amount is null) as unrated
  from refunds d left join orders p on p.tenant_id = $1 and p.id = d.order_id and p.superseded_at is null
  where d.tenant_id = $1 and d.customer_id = any(c.member_ids) and d.superseded_at is null
    and (p.id is null or p.status = 'COMPLETED')) r, tenants b
where b.tenant_id = $1"""

_Q1 = f"""
select convert_to('{{"data":{{"customer":' || coalesce((
select concat('{{"id":', {_id("cus", "c.id")}, ',"kind":', {_text("c.kind")}, ',"displayName":',
  {_text("coalesce(c.display_name, '')")}, ',"status":', {_text("c.status")},
  ',"emails":[', {_list("c.emails", "address")}, '],"phones":[', {_list("c.phones", "number")},
  '],"addresses":[', {_list("c.addresses", "city", "country")}, '],"organisation":', coalesce((
    select concat('{{"id":', {_id("cus", "g.id")}, ',"displayName":', {_text("coalesce(g.display_name, '')")}, '}}')
    from customers g where g.tenant_id = $1 and g.id =
      (select m.root_id from customers m where m.tenant_id = $1 and m.id = c.organisation_id)), 'null'),
  ',"stage":', coalesce((
    select concat('{{"enteredAt":', {_text("h.entered_at")}, ',"visit":', h.visit, ',"stage":{{"key":',
      {_text("s.key")}, ',"name":', {_text("s.labels->>'en'")}, ',"position":', s.position, '}}}}')
    from stage_intervals h join stages s on s.tenant_id = $1 and s.id = h.stage_id where h.tenant_id = $1
      and h.customer_id = c.id and h.is_current and h.lifecycle_key = 'buyer'), 'null'),
  ',"stageHistory":{{"nodes":[', ({_STAGE_HISTORY}), ']}},"timeline":', ({_TIMELINE}),
  ',"orderTotals":', ({_TOTALS}), '}}')
from customers c where c.tenant_id = $1
  and c.id = (select m.root_id from customers m where m.tenant_id = $1 and m.id = $2::uuid)), 'null')
|| '}}}}', 'UTF8')"""

_LAST = "coalesce(c.last_purchase_at, '-infinity'::timestamptz)"
_Q2 = f"""
with p as materialized (
  select c.*, row_number() over (order by {_LAST} desc, c.id desc) as rank from (
    select c.id, c.kind, c.display_name, c.emails, c.member_ids, c.last_purchase_at, c.default_stage_id
    from customers c where c.tenant_id = $1 and c.status = 'ACTIVE' and c.country = $3::text
      and c.default_stage = 'buyer:' || $2::text
    order by {_LAST} desc, c.id desc limit 51) c),
e as materialized (
  select p.*, s.key as stage_key, s.labels->>'en' as stage_name, {_cursor("$4", "p.last_at", "p.id")} as cursor
  from (select p.*, coalesce(p.last_purchase_at, '-infinity'::timestamptz) as last_at from p where rank <= 50) p
  join stages s on s.tenant_id = $1 and s.id = p.default_stage_id)
select convert_to(concat('{{"data":{{"customers":{{"edges":[', (
  select string_agg(concat('{{"cursor":', c.cursor, ',"node":{{"id":', {_id("cus", "c.id")}, ',"displayName":',
    {_text("coalesce(c.display_name, '')")}, ',"emails":[', {_list("c.emails", "address")},
    '],"stage":{{"stage":{{"key":', {_text("c.stage_key")}, ',"name":', {_text("c.stage_name")},
    '}}}},"timeline":{{"nodes":[', (
      select string_agg(concat('{{"id":', {_id("int", "i.id")}, ',"kind":', {_text("i.kind")}, ',"channel":',
        {_maybe("i.channel")}, ',"occurredAt":', {_text("i.occurred_at")}, ',"summary":', {_maybe("i.summary")},
        '}}'), ',') from {_latest("5")}), ']}}}}}}'), ',' order by c.rank) from e c),
'],"pageInfo":{{"hasNextPage":', case when (select count(*) from p) > 50 then 'true' else 'false' end,
',"hasPreviousPage":false,"startCursor":', coalesce((select cursor from e where rank = 1), 'null'), ',"endCursor":',
coalesce((select cursor from e order by rank desc limit 1), 'null'), '}}}}}}}}'), 'UTF8')"""

_Q3 = f"""
select convert_to(concat('{{"data":{{"customers":{{"nodes":[', (
  select string_agg(concat('{{"id":', {_id("cus", "c.id")}, ',"kind":', {_text("c.kind")}, ',"displayName":',
    {_text("coalesce(c.display_name, '')")}, ',"status":', {_text("c.status")}, ',"country":', {_maybe("c.country")},
    ',"firstSeenAt":', {_text("c.first_seen_at")}, ',"firstPurchaseAt":', {_maybe("c.first_purchase_at")},
    ',"lastPurchaseAt":', {_maybe("c.last_purchase_at")}, ',"createdAt":', {_text("c.created_at")},
    ',"updatedAt":', {_text("c.updated_at")}, '}}'), ',')
  from (select * from customers c where c.tenant_id = $1 and c.status = 'ACTIVE' and c.id > $2::uuid
    order by c.id limit 500) c), ']}}}}}}'), 'UTF8')"""

STATEMENTS = {"Q1": _Q1, "Q2": _Q2, "Q3": _Q3}


def arguments(name: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The parameters after the tenant, from what a client sends; it also sends what our cursors begin with."""
    match name:
        case "Q1":
            return UUID(given["id"][4:]), given["mark"]
        case "Q2":
            return given["stage"], given["country"], given["mark"]
        case _:
            return (UUID(b64decode(given["after"])[8:].decode()),)


class Server:
    """A bare ASGI application over a few connections, each with its statements prepared."""

    statements: ClassVar[Mapping[str, str]] = STATEMENTS

    def __init__(self, address: str, tenant_id: UUID, connections: int) -> None:
        self._address, self._tenant_id, self._connections = address, tenant_id, connections
        self._begin = begin_reading(tenant_id)
        self._idle: asyncio.Queue[tuple[Any, dict[str, Any]]] = asyncio.Queue()

    async def open(self) -> None:
        """Connect and prepare."""
        for _ in range(self._connections):
            connection = await asyncpg.connect(self._address, server_settings={"timezone": "UTC"})
            await connection.execute(self._begin)  # the driver leaves a snapshot open behind a bare PREPARE
            prepared = {name: await connection.prepare(statement) for name, statement in self.statements.items()}
            await connection.execute("ROLLBACK")
            self._idle.put_nowait((connection, prepared))

    async def answer(self, name: str, given: Mapping[str, Any]) -> bytes:
        """The document of an operation."""
        connection, prepared = held = await self._idle.get()
        try:
            await connection.execute(self._begin)
            document = await self.read(prepared, name, given)
            await connection.execute("ROLLBACK")
        finally:
            self._idle.put_nowait(held)
        return document

    async def read(self, prepared: Mapping[str, Any], name: str, given: Mapping[str, Any]) -> bytes:
        """What the statements of an operation give."""
        document: bytes = await prepared[name].fetchval(self._tenant_id, *arguments(name, given))
        return document

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve `POST /Q1` and its like."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            return
        body = await receive()
        document = await self.answer(scope["path"][1:], orjson.loads(body["body"]))
        length = str(len(document)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": document})
