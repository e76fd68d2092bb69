"""The class that a partner writes: a connector, what it reads and writes, and how the remote side calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar, get_args, get_origin

from msgspec import Struct

from tenure_sdk.http import Answer, Config, Context
from tenure_sdk.limits import RateLimit, duration
from tenure_sdk.pages import Cursor, LinePage, Page
from tenure_sdk.records import AnyRecord
from tenure_sdk.webhooks import Challenge, Verifier

if TYPE_CHECKING:
    from tenure_sdk.auth import Auth
    from tenure_sdk.errors import ConnectorError

Pages: TypeAlias = AsyncIterator[Page] | AsyncIterator[LinePage] | AsyncIterator[Page | LinePage]
Deletes: TypeAlias = Literal["none", "inline", "feed", "snapshot"]
Operation: TypeAlias = Literal["create", "update", "delete"]
Method = TypeVar("Method", bound=Callable[..., Any])
if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    Written = TypeVarWithDefault("Written", bound=AnyRecord, default=AnyRecord)
else:
    Written = TypeVar("Written", bound=AnyRecord)
Declared = TypeVar("Declared", bound="Declaration")

_MARK = "__tenure__"


class Account(Struct, frozen=True):
    """The remote account that the records belong to. The same id of the same account is the same record."""

    id: str
    label: str


class Declaration(Struct, frozen=True):
    """What a decorator says of a method."""

    method: str

    def bound(self, connector: Connector[Any]) -> Callable[..., Any]:
        """The method itself."""
        return getattr(connector, self.method)  # type: ignore[no-any-return]


class Stream(Declaration, frozen=True):
    """One stream of a connector, as its decorator declares it."""

    records: tuple[type[AnyRecord], ...]
    cursor: str | None = None
    """What the cursor goes by, in the remote side's words; None: every run reads everything."""
    deletes: Deletes = "none"
    """How the stream tells what is gone: not at all, in its pages, in a stream of its own, or by what is missing.

    `inline`: in `Page.deletes` and by `Record.deleted`. `feed`: another stream of the connector does it for this one,
    `inline` and without records, of the same types; this one depends on it. `snapshot`: every reading is whole, and
    what it does not bring is gone.
    """
    every: timedelta = timedelta(minutes=15)
    """How often it is read."""
    overlap: timedelta = timedelta(0)
    """How far back before its cursor a time-based stream reads again; the host drops what it knows."""
    depends_on: tuple[str, ...] = ()
    """Streams that are read before this one."""
    title: str | None = None

    @property
    def name(self) -> str:
        """The stream's name: that of the method."""
        return self.method

    @property
    def types(self) -> tuple[str, ...]:
        """The types of its records, as keys of `RECORD_TYPES`."""
        return tuple(str(record.__struct_config__.tag) for record in self.records)

    def read(
        self, connector: Connector[Any], ctx: Context[Any], cursor: Cursor = None
    ) -> AsyncGenerator[Page | LinePage, None]:
        """The stream's pages after the cursor, from the start without one; who stops early closes it (`aclosing`)."""
        pages: AsyncGenerator[Page | LinePage, None] = self.bound(connector)(ctx, cursor)
        return pages


class Fetch(Declaration, frozen=True):
    """Reads records of a type by their ids: `async def (self, ctx, ids) -> list`; what is gone is left out."""

    record: type[AnyRecord]


class Limit(Struct, frozen=True, kw_only=True):
    """What the remote side takes in a field; checked before it is called."""

    max_len: int | None = None
    forbid: str = ""
    """Characters that must not stand in it."""
    required: bool = False
    most: int | None = None
    """How many values of a list it keeps, the first ones; None: all of them."""

    def refuses(self, value: object) -> str | None:
        """Why the remote side would not take the value; None when it does."""
        if value is None or value in ("", ()):
            return "has to be given" if self.required else None
        texts = [text for text in (value if isinstance(value, tuple) else (value,)) if isinstance(text, str)]
        if self.max_len is not None and any(len(text) > self.max_len for text in texts):
            return f"is longer than {self.max_len} characters"
        found = "".join(sorted({letter for text in texts for letter in text} & set(self.forbid)))
        return f"must not have {found}" if found else None


class Push(Declaration, frozen=True):
    """Writes records of a type: `async def (self, ctx, change) -> Pushed`."""

    record: type[AnyRecord]
    fields: dict[str, Limit]
    """The fields of the record that it can write."""
    ops: frozenset[Operation]
    replays: bool
    """The same `Change.key` gets the first answer again, so a change whose reply was lost may be sent once more."""


