"""Made-up people, companies and places: plain names put together by number, on addresses that belong to nobody.

E-mail addresses end in example.com, example.org and example.net, which RFC 2606 keeps free.
"""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tenure_sdk import Address

if TYPE_CHECKING:
    from collections.abc import Callable


class Name(NamedTuple):
    """A name as it is written, and as it stands in an e-mail address."""

    written: str
    latin: str


class Place(msgspec.Struct, frozen=True):
    """A city with a postal code, and the beginning of phone numbers there that nobody has."""

    city: str
    postal_code: str
    phones: str | None = None


class Country(msgspec.Struct, frozen=True):
    """Where customers live: what they pay with, what they are called, and the cities."""

    code: str
    currency: str
    names: str
    legal_form: str
    streets: tuple[str, ...]
    places: tuple[Place, ...]
    phones_per_place: int = 1000


class _Lists(msgspec.Struct, frozen=True):
    given: str
    family: str


class _Sources(msgspec.Struct, frozen=True):
    round: str
    names: dict[str, _Lists]
    countries: tuple[Country, ...]


_SOURCES = msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_bytes(), type=_Sources)
_NAMES = {key: (lists.given.split(), lists.family.split()) for key, lists in _SOURCES.names.items()}
_COUNTRIES = {country.code: country for country in _SOURCES.countries}

ROUND = [_COUNTRIES[code] for code in _SOURCES.round.split()]
"""The countries of twenty customers that follow each other: their shares are exact, whatever the number."""

_DOMAINS = ("example.com", "example.org", "example.net")
_STEP = 101  # prime to every number of combinations, so that neighbours do not share a name
_LATIN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "è": "e", "é": "e", "É": "E", "ê": "e"})


def country(number: int) -> Country:
    """Where the customer of a number is at home."""
    return ROUND[number % len(ROUND)]


def person(number: int) -> Name:
    """The name of a person; no two have the same until a country's names are used up."""
    parts = [part.partition(":") for part in _combined(country(number).names, _nth(number, attrgetter("names")))]
    written = " ".join(native for native, _, _ in parts)
    return Name(written, ".".join((latin or native).translate(_LATIN).lower() for native, _, latin in parts))


def organisation(number: int) -> Name:
    """The name of an organisation, with the legal form of its country."""
    words = _combined("companies", number // 8)
    return Name(f"{' '.join(words)} {country(number).legal_form}", "-".join(words).lower())


def email(latin: str, number: int) -> str:
    """An address of its own for every number."""
    return f"{latin}.{number}@{_DOMAINS[number % len(_DOMAINS)]}"


def address(number: int) -> Address:
    """A street and a city in the customer's country."""
    home = country(number)
    where = home.places[_nth(number, _CODE) % len(home.places)]
    street = f"{home.streets[number % len(home.streets)]} {1 + number % 97}"
    return Address(street=street, city=where.city, postal_code=where.postal_code, country=home.code)


def phone(number: int) -> str | None:
    """A number of the customer's city that nobody else has, or None where there are none (left)."""
    home = country(number)
    place, count = reversed(divmod(_nth(number, _CODE), len(home.places)))
    begins = home.places[place].phones
    if begins is None or count >= home.phones_per_place:
        return None
    return f"{begins}{count:0{len(str(home.phones_per_place - 1))}}"


_CODE = attrgetter("code")


def _nth(number: int, kin: Callable[[Country], object]) -> int:
    """The how-manieth customer this one is, from 0, of all whose countries are alike in something."""
    rounds, place = divmod(number, len(ROUND))
    homes = [kin(home) for home in ROUND]
    return rounds * homes.count(homes[place]) + homes[:place].count(homes[place])


def _combined(names: str, nth: int) -> tuple[str, str]:
    given, family = _NAMES[names]
    place = nth * _STEP % (len(given) * len(family))
    return given[place % len(given)], family[place // len(given)]
