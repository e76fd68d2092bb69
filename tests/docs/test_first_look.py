"""The tutorial, followed from its beginning to its end: every answer is the one that the page shows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from cli.business import shirin
from cli.business.filling import fill
from cli.vendors import admitting, running
from domain.core.settings import Settings
from sync import overview
from sync.pull import pull
from sync.reconcile import reconcile
from sync.switchboard import Switchboard
from tests.api.transport.conftest import issue
from tests.docs.pages import DOCS, blocks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database

CUSTOMERS = 200
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
async def demo(database: Database, tenant: UUID, address: str, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """The demo's business, with everything read of its vendors and both sides compared."""
    await fill(database, tenant, CUSTOMERS, lambda _: None)
    token = await issue(database, tenant)
    with running.opened(tmp_path / "vendors.jsonl") as vendors:
        settings = vendors.settings(Settings(data=tmp_path), address)
        async with vendors.listening():
            await vendors.remember(CUSTOMERS)
            with vendors.approving():
                await admitting.admit(settings, database, token.text)
            async with Switchboard(database, settings) as board:
                await read_all(database, tenant, board)
    async with httpx2.AsyncClient(base_url=address, headers=token.headers) as client:
        yield client


async def read_all(database: Database, tenant: UUID, board: Switchboard) -> None:
    """Do what the worker does after a while."""
    async with database.reading(tenant) as reading:
        connected = [each for each in await overview.every(reading) if each.connector in admitting.LABELS]
    for integration in connected:
        async with board.remotes.open(tenant, integration.id) as remote:
            for stream in remote.connector.streams():
                await pull(database, remote, tenant, integration.id, stream.name)
            await reconcile(database, remote, tenant, integration.id)


async def test_it_can_be_followed(demo: httpx2.AsyncClient) -> None:
    whom = {"query": "query ($email: EmailAddress!) { customer(by: { email: $email }) { id } }"}
    found = await demo.post("/graphql", json={**whom, "variables": {"email": shirin.EMAIL}})
    customer = found.json()["data"]["customer"]["id"]
    for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
        sent = {"query": question.text, "variables": {"id": customer} if "$id" in question.text else {}}
        got = (await demo.post("/graphql", json=sent)).json()
        comparable = shape if answer.language == "json shape" else without_dates_and_ids
        assert comparable(got) == comparable(json.loads(answer.text)), question
