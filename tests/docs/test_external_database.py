"""The how-to on a database of one's own leads to a server that accepts its login."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from cli import installation
from cli.rights import RefusedToStart
from domain.core.settings import Settings
from migrations import run as migrations
from tests.conftest import dsn
from tests.docs.pages import DOCS, blocks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import URL

PAGE = DOCS / "how-to" / "external-database.md"


@pytest.fixture
async def names(cluster: URL) -> AsyncIterator[dict[str, str]]:
    """Names of this test's own in the place of the page's, made by the page's SQL."""
    [block] = blocks(PAGE, "sql")
    told = sorted(set(re.findall(r"\btenure\w*", block.text)), key=len, reverse=True)
    names = {name: f"{name}_{uuid4().hex[:8]}" for name in told}
    connection = await asyncpg.connect(dsn(cluster))
    for statement in re.sub(r"\btenure\w*", lambda found: names[found[0]], block.text).split(";")[:-1]:
        await connection.execute(statement)
    yield names
    await connection.execute(f"DROP DATABASE {names.pop('tenure')} WITH (FORCE)")
    for role in names.values():
        await connection.execute(f"DROP OWNED BY {role} CASCADE")
        await connection.execute(f"DROP ROLE {role}")
    await connection.close()


async def migrate_as_told(settings: Settings, cluster: URL) -> str:
    """Migrate; what only an administrator may do is done as the refusals say."""
    for _ in range(3):  # one for each membership of the two logins
        try:
            return await installation.migrate(settings)
        except RefusedToStart as refused:
            administrator = await asyncpg.connect(dsn(cluster))
            await administrator.execute(refused.message.partition("Let an administrator run: ")[2])
            await administrator.close()
    return await installation.migrate(settings)


@pytest.mark.usefixtures("template")  # then the groups are there already, and another owner's
async def test_it_leads_to_a_server_that_starts(cluster: URL, names: dict[str, str], tmp_path: Path) -> None:
    def address(login: str) -> str:
        url = cluster.set(username=names[login], password="...", database=names["tenure"])
        return url.render_as_string(hide_password=False)

    settings = Settings(
        database_owner_url=address("tenure_owner"), database_url=address("tenure_server"),
        database_eraser_url=address("tenure_privacy"), data=tmp_path,
    )  # fmt: skip
    assert await migrate_as_told(settings, cluster) == migrations.revisions()[0]
    async with installation.installed(settings), installation.eraser(settings):
        pass


def test_it_names_the_settings_that_the_logins_are_for() -> None:
    named = {name for block in blocks(PAGE, "sh") for name in re.findall(r"TENURE_[A-Z_]+", block.text)}
    assert {name.removeprefix("TENURE_").lower() for name in named} <= set(Settings.model_fields)
