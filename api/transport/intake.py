"""What every transport does with a request before it runs, and with one that fails."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from api.engine import Ask, Engine, Prepared
from api.limits import MOST_COST
from api.persisted import PersistedDocuments, digest_of
from api.problems import Malformed, RequestRefused, unexpected
from api.reads.operation import MOST_ERRORS
from api.transport.bodies import Request
from domain.tenants.queries import Identity


@dataclass(frozen=True)
class Caller:
    """Who asks, and what the transport knows of the asking."""

    identity: Identity
    language: str
    request_id: str
    idempotency_key: str | None = None


class Intake:
    """Makes operations ready to run: every refusal that needs no run comes from here."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._documents = PersistedDocuments(engine.database)

    async def prepare(self, request: Request, caller: Caller) -> Prepared:
        """The operation that a request asks for. Raises RequestRefused; what is refused is paid for too, a little."""
        digest, text = await self._text(request, caller.identity)
        ask = Ask(
            text, caller.identity, caller.language, request.operation_name, request.variables, caller.request_id,
            caller.idempotency_key,
        )  # fmt: skip
        try:
            prepared = self.engine.prepare(ask)
        except RequestRefused:
            await self.engine.budget.spend_refused(caller.identity)
            raise
        if digest is not None:
            await self._documents.keep(caller.identity.tenant_id, digest, text)
        return prepared

    async def pay(self, prepared: Prepared) -> None:
        """Take what an operation costs from its token's budget. Raises Throttled."""
        await self.engine.budget.spend(prepared.ask.identity, prepared.cost)

    async def results(
        self, prepared: Prepared, request: Request, header: bytes | None = None
    ) -> AsyncGenerator[dict[str, Any]]:
        """All the answers of an operation, as they are sent: one, or one for each event of a subscription."""
        if not prepared.operation.is_subscription:
            yield told(await self.engine.answer(prepared), prepared, request, header)
            return
        async with aclosing(self.engine.subscribe(prepared)) as events:
            async for document in events:
                yield told(document, prepared, request, header)

    async def _text(self, request: Request, identity: Identity) -> tuple[bytes | None, str]:
        """The document of a request, with its digest where it is persisted."""
        extension = request.extensions.get("persistedQuery")
        digest = digest_of(extension, request.query) if extension is not None else None
        if request.query is not None:
            return digest, request.query
        if digest is None:
            raise Malformed("The request has no query.")
        return digest, await self._documents.find(identity.tenant_id, digest)


def masked(failed: Exception, request_id: str) -> dict[str, Any]:
    """The answer to a request that failed unexpectedly."""
    return {"errors": unexpected(failed, request_id).errors()}


def told(document: dict[str, Any], prepared: Prepared, request: Request, header: bytes | None = None) -> dict[str, Any]:
    """An answer as it is sent: with few errors, and with what it cost where the request asks for that."""
    if len(document.get("errors", ())) > MOST_ERRORS:
        document = {**document, "errors": document["errors"][:MOST_ERRORS]}
    if header == b"1" or request.extensions.get("cost") is True:
        return {**document, "extensions": {"cost": {"requested": prepared.cost, "limit": MOST_COST}}}
    return document
