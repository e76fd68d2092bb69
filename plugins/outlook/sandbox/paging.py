"""Listings page by page: plain ones by `$top` and `$skip`, changes by delta tokens."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from plugins.outlook.sandbox.calls import Answer, Call
from plugins.outlook.sandbox.errors import bad_request, sync_state_lost
from plugins.outlook.sandbox.odata import LARGEST_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plugins.outlook.sandbox.changes import Change, ChangeLog

DEFAULT_PAGE = 10
"""Entries of a page when nothing else is asked for: documented for messages; for deltas UNVERIFIED."""

TOKENS = ("$deltatoken", "$skiptoken")
_CHECKED = b"outlook sandbox"

Entry = TypeVar("Entry")


class Token(Struct, frozen=True, array_like=True):
    """Where a round of a delta query stands. It travels whole inside the link, as Graph's do."""

    source: str
    generation: int
    start: int
    position: int
    offset: int = 0
    initial: bool = True
    seen: int = 0
    given: dict[str, str] = {}

    def encoded(self) -> str:
        """The token as text, with a check that no client can make."""
        body = urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")
        return f"{body}.{_check(body)}"

    @classmethod
    def decoded(cls, text: str) -> Token:
        """The token of a text; what the sandbox did not write is refused."""
        body, _, check = text.partition(".")
        if check != _check(body):
            raise bad_request("The sync state data is invalid.", "ErrorInvalidSyncStateData")
        try:
            return msgspec.json.decode(urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=cls)
        except (binascii.Error, msgspec.MsgspecError):
            raise bad_request("The sync state data is invalid.", "ErrorInvalidSyncStateData") from None


def listing(call: Call, entries: Sequence[Entry], shown: Callable[[Entry], dict[str, Any]], context: str) -> Answer:
    """One page of a plain listing."""
    size = call.options.number("$top", LARGEST_PAGE, 1) or call.preferences.page_size or DEFAULT_PAGE
    skip = call.options.number("$skip", 2**31) or 0
    body: dict[str, Any] = {"@odata.context": call.context(context)}
    if call.options.counted():
        body["@odata.count"] = len(entries)
    body["value"] = [shown(entry) for entry in entries[skip : skip + size]]
    if skip + size < len(entries):
        body["@odata.nextLink"] = call.link(_query({**call.options.given, "$skip": str(skip + size)}))
    return Answer(200, body)


def changes(
    call: Call,
    log: ChangeLog,
    source: str,
    context: str,
    shown: Callable[[Change, Mapping[str, str]], list[dict[str, Any]]],
    most_filtered: int | None = None,
) -> Answer:
    """One page of a delta query.

    A first round gives what is there, a later one what changed since; what changes while a round goes on comes at its
    end, so an entry may come twice. `most_filtered` ends a first round with a `$filter` early.
    """
    token = _token(call, log, source)
    size = call.preferences.page_size or int(token.given.get("$top", DEFAULT_PAGE))
    faults = call.sandbox.faults

    def entries(change: Change, position: int) -> list[dict[str, Any]]:
        unseen = token.initial and change.gone and position < token.start
        return [] if unseen else shown(change, token.given)

    found, position, offset = (
        ([], token.position, token.offset)
        if call.sandbox.happens(faults.empty_pages)
        else log.page(token.position, token.offset, size, entries)
    )
    seen = token.seen + len(found)
    if found and call.sandbox.happens(faults.duplicated_items):
        found.append(found[0])
    enough = most_filtered is not None and token.initial and "$filter" in token.given and seen >= most_filtered
    ended = enough or position >= len(log)
    follows = msgspec.structs.replace(token, position=position, offset=offset, seen=seen)
    body: dict[str, Any] = {"@odata.context": call.context(context), "value": found}
    if ended:
        end = max(position, len(log))
        follows = msgspec.structs.replace(token, start=end, position=end, offset=0, initial=False, seen=0)
        body["@odata.deltaLink"] = call.link(f"$deltatoken={follows.encoded()}")
    else:
        body["@odata.nextLink"] = call.link(f"$skiptoken={follows.encoded()}")
    return Answer(200, body)


def _token(call: Call, log: ChangeLog, source: str) -> Token:
    given = call.options.given
    text = given.get("$deltatoken") or given.get("$skiptoken")
    if text is None:
        call.options.number("$top", LARGEST_PAGE, 1)
        return Token(source, log.generation, len(log), 0, given=dict(given))
    if len(given) > 1:
        raise bad_request("A delta link is to be used as it was given.", "ErrorInvalidUrlQuery")
    token = Token.decoded(text)
    if token.source != source:
        raise bad_request("The sync state data is invalid.", "ErrorInvalidSyncStateData")
    if token.generation != log.generation:
        raise sync_state_lost(call.link(_query(token.given)))
    return token


def _query(given: Mapping[str, str]) -> str:
    return urlencode(given, safe="$/:,()'", quote_via=quote)


def _check(body: str) -> str:
    return blake2b(body.encode(), key=_CHECKED, digest_size=6).hexdigest()
