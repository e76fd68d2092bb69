"""The installation's own key: what is kept of erased people and stored answers is hashed with it, and unreadable
to whoever has the database alone.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from domain.core.problems import DomainError

if TYPE_CHECKING:
    from pathlib import Path

BYTES = 32
NAME = "key"


class KeyUnusable(DomainError):
    """The key of this installation cannot be used."""

    code = "KEY_UNUSABLE"


def installation_key(data: Path, key_file: Path | None = None) -> bytes:
    """The key in `key_file`, or else in the file `key` of the data directory: beside the database, never inside.

    The latter is made when it is absent, readable by its owner alone; of several processes that make it at once, all
    get the same. A file that is named must exist, since every machine of an installation needs the same key.
    Raises KeyUnusable with the remedy.
    """
    if key_file is not None:
        return _read(key_file)
    path = data / NAME
    if not path.exists():
        _make(path)
    return _read(path)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{NAME}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was faster: its key is the one
            os.link(draft, path)
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    try:
        readers = path.stat().st_mode & 0o077
        key = path.read_bytes()
    except OSError as failure:
        raise KeyUnusable(f"The key file {path} cannot be read: {failure.strerror}. {_REMEDY} > {path}") from failure
    if readers:
        raise KeyUnusable(f"Others can read the key file {path}. Run: chmod 600 {path}")
    if len(key) != BYTES:
        raise KeyUnusable(f"The key file {path} does not hold {BYTES} bytes. Restore it from a copy.")
    return key


_REMEDY = (
    f"Copy it from another machine of this installation, or make the first one: umask 077; head -c {BYTES} /dev/urandom"
)
