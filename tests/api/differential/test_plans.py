"""What every planned statement keeps: the tenant at every table, and operators that row-level security lets through."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest

from api.engine import Ask
from api.problems import RequestRefused
from domain.core.tables import DIRECTORY, SCHEMAS, models
from tests.api.conftest import identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.differential.ways import Ways
    from tests.conftest import Logins

PLANNED = 400
TABLES = {model.__tablename__ for model in models() if model.__table__.schema != DIRECTORY}
REFERENCE = re.compile(
    r"\b(?:from|join)\s+([a-z_]+)\b(?:\s+(?:as\s+)?(?!where\b|on\b|order\b|join\b|left\b|cross\b)([a-z]\w*))?",
    re.IGNORECASE,
)
PREDICATE = re.compile(r"(?:\b(\w+)\.)?\btenant_id\s*=\s*\$1")
OPERATOR = re.compile(r"(?<=\s)(?:[<>=~^@&|!#?%*+-]+)(?=\s)")


@pytest.fixture(scope="module")
def statements() -> set[str]:
    """Filled by the first test that plans."""
    return set()


@pytest.fixture
def planned(ways: Callable[..., Ways], statements: set[str]) -> set[str]:
    """The statements of many plans."""
    asked = ways(3)
    if not statements:
        for _ in range(PLANNED):
            operation = asked.generator.operation()
            ask = Ask(operation.text, identity(asked.tenant_id), name=operation.name, variables=operation.variables)
            try:
                prepared = asked.engine.prepare(ask)
            except RequestRefused:
                continue
            statements.update(one.sql for root in prepared.plan.fields.values() for one in root.statements)
    return statements


def test_every_table_is_read_for_one_tenant(planned: set[str]) -> None:
    assert len(planned) > PLANNED
    assert [sql for sql in planned if _unguarded(sql)] == []


def test_a_forgotten_predicate_would_show() -> None:
    assert _unguarded("select 1 from customers t where t.tenant_id = $1 and exists (select from orders o)")
    assert _unguarded("select 1 from customers where id = $2")
    assert not _unguarded("select 1 from customers t join orders as o on o.tenant_id = $1 where t.tenant_id = $1")


async def test_indexed_predicates_are_leakproof(planned: set[str], logins: Logins) -> None:
    """Asked of a planner that row-level security does not bind: what it would look up, and what that may leak."""
    superuser = await asyncpg.connect(logins.superuser.set(drivername="postgresql").render_as_string())
    await superuser.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    await superuser.execute(f"SET search_path = public, {', '.join(SCHEMAS)}")  # plans name indexes without a schema
    used: Counter[tuple[str, str]] = Counter()
    for sql in sorted(planned):
        for index, condition in _index_conditions(await _explained(superuser, sql)):
            used.update((index, operator) for operator in OPERATOR.findall(condition))
    compare = {row[0] for row in await superuser.fetch(COMPARE)}
    leaking = [each for each in used if each[1] in compare and not await superuser.fetchval(LEAKPROOF, *each)]
    await superuser.close()
    assert len({index for index, _ in used}) > 20
    assert leaking == []


COMPARE = "SELECT DISTINCT oprname FROM pg_operator WHERE oprresult = 'boolean'::regtype"
LEAKPROOF = """
SELECT coalesce(bool_and(f.proleakproof), false) FROM pg_index i
JOIN pg_opclass c ON c.oid = ANY (i.indclass)
JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amoplefttype = c.opcintype AND a.amoprighttype = c.opcintype
JOIN pg_operator o ON o.oid = a.amopopr AND o.oprname = $2
JOIN pg_proc f ON f.oid = o.oprcode
WHERE i.indexrelid = CAST($1 AS text)::regclass
"""


def _unguarded(sql: str) -> bool:
    """Whether some table is read without the predicate for its alias."""
    references = Counter(alias or "" for table, alias in REFERENCE.findall(sql) if table in TABLES)
    predicates = Counter(alias or "" for alias in PREDICATE.findall(sql))
    return any(predicates[alias] < count for alias, count in references.items())


async def _explained(superuser: asyncpg.Connection, sql: str) -> dict[str, Any]:
    """How a statement is run whatever its values are."""
    values = ", ".join(["null"] * max(map(int, re.findall(r"\$(\d+)", sql))))
    await superuser.execute(f"PREPARE planned AS {sql}")
    explained = orjson.loads(await superuser.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE planned ({values})"))
    await superuser.execute("DEALLOCATE planned")
    plan: dict[str, Any] = explained[0]["Plan"]
    return plan


def _index_conditions(node: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(node["Index Name"], node["Index Cond"])] if "Index Cond" in node else []
    for inner in node.get("Plans", ()):
        found += _index_conditions(inner)
    return found