class Lookup(Declaration, frozen=True):
    """Finds what a create may have made, when its reply was lost: `async def (self, ctx, change) -> Pushed | None`."""

    record: type[AnyRecord]


class Action(Declaration, frozen=True):
    """Does something at the remote side: `async def (self, ctx, input, key) -> output`."""

    name: str
    takes: type[Struct]
    gives: type[Struct]
    idempotent: bool
    """The remote side, or the connector, does the same `key` only once."""


class Webhook(Declaration, frozen=True):
    """Says what a genuine call means: `def (self, delivery) -> list[Signal]`, without any input or output."""

    verifier: Verifier
    path: str
    door: Literal["app", "integration"]
    """`app`: one address and one secret for all tenants. `integration`: an address and a secret of its own each."""
    challenge: Challenge | None


class Subscribe(Declaration, frozen=True):
    """Has the remote side call: `async def (self, ctx, callback_url, secret, current) -> list[Subscription]`.

    It makes or renews what is missing or about to expire; `callback_url` None means that all are to be removed.
    """


class Totals(Struct, frozen=True):
    """How many records the remote side has, and control sums by name, such as `total EUR`."""

    count: int
    sums: dict[str, Decimal] = {}


class Control(Declaration, frozen=True):
    """`@totals`: `async def (self, ctx, window=None) -> Totals` of a stream."""

    stream: str


class Listing(Declaration, frozen=True):
    """`@ids`: `async def (self, ctx) -> AsyncIterator[list[IdVersion]]`, a cheap full listing of a stream."""

    stream: str


class IdVersion(Struct, frozen=True):
    """A record's id and, where the remote side has one, the mark of its version."""

    id: str
    version: str | None = None


class Change(Struct, Generic[Written], frozen=True, kw_only=True):
    """What the other side is asked to take over: `Change[Customer]` where a method writes customers alone."""

    op: Operation
    record: Written
    """The record as it should be; for `create` its id is ours and means nothing to the remote side."""
    fields: frozenset[str]
    """Which of its fields differ from what both sides agreed on."""
    key: str
    """The same for every attempt at the same change, at most 50 characters: the idempotency key."""
    remote_id: str | None = None
    remote_version: str | None = None
    refs: dict[str, str] = {}
    """Remote ids of what the record refers to, by our ids."""


class Pushed(Struct, frozen=True):
    """What became of a change: the record's id and new version at the remote side, and all of it where it was told."""

    id: str
    version: str | None = None
    record: AnyRecord | None = None


class Subscription(Struct, frozen=True):
    """The remote side's promise to call until a time."""

    id: str
    resource: str
    expires_at: datetime | None = None


class Field(Struct, frozen=True, kw_only=True):
    """A field that only this account has, found by asking the remote side."""

    key: str
    title: str
    of: str
    """The record type that has it, a key of `RECORD_TYPES`."""
    type: Literal["text", "integer", "decimal", "boolean", "date", "instant"] = "text"


def stream(
    *records: type[AnyRecord],
    cursor: str | None = None,
    deletes: Deletes = "none",
    every: str = "15m",
    overlap: str = "0s",
    depends_on: tuple[str, ...] = (),
    title: str | None = None,
) -> Callable[[Method], Method]:
    """Declares a method as the stream of these records: `async def (self, ctx, cursor)`, which yields pages."""

    def declared(name: str) -> Stream:
        return Stream(name, records, cursor, deletes, duration(every), duration(overlap), depends_on, title)

    return _marked(declared)


def fetch(record: type[AnyRecord]) -> Callable[[Method], Method]:
    """Declares a method that reads records by id; what signals name and conflicts need is read with it."""
    return _marked(lambda name: Fetch(name, record))


def push(
    record: type[AnyRecord],
    *,
    fields: Mapping[str, Limit] | set[str],
    ops: set[Operation] | None = None,
    replays: bool = False,
) -> Callable[[Method], Method]:
    """Declares a method that writes records: which fields, with which limits, and what it can do with a record."""
    limits = dict(fields) if isinstance(fields, Mapping) else {name: Limit() for name in sorted(fields)}
    return _marked(lambda name: Push(name, record, limits, frozenset(ops or {"create", "update"}), replays))


def lookup(record: type[AnyRecord]) -> Callable[[Method], Method]:
    """Declares a method that finds what a create may have made whose reply was lost."""
    return _marked(lambda name: Lookup(name, record))


