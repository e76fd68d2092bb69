"""An admin enables an integration with nothing but GraphQL, against the vendor's sandbox; what can go wrong is said."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy import select, update

from api.engine import Ask, encode
from domain.core.events import DueWork
from domain.customers.model import PrivacyRequest
from domain.integrations import actions, queries
from domain.integrations.model import HookToken, IntegrationState, RemoteAccount
from sync import troubles
from sync.registry import load
from tenure_sdk import Delivery, StandardWebhooks, icon_problem, tile
from tests.api import desk as desks
from tests.api.desk import REALM, Desk
from tests.conftest import dsn
from tests.docs.pages import DOCS, blocks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from domain.core.database import Database
    from domain.tenants.queries import Identity
    from tests.conftest import Logins

SECRET = "swordfish-9137"
HOW_TO = DOCS / "how-to"


@pytest.fixture
async def desk(database: Database, tenant: UUID, tmp_path: Path) -> AsyncIterator[Desk]:
    made = await desks.opened(database, tenant, tmp_path)
    async with made.app.router.lifespan_context(made.app):
        yield made


async def test_the_catalogue_says_what_there_is_and_what_it_needs(desk: Desk) -> None:
    found = await desk.read("""{ connectors(category: ACCOUNTING) {
        key title category enabled loadError readiness { ready missing redirectUrl webhookUrl } auth { kind scopes }
        configSchema streams { name records deletes pushFields { name maxLength required } } actions { name idempotent }
    } }""")
    (quickbooks,) = found["connectors"]
    assert quickbooks["readiness"] == {
        "ready": True, "missing": [], "redirectUrl": "https://crm.example.com/oauth/callback",
        "webhookUrl": "https://crm.example.com/hooks/app/quickbooks/events",
    }  # fmt: skip
    assert quickbooks["auth"] == {"kind": "O_AUTH2", "scopes": ["com.intuit.quickbooks.accounting"]}
    assert quickbooks["enabled"] is False
    assert quickbooks["actions"] == [{"name": "send_invoice", "idempotent": True}]
    assert [stream["name"] for stream in quickbooks["streams"]] == [
        "customers", "items", "invoices", "sales_receipts", "payments", "credit_memos", "refund_receipts",
    ]  # fmt: skip
    assert {"name": "name", "maxLength": 500, "required": True} in quickbooks["streams"][0]["pushFields"]
    assert set(quickbooks["configSchema"]["$defs"]["QuickBooksConfig"]["properties"]) >= {
        "environment",
        "time_zone",
        "home_currency",
    }


async def test_one_of_the_catalogue_is_found_by_its_key_or_by_words(desk: Desk) -> None:
    found = await desk.read("""{ connector(key: "quickbooks") { title } none: connector(key: "nope") { title }
        connectors(search: "BOOKS") { key } all: connectors { key } }""")
    assert (found["connector"], found["none"]) == ({"title": "QuickBooks Online"}, None)
    assert found["connectors"] == [{"key": "quickbooks"}]
    assert {each["key"] for each in found["all"]} > {"quickbooks"}


async def test_what_is_connected_is_found_by_its_id(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    told = await desk.integration(id_, "streams { name lagSeconds } runs(first: 1) { nodes { id } }")
    run = told["runs"]["nodes"][0]["id"]
    found = await desk.read(
        f'{{ integration(id: "{id_}") {{ id }} syncRun(id: "{run}") {{ id integration {{ id }} }}'
        f' reconciliationReport(id: "rec_{"0" * 32}") {{ id }} }}'
    )
    assert found == {
        "integration": {"id": id_}, "syncRun": {"id": run, "integration": {"id": id_}}, "reconciliationReport": None,
    }  # fmt: skip
    assert [each["name"] for each in told["streams"] if each["lagSeconds"] is not None]


async def test_the_catalogue_says_the_tier_and_how_to_be_called(desk: Desk) -> None:
    asked = '{ connector(key: "quickbooks") { tier webhookHelp } }'
    shown = (await desk.read(asked))["connector"]
    assert shown["tier"] is None
    assert shown["webhookHelp"][0].endswith(": https://crm.example.com/hooks/app/quickbooks/events")
    desk.board.registry.tiers["quickbooks"] = "gold"
    assert (await desk.read(asked))["connector"]["tier"] == "GOLD"


async def test_integrations_are_found_by_what_they_are(desk: Desk) -> None:
    books, notes = await desk.quickbooks(), await _noted(desk)
    asked = "query ($filter: IntegrationFilter) { integrations(first: 9, filter: $filter) { nodes { id } totalCount } }"

    async def found(**chosen: Any) -> list[str]:
        page = (await desk.read(asked, filter=chosen))["integrations"]
        assert page["totalCount"] == len(page["nodes"])
        return [each["id"] for each in page["nodes"]]

    assert await found() == [notes, books]
    assert await found(connector={"eq": "quickbooks"}) == [books]
    assert await found(state={"in": ["DRAFT", "PAUSED"]}) == [notes, books]
    assert await found(label={"startsWith": "The"}, state={"eq": "ACTIVE"}) == []


async def test_an_integration_says_how_fast_it_may_be_asked(desk: Desk) -> None:
    id_ = await desk.active()
    await desk.work()
    (quota,) = (await desk.integration(id_, "quota { requests seconds remaining pace restsUntil }"))["quota"]
    assert 0 <= quota.pop("remaining") <= 50
    assert quota == {"requests": 500, "seconds": 60, "pace": "1", "restsUntil": None}


async def test_a_stream_is_read_from_its_start_only_when_that_is_meant(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    problem = await desk.caller.refused("resetCursor", {"id": id_, "stream": "people"})
    assert (problem["code"], problem["path"]) == ("NOT_CONFIRMED", ["confirm"])
    await desk.caller.do("resetCursor", {"id": id_, "stream": "people", "confirm": True}, "integration { id }")


async def test_an_icon_is_a_drawing_that_runs_and_loads_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load().connectors
    assert {icon_problem(shipped[key].icon or "") for key in ("files", "outlook", "quickbooks")} == {None}
    [shown] = (await desk.read("{ connectors(category: ACCOUNTING) { icon } }"))["connectors"]
    content_type, _, drawn = shown["icon"].partition(";base64,")
    assert (content_type, b64decode(drawn).decode()) == ("data:image/svg+xml", tile("QB", "#2b8a3e"))
    monkeypatch.setattr(shipped["quickbooks"], "icon", tile("QB").replace("<rect", "<rect onload='x()'"))
    assert (await desk.read("{ connectors(category: ACCOUNTING) { icon } }"))["connectors"] == [{"icon": None}]


async def test_an_admin_enables_quickbooks_and_reads_customers(desk: Desk) -> None:
    id_ = await desk.quickbooks()
    assert await desk.integration(id_, "state account connector streams { name enabled direction }") == {
        "state": "DRAFT", "account": None, "connector": "quickbooks",
        "streams": [
            {"name": name, "enabled": True, "direction": "READ_ONLY"}
            for name in sorted(
                ("customers", "items", "invoices", "sales_receipts", "payments", "credit_memos", "refund_receipts")
            )
        ],
    }  # fmt: skip
    await desk.authorised(id_)
    assert (await desk.integration(id_, "state"))["state"] == "AUTHORIZING"

    shown = await desk.caller.do("confirmAuthorization", {"id": id_}, "account accountLabel integration { state }")
    assert shown["account"] == REALM
    assert shown["accountLabel"] == "Sandbox Company 9130"
    assert shown["integration"]["state"] == "AUTHORIZING"
    accepted = await desk.caller.do(
        "confirmAuthorization", {"id": id_, "account": REALM}, "integration { state account accountLabel }"
    )
    assert accepted["integration"] == {"state": "CHECKING", "account": REALM, "accountLabel": "Sandbox Company 9130"}

    tested = await desk.caller.do(
        "testIntegration", {"id": id_}, "account estimate { stream enabled direction since records }"
    )
    estimate = {each["stream"]: each for each in tested["estimate"]}
    assert estimate["customers"] == {
        "stream": "customers", "enabled": True, "direction": "READ_ONLY", "since": None, "records": 12,
    }  # fmt: skip
    assert estimate["invoices"]["records"] == 24

    await desk.caller.do("activateIntegration", {"id": id_}, "integration { state }")
    await desk.work()
    known = await desk.integration(
        id_, "state activatedAt runs(first: 20) { nodes { stream mode created rejected error endedAt } }"
    )
    assert known["state"] == "ACTIVE"
    runs = {run["stream"]: run for run in known["runs"]["nodes"]}
    assert (runs["customers"]["created"], runs["customers"]["error"]) == (12, None)
    assert (runs["invoices"]["created"], runs["invoices"]["error"]) == (24, None)
    customers = await desk.read("{ customers(first: 50) { totalCount nodes { displayName } } }")
    assert customers["customers"]["totalCount"] == 12


async def test_the_page_on_enabling_an_integration_holds(desk: Desk) -> None:
    """Every step of the page, in its order; at the authorization a person allows it at the vendor."""
    known: dict[str, Any] = {"account": REALM}
    for step in blocks(HOW_TO / "enable-an-integration.md", "graphql"):
        if step.text.startswith("subscription"):
            continue
        variables = {name: value for name, value in known.items() if f"${name}:" in step.text}
        answer = await desk.caller.answer(step.text, **variables)
        assert "errors" not in answer, (step, answer)
        if not step.text.startswith("mutation"):
            continue
        (payload,) = answer["data"].values()
        assert payload["problems"] == [], step
        if "createIntegration" in step.text:
            known |= {name: payload["integration"][name] for name in ("id", "version")}
        if "beginAuthorization" in step.text:
            await desk.allow(payload["authorizeUrl"])
        if "activateIntegration" in step.text:
            await desk.work()
    customers = await desk.read("{ customers(first: 50) { totalCount } }")
    assert customers["customers"]["totalCount"] == 12


async def test_another_principal_cannot_finish_an_authorization(desk: Desk) -> None:
    id_ = await desk.quickbooks()
    await desk.authorised(id_)
    problem = await (await desk.colleague()).refused("confirmAuthorization", {"id": id_, "account": REALM})
    assert problem["code"] == "AUTHORIZATION_OF_ANOTHER"
    assert (await desk.integration(id_, "state account")) == {"state": "AUTHORIZING", "account": None}


async def test_another_account_is_refused_when_it_is_authorised_again(desk: Desk) -> None:
    id_ = await desk.active()
    await desk.authorised(id_, realm="4711")
    problem = await desk.caller.refused("confirmAuthorization", {"id": id_, "account": "4711"})
    assert problem["code"] == "OTHER_ACCOUNT"
    assert "Sandbox Company 4711" in problem["message"]
    assert (await desk.integration(id_, "account"))["account"] == REALM
    cancelled = await desk.caller.do("cancelAuthorization", {"id": id_}, "integration { state reason }")
    assert cancelled["integration"] == {"state": "PAUSED", "reason": "An authorization was begun and cancelled."}
    await desk.caller.do("resumeIntegration", {"id": id_}, "integration { state }")
    await desk.work()
    assert (await desk.integration(id_, "state"))["state"] == "ACTIVE"


async def test_settings_are_checked_all_at_once(desk: Desk) -> None:
    id_ = await _noted(desk)
    wrong = {"book": "BC", "depth": 12, "colour": "red"}
    payload = await desk.caller.payload("validateIntegrationConfig", {"id": id_, "config": wrong}, "integration { id }")
    assert payload["integration"] is None
    assert {problem["code"] for problem in payload["problems"]} == {"SETTING_UNFIT"}
    assert sorted(problem["path"] for problem in payload["problems"]) == [
        ["config", "book"], ["config", "colour"], ["config", "depth"],
    ]  # fmt: skip
    missing = await desk.caller.refused("updateIntegration", {"id": id_, "version": 2, "config": {}})
    assert (missing["code"], missing["path"]) == ("SETTING_UNFIT", ["config", "book"])


async def test_secrets_go_in_and_never_come_out(
    desk: Desk, logins: Logins, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    id_ = await _noted(desk)
    answers: list[Any] = []
    secrets = [{"name": "api_key", "value": SECRET}]
    set_them = {"id": id_, "secrets": secrets}
    answers.append(await desk.caller.do("setIntegrationSecrets", set_them, "integration { id secrets config }"))
    config = {"book": "main", "signing": f"{SECRET}-2"}
    changed = {"id": id_, "version": await _version(desk, id_), "config": config}
    answers.append(await desk.caller.do("updateIntegration", changed, "integration { id secrets config }"))
    assert answers[-1]["integration"] == {"id": id_, "secrets": ["api_key", "signing"], "config": {"book": "main"}}
    problem = await desk.caller.refused(
        "setIntegrationSecrets", {"id": id_, "secrets": [{"name": "password", "value": SECRET}]}
    )
    assert (problem["code"], problem["path"]) == ("UNKNOWN_SECRET", ["secrets", "0", "name"])
    answers.append(await desk.caller.do("testIntegration", {"id": id_}, "account integration { state }"))
    answers.append(await desk.read("{ auditLog(first: 50) { nodes { action subject actor } } }"))
    assert SECRET not in repr(answers)
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capsys.readouterr())
    assert await _places_with(logins, SECRET) == []


async def _places_with(logins: Logins, text: str) -> list[str]:
    """The tables in which a text stands, whoever looks."""
    connection = await asyncpg.connect(dsn(logins.superuser))
    try:
        tables = await connection.fetch(
            "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = 'r' AND c.relpersistence <> 't' "
            "AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        )
        found = []
        for table in tables:
            query = f"SELECT count(*) FROM {table['name']} t WHERE position($1 in t::text) > 0"
            if await connection.fetchval(query, text):
                found.append(table["name"])
        return found
    finally:
        await connection.close()


async def test_states_follow_each_other_as_they_must(desk: Desk) -> None:
    id_ = await _noted(desk)
    early = await desk.caller.refused("activateIntegration", {"id": id_})
    assert early["code"] == "NOTHING_REACHED"
    assert (await desk.caller.refused("resumeIntegration", {"id": id_}))["code"] == "WRONG_STATE"
    assert (await desk.caller.refused("pauseIntegration", {"id": id_}))["code"] == "WRONG_STATE"
    assert (await desk.caller.refused("cancelAuthorization", {"id": id_}))["code"] == "WRONG_STATE"
    await _activated(desk, id_)
    for name, state in (("pauseIntegration", "PAUSED"), ("resumeIntegration", "ACTIVE")):
        changed = await desk.caller.do(name, {"id": id_}, "integration { state }")
        assert changed["integration"]["state"] == state


async def test_nobody_but_the_operator_releases_a_quarantine(desk: Desk) -> None:
    id_ = await _noted(desk)
    await _activated(desk, id_)
    await _set_state(desk, id_, IntegrationState.QUARANTINED)
    for name in ("resumeIntegration", "pauseIntegration", "activateIntegration"):
        assert (await desk.caller.refused(name, {"id": id_}))["code"] == "WRONG_STATE"


async def test_a_connector_that_is_not_ready_is_not_enabled(database: Database, tenant: UUID, tmp_path: Path) -> None:
    made = await desks.opened(database, tenant, tmp_path, public=None)
    async with made.app.router.lifespan_context(made.app):
        problem = await made.caller.refused("enableConnector", {"connector": "quickbooks"})
    assert problem["code"] == "CONNECTOR_NOT_READY"
    assert problem["message"] == "The operator sets TENURE_PUBLIC_URL, so that the vendor can send the browser back."


async def test_what_is_connected_is_disconnected_without_a_trace(desk: Desk) -> None:
    id_ = await desk.active()
    await desk.work()
    integration_id = UUID(id_[4:])
    counts = "documents interactions customers erasures warnings integration { state }"
    keep = {"id": id_, "dataPolicy": "KEEP", "dryRun": True}
    looked = await desk.caller.do("disconnectIntegration", keep, counts)
    assert looked["integration"]["state"] == "ACTIVE"
    assert (looked["customers"], looked["erasures"], looked["warnings"]) == (12, 0, [])
    assert looked["documents"] > 24
    purged = await desk.caller.do("disconnectIntegration", {**keep, "dataPolicy": "PURGE"}, counts)
    assert (purged["documents"], purged["interactions"], purged["customers"]) == (0, 0, 0)

    asked = {"id": id_, "dataPolicy": "KEEP", "revokeRemote": True}
    left = await desk.caller.do("disconnectIntegration", asked, counts)
    assert left == {**looked, "integration": {"state": "DISCONNECTED"}}
    known = await desk.integration(id_, "secrets account state")
    assert known == {"secrets": [], "account": REALM, "state": "DISCONNECTED"}
    assert desk.sandbox.authorizations.access(desk.sandbox.tokens_for(REALM)["access_token"]) is not None
    async with desk.database.reading(desk.tenant) as work:
        of = DueWork.tenant_id == desk.tenant, DueWork.key.like(f"{integration_id.hex}%")
        assert await work.all(select(DueWork.kind).where(*of)) == []
        assert await work.all(select(RemoteAccount.account).where(RemoteAccount.tenant_id == desk.tenant)) == []
        assert await work.all(select(HookToken.app).where(HookToken.tenant_id == desk.tenant)) == []
    assert (await desk.read("{ customers(first: 1) { totalCount } }"))["customers"]["totalCount"] == 12
    again = await desk.caller.refused("disconnectIntegration", asked)
    assert again["code"] == "WRONG_STATE"
    await desk.caller.do("disableConnector", {"connector": "quickbooks"}, "connector { enabled }")


async def test_an_integration_is_taken_up_again_where_it_was_disconnected(desk: Desk) -> None:
    id_ = await desk.active()
    await desk.work()
    await desk.caller.do("disconnectIntegration", {"id": id_, "dataPolicy": "PURGE"}, "documents")
    await desk.work()
    gone = await desk.read("{ customers(first: 50) { nodes { displayName timeline(first: 1) { totalCount } } } }")
    assert {(each["displayName"], each["timeline"]["totalCount"]) for each in gone["customers"]["nodes"]} == {("", 0)}
    await desk.authorised(id_)
    await desk.caller.do("confirmAuthorization", {"id": id_, "account": REALM}, "account")
    known = await desk.integration(id_, "state")
    if known["state"] == "CHECKING":
        await desk.caller.do("activateIntegration", {"id": id_}, "integration { state }")
    await desk.work()
    back = await desk.read(
        "{ customers(first: 50) { totalCount nodes { displayName timeline(first: 1) { totalCount } } } }"
    )
    assert back["customers"]["totalCount"] == 12
    assert all(each["displayName"] and each["timeline"]["totalCount"] for each in back["customers"]["nodes"])


async def test_erasure_is_asked_for_of_those_whom_nobody_else_knows(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada", n2="Bea")
    found = await desk.read("{ customers(first: 9) { nodes { id displayName } } }")
    ids = {each["displayName"]: each["id"] for each in found["customers"]["nodes"]}
    note = {"customer": ids["Bea"], "kind": "NOTE", "occurredAt": "2026-05-01T12:00:00Z", "payload": {"text": "Hello."}}
    await desk.caller.do("recordInteraction", note, "interaction { id }")
    asked = {"id": id_, "dataPolicy": "ANONYMISE"}
    left = await desk.caller.do("disconnectIntegration", asked, "customers erasures")
    assert (left["customers"], left["erasures"]) == (2, 1)
    await desk.work()
    async with desk.database.reading(desk.tenant) as work:
        mine = PrivacyRequest.tenant_id == desk.tenant
        requests = list(await work.all(select(PrivacyRequest).where(mine)))
    assert [(f"cus_{each.customer_id.hex}", each.kind, each.completed_at) for each in requests] == [
        (ids["Ada"], "ERASE", None)
    ]


async def test_the_other_side_stops_calling_when_it_is_disconnected(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    assert desk.notes.subscribed is not None
    await desk.caller.do("disconnectIntegration", {"id": id_, "dataPolicy": "KEEP"}, "warnings")
    assert desk.notes.subscribed is None


async def test_an_address_is_rotated_and_the_old_one_is_nobodys(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    old = str(desk.notes.subscribed)
    rotated = await desk.caller.do("rotateWebhookSecret", {"id": id_}, "url secret integration { id }")
    await desk.work()
    assert desk.notes.subscribed == rotated["url"] != old
    assert len(rotated["secret"]) > 30
    assert (await desk.browser.post(old.removeprefix(desks.PUBLIC), content=b"{}")).status_code == 404
    assert (await desk.browser.post(rotated["url"].removeprefix(desks.PUBLIC), content=b"{}")).status_code == 401
    again = await desk.caller.payload("rotateWebhookSecret", {"id": id_}, "url", key="once")
    assert again["url"] is not None
    replayed = await desk.caller.refused("rotateWebhookSecret", {"id": id_}, key="once")
    assert replayed["code"] == "SECRET_ALREADY_SHOWN"
    books = await desk.quickbooks()
    assert (await desk.caller.refused("rotateWebhookSecret", {"id": books}))["code"] == "NOT_CALLED"


async def test_a_stream_is_written_when_that_is_switched_on(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    bea = await desk.caller.do("createCustomer", {"name": "Bea", "emails": ["bea@example.com"]}, "customer { id }")
    seen = await desk.caller.do(
        "previewPush", {"id": id_}, "creates updates conflicts doubtful changes { op type localId remoteId }"
    )
    assert {name: seen[name] for name in ("creates", "updates", "conflicts", "doubtful")} == {
        "creates": 1, "updates": 0, "conflicts": 0, "doubtful": 0,
    }  # fmt: skip
    assert seen["changes"] == [{"op": "create", "type": "customer", "localId": bea["customer"]["id"], "remoteId": None}]
    assert sorted(row.name for row in desk.notes.rows.values()) == ["Ada"]
    await _two_way(desk, id_)
    assert sorted(str(row.name) for row in desk.notes.rows.values()) == ["Ada", "Bea"]
    assert (await desk.integration(id_, "outboundChanges(first: 9) { nodes { status } }")) == {
        "outboundChanges": {"nodes": []}
    }


async def test_whom_the_books_know_is_not_made_there_again_however_early_writing_is_switched_on(desk: Desk) -> None:
    name, email = "Roasters of the Caspian", "hello@caspian.example.com"
    company = desk.sandbox.company(REALM)
    known = company.create("Customer", DisplayName="Caspian Coffee House Ltd", PrimaryEmailAddr={"Address": email})
    before = {row["Id"] for row in company.records("Customer")}
    for said in ({"name": name, "emails": [email]}, {"name": "Newcomer", "emails": ["new@example.com"]}):
        made = await desk.caller.do("createCustomer", said, "customer { id }")
        bought = {"occurredAt": "2026-03-01T00:00:00Z", "currency": "USD", "total": "10"}
        await desk.caller.do("recordOrder", {"customer": made["customer"]["id"], **bought}, "order { id }")
    id_ = await desk.quickbooks()
    await desk.authorised(id_)
    await desk.caller.do("confirmAuthorization", {"id": id_, "account": REALM}, "account")
    asked = {"id": id_, "streams": [{"stream": "customers", "direction": "TWO_WAY"}]}
    await desk.caller.do("setStreams", asked, "integration { id }")
    await desk.work()
    seen = await desk.caller.do("previewPush", {"id": id_}, "creates waitsFor")
    assert (seen["creates"], seen["waitsFor"]) == (0, ["customers", "invoices"])
    assert await _waiting(desk, id_) == {"customers"}
    await desk.caller.do("activateIntegration", {"id": id_}, "integration { state }")
    await desk.work()
    after = {row["Id"]: row["PrimaryEmailAddr"]["Address"] for row in company.records("Customer")}
    assert [after[id_] for id_ in after.keys() - before] == ["new@example.com"]
    shown = await desk.read(f'{{ customer(by: {{ email: "{email}" }}) {{ sources {{ remoteId }} }} }}')
    assert shown["customer"]["sources"] == [{"remoteId": known["Id"]}]
    assert await _attention(desk, "REJECTED_CHANGE", "LINK_CANDIDATE", "CONFLICT") == []
    seen = await desk.caller.do("previewPush", {"id": id_}, "creates updates waitsFor")
    assert (seen["creates"], seen["updates"], seen["waitsFor"]) == (0, 0, [])
    assert await _waiting(desk, id_) == set()


async def test_customers_who_are_written_are_read_from_the_start_before(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    late = {"stream": "people", "since": "2026-02-01T00:00:00Z"}
    await desk.caller.do("setStreams", {"id": id_, "streams": [late]}, "integration { id }")
    assert (await desk.integration(id_, "streams { name since }"))["streams"] == [
        {"name": "people", "since": "2026-02-01T00:00:00+00:00"}
    ]
    assert await _waiting(desk, id_) == set()
    await desk.caller.do(
        "setStreams", {"id": id_, "streams": [{"stream": "people", "direction": "TWO_WAY"}]}, "integration { id }"
    )
    assert (await desk.integration(id_, "streams { name since }"))["streams"] == [{"name": "people", "since": None}]
    assert await _waiting(desk, id_) == {"people"}
    await desk.work()
    assert await _waiting(desk, id_) == set()


async def test_what_cannot_be_written_is_not_switched_on(desk: Desk) -> None:
    id_ = await desk.active()
    asked = {"id": id_, "streams": [{"stream": "items", "direction": "TWO_WAY"}]}
    assert (await desk.caller.refused("setStreams", asked))["code"] == "CANNOT_PUSH"
    unknown = {"id": id_, "streams": [{"stream": "dragons", "enabled": False}]}
    assert (await desk.caller.refused("setStreams", unknown))["code"] == "UNKNOWN_STREAM"
    hasty = {"id": id_, "streams": [{"stream": "items", "everySeconds": 5}]}
    problem = await desk.caller.refused("setStreams", hasty)
    assert (problem["code"], problem["path"]) == ("TOO_OFTEN", ["streams", "0", "everySeconds"])
    nobodys = {"id": id_, "stream": "items", "fields": [{"field": "colour", "owner": "LOCAL"}]}
    problem = await desk.caller.refused("setFieldOwnership", nobodys)
    assert (problem["code"], problem["path"]) == ("UNKNOWN_FIELD", ["fields", "0", "field"])
    assert problem["message"].endswith("they have: family, name, sku, tier_rank.")


async def test_a_conflict_is_an_object_until_somebody_chooses(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    await _two_way(desk, id_)
    owned = {"id": id_, "stream": "people", "fields": [{"field": "name", "owner": "MANUAL"}]}
    await desk.caller.do("setFieldOwnership", owned, "integration { id }")
    (ada,) = (await desk.read("{ customers(first: 9) { nodes { id version } } }"))["customers"]["nodes"]
    await desk.caller.do("updateCustomer", {**ada, "name": "Ada Lovelace"}, "customer { id }")
    desk.notes.put("n1", name="Ada King")
    await _sync(desk, id_)
    (conflict,) = (await desk.integration(id_, "conflicts(first: 9) { nodes { id field base ours theirs policy } }"))[
        "conflicts"
    ]["nodes"]
    assert {name: value for name, value in conflict.items() if name != "id"} == {
        "field": "name", "base": "Ada", "ours": "Ada Lovelace", "theirs": "Ada King", "policy": "MANUAL",
    }  # fmt: skip
    (item,) = await _attention(desk, "CONFLICT")
    assert (item["integration"], item["count"]) == (id_, 1)
    others = {"id": id_, "policy": "THEIRS", "filter": {"field": "emails"}}
    assert (await desk.caller.do("bulkResolveConflicts", others, "resolved"))["resolved"] == []
    chosen = {"id": conflict["id"], "choice": "OURS"}
    await desk.caller.do("resolveConflict", chosen, "conflict { resolution }")
    await desk.work()
    assert desk.notes.rows["n1"].name == "Ada Lovelace"
    assert await _attention(desk, "CONFLICT") == []
    assert (await desk.caller.refused("resolveConflict", chosen))["code"] == "CONFLICT_RESOLVED"


async def test_all_conflicts_that_fit_are_resolved_at_once(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada", n2="Bea")
    await _two_way(desk, id_)
    owned = {"id": id_, "stream": "people", "fields": [{"field": "name", "owner": "MANUAL"}]}
    await desk.caller.do("setFieldOwnership", owned, "integration { id }")
    people = (await desk.read("{ customers(first: 9) { nodes { id version } } }"))["customers"]["nodes"]
    for person in people:
        await desk.caller.do("updateCustomer", {**person, "name": "Ours"}, "customer { id }")
    for key in ("n1", "n2"):
        desk.notes.put(key, name="Theirs")
    await _sync(desk, id_)
    asked = {"id": id_, "policy": "THEIRS", "filter": {"type": "customer", "field": "name"}}
    told = await desk.caller.do(
        "bulkResolveConflicts", asked, "resolved integration { conflicts(first: 9) { nodes { id } } }"
    )
    assert len(told["resolved"]) == 2
    assert told["integration"]["conflicts"]["nodes"] == []
    await desk.work()
    people = (await desk.read("{ customers(first: 9) { nodes { displayName } } }"))["customers"]["nodes"]
    assert people == [{"displayName": "Theirs"}] * 2
    assert sorted(str(row.name) for row in desk.notes.rows.values()) == ["Theirs", "Theirs"]


async def test_rejected_records_are_tried_again_or_put_aside(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    for key in ("n2", "n3"):
        desk.notes.put(key, name="Bea", attributes={"age": "many"})
    await desk.caller.do(
        "defineAttribute", {"key": "age", "type": "INTEGER", "label": "Age"}, "attribute { key }"
    )  # fmt: skip
    await _sync(desk, id_)
    letters = (await desk.integration(id_, "deadLetters(first: 9) { nodes { id remoteId reason attempts } }"))[
        "deadLetters"
    ]["nodes"]
    assert [each["remoteId"] for each in letters] == ["n3", "n2"]
    (item,) = await _attention(desk, "REJECTED_RECORD")
    assert item["count"] == 2
    foreign = {"id": await desk.quickbooks(), "deadLetters": [letters[0]["id"]]}
    assert (await desk.caller.refused("retryDeadLetters", foreign))["code"] == "NOT_FOUND"
    first = {"id": id_, "deadLetters": [letters[0]["id"]]}
    tried = await desk.caller.do("retryDeadLetters", first, "landed refused fetching")
    assert tried["landed"] == []
    assert tried["refused"] + tried["fetching"] == [letters[0]["id"]]
    desk.notes.put("n3", name="Bea", attributes={})
    await desk.work()
    rest = {"id": id_, "deadLetters": [letters[1]["id"]]}
    await desk.caller.do("discardDeadLetters", rest, "integration { id }")
    assert (await desk.caller.refused("discardDeadLetters", rest))["code"] == "LETTER_RESOLVED"


async def test_a_large_deletion_waits_for_a_person(desk: Desk) -> None:
    id_ = await _read(desk, **{f"n{number}": f"Person {number}" for number in range(40)})
    for number in range(30):
        del desk.notes.rows[f"n{number}"]
    await _sync(desk, id_, "FULL")
    (waiting,) = (await desk.integration(id_, "bulkDeletes(first: 9) { nodes { id found known decision } }"))[
        "bulkDeletes"
    ]["nodes"]
    assert (waiting["found"], waiting["known"], waiting["decision"]) == (30, 40, None)
    assert [item["count"] for item in await _attention(desk, "BULK_DELETE")] == [1]
    approved = await desk.caller.do(
        "approveBulkDelete", {"id": waiting["id"]}, "bulkDelete { decision }"
    )  # fmt: skip
    assert approved["bulkDelete"] == {"decision": "APPROVED"}
    assert (await desk.caller.refused("rejectBulkDelete", {"id": waiting["id"]}))["code"] == "ALREADY_DECIDED"
    await desk.work()
    assert await _attention(desk, "BULK_DELETE") == []


async def test_both_sides_are_compared_and_repaired(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada", n2="Bea")
    desk.notes.put("n2", name="Beatrix")
    await desk.caller.do("startReconciliation", {"id": id_}, "integration { id }")
    await desk.work(rounds=1)
    found = "differences(first: 9) { nodes { remoteId kind } }"
    wanted = f"accuracy reports(first: 9) {{ nodes {{ id compared matching accuracy {found} }} }}"
    before = await desk.integration(id_, wanted)
    (report,) = before["reports"]["nodes"]
    if report["differences"]["nodes"]:
        assert report["differences"]["nodes"] == [{"remoteId": "n2", "kind": "DIFFERENT"}]
    await desk.caller.do("repairDiscrepancies", {"report": report["id"]}, "report { id }")
    await desk.work()
    await desk.caller.do("startReconciliation", {"id": id_}, "integration { id }")
    await desk.work()
    after = await desk.integration(id_, f"compared comparedStreams {wanted}")
    assert (after["accuracy"], after["compared"], after["comparedStreams"]) == ("1", 2, ["people"])
    draft = await desk.quickbooks()
    assert (await desk.caller.refused("startReconciliation", {"id": draft}))["code"] == "WRONG_STATE"


async def test_actions_are_done_once_and_their_input_is_checked(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    mail = {"integration": id_, "to": ["ada@example.com"], "subject": "Hello", "text": "How are you?"}
    for _ in range(2):
        sent = await desk.caller.do("sendEmail", {**mail, "idempotencyKey": "k-1"}, "remoteId sentAt")
        assert sent["remoteId"] == "mail-1"
    assert desk.notes.sent == {"k-1": ("send_email", {"to": ("ada@example.com",), "subject": "Hello"})}
    await _two_at_once_under_one_key(desk, mail)
    problem = await desk.caller.refused("sendEmail", {**mail, "to": ["nobody"]})
    assert (problem["code"], problem["path"]) == ("ACTION_INPUT_UNFIT", ["to", "0"])
    meeting = {
        "integration": id_, "title": "Tasting", "startsAt": "2026-12-01T10:00:00Z", "endsAt": "2026-12-01T11:00:00Z",
    }  # fmt: skip
    made = await desk.caller.do("createMeeting", meeting, "remoteId url")
    assert (made["remoteId"], made["url"]) == ("meeting-1", "https://book.example.com/meeting-1")
    wild = {"integration": id_, "action": "send_email", "input": {"to": "x"}}
    assert (await desk.caller.refused("runAction", wild))["path"] == ["input", "to"]
    done = await desk.caller.do(
        "runAction", {**wild, "input": {"to": ["b@example.com"], "subject": "S", "text": "T"}}, "result"
    )
    assert done["result"]["id"] == "mail-5"
    unknown = await desk.caller.refused("runAction", {**wild, "action": "fly"})
    assert unknown["code"] == "UNKNOWN_ACTION"
    assert unknown["message"] == "Address Book cannot do fly; it can: create_meeting, send_email, send_invoice."
    await desk.caller.do("pauseIntegration", {"id": id_}, "integration { id }")
    assert (await desk.caller.refused("sendEmail", mail))["code"] == "WRONG_STATE"


async def _two_at_once_under_one_key(desk: Desk, mail: dict[str, Any]) -> None:
    """The key of a request stands for each of its fields by itself, at the other side as here."""
    document = (
        "mutation ($m: SendEmailInput!) { a: sendEmail(input: $m) { remoteId } b: sendEmail(input: $m) { remoteId } }"
    )
    for _ in range(2):
        both = (await desk.caller.answer(document, key="k-2", m=mail))["data"]
        assert both == {"a": {"remoteId": "mail-2"}, "b": {"remoteId": "mail-3"}}
    assert len(desk.notes.sent) == 3


async def test_an_invoice_is_sent_by_the_system_that_made_it(desk: Desk) -> None:
    await desk.active()
    await desk.work()
    (invoice,) = (await desk.read("{ invoices(first: 1) { nodes { id } } }"))["invoices"]["nodes"]
    sent = await desk.caller.do(
        "sendInvoice", {"invoice": invoice["id"], "to": "a@example.com"}, "sentAt invoice { id }"
    )
    assert sent["invoice"] == invoice
    assert sent["sentAt"] is not None


async def test_what_waits_for_a_person_is_listed(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    assert await _attention(desk) == []
    desk.notes.refuses = True
    await _sync(desk, id_)
    counted = await desk.read("{ viewer { attention { needsReauth quarantined conflicts schemaDrifts } } }")
    assert counted["viewer"]["attention"] == {
        "needsReauth": 1, "quarantined": 0, "conflicts": 0, "schemaDrifts": 0,
    }  # fmt: skip
    (item,) = await _attention(desk, "NEEDS_REAUTH")
    assert (item["integration"], item["label"], item["count"]) == (id_, "Notes", 1)
    assert item["message"] == (await desk.integration(id_, "reason"))["reason"]
    desk.notes.refuses = False
    await desk.caller.do("testIntegration", {"id": id_}, "account")
    await desk.caller.do("activateIntegration", {"id": id_}, "integration { state }")
    assert await _attention(desk) == []
    await desk.caller.do("pauseIntegration", {"id": id_}, "integration { state }")
    async with desk.database.unit_of_work(desk.tenant) as work:
        await troubles.pause_stream(work, UUID(id_[4:]), "contacts", "It may not be read.")
    paused = await _attention(desk)
    assert {(each["kind"], each["message"]) for each in paused} == {
        ("PAUSED", "An admin paused it."),
        ("PAUSED_STREAM", "Streams are not read until somebody resumes them."),
    }
    counted = await desk.read("{ viewer { attention { paused pausedStreams } } }")
    assert counted["viewer"]["attention"] == {"paused": 1, "pausedStreams": 1}


async def test_an_address_is_told_what_waits_signed_and_again(desk: Desk) -> None:
    first = await desk.caller.do(
        "setOutgoingWebhook", {"url": "https://hooks.example.com/tenure"}, "secret webhook { url enabled failures }"
    )
    assert first["webhook"] == {"url": "https://hooks.example.com/tenure", "enabled": True, "failures": 0}
    secret = first["secret"]
    id_ = await _read(desk, n1="Ada")
    assert desk.listener.calls == []
    desk.notes.refuses, desk.listener.status = True, 500
    await _sync(desk, id_)
    assert len(desk.listener.calls) == 1
    known = await desk.read("{ outgoingWebhook { failures lastError } }")
    assert known["outgoingWebhook"] == {"failures": 1, "lastError": "The address answered 500."}
    desk.listener.status = 200
    await _hurry_calls(desk)
    assert len(desk.listener.calls) == 2
    (headers, body), (again, same) = desk.listener.calls
    assert (headers["webhook-id"], body) == (again["webhook-id"], same)
    call = Delivery(body=body, headers=headers, received_at=desk.database.clock.now())
    assert StandardWebhooks().holds(call, [secret])
    told = orjson.loads(body)
    assert (told["type"], told["data"]["integration"]) == ("integration.needs_reauth", id_)
    await _hurry_calls(desk)
    assert len(desk.listener.calls) == 2
    replaced = await desk.caller.do("setOutgoingWebhook", {"newSecret": True}, "secret")
    assert replaced["secret"] not in {None, secret}
    off = await desk.caller.do("setOutgoingWebhook", {"enabled": False}, "secret webhook { enabled }")
    assert off == {"secret": None, "webhook": {"enabled": False}, "problems": []}


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://2130706433/", "x"]
)
async def test_no_address_inside_the_network_is_called(desk: Desk, url: str) -> None:
    problem = await desk.caller.refused("setOutgoingWebhook", {"url": url})
    assert (problem["code"], problem["path"]) == ("ADDRESS_REFUSED", ["url"])


PROGRESS = """subscription ($run: ID!) { syncProgress(run: $run) { run { read created } expected rate endsAt done } }"""
CHANGED = "subscription { integrationChanged { integration { id state } } }"


async def test_a_run_is_followed_until_it_is_over(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    desk.notes.put("n2", name="Bea")
    asked = {"id": id_, "streams": ["people"], "mode": "FULL"}
    (run,) = (await desk.caller.do("startSync", asked, "runs"))["runs"]
    async with aclosing(_followed(desk, PROGRESS, run=run)) as events:
        first = (await anext(events))["data"]["syncProgress"]
        assert (first["run"], first["done"]) == ({"read": 0, "created": 0}, False)
        await desk.work()
        told = [event["data"]["syncProgress"] async for event in events]
    assert told[-1]["run"] == {"read": 2, "created": 1}
    assert [event["done"] for event in told] == [False] * (len(told) - 1) + [True]


async def test_integrations_are_followed(desk: Desk) -> None:
    id_ = await _read(desk, n1="Ada")
    async with aclosing(_followed(desk, CHANGED)) as events:
        heard = asyncio.create_task(anext(events))
        await asyncio.sleep(0.5)
        await desk.caller.do("pauseIntegration", {"id": id_}, "integration { state }")
        async with asyncio.timeout(10):
            assert (await heard)["data"]["integrationChanged"] == {"integration": {"id": id_, "state": "PAUSED"}}


async def test_nobody_follows_the_run_of_another_tenant(desk: Desk, other_tenant: UUID) -> None:
    id_ = await _read(desk, n1="Ada")
    asked = {"id": id_, "streams": ["people"], "mode": "FULL"}
    (run,) = (await desk.caller.do("startSync", asked, "runs"))["runs"]
    stranger = replace(desk.caller.identity, tenant_id=other_tenant)
    async with aclosing(_followed(desk, PROGRESS, stranger, run=run)) as events:
        refused = await anext(events)
    assert refused["data"] is None
    assert [error["extensions"] for error in refused["errors"]] == [{"code": "BAD_USER_INPUT"}]


async def _followed(
    desk: Desk, document: str, identity: Identity | None = None, **variables: Any
) -> AsyncGenerator[Any]:
    ask = Ask(document, identity or desk.caller.identity, variables=variables)
    async with aclosing(desk.engine.subscribe(desk.engine.prepare(ask))) as events:
        async for event in events:
            yield orjson.loads(encode(event))


async def _hurry_calls(desk: Desk) -> None:
    async with desk.database.unit_of_work(desk.tenant) as work:
        mine = DueWork.tenant_id == desk.tenant, DueWork.kind == "notice"
        await work.execute(update(DueWork).where(*mine).values(due_at=work.now))
    await desk.work()


async def _two_way(desk: Desk, id_: str) -> None:
    asked = {"id": id_, "streams": [{"stream": "people", "direction": "TWO_WAY"}]}
    await desk.caller.do("setStreams", asked, "integration { id }")
    await desk.work()


async def _waiting(desk: Desk, id_: str) -> set[str]:
    """The streams that are to be written and were not read to their end yet."""
    streams = (await desk.integration(id_, "streams { name awaitsFirstReading }"))["streams"]
    return {stream["name"] for stream in streams if stream["awaitsFirstReading"]}


async def _attention(desk: Desk, *kinds: str) -> list[Any]:
    document = "{ viewer { attention { items { kind integration label count message since } } } }"
    items = (await desk.read(document))["viewer"]["attention"]["items"]
    return [item for item in items if not kinds or item["kind"] in kinds]


async def _noted(desk: Desk, label: str = "Notes") -> str:
    """A draft integration of the address book, without settings."""
    await desk.caller.do("enableConnector", {"connector": "notes"}, "connector { key }")
    made = await desk.caller.do("createIntegration", {"connector": "notes", "label": label}, "integration { id }")
    return str(made["integration"]["id"])


async def _version(desk: Desk, id_: str) -> int:
    return int((await desk.integration(id_, "version"))["version"])


async def _activated(desk: Desk, id_: str) -> str:
    asked = {"id": id_, "version": await _version(desk, id_), "config": {"book": "main"}}
    await desk.caller.do("updateIntegration", asked, "integration { id }")
    given = {"id": id_, "secrets": [{"name": "api_key", "value": SECRET}]}
    await desk.caller.do("setIntegrationSecrets", given, "integration { id }")
    await desk.caller.do("testIntegration", {"id": id_}, "account")
    await desk.caller.do("activateIntegration", {"id": id_}, "integration { state }")
    return id_


async def _read(desk: Desk, **people: str) -> str:
    """An active integration of the address book that was read, with these people in it, by id."""
    for key, name in people.items():
        desk.notes.put(key, name=name)
    id_ = await _activated(desk, await _noted(desk))
    await desk.work()
    return id_


async def _sync(desk: Desk, id_: str, mode: str = "INCREMENTAL") -> Any:
    started = await desk.caller.do("startSync", {"id": id_, "streams": ["people"], "mode": mode}, "runs")
    await desk.work()
    return started["runs"][0]


async def _set_state(desk: Desk, id_: str, state: IntegrationState) -> None:
    async with desk.database.unit_of_work(desk.tenant) as work:
        integration = await queries.integration(work, UUID(id_[4:]))
        await actions.move(work, integration, state, "It broke its contract.")
