from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import orjson
import pytest
import structlog
from sqlalchemy import select

from api.transport.bodies import MOST_BYTES
from domain.tenants import actions as tenants
from domain.tenants.model import ApiToken
from tests.api.transport.conftest import ORIGIN, Token, issue, post

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    import httpx2

    from api.app import Server
    from domain.core.clock import FixedClock
    from domain.core.database import Database

    Clients = Callable[..., httpx2.AsyncClient]

MODERN = "application/graphql-response+json; charset=utf-8"
CLASSIC = "application/json; charset=utf-8"
COUNT = "{ customers(first: 1) { totalCount } }"
NONE = {"data": {"customers": {"totalCount": 0}}}
CREATE = 'mutation { createCustomer(input: {name: "Ada"}) { customer { id } } }'


def refusal(response: httpx2.Response) -> tuple[int, str]:
    """The status and the code of an answer that holds one error and nothing else."""
    document = response.json()
    assert document.keys() == {"errors"}
    assert len(document["errors"]) == 1
    return response.status_code, document["errors"][0]["extensions"]["code"]


# Media types and methods


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/graphql-response+json", MODERN),
        ("application/json", CLASSIC),
        ("application/json;q=0.9, application/graphql-response+json", MODERN),
        ("application/graphql-response+json;q=0.5, */*;q=0.8", CLASSIC),
        ("*/*", CLASSIC),
        ("text/html, application/*;q=0.1", CLASSIC),
    ],
)
async def test_the_answer_is_of_the_wanted_type(
    client_of: Clients, token: Token, accept: str, content_type: str
) -> None:
    async with client_of(**token.headers, Accept=accept) as client:
        response = await post(client, COUNT)
    assert (response.status_code, response.headers["content-type"], response.json()) == (200, content_type, NONE)
    assert response.headers["cache-control"] == "no-store"
    assert int(response.headers["content-length"]) == len(response.content)


async def test_a_type_that_we_do_not_have_is_refused(client: httpx2.AsyncClient) -> None:
    response = await post(client, COUNT, headers={"Accept": "text/html"})
    assert refusal(response) == (406, "BAD_USER_INPUT")
    assert response.headers["content-type"] == CLASSIC


async def test_queries_come_by_get_too(client: httpx2.AsyncClient) -> None:
    query = "query A($n: Int) { customers(first: $n) { totalCount } } query B { __typename }"
    asked = {"query": query, "variables": '{"n": 2}', "operationName": "A"}
    response = await client.get("/graphql", params=asked)
    assert (response.status_code, response.json()) == (200, NONE)


async def test_get_changes_nothing(client: httpx2.AsyncClient) -> None:
    response = await client.get("/graphql", params={"query": CREATE})
    assert refusal(response) == (405, "BAD_USER_INPUT")
    assert response.headers["allow"] == "POST"
    assert (await post(client, COUNT)).json() == NONE


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_not_taken(client: httpx2.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=utf-16", "application/jsonp"])
async def test_bodies_are_json(client: httpx2.AsyncClient, content_type: str) -> None:
    body = orjson.dumps({"query": COUNT})
    response = await client.post("/graphql", content=body, headers={"Content-Type": content_type})
    assert refusal(response) == (415, "BAD_USER_INPUT")


# Bad input


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"query": "\xff"}',
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b'"{ __typename }"',
        b"{}",
        b'{"query": 1}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "operationName": {}}',
        b'{"query": "{ __typename }", "extensions": "x"}',
        b'{"query": "{ __typename }", "variables": {"a": %s}}' % (b"[" * 33 + b"]" * 33),
        b'{"query": "{ __typename }", "variables": {"a": %s}}' % (b"[" * 100_000 + b"]" * 100_000),
        b'{"query": "{ __typename }", "variables": %s}' % (b'{"a":' * 900 + b"1" + b"}" * 900),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_what_is_no_request_is_refused(client: httpx2.AsyncClient, body: bytes, accept: str) -> None:
    headers = {"Content-Type": "application/json", "Accept": accept}
    assert refusal(await client.post("/graphql", content=body, headers=headers)) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize("query_string", ["", "query=", "query=%FF", "query={__typename}&variables=[", "variables={}"])
async def test_what_is_no_request_is_refused_in_a_url_too(client: httpx2.AsyncClient, query_string: str) -> None:
    response = await client.get(f"/graphql?{query_string}")
    assert refusal(response) in {(400, "BAD_USER_INPUT"), (400, "GRAPHQL_PARSE_FAILED")}


async def test_a_large_body_is_not_read(client: httpx2.AsyncClient) -> None:
    body = orjson.dumps({"query": COUNT, "variables": {"a": "x" * MOST_BYTES}})
    response = await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert refusal(response) == (413, "BAD_USER_INPUT")


