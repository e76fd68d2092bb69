"""Makes the data of the benchmarks, in SQL: tenants, each with a lifecycle, customers, their history and orders.

Loads as the cluster's superuser, past the walls; totals and days are settled as landing does it. The same size gives
the same data: ids and values follow from row numbers and a fixed seed. The spread is uneven, as in life: early
customers have many times the records of late ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.cluster import OWNER, SERVER
from domain.core.database import Database, dsn_of
from domain.metrics import settling as metrics
from domain.purchases import settling as purchases
from domain.stages import actions as stages
from domain.tenants import actions as tenants
from domain.tenants.model import Role
from domain.tenants.rules import Scope
from migrations.run import migrate

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from bench.cluster import Cluster

TENANTS = 5
COUNTRIES = ("DE", "FR", "JP", "IR", "US", "NO", "IT", "PE")
STAGES = ("discovery", "education", "purchase", "post_purchase", "loyalty")
SIZES = {"tiny": 1_000, "small": 10_000, "full": 200_000}
_MAKER = "8"  # Of what the data is made; a database of another maker is made anew.


@dataclass(frozen=True)
class Size:
    """How much there is: everything follows from the number of customers."""

    customers: int

    @property
    def interactions(self) -> int:
        return 20 * self.customers

    @property
    def orders(self) -> int:
        return 3 * self.customers

    @property
    def database(self) -> str:
        return f"bench_{self.customers}"

    def __str__(self) -> str:
        counts = (TENANTS, "tenants"), (self.customers, "customers"), (self.interactions, "interactions")
        return ", ".join(f"{count:,} {what}" for count, what in (*counts, (self.orders, "orders")))


async def generated(cluster: Cluster, size: Size, say: Callable[[str], None]) -> str:
    """The name of a database of this size, made unless it is there already; its tables are those of now."""
    if await _is_complete(cluster, size):
        await migrate(cluster.address(size.database, OWNER))
    else:
        say(f"Making {size} ...")
        await cluster.create(size.database)
        await _make_tenants(cluster, size)
        await _load(cluster, size, say)
        await _settle(cluster, size, say)
    connection = await cluster.connect(size.database)
    await connection.execute("VACUUM ANALYZE")  # another benchmark may have written since
    await connection.execute(f"COMMENT ON DATABASE {size.database} IS '{_MAKER}'")
    await connection.close()
    return size.database


async def issue_token(cluster: Cluster, database: str, tenant_id: UUID) -> str:
    """A new token of an administrator, with every scope."""
    async with Database(dsn_of(cluster.address(database, SERVER))) as opened, opened.unit_of_work(tenant_id) as work:
        principal = await tenants.create_principal(work, "bench", Role.ADMIN)
        return str((await tenants.create_token(work, principal, "bench", [str(scope) for scope in Scope])).secret)


async def _is_complete(cluster: Cluster, size: Size) -> bool:
    connection = await cluster.connect()
    found = await connection.fetchval(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", size.database
    )
    await connection.close()
    return bool(found == _MAKER)


async def _make_tenants(cluster: Cluster, size: Size) -> None:
    async with Database(dsn_of(cluster.address(size.database, SERVER))) as database:
        for number in range(1, TENANTS + 1):
            new = tenants.NewTenant(slug=f"tenant-{number}", name=f"Tenant {number}")
            tenant_id = await tenants.create_tenant(database, new)
            async with database.unit_of_work(tenant_id) as work:
                await stages.create_from_template(work, "buyer", default=True)


async def _load(cluster: Cluster, size: Size, say: Callable[[str], None]) -> None:
    connection = await cluster.connect(size.database)
    tables = ("customers", "interactions", "orders", "order_lines", "refunds", "stage_transitions", "stage_intervals")
    # Foreign keys hold by construction; indexes are built once, over all rows.
    await connection.execute("SET session_replication_role = replica; SELECT setseed(0.42)")
    indexes = await connection.fetch(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index"
        " WHERE indrelid = ANY($1::text[]::regclass[]) AND NOT indisprimary",
        list(tables),
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    for what, statement in _statements(size):
        say(f"  {what}")
        await connection.execute(statement)
    say("  indexes")
    for index in indexes:
        await connection.execute(index["made"])
    await connection.execute("ANALYZE")
    await connection.close()


async def _settle(cluster: Cluster, size: Size, say: Callable[[str], None]) -> None:
    """Fill what is derived of purchases and interactions."""
    async with Database(dsn_of(cluster.address(size.database, SERVER))) as database:
        connection = await cluster.connect(size.database)
        for tenant in await connection.fetch("SELECT id, slug FROM directory.tenants ORDER BY slug"):
            say(f"  totals and days of {tenant['slug']}")
            found = await connection.fetch("SELECT id FROM customers WHERE tenant_id = $1 ORDER BY id", tenant["id"])
            customers = [row["id"] for row in found]
            for start in range(0, len(customers), metrics.PORTION):
                async with database.unit_of_work(tenant["id"]) as work:
                    await purchases.settle_totals(work, customers[start : start + metrics.PORTION])
                    await metrics.roll_up(work, customers[start : start + metrics.PORTION])
        await connection.close()


def _uuid(kind: str, number: str) -> str:
    """A UUID of version 7 that follows from a row's number: its time grows with it, the rest is mixed."""
    mixed = f"md5('{kind}' || {number})"
    timed = f"overlay({mixed} placing lpad(to_hex(1640995200000 + {number} * 20::bigint), 12, '0') from 1)"
    return f"overlay(overlay({timed} placing '7' from 13) placing '8' from 17)::uuid"


