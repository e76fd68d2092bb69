from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.problems import Forbidden
from domain.segments import settling
from tests.api.business import Caller, found

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine
    from domain.core.database import Database
    from tests.api.business import Business
    from tests.snapshots import Snapshots

CRITERIA = {
    "all": [
        {"any": [{"occasions": {"gte": 1, "withinDays": 3650}}, {"spent": {"gte": "99.50"}}]},
        {"not": {"country": ["FR"]}},
    ]
}
FLAT = "criteria { path type isDenied gte lt withinDays among }"
MEMBERS = "members(first: 9) { totalCount edges { since because { type isDenied } node { displayName } } }"


@pytest.fixture
async def business(engine: Engine, database: Database, tenant: UUID) -> Business:
    return await found(engine, database, tenant)


async def created(caller: Caller, key: str, criteria: dict[str, Any]) -> str:
    made = await caller.do("createSegment", {"key": key, "criteria": criteria}, "segment { id }")
    return str(made["segment"]["id"])


async def published(database: Database, business: Business, segment: str) -> None:
    """What a worker does next."""
    async with database.unit_of_work(business.caller.identity.tenant_id) as work:
        assert await settling.run_due(work, segment[4:]) is None


async def read(business: Business, wanted: str, **variables: Any) -> Any:
    answer = await business.caller.answer(wanted, **variables)
    assert "errors" not in answer, answer
    return answer["data"]


async def test_a_segment_is_made_worked_out_and_read_from_both_sides(business: Business, database: Database) -> None:
    asked = {"key": "buyers", "criteria": CRITERIA, "name": {"en": "Buyers", "fa": "خریداران"}, "role": "TARGET"}
    wanted = f"segment {{ id key name role stale lastRunAt version {FLAT} {MEMBERS} }}"
    made = (await business.caller.do("createSegment", asked, wanted))["segment"]
    criterion = {"isDenied": False, "gte": None, "lt": None, "withinDays": None, "among": None}
    assert made.pop("criteria") == [
        {**criterion, "path": "", "type": "ALL"},
        {**criterion, "path": "0", "type": "ANY_OF"},
        {**criterion, "path": "0.0", "type": "OCCASIONS", "gte": "1", "withinDays": 3650},
        {**criterion, "path": "0.1", "type": "SPENT", "gte": "99.50"},
        {**criterion, "path": "1", "type": "NOT"},
        {**criterion, "path": "1.0", "type": "COUNTRY_IS", "among": ["FR"]},
    ]
    segment = made.pop("id")
    assert made == {
        "key": "buyers", "name": "Buyers", "role": "TARGET", "stale": True, "lastRunAt": None, "version": 1,
        "members": {"totalCount": 0, "edges": []},
    }  # fmt: skip
    await published(database, business, segment)
    document = f"query ($id: ID!) {{ node(id: $id) {{ ... on Segment {{ stale lastRun {{ evaluated entered error }} {MEMBERS} }} }} }}"  # noqa: E501
    shown = (await read(business, document, id=segment))["node"]
    (edge,) = shown["members"].pop("edges")
    since = edge.pop("since")
    assert edge == {
        "because": [{"type": "OCCASIONS", "isDenied": False}, {"type": "COUNTRY_IS", "isDenied": True}],
        "node": {"displayName": "Ada Lovelace"},
    }
    assert shown == {
        "stale": False, "lastRun": {"evaluated": 6, "entered": 1, "error": None}, "members": {"totalCount": 1},
    }  # fmt: skip
    document = """
    query ($ada: ID!, $segment: ID!) {
      customer(by: {id: $ada}) { segments(first: 9) { totalCount edges { since node { key name } } } }
      customers(first: 9, filter: {segment: {eq: $segment}}) { nodes { displayName } }
      others: customers(first: 9, filter: {not: {segment: {in: [$segment]}}}) { totalCount }
      segments(first: 9) { nodes { key history(first: 9) { nodes { change at version { number } customer { id } } } } }
    }
    """
    seen = await read(business, document, ada=business.ada, segment=segment)
    assert seen["customer"]["segments"] == {
        "totalCount": 1, "edges": [{"since": since, "node": {"key": "buyers", "name": "Buyers"}}],
    }  # fmt: skip
    assert seen["customers"]["nodes"] == [{"displayName": "Ada Lovelace"}]
    assert seen["others"]["totalCount"] == 5
    entered = {"change": "ENTER", "at": since, "version": {"number": 1}, "customer": {"id": business.ada}}
    assert seen["segments"]["nodes"] == [
        {"key": "buyers", "history": {"nodes": [entered]}}, {"key": "repeat_purchasers", "history": {"nodes": []}},
    ]  # fmt: skip


async def test_new_criteria_are_a_new_version_and_an_old_view_of_a_segment_is_told(
    business: Business, database: Database
) -> None:
    segment = await created(business.caller, "buyers", {"occasions": {"gte": 1}})
    await published(database, business, segment)
    asked = {"id": segment, "version": 1, "criteria": {"occasions": {"lt": 1}}}
    wanted = "segment { version stale versions(first: 9) { nodes { number publishedAt criteria { lt } } } }"
    changed = (await business.caller.do("updateSegment", asked, wanted))["segment"]
    newest, first = changed["versions"]["nodes"]
    assert (changed["version"], changed["stale"]) == (2, True)
    assert newest == {"number": 2, "publishedAt": None, "criteria": [{"lt": "1"}]}
    assert first["publishedAt"] is not None
    problem = await business.caller.refused("updateSegment", asked)
    assert (problem["__typename"], problem["path"]) == ("StaleVersion", ["version"])
    archived = await business.caller.do("archiveSegment", {"id": segment, "version": 2}, "segment { archivedAt stale }")
    assert archived["segment"]["archivedAt"] is not None
    assert archived["segment"]["stale"] is False
    assert (await business.caller.refused("archiveSegment", {"id": segment, "version": 3}))[
        "code"
    ] == "SEGMENT_ARCHIVED"


