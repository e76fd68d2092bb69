"""What the server and the process of a connector say to each other: frames of MessagePack, each with its length."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence  # noqa: TC003 - msgspec reads it
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw, Struct

import tenure_sdk
from tenure_sdk import (
    RECORD_TYPES,
    Account,
    AnyRecord,
    Change,
    ConnectorError,
    ContractViolation,
    Delivery,
    Field,
    IdVersion,
    LinePage,
    Page,
    Pushed,
    Signal,
    Subscription,
    Totals,
    Window,
)
from tenure_sdk.pages import LINE_COLUMNS

if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import AsyncIterator

LARGEST = 64 * 1024 * 1024
"""Bytes of a frame; who sends a larger one is not believed."""

NOTHING = Raw(msgspec.msgpack.encode(None))

_LENGTH = struct.Struct(">I")


class Start(Struct, frozen=True, kw_only=True, tag="start"):
    """What the process of a connector is to be; the first frame it gets."""

    entry: str
    """Where its code is: `module:attribute`."""
    key: str
    memory: int
    """Bytes of address space."""
    cpu: int
    """Seconds of processor time."""
    beat: float
    """Seconds between two signs of life."""
    now: float
    """The present moment, in seconds since 1970."""
    config: Raw = NOTHING
    """The settings; nothing where it serves no integration, and only reads deliveries."""
    account: str | None = None
    callback: dict[str, str] = {}
    deadline: float | None = None
    sandbox: str | None = None
    """Where its requests go instead of to the vendor."""


class Failure(Struct, frozen=True):
    """An error on its way: its class among those of the SDK, its message and what else it says."""

    kind: str
    message: str
    fields: dict[str, Any] = {}
    at: tuple[str, ...] = ()
    """Where an error came up that no connector should raise, for the log: places, never values."""


class Call(Struct, frozen=True, tag="call"):
    """The server wants something done; what yields many is started, and gives its first."""

    id: int
    method: str
    given: Raw


class Next(Struct, frozen=True, tag="next"):
    """The server wants the next one of many."""

    id: int


class Close(Struct, frozen=True, tag="close"):
    """The server wants no more of them."""

    id: int


class Answer(Struct, frozen=True, tag="answer"):
    """What the server answers to a question."""

    id: int
    given: Raw = NOTHING
    failure: Failure | None = None


class Result(Struct, frozen=True, tag="result"):
    """What a call gives; of many: that there are no more."""

    id: int
    given: Raw


class Item(Struct, frozen=True, tag="item"):
    """One of many."""

    id: int
    kind: Literal["page", "lines", "other"]
    given: Raw


class Failed(Struct, frozen=True, tag="failed"):
    """A call came to nothing."""

    id: int
    failure: Failure


class Ask(Struct, frozen=True, tag="ask"):
    """The connector's process needs what only the server has."""

    id: int
    what: Literal["credentials", "admit", "slow_down"]
    given: Raw


class Leave(Struct, frozen=True, tag="leave"):
    """A request that was admitted is over."""

    id: int


class Note(Struct, frozen=True, tag="note"):
    """A line of the connector's log."""

    level: int
    text: str


class Beat(Struct, frozen=True, tag="beat"):
    """The event loop turns."""


ToProcess: TypeAlias = Call | Next | Close | Answer
FromProcess: TypeAlias = Result | Item | Failed | Ask | Leave | Note | Beat


class Method(NamedTuple):
    """What a method of a Remote takes, in its order, and what it gives."""

    takes: Any
    gives: Any
    many: bool = False


METHODS: dict[str, Method] = {
    "check": Method(tuple[()], Account),
    "pages": Method(tuple[str, Any, Window | None], None, many=True),
    "migrate_cursor": Method(tuple[str, str, Any], Any),
    "fetch": Method(tuple[str, list[str]], None),
    "push": Method(tuple[Change], Pushed),
    "lookup": Method(tuple[Change], Pushed | None),
    "act": Method(tuple[str, Any, str], Any),
    "totals": Method(tuple[str, Window | None], Totals),
    "ids": Method(tuple[str], list[IdVersion], many=True),
    "subscribe": Method(tuple[str | None, str, list[Subscription]], list[Subscription]),
    "signals": Method(tuple[str, Delivery], list[Signal]),
    "custom_fields": Method(tuple[()], list[Field]),
}

FAILURES: dict[str, type[Exception]] = {
    name: kind for name, kind in vars(tenure_sdk).items() if isinstance(kind, type) and issubclass(kind, ConnectorError)
} | {"ValidationError": msgspec.ValidationError}
"""The errors that keep their class on the way."""

_UNKNOWN = 99
"""The code of an extension that stands for a value which cannot be sent, so that its record is refused."""


