"""The class that a partner writes: a connector, its streams, and what a stream is given."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar, get_args, get_origin

from msgspec import Struct

from tenure_sdk.pages import Cursor, LinePage, Page
from tenure_sdk.records import AnyRecord

if TYPE_CHECKING:
    from datetime import datetime

Config = TypeVar("Config", bound=Struct)
Pages: TypeAlias = AsyncIterator[Page] | AsyncIterator[LinePage] | AsyncIterator[Page | LinePage]
Deletes: TypeAlias = Literal["none", "inline", "feed", "snapshot"]
StreamMethod = TypeVar("StreamMethod", bound=Callable[..., Pages])

_MARK = "__tenure_stream__"


class Account(Struct, frozen=True):
    """The remote account that the records belong to. The same id of the same account is the same record."""

    id: str
    label: str


class Context(Generic[Config]):
    """What the host gives a connector for one run: the tenant's settings, a log, and the time."""

    def __init__(self, config: Config, *, now: Callable[[], datetime], log: logging.Logger | None = None) -> None:
        self.config = config
        self.log = log or logging.getLogger("tenure_sdk.connector")
        self._now = now

    def now(self) -> datetime:
        """The present moment, in UTC. Connectors ask here, so that tests can set it."""
        return self._now()


class Stream(Struct, frozen=True):
    """One stream of a connector, as its decorator declares it."""

    name: str
    records: tuple[type[AnyRecord], ...]
    cursor: str | None
    """What the cursor goes by, in the remote side's words; None: every run reads everything."""
    deletes: Deletes
    depends_on: tuple[str, ...]

    def read(
        self, connector: Connector[Any], ctx: Context[Any], cursor: Cursor = None
    ) -> AsyncGenerator[Page | LinePage, None]:
        """The stream's pages after the cursor, from the start without one; who stops early closes it (`aclosing`)."""
        pages: AsyncGenerator[Page | LinePage, None] = getattr(connector, self.name)(ctx, cursor)
        return pages


def stream(
    *records: type[AnyRecord],
    cursor: str | None = None,
    deletes: Deletes = "none",
    depends_on: tuple[str, ...] = (),
) -> Callable[[StreamMethod], StreamMethod]:
    """Declares a method as the stream of these records: `async def (self, ctx, cursor)`, which yields pages."""

    def mark(method: StreamMethod) -> StreamMethod:
        setattr(method, _MARK, Stream(method.__name__, records, cursor, deletes, depends_on))
        return method

    return mark


class Connector(Generic[Config]):
    """A source of records. A subclass sets the class attributes, says whose account it reads, and has streams.

    The host makes one without arguments and may use it for many runs: whatever a run needs is in its context.
    """

    key: ClassVar[str]
    """The name that stays for ever: lower case letters, digits and hyphens."""
    title: ClassVar[str]
    version: ClassVar[str]
    category: ClassVar[str]
    """accounting, email, esign, telephony, meetings, crm, commerce, support or files."""
    api: ClassVar[int] = 1
    """The version of the contract between host and connectors that this one is written for."""

    async def check(self, ctx: Context[Config]) -> Account:
        """The account that these settings lead to; raises a ConnectorError when they do not work."""
        raise NotImplementedError

    @classmethod
    def config_type(cls) -> type[Struct]:
        """The Config that the subclass names: `class Acme(Connector[AcmeConfig])`."""
        for base in (base for parent in cls.__mro__ for base in vars(parent).get("__orig_bases__", ())):
            if get_origin(base) is Connector and isinstance(get_args(base)[0], type):
                config: type[Struct] = get_args(base)[0]
                return config
        raise TypeError(f"{cls.__name__} does not name its settings: write Connector[YourConfig]")

    @classmethod
    def streams(cls) -> tuple[Stream, ...]:
        """The streams in the order in which they are written, those of a parent class first."""
        methods = {name: method for parent in reversed(cls.__mro__) for name, method in vars(parent).items()}
        return tuple(getattr(method, _MARK) for method in methods.values() if hasattr(method, _MARK))
