"""One company's books as QuickBooks Online's API has them: read in order of change, counted, and written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from plugins.quickbooks import rows
from plugins.quickbooks.rows import Broken
from tenure_sdk import ConfigInvalid, ConnectorError, ContractViolation, CursorExpired, IdVersion, Page, Reject, Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from plugins.quickbooks.rows import Kind
    from tenure_sdk import Context, Cursor

HOSTS = {"production": "quickbooks.api.intuit.com", "sandbox": "sandbox-quickbooks.api.intuit.com"}
MINOR_VERSION = "75"
MOST_ROWS = 1_000
"""The most rows of an answer."""
ENOUGH_ROWS = 2_500
"""From how many rows on answers are a page: what a page costs beside its rows is the same for few and for many."""
MOST_CHANGES = 1_000
"""The most objects of an answer about changes, which does not tell when there are more."""
LOOK_BACK = timedelta(days=30) - timedelta(hours=1)
"""How far back changes are known, less a margin for the clocks of both sides."""
OVERLAP = timedelta(minutes=2)
"""How far before its cursor a reading begins: what was saved late has a time that is over."""
ROWS_AGAIN = 50
"""How many rows are read again at the seam of two pages, to see that none has slipped through."""
IDS_AT_ONCE = 100

Row = tuple[Any, dict[str, Any]]
"""An object, and what it has that the vendor's schema does not know."""
Made = TypeVar("Made")
Decoded = TypeVar("Decoded")
_NEVER = datetime.min.replace(tzinfo=UTC)
encode = msgspec.json.Encoder(decimal_format="number").encode