async def test_a_preview_counts_and_names_and_saves_nothing(business: Business, tables: Snapshots) -> None:
    async with tables.nothing_changes():
        found_ = await business.caller.do(
            "previewSegment", {"criteria": {"not": {"occasions": {"gte": 1}}}}, "preview { count sample }"
        )
        assert found_["preview"]["count"] == 5
        assert business.ada not in found_["preview"]["sample"]
        assert business.bea in found_["preview"]["sample"]


BAD: tuple[tuple[dict[str, Any], str, list[str]], ...] = (
    ({"attribute": {"key": "tier", "eq": "gold"}}, "UNKNOWN_ATTRIBUTE", ["criteria", "attribute", "key"]),
    ({"metric": {"key": "weight", "gte": "1"}}, "UNKNOWN_MEASURE", ["criteria", "metric", "key"]),
    ({"inStage": {"stage": "limbo"}}, "UNKNOWN_STAGE", ["criteria", "inStage", "stage"]),
    (
        {"enteredStage": {"lifecycle": "none", "step": "AWARE"}},
        "UNKNOWN_LIFECYCLE",
        ["criteria", "enteredStage", "lifecycle"],
    ),
    ({"occasions": {}}, "INVALID_CRITERIA", ["criteria", "occasions"]),
    ({"daysSince": {"what": "LAST_PURCHASE", "gte": -1}}, "INVALID_CRITERIA", ["criteria", "daysSince"]),
    ({"any": [{"kind": "PERSON"}, {"not": {"all": []}}]}, "INVALID_CRITERIA", ["criteria", "any", "1", "not", "all"]),
)


async def test_what_there_is_not_is_a_problem_and_nothing_changes(business: Business, tables: Snapshots) -> None:
    async with tables.nothing_changes():
        for criteria, code, path in BAD:
            for name, asked in (("createSegment", {"key": "x"}), ("previewSegment", {})):
                problem = await business.caller.refused(name, {**asked, "criteria": criteria})
                assert (problem["code"], problem["path"]) == (code, path)


async def test_segments_never_ask_about_themselves(business: Business, tables: Snapshots) -> None:
    caller = business.caller
    first = await created(caller, "first", {"occasions": {"gte": 1}})
    second = await created(caller, "second", {"not": {"segment": first}})
    third = await created(caller, "third", {"all": [{"segment": second}, {"kind": "PERSON"}]})
    async with tables.nothing_changes():
        for segment, other in ((first, third), (first, first)):
            asked = {"id": segment, "version": 1, "criteria": {"any": [{"segment": other}]}}
            problem = await caller.refused("updateSegment", asked)
            assert (problem["__typename"], problem["code"]) == ("InvalidInput", "SEGMENT_CYCLE")
        assert {"first", "second", "third"} <= set((await caller.refused(
            "updateSegment", {"id": first, "version": 1, "criteria": {"segment": third}}
        ))["message"].replace(".", "").split())  # fmt: skip
        used = await caller.refused("archiveSegment", {"id": second, "version": 1})
        assert (used["code"], used["message"]) == ("SEGMENT_IN_USE", "These segments ask about it: third.")


async def test_templates_are_listed_and_made(business: Business) -> None:
    document = "{ segmentTemplates { key name role } }"
    listed = (await read(business, document))["segmentTemplates"]
    assert listed[0] == {"key": "one_time_buyers", "name": "One-time buyers", "role": "STARTING_POINT"}
    persian = await business.caller.answer(document, language="fa")
    assert persian["data"]["segmentTemplates"][0]["name"] == "خریداران یک‌باره"
    for template in listed:
        if template["key"] != "repeat_purchasers":  # the business has it
            await business.caller.do("createSegment", {"template": template["key"]})
    taken = await business.caller.refused("createSegment", {"template": "one_time_buyers"})
    assert (taken["code"], taken["path"]) == ("SEGMENT_EXISTS", ["key"])
    for asked, code in (
        ({"template": "nonsense"}, "UNKNOWN_SEGMENT_TEMPLATE"),
        ({"key": "Big One", "criteria": CRITERIA}, "BAD_SEGMENT_KEY"),
        ({"key": "empty"}, "SEGMENT_CRITERIA_MISSING"),
    ):
        assert (await business.caller.refused("createSegment", asked))["code"] == code


async def test_who_may_not_read_figures_sees_no_segments(business: Business) -> None:
    lesser = business.caller.with_scopes(frozenset({"customers:read"}))
    document = "query ($id: ID!) { customer(by: {id: $id}) { segments(first: 1) { nodes { key } } } }"
    for asked in (document, "{ segments(first: 1) { nodes { key } } }"):
        with pytest.raises(Forbidden) as refused:
            await lesser.answer(asked, id=business.ada)
        assert refused.value.extensions == {"scope": "metrics:read"}
