"""Rounding where the rows are: the rules of `domain.core.money`, as exact SQL."""

from __future__ import annotations

from collections import defaultdict

from domain.core.money import currencies, minor_units


def half_even(numerator: str, denominator: str = "1") -> str:
    """SQL that divides two numeric expressions and rounds to a whole number once, ties to the even neighbour.

    Exact for every size and scale, since no quotient is cut off before it is rounded. The expressions stand in it
    several times, so give names of columns rather than long terms; the denominator must be positive.
    """
    size = f"abs({numerator})"
    whole, twice_left = f"div({size}, {denominator})", f"2 * mod({size}, {denominator})"
    up = f"{twice_left} > {denominator} OR ({twice_left} = {denominator} AND mod({whole}, 2) = 1)"
    return f"(sign({numerator}) * ({whole} + CASE WHEN {up} THEN 1 ELSE 0 END))"


def minor_per_unit(currency: str) -> str:
    """SQL that says how many minor units one unit of a currency has: 100 for EUR, 1 for JPY, 1000 for KWD."""
    by_digits: dict[int, list[str]] = defaultdict(list)
    for code in sorted(currencies()):
        by_digits[minor_units(code)].append(f"'{code}'")
    usual = max(by_digits, key=lambda digits: len(by_digits[digits]))
    cases = (
        f"WHEN {currency} IN ({', '.join(codes)}) THEN {10**digits}"
        for digits, codes in sorted(by_digits.items())
        if digits != usual
    )
    return f"(CASE {' '.join(cases)} ELSE {10**usual} END)"