async def test_a_large_body_without_a_length_is_not_read_to_its_end(client: httpx2.AsyncClient) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 100 << 20:
            sent += 1 << 16
            yield b" " * (1 << 16)

    response = await client.post("/graphql", content=endless(), headers={"Content-Type": "application/json"})
    assert refusal(response) == (413, "BAD_USER_INPUT")


async def test_a_body_of_the_largest_size_is_read(client: httpx2.AsyncClient) -> None:
    body = orjson.dumps({"query": COUNT, "variables": {"a": ""}})
    body = body.replace(b'""', b'"%s"' % (b"x" * (MOST_BYTES - len(body))))
    response = await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert (len(body), response.json()) == (MOST_BYTES, NONE)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ customers(first: 1) { nothing } }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query ($n: Int!) { customers(first: $n) { totalCount } }"}, "BAD_USER_INPUT"),
        ({"query": COUNT, "operationName": "Other"}, "BAD_USER_INPUT"),
        ({"query": "{ customers(first: 501) { totalCount } }"}, "BAD_USER_INPUT"),
        ({"query": "subscription { stageTransitions { cursor } }"}, "BAD_USER_INPUT"),
    ],
)
async def test_what_graphql_refuses(client: httpx2.AsyncClient, request_: dict[str, Any], code: str) -> None:
    modern = await client.post("/graphql", json=request_)
    assert refusal(modern) == (400, code)
    classic = await client.post("/graphql", json=request_, headers={"Accept": "application/json"})
    assert refusal(classic) == (200, code)


async def test_at_most_five_short_errors_are_told(client: httpx2.AsyncClient) -> None:
    response = await post(client, "{ " + " ".join(f"{'x' * 1000}{number}" for number in range(40)) + " }")
    errors = response.json()["errors"]
    assert [len(error["message"]) for error in errors] == [300] * 5
    assert {error["extensions"]["code"] for error in errors} == {"GRAPHQL_VALIDATION_FAILED"}


async def test_a_name_that_is_nearly_right_is_not_guessed(client: httpx2.AsyncClient) -> None:
    for query in ("{ customer { id } }", "{ custommers { id } }", "{ customers(frst: 1) { totalCount } }"):
        assert "Did you mean" not in (await post(client, query)).text


# Who asks


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "tnr_000000000000_00000000000000000000000000000000",
     "Bearer tnr_000000000000_00000000000000000000000000000000"],
)  # fmt: skip
@pytest.mark.parametrize("asked", ["{", "{ __schema { types { name } } }", "{ custommers { id } }"])
async def test_anonymous_visitors_learn_nothing(client_of: Clients, authorization: str | None, asked: str) -> None:
    async with client_of(**({} if authorization is None else {"Authorization": authorization})) as client:
        answers = [
            await post(client, asked),
            await client.get("/graphql", params={"query": asked}),
            await client.get("/graphql", headers={"Accept": "text/html"}),
            await client.put("/graphql"),
        ]
    for response in answers:
        assert refusal(response) == (401, "UNAUTHENTICATED")
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["errors"][0]["message"] in {
            "Send a token: Authorization: Bearer <token>.",
            "Only the scheme Bearer is known: Authorization: Bearer <token>.",
            "The token is unknown, revoked or expired. Ask an administrator for a new one.",
        }


async def test_the_scheme_is_read_in_any_case(client_of: Clients, token: Token) -> None:
    async with client_of(Authorization=f"bEARER {token.text}") as client:
        assert (await post(client, COUNT)).json() == NONE


async def test_a_scope_that_is_missing_is_named(database: Database, client_of: Clients, tenant: UUID) -> None:
    limited = await issue(database, tenant, frozenset({"customers:read"}))
    async with client_of(**limited.headers, Accept="application/graphql-response+json") as client:
        response = await post(client, "{ orders(first: 1) { nodes { id } } }")
    assert refusal(response) == (403, "FORBIDDEN")
    assert response.json()["errors"][0]["extensions"]["scope"] == "purchases:read"


async def test_a_revoked_token_is_refused_within_half_a_minute(
    database: Database, client: httpx2.AsyncClient, token: Token, clock: FixedClock
) -> None:
    assert (await post(client, COUNT)).status_code == 200
    async with database.unit_of_work(token.tenant) as work:
        await tenants.revoke_token(work, token.id)
    clock.move(timedelta(seconds=29))
    assert refusal(await post(client, COUNT)) == (401, "UNAUTHENTICATED")


async def test_an_expired_token_is_refused_at_once(
    database: Database, client_of: Clients, tenant: UUID, clock: FixedClock
) -> None:
    short = await issue(database, tenant, expires_in=timedelta(seconds=3))
    async with client_of(**short.headers) as client:
        assert (await post(client, COUNT)).status_code == 200
        clock.move(timedelta(seconds=3))
        assert refusal(await post(client, COUNT)) == (401, "UNAUTHENTICATED")