def _chosen(values: tuple[str, ...], number: str) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"(array[{listed}])[1 + ({number}) % {len(values)}]"


def _statements(size: Size) -> tuple[tuple[str, str], ...]:
    return (
        ("lifecycles", _PLACES),
        ("orders", _orders(size)),
        ("customers", _customers(size)),
        ("stage history", _STAYS),
        ("interactions", _interactions(size)),
    )


_PLACES = """
create temp table tenant_numbers as
  select id as tenant_id, substr(slug, 8)::int as number from directory.tenants where slug like 'tenant-_';
create temp table places as
  select n.number, n.tenant_id, v.lifecycle_id, s.lifecycle_version_id as version_id, s.id as stage_id, s.key,
    s.position
  from tenant_numbers n join stages s using (tenant_id)
  join lifecycle_versions v on v.tenant_id = n.tenant_id and v.id = s.lifecycle_version_id;
create function pg_temp.one_of(chance double precision, most int, skew double precision) returns int
  language sql immutable return 1 + (power(chance, skew) * (most - 1))::int;
"""


def _orders(size: Size) -> str:
    """Three orders for each customer, of 1 to 3 lines; one in fifty is refunded in part."""
    return f"""
create temp table sold as
  select i, cid, 1 + cid % {TENANTS} as number,
    {_chosen(("COMPLETED", "COMPLETED", "COMPLETED", "OPEN", "CANCELLED"), "i")} as status,
    date_trunc('second', timestamptz '2023-01-01Z' + random() * 94607999 * interval '1 second') as at
  from (select i, pg_temp.one_of(random(), {size.customers}, 1.5) as cid from generate_series(1, {size.orders}) i) s;
insert into order_lines (tenant_id, order_id, order_version, position, description, quantity, unit_price, amount)
  select n.tenant_id, {_uuid("order", "i")}, 1, l, 'Product ' || (i * 13 + l * 7) % 5000,
    1 + (i + l) % 4, (500 + (i * 31 + l) % 20000) / 100.0, (1 + (i + l) % 4) * (500 + (i * 31 + l) % 20000)
  from sold join tenant_numbers n using (number), generate_series(1, 3) l where l <= 1 + i % 4;
insert into orders (tenant_id, id, version, number, customer_id, occurred_at, local_day, recorded_at, currency, amount,
    base_amount, base_currency, units, line_count, content_hash, kind, status, channel)
  select n.tenant_id, o.id, 1, 'SO-' || i, {_uuid("customer", "cid")}, at, (at at time zone 'UTC')::date, at, 'EUR',
    lines.amount, lines.amount, 'EUR', lines.units, lines.count, decode(md5(i::text), 'hex'), 'SALE', status, 'WEB'
  from sold join tenant_numbers n using (number), lateral (select {_uuid("order", "i")} as id) o, lateral (
    select sum((1 + (i + l) % 4) * (500 + (i * 31 + l) % 20000)) as amount, sum(1 + (i + l) % 4) as units, count(*)
    from generate_series(1, 3) l where l <= 1 + i % 4) lines;
insert into refunds (tenant_id, id, version, number, customer_id, occurred_at, local_day, recorded_at, currency, amount,
    base_amount, base_currency, units, line_count, content_hash, order_id, reason)
  select n.tenant_id, {_uuid("refund", "i")}, 1, 'RF-' || i, {_uuid("customer", "cid")}, at + interval '9 days',
    ((at + interval '9 days') at time zone 'UTC')::date, at + interval '9 days', 'EUR', 500, 500, 'EUR', 1, 0,
    decode(md5(i::text), 'hex'), {_uuid("order", "i")}, 'Returned'
  from sold join tenant_numbers n using (number) where i % 50 = 0;
"""


