"""Who asks: bearer tokens, checked in the database and believed for a few seconds."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import structlog
from cachetools import LRUCache
from sqlalchemy.exc import SQLAlchemyError

from api.problems import Unauthenticated
from domain.core.database import Database
from domain.tenants import actions, queries
from domain.tenants.queries import Identity
from domain.tenants.rules import TokenRefused

log = structlog.get_logger()

BELIEVED = timedelta(seconds=10)
"""How long a checked token is not checked again; a revoked one is refused after at most this time."""

_TOKENS = 10_000
_SCHEME = b"bearer "


@dataclass(frozen=True)
class _Checked:
    identity: Identity
    until: datetime


class Authenticator:
    """Tells whom a bearer token stands for, without a statement for tokens that were seen a moment ago."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checked: LRUCache[bytes, _Checked] = LRUCache(_TOKENS)
        self._noted: LRUCache[UUID, datetime] = LRUCache(_TOKENS)
        self._notes: set[asyncio.Task[None]] = set()

    async def identify(self, authorization: bytes | None) -> Identity:
        """Who sends an Authorization header. Raises Unauthenticated."""
        if authorization is None:
            raise Unauthenticated("Send a token: Authorization: Bearer <token>.")
        key = sha256(authorization).digest()
        known = self._checked.get(key)
        now = self._database.clock.now()
        if known is not None and now < known.until:
            return known.identity
        identity = await self._check(authorization)
        until = now + BELIEVED
        self._checked[key] = _Checked(identity, min(until, identity.expires_at) if identity.expires_at else until)
        self._note_use(identity, now)
        return identity

    async def close(self) -> None:
        """Wait for the notes on their way."""
        if self._notes:
            await asyncio.wait(self._notes)

    async def _check(self, authorization: bytes) -> Identity:
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise Unauthenticated("Only the scheme Bearer is known: Authorization: Bearer <token>.")
        token = authorization[len(_SCHEME) :].strip().decode("latin-1")
        try:
            return await queries.authenticate(self._database, token)
        except TokenRefused as refused:
            raise Unauthenticated(refused.message) from refused

    def _note_use(self, identity: Identity, now: datetime) -> None:
        noted = self._noted.get(identity.token_id)
        if noted is not None and now - noted < actions.NOTED_EVERY:
            return
        self._noted[identity.token_id] = now
        note = asyncio.create_task(self._note(identity), name="token-use")
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    async def _note(self, identity: Identity) -> None:
        try:
            async with self._database.unit_of_work(identity.tenant_id) as work:
                await actions.note_token_use(work, identity.token_id)
        except (SQLAlchemyError, OSError) as failed:
            log.warning("tokens.use_not_noted", error=type(failed).__name__)
