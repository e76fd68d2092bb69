"""How a value is shown to this reader: in his language, and masked where he may not see whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from domain.customers.folding import mask_email, mask_phone, mask_text


@dataclass(frozen=True)
class Reader:
    """Who reads and when: the language of the labels, and whether personal values are shown whole."""

    language: str
    sees_personal: bool
    now: datetime
    principal_id: UUID
    token_id: UUID
    opened: list[str] = field(default_factory=list)
    """The interactions whose text was read for him, which the audit log has to know before he sees it."""


def label(stored: Any, reader: Reader) -> str:
    """A label in the reader's language, in English where there is none."""
    words = _words(stored) if isinstance(stored, str) else stored
    return str(words.get(reader.language) or words.get("en") or "")


@lru_cache(1024)
def _words(stored: str) -> Mapping[str, str]:
    # A page of customers shows the same few stages again and again.
    found: Mapping[str, str] = orjson.loads(stored)
    return found


def label_or_none(stored: Any, reader: Reader) -> str | None:
    """A label that may be missing."""
    return label(stored, reader) or None


def email(value: str, reader: Reader) -> str:
    """An e-mail address, masked without `pii:read`."""
    return value if reader.sees_personal else mask_email(value)


def phone(value: str, reader: Reader) -> str:
    """A phone number, masked without `pii:read`."""
    return value if reader.sees_personal else mask_phone(value)


def personal(value: str, reader: Reader) -> str:
    """A text about a person, masked without `pii:read`."""
    return value if reader.sees_personal else mask_text(value)


def content(value: Sequence[str], reader: Reader) -> str:
    """The text of an interaction, given with its id; that it was read is noted."""
    interaction_id, text = value
    reader.opened.append(interaction_id)
    return text


def chosen_attributes(found: Sequence[Any], reader: Reader, keys: Sequence[str] | None = None) -> list[Any]:
    """The attributes of these keys, or all; personal values are masked without `pii:read`."""
    chosen = [entry for entry in found if keys is None or entry["key"] in keys]
    if reader.sees_personal:
        return chosen
    return [_masked(entry) if entry["pii"] else entry for entry in chosen]


def _masked(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "type": "TEXT", "value": mask_text(str(entry["value"]))}
