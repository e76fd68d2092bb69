"""The installation's own keys: what is kept of erased people and stored answers is hashed with one, secrets are
encrypted with the others, and all of it is unreadable to whoever has the database alone.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.core.problems import DomainError

if TYPE_CHECKING:
    from pathlib import Path

BYTES = 32
NAME = "key"


class KeyUnusable(DomainError):
    """The key of this installation cannot be used."""

    code = "KEY_UNUSABLE"


@dataclass(frozen=True)
class Keys:
    """What a key file holds. One that was never rotated is 32 bytes, which are both."""

    hashing: bytes = field(repr=False)
    """Never changes: erased people are recognised by hashes that are made with it."""
    sealing: tuple[bytes, ...] = field(repr=False)
    """What secrets are encrypted with: the newest first, then those that are only read with."""

    def rotated(self) -> Keys:
        """The same with a fresh key before the others."""
        return replace(self, sealing=(secrets.token_bytes(BYTES), *self.sealing))

    def newest_only(self) -> Keys:
        """The same without the keys that are only read with."""
        return replace(self, sealing=self.sealing[:1])


def installation_key(data: Path, key_file: Path | None = None) -> bytes:
    """The key for hashes, which a rotation leaves as it is. Raises KeyUnusable with the remedy."""
    return read(key_path(data, key_file)).hashing


def key_path(data: Path, key_file: Path | None = None) -> Path:
    """Where the keys are: `key_file`, or else the file `key` of the data directory: beside the database, never inside.

    The latter is made when it is absent, readable by its owner alone; of several processes that make it at once, all
    get the same. A file that is named must exist, since every machine of an installation needs the same keys.
    """
    if key_file is not None:
        return key_file
    path = data / NAME
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft(path, secrets.token_bytes(BYTES))
        try:
            with suppress(FileExistsError):  # another process was faster: its key is the one
                os.link(draft, path)
        finally:
            draft.unlink()
    return path


def read(path: Path) -> Keys:
    """The keys in a file. Raises KeyUnusable with the remedy."""
    try:
        readers = path.stat().st_mode & 0o077
        content = path.read_bytes()
    except OSError as failure:
        raise KeyUnusable(f"The key file {path} cannot be read: {failure.strerror}. {_REMEDY} > {path}") from failure
    if readers:
        raise KeyUnusable(f"Others can read the key file {path}. Run: chmod 600 {path}")
    if len(content) == BYTES:
        return Keys(content, (content,))
    if _ROTATED.fullmatch(content):
        hashing, *sealing = (bytes.fromhex(line.split()[1]) for line in content.decode().splitlines())
        return Keys(hashing, tuple(sealing))
    raise KeyUnusable(f"The key file {path} does not hold {BYTES} bytes. Restore it from a copy.")


def write(path: Path, keys: Keys) -> None:
    """Put keys in the place of those in a file, at once and for good. Raises KeyUnusable where that is not possible."""
    lines = [f"hash {keys.hashing.hex()}", *(f"seal {key.hex()}" for key in keys.sealing)]
    try:
        draft = _draft(path, "".join(f"{line}\n" for line in lines).encode())
        draft.replace(path)
        _sync(path.parent)
    except OSError as failure:
        raise KeyUnusable(f"The key file {path} cannot be replaced: {failure.strerror}.") from failure


def _draft(path: Path, content: bytes) -> Path:
    """A file beside another one, that only its owner can read, and that is on the disk."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


_ROTATED = re.compile(rb"hash [0-9a-f]{64}\n(?:seal [0-9a-f]{64}\n)+")
_REMEDY = (
    f"Copy it from another machine of this installation, or make the first one: umask 077; head -c {BYTES} /dev/urandom"
)