def _strange(_: object) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(_UNKNOWN, b"")


_encoder = msgspec.msgpack.Encoder(enc_hook=_strange)


def encoded(value: object) -> Raw:
    """A value on its way."""
    return Raw(_encoder.encode(value))


def frame(message: Struct) -> bytes:
    """A message with its length. Raises ContractViolation for one that is too large."""
    body = _encoder.encode(message)
    if len(body) > LARGEST:
        raise ContractViolation(f"What the connector brings has {len(body)} bytes; at most {LARGEST} are allowed.")
    return _LENGTH.pack(len(body)) + body


def length(head: bytes) -> int:
    """How long the frame is that begins like this. Raises ContractViolation for one that is too large."""
    size: int = _LENGTH.unpack(head)[0]
    if size > LARGEST:
        raise ContractViolation("It sends what is no message.")
    return size


HEAD = _LENGTH.size


async def bodies(reader: StreamReader) -> AsyncIterator[bytes]:
    """The messages that come in, one by one, until the other side is gone."""
    while True:
        head = await reader.read(HEAD)
        if not head:
            return
        yield await reader.readexactly(length(head + await reader.readexactly(HEAD - len(head))))


def failure_of(problem: BaseException, at: tuple[str, ...] = ()) -> Failure:
    """An error as it travels; one that is none of the SDK's is the connector's mistake."""
    for kind in type(problem).__mro__:
        if FAILURES.get(kind.__name__) is kind:
            fields = {name: value for name, value in vars(problem).items() if isinstance(value, _PLAIN)}
            return Failure(kind.__name__, str(problem), fields)
    name = type(problem).__name__
    return Failure("ContractViolation", f"The connector failed unexpectedly ({name}).", {}, (name, *at))


_PLAIN = (str, int, float, bool, type(None))


def problem_of(failure: Failure) -> Exception:
    """The error that a failure stands for."""
    kind = FAILURES.get(failure.kind, ContractViolation)
    made = kind.__new__(kind)
    made.args = (failure.message,)
    vars(made).update(failure.fields)
    return made


class _Page(Page, frozen=True):
    """A page whose records are read as what they say they are."""

    records: Sequence[AnyRecord]


class _LoosePage(Page, frozen=True):
    """A page of which at least one record is not sound."""

    records: Sequence[Any]


class _Lines(LinePage, frozen=True):
    """Lines whose cells are not read yet."""

    rows: Raw  # type: ignore[assignment]


def page_of(item: Item) -> Page | LinePage:
    """The page in an item. A record that is not sound comes as it is, so that it alone is refused.

    Raises msgspec.ValidationError or ContractViolation for what is no page.
    """
    if item.kind == "other":
        raise ContractViolation("The stream yields what is no page.")
    if item.kind == "lines":
        return _lines(item.given)
    try:
        return msgspec.msgpack.decode(item.given, type=_Page)
    except msgspec.ValidationError:
        page = msgspec.msgpack.decode(item.given, type=_LoosePage)
        return msgspec.structs.replace(page, records=[_record(each) for each in page.records])


def records_of(given: Raw) -> list[Any]:
    """Records that were fetched; one that is not sound comes as it is."""
    try:
        return msgspec.msgpack.decode(given, type=list[AnyRecord])
    except msgspec.ValidationError:
        return [_record(each) for each in msgspec.msgpack.decode(given, type=list[Any])]


def _record(plain: Any) -> Any:
    """A record whose unsound fields are as they came; what is no record at all, as it came."""
    kind: Any = RECORD_TYPES.get(plain.get("type", "")) if isinstance(plain, dict) else None
    if kind is None:
        return plain
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    try:
        return kind(
            **{fields[name].name: _sound(value, fields[name].type) for name, value in plain.items() if name != "type"}
        )
    except (KeyError, TypeError, ValueError):
        return plain


def _sound(value: Any, wanted: Any) -> Any:
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        return value


_CELLS: dict[str, Any] = {
    "int": int,
    "str": str,
    "str or None": str | None,
    "aware datetime in UTC": datetime,
    "Decimal or None": Decimal | None,
}
"""The types of cells by how `LINE_COLUMNS` names them."""


def _lines(given: Raw) -> LinePage:
    page = msgspec.msgpack.decode(given, type=_Lines)
    cells = tuple(_cell(name) for name in page.columns)
    rows = msgspec.msgpack.decode(page.rows, type=list[tuple[cells]])  # type: ignore[valid-type]
    return LinePage(page.columns, rows, page.complete, page.cursor, page.rejects, page.progress)


def _cell(column: str) -> Any:
    """The type of a column's cells; of one that there is not, whatever stands there."""
    return _CELLS.get(re.split("[:;]", LINE_COLUMNS.get(column, ""))[0], Any)
