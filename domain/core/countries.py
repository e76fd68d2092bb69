"""Countries by their two letters, after ISO 3166-1."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


def is_country(code: str) -> bool:
    """Whether these two capital letters are a country's."""
    return code in countries()


@cache
def countries() -> frozenset[str]:
    """The code of every country, after the list that comes with the time zones (IANA, iso3166.tab)."""
    listed = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line.partition("\t")[0] for line in listed.splitlines() if not line.startswith("#"))
