"""Authorizations at vendors, step by step: begun by a principal, parked by the callback, finished by the same one."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete, or_, select

from domain.integrations import actions, queries
from domain.integrations.authorizing import (
    AuthorizationExpired,
    AuthorizationFailed,
    AuthorizationMissing,
    AuthorizationOfAnother,
    AuthorizationPending,
    ConnectorNotReady,
    NothingToAuthorize,
    UnknownState,
)
from domain.integrations.model import Authorization
from sync.access import egress, idle, parties, places, readiness, states, tokens
from sync.access.oauth import Token
from sync.access.states import PURPOSE, State
from tenure_sdk import Account, AuthRevoked, ClientCredentials, OAuth2, Transient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Select

    from domain.core.unit_of_work import Reading, Writing
    from sync.access.parties import Party
    from sync.access.remotes import Remotes

    Authorizing = OAuth2 | ClientCredentials

CALL_BACK_WITHIN = timedelta(minutes=10)
CONFIRM_WITHIN = timedelta(hours=1)
"""How long who authorised may look at the account before confirming it."""


@dataclass(frozen=True)
class Begun:
    """An authorization that somebody has to grant at the vendor."""

    authorize_url: str
    """Where the browser goes."""
    expires_at: datetime


@dataclass(frozen=True)
class Parked:
    """What a callback belongs to; the browser may be told this much, whoever sits before it."""

    tenant_id: UUID
    integration_id: UUID
    label: str
    granted: bool


class _Brought(msgspec.Struct):
    """What a callback brought."""

    code: str | None
    callback: dict[str, str]


class Authorizations:
    """The authorizations of all integrations that this process serves."""

    def __init__(self, remotes: Remotes) -> None:
        self._remotes = remotes
        self._database = remotes.database
        self._vault = remotes.vault
        self._state_key = remotes.vault.derived(PURPOSE)

    async def begin(self, work: Writing, integration_id: UUID, principal_id: UUID) -> Begun:
        """Begin an authorization in the place of one that is under way; it has to be granted within ten minutes.

        Raises ConnectorNotReady, NothingToAuthorize, or ConfigInvalid where a setting is missing.
        """
        party = await self._party(work, integration_id)
        auth = _authorizing(party)
        missing = readiness.missing(self._remotes.settings, party.connector, known=party.secrets, auth=auth)
        if missing:
            raise ConnectorNotReady(" ".join(missing), missing=missing)
        await _forget(work, integration_id)
        made = Authorization(
            id=work.ids(), integration_id=integration_id, principal_id=principal_id, created_at=work.now,
            expires_at=work.now + CALL_BACK_WITHIN,
        )  # fmt: skip
        state = states.signed(State(work.tenant_id, made.id, integration_id, principal_id), self._state_key)
        verifier = random.token_urlsafe(48) if isinstance(auth, OAuth2) and auth.pkce else None
        made.state_digest = states.digest(state)
        made.verifier = (
            None if verifier is None else self._sealed(work.tenant_id, made.id, "verifier", verifier.encode())
        )
        work.add(made)
        work.audit("integrations.authorize", f"integration:{integration_id.hex}", after={"step": "begun"})
        await work.flush()
        return Begun(self._authorize_url(party, auth, state, verifier), made.expires_at)

    async def park(self, state: str, brought: Mapping[str, str]) -> Parked:
        """Keep what a callback brought, once, until who began asks for it; nothing is asked of the vendor.

        Raises UnknownState, also for a state that was used before, and AuthorizationExpired.
        """
        of = states.read(state, self._state_key)
        async with self._database.unit_of_work(of.tenant_id) as work:
            row = await work.one(
                _rows(work, of.integration_id)
                .where(Authorization.id == of.authorization_id, Authorization.state_digest == states.digest(state))
                .with_for_update()
            )
            if row is None or row.called_back_at is not None or row.principal_id != of.principal_id:
                raise UnknownState
            if row.expires_at <= work.now:
                raise AuthorizationExpired
            party = await self._party(work, of.integration_id)
            auth = _authorizing(party)
            row.called_back_at, row.expires_at = work.now, work.now + CONFIRM_WITHIN
            row.error = _refusal(auth, brought)
            if row.error is None:
                callback = {name: brought[name] for name in auth.callback_params}
                plain = msgspec.json.encode(_Brought(brought.get("code"), callback))
                row.code = self._sealed(work.tenant_id, row.id, "code", plain)
            return Parked(of.tenant_id, of.integration_id, party.integration.label, granted=row.error is None)

    async def examine(self, tenant_id: UUID, integration_id: UUID, principal_id: UUID) -> Account:
        """The account that was authorised, for who began to look at; the token is parked until they accept it.

        May be called again. Raises AuthorizationMissing, -OfAnother, -Pending, -Expired or -Failed; OtherAccount where
        it is not the integration's; a ConnectorError where the vendor does not answer.
        """
        failure: AuthRevoked | None = None
        token: Token | None = None
        async with self._database.unit_of_work(tenant_id) as work:
            row = await self._granted(work, integration_id, principal_id)
            try:
                token = await self._token(work, row)
            except AuthRevoked as problem:  # a code is good for one exchange: there is nothing to try again
                failure, row.error = problem, str(problem)
        if failure is not None or token is None:
            raise AuthorizationFailed(f"{failure} Begin it again.")
        bound = await self._remotes.bound(tenant_id, integration_id, parked=token)
        async with bound.opened() as remote:
            account = await remote.check()
        actions.check_account(bound.integration, account.id, account.label)
        async with self._database.unit_of_work(tenant_id) as work:
            row = await self._granted(work, integration_id, principal_id)
            row.account, row.account_label = account.id, account.label
        return account

    async def accept(self, work: Writing, integration_id: UUID, principal_id: UUID) -> Account:
        """Let the integration use the account that was examined, with the token that was parked.

        Raises what `examine` raises, and AccountTaken where another integration has the account.
        """
        row = await self._granted(work, integration_id, principal_id)
        if row.token is None or row.account is None:
            raise AuthorizationPending
        account = Account(row.account, row.account_label or row.account)
        integration = await queries.integration(work, integration_id, lock=True)
        await actions.recognise(work, integration, account.id, account.label)
        auth = (await self._party(work, integration_id)).auth
        token = msgspec.json.decode(self._opened(work.tenant_id, row.id, "token", row.token), type=Token)
        await tokens.keep_token(work, self._vault, integration_id, token)
        await idle.watch(work, integration_id, auth, token)
        work.audit("integrations.authorize", f"integration:{integration_id.hex}", after={"step": "accepted"})
        await _forget(work, integration_id)
        return account

    async def cancel(self, work: Writing, integration_id: UUID) -> None:
        """Forget an authorization that is under way; there need not be one."""
        await _forget(work, integration_id)
        work.audit("integrations.authorize", f"integration:{integration_id.hex}", after={"step": "cancelled"})

    async def revoke(self, tenant_id: UUID, integration_id: UUID) -> bool:
        """Tell the vendor that the integration's token is no longer used; False where it cannot be told."""
        async with self._database.reading(tenant_id) as reading:
            party = await self._party(reading, integration_id)
        if party.issued is None or not isinstance(party.auth, OAuth2) or party.auth.revoke_url is None:
            return False
        token = party.issued.token
        try:
            url = party.filled(party.auth.revoke_url, token.callback)
            await self._remotes.endpoint(party, token.callback).revoke(url, token)
        except Transient:
            return False
        return True

    async def _party(self, reading: Reading, integration_id: UUID) -> Party:
        return await parties.party(reading, self._remotes.registry, self._vault, integration_id)

    def _authorize_url(self, party: Party, auth: Authorizing, state: str, verifier: str | None) -> str:
        """Where the browser goes: to the vendor, or to its sandbox."""
        url = party.filled(auth.authorize_url if isinstance(auth, OAuth2) else str(auth.consent_url), {})
        sandbox = self._remotes.settings.sandbox_addresses.get(party.connector.key)
        endpoint = self._remotes.endpoint(party, dict.fromkeys(auth.callback_params, ""))
        return endpoint.authorize_url(egress.in_sandbox(url, sandbox) if sandbox else url, state, verifier)

    async def _granted(self, work: Writing, integration_id: UUID, principal_id: UUID) -> Authorization:
        """The authorization of an integration, if this principal may finish it now; nobody else gets it meanwhile."""
        row = await work.one(_rows(work, integration_id).with_for_update())
        if row is None:
            raise AuthorizationMissing
        if row.principal_id != principal_id:
            raise AuthorizationOfAnother
        if row.expires_at <= work.now:
            raise AuthorizationExpired
        if row.called_back_at is None:
            raise AuthorizationPending
        if row.error is not None:
            raise AuthorizationFailed(f"{row.error} Begin it again.")
        return row

    async def _token(self, work: Writing, row: Authorization) -> Token:
        """The parked token, got for the code when it is first asked for."""
        if row.token is not None:
            plain = self._opened(work.tenant_id, row.id, "token", row.token)
            return msgspec.json.decode(plain, type=Token)
        brought = msgspec.json.decode(self._opened(work.tenant_id, row.id, "code", row.code), type=_Brought)
        party = await self._party(work, row.integration_id)
        endpoint = self._remotes.endpoint(party, brought.callback)
        if isinstance(party.auth, OAuth2):
            verifier = self._opened(work.tenant_id, row.id, "verifier", row.verifier).decode() if row.verifier else None
            token = await endpoint.exchanged(brought.code or "", verifier, brought.callback)
        else:
            token = await endpoint.granted(brought.callback)
        row.token = self._sealed(work.tenant_id, row.id, "token", msgspec.json.encode(token))
        row.code = row.verifier = None
        return token

    def _sealed(self, tenant_id: UUID, authorization_id: UUID, field: str, plain: bytes) -> bytes:
        return self._vault.seal(places.authorization(tenant_id, authorization_id, field), plain)

    def _opened(self, tenant_id: UUID, authorization_id: UUID, field: str, sealed: bytes | None) -> bytes:
        return self._vault.open(places.authorization(tenant_id, authorization_id, field), sealed or b"")


