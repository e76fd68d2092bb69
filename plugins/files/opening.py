"""A file as text that can be trusted: its size, compression and encoding are known before a line is read."""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from tenure_sdk import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from plugins.files.mapping import Encoding

_CHUNK = 1 << 20
_HEAD = 1 << 16
LONGEST_LINE = 1 << 20

_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive; save the sheet as CSV and import that",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV and import that",
    b"%PDF": "a PDF document",
    b"PAR1": 'a Parquet file; write format = "parquet" in the mapping',
}


class TextFile(Struct, frozen=True):
    """A text file that was read once from end to end: it is whole, within bounds, and in this encoding."""

    path: Path
    size: int
    """As it lies on the disk."""
    compressed: bool
    codec: str
    last_line: str | None
    """What stands after the last line break; None when the file ends with one."""

    def lines(self, raw: IO[bytes]) -> Generator[str, None, None]:
        """The lines of the opened file with their breaks; `raw.tell()` meanwhile tells how far reading is."""
        data = gzip.GzipFile(fileobj=raw) if self.compressed else raw
        text = io.TextIOWrapper(data, encoding=self.codec, newline="")
        try:
            for place, line in enumerate(iter(lambda: text.readline(LONGEST_LINE), "")):
                if len(line) == LONGEST_LINE:
                    raise unusable(self.path, f"no table: a line of it has more than {LONGEST_LINE:,} characters")
                yield line.removeprefix("\ufeff") if place == 0 else line
        finally:
            text.detach()  # whoever opened the file closes it


def unusable(path: Path, what: str) -> ConfigInvalid:
    """The error for a file that is not what the mapping takes it for."""
    return ConfigInvalid(f"{path.name} is {what}.", key="file")


def fingerprint(path: Path, size: int) -> str:
    """A digest that tells this file's content from another's, whatever its name: its size, beginning and end."""
    with path.open("rb") as raw:
        head = raw.read(_HEAD)
        raw.seek(max(0, size - _HEAD))
        return blake2b(b"%d\0%b\0%b" % (size, head, raw.read()), digest_size=16).hexdigest()


def size_of(path: Path, max_bytes: int) -> int:
    """The size of a file that is there, is not empty and is within the bound."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ConfigInvalid(f"{path.name} cannot be read: {error.strerror}.", key="file") from error
    if not path.is_file():
        raise unusable(path, "not a file")
    if size == 0:
        raise unusable(path, "empty")
    if size > max_bytes:
        raise too_large(path, max_bytes)
    return size


def too_large(path: Path, max_bytes: int) -> ConfigInvalid:
    """The error for a file above the bound."""
    return ConfigInvalid(
        f"{path.name} has more than {max_bytes:,} bytes of content; split it, or allow more with max_bytes.",
        key="max_bytes",
    )


def open_text(path: Path, encoding: Encoding, max_bytes: int) -> TextFile:
    """Reads the file through once and says how to read it, or why it cannot be read; nothing is kept of it."""
    size = size_of(path, max_bytes)
    with path.open("rb") as raw:
        head = raw.read(_HEAD)
    compressed = head.startswith(b"\x1f\x8b")
    if compressed:
        head = _first_bytes(path)
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise unusable(path, what)
    codec = _codec(path, compressed=compressed, head=head, encoding=encoding, max_bytes=max_bytes)
    tail = _verified_tail(path, compressed=compressed, codec=codec, max_bytes=max_bytes)
    last = tail.splitlines(keepends=True)[-1:] or [""]
    whole = last[0].endswith(("\n", "\r"))
    return TextFile(path, size, compressed, codec, None if whole else last[0])


def _first_bytes(path: Path) -> bytes:
    try:
        with gzip.open(path) as data:
            return data.read(_HEAD)
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> ConfigInvalid:
    return unusable(path, "truncated or damaged: its compressed data ends too early. Fetch the file again")


def _chunks(path: Path, *, compressed: bool, max_bytes: int) -> Iterator[bytes]:
    total = 0
    try:
        with gzip.open(path) if compressed else path.open("rb") as data:
            while chunk := data.read(_CHUNK):
                total += len(chunk)
                if total > max_bytes:
                    raise too_large(path, max_bytes)
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path) from error


def _codec(path: Path, *, compressed: bool, head: bytes, encoding: Encoding, max_bytes: int) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or encoding == "utf-16" or _looks_utf16(head):
        if encoding not in {"auto", "utf-16"}:
            raise unusable(path, f"UTF-16 text and not {encoding}: correct the mapping's file.encoding")
        return "utf-16-be" if head.startswith(codecs.BOM_UTF16_BE) or head[:1] == b"\0" else "utf-16-le"
    if b"\0" in head:
        raise unusable(path, "binary and no text; export it as CSV, JSON Lines or Parquet")
    if encoding != "auto":
        return encoding
    try:
        decoder = codecs.getincrementaldecoder("utf-8")()
        for chunk in _chunks(path, compressed=compressed, max_bytes=max_bytes):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _single_byte_codec(path, compressed=compressed, max_bytes=max_bytes)
    return "utf-8"


def _looks_utf16(head: bytes) -> bool:
    """Western text in UTF-16 has a NUL in every other byte, and only there."""
    even, odd = head[0:512:2], head[1:512:2]
    return len(head) >= 4 and (
        (even.count(0) == 0 and odd.count(0) > 0.4 * len(odd))
        or (odd.count(0) == 0 and even.count(0) > 0.4 * len(even))
    )


def _single_byte_codec(path: Path, *, compressed: bool, max_bytes: int) -> str:
    """cp1256 or cp1252: Arabic script stands in runs of bytes above 127, accented letters stand alone in a word."""
    runs = alone = 0
    for chunk in _chunks(path, compressed=compressed, max_bytes=max_bytes):
        high = bytes(byte > 127 for byte in chunk)
        together = sum(1 for here, after in itertools.pairwise(high) if here and after)
        runs += together
        alone += sum(high) - together
        if runs + alone > 1000:
            break
    return "cp1256" if runs > alone else "cp1252"


def _verified_tail(path: Path, *, compressed: bool, codec: str, max_bytes: int) -> str:
    """The last characters of the file, every byte of which was decoded."""
    decoder = codecs.getincrementaldecoder(codec)()
    tail, read, blank = "", 0, True
    try:
        for chunk in _chunks(path, compressed=compressed, max_bytes=max_bytes):
            decoded = decoder.decode(chunk)
            tail = (tail + decoded)[-LONGEST_LINE:]
            blank = blank and not decoded.strip("\ufeff \t\r\n")
            read += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise ConfigInvalid(
            f"{path.name} is not {codec} text (near byte {read + error.start:,}): "
            "correct the mapping's file.encoding, or fetch the file again.",
            key="file.encoding",
        ) from error
    if blank:
        raise unusable(path, "empty")
    return tail
