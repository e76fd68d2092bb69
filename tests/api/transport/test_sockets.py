from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from api import auth
from api.transport import lifetime, sockets
from domain.tenants import actions as tenants
from tests.api.transport.conftest import Token, issue
from tests.api.transport.talking import PROTOCOL, introduced, talking
from tests.api.transport.ticking import SECRET, Ticking

if TYPE_CHECKING:
    from graphql import GraphQLSchema

    from api.app import Server
    from domain.core.database import Database


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
def schema(ticking: Ticking) -> GraphQLSchema:
    return ticking.schema


async def test_events_come_until_the_last(address: str, token: Token, ticking: Ticking) -> None:
    async with introduced(address, token) as talk:
        assert talk.connection.subprotocol == PROTOCOL
        await talk.ask("a", "subscription ($to: Int!) { ticks(to: $to) }", variables={"to": 2})
        assert [await talk.hear() for _ in range(3)] == [
            {"type": "next", "id": "a", "payload": {"data": {"ticks": 1}}},
            {"type": "next", "id": "a", "payload": {"data": {"ticks": 2}}},
            {"type": "complete", "id": "a"},
        ]
    await ticking.until(0)


async def test_queries_and_mutations_are_answered_too(address: str, token: Token) -> None:
    async with introduced(address, token) as talk:
        await talk.ask("q", "{ customers(first: 1) { totalCount } }", extensions={"cost": True})
        assert await talk.hear() == {
            "type": "next",
            "id": "q",
            "payload": {
                "data": {"customers": {"totalCount": 0}},
                "extensions": {"cost": {"requested": 22, "limit": 50_000}},
            },
        }
        assert await talk.hear() == {"type": "complete", "id": "q"}
        await talk.ask(
            "q", 'mutation { createCustomer(input: {name: "Ada"}) { customer { displayName } problems { code } } }'
        )
        assert (await talk.hear())["payload"] == {
            "data": {"createCustomer": {"customer": {"displayName": "Ada"}, "problems": []}}
        }
        assert await talk.hear() == {"type": "complete", "id": "q"}


async def test_pings_are_answered_before_and_after_the_introduction(address: str, token: Token) -> None:
    async with talking(address) as talk:
        await talk.say("ping", payload={"a": 1})
        assert await talk.hear() == {"type": "pong"}
        await talk.say("connection_init", payload=token.headers)
        assert await talk.hear() == {"type": "connection_ack"}
        await talk.say("pong")
        await talk.say("ping")
        assert await talk.hear() == {"type": "pong"}


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("other",)])
async def test_other_protocols_are_refused(address: str, protocols: tuple[str, ...]) -> None:
    async with talking(address, *protocols) as talk:
        assert talk.connection.subprotocol is None
        assert await talk.closed() == 4406


async def test_a_visitor_without_a_good_token_is_turned_away(address: str, token: Token) -> None:
    codes = []
    for payload in (None, {}, {"Authorization": 1}, {"Authorization": "Bearer x"}, {"authorization": token.text}):
        async with talking(address) as talk:
            await talk.say("connection_init", payload=payload)
            codes.append(await talk.closed())
    assert codes == [4401, 4401, 4401, 4403, 4403]


async def test_who_asks_before_the_introduction_is_turned_away(address: str) -> None:
    async with talking(address) as talk:
        await talk.ask("a", "{ __typename }")
        assert await talk.closed() == 4401


async def test_the_introduction_comes_soon_or_never(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "INITIALISED_WITHIN", 0.05)
    async with talking(address) as talk:
        assert await talk.closed() == 4408


async def test_the_introduction_comes_once(address: str, token: Token) -> None:
    async with introduced(address, token) as talk:
        await talk.say("connection_init", payload=token.headers)
        assert await talk.closed() == 4429


async def test_an_id_that_is_in_use_is_refused_and_a_free_one_is_taken_again(
    address: str, token: Token, ticking: Ticking
) -> None:
    async with introduced(address, token) as talk:
        await talk.ask("a", "subscription { ticks(to: 0) }")
        await ticking.until(1)
        await talk.say("complete", id="a")
        await ticking.until(0)
        await talk.ask("a", "subscription { ticks(to: 0) }")
        await ticking.until(1)
        await talk.ask("a", "subscription { ticks(to: 1) }")
        assert await talk.closed() == 4409
    await ticking.until(0)


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[]",
        '{"type": "start", "id": "a", "payload": {}}',
        '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "a", "payload": []}',
        '{"id": 1}',
        b"\x00",
        json.dumps({"type": "ping", "payload": {"a": [[]]}}).replace("[]", "[" * 200 + "]" * 200),
    ],
)
async def test_what_is_no_message_ends_the_talk(address: str, token: Token, message: str | bytes) -> None:
    async with introduced(address, token) as talk:
        await talk.connection.send(message)
        assert await talk.closed() == 4400


