"""Resolvers of who belongs together: segments, their conditions, their members, and who came and went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row

_WRITTEN = {"gte", "lt", "lte", "eq"}
_NAMES = {"within_days": "withinDays"}
_FIELDS = (
    "gte", "lt", "lte", "eq", "within_days", "key", "kind", "among", "kinds", "what", "lifecycle", "stage", "step",
    "percentile",
)  # fmt: skip


def add(naive: Naive, on: Callable[..., None]) -> None:
    """What every field shows."""
    of = naive.tables

    def members(fits: Callable[[Row], bool]) -> list[Row]:
        return [row for row in of.rows["segment_members"] if fits(row)]

    def told(member: Row) -> Row:
        return {"since": member["since"], "because": member["because"]}

    def segments(customer: Row) -> list[Row]:
        mine = members(lambda row: row["customer_id"] == customer["id"])
        return [{**naive.exactly("segments", row["segment_id"], "Segment"), **told(row)} for row in mine]  # type: ignore[dict-item]

    def customers(segment: Row) -> list[Row]:
        its = members(lambda row: row["segment_id"] == segment["id"])
        return [{**naive.exactly("customers", row["customer_id"], "Customer"), **told(row)} for row in its]  # type: ignore[dict-item]

    def listed(type_: str, table: str, segment: Row, asked: Row) -> Row:
        found = of.all(table, lambda row: row["segment_id"] == segment["id"])
        return naive.page(type_, naive.typed(type_, found), asked)

    on(
        "Query",
        segments=lambda _, **asked: naive.page(
            "Segment", naive.typed("Segment", of.all("segments", lambda row: row["archived_at"] is None)), asked
        ),
    )
    on("Customer", segments=lambda row, **asked: naive.page("Segment", segments(row), asked))
    on(
        "Segment",
        name=lambda row: naive.label(row["labels"]),
        criteria=lambda row: list(flat(_newest(naive, row)["criteria"])),
        lastRunAt=lambda row: (_run(naive, row, published=True) or {}).get("published_at"),
        watermark=lambda row: (_run(naive, row, published=True) or {}).get("watermark"),
        lastRun=lambda row: _run(naive, row, published=False),
        stale=lambda row: row["archived_at"] is None and _is_stale(naive, row),
        members=lambda row, **asked: naive.page("Customer", customers(row), asked),
        versions=lambda row, **asked: listed("SegmentVersion", "segment_versions", row, asked),
        history=lambda row, **asked: listed("SegmentMembershipEvent", "segment_membership_events", row, asked),
    )
    on("SegmentVersion", criteria=lambda row: list(flat(row["criteria"])))
    on(
        "SegmentMembershipEvent",
        because=lambda row: reasons(row["because"]),
        customer=lambda row: naive.customer(row["customer_id"]),
        segment=lambda row: naive.exactly("segments", row["segment_id"], "Segment"),
        version=lambda row: naive.exactly("segment_versions", row["segment_version_id"], "SegmentVersion"),
    )
    for edge in ("CustomerSegment", "SegmentMember"):
        on(
            f"{edge}Edge",
            cursor=lambda row: row["cursor"],
            node=lambda row: row["node"],
            since=lambda row: row["node"]["since"],
            because=lambda row: reasons(row["node"]["because"]),
        )
        on(
            f"{edge}Connection",
            **{key: lambda row, _key=key: row[_key] for key in ("edges", "nodes", "pageInfo", "totalCount")},
        )
    on(
        "SegmentCriterion",
        isDenied=lambda row: row["denied"],
        segment=lambda row: row.get("segment") and f"seg_{row['segment'].replace('-', '')}",
        **{_NAMES.get(key, key): lambda row, _key=key: row.get(_key) for key in _FIELDS},
    )


def flat(tree: Row, path: str = "") -> Iterator[Row]:
    """The conditions of a tree, each before those below it."""
    yield {**_shown(tree), "path": path, "denied": False}
    below = tree.get("of", [])
    for at, part in enumerate(below if isinstance(below, list) else [below]):
        yield from flat(part, f"{path}.{at}".lstrip("."))


def reasons(kept: Any) -> list[Row]:
    """The conditions in the end, a denied one with its mark."""
    return [
        {**_shown(one["of"] if one["type"] == "not" else one), "path": "", "denied": one["type"] == "not"}
        for one in kept or []
    ]


def _shown(condition: Row) -> Row:
    shown = {key: _text(value) if key in _WRITTEN else value for key, value in condition.items() if key != "of"}
    return {**shown, "type": condition["type"].upper()}


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _newest(naive: Naive, segment: Row) -> Row:
    return max(
        naive.tables.all("segment_versions", lambda row: row["segment_id"] == segment["id"]),
        key=lambda row: row["number"],
    )


def _run(naive: Naive, segment: Row, *, published: bool) -> Row | None:
    found = naive.tables.all(
        "segment_runs",
        lambda row: row["segment_id"] == segment["id"] and not (published and row["published_at"] is None),
    )
    return max(found, key=lambda row: (row["watermark"], row["id"]), default=None)


def _is_stale(naive: Naive, segment: Row) -> bool:
    is_due = segment["due_at"] is not None and segment["due_at"] <= naive.reading.now
    return is_due or segment["published_version_id"] != _newest(naive, segment)["id"]
