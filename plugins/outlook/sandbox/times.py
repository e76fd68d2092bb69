"""Times as Graph writes them: UTC stamps, and pairs of a wall clock time and the name of a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plugins.outlook.sandbox.errors import Refusal, bad_request

# The Windows names that a European or American mailbox shows most; IANA names are read too.
WINDOWS_ZONES = {
    "UTC": "UTC",
    "GMT Standard Time": "Europe/London",
    "Greenwich Standard Time": "Atlantic/Reykjavik",
    "W. Europe Standard Time": "Europe/Berlin",
    "Central Europe Standard Time": "Europe/Budapest",
    "Central European Standard Time": "Europe/Warsaw",
    "Romance Standard Time": "Europe/Paris",
    "E. Europe Standard Time": "Europe/Chisinau",
    "FLE Standard Time": "Europe/Kiev",
    "GTB Standard Time": "Europe/Bucharest",
    "Turkey Standard Time": "Europe/Istanbul",
    "Russian Standard Time": "Europe/Moscow",
    "Israel Standard Time": "Asia/Jerusalem",
    "Iran Standard Time": "Asia/Tehran",
    "Arabian Standard Time": "Asia/Dubai",
    "India Standard Time": "Asia/Kolkata",
    "China Standard Time": "Asia/Shanghai",
    "Singapore Standard Time": "Asia/Singapore",
    "Tokyo Standard Time": "Asia/Tokyo",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver",
    "Pacific Standard Time": "America/Los_Angeles",
}


def stamp(moment: datetime) -> str:
    """A moment as `createdDateTime` and its like show it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def zone(name: str) -> ZoneInfo:
    """The zone of a Windows or IANA name."""
    try:
        return ZoneInfo(WINDOWS_ZONES.get(name, name))
    except (ZoneInfoNotFoundError, ValueError):
        raise bad_request(f"The time zone '{name}' is not supported.", "TimeZoneNotSupportedException") from None


def moment(text: str) -> datetime:
    """A moment from a query or a body; without an offset it is UTC."""
    try:
        read = datetime.fromisoformat(_trimmed(text))
    except ValueError:
        raise _unreadable(text) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def instant(pair: dict[str, str]) -> datetime:
    """The moment that a `{dateTime, timeZone}` pair means; an offset in the text wins over the zone's name."""
    text = pair["dateTime"]
    try:
        read = datetime.fromisoformat(_trimmed(text))
    except ValueError:
        raise _unreadable(text) from None
    return (read if read.tzinfo else read.replace(tzinfo=zone(pair.get("timeZone") or "UTC"))).astimezone(UTC)


def pair(when: datetime, zone_name: str) -> dict[str, str]:
    """A moment as Graph shows it to a reader who prefers this zone: seven digits and no offset."""
    wall = when.astimezone(zone(zone_name))
    return {"dateTime": wall.strftime("%Y-%m-%dT%H:%M:%S.") + f"{wall.microsecond:06d}0", "timeZone": zone_name}


def _trimmed(text: str) -> str:
    """Python reads at most six digits of a second, Graph writes seven."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


def _unreadable(text: str) -> Refusal:
    return bad_request(
        f"Cannot convert the literal '{text}' to the expected type 'Edm.DateTimeOffset'.", "RequestBodyRead"
    )
