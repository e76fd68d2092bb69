"""What generated completion functions call: grouping rows under their parents, money, cursors, words."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from api.pages import day_mark, encode_cursor, text_mark, time_mark
from api.problems import BadUserInput
from domain.core.money import minor_units
from domain.customers.folding import search_words

Alone = tuple[list[int], list[Any]]
"""Parents with one key each: their indices, and the keys."""
Several = tuple[list[int], list[int], list[int], list[Any]]
"""Parents with several keys each: their indices, the places of the first and the last key of each, and the keys."""


def keys(rows: Iterable[Any], of: Callable[[Any], Any]) -> tuple[Alone, Several]:
    """The keys of the parents that have one, and those of the parents that have several."""
    alone: Alone = ([], [])
    several: Several = ([], [], [], [])
    for index, row in enumerate(rows):
        key = of(row)
        if isinstance(key, list) and len(key) != 1:
            parents, first, last, all_keys = several
            parents.append(index)
            first.append(len(all_keys) + 1)
            all_keys += key
            last.append(len(all_keys))
        elif key is not None:
            alone[0].append(index)
            alone[1].append(key[0] if isinstance(key, list) else key)
    return alone, several


async def batch(
    fetch: Callable[..., Any], a: list[Any], statements: Sequence[int], alone: Alone, several: Several
) -> Any:
    """The rows of all parents, by the statement for such keys as there are."""
    one, single, many, both = statements
    match len(alone[-1]), len(several[-1]):
        case 0, 0:
            return ()
        case 0, _:
            return await fetch(many, a, *several)
        case 1, 0:
            return await fetch(one, a, alone[0][0], alone[1][0])
        case _, 0:
            return await fetch(single, a, *alone)
    return await fetch(both, a, *alone, *several)


def bounds(rows: Sequence[Any]) -> dict[int, tuple[int, int]]:
    """Where each parent's rows begin and end; the rows come parent by parent."""
    found: dict[int, tuple[int, int]] = {}
    begin, current = 0, -1
    for index, row in enumerate(rows):
        if row[0] != current:
            if current >= 0:
                found[current] = (begin, index)
            begin, current = index, row[0]
    if current >= 0:
        found[current] = (begin, len(rows))
    return found


def only(documents: Sequence[Any]) -> Any:
    """The one document, or none. Raises BadUserInput when several are found by what should name one."""
    if len(documents) > 1:
        raise BadUserInput(f"{len(documents)} match. Ask by id, or list them with a filter.", ambiguous=True)
    return documents[0] if documents else None


def amount(minor: int, currency: str) -> str:
    """An amount of money as text, with all the decimal places of its currency."""
    places = minor_units(currency)
    if places == 0:
        return str(minor)
    whole, rest = divmod(abs(minor), 10**places)
    return f"{'-' if minor < 0 else ''}{whole}.{rest:0{places}d}"


def loads(stored: Any) -> Any:
    """What a JSON column holds; an empty list where it holds nothing."""
    # A connection of SQLAlchemy, on which a mutation reads its payload, has it decoded already.
    return orjson.loads(stored) if isinstance(stored, str) else stored or []


def moment(written: str) -> str:
    """A moment as PostgreSQL writes it in UTC, in the form of RFC 3339; a fraction of a second has six digits."""
    whole, point, fraction = written[:-3].replace(" ", "T").partition(".")
    return f"{whole}.{fraction:0<6}+00:00" if point else f"{whole}+00:00"


def longest_word(search: str) -> str:
    """The word that narrows a search most."""
    return max(search_words(search), key=len, default="")


def other_words(search: str) -> list[str]:
    """All the other words of a search."""
    found = list(search_words(search))
    if found:
        found.remove(longest_word(search))
    return found


NAMES: dict[str, Any] = {
    "amount": amount,
    "batch": batch,
    "bounds": bounds,
    "encode_cursor": encode_cursor,
    "keys": keys,
    "loads": loads,
    "moment": moment,
    "N": (0, 0),
    "only": only,
    "day_mark": day_mark,
    "text_mark": text_mark,
    "time_mark": time_mark,
    "Z": {},
}
"""The names that generated code may use."""