async def test_a_known_token_takes_no_statement(
    database: Database, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(client, COUNT)
    monkeypatch.delattr(database, "engine")  # what checks tokens, and nothing that compiled reads need
    assert (await post(client, COUNT)).json() == NONE


async def test_the_last_use_of_a_token_is_noted_every_few_minutes(
    database: Database, app: Server, client: httpx2.AsyncClient, token: Token, clock: FixedClock
) -> None:
    async def noted() -> Any:
        await app.authenticator.close()
        async with database.reading(token.tenant) as reading:
            return await reading.one(select(ApiToken.last_used_at).where(ApiToken.tenant_id == token.tenant))

    first = clock.at
    await post(client, COUNT)
    assert await noted() == first
    clock.move(timedelta(minutes=4))
    await post(client, COUNT)
    assert await noted() == first
    clock.move(timedelta(minutes=1))
    await post(client, COUNT)
    assert await noted() == clock.at


# Languages, request ids, browsers, health


async def test_the_language_is_the_one_that_is_wanted_most(client: httpx2.AsyncClient) -> None:
    query = "{ lifecycleTemplates { key name } }"
    names = {}
    for wanted in ("fa-IR,en;q=0.5", "de, en;q=0.8, fa;q=0.3", "xx", "fa;q=0"):
        found = (await post(client, query, headers={"Accept-Language": wanted})).json()
        names[wanted] = found["data"]["lifecycleTemplates"][0]["name"]
    assert names["fa-IR,en;q=0.5"] != names["xx"]
    assert names["de, en;q=0.8, fa;q=0.3"] == names["fa;q=0"] == names["xx"]


async def test_what_fails_unexpectedly_is_masked_and_logged_without_values(
    app: Server, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("ada@example.com")

    monkeypatch.setattr(app.engine, "answer", fails)
    with structlog.testing.capture_logs() as logged:
        response = await post(client, COUNT)
    number = response.headers["x-request-id"]
    assert (response.status_code, response.json()) == (
        500,
        {
            "errors": [
                {
                    "message": f"Something went wrong; quote the request id {number}.",
                    "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": number},
                }
            ]
        },
    )
    assert logged == [
        {
            "event": "request.failed",
            "log_level": "error",
            "request_id": number,
            "error": "builtins.RuntimeError",
            "places": ANY,
        }
    ]
    assert "ada@example.com" not in str(logged)
    assert (await post(client, COUNT)).headers["x-request-id"] != number


async def test_an_answer_that_cannot_be_written_is_masked_too(
    app: Server, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unwritable(*_: object) -> dict[str, Any]:
        return {"data": object()}

    monkeypatch.setattr(app.engine, "answer", unwritable)
    assert refusal(await post(client, COUNT)) == (500, "INTERNAL_SERVER_ERROR")


async def test_at_most_five_errors_of_a_run_are_told(
    app: Server, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object) -> dict[str, Any]:
        return {"data": None, "errors": [{"message": str(number)} for number in range(9)]}

    monkeypatch.setattr(app.engine, "answer", failing)
    assert (await post(client, COUNT)).json()["errors"] == [{"message": str(number)} for number in range(5)]


@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:5173", "http://localhost"])
async def test_pages_of_known_origins_may_call(client_of: Clients, token: Token, origin: str) -> None:
    async with client_of(Origin=origin) as browser:
        preflight = await browser.options(
            "/graphql",
            headers={
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, accept-language",
            },
        )
        response = await post(browser, COUNT, headers=token.headers)
        unknown = await post(browser, COUNT)
    assert preflight.status_code == 204
    assert preflight.content == b""
    allowed = {name.strip().lower() for name in preflight.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type", "idempotency-key", "accept-language"} <= allowed
    assert preflight.headers["access-control-allow-methods"] == "GET, POST"
    for answer in (preflight, response, unknown):
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["access-control-expose-headers"] == "Retry-After, X-Request-Id"
        assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "https://shop.example.evil", "null", "http://localhost:x"])
async def test_pages_of_other_origins_may_not(client_of: Clients, token: Token, origin: str) -> None:
    async with client_of(Origin=origin) as browser:
        answers = [await browser.options("/graphql"), await post(browser, COUNT, headers=token.headers)]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_health_is_told_to_everybody(app: Server, client_of: Clients, database: Database) -> None:
    async with client_of() as client:
        assert (await client.get("/livez")).json() == {"status": "live"}
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
        app.drain()
        draining = await client.get("/readyz")
        assert (draining.status_code, draining.json()) == (503, {"status": "not ready", "reason": "draining"})
        assert (await client.get("/livez")).status_code == 200


async def test_a_database_of_another_version_is_not_ready(client_of: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.health.revisions", lambda: ("9999", "0001"))
    async with client_of() as client:
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["reason"]) == (503, "the database has another version")


async def test_what_is_not_there_is_not_found(client_of: Clients) -> None:
    async with client_of() as client:
        assert [(await client.get(path)).status_code for path in ("/", "/graphiql", "/graphql/")] == [404, 404, 404]
