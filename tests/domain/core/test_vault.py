"""What is sealed opens in its own place, with this installation's keys, and nowhere else."""

from __future__ import annotations

import logging
import stat
import traceback
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.core import secrets as key_file
from domain.core.secrets import Keys, KeyUnusable, installation_key, key_path
from domain.core.settings import Settings
from domain.core.vault import Place, SecretUnreadable, Vault, key_id, key_of

if TYPE_CHECKING:
    from pathlib import Path

HERE = Place(UUID(int=1), UUID(int=2), "api_key")
SECRET = b"correct horse battery staple"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return key_path(tmp_path / "data")


@pytest.fixture
def vault(path: Path) -> Vault:
    return Vault(path)


def test_a_secret_opens_where_it_belongs(vault: Vault) -> None:
    sealed = vault.seal(HERE, SECRET)
    assert vault.open(HERE, sealed) == SECRET
    assert SECRET not in sealed
    assert key_of(sealed) == vault.key_id


def test_the_same_secret_is_never_sealed_alike(vault: Vault) -> None:
    assert len({vault.seal(HERE, SECRET) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "elsewhere",
    [
        HERE._replace(tenant_id=UUID(int=9)),
        HERE._replace(tenant_id=None),
        HERE._replace(subject=UUID(int=9)),
        HERE._replace(subject="another"),
        HERE._replace(field="token"),
        HERE._replace(field="api_key "),
    ],
)
def test_a_secret_does_not_open_elsewhere(vault: Vault, elsewhere: Place) -> None:
    with pytest.raises(SecretUnreadable):
        vault.open(elsewhere, vault.seal(HERE, SECRET))


def test_no_two_places_are_bound_alike() -> None:
    places = [Place(None, "a", "bc"), Place(None, "ab", "c"), Place(None, "", "abc"), Place(None, "abc", "")]
    assert len({place.bound() for place in places}) == 4


@pytest.mark.parametrize("at", [0, 1, 5, 16, 17, -1])
def test_a_changed_ciphertext_is_refused(vault: Vault, at: int) -> None:
    sealed = bytearray(vault.seal(HERE, SECRET))
    sealed[at] ^= 1
    with pytest.raises(SecretUnreadable):
        vault.open(HERE, bytes(sealed))


@pytest.mark.parametrize("length", [0, 4, 16, 20])
def test_a_cut_ciphertext_is_refused(vault: Vault, length: int) -> None:
    with pytest.raises(SecretUnreadable):
        vault.open(HERE, vault.seal(HERE, SECRET)[:length])


def test_another_installation_cannot_open_it(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable):
        Vault(key_path(tmp_path / "other")).open(HERE, vault.seal(HERE, SECRET))


def test_a_running_vault_follows_a_rotation(vault: Vault, path: Path) -> None:
    old, before = vault.seal(HERE, SECRET), vault.key_id
    key_file.write(path, key_file.read(path).rotated())
    assert vault.key_id != before
    new = vault.seal(HERE, SECRET)
    assert (key_of(old), key_of(new)) == (before, vault.key_id)
    assert vault.open(HERE, old) == vault.open(HERE, new) == SECRET
    key_file.write(path, key_file.read(path).newest_only())
    assert vault.open(HERE, new) == SECRET
    with pytest.raises(SecretUnreadable):
        vault.open(HERE, old)


def test_a_rotation_leaves_the_key_for_hashes_and_the_rights_of_the_file(path: Path) -> None:
    original = path.read_bytes()
    signing = Vault(path).derived("signing")
    states = [key_file.read(path)]
    for _ in range(3):
        key_file.write(path, states[-1].rotated())
        states.append(key_file.read(path))
    assert [len(state.sealing) for state in states] == [1, 2, 3, 4]
    assert all(later.sealing[1:] == earlier.sealing for earlier, later in pairwise(states))
    key_file.write(path, states[-1].newest_only())
    assert installation_key(path.parent) == key_file.read(path).hashing == original
    assert (len(key_file.read(path).sealing), Vault(path).derived("signing")) == (1, signing)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_a_key_is_derived_for_each_purpose(vault: Vault) -> None:
    assert len({vault.derived("state"), vault.derived("other"), vault.derived("")}) == 3


@pytest.mark.parametrize(
    "content",
    [b"", bytes(31), bytes(33), b"hash 00\n", b"hash " + b"0" * 64 + b"\n", b"seal " + b"0" * 64 + b"\nhash x\n"],
)
def test_a_key_file_that_is_cut_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(KeyUnusable, match="Restore it from a copy"):
        Vault(path).seal(HERE, SECRET)


def test_a_directory_that_cannot_be_written_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = key_file.read(path)
    with pytest.raises(KeyUnusable, match="cannot be replaced: No such file"):
        key_file.write(path.parent / "gone" / "key", keys)
    assert key_file.read(path) == keys


def test_keys_and_secrets_stand_in_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(data=tmp_path)
    vault = Vault.of(settings)
    keys = key_file.read(tmp_path / "key")
    sealed = vault.seal(HERE, SECRET)
    try:
        vault.open(HERE._replace(field="other"), sealed)
    except SecretUnreadable as refused:
        told = "".join(traceback.format_exception(refused)) + repr(refused) + repr(refused.details)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("%r %r %r", vault, keys, HERE)
    text = told + caplog.text + repr(vars(vault)) + str(keys) + repr(Keys(b"h" * 32, (b"k" * 32,)))
    for hidden in (SECRET.decode(), keys.hashing.hex(), repr(keys.hashing)[2:-1], "kkkk", "hhhh"):
        assert hidden not in text


def test_key_ids_tell_nothing_and_differ() -> None:
    assert len({key_id(bytes([number]) * 32) for number in range(50)}) == 50
    assert len(key_id(bytes(32))) == 8
