"""The tutorial, followed from its beginning to its end: every answer is the one that the page shows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from cli.business import shirin
from cli.business.filling import fill
from tests.api.transport.conftest import issue
from tests.docs.pages import DOCS, blocks

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database

PAGE = DOCS / "tutorial" / "first-look.md"
QUESTIONS = blocks(PAGE, "graphql")
ANSWERS = blocks(PAGE, "json")


def without_dates_and_ids(answer: Any) -> Any:
    text = re.sub(r'"\d{4}-\d\d-\d\dT[^"]*"', '"a moment"', json.dumps(answer))
    return json.loads(re.sub(r'"cus_[0-9a-f]{32}"', '"a customer"', text))


def shape(answer: Any) -> Any:
    """Which fields there are; how many rows, and what stands in them, is the business of its size."""
    if isinstance(answer, dict):
        return {key: shape(value) for key, value in answer.items()}
    return shape(answer[0]) if isinstance(answer, list) and answer else None


def test_every_question_has_its_answer() -> None:
    assert len(QUESTIONS) == len(ANSWERS) > 5
    assert all(question.line < answer.line for question, answer in zip(QUESTIONS, ANSWERS, strict=True))


@pytest.fixture
async def demo(database: Database, tenant: UUID, address: str) -> httpx2.AsyncClient:
    await fill(database, tenant, 200, lambda _: None)
    token = await issue(database, tenant)
    return httpx2.AsyncClient(base_url=address, headers=token.headers)


async def test_it_can_be_followed(demo: httpx2.AsyncClient) -> None:
    async with demo:
        whom = {"query": "query ($email: EmailAddress!) { customer(by: { email: $email }) { id } }"}
        found = await demo.post("/graphql", json={**whom, "variables": {"email": shirin.EMAIL}})
        customer = found.json()["data"]["customer"]["id"]
        for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
            sent = {"query": question.text, "variables": {"id": customer} if "$id" in question.text else {}}
            got = (await demo.post("/graphql", json=sent)).json()
            comparable = shape if answer.language == "json shape" else without_dates_and_ids
            assert comparable(got) == comparable(json.loads(answer.text)), question
