"""The installation's key is replaced while others read and write; a kill loses nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, update

from domain.core import secrets as key_file
from domain.core.vault import SecretUnreadable, Vault, key_of
from domain.integrations.model import AppDelivery, Authorization, IntegrationSecret, OutgoingWebhook
from sync.access import places, rotation, secrets
from sync.access.rotation import Rotated, RotationUnderWay, Step
from tests.sync.access.conftest import integrated

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database
    from sync.access.remotes import Remotes
    from tests.conftest import Logins


@pytest.fixture(autouse=True)
async def only_ours(database: Database, tenant: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotations of this test see its own tenant: others have sealed with keys of theirs."""

    async def every_tenant(_: Database) -> list[object]:
        return [type("Entry", (), {"id": tenant})]

    monkeypatch.setattr(rotation, "every_tenant", every_tenant)


@pytest.fixture
def path(remotes: Remotes, tmp_path: Path) -> Path:
    return tmp_path / "key"


async def rotate(remotes: Remotes, path: Path) -> Rotated:
    return await rotation.rotate(remotes.database, path, settled=0)


async def kept(remotes: Remotes, tenant_id: UUID, integration_id: UUID) -> dict[str, str]:
    async with remotes.database.reading(tenant_id) as reading:
        return await secrets.secrets_of(reading, remotes.vault, integration_id)


async def keep(remotes: Remotes, tenant_id: UUID, integration_id: UUID, given: dict[str, str | None]) -> None:
    async with remotes.database.unit_of_work(tenant_id) as work:
        await secrets.set_secrets(work, remotes.vault, integration_id, given)


async def key_ids(database: Database, tenant_id: UUID) -> set[tuple[str, str]]:
    async with database.reading(tenant_id) as reading:
        rows = await reading.all(select(IntegrationSecret).where(IntegrationSecret.tenant_id == tenant_id))
    return {(str(row.key_id), key_of(row.ciphertext or b"")) for row in rows}


async def test_one_call_encrypts_anew_and_the_next_drops_the_old_key(
    remotes: Remotes, tenant: UUID, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "PORTION", 3)
    integration_id = await integrated(remotes.database, tenant)
    given = {f"secret-{number}": f"value {number}" for number in range(10)}
    await keep(remotes, tenant, integration_id, {**given})
    before = remotes.vault.key_id
    assert await key_ids(remotes.database, tenant) == {(before, before)}

    assert await rotate(remotes, path) == Rotated(Step.BEGUN, 10, 0)
    now = remotes.vault.key_id
    assert now != before
    assert await key_ids(remotes.database, tenant) == {(now, now)}
    assert await kept(remotes, tenant, integration_id) == given

    assert await rotate(remotes, path) == Rotated(Step.FINISHED, 0, 0)
    assert remotes.vault.key_id == now
    assert await kept(remotes, tenant, integration_id) == given


async def test_every_table_that_keeps_secrets_is_encrypted_anew(remotes: Remotes, tenant: UUID, path: Path) -> None:
    integration_id = await integrated(remotes.database, tenant)
    vault, digest = remotes.vault, os.urandom(32)
    async with remotes.database.unit_of_work(tenant) as work:
        authorization = Authorization(
            id=work.ids(), integration_id=integration_id, principal_id=work.ids(), state_digest=b"",
            created_at=work.now, expires_at=work.now,
        )  # fmt: skip
        authorization.code = vault.seal(places.authorization(tenant, authorization.id, "code"), b"code")
        authorization.token = vault.seal(places.authorization(tenant, authorization.id, "token"), b"token")
        hook = vault.seal(places.outgoing_webhook(tenant), b"hook")
        work.add(
            authorization,
            OutgoingWebhook(url="https://a.example", ciphertext=hook, key_id=key_of(hook), updated_at=work.now),
        )
        await work.flush()
        authorization_id = authorization.id
    body = vault.seal(places.app_delivery("acme", digest), b"body")
    async with remotes.database.directory() as connection:
        await connection.execute(
            insert(AppDelivery).values(connector="acme", digest=digest, path="", ciphertext=body, received_at=work.now)
        )

    assert await rotate(remotes, path) == Rotated(Step.BEGUN, 4, 0)
    assert (await rotate(remotes, path)).step is Step.FINISHED
    async with remotes.database.reading(tenant) as reading:
        row = await reading.one(select(Authorization).where(Authorization.tenant_id == tenant))
        webhook = await reading.one(select(OutgoingWebhook).where(OutgoingWebhook.tenant_id == tenant))
    async with remotes.database.directory() as connection:
        delivery = await connection.scalar(select(AppDelivery.ciphertext).where(AppDelivery.digest == digest))
        await connection.execute(update(AppDelivery).where(AppDelivery.digest == digest).values(ciphertext=None))
    assert row is not None
    assert webhook is not None
    assert vault.open(places.authorization(tenant, authorization_id, "code"), row.code or b"") == b"code"
    assert vault.open(places.authorization(tenant, authorization_id, "token"), row.token or b"") == b"token"
    assert vault.open(places.outgoing_webhook(tenant), webhook.ciphertext) == b"hook"
    assert vault.open(places.app_delivery("acme", digest), delivery or b"") == b"body"


