"""Ids as Outlook makes them: one that stays, one that changes with every move, and the key behind both.

An item is stored under a key, `k` and a number within its mailbox, followed by the day for one occurrence of a series.
The immutable id holds the key alone; the default id also holds how often the item was moved, so a move makes it
unknown, as in Outlook. Both forms are read whatever the request prefers (UNVERIFIED), only what is written differs.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from uuid import UUID

from plugins.outlook.sandbox.errors import malformed_id

IMMUTABLE, DEFAULT, FOLDER = (
    "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A",
    "AAMkAGI2NGVhZTVlLTI1OGMtNDI4My0",
    "AAMkAGFmb2xkZXI",
)


def immutable_id(key: str) -> str:
    """The id that an item keeps as long as it stays in its mailbox."""
    return IMMUTABLE + _packed(key)


def default_id(key: str, moves: int) -> str:
    """The id of an item in the folder where it is now."""
    return DEFAULT + _packed(f"{key}:{moves}")


def folder_id(key: str) -> str:
    """The id of a folder or calendar: already stable."""
    return FOLDER + _packed(key)


def item_key(text: str) -> tuple[str, int | None]:
    """The key that an id stands for, and with a default id the number of moves it is good for."""
    if text.startswith(IMMUTABLE):
        return _unpacked(text.removeprefix(IMMUTABLE)), None
    key, _, moves = _unpacked(text.removeprefix(DEFAULT)).partition(":") if text.startswith(DEFAULT) else ("", "", "")
    if not moves.isdigit():
        raise malformed_id()
    return key, int(moves)


def folder_key(text: str) -> str:
    """The key that a folder's id stands for."""
    if not text.startswith(FOLDER):
        raise malformed_id()
    return _unpacked(text.removeprefix(FOLDER))


def change_key(key: str, version: int) -> str:
    """The version of an item, as opaque as Exchange's."""
    return "CQAAABYAAAB" + urlsafe_b64encode(f"{key}/{version}".encode()).decode()


def guid(*parts: object) -> str:
    """A GUID that the same parts always give."""
    return str(UUID(bytes=blake2b("\0".join(map(str, parts)).encode(), digest_size=16).digest(), version=4))


def _packed(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


def _unpacked(text: str) -> str:
    try:
        return urlsafe_b64decode(text.encode()).decode()
    except (binascii.Error, UnicodeError):
        raise malformed_id() from None
