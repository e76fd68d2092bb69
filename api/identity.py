"""The identity log over GraphQL: who was made one with whom or kept apart, by whom, why, and whether it holds still."""

from datetime import datetime
from typing import Any

import strawberry

from api import ids, reading
from api.expose import Node, column, describe, embedded, entry, expose, many, one, page_of
from api.reads.mapping import Order
from api.survivors import survivor
from domain.customers import model

describe(
    model.EdgeKind,
    "IdentityEdgeKind",
    MERGE="The two are one customer.",
    UNMERGE="An earlier merge or veto counts no longer.",
    VETO="The two are different and must never become one.",
)


def _customer_id(found: Any, _reader: reading.Reader) -> str:
    return ids.encode("cus", found)


@expose()
class IdentityEvidence:
    """Something that a merge was made for."""

    name = entry(
        str, "name",
        description="The scheme of an identifier that both have, or what the other side told: source, gone and into.",
    )  # fmt: skip
    value = entry(str, "value", finish=reading.personal, description="The identifier, or what was told.")


# By whom a merge or veto was undone: the entry that undid it has the same two ends, which an index finds.
_UNDONE = (
    "(select u.{column} from identity_edges u where u.tenant_id = $1 and u.customer_id = {{t}}.customer_id"
    " and u.undoes = {{t}}.id limit 1)"
)
_EVIDENCE = """(
    select coalesce(jsonb_agg(jsonb_build_object('name', e.name, 'value', e.value) order by e.name, e.value), '[]')
    from (
        select s.pair ->> 0 as name, s.pair ->> 1 as value
        from jsonb_array_elements(coalesce({t}.evidence -> 'shared', '[]')) s(pair)
        union all
        select o.key, o.value from jsonb_each_text(coalesce({t}.evidence, '{{}}') - 'shared' - 'run') o
    ) e
)"""


@expose(model.IdentityEdge, prefix="edg", scope="customers:read")
class IdentityEdge(Node):
    """An entry of the identity log, which is only ever added to: a merge, a veto, or the undoing of one."""

    kind = column(model.EdgeKind, description="What it says about the two customers.")
    customer_id = column(
        strawberry.ID, finish=_customer_id, description="The one that a merge absorbed; of a veto, the other one."
    )
    into_id = column(strawberry.ID, finish=_customer_id, description="The one that survives; of a veto, the one.")
    customer = one(
        "customers.Customer", survivor("{p}.customer_id"), null=False,
        description="Who `customerId` is now: the same as `into` while they are one.",
    )  # fmt: skip
    into = one("customers.Customer", survivor("{p}.into_id"), null=False, description="Who `intoId` is now.")
    actor = column(description="Who made it; `system` where identifiers proved it.")
    reason = column(finish=reading.personal, description="Why, in a person's words.")
    evidence = embedded("identity.IdentityEvidence", _EVIDENCE, description="What it was made for, where it is known.")
    recorded_at = column(description="When it was made.")
    undoes = one(
        "identity.IdentityEdge", "identity_edges {t} where {t}.tenant_id = $1 and {t}.id = {p}.undoes",
        description="Of an UNMERGE: the merge or veto that it undid.",
    )  # fmt: skip
    undone_at = column(
        datetime, sql=_UNDONE.format(column="recorded_at"), null=True,
        description="When it was undone; null while it holds, and `unmergeCustomers` can undo it.",
    )  # fmt: skip
    undone_by = column(str, sql=_UNDONE.format(column="actor"), null=True, description="Who undid it.")


IdentityEdgeConnection = page_of(IdentityEdge, "merges and vetoes")

_OF_CUSTOMER = """(
    select p.k as of_id, e.* from identity_edges e, (
        select m.member_ids from customers m where m.tenant_id = $1 and m.id = p.k
    ) one
    where e.tenant_id = $1 and (e.customer_id = any(one.member_ids) or e.into_id = any(one.member_ids))
) {t} where true"""


def edges_of_customer() -> Any:
    """The page of all entries of the identity log that name a customer or one of those merged into it."""
    return many(
        "identity.IdentityEdge", _OF_CUSTOMER, keys="{p}.id", link="of_id",
        orders={"RECORDED_AT": Order("{t}.recorded_at"), "ID": Order("{t}.id", "id")},
        default=(("RECORDED_AT", True),),
        description="Merges, vetoes and what undid them, the latest first: any that holds can be undone.",
    )  # fmt: skip


__all__ = ["IdentityEdge", "IdentityEdgeConnection", "edges_of_customer"]