def action(
    key: str, takes: type[Struct], gives: type[Struct], *, idempotent: bool = False
) -> Callable[[Method], Method]:
    """Declares a method that does something at the remote side, such as `send_email`."""
    return _marked(lambda name: Action(name, key, takes, gives, idempotent))


def webhook(
    verifier: Verifier,
    *,
    path: str = "events",
    door: Literal["app", "integration"] = "integration",
    challenge: Challenge | None = None,
) -> Callable[[Method], Method]:
    """Declares a method that reads the calls of the remote side: a pure function of the delivery."""
    return _marked(lambda name: Webhook(name, verifier, path, door, challenge))


def subscribe(method: Method) -> Method:
    """Declares the method that has the remote side call, and renews that."""
    return _marked(Subscribe)(method)


def totals(of: str) -> Callable[[Method], Method]:
    """Declares a method that counts and adds up what a stream has at the remote side."""
    return _marked(lambda name: Control(name, of))


def ids(of: str) -> Callable[[Method], Method]:
    """Declares a method that lists the ids of a stream at the remote side."""
    return _marked(lambda name: Listing(name, of))


def _marked(declared: Callable[[str], Declaration]) -> Callable[[Method], Method]:
    def mark(method: Method) -> Method:
        setattr(method, _MARK, declared(method.__name__))
        return method

    return mark


class Connector(Generic[Config]):
    """A road between Tenure and one kind of remote account.

    A subclass sets the class attributes, says whose account it is, and has streams or actions. The host makes one
    without arguments and may use it for many runs: whatever a run needs is in its context.
    """

    key: ClassVar[str]
    """The name that stays for ever: lower case letters, digits and hyphens."""
    title: ClassVar[str]
    version: ClassVar[str]
    category: ClassVar[str]
    """accounting, email, esign, telephony, meetings, crm, commerce, support, tasks or files."""
    api: ClassVar[int] = 1
    """The version of the contract between host and connectors that this one is written for."""
    auth: ClassVar[Auth | None] = None
    """How requests are let in; None for a remote side that asks nobody."""
    hosts: ClassVar[tuple[str, ...]] = ()
    """The hosts that requests may go to, that of paths first; they may name settings: `api.{region}.example`."""
    rate: ClassVar[RateLimit] = RateLimit()
    docs_url: ClassVar[str | None] = None
    icon: ClassVar[str | None] = None
    """An SVG that a catalogue shows beside the title, such as `tile("AB")`; `icon_problem` says what it may be."""
    webhook_help: ClassVar[tuple[str, ...]] = ()
    """What a person does at the vendor to be called, in steps, once the host has given him the address."""

    async def check(self, ctx: Context[Config]) -> Account:
        """The account that these settings lead to; raises a ConnectorError when they do not work."""
        raise NotImplementedError

    def auth_for(self, config: Config) -> Auth | None:  # noqa: ARG002 - for those whose settings choose
        """How requests are let in with these settings: `auth`, unless the settings choose."""
        return self.auth

    def classify(self, answer: Answer) -> ConnectorError | None:  # noqa: ARG002 - for those who know better
        """What an answer of the remote side means, where its status does not say it; None leaves it to the host."""
        return None

    async def custom_fields(self, ctx: Context[Config]) -> Sequence[Field]:  # noqa: ARG002 - most have none
        """The fields that only this account has."""
        return ()

    def migrate_cursor(self, stream: str, from_version: str, cursor: Cursor) -> Cursor:  # noqa: ARG002
        """A cursor that an earlier version of this connector wrote, as this version writes it."""
        return cursor

    @classmethod
    def config_type(cls) -> type[Struct]:
        """The Config that the subclass names: `class Acme(Connector[AcmeConfig])`."""
        for base in (base for parent in cls.__mro__ for base in vars(parent).get("__orig_bases__", ())):
            if get_origin(base) is Connector and isinstance(get_args(base)[0], type):
                config: type[Struct] = get_args(base)[0]
                return config
        raise TypeError(f"{cls.__name__} does not name its settings: write Connector[YourConfig]")

    @classmethod
    def declared(cls, kind: type[Declared]) -> tuple[Declared, ...]:
        """What the decorators of one kind declare, in the order written, those of a parent class first."""
        methods = {name: method for parent in reversed(cls.__mro__) for name, method in vars(parent).items()}
        marks = (getattr(method, _MARK, None) for method in methods.values())
        return tuple(mark for mark in marks if isinstance(mark, kind))

    @classmethod
    def streams(cls) -> tuple[Stream, ...]:
        """The streams in the order in which they are written."""
        return cls.declared(Stream)
