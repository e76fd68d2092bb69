from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from domain.core.secrets import KeyUnusable, installation_key

if TYPE_CHECKING:
    from pathlib import Path


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    key = installation_key(data)
    assert (len(key), installation_key(data)) == (32, key)
    assert stat.S_IMODE((data / "key").stat().st_mode) == 0o600
    assert [file.name for file in data.iterdir()] == ["key"]


def test_all_who_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(installation_key, [tmp_path] * 64))) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    assert installation_key(tmp_path / "a") != installation_key(tmp_path / "b")


def test_a_named_key_file_is_used_and_never_made(tmp_path: Path) -> None:
    named = tmp_path / "elsewhere"
    with pytest.raises(KeyUnusable, match=r"cannot be read: No such file.*Copy it from another machine"):
        installation_key(tmp_path, named)
    assert not named.exists()
    named.write_bytes(bytes(32))
    named.chmod(0o600)
    assert installation_key(tmp_path, named) == bytes(32)
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize(
    ("content", "mode", "remedy"), [(b"short", 0o600, "32 bytes"), (bytes(32), 0o644, "chmod 600")]
)
def test_a_key_that_is_cut_or_open_to_others_is_refused(tmp_path: Path, content: bytes, mode: int, remedy: str) -> None:
    (tmp_path / "key").write_bytes(content)
    (tmp_path / "key").chmod(mode)
    with pytest.raises(KeyUnusable, match=remedy):
        installation_key(tmp_path)
