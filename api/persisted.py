"""Automatic persisted queries: a client sends the digest of a document, and the document once."""

from hashlib import sha256
from typing import Any
from uuid import UUID

from cachetools import LRUCache

from api.problems import BadUserInput, RequestRefused
from domain.core.database import Database
from domain.tenants import documents

_BYTES_IN_PROCESS = 8 << 20
_LONGEST = 64 << 10
_DIGITS = 64


class PersistedQueryNotFound(RequestRefused):
    """A digest whose document is not known here; the client sends it again with the document."""

    code = "PERSISTED_QUERY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")  # the text that Apollo's clients look for


class PersistedDocuments:
    """The documents of all tenants, each tenant's for itself; those in use are kept in the process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: LRUCache[tuple[UUID, bytes], str] = LRUCache(_BYTES_IN_PROCESS, getsizeof=len)

    async def find(self, tenant_id: UUID, digest: bytes) -> str:
        """The document of a digest. Raises PersistedQueryNotFound."""
        known = self._known.get((tenant_id, digest))
        if known is not None:
            return known
        async with self._database.reading(tenant_id) as reading:
            found = await documents.document(reading, digest)
        if found is None:
            raise PersistedQueryNotFound
        self._known[tenant_id, digest] = found
        return found

    async def keep(self, tenant_id: UUID, digest: bytes, text: str) -> None:
        """Persist a document that has proved valid; one that is very long is not kept."""
        if (tenant_id, digest) in self._known or len(text) > _LONGEST:
            return
        async with self._database.unit_of_work(tenant_id) as work:
            await documents.keep(work, digest, text)
        self._known[tenant_id, digest] = text


def digest_of(extension: Any, text: str | None) -> bytes:
    """The digest that the extension `persistedQuery` names. Raises BadUserInput, also when it is not the text's."""
    given = extension.get("sha256Hash") if isinstance(extension, dict) and extension.get("version") == 1 else None
    try:
        digest = bytes.fromhex(given) if isinstance(given, str) and len(given) == _DIGITS else None
    except ValueError:
        digest = None
    if digest is None:
        raise BadUserInput("persistedQuery has version 1 and a sha256Hash of 64 hexadecimal digits.")
    if text is not None and sha256(text.encode()).digest() != digest:
        raise BadUserInput("The sha256Hash of persistedQuery is not that of the query.")
    return digest
