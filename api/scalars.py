"""The scalars of the schema, each with one canonical form in both ways of completing an answer."""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from domain.core.countries import is_country
from domain.core.money import UnknownCurrency, minor_units
from domain.customers.folding import normalise_email, normalise_phone

EmailAddress = NewType("EmailAddress", str)
PhoneNumber = NewType("PhoneNumber", str)
Locale = NewType("Locale", str)
CurrencyCode = NewType("CurrencyCode", str)
CountryCode = NewType("CountryCode", str)
JSON = NewType("JSON", object)

_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise GraphQLError(f"A text is expected, not {type(value).__name__}.")
    return value


def _moment(value: Any) -> dt.datetime:
    try:
        parsed = dt.datetime.fromisoformat(_text(value))
    except ValueError:
        parsed = None
    # A day before the first year and after the last one remains, wherever on earth the calendar stands.
    if parsed is None or parsed.tzinfo is None or not _has_neighbours(parsed):
        raise GraphQLError("A moment with its time zone is expected (RFC 3339), such as 2026-01-31T09:00:00Z.")
    return parsed.astimezone(dt.UTC)


def _day(value: Any) -> dt.date:
    try:
        parsed = dt.date.fromisoformat(_text(value))
    except ValueError:
        parsed = None
    # The driver takes the first day of all and the last one for minus and plus infinity.
    if parsed is None or not _has_neighbours(parsed):
        raise GraphQLError("A day is expected (ISO 8601), such as 2026-01-31.")
    return parsed


def _has_neighbours(day: dt.date) -> bool:
    return dt.MINYEAR < day.year < dt.MAXYEAR


def _number(value: Any) -> Decimal:
    try:
        parsed = Decimal(_text(value) if not isinstance(value, int) or isinstance(value, bool) else value)
    except InvalidOperation:
        parsed = Decimal("NaN")
    if not parsed.is_finite():
        raise GraphQLError('A decimal number is expected, as a text, such as "12.50".')
    return parsed


def _currency(value: Any) -> str:
    try:
        minor_units(_text(value))
    except UnknownCurrency as unknown:
        raise GraphQLError(unknown.message) from unknown
    return str(value)


def _checked(check: Callable[[str], str | None], expected: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        found = check(_text(value))
        if found is None:
            raise GraphQLError(f"{expected} is expected.")
        return found

    return parse


def _country(value: str) -> str | None:
    return value if is_country(value) else None


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    return lambda value: value if pattern.fullmatch(value) else None


def iso(value: Any) -> Any:
    """A moment or a day as text; what is text already stays as it is."""
    return value.isoformat() if isinstance(value, dt.date) else value


def decimal_text(value: Any) -> str:
    """A decimal as text, without trailing zeros and never in powers of ten; what is text already stays as it is."""
    if isinstance(value, str):
        return value
    plain = format(Decimal(value), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


SCALARS: dict[object, ScalarDefinition] = {
    dt.datetime: strawberry.scalar(
        name="DateTime", description="A moment in UTC (RFC 3339).", serialize=iso, parse_value=_moment,
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    ),
    dt.date: strawberry.scalar(
        name="Date", description="A calendar day (ISO 8601).", serialize=iso, parse_value=_day,
    ),
    Decimal: strawberry.scalar(
        name="Decimal", description="An exact decimal number, as text.", serialize=decimal_text, parse_value=_number,
    ),
    EmailAddress: strawberry.scalar(
        name="EmailAddress", description="An e-mail address; masked for tokens without `pii:read`.",
        parse_value=_checked(normalise_email, "An e-mail address"),
    ),
    PhoneNumber: strawberry.scalar(
        name="PhoneNumber", description="A phone number (E.164); masked for tokens without `pii:read`.",
        parse_value=_checked(normalise_phone, "A phone number with its country code, such as +442071838750,"),
    ),
    Locale: strawberry.scalar(
        name="Locale", description="A language, such as en or fa.",
        parse_value=_checked(_matching(_LOCALE), "A language code such as en or fa"),
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode", description="A currency (ISO 4217).", parse_value=_currency,
    ),
    JSON: strawberry.scalar(
        name="JSON", description="Any JSON value, where its shape is a connector's and no schema can know it.",
    ),
    CountryCode: strawberry.scalar(
        name="CountryCode", description="A country (ISO 3166-1, two letters).",
        parse_value=_checked(_country, "A country (ISO 3166-1) by its two capital letters, such as DE,"),
    ),
}  # fmt: skip
