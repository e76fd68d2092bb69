"""The tokens of integrations: each is renewed by one worker at a time over all processes, and kept before its use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from domain.integrations.model import IntegrationSecret
from sync.access import readiness, secrets
from sync.access.oauth import Token
from sync.access.secrets import TOKEN
from tenure_sdk import AuthRevoked, OAuth2, RateLimited, Transient
from tenure_sdk.limits import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta
    from uuid import UUID

    from sqlalchemy import Select

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing
    from domain.core.vault import Vault
    from sync.access.oauth import Endpoint
    from tenure_sdk import ClientCredentials


class Issued(NamedTuple):
    """A token, and which issue of it this is."""

    token: Token
    mark: str


@dataclass(frozen=True)
class Grant:
    """Whose token it is, and how it is renewed."""

    tenant_id: UUID
    integration_id: UUID
    auth: OAuth2 | ClientCredentials
    endpoint: Callable[[Mapping[str, str]], Endpoint]
    """Where it is renewed, by what the redirect of its authorization brought."""

    @property
    def before(self) -> timedelta:
        """How long before it expires it is renewed."""
        return duration(self.auth.refresh_before)


class Tokens:
    """What lets the requests of this process in. A renewal that was begun is finished, whoever stops waiting for it."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._renewals: dict[tuple[UUID, UUID], asyncio.Task[Issued]] = {}

    async def close(self) -> None:
        """Wait for the renewals that are under way: what the vendor has answered must not be lost."""
        await asyncio.gather(*self._renewals.values(), return_exceptions=True)

    async def current(self, grant: Grant, refused: str | None = None) -> Issued:
        """A token that can be used, renewed where it has to be; `refused` marks the one that the vendor refused.

        Raises AuthRevoked when somebody has to authorise anew.
        """
        async with self._database.reading(grant.tenant_id) as reading:
            issued = await issued_to(reading, self._vault, grant.integration_id)
        if issued is not None and self.is_usable(issued, grant, refused):
            return issued
        issued = await self._renewed(grant, refused)
        return issued if issued.mark != refused else await self._renewed(grant, refused)

    async def _renewed(self, grant: Grant, refused: str | None) -> Issued:
        """The token after a renewal, which all who need it in this process wait for together."""
        key = (grant.tenant_id, grant.integration_id)
        if key not in self._renewals:
            task = asyncio.create_task(self._renew(grant, refused), name="renewal")
            self._renewals[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(self._renewals[key])

    def _forget(self, key: tuple[UUID, UUID], done: asyncio.Task[Issued]) -> None:
        self._renewals.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody may be left to do so

    async def _renew(self, grant: Grant, refused: str | None) -> Issued:
        """Renew under the lock of the row, unless another process was faster."""
        revoked: AuthRevoked | None = None
        token: Token | None
        async with self._database.unit_of_work(grant.tenant_id) as work:
            issued = await self._locked(work, grant)
            if issued is not None and self.is_usable(issued, grant, refused):
                return issued
            try:
                token = await self._asked(grant, issued and issued.token)
            except AuthRevoked as problem:
                revoked = problem
                token = msgspec.structs.replace(issued.token, revoked=True) if issued else None
            except (Transient, RateLimited):
                if issued is not None and refused != issued.mark and issued.token.is_valid(self._database.clock.now()):
                    return issued
                raise
            if token is not None:
                issued = Issued(token, await keep_token(work, self._vault, grant.integration_id, token))
        if revoked is not None or issued is None:
            raise revoked or AuthRevoked
        return issued

    async def _locked(self, work: Writing, grant: Grant) -> Issued | None:
        """The token as it is now; nobody else renews it until the transaction ends."""
        empty = insert(IntegrationSecret).values(
            tenant_id=work.tenant_id, integration_id=grant.integration_id, name=TOKEN, version=0, updated_at=work.now
        )
        await work.execute(empty.on_conflict_do_nothing())
        row = await work.one(_row(work, grant.integration_id).with_for_update())
        return _opened(self._vault, row)

    async def _asked(self, grant: Grant, token: Token | None) -> Token:
        if token is None and readiness.needs_a_person(grant.auth):
            raise AuthRevoked("Nobody has authorised this integration yet.")
        if token is not None and token.revoked:
            raise AuthRevoked
        if token is None or not isinstance(grant.auth, OAuth2):
            callback = token.callback if token else {}
            return await grant.endpoint(callback).granted(callback)
        if token.refresh_token is None:
            raise AuthRevoked("The token has expired, and the vendor gave none to renew it with.")
        return await grant.endpoint(token.callback).refreshed(token)

    def is_usable(self, issued: Issued, grant: Grant, refused: str | None) -> bool:
        """Whether a token lets requests in, as far as is known here."""
        now = self._database.clock.now()
        return not issued.token.revoked and issued.mark != refused and issued.token.is_fresh(now, grant.before)


async def issued_to(reading: Reading, vault: Vault, integration_id: UUID) -> Issued | None:
    """The token of an integration as it is kept. Raises SecretUnreadable."""
    return _opened(vault, await reading.one(_row(reading, integration_id)))


async def keep_token(work: Writing, vault: Vault, integration_id: UUID, token: Token) -> str:
    """Keep a token in the place of the one before, and return its mark."""
    plain = msgspec.json.encode(token)
    version = await secrets.keep(work, vault, integration_id, TOKEN, plain, expires_at=token.expires_at)
    return str(version)


def _row(reading: Reading, integration_id: UUID) -> Select[IntegrationSecret]:
    return (
        select(IntegrationSecret)
        .where(
            IntegrationSecret.tenant_id == reading.tenant_id,
            IntegrationSecret.integration_id == integration_id,
            IntegrationSecret.name == TOKEN,
        )
        .execution_options(populate_existing=True)
    )


def _opened(vault: Vault, row: IntegrationSecret | None) -> Issued | None:
    if row is None or row.ciphertext is None:
        return None
    return Issued(msgspec.json.decode(secrets.opened(vault, row), type=Token), str(row.version))
