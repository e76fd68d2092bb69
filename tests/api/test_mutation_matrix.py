"""Every mutation by every kind of caller; one without a row here fails. The anonymous meet tests/api/transport."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from api.engine import Engine
from api.problems import Forbidden
from api.schema import core
from domain.tenants.rules import SCOPES_OF_ROLE
from tests.api import connections, initiating
from tests.api.business import COST, EVENING, KPI, MORNING, NOON, Business, found
from tests.api.conftest import ALL_SCOPES
from tests.conftest import new_tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from domain.core.database import Database
    from tests.snapshots import Snapshots

ID = re.compile(r"([a-z]{3})_[0-9a-f]{32}")
INVENTED = "0190" + "0" * 28
BUYER = ("discovery", "education", "purchase", "post_purchase", "loyalty")
STAGES = [
    {"key": "new", "name": {"en": "New"}, "step": "AWARE"},
    {"key": "bought", "name": {"en": "Bought", "fa": "خریده"}, "step": "PURCHASE", "kind": "WON"},
]


@dataclass(frozen=True)
class Row:
    """The scope that a mutation takes, or several, and an input that it accepts of a business."""

    scope: str
    asked: Callable[[Business], dict[str, Any]]
    changes: bool = True
    """Whether it changes anything; some only look."""

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())


INTEGRATIONS = "integrations:admin"


def _of(name: str, **more: Any) -> Callable[[Business], dict[str, Any]]:
    """An input that names something of what the business is connected with."""
    return lambda of: {"id": of.connected[name], **more}


def _often(_: Business) -> dict[str, Any]:
    """Who bought twice and has not gone on since."""
    return {"all": [{"occasions": {"gte": 2}}, {"inStage": {"step": "PURCHASE"}}]}


ROWS = {
    "enableConnector": Row(INTEGRATIONS, lambda _: {"connector": "outlook"}),
    "disableConnector": Row(INTEGRATIONS, lambda _: {"connector": "files"}),
    "createIntegration": Row(INTEGRATIONS, lambda _: {"connector": "notes", "label": "Another"}),
    "updateIntegration": Row(INTEGRATIONS, _of("draft", version=2, label="The books")),
    "validateIntegrationConfig": Row(INTEGRATIONS, _of("settled", config={"book": "main"}), changes=False),
    "setIntegrationSecrets": Row(INTEGRATIONS, _of("settled", secrets=[{"name": "api_key", "value": "swordfish"}])),
    "beginAuthorization": Row(INTEGRATIONS, _of("draft")),
    "confirmAuthorization": Row(INTEGRATIONS, _of("authorizing", account="9130")),
    "cancelAuthorization": Row(INTEGRATIONS, _of("authorizing")),
    "testIntegration": Row(INTEGRATIONS, _of("settled")),
    "activateIntegration": Row(INTEGRATIONS, _of("checking")),
    "pauseIntegration": Row(INTEGRATIONS, _of("active")),
    "resumeIntegration": Row(INTEGRATIONS, _of("paused")),
    "disconnectIntegration": Row(INTEGRATIONS, _of("active", dataPolicy="KEEP")),
    "setStreams": Row(INTEGRATIONS, _of("active", streams=[{"stream": "people", "everySeconds": 600}])),
    "setFieldOwnership": Row(
        INTEGRATIONS, _of("active", stream="people", fields=[{"field": "name", "owner": "LOCAL"}])
    ),
    "previewPush": Row(INTEGRATIONS, _of("active"), changes=False),
    "startSync": Row(INTEGRATIONS, _of("active", streams=["people"])),
    "cancelSync": Row(INTEGRATIONS, _of("run")),
    "resetCursor": Row(INTEGRATIONS, _of("active", stream="people", confirm=True)),
    "resumeStream": Row(INTEGRATIONS, _of("active", stream="people"), changes=False),
    "approveBulkDelete": Row(INTEGRATIONS, _of("deletion")),
    "rejectBulkDelete": Row(INTEGRATIONS, _of("deletion")),
    "acknowledgeSchemaDrift": Row(INTEGRATIONS, _of("active", stream="people")),
    "resolveConflict": Row(f"{INTEGRATIONS} customers:write", _of("conflict", choice="OURS")),
    "bulkResolveConflicts": Row(f"{INTEGRATIONS} customers:write", _of("active", policy="OURS")),
    "decideLinkCandidate": Row(f"{INTEGRATIONS} customers:write", _of("candidate", same=False)),
    "retryDeadLetters": Row(
        INTEGRATIONS, lambda of: {"id": of.connected["active"], "deadLetters": [of.connected["letter"]]}
    ),
    "discardDeadLetters": Row(
        INTEGRATIONS, lambda of: {"id": of.connected["active"], "deadLetters": [of.connected["letter"]]}
    ),
    "startReconciliation": Row(INTEGRATIONS, _of("active")),
    "repairDiscrepancies": Row(INTEGRATIONS, lambda of: {"report": of.connected["report"]}),
    "renewSubscription": Row(INTEGRATIONS, _of("active")),
    "rotateWebhookSecret": Row(INTEGRATIONS, _of("active")),
    "setOutgoingWebhook": Row(INTEGRATIONS, lambda _: {"url": "https://hooks.example.com/"}),
    "runAction": Row(
        "customers:write purchases:write",
        lambda of: {
            "integration": of.connected["active"], "action": "send_email",
            "input": {"to": ["ada@example.com"], "subject": "Hello", "text": "How are you?"},
        },
    ),
    "sendEmail": Row(
        "customers:write",
        lambda of: {
            "integration": of.connected["active"], "to": ["ada@example.com"], "subject": "Hello", "text": "Well?",
        },
    ),
    "createMeeting": Row(
        "customers:write",
        lambda of: {
            "integration": of.connected["active"], "title": "Tasting", "startsAt": MORNING, "endsAt": NOON,
        },
    ),
    "requestInvoice": Row(
        f"{INTEGRATIONS} purchases:write",
        lambda of: {
            "customer": of.ada, "occurredAt": MORNING, "currency": "EUR",
            "lines": [{"description": "Tea", "unitPrice": "5"}],
        },
    ),
    "requestInvoiceChange": Row(
        f"{INTEGRATIONS} purchases:write", lambda of: {"id": of.connected["booked"], "dueOn": "2026-12-24"}
    ),
    "sendInvoice": Row("purchases:write", lambda of: {"invoice": of.connected["invoice"]}),
    "updateTenant": Row("tokens:admin", lambda _: {"version": 1, "name": "Acme Trading"}),
    "createApiToken": Row(
        "tokens:admin", lambda of: {"name": "web", "scopes": ["customers:read"], "principal": of.principal}
    ),
    "revokeApiToken": Row("tokens:admin", lambda of: {"id": of.token}),
    "defineAttribute": Row("tokens:admin", lambda _: {"key": "tier", "type": "TEXT", "label": "Tier"}),
    "createCustomer": Row("customers:write", lambda of: {"name": "Fay", "organisationId": of.acme}),
    "updateCustomer": Row(
        "customers:write",
        lambda of: {"id": of.bea, "version": of.bea_version, "name": "Beatrix", "organisationId": of.acme},
    ),
    "mergeCustomers": Row("customers:write", lambda of: {"into": of.ada, "customers": [of.cora]}),
    "unmergeCustomers": Row("customers:write", lambda of: {"edges": [of.merge]}),
    "vetoMerge": Row("customers:write", lambda of: {"customer": of.ada, "other": of.cora}),
    "decideMergeCandidate": Row("customers:write", lambda of: {"id": of.candidate, "accept": True}),
    "recordConsent": Row(
        "customers:write",
        lambda of: {"customer": of.ada, "purpose": "newsletter", "channel": "EMAIL", "decision": "GRANTED"},
    ),
    "requestExport": Row("privacy:admin", lambda of: {"customer": of.ada}),
    "requestErasure": Row("privacy:admin", lambda of: {"customer": of.ada}),
    "createLifecycle": Row("tokens:admin", lambda _: {"key": "sales", "stages": STAGES}),
    "publishLifecycle": Row(
        "tokens:admin",
        lambda of: {
            "lifecycle": of.lifecycle, "stages": STAGES,
            "stageMap": [{"fromStage": stage, "toStage": "new"} for stage in BUYER],
        },
    ),
    "moveCustomer": Row(
        "customers:write", lambda of: {"customer": of.ada, "lifecycle": of.lifecycle, "toStage": "loyalty"}
    ),
    "correctTransition": Row(
        "customers:write", lambda of: {"id": of.move, "occurredAt": EVENING, "reason": "The clock was wrong."}
    ),
    "addStageNote": Row(
        "customers:write",
        lambda of: {
            "customer": of.ada, "lifecycle": of.lifecycle, "stage": "education", "kind": "NEED", "text": "A demo.",
        },
    ),
    "recordInteraction": Row("customers:write", lambda of: {"customer": of.ada, "kind": "CALL", "occurredAt": NOON}),
    "recordOrder": Row(
        "purchases:write", lambda of: {"customer": of.ada, "occurredAt": NOON, "currency": "EUR", "total": "1"}
    ),
    "changeOrder": Row(
        "purchases:write",
        lambda of: {
            "id": of.order, "version": 1,
            "order": {"customer": of.ada, "occurredAt": MORNING, "currency": "EUR", "total": "13"},
        },
    ),
    "cancelOrder": Row("purchases:write", lambda of: {"id": of.order, "version": 1}),
    "recordRefund": Row(
        "purchases:write",
        lambda of: {"customer": of.ada, "order": of.order, "occurredAt": NOON, "currency": "EUR", "total": "1"},
    ),
    "recordExchangeRate": Row(
        "purchases:write", lambda _: {"day": "2026-01-01", "base": "USD", "quote": "EUR", "rate": "0.9"}
    ),
    "importRecords": Row(
        "customers:write purchases:write",
        lambda _: {
            "source": "shop", "customers": [{"id": "c1", "name": "Fay"}],
            "orders": [{"id": "o1", "customer": "c1", "occurredAt": NOON, "currency": "EUR", "total": "5"}],
        },
    ),
    "recordContract": Row(
        "purchases:write",
        lambda of: {
            "customer": of.ada, "currency": "EUR",
            "events": [{"kind": "START", "occurredAt": MORNING, "mrr": "99", "termEndsOn": "2027-03-01"}],
        },
    ),
    "recordOpportunity": Row(
        "purchases:write",
        lambda of: {
            "customer": of.ada, "openedAt": MORNING, "amount": "500", "currency": "EUR", "probability": "0.4",
        },
    ),
    "recordCost": Row("purchases:write", lambda of: {**COST, "customer": of.ada, "department": of.department}),
    "changeCost": Row(
        "purchases:write", lambda of: {"id": of.cost, "version": 1, "cost": {**COST, "customer": of.acme}}
    ),
    "deleteCost": Row("purchases:write", lambda of: {"id": of.cost, "version": 1}),
    "defineDepartment": Row("customers:write", lambda _: {"key": "north", "name": "North"}),
    "assignDepartment": Row("customers:write", lambda of: {"customer": of.ada, "department": of.department}),
    "createObjective": Row("customers:write", lambda _: {"statement": "Keep them.", "kpis": [KPI]}),
    "updateObjective": Row(
        "customers:write",
        lambda of: {
            "id": of.objective, "version": 1, "status": "REACHED",
            "objective": {"statement": "Sell more.", "kpis": [KPI], "dueOn": "2026-12-31"},
        },
    ),
    "createSegment": Row("customers:write", lambda of: {"key": "often", "criteria": _often(of)}),
    "updateSegment": Row("customers:write", lambda of: {"id": of.segment, "version": 1, "criteria": _often(of)}),
    "archiveSegment": Row("customers:write", lambda of: {"id": of.segment, "version": 1}),
    "createInitiative": Row(
        "customers:write",
        lambda of: {
            "name": "Visits", "goLiveOn": "2026-04-01", "baselineDays": 90, "customers": [of.ada],
            "segments": [of.segment], "departments": [of.department],
        },
    ),
    "updateInitiative": Row(
        "customers:write", lambda of: {"id": of.connected["planned"], "version": 1, "name": "Calls", **initiating.PLAN}
    ),
    "sealBaseline": Row("customers:write", _of("planned")),
    "takeMeasurement": Row("customers:write", _of("sealed")),
    "previewSegment": Row(
        "customers:write", lambda of: {"criteria": {"not": {"segment": of.segment}}}, changes=False
    ),
}  # fmt: skip
MUTATIONS = sorted(core.mutation_type.fields)
of_every_mutation = pytest.mark.parametrize("name", MUTATIONS)


@pytest.fixture(scope="module")
def engine(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """One that reaches other sides, which are in this process."""
    return Engine(database, core, switchboard=connections.board(database, tmp_path_factory.mktemp("data")))


async def connected(engine: Engine, database: Database, tenant: UUID, lifecycle: str = "buyer") -> Business:
    """A business that is connected."""
    made = await found(engine, database, tenant, lifecycle)
    reached = await connections.connect(made, database, engine.switchboard)
    return replace(made, connected={**reached, **await initiating.begin(made, database)})


@pytest.fixture(scope="module")
async def business(engine: Engine, database: Database) -> Business:
    """One that no test changes."""
    return await connected(engine, database, await new_tenant(database))


@dataclass
class Worn:
    """A business that tests change one after the other."""

    engine: Engine
    database: Database
    business: Business

    async def renewed(self) -> Business:
        """Another one, which nobody has changed."""
        self.business = await connected(self.engine, self.database, await new_tenant(self.database))
        return self.business


@pytest.fixture(scope="module")
async def worn(engine: Engine, database: Database) -> Worn:
    return Worn(engine, database, await connected(engine, database, await new_tenant(database)))


@pytest.fixture(scope="module")
async def foreign(engine: Engine, database: Database) -> Business:
    """One of another tenant."""
    return await connected(engine, database, await new_tenant(database), lifecycle="theirs")


def test_every_mutation_has_a_row() -> None:
    assert sorted(ROWS) == MUTATIONS


@of_every_mutation
async def test_the_right_scope_alone_is_enough_and_something_changes(name: str, worn: Worn, tables: Snapshots) -> None:
    """In a business where others did something before; where that was in the way, in a new one."""
    expected: tuple[Any, bool] = ([], ROWS[name].changes)
    if await attempt(name, worn.business, tables) != expected:
        assert await attempt(name, await worn.renewed(), tables) == expected


async def attempt(name: str, own: Business, tables: Snapshots) -> tuple[Any, bool]:
    """What is wrong with a mutation whose caller has its scope alone, and whether anything changed."""
    row, before = ROWS[name], await tables.take()
    response = await own.caller.with_scopes(row.scopes).respond(name, row.asked(own))
    wrong = response.get("errors") or response["data"][name]["problems"]
    return wrong, await tables.take() != before


@of_every_mutation
async def test_without_its_scope_it_is_forbidden_and_nothing_changes(
    name: str, business: Business, tables: Snapshots
) -> None:
    row = ROWS[name]
    viewer = frozenset(str(scope) for scope in SCOPES_OF_ROLE["VIEWER"])
    async with tables.nothing_changes():
        for scopes in (*(ALL_SCOPES - {scope} for scope in row.scopes), viewer, frozenset()):
            with pytest.raises(Forbidden) as refused:
                await business.caller.with_scopes(scopes).do(name, row.asked(business))
            assert refused.value.extensions == {"scope": min(row.scopes - scopes)}


@of_every_mutation
async def test_what_is_of_another_tenant_is_not_found_as_what_was_never_there(
    name: str, business: Business, foreign: Business, tables: Snapshots
) -> None:
    mine, theirs = ROWS[name].asked(business), ROWS[name].asked(foreign)
    async with tables.nothing_changes():
        for path, own in leaves(mine):
            if not (ID.fullmatch(own) or path == ("lifecycle",)):
                continue
            other = dict(leaves(theirs))[path]
            assert other != own
            nobodys = f"{own[:4]}{INVENTED}" if ID.fullmatch(own) else "nobodys"
            answers = [await business.caller.refused(name, replaced(mine, path, value)) for value in (other, nobodys)]
            assert answers[0] == answers[1]
            assert answers[0]["__typename"] == "NotFound"
            assert answers[0]["path"] == list(path)


@of_every_mutation
async def test_an_id_that_is_none_or_of_another_type_is_bad_input(
    name: str, business: Business, tables: Snapshots
) -> None:
    asked = ROWS[name].asked(business)
    async with tables.nothing_changes():
        for path, own in leaves(asked):
            if ID.fullmatch(own):
                for value in ("nonsense", "", f"ten_{INVENTED}"):
                    response = await business.caller.respond(name, replaced(asked, path, value))
                    assert response["data"] == {name: None}
                    (error,) = response["errors"]
                    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
                    assert error["path"] == [name]


def leaves(asked: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The texts in an input with the way to each."""
    items = enumerate(asked) if isinstance(asked, list) else asked.items()
    for step, value in items:
        here = (*path, str(step))
        if isinstance(value, dict | list):
            yield from leaves(value, here)
        elif isinstance(value, str):
            yield here, value


def replaced(asked: Any, path: tuple[str, ...], value: str) -> Any:
    """The same input with another text in one place."""
    if not path:
        return value
    step, *rest = path
    if isinstance(asked, list):
        return [replaced(each, tuple(rest), value) if str(at) == step else each for at, each in enumerate(asked)]
    return {**asked, step: replaced(asked[step], tuple(rest), value)}
