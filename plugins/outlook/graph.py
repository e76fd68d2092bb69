"""How Microsoft Graph is asked: immutable ids on every request, listings and deltas page by page."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, unquote, urlsplit

import msgspec
from msgspec import Struct

from plugins.outlook.settings import Keep, OutlookConfig
from tenure_sdk import MAX_CURSOR_BYTES, ConfigInvalid, Context, CursorExpired, NotFound, PermissionDenied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

Ctx: TypeAlias = Context[OutlookConfig]
Row: TypeAlias = dict[str, Any]

API = "/v1.0"
PREFER = 'IdType="ImmutableId", outlook.timezone="UTC", outlook.body-content-type="text"'
OUR_KEY = "String {6f2d1f0e-9a3c-4c52-8d57-3f0c1b7a9e64} Name TenureKey"
"""The property of our own by which is found what was made under a key: it stays with the item, unseen."""

_TOKENS = {"d": "$deltatoken", "s": "$skiptoken"}


class Mailbox(Struct, frozen=True):
    """One mailbox that is read."""

    user: str
    """The id of its user, which outlives another address."""
    address: str
    path: str
    """How requests name it: `/v1.0/me`, or by its address."""
    keep: Keep

    def record_id(self, kind: str, item: str) -> str:
        """The id of a record: an item's own id says neither whose it is nor what it is."""
        return f"{self.user}/{kind}/{item}"


class Position(Struct, frozen=True, array_like=True):
    """How far one folder has been read."""

    mark: str
    """What the reading was begun with; with another mark it begins anew."""
    link: str = ""
    """The link to follow: `s` and a token within a round, `d` and a token after one."""
    since: str = ""
    """From when on a first round reads, until it is complete."""
    read: int = 0
    """How many items such a round has brought so far."""

    @property
    def is_between_rounds(self) -> bool:
        """Whether a round has ended, and the next one tells what changed since."""
        return self.link[:1] in {"d", "D"}


class Positions:
    """The cursor of a stream: a position for each folder, under a short digest of whose it is and which.

    Raises CursorExpired for one that is none.
    """

    def __init__(self, cursor: Any) -> None:
        try:
            self._known = msgspec.convert(cursor or {}, dict[str, Position])
        except msgspec.ValidationError as unreadable:
            raise CursorExpired("This is no position in a mailbox; read it from the start.") from unreadable

    def get(self, key: str) -> Position | None:
        """Where a folder's reading stands; None where it has not begun."""
        return self._known.get(key)

    def note(self, key: str, position: Position | None) -> None:
        """Note where it stands; None forgets it."""
        if position is None:
            self._known.pop(key, None)
        else:
            self._known[key] = position

    def keys_of(self, user: str) -> set[str]:
        """The keys of one mailbox."""
        return {key for key in self._known if key.startswith(f"{digest(user)}.")}

    def keep(self, users: Collection[str]) -> None:
        """Forget mailboxes that are read no more."""
        wanted = {digest(user) for user in users}
        self._known = {key: value for key, value in self._known.items() if key.partition(".")[0] in wanted}

    def cursor(self) -> dict[str, Any]:
        """As it is kept. Raises ConfigInvalid where it would be too large."""
        made: dict[str, Any] = msgspec.to_builtins(self._known)
        if len(msgspec.json.encode(made)) > MAX_CURSOR_BYTES - 256:
            raise ConfigInvalid(
                f"{len(made)} folders are too many to keep track of: list fewer mailboxes, or leave folders out.",
                key="leave_out",
            )
        return made


def key_of(user: str, folder: str) -> str:
    """Under which name the position of a folder is kept."""
    return f"{digest(user)}.{digest(folder)}"


def digest(text: str) -> str:
    """A few letters for a long id."""
    return blake2b(text.encode(), digest_size=5).hexdigest()


