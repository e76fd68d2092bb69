"""Encrypts the secrets that are kept in the database: what leaves it is of no use without the installation's keys."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.core.problems import DomainError
from domain.core.secrets import BYTES, Keys, key_path, read

if TYPE_CHECKING:
    from pathlib import Path

    from domain.core.settings import Settings

_FORMAT = b"\x01"
_KEY_ID = 4
_NONCE = 12
_HEAD = len(_FORMAT) + _KEY_ID + _NONCE


class SecretUnreadable(DomainError):
    """A stored secret cannot be read: it was made with a key that this key file does not hold, or it was changed.

    Copy the key file from another machine of this installation, or enter the secret anew.
    """


class Place(NamedTuple):
    """Where a secret belongs; what is encrypted for one place does not open in another."""

    tenant_id: UUID | None
    """None where it belongs to the whole installation."""
    subject: UUID | str
    """The id of what it is a secret of."""
    field: str

    def bound(self) -> bytes:
        """The place as the encryption binds it: no two places are written alike."""
        tenant = self.tenant_id.bytes if self.tenant_id else b""
        subject = self.subject.bytes if isinstance(self.subject, UUID) else self.subject.encode()
        return b"".join(len(part).to_bytes(4) + part for part in (tenant, subject, self.field.encode()))


class Vault:
    """Seals and opens secrets with the keys of a file, which it reads again when the file was replaced.

    AES-256-GCM under a key that is derived for each tenant (HKDF-SHA-256); the place is the associated data.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._keys: Keys

    @classmethod
    def of(cls, settings: Settings) -> Vault:
        """The vault of an installation. Raises KeyUnusable with the remedy."""
        vault = cls(key_path(settings.data, settings.key_file))
        vault._current()
        return vault

    @property
    def key_id(self) -> str:
        """Which key is encrypted with now."""
        return key_id(self._current().sealing[0])

    def seal(self, place: Place, plain: bytes) -> bytes:
        """A secret, encrypted for a place with the newest key."""
        key = self._current().sealing[0]
        nonce = secrets.token_bytes(_NONCE)
        head = _FORMAT + _id(key) + nonce
        return head + _cipher(key, place).encrypt(nonce, plain, head + place.bound())

    def open(self, place: Place, sealed: bytes) -> bytes:
        """A secret that was sealed for this place. Raises SecretUnreadable."""
        head, marked = sealed[:_HEAD], sealed[len(_FORMAT) : len(_FORMAT) + _KEY_ID]
        key = next((each for each in self._current().sealing if _id(each) == marked), None)
        if key is None or head[:1] != _FORMAT:
            raise SecretUnreadable(field=place.field)
        try:
            return _cipher(key, place).decrypt(head[-_NONCE:], sealed[_HEAD:], head + place.bound())
        except InvalidTag:
            raise SecretUnreadable(field=place.field) from None

    def derived(self, purpose: str) -> bytes:
        """A key for one purpose, such as signing; it survives a rotation."""
        return _derived(self._current().hashing, purpose.encode())

    def _current(self) -> Keys:
        """The keys as the file has them now: another process may have rotated them."""
        try:
            found = self._path.stat()
            version = (found.st_ino, found.st_mtime_ns)
        except OSError:
            version = None
        if version is None or version != self._version:
            self._keys, self._version = read(self._path), version
        return self._keys


def key_id(key: bytes) -> str:
    """The name of a key, which tells nothing of it."""
    return _id(key).hex()


def key_of(sealed: bytes) -> str:
    """The name of the key that a secret was sealed with."""
    return sealed[len(_FORMAT) : len(_FORMAT) + _KEY_ID].hex()


def _id(key: bytes) -> bytes:
    return sha256(b"tenure key id" + key).digest()[:_KEY_ID]


def _cipher(key: bytes, place: Place) -> AESGCM:
    return AESGCM(_derived(key, b"tenure vault" + (place.tenant_id.bytes if place.tenant_id else b"")))


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=BYTES, salt=None, info=purpose).derive(key)