class Company:
    """The books of the company that an authorization is for."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._ctx = ctx
        realm = ctx.callback.get("realmId") or ctx.account
        if not realm:
            raise ConfigInvalid("The authorization did not say which company it is for: authorise once more.")
        self.realm = _safe(realm)

    async def name(self) -> str:
        """What the company calls itself."""
        answer = await self._get(f"companyinfo/{self.realm}", dict[str, Any])
        return str((answer.get("CompanyInfo") or {}).get("CompanyName") or self.realm)

    async def pages(
        self, kind: Kind, made: Callable[[Any, dict[str, Any]], Made], cursor: Cursor, *, deletes: bool = True
    ) -> AsyncIterator[tuple[list[Made], Page]]:
        """What is made of the rows that changed since a cursor, each portion with its page, which has all but that.

        What was deleted comes last. Raises CursorExpired where QuickBooks no longer tells that.
        """
        place = _place(self._ctx, cursor, deletes=deletes)
        async for found, reached in _gathered(self._walk(kind, place, kind.read, made)):
            place = reached
            good = [each for each in found if not isinstance(each, Broken)]
            rejects = [Reject(None, None, None, each.reason, each.id) for each in found if isinstance(each, Broken)]
            yield good, Page([], rejects=rejects, cursor=msgspec.to_builtins(place))
        gone, told_until = await self._deleted(kind, place) if deletes else ([], place.gone_since)
        if told_until is None and not place.whole:
            yield [], Page([], gone)
            raise CursorExpired(f"So much has changed that QuickBooks does not tell which {kind.name}s were deleted.")
        rest = _Place(since=place.since, gone_since=told_until or place.gone_since)
        yield [], Page([], gone, cursor=msgspec.to_builtins(rest))

    async def by_id(self, kind: Kind, ids: Sequence[str]) -> list[Row]:
        """Rows by their ids; what is gone, or is no object of its kind, is left out."""
        found = []
        for start in range(0, len(ids), IDS_AT_ONCE):
            listed = ", ".join(f"'{_safe(each)}'" for each in ids[start : start + IDS_AT_ONCE])
            where = _where(kind, None, f"Id IN ({listed})")
            answer = await self._query(f"SELECT * FROM {kind.name}{where} MAXRESULTS {IDS_AT_ONCE}")
            found += [kind.read(raw) for raw in answer.rows(kind)]
        return [each for each in found if not isinstance(each, Broken)]

    async def versions(self, kind: Kind) -> AsyncIterator[list[IdVersion]]:
        """The ids of all rows, with the versions of those that can be read."""
        async for found, _ in self._walk(kind, _Place(), rows.head, lambda row, _: IdVersion(row.id, row.sync_token)):
            yield [IdVersion(each.id or "") if isinstance(each, Broken) else each for each in found]

    async def count(self, kind: Kind, window: Window | None) -> int:
        """How many rows there are."""
        answer = await self._query(f"SELECT COUNT(*) FROM {kind.name}{_where(kind, window)}")
        count = answer.query_response.get("totalCount", 0)
        return count if isinstance(count, int) else 0

    async def write(self, kind: Kind, properties: dict[str, Any], key: str) -> Row:
        """Create an object, or change the properties of one; the same key gets the first answer again."""
        return await self._post(kind, kind.name.lower(), key, "application/json", encode(properties))

    async def send(self, kind: Kind, id_: str, to: str | None, key: str) -> Row:
        """Have a document sent by e-mail; the same key sends it once."""
        return await self._post(
            kind, f"{kind.name.lower()}/{_safe(id_)}/send", key, "application/octet-stream", sendTo=to
        )

    async def _walk(
        self, kind: Kind, place: _Place, read: Callable[[Raw], Row | Broken], made: Callable[..., Made]
    ) -> AsyncIterator[tuple[list[Made | Broken], _Place]]:
        """What is made of portions of rows in order of change, each with the place behind it; the last one is empty."""
        while True:
            answer = await self._page(kind, place)
            if place.gone_since is None:
                place.gone_since = answer.time
            found: dict[str, Made | Broken] = {}
            times: dict[str, datetime] = {}
            at = place.since
            # Each row is used as soon as it is read: a portion of them is more than a processor keeps at hand, and it
            # would take twice the time.
            for raw in answer.rows(kind):
                row = read(raw)
                if isinstance(row, Broken):  # one whose time cannot be read stands where the row before it stood
                    name, at = row.id or "", row.at or at or _NEVER
                    found[name] = row
                else:
                    name, at = row[0].id, row[0].meta_data.last_updated_time
                    found[name] = made(*row)
                times[name] = at
            if found and place.last and next(iter(found)) not in place.last:
                place.read, place.last = 0, []  # rows of this moment have changed meanwhile, and the others moved up
                continue
            for name in place.last:
                found.pop(name, None)
            if found:
                place = place.after([*times], [*times.values()])
            yield list(found.values()), place
            if not found:
                return

    async def _page(self, kind: Kind, place: _Place) -> _Answer:
        first = place.read - len(place.last) + 1
        where = _where(kind, Window(place.since, self._ctx.window.end))
        order = f"ORDERBY MetaData.LastUpdatedTime STARTPOSITION {first} MAXRESULTS {MOST_ROWS}"
        return await self._query(f"SELECT * FROM {kind.name}{where} {order}")

    async def _deleted(self, kind: Kind, place: _Place) -> tuple[list[str], datetime | None]:
        """What was deleted, and until when that is known; None where an answer was cut, and more may have been.

        Where one is cut, the later half of its time is asked for, until it is told in whole.
        """
        since = (place.gone_since or self._ctx.now()) - OVERLAP
        gone: dict[str, None] = {}
        told_until, cut = place.gone_since, False
        while since <= self._ctx.now():
            answer = await self._get("cdc", _Changes, entities=kind.name, changedSince=since)
            changed = answer.objects(kind)
            gone |= dict.fromkeys(each.id for each in changed if each.status == "Deleted")
            told_until = answer.time
            if len(changed) < MOST_CHANGES:
                break
            cut = True
            since += max((self._ctx.now() - since) / 2, timedelta(seconds=1))
        return list(gone), None if cut else told_until

    async def _query(self, statement: str) -> _Answer:
        return await self._get("query", _Answer, query=statement)

    async def _get(self, path: str, type_: type[Decoded], **params: Any) -> Decoded:
        params["minorversion"] = MINOR_VERSION
        return await self._ctx.get(self._url(path), params=params, type=type_, timeout=60.0)

    async def _post(
        self, kind: Kind, path: str, key: str, content_type: str, content: bytes = b"", **params: Any
    ) -> Row:
        answer = await self._ctx.post(
            self._url(path), content=content, headers={"Content-Type": content_type}, idempotent=True,
            params={**params, "minorversion": MINOR_VERSION, "requestid": key}, type=dict[str, Raw],
        )  # fmt: skip
        found = kind.read(answer[kind.name]) if kind.name in answer else Broken(None, None, "it is missing")
        if isinstance(found, Broken):
            raise ContractViolation(f"QuickBooks answered without a {kind.name}: {found.reason}")
        return found

    def _url(self, path: str) -> str:
        return f"https://{HOSTS[self._ctx.config.environment]}/v3/company/{self.realm}/{path}"


class _Answer(Struct, rename="pascal"):
    query_response: dict[str, list[Raw] | int]
    time: datetime = msgspec.field(name="time")

    def rows(self, kind: Kind) -> list[Raw]:
        found = self.query_response.get(kind.name, [])
        return found if isinstance(found, list) else []


class _Changed(Struct, rename="pascal"):
    id: str
    status: str = msgspec.field(name="status", default="")


class _Part(Struct, rename="pascal"):
    query_response: list[dict[str, list[_Changed] | int]] = []


class _Changes(Struct):
    parts: list[_Part] = msgspec.field(name="CDCResponse")
    time: datetime

    def objects(self, kind: Kind) -> list[_Changed]:
        listed = [each.get(kind.name, []) for part in self.parts for each in part.query_response]
        return [changed for some in listed if isinstance(some, list) for changed in some]


class _Place(Struct, kw_only=True, omit_defaults=True):
    """A cursor: from which moment on rows are read, in order of change, and within a run how far that has come."""

    since: datetime | None = None
    read: int = 0
    """How many rows of those since then are read."""
    last: list[str] = []
    """The ids of the last of them, which an answer must begin with: else rows have moved, and one may be missing."""
    gone_since: datetime | None = None
    """From when on deletions are to be asked for, by the clock of QuickBooks; None: nothing was read before."""
    whole: bool = False
    """This reading began without a cursor, so that earlier deletions do not matter."""
    running: bool = False

    def after(self, names: Sequence[str], times: Sequence[datetime]) -> _Place:
        """The place behind these rows, the last ones of before included. It moves on to the moment of the last one.

        Rows that change leave the places before it, and so cannot shift those that come.
        """
        at, rows = times[-1], len(times)
        tied = next((place for place, when in enumerate(reversed(times)) if when != at), rows)
        read = tied if at != self.since else self.read - len(self.last) + rows
        again = min(tied, ROWS_AGAIN, rows // 2)
        return msgspec.structs.replace(self, since=at, read=read, last=list(names[rows - again :]), running=True)


async def _gathered(
    portions: AsyncIterator[tuple[list[Made | Broken], _Place]],
) -> AsyncIterator[tuple[list[Made | Broken], _Place]]:
    """Several large portions as one; what was gathered before a problem comes before the problem."""
    gathered: list[Made | Broken] = []
    reached = None
    try:
        async for found, reached in portions:
            gathered += found
            if len(found) < MOST_ROWS / 2 or len(gathered) >= ENOUGH_ROWS:
                yield gathered, reached
                gathered = []
    except ConnectorError:
        if gathered and reached is not None:
            yield gathered, reached
        raise


def _safe(name: str) -> str:
    """An id as it may stand in an address or a query: digits, in practice. Others than those have no such letters."""
    return "".join(letter for letter in name if letter.isalnum() or letter in "-_.")


def _place(ctx: Context[Any], cursor: Cursor, *, deletes: bool) -> _Place:
    """Where to go on: where a reading was broken off, or a little before where the last one ended."""
    if cursor is None:
        return _Place(since=ctx.window.start, whole=True)
    try:
        place = msgspec.convert(cursor, _Place)
    except msgspec.ValidationError:
        raise CursorExpired("This is no place in QuickBooks; read it from the start.") from None
    if deletes and not place.whole and place.gone_since is not None and ctx.now() - place.gone_since > LOOK_BACK:
        raise CursorExpired("QuickBooks no longer knows what was deleted since the last reading.")
    if not place.running and place.since is not None:
        place.since -= OVERLAP
    return place


def _where(kind: Kind, window: Window | None, *more: str) -> str:
    """The conditions of a query, inactive members of name lists included: QuickBooks hides them unless asked."""
    parts = [*more, "Active IN (true, false)"] if kind.named else [*more]
    if window is not None and window.start is not None:
        parts.append(f"MetaData.LastUpdatedTime >= '{window.start.astimezone(UTC).isoformat()}'")
    if window is not None and window.end is not None:
        parts.append(f"MetaData.LastUpdatedTime < '{window.end.astimezone(UTC).isoformat()}'")
    return " WHERE " + " AND ".join(parts) if parts else ""