class Graph:
    """Graph for one run."""

    def __init__(self, ctx: Ctx) -> None:
        self.ctx = ctx

    async def get(self, path: str, size: int | None = None, **params: Any) -> Row:
        """An answer as JSON; options are named without their `$`, times in a view as they are."""
        prefer = PREFER if size is None else f"{PREFER}, odata.maxpagesize={size}"
        options = {name if name.endswith("DateTime") else f"${name}": value for name, value in params.items()}
        return await self.ctx.get(path, params=options, headers={"Prefer": prefer}, type=dict[str, Any])

    async def send(self, method: str, path: str, json: Any = None, *, version: str | None = None, **how: Any) -> Any:
        """Have something made or changed; `version` is the one that it must still have."""
        headers = {"Prefer": PREFER} | ({} if version is None else {"If-Match": version})
        return await getattr(self.ctx, method.lower())(path, json=json, headers=headers, **how)

    async def mailboxes(self) -> list[Mailbox]:
        """The mailboxes of the settings. Raises ConfigInvalid for one that cannot be reached."""
        config = self.ctx.config
        if config.access == "mailbox":
            return [await self._mailbox(f"{API}/me")]
        return [await self._mailbox(f"{API}/users/{quote(address)}", address) for address in config.mailboxes]

    async def _mailbox(self, path: str, listed: str | None = None) -> Mailbox:
        try:
            user = await self.get(path, select="id,mail,userPrincipalName")
        except (NotFound, PermissionDenied) as problem:
            if listed is None:
                raise
            message = f"The mailbox {listed} is not there, or the administrator's consent does not reach it."
            raise ConfigInvalid(message, key="mailboxes") from problem
        address = str(listed or user.get("mail") or user.get("userPrincipalName"))
        return Mailbox(user["id"], address, path, self.ctx.config.keeps(address))

    async def listed(self, path: str, size: int = 100, **params: Any) -> AsyncIterator[list[Row]]:
        """The pages of a listing."""
        page = await self.get(path, size, **params)
        while True:
            yield page["value"]
            link = page.get("@odata.nextLink")
            if link is None:
                return
            page = await self.get(link, size)

    async def all(self, path: str, **params: Any) -> list[Row]:
        """A whole listing."""
        return [row async for page in self.listed(path, **params) for row in page]

    async def changes(
        self, path: str, position: Position, size: int, **params: Any
    ) -> AsyncIterator[tuple[list[Row], Position]]:
        """The pages of a delta's round, each with the position after it; the last one is between rounds.

        Raises CursorExpired where Graph has forgotten the position.
        """
        while True:
            if position.link:
                page = await self.get(f"{path}?{_long(position.link)}", size)
            else:
                page = await self.get(path, size, **params)
            ended = "@odata.deltaLink" in page
            link = _short(page["@odata.deltaLink"], "d") if ended else _short(page["@odata.nextLink"], "s")
            read = position.read + len(page["value"]) if position.since else 0
            position = Position(position.mark, link, position.since, read)
            yield page["value"], position
            if ended:
                return

    async def looked_up(self, paths: Sequence[str], **params: Any) -> dict[str, Row]:
        """What is there of these, by path; what is gone is left out."""

        async def one(path: str) -> Row | None:
            try:
                return await self.get(path, **params)
            except NotFound:
                return None

        found = await asyncio.gather(*(one(path) for path in paths))
        return {path: row for path, row in zip(paths, found, strict=True) if row is not None}

    async def made_under(self, path: str, key: str, **params: Any) -> list[Row]:
        """The items of a collection that were made under a key of ours."""
        value = key.replace("'", "''")
        wanted = f"singleValueExtendedProperties/any(ep: ep/id eq '{OUR_KEY}' and ep/value eq '{value}')"
        return await self.all(path, filter=wanted, **params)


def marked(key: str) -> list[Row]:
    """The property that `made_under` finds."""
    return [{"id": OUR_KEY, "value": key}]


def item_path(path: str, kind: str, item: str) -> str:
    """The address of an item; ids may have `/` and `+` in them."""
    return f"{path}/{kind}/{quote(item, safe='')}"


def stamp(at: datetime) -> str:
    """A moment as filters have it."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _short(link: str, kind: str) -> str:
    """A link as the cursor has it: its token alone, behind a letter for its kind; a capital one keeps another form."""
    query = urlsplit(link).query
    name, _, token = query.partition("=")
    is_usual = unquote(name) == _TOKENS[kind] and "&" not in token
    return f"{kind}{token}" if is_usual else f"{kind.upper()}{query}"


def _long(link: str) -> str:
    kind = link[0]
    return link[1:] if kind.isupper() else f"{_TOKENS[kind]}={link[1:]}"


def only(found: Mapping[str, Any], *names: str) -> Any:
    """The value at a path of names; None where one of them is missing."""
    value: Any = found
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