async def test_a_message_that_is_too_long_ends_the_talk(address: str, token: Token) -> None:
    async with introduced(address, token) as talk:
        await talk.ask("a", "{ __typename }", variables={"a": "x" * (1 << 20)})
        assert await talk.closed() == 1009


async def test_what_is_refused_is_told_and_the_talk_goes_on(address: str, token: Token) -> None:
    async with introduced(address, token) as talk:
        codes = []
        for query in (None, "{", "{ nothing }", "{ customers(first: 501) { totalCount } }"):
            await talk.say("subscribe", id="a", payload={"query": query})
            answer = await talk.hear()
            assert (answer["type"], answer["id"], len(answer["payload"])) == ("error", "a", 1)
            codes.append(answer["payload"][0]["extensions"]["code"])
        assert codes == ["BAD_USER_INPUT", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"]


async def test_what_fails_unexpectedly_is_masked(address: str, token: Token) -> None:
    async with introduced(address, token) as talk:
        await talk.ask("a", "subscription { ticks(to: -1) }")
        answer = await talk.hear()
        assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "INTERNAL_SERVER_ERROR")
        assert SECRET not in str(answer)
        await talk.say("ping")
        assert await talk.hear() == {"type": "pong"}


async def test_one_connection_has_so_many_operations(
    address: str, token: Token, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "MOST_OPERATIONS", 2)
    async with introduced(address, token) as talk:
        for id_ in ("a", "b", "c"):
            await talk.ask(id_, "subscription { ticks(to: 0) }")
        answer = await talk.hear()
        assert (answer["id"], answer["payload"][0]["extensions"]) == ("c", {"code": "THROTTLED", "retryAfter": 1})
        await ticking.until(2)
        await talk.say("complete", id="a")
        await talk.ask("c", "subscription { ticks(to: 1) }")
        assert (await talk.hear())["payload"] == {"data": {"ticks": 1}}


async def test_nothing_is_followed_for_who_has_left(address: str, token: Token, ticking: Ticking) -> None:
    async with introduced(address, token) as talk:
        for id_ in "abc":
            await talk.ask(id_, "subscription { ticks(to: 0) }")
        await ticking.until(3)
    await ticking.until(0)


async def test_a_token_that_ends_ends_its_subscriptions(
    database: Database, address: str, token: Token, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifetime, "RECHECKED_EVERY", 0.02)
    monkeypatch.setattr(auth, "BELIEVED", timedelta(0))
    other = await issue(database, token.tenant)
    async with introduced(address, token) as talk, introduced(address, other) as unconcerned:
        await talk.ask("a", "subscription { ticks(to: 0) }")
        await ticking.until(1)
        async with database.unit_of_work(token.tenant) as work:
            await tenants.revoke_token(work, token.id)
        assert await talk.closed() == 4403
        await ticking.until(0)
        await unconcerned.say("ping")
        assert await unconcerned.hear() == {"type": "pong"}


async def test_a_token_that_cannot_be_checked_sends_its_client_elsewhere(
    address: str, token: Token, app: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifetime, "RECHECKED_EVERY", 0.02)
    async with introduced(address, token) as talk:

        async def unreachable(_authorization: bytes) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr(app.authenticator, "identify", unreachable)
        assert await talk.closed() == 1001


async def test_a_talk_that_fails_unexpectedly_ends_with_a_number(
    address: str, token: Token, app: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_authorization: bytes) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(app.authenticator, "identify", fails)
    async with talking(address) as talk:
        await talk.say("connection_init", payload=token.headers)
        assert await talk.closed() == 1011
        assert (talk.connection.close_reason or "").startswith("Something went wrong; quote ")


def test_a_token_ends_its_subscriptions_within_half_a_minute() -> None:
    assert lifetime.RECHECKED_EVERY + auth.BELIEVED.total_seconds() < 30


async def test_a_server_that_stops_says_so(address: str, token: Token, ticking: Ticking, app: Server) -> None:
    async with introduced(address, token) as talk:
        await talk.ask("a", "subscription { ticks(to: 0) }")
        await ticking.until(1)
        app.drain()
        assert await talk.closed() == 1001
    await ticking.until(0)
