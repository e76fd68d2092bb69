"""Pages follow each other as the remote side says, and neither an error nor a slip looks like their end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from msgspec import Struct

from tenure_sdk import (
    Context,
    ContractViolation,
    Onward,
    next_header,
    next_link,
    next_number,
    next_offset,
    next_token,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = "<https://acme.example/things?page=1>"


class Config(Struct, frozen=True):
    pass


async def no_pause(seconds: float) -> None:
    """Nobody waits here."""


def read(answers: list[httpx.Response], onward: Onward, **how: Any) -> tuple[list[list[Any]], list[str]]:
    """The pages of `/things`, and what was asked for."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url).removeprefix("https://acme.example"))
        return answers[len(asked) - 1]

    async def walk() -> list[list[Any]]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            ctx = Context(Config(), now=lambda: NOW, client=client, hosts=("acme.example",), sleep=no_pause)
            async with aclosing(ctx.pages("/things", onward, **how)) as pages:
                return [rows async for rows in pages]

    return asyncio.run(walk()), asked


def said(body: Any, link: str | None = None) -> httpx.Response:
    return httpx.Response(200, json=body, headers={} if link is None else {"Link": link})


ONE, TWO = {"id": 1}, {"id": 2}


def last_id(page: Any) -> dict[str, Any] | None:
    """A way of a partner's own: the vendor says whether there is more, and goes on after an id."""
    return {"after": page.rows[-1]["id"]} if page.body["more"] else None


@pytest.mark.parametrize(
    ("onward", "rows", "answers", "second"),
    [
        (
            next_token("cursor", at="meta.next"),
            "data",
            [said({"data": [ONE], "meta": {"next": "c+2"}}), said({"data": [TWO], "meta": {}})],
            "/things?since=7&cursor=c%2B2",
        ),
        (
            next_token("cursor", at="next"),
            "data",
            [said({"data": [ONE], "next": "2"}), said({"data": [TWO], "next": ""})],
            "/things?since=7&cursor=2",
        ),
        (
            next_link(at="links.next"),
            "a.b",
            [
                said({"a": {"b": [ONE]}, "links": {"next": "https://acme.example/more?x=2"}}),
                said({"a": {"b": [TWO]}, "links": {"next": None}}),
            ],
            "/more?x=2",
        ),
        (
            next_header,
            "",
            [
                said([ONE], f'{FIRST}; rel="first prev", </things?page=2&of=a,b>; title="x"; rel=next'),
                said([TWO], f'{FIRST}; rel="prev"'),
            ],
            "/things?page=2&of=a%2Cb",
        ),
        (
            last_id,
            "data",
            [said({"data": [ONE], "more": True}), said({"data": [TWO], "more": False})],
            "/things?since=7&after=1",
        ),
    ],
    ids=["token", "empty token", "link", "header", "a way of one's own"],
)
def test_pages_follow_each_other(onward: Onward, rows: str, answers: list[httpx.Response], second: str) -> None:
    pages, asked = read(answers, onward, rows=rows, params={"since": 7, "kind": None})
    assert pages == [[ONE], [TWO]]
    assert asked == ["/things?since=7", second]


@pytest.mark.parametrize(
    ("onward", "asked"),
    [
        (next_number(), ["/things", "/things?page=2", "/things?page=3"]),
        (next_number("p", first=0), ["/things", "/things?p=1", "/things?p=2"]),
        (next_offset("skip"), ["/things", "/things?skip=2", "/things?skip=3"]),
    ],
    ids=["number", "number from 0", "offset"],
)
def test_numbered_pages_end_with_one_that_is_empty(onward: Onward, asked: list[str]) -> None:
    answers = [said([ONE, TWO]), said([ONE]), said([])]
    assert read(answers, onward) == ([[ONE, TWO], [ONE], []], asked)


@pytest.mark.parametrize("body", [{"error": "busy"}, {"data": None}, [], {"data": {"id": 1}}], ids=str)
def test_an_answer_of_another_shape_is_no_end(body: Any) -> None:
    with pytest.raises(ContractViolation) as raised:
        read([said(body)], next_token("cursor", at="next"), rows="data")
    assert str(raised.value) == "The answer of acme.example/things has no list at data."


def test_a_page_that_leads_to_itself_is_no_endless_reading() -> None:
    same = {"data": [ONE], "next": "2"}
    with pytest.raises(ContractViolation) as raised:
        read([said(same), said(same)], next_token("cursor", at="next"), rows="data")
    assert str(raised.value) == "The page after that of acme.example/things would be the same one again."


def test_a_next_page_elsewhere_is_refused() -> None:
    with pytest.raises(ContractViolation) as raised:
        read([said({"data": [ONE], "next": "https://evil.example/?key=1"})], next_link(at="next"), rows="data")
    assert str(raised.value) == "evil.example/ is none of the connector's hosts: acme.example"


def test_a_page_that_was_cut_is_asked_for_again() -> None:
    cut = httpx.Response(200, content=b'{"data": [')
    answers = [cut, said({"data": [ONE]})]
    assert read(answers, next_token("cursor", at="next"), rows="data") == ([[ONE]], ["/things", "/things"])
