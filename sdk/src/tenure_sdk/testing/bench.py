"""A connector on the bench: what a check is, how it says what it found, and how all of them are run."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from tenure_sdk.account import Unnamed
from tenure_sdk.connector import Connector, Declared, Fetch, Stream
from tenure_sdk.pages import LinePage, Page
from tenure_sdk.records import AnyRecord, Record, record_type
from tenure_sdk.testing.host import LOG, ReferenceHost
from tenure_sdk.testing.remote import Missing, RemoteSide

Tier: TypeAlias = Literal["bronze", "silver", "gold"]
Outcome: TypeAlias = Literal["passed", "failed", "bypassed", "not applicable"]

TIERS: tuple[Tier, ...] = ("bronze", "silver", "gold")


class Breach(Exception):
    """The connector broke a rule: what was seen, what was expected, and in which of its methods."""

    def __init__(self, *, seen: str, expected: str, at: str | None = None) -> None:
        super().__init__(f"{seen}; expected: {expected}")
        self.seen = seen
        self.expected = expected
        self.at = at


class NotApplicable(Exception):
    """The connector declares nothing that the check is about."""


class Result(Struct, frozen=True, kw_only=True):
    """What became of a check."""

    id: str
    tier: Tier
    title: str
    outcome: Outcome
    seen: str | None = None
    expected: str | None = None
    where: str | None = None
    """The file and line of the connector's method."""
    remedy: str | None = None
    reason: str | None = None
    """Why it was bypassed, or does not apply."""

    def __str__(self) -> str:
        lines = [f"{self.id} {self.title}: {self.outcome}", self.reason and f"  because:  {self.reason}"]
        if self.outcome == "failed":
            parts = {"seen": self.seen, "expected": self.expected, "where": self.where, "remedy": self.remedy}
            lines += [f"  {name + ':':9} {text}" for name, text in parts.items() if text]
        return "\n".join(line for line in lines if line)


class Bench:
    """One connector with the remote sides that its checks make. Close it when a check is over."""

    def __init__(
        self,
        connector: type[Connector[Any]],
        remote: Callable[..., RemoteSide],
        *,
        previous_config: Mapping[str, Any] | None = None,
        old_cursors: Mapping[str, tuple[str, Any]] | None = None,
    ) -> None:
        self.connector = connector
        self.previous_config = previous_config
        self.old_cursors = old_cursors or {}
        self.outcomes: dict[str, Outcome] = {}
        """What became of the checks that were run on this bench."""
        self._remote = remote
        self._hosts: list[ReferenceHost] = []

    @property
    def remote_class(self) -> Callable[..., RemoteSide]:
        """What remote sides are made with."""
        return self._remote

    def remote(self, account: str = "1") -> RemoteSide:
        """A remote side without records."""
        return self._remote(account=account)

    def filled(self, stream: Stream) -> RemoteSide:
        """A remote side with more than two pages of a stream; a real account as it is."""
        remote = self.remote()
        if not remote.real:
            remote.seed(stream.name, 2 * remote.page_size + 1)
        return remote

    def host(self, remote: RemoteSide | None = None, *, strict: bool = False) -> ReferenceHost:
        """A host without records for a remote side."""
        host = ReferenceHost(self.connector, remote or self.remote(), strict=strict)
        self._hosts.append(host)
        return host

    def restarted(self, host: ReferenceHost) -> ReferenceHost:
        """A host after a crash."""
        again = host.restarted()
        self._hosts.append(again)
        return again

    def streams(self, **having: Any) -> tuple[Stream, ...]:
        """The streams that bring records, those with these properties. Raises NotApplicable where there are none."""
        found = tuple(
            stream
            for stream in self.connector.streams()
            if not self._is_feed(stream) and all(getattr(stream, name) == value for name, value in having.items())
        )
        if not found:
            raise NotApplicable("no such stream is declared")
        return found

    def declared(self, kind: type[Declared]) -> tuple[Declared, ...]:
        """Declarations of one kind. Raises NotApplicable where there are none."""
        found = self.connector.declared(kind)
        if not found:
            raise NotApplicable(f"no {kind.__name__.lower()} is declared")
        return found

    def stream_of(self, record: type[AnyRecord]) -> Stream:
        """The stream that brings records of a type. Raises Missing where there is none."""
        for stream in self.streams():
            if record in stream.records:
                return stream
        raise Missing(f"no stream brings {record.__name__}, so nobody can look whether a push has worked")

    def fetches(self, record: type[AnyRecord]) -> bool:
        """Whether records of a type can be fetched by id."""
        return any(fetch.record is record for fetch in self.connector.declared(Fetch))

    def where(self, method: str | None) -> str | None:
        """The file and line of a method of the connector, or of the class itself."""
        subject = inspect.unwrap(getattr(self.connector, method)) if method else self.connector
        try:
            path = Path(inspect.getsourcefile(subject) or "")
            line = inspect.getsourcelines(subject)[1]
        except (OSError, TypeError):
            return f"{self.connector.__module__}.{self.connector.__qualname__}" + (f".{method}" if method else "")
        return f"{near(path)}:{line}"

    async def aclose(self) -> None:
        """Close what the hosts used."""
        for host in self._hosts:
            await host.aclose()

    def _is_feed(self, stream: Stream) -> bool:
        """Whether a stream brings no records, but tells what is gone of other streams."""
        told = {record for other in self.connector.streams() if other.deletes == "feed" for record in other.records}
        return stream.deletes == "inline" and told.issuperset(stream.records)


