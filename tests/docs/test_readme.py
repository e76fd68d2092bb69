"""What a newcomer reads first is short, and true."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from cli.business.filling import fill
from tests.api.transport.conftest import issue
from tests.docs.pages import ROOT, blocks, pages, text_of

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database

README = ROOT / "README.md"
DEMO = "http://127.0.0.1:8000"


def test_it_has_at_most_450_words() -> None:
    assert len(text_of(README).split()) <= 450


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", text_of(ROOT / "Makefile"), re.MULTILINE))


def test_it_starts_with_two_commands() -> None:
    assert [block.text for block in blocks(README, "sh") if block.text.startswith("make")] == [
        "make demo\n",
        "make test\n",
    ]


async def test_its_query_has_the_answer_that_it_shows(
    database: Database, tenant: UUID, address: str, tmp_path: Path
) -> None:
    await fill(database, tenant, 1, lambda _: None)
    token = await issue(database, tenant)
    [command] = [block.text for block in blocks(README, "sh") if "tenure query" in block.text]
    [shown] = blocks(README, "json")
    assert command.startswith(f".venv/bin/tenure query --url {DEMO} ")
    here = command.replace(".venv/bin/", f"{Path(sys.executable).parent}/").replace(DEMO, address)
    asked = await anyio.run_process(["bash", "-c", here], cwd=tmp_path, env={**os.environ, "TENURE_TOKEN": token.text})
    assert json.loads(asked.stdout) == json.loads(shown.text)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_makes_can_be_made(page: Path) -> None:
    assert set(re.findall(r"(?:`|^ *)make ([a-z-]+)", text_of(page), re.MULTILINE)) <= targets()