async def test_readers_and_writers_go_on_meanwhile(
    remotes: Remotes, tenant: UUID, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "PORTION", 2)
    integration_id = await integrated(remotes.database, tenant)
    given = {f"secret-{number}": "value" for number in range(20)}
    await keep(remotes, tenant, integration_id, {**given})
    over = asyncio.Event()
    reads = 0

    async def read() -> None:
        nonlocal reads
        while not over.is_set():
            assert (await kept(remotes, tenant, integration_id)).items() >= given.items()
            reads += 1

    async def write() -> None:
        number = 0
        while not over.is_set():
            await keep(remotes, tenant, integration_id, {f"fresh-{(number := number + 1) % 5}": "fresh"})

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        group.create_task(write())
        for _ in range(3):
            while (await rotate(remotes, path)).step is not Step.FINISHED:
                pass
        over.set()
    assert reads > 3
    assert await key_ids(remotes.database, tenant) == {(remotes.vault.key_id,) * 2}


async def test_the_old_key_stays_while_a_machine_still_writes_with_it(
    remotes: Remotes, tenant: UUID, path: Path, tmp_path: Path
) -> None:
    integration_id = await integrated(remotes.database, tenant)
    elsewhere = tmp_path / "elsewhere"
    key_file.write(elsewhere, key_file.read(path))
    await rotate(remotes, path)
    async with remotes.database.unit_of_work(tenant) as work:
        await secrets.set_secrets(work, Vault(elsewhere), integration_id, {"api_key": "late"})
    assert await rotate(remotes, path) == Rotated(Step.BEGUN, 1, 0)
    assert (await rotate(remotes, path)).step is Step.FINISHED
    assert await kept(remotes, tenant, integration_id) == {"api_key": "late"}


async def test_it_waits_until_everybody_has_seen_the_new_file(remotes: Remotes, path: Path) -> None:
    await rotate(remotes, path)
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    await rotation.rotate(remotes.database, path, sleep=sleep)
    assert len(waited) == 1
    assert 55 < waited[0] <= 60


async def test_what_no_key_opens_is_counted_and_left(remotes: Remotes, tenant: UUID, path: Path) -> None:
    integration_id = await integrated(remotes.database, tenant)
    await keep(remotes, tenant, integration_id, {"api_key": "good", "moved": "x"})
    async with remotes.database.unit_of_work(tenant) as work:
        moved = IntegrationSecret.name == "moved"
        await work.execute(
            update(IntegrationSecret).where(IntegrationSecret.tenant_id == tenant, moved).values(name="m")
        )
    assert await rotate(remotes, path) == Rotated(Step.BEGUN, 1, 1)
    with pytest.raises(SecretUnreadable):
        await kept(remotes, tenant, integration_id)


async def test_one_rotates_at_a_time(remotes: Remotes, path: Path) -> None:
    async with rotation._alone(remotes.database):
        with pytest.raises(RotationUnderWay):
            await rotate(remotes, path)
    assert (await rotate(remotes, path)).step is Step.BEGUN


SCRIPT = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from domain.core.database import Database
from sync.access import rotation

async def main(url, path, tenant):
    async def every_tenant(_):
        return [type("Entry", (), {"id": UUID(tenant)})]

    rotation.every_tenant, rotation.PORTION = every_tenant, 1
    async with Database(url) as database:
        print("begins", flush=True)
        await rotation.rotate(database, Path(path), settled=0)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_kill_in_the_middle_loses_nothing(remotes: Remotes, tenant: UUID, path: Path, logins: Logins) -> None:
    integration_id = await integrated(remotes.database, tenant)
    given = {f"secret-{number:03}": f"value {number}" for number in range(150)}
    await keep(remotes, tenant, integration_id, {**given})
    arguments = [sys.executable, "-c", SCRIPT, str(logins.server), str(path), str(tenant)]
    child = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()
    async with asyncio.timeout(30):
        while len(await key_ids(remotes.database, tenant)) == 1:  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.01)
    child.kill()
    await child.wait()
    assert len(await key_ids(remotes.database, tenant)) == 2
    assert await kept(remotes, tenant, integration_id) == given

    steps = [await rotate(remotes, path) for _ in range(2)]
    assert [step.step for step in steps] == [Step.BEGUN, Step.FINISHED]
    assert 0 < steps[0].secrets < 150
    assert await kept(remotes, tenant, integration_id) == given
