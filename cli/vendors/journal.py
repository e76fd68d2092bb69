"""What happened at the sandboxes, which live in memory: told again, it gives the same ids and versions."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The vendors were first used, with a past until then, for so many customers of the demo."""

    at: datetime
    customers: int


class Happened(msgspec.Struct, frozen=True, tag=True):
    """One of the demo's customers did something; what it was follows from how often that was so before."""

    at: datetime


class Written(msgspec.Struct, frozen=True, tag=True):
    """A vendor took something over from Tenure."""

    at: datetime
    vendor: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Allowed(msgspec.Struct, frozen=True, tag=True):
    """Somebody let an app in at a vendor: what the token endpoint answered goes on being good."""

    at: datetime
    vendor: str
    account: str
    scope: str
    refresh_token: str


Entry = Opened | Happened | Written | Allowed


class Journal:
    """A file with one entry a line; what a crash cut off was not told to anybody, and is dropped."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> list[Entry]:
        """All entries, the earliest first."""
        if not self._file.exists():
            return []
        whole = self._file.read_bytes()
        kept = whole[: whole.rfind(b"\n") + 1]
        if kept != whole:
            self._file.write_bytes(kept)
        return msgspec.json.Decoder(Entry).decode_lines(kept)

    def write(self, entry: Entry) -> None:
        """Keep an entry, before anybody learns of it."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab") as opened:
            opened.write(msgspec.json.encode(entry) + b"\n")


class Clock:
    """The time at the vendors: that of the past while it is told, else the present."""

    def __init__(self, present: Callable[[], datetime]) -> None:
        self.present = present
        self._past: datetime | None = None

    def __call__(self) -> datetime:
        """The time there."""
        return self._past or self.present()

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Have it be a moment of the past."""
        self._past = moment
        try:
            yield
        finally:
            self._past = None
