"""What a page must keep to: checked before anything of it lands, so that a mistake of a connector stays its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from sync import soundness
from sync.landing.rejects import plain
from tenure_sdk import MAX_CURSOR_BYTES, ContractViolation, LinePage, Page, Reject, record_type, unfit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tenure_sdk import Cursor, Record, Stream

MAX_ROWS = 5_000
_PORTION = 250
"""How many records are looked at together."""
_SECRET_NAMES = frozenset(
    {"access_token", "refresh_token", "client_secret", "password", "api_key", "apikey", "authorization", "secret"}
)
_SHORTEST_SECRET = 6
"""What is shorter stands in too many texts by chance."""


@dataclass(frozen=True)
class Refused:
    """A record that cannot be taken, with the record itself as JSON, so that it can be tried again."""

    reject: Reject
    type: str | None = None
    record: dict[str, Any] | None = None


@dataclass(frozen=True)
class Checked:
    """A page of which every record is sound, what was left out of it, and how many rows a later one made obsolete."""

    page: Page | LinePage
    refused: Sequence[Refused] = ()
    doubles: int = 0


def check(page: Page | LinePage, stream: Stream, secrets: Collection[str] = ()) -> Checked:
    """The page with its unsound records set apart. Raises ContractViolation for a page that cannot be taken at all."""
    if not isinstance(page, Page | LinePage):
        raise ContractViolation(f"The stream {stream.name} yields pages, not {type(page).__name__}.")
    check_cursor(page.cursor, secrets)
    if isinstance(page, LinePage):
        _check_size(len(page.rows) + len(page.rejects))
        return Checked(page)
    _check_size(len(page.records) + len(page.deletes) + len(page.rejects))
    sound, refused = _parted(page.records, stream)
    latest = _latest(sound)
    return Checked(msgspec.structs.replace(page, records=latest), refused, len(sound) - len(latest))


def check_cursor(cursor: Cursor, secrets: Collection[str] = ()) -> None:
    """Raises ContractViolation for a cursor that is no JSON, is too large, or holds a secret."""
    try:
        written = json.dumps(cursor, ensure_ascii=False, allow_nan=False)
        size = len(written.encode())
    except (TypeError, ValueError) as problem:
        raise ContractViolation("The cursor is no JSON value.") from problem
    if "\\u0000" in written:
        raise ContractViolation("The cursor has a character in it that cannot be kept.")
    if size > MAX_CURSOR_BYTES:
        raise ContractViolation(f"The cursor has {size} bytes; at most {MAX_CURSOR_BYTES} are allowed.")
    if any(name.lower() in _SECRET_NAMES for name in _names(cursor)) or _holds(written, secrets):
        raise ContractViolation("The cursor holds a secret.")


def _holds(written: str, secrets: Collection[str]) -> bool:
    return any(len(secret) >= _SHORTEST_SECRET and json.dumps(secret)[1:-1] in written for secret in secrets)


def _names(value: Any) -> Iterator[str]:
    """The names within a JSON value."""
    if isinstance(value, dict):
        yield from map(str, value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _names(inner)


def _check_size(rows: int) -> None:
    if rows > MAX_ROWS:
        raise ContractViolation(f"The page has {rows} rows; at most {MAX_ROWS} are allowed.")


def _parted(records: Sequence[Record], stream: Stream) -> tuple[list[Record], list[Refused]]:
    """The records that can be taken, and those that cannot."""
    sound: list[Record] = []
    refused: list[Refused] = []
    for start in range(0, len(records), _PORTION):
        portion = records[start : start + _PORTION]
        if all(issubclass(each, stream.records) for each in set(map(type, portion))) and soundness.are_sound(portion):
            sound += portion
            continue
        for record in portion:
            problem = _unsound(record, stream)
            if problem is None:
                sound.append(record)
            else:
                refused.append(problem)
    return sound, refused


def _unsound(record: Record, stream: Stream) -> Refused | None:
    """Why a record cannot be taken, if so."""
    if not isinstance(record, stream.records):
        reason = f"is {type(record).__name__}; the stream {stream.name} brings {', '.join(stream.types)}"
        return _refused(record, "type", reason)
    try:
        soundness.check(record)
    except (msgspec.ValidationError, TypeError) as problem:
        return _refused(record, *unfit(problem))
    return None


def _refused(record: Any, field: str | None, reason: str) -> Refused:
    name = getattr(record, "id", None)
    named = name if isinstance(name, str) else None
    is_record = isinstance(record, msgspec.Struct) and record.__struct_config__.tag is not None
    return Refused(
        Reject(None, field, None, reason, named), record_type(record) if is_record else None,
        _kept(record) if is_record else None,
    )  # fmt: skip


def _kept(record: Any) -> dict[str, Any] | None:
    """The record as JSON; None where it is nothing that JSON can say."""
    try:
        return plain(record)
    except (TypeError, ValueError):
        return None


def _latest(records: Sequence[Record]) -> list[Record]:
    """Each record once: of several with the same type and id the one that was changed last, or stands last."""
    if len(set(map(type, records))) == 1 and len({record.id for record in records}) == len(records):
        return list(records)
    latest: dict[tuple[type[Record], str], Record] = {}
    for record in records:
        key = (type(record), record.id)
        known = latest.get(key)
        if known is None or not _is_older(record, known):
            latest[key] = record
    return list(latest.values())


def _is_older(record: Record, known: Record) -> bool:
    return record.updated_at is not None and known.updated_at is not None and record.updated_at < known.updated_at