def _customers(size: Size) -> str:
    """One in seven is an organisation; every second person belongs to one of the same tenant."""
    first = _chosen(("Anna", "Bob", "Chen", "Dara", "Emil", "Farah", "Goran", "Hana", "Ivan", "Jun"), "i * 7 / 3")
    last = _chosen(
        ("Smith", "Müller", "Tanaka", "Rossi", "Novak", "Haddad", "O''Neil", "Kim", "Silva", "Berg"), "i * 11 / 5"
    )
    city = _chosen(("Berlin", "Paris", "Tokyo", "Tehran", "Austin", "Oslo", "Rome", "Lima"), f"i / {TENANTS}")
    employers = max(size.customers // 35, 1)
    return f"""
create temp table people as
  select i, 1 + i % {TENANTS} as number, i % 7 = 0 as firm, {_uuid("customer", "i")} as id,
    {_chosen(COUNTRIES, f"i / {TENANTS}")} as country, 1 + (random() * 4.99)::int % 5 as reached,
    (i * 37::bigint % {employers})::int * 35 + (array[0, 21, 7, 28, 14])[1 + i % 5] as employer,
    date_trunc('second', timestamptz '2022-01-01Z' + random() * 94608000 * interval '1 second') as made,
    date_trunc('second', timestamptz '2025-06-01Z' + random() * 15552000 * interval '1 second') as changed
  from generate_series(1, {size.customers}) i;
insert into customers (tenant_id, id, kind, display_name, status, country, primary_email, primary_phone, emails, phones,
    addresses, attributes, organisation_id, root_id, member_ids, first_seen_at, first_purchase_at, last_purchase_at,
    default_stage, default_stage_id, created_at, updated_at)
  select n.tenant_id, p.id, case when firm then 'ORGANISATION' else 'PERSON' end,
    case when firm then 'Company ' || i else {first} || ' ' || {last} || ' ' || i end, 'ACTIVE', country,
    'user' || i || '@example.com', '+4930' || 1000000 + i,
    jsonb_build_array(jsonb_build_object('address', 'user' || i || '@example.com', 'isPrimary', true,
      'verifiedAt', null, 'source', 'manual')),
    jsonb_build_array(jsonb_build_object('number', '+4930' || 1000000 + i, 'isPrimary', true,
      'verifiedAt', null, 'source', 'manual')),
    jsonb_build_array(jsonb_build_object('city', {city}, 'country', country, 'street', 'Street ' || i % 100,
      'region', null, 'postalCode', (10000 + i % 80000)::text, 'isPrimary', true, 'source', 'manual')),
    '[]'::jsonb,
    case when not firm and i % 2 = 0 and employer between 1 and {size.customers} then {_uuid("customer", "employer")}
    end, p.id, array[p.id], made, bought.first_at, bought.last_at,
    'buyer:' || t.key, t.stage_id, made, changed
  from people p join tenant_numbers n using (number) join places t on t.number = p.number and t.position = p.reached
  left join (select cid, min(at) as first_at, max(at) as last_at from sold where status = 'COMPLETED' group by cid)
    bought on bought.cid = p.i;
"""


_STAYS = f"""
insert into stage_transitions (tenant_id, id, customer_id, lifecycle_id, lifecycle_version_id, from_stage_id,
    to_stage_id, occurred_at, recorded_at, direction, cause_kind, actor)
  select t.tenant_id, {_uuid("stay", "(c.i * 10 + t.position)")}, c.id, t.lifecycle_id, t.version_id, f.stage_id,
    t.stage_id, c.made + (t.position - 1) * interval '60 days', c.made + (t.position - 1) * interval '60 days',
    'FORWARD', case when t.position = 1 then 'PERSON' else 'RULE' end, 'system'
  from people c join places t on t.number = c.number and t.position <= c.reached
  left join places f on f.number = c.number and f.position = t.position - 1;
insert into stage_intervals (tenant_id, id, customer_id, lifecycle_id, lifecycle_key, stage_id, stage_key, visit,
    entered_at, exited_at, is_current, cause_kind)
  select t.tenant_id, {_uuid("stay", "(c.i * 10 + t.position)")}, c.id, t.lifecycle_id, 'buyer', t.stage_id, t.key, 1,
    c.made + (t.position - 1) * interval '60 days',
    case when t.position < c.reached then c.made + t.position * interval '60 days' end, t.position = c.reached,
    case when t.position = 1 then 'PERSON' else 'RULE' end
  from people c join places t on t.number = c.number and t.position <= c.reached;
"""


def _interactions(size: Size) -> str:
    """Twenty interactions for each customer, in six kinds with their payloads."""
    kind = _chosen(("EMAIL_SENT", "CALL", "MEETING", "VISIT", "NOTE", "MESSAGE"), "i * 7")
    family = _chosen(("EMAIL", "CALL", "MEETING", "VISIT", "NOTE", "MESSAGE"), "i * 7")
    key = _chosen(("subject", "outcome", "title", "url", "text", "text"), "i * 7")
    return f"""
insert into interactions (tenant_id, id, revision, customer_id, kind, family, channel, direction, occurred_at,
    recorded_at, stream, remote_id, summary, payload)
  select n.tenant_id, {_uuid("interaction", "i")}, 1, {_uuid("customer", "cid")}, {kind}, {family},
    {_chosen(("EMAIL", "PHONE", "WEB", "VIDEO", "OTHER"), "i * 3")}, {_chosen(("INBOUND", "OUTBOUND"), "i")}, at, at,
    'manual', 'x-' || i, 'Subject line about topic ' || i % 977 || ' no ' || i,
    jsonb_build_object({key}, 'topic ' || i % 977)
  from (
    select i, pg_temp.one_of(random(), {size.customers}, 1.3) as cid,
      date_trunc('second', timestamptz '2023-01-01Z' + random() * 94608000 * interval '1 second') as at
    from generate_series(1, {size.interactions}) i
  ) s join tenant_numbers n on n.number = 1 + s.cid % {TENANTS};
"""
