"""Resolvers of the identity log, and of the moves behind stays and timeline entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.customers.folding import mask_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row


def add(naive: Naive, on: Callable[..., None]) -> None:
    """What every field shows."""
    edges = naive.tables.rows["identity_edges"]

    def about(row: Row) -> list[Row]:
        members = set(row["member_ids"])
        return naive.typed("IdentityEdge", [edge for edge in edges if members & {edge["customer_id"], edge["into_id"]}])

    def undone(name: str) -> Callable[[Row], object]:
        return lambda row: next((edge[name] for edge in edges if edge["undoes"] == row["id"]), None)

    on("Customer", identityEdges=lambda row, **asked: naive.page("IdentityEdge", about(row), asked))
    on(
        "IdentityEdge",
        customerId=lambda row: f"cus_{row['customer_id'].hex}",
        intoId=lambda row: f"cus_{row['into_id'].hex}",
        customer=lambda row: naive.customer(row["customer_id"]),
        into=lambda row: naive.customer(row["into_id"]),
        reason=lambda row: naive.masked(mask_text, row["reason"]),
        evidence=_evidence,
        undoes=lambda row: naive.exactly("identity_edges", row["undoes"], "IdentityEdge"),
        undoneAt=undone("recorded_at"),
        undoneBy=undone("actor"),
    )
    on("IdentityEvidence", value=lambda row: naive.masked(mask_text, row["value"]))

    def transition(row: Row) -> Row | None:
        return naive.exactly("stage_transitions", row["id"], "StageTransition")

    on("StageInterval", transition=transition)
    on("StageInteraction", transition=transition)


def _evidence(edge: Row) -> list[Row]:
    known = edge["evidence"] or {}
    told = [(name, value) for name, value in known.items() if name not in {"shared", "run"}]
    return [{"name": name, "value": value} for name, value in sorted([*map(tuple, known.get("shared", [])), *told])]