class Check(Struct, frozen=True):
    """One rule for connectors."""

    id: str
    tier: Tier
    title: str
    remedy: str
    run: Callable[[Bench], Awaitable[None]]


CHECKS: dict[str, Check] = {}
"""Every check by its id, in the order in which they are run."""


def check(
    name: str, tier: Tier, title: str, remedy: str
) -> Callable[[Callable[[Bench], Awaitable[None]]], Callable[[Bench], Awaitable[None]]]:
    """Declares a function as a check: it returns where all is well, and raises a Breach where it is not."""

    def add(function: Callable[[Bench], Awaitable[None]]) -> Callable[[Bench], Awaitable[None]]:
        CHECKS[name] = Check(name, tier, title, remedy, function)
        return function

    return add


def examine(bench: Bench, name: str, bypass: Mapping[str, str] | None = None) -> Result:
    """Run one check."""
    rule = CHECKS[name]
    base: dict[str, Any] = {"id": name, "tier": rule.tier, "title": rule.title}
    reason = (bypass or {}).get(name)
    if reason is not None:
        return Result(**base, outcome="bypassed", reason=reason)
    with _quiet():
        result = asyncio.run(_examined(bench, rule, base))
    bench.outcomes[name] = result.outcome
    return result


def examine_all(
    bench: Bench, *, bypass: Mapping[str, str] | None = None, without: Sequence[str] = ()
) -> dict[str, Result]:
    """Run every check, but those that are left out."""
    return {name: examine(bench, name, bypass) for name in CHECKS if name not in without}


def tier_of(results: Sequence[Result]) -> Tier | None:
    """The highest tier of which, and of those below, no check failed; None where bronze is not reached."""
    reached: Tier | None = None
    for tier in TIERS:
        if any(result.outcome == "failed" and result.tier == tier for result in results):
            break
        reached = tier
    return reached


async def _examined(bench: Bench, rule: Check, base: dict[str, Any]) -> Result:
    try:
        await rule.run(bench)
    except NotApplicable as problem:
        return Result(**base, outcome="not applicable", reason=str(problem))
    except Breach as breach:
        return Result(
            **base, outcome="failed", seen=breach.seen, expected=breach.expected, where=bench.where(breach.at),
            remedy=rule.remedy,
        )  # fmt: skip
    except Unnamed as problem:
        remedy = "Set the variables in the environment."
        return Result(**base, outcome="failed", seen=str(problem), expected="an account that it names", remedy=remedy)
    except Missing as problem:
        remedy = f'Let the remote of the tests do it, or say why not: bypass = {{"{rule.id}": "..."}}.'
        seen = f"the remote of the tests cannot do what the check needs: {problem}"
        return Result(**base, outcome="failed", seen=seen, expected="a remote that can", remedy=remedy)
    except Exception as problem:  # noqa: BLE001 - whatever a connector raises is a finding
        seen = f"{type(problem).__name__}: {problem}"
        where = _line_of(problem, bench.connector) or bench.where(None)
        return Result(**base, outcome="failed", seen=seen, expected="no such error", where=where, remedy=rule.remedy)
    finally:
        await bench.aclose()
    return Result(**base, outcome="passed")


def records_of(pages: Sequence[Page | LinePage]) -> list[Record]:
    """The records of pages, in turn."""
    return [record for page in pages if isinstance(page, Page) for record in page.records]


def by_id(records: Sequence[Record]) -> dict[tuple[str, str], Record]:
    """Records by type and id, the last of each."""
    return {(record_type(record), record.id): record for record in records}


def marks(records: Sequence[Record]) -> dict[tuple[str, str], Any]:
    """Which version of which records these are: what has to be equal however they were read."""
    return {
        name: (record.version, record.updated_at) if record.version else record
        for name, record in by_id(records).items()
    }


def some(names: Sequence[Any] | set[Any], most: int = 5) -> str:
    """A few of many, to be read."""
    listed = sorted(map(str, names))
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def near(path: Path) -> Path:
    """A path as it is written from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _line_of(problem: BaseException, connector: type[Connector[Any]]) -> str | None:
    """The last line of the connector's own file that the error passed."""
    try:
        source = inspect.getsourcefile(connector)
    except TypeError:
        return None
    found, trace = None, problem.__traceback__
    while source is not None and trace is not None:
        if trace.tb_frame.f_code.co_filename == source:
            found = f"{near(Path(source))}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Connectors log while they are tried; nobody reads it."""
    before, LOG.propagate = LOG.propagate, False
    handler = logging.NullHandler()
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.propagate = before
        LOG.removeHandler(handler)
