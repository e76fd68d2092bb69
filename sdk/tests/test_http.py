"""What the Context promises of every request: tried again where that is safe, only to its hosts, without secrets."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import pytest
from msgspec import Struct

from tenure_sdk import (
    Answer,
    ApiKey,
    AuthRevoked,
    Basic,
    Conflict,
    ConnectorError,
    Context,
    ContractViolation,
    Credentials,
    NotFound,
    OAuth2,
    PermissionDenied,
    RateLimited,
    RecordRejected,
    Transient,
    Unsupported,
)
from tenure_sdk import http as sdk_http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TOKEN = "token-0123456789"
OAUTH = OAuth2(authorize_url="https://id.acme.example/a", token_url="https://id.acme.example/t")


class Config(Struct, frozen=True):
    region: str = "eu"


class Desk:
    """A host that counts what it is asked for."""

    def __init__(self, *marks: str) -> None:
        self.marks = list(marks) or ["1"]
        self.refused: list[str | None] = []
        self.slowed: list[float | None] = []
        self.open = self.most = 0

    async def credentials(self, refused: str | None = None) -> Credentials:
        self.refused.append(refused)
        if refused == self.marks[0] and len(self.marks) > 1:
            self.marks.pop(0)
        return Credentials({"access_token": f"{TOKEN}-{self.marks[0]}", "api_key": TOKEN}, self.marks[0])

    @asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        self.open += 1
        self.most = max(self.most, self.open)
        yield
        self.open -= 1

    async def slow_down(self, seconds: float | None) -> None:
        self.slowed.append(seconds)


class Line:
    """A remote side that answers what the test says, in turn; the last answer for ever."""

    def __init__(self, *answers: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        self.desk = Desk()

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        if isinstance(found, httpx.Response):
            return httpx.Response(found.status_code, headers=found.headers, content=found.content)
        return found(request)

    def context(self, **how: Any) -> Context[Config]:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        how = {"config": Config(), "hosts": ("api.{region}.acme.example", "Files.acme.example"), "auth": OAUTH} | how
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        return Context(now=lambda: NOW, sleep=sleep, client=client, host=self.desk, **how)

    def ask(
        self, method: str = "get", url: str = "/things", *, context: dict[str, Any] | None = None, **how: Any
    ) -> Any:
        async def ask() -> Any:
            ctx = self.context(**(context or {}))
            try:
                return await getattr(ctx, method)(url, **how)
            finally:
                await ctx.raw.aclose()

        return asyncio.run(ask())


def ok(body: Any = None) -> httpx.Response:
    return httpx.Response(200, json={"fine": True} if body is None else body)


def limited(after: str | None, **headers: str) -> httpx.Response:
    return httpx.Response(429, headers=headers | ({} if after is None else {"retry-after": after}))


HTML = httpx.Response(200, html="<h1>Down for maintenance</h1>")
CUT = httpx.Response(200, headers={"content-type": "application/json"}, content=b'{"fine": tr')
RESET = httpx.ReadError("connection reset")
PASSING = {
    "500": httpx.Response(500),
    "502": httpx.Response(502, html="<h1>Bad gateway</h1>"),
    "503": httpx.Response(503),
    "408": httpx.Response(408),
    "html": HTML,
    "cut": CUT,
    "reset": RESET,
    "timeout": httpx.ReadTimeout("slow"),
    "cut off": httpx.RemoteProtocolError("peer closed"),
    "no connection": httpx.ConnectError("refused"),
}


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING)
def test_what_passes_is_tried_again(failure: Any) -> None:
    line = Line(failure, failure, ok())
    assert line.ask() == {"fine": True}
    assert (len(line.requests), len(line.slept)) == (3, 2)
    assert all(0 <= pause <= 2 for pause in line.slept)


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING)
def test_what_stays_is_transient_after_five_attempts(failure: Any) -> None:
    line = Line(failure)
    with pytest.raises(Transient):
        line.ask()
    assert len(line.requests) == 5


@pytest.mark.parametrize("name", ["500", "html", "cut", "reset", "timeout", "cut off"])
def test_a_post_with_an_unknown_outcome_is_sent_once(name: str) -> None:
    line = Line(PASSING[name], ok())
    with pytest.raises(Transient) as raised:
        line.ask("post", json={})
    assert raised.value.unknown_outcome
    assert len(line.requests) == 1


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.Response(429), httpx.Response(408)])
def test_a_post_that_did_nothing_is_sent_again(failure: Any) -> None:
    line = Line(failure, ok())
    assert line.ask("post", json={}) == {"fine": True}


@pytest.mark.parametrize(
    ("method", "how", "calls"),
    [
        ("post", {"idempotent": True}, 2), ("put", {}, 2), ("delete", {}, 2), ("patch", {}, 1),
        ("put", {"idempotent": False}, 1),
    ],
)  # fmt: skip
def test_what_may_be_repeated(method: str, how: dict[str, Any], calls: int) -> None:
    line = Line(RESET, ok())
    if calls == 1:
        with pytest.raises(Transient):
            line.ask(method, **how)
    else:
        line.ask(method, **how)
    assert len(line.requests) == calls


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (limited("7"), 7.0),
        (limited("0.25"), 0.25),
        (limited("Thu, 01 Jan 2026 12:00:09 GMT"), 9.0),
        (limited("Thu, 01 Jan 2026 12:00:09 GMT", date="Thu, 01 Jan 2026 12:00:04 GMT"), 5.0),
        (limited("Thu, 01 Jan 2026 12:00:09 GMT", date="sometime"), 9.0),
        (limited("Thu, 01 Jan 2026 12:00:09 -0000"), 9.0),
        (limited("Thu, 01 Jan 2026 11:00:00 GMT"), None),
        (limited("-3"), None),
        (limited(None), None),
        (limited("soon"), None),
        (limited("inf"), None),
        (limited("nan"), None),
        (httpx.Response(503, headers={"retry-after": "4"}), 4.0),
    ],
)
def test_retry_after_is_kept(answer: httpx.Response, seconds: float | None) -> None:
    line = Line(answer, ok())
    assert line.ask(context={"deadline": NOW + timedelta(hours=1)}) == {"fine": True}
    assert line.desk.slowed == [seconds]
    if seconds is None:
        assert 0 <= line.slept[0] <= 1
    else:
        assert line.slept == [seconds]


def test_a_long_pause_gives_the_run_back() -> None:
    line = Line(limited("3600"))
    with pytest.raises(RateLimited) as raised:
        line.ask()
    assert raised.value.retry_after == 3600
    assert (len(line.requests), line.slept, line.desk.slowed) == (1, [], [3600.0])


def test_no_pause_goes_past_the_deadline() -> None:
    line = Line(limited("20"))
    with pytest.raises(RateLimited):
        line.ask(context={"deadline": NOW + timedelta(seconds=10)})
    assert line.slept == []


def test_a_run_has_a_budget_of_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_http, "RETRIES_OF_A_RUN", 3)
    line = Line(RESET, RESET, ok(), RESET)

    async def run() -> None:
        ctx = line.context()
        assert await ctx.get("/a") == {"fine": True}
        with pytest.raises(Transient):
            await ctx.get("/b")

    asyncio.run(run())
    assert len(line.requests) == 5


def test_a_refused_token_is_renewed_once() -> None:
    line = Line(httpx.Response(401), ok())
    line.desk = Desk("1", "2")
    assert line.ask("post", json={}) == {"fine": True}
    assert line.desk.refused == [None, "1"]
    assert [request.headers["authorization"] for request in line.requests] == [f"Bearer {TOKEN}-1", f"Bearer {TOKEN}-2"]


def test_a_renewed_token_that_is_refused_means_somebody_has_to_authorise() -> None:
    line = Line(httpx.Response(401))
    line.desk = Desk("1", "2", "3")
    with pytest.raises(AuthRevoked):
        line.ask()
    assert (len(line.requests), line.desk.refused) == (2, [None, "1"])


def test_a_refusal_at_the_last_attempt_still_renews() -> None:
    line = Line(RESET, RESET, RESET, RESET, httpx.Response(401), ok())
    line.desk = Desk("1", "2")
    assert line.ask() == {"fine": True}


def test_who_needs_no_credentials_cannot_renew_them() -> None:
    async def run() -> None:
        client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(401)))
        with pytest.raises(AuthRevoked):
            await Context(Config(), now=lambda: NOW, client=client, hosts=("a.example",)).get("/")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (400, ContractViolation), (302, ContractViolation), (403, PermissionDenied), (404, NotFound), (410, NotFound),
        (409, Conflict), (412, Conflict), (422, ContractViolation),
    ],
)  # fmt: skip
def test_statuses_mean_what_has_to_be_done(status: int, problem: type[ConnectorError]) -> None:
    line = Line(httpx.Response(status, headers={"location": "https://evil.example/"}))
    with pytest.raises(problem, match=rf"^api.eu.acme.example/things answered {status}$"):
        line.ask(params={"q": "secret name"})
    assert len(line.requests) == 1


def test_a_connector_may_know_better() -> None:
    def classify(answer: Answer) -> ConnectorError | None:
        return RecordRejected("7", f"{answer.json()['why']} {TOKEN}-1", field="name") if answer.status == 400 else None

    line = Line(httpx.Response(400, json={"why": "too long"}))
    with pytest.raises(RecordRejected, match=r"^too long \*\*\*$") as raised:
        line.ask(context={"classify": classify})
    assert (raised.value.record_id, raised.value.field) == ("7", "name")


ELSEWHERE = [
    "https://evil.example/", "http://api.eu.acme.example/", "https://api.eu.acme.example:8443/",
    "https://api.eu.acme.example@evil.example/", "https://user:pw@api.eu.acme.example/", "https://:pw@api.eu.acme.example/",
    "https://evil.example\\@api.eu.acme.example/", "https://api.eu.acme.example\\@evil.example/",
    "https://api.eu.acme.example.evil.example/", "https://api.eu.acme.example.", "https://evil.example#@api.eu.acme.example/",
    "https://evil.example?@api.eu.acme.example/", "//evil.example/x:1", "https:/evil.example/", "https:///evil.example/",
    "ftp://api.eu.acme.example/", "https://[::1]/", "https://[evil", "https://2130706433/", "https://127.1/",
    "https://api.eu.acme.example\t.evil.example/", "https://api.eu.acme.example:port/", "things", "",
    "javascript:alert(1)",
    "https://аpi.eu.acme.example/",
]  # fmt: skip


@pytest.mark.parametrize("url", ELSEWHERE)
def test_no_request_leaves_the_hosts(url: str) -> None:
    line = Line(ok())
    if url.startswith("//"):
        line.ask(url=url)
        assert [request.url.host for request in line.requests] == ["api.eu.acme.example"]
    else:
        with pytest.raises(ContractViolation):
            line.ask(url=url)
        assert line.requests == []


@pytest.mark.parametrize("url", ["/a/b?c=1", "https://API.eu.acme.example/a", "https://files.acme.example:443/a"])
def test_requests_go_to_the_hosts(url: str) -> None:
    line = Line(ok())
    line.ask(url=url)
    assert line.requests[0].url.host in {"api.eu.acme.example", "files.acme.example"}


@pytest.mark.parametrize(
    "region", ["x@evil.example/", "evil.example/", "evil.example#", "", "a b", "-a", "a:80", "a\n"]
)
def test_settings_cannot_move_a_host(region: str) -> None:
    line = Line(ok())
    with pytest.raises(ContractViolation):
        line.ask(context={"config": Config(region)})
    assert line.requests == []


def test_a_large_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_http, "LARGEST_ANSWER", 1000)
    assert Line(ok("x" * 900)).ask() == "x" * 900
    with pytest.raises(ContractViolation, match="larger than 1000 bytes"):
        Line(ok("x" * 1000)).ask()


def test_parameters_join_those_of_the_address() -> None:
    line = Line(ok())
    line.ask(url="/a?page=2", params={"since": NOW, "all": True, "n": 3, "none": None})
    assert dict(line.requests[0].url.params) == {
        "page": "2", "since": "2026-01-01T12:00:00+00:00", "all": "true", "n": "3",
    }  # fmt: skip


def test_numbers_are_exact() -> None:
    line = Line(httpx.Response(200, content=b'{"total": 0.1, "count": 3}'))
    answer = line.ask()
    assert answer == {"total": Decimal("0.1"), "count": 3}
    assert isinstance(answer["total"], Decimal)


def test_answers_are_decoded_as_asked() -> None:
    class Thing(Struct):
        name: str

    assert Line(ok({"name": "x"})).ask(type=Thing) == Thing("x")
    assert Line(httpx.Response(204)).ask("delete") is None
    line = Line(ok({"name": 7}))
    with pytest.raises(ContractViolation, match="another shape"):
        line.ask(type=Thing)
    assert len(line.requests) == 1


def test_a_run_without_network_says_so() -> None:
    with pytest.raises(Unsupported):
        asyncio.run(Context(Config(), now=lambda: NOW, hosts=("a.example",)).get("/"))


def test_the_log_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    line = Line(ok())

    async def run() -> None:
        ctx = line.context(auth=ApiKey(place="query", name="key"))
        await ctx.get("/a", params={"name": "x"})
        ctx.log.info("token %s of %d", TOKEN, 3)
        ctx.log.info("by name %(token)s", {"token": TOKEN})
        ctx.log.warning("does not fit %d", TOKEN)
        ctx.log.error("failed", exc_info=ValueError(TOKEN))

    asyncio.run(run())
    assert line.requests[0].url.params["key"] == TOKEN
    assert TOKEN not in caplog.text
    written = [record.getMessage() for record in caplog.records if record.name == "tenure_sdk.connector"]
    assert written == ["token *** of 3", "by name ***", "does not fit %d ('***',)", "failed"]
    assert "api.eu.acme.example/a" in caplog.text


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING)
def test_no_exception_shows_a_secret(failure: Any) -> None:
    line = Line(failure)
    with pytest.raises(Transient) as raised:
        line.ask(context={"auth": ApiKey(place="query", name="key")}, params={"q": "name of a person"})
    shown, problem = "", raised.value
    while problem is not None:
        shown, problem = f"{shown} {problem!r}", problem.__cause__
    assert TOKEN not in shown
    assert "person" not in shown


def test_credentials_do_not_show_themselves() -> None:
    assert repr(Credentials({"password": TOKEN}, "1")) == "Credentials(password)"
    assert TOKEN not in str(Basic())


def test_one_request_at_a_time_where_the_host_says_so() -> None:
    line = Line(ok())

    async def run() -> None:
        ctx = line.context()
        await asyncio.gather(*(ctx.get("/a") for _ in range(10)))

    asyncio.run(run())
    assert (len(line.requests), line.desk.open) == (10, 0)
