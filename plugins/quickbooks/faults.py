"""What QuickBooks Online means when it refuses: by the code of its fault, not by the status alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tenure_sdk import (
    AuthExpired,
    AuthRevoked,
    Conflict,
    NotFound,
    PermissionDenied,
    RateLimited,
    RecordRejected,
    retry_after,
)

if TYPE_CHECKING:
    from tenure_sdk import Answer, ConnectorError

_BY_CODE: dict[str, type[ConnectorError]] = {
    "120": AuthRevoked,  # who authorised it is no longer an admin of the company
    "3100": AuthRevoked,  # the company has disconnected the app
    "3200": AuthExpired,
    "610": NotFound,
    "5010": Conflict,
    "6190": PermissionDenied,  # the company's subscription has ended
}
_REMEDIES = {
    "2500": ("It refers to something that QuickBooks does not have: read the company again, then repeat it.", None),
    "6140": ("QuickBooks has a document with this number: give it another one.", "number"),
    "6210": ("The books of that day are closed: reopen them in QuickBooks, or choose a later day.", "occurred_at"),
    "6240": (
        "QuickBooks has a customer, vendor or employee of this name: rename one of them, or link this customer to it.",
        "name",
    ),
    "6540": ("The payment was deposited already: take it out of the deposit in QuickBooks first.", None),
}
"""What a person can do, and the field that it is about."""


def meaning(answer: Answer) -> ConnectorError | None:
    """The error that an answer stands for; None where its status says enough, or it is none."""
    if answer.status < 400 or answer.status >= 500:
        return None
    error = _error(answer)
    if error is None:
        return None
    code, message = error
    text = f"QuickBooks refused: {message} (code {code}, intuit_tid {answer.headers.get('intuit_tid', 'unknown')})"
    if answer.status == 429 or code == "3001":
        return RateLimited(retry_after(answer.headers) or 0.0, text)
    if (known := _BY_CODE.get(code)) is not None:
        return known(text)
    if answer.status == 400 and _is_about_a_record(code):
        remedy, field = _REMEDIES.get(code, (None, None))
        return RecordRejected(None, f"{remedy} {text}" if remedy else text, field=field)
    return None


def _error(answer: Answer) -> tuple[str, str] | None:
    """The code and the words of a fault. The company's API writes its keys in capitals; the gateway does not."""
    try:
        body = _lower(msgspec.json.decode(answer.content))
        first = body["fault"]["error"][0]
        words = ": ".join(str(first[name]) for name in ("message", "detail") if first.get(name))
        return str(first.get("code") or "").lstrip("0"), words
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _lower(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {name.lower(): _lower(value) for name, value in thing.items()}
    return [_lower(each) for each in thing] if isinstance(thing, list) else thing


def _is_about_a_record(code: str) -> bool:
    """Codes from 2000 are about what was sent, from 4000 about queries, from 6000 about the rules of the books."""
    return code.isdigit() and (2000 <= int(code) < 3000 or 6000 <= int(code) < 7000)
