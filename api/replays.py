"""Idempotency keys: a request that comes again is answered from what was done the first time, for 24 hours."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.changing import inputs
from api.reference import Reference
from domain.core.events import make_due
from domain.core.problems import Conflict
from domain.core.unit_of_work import Reading, Writing
from domain.tenants.actions import EXPIRED_ANSWERS
from domain.tenants.model import IdempotencyKey

KEPT_FOR = timedelta(hours=24)


class SecretAlreadyShown(Conflict):
    """The secret was shown when this was done first. Make a new token if it was lost."""


class KeyReused(Conflict):
    """This idempotency key was used with another input. Use a new key for a new request."""


@dataclass(frozen=True)
class Done:
    """What a mutation did: the thing it made or changed, further fields of its payload, and secrets shown once.

    `fields` are stored with an idempotency key: nothing personal stands in them.
    """

    reference: Reference | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Once:
    """A request that shall be done once: the token that sends it, the field that it is for, and its key."""

    token_id: UUID
    field: str
    key: str

    @property
    def elsewhere(self) -> str:
        """The key as other sides get it: one of its own for each token and field, and short enough for all of them."""
        return blake2b(f"{self.token_id}:{self.field}:{self.key}".encode(), digest_size=16).hexdigest()

    async def run(self, work: Writing, asked: Any, deed: Callable[[], Awaitable[Done]]) -> Done:
        """Do the deed, or find what was done when the same came before; both at once wait for each other.

        Raises KeyReused when the key came with another input, and SecretAlreadyShown.
        """
        digest = _digest(work.key, asked)
        if await self._claim(work, digest):
            done = await deed()
            await work.execute(update(IdempotencyKey).where(*self._entry(work)).values(answer=_kept(done)))
            return done
        known = await work.one(select(IdempotencyKey).where(*self._entry(work)))
        if known is None or known.input_digest != digest:
            raise KeyReused
        return _replayed(known.answer or {})

    async def is_answered(self, work: Reading) -> bool:
        """Whether the same was asked and answered before, and the answer still stands."""
        answer = select(IdempotencyKey.answer).where(*self._entry(work), IdempotencyKey.expires_at > work.now)
        return await work.one(answer) is not None

    async def _claim(self, work: Writing, digest: bytes) -> bool:
        """Whether nobody used the key before; who uses it right now is waited for."""
        await work.execute(delete(IdempotencyKey).where(*self._entry(work), IdempotencyKey.expires_at <= work.now))
        expires_at = work.now + KEPT_FOR
        claimed = await work.execute(
            upsert(IdempotencyKey)
            .values(
                tenant_id=work.tenant_id, token_id=self.token_id, field=self.field, key=self.key,
                input_digest=digest, created_at=work.now, expires_at=expires_at,
            )
            .on_conflict_do_nothing()
        )  # fmt: skip
        if claimed.rowcount:
            await make_due(work.session, work.tenant_id, EXPIRED_ANSWERS, "", expires_at)
        return bool(claimed.rowcount)

    def _entry(self, work: Reading) -> tuple[Any, ...]:
        return (
            IdempotencyKey.tenant_id == work.tenant_id,
            IdempotencyKey.token_id == self.token_id,
            IdempotencyKey.field == self.field,
            IdempotencyKey.key == self.key,
        )


def _digest(key: bytes, asked: Any) -> bytes:
    """An input as a keyed hash: the same whether its values were literals or variables."""
    told = orjson.dumps(inputs.plain(asked), default=str, option=orjson.OPT_SORT_KEYS)
    return blake2b(told, key=key[:64], digest_size=32).digest()


def _kept(done: Done) -> dict[str, Any]:
    """What is stored of an answer: which thing it was about and that secrets were shown, never the secrets."""
    reference = done.reference
    return {
        "reference": [reference.type, reference.id.hex] if reference else None,
        "fields": dict(done.fields),
        "secret": bool(done.secrets),
    }


def _replayed(kept: Mapping[str, Any]) -> Done:
    if kept.get("secret"):
        raise SecretAlreadyShown
    found = kept.get("reference")
    return Done(Reference(found[0], UUID(found[1])) if found else None, kept.get("fields", {}))