def _authorizing(party: Party) -> Authorizing:
    """How somebody lets the integration in at the vendor. Raises NothingToAuthorize."""
    if isinstance(party.auth, OAuth2 | ClientCredentials) and readiness.needs_a_person(party.auth):
        return party.auth
    raise NothingToAuthorize(connector=party.connector.key)


def _refusal(auth: Authorizing, brought: Mapping[str, str]) -> str | None:
    """Why a callback grants nothing, in words; None when it does."""
    if "error" in brought:
        told = ": ".join(brought[name] for name in ("error", "error_description") if name in brought)
        return f"The vendor refused: {told[:300]}."
    wanted = (*auth.callback_params, *(("code",) if isinstance(auth, OAuth2) else ()))
    missing = [name for name in wanted if not brought.get(name)]
    if missing:
        return f"The vendor's answer has no {', '.join(missing)}."
    if brought.get("admin_consent", "true").lower() != "true":
        return "The administrator did not consent."
    return None


def _rows(reading: Reading, integration_id: UUID) -> Select[Authorization]:
    return (
        select(Authorization)
        .where(Authorization.tenant_id == reading.tenant_id, Authorization.integration_id == integration_id)
        .execution_options(populate_existing=True)
    )


async def _forget(work: Writing, integration_id: UUID) -> None:
    """Remove the authorization of an integration, and whatever else the tenant did not finish in time."""
    await work.execute(
        delete(Authorization)
        .where(
            Authorization.tenant_id == work.tenant_id,
            or_(Authorization.integration_id == integration_id, Authorization.expires_at <= work.now),
        )
        .execution_options(synchronize_session=False)
    )
