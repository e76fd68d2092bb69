"""What QuickBooks says when it refuses: codes and messages as its documentation lists them."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """A request that is not carried out; nothing of it has happened."""

    def __init__(
        self,
        code: str,
        message: str,
        detail: str,
        *,
        element: str = "",
        status: int = 400,
        kind: str = "ValidationFault",
    ) -> None:
        super().__init__(f"{code} {detail}")
        self.code = code
        self.message = message
        self.detail = detail
        self.element = element
        self.status = status
        self.kind = kind

    def fault(self) -> dict[str, Any]:
        """The `Fault` of the company API."""
        error = {"Message": self.message, "Detail": self.detail, "code": self.code, "element": self.element}
        return {"Error": [error], "type": self.kind}

    def body(self, time: str) -> dict[str, Any]:
        """The whole answer."""
        return {"Fault": self.fault(), "time": time}


class TurnedAway(Refused):
    """A request that the gateway in front of the company API answers, in its own lower-case shape."""

    def body(self, time: str) -> dict[str, Any]:
        """The whole answer; unlike the company API's, its keys are in lower case."""
        error = {"message": self.message, "detail": self.detail, "code": self.code, "element": None}
        return {
            "warnings": None,
            "intuitObject": None,
            "fault": {"error": [error], "type": self.kind},
            "requestId": None,
            "time": time,
            "status": None,
        }


def unauthenticated() -> Refused:
    """No access token, or one that is unknown, expired or revoked."""
    message = "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    return TurnedAway("3200", message, "Token expired or invalid", status=401, kind="AUTHENTICATION")


def foreign_company() -> Refused:
    """A token of another company."""
    message = "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403"
    detail = "The token was not issued for this company"
    return TurnedAway("3100", message, detail, status=403, kind="AuthorizationFault")


def throttled() -> Refused:
    """Too many calls in a minute, or too many at once."""
    message = "message=ThrottleExceeded; errorCode=003001; statusCode=429"
    return TurnedAway("3001", message, "The request limit was reached", status=429, kind="SERVICE")


def broken() -> Refused:
    """An error of the vendor's own."""
    message = "An application error has occurred while processing your request"
    return Refused("10000", message, "System Failure Error", status=500, kind="SystemFault")


def no_such_page() -> Refused:
    """An address that the vendor does not have."""
    return Refused("500", "Unsupported Operation", "No such resource", status=404)


def unsupported(detail: str) -> Refused:
    """Something that the entity or endpoint cannot do."""
    return Refused("500", "Unsupported Operation", detail)


def duplicate_request() -> Refused:
    """A `requestid` that was already used for something else."""
    return Refused("600", "Duplicate Request ID", "The requestid was used for a different request", element="requestid")


def not_found(entity: str, identifier: str) -> Refused:
    """An object that does not exist (any more), or is inactive where an active one is needed."""
    detail = (
        "Object Not Found : Something you're trying to use has been made inactive. "
        f"Check the fields with accounts, customers, items, vendors or employees. ({entity} {identifier})"
    )
    return Refused("610", "Object Not Found", detail)


def batch_too_big(size: int) -> Refused:
    """More items than a batch may have."""
    return Refused("1040", "Batch Size Exceeded", f"A batch has at most 30 items; this one has {size}")


def invalid(detail: str, element: str = "") -> Refused:
    """A property or parameter that does not exist, or a value of the wrong kind."""
    return Refused("2010", "Request has invalid or unsupported property", detail, element=element)


def required(element: str) -> Refused:
    """Something that must be given is missing."""
    message = "Required param missing, need to supply the required value for the API"
    return Refused("2020", message, f"Required parameter {element} is missing in the request", element=element)


def wrong_length(element: str, limit: int, given: int) -> Refused:
    """A text that is too long."""
    message = "Invalid String. The string is either too short or too long"
    detail = (
        "String length is either shorter or longer than supported by specification. "
        f"Min:0 Max:{limit} supported. Supplied length:{given}"
    )
    return Refused("2050", message, detail, element=element)


def not_a_choice(element: str, value: object) -> Refused:
    """A value outside its enumeration."""
    return Refused("2170", "Invalid Enumeration", f"Invalid Enumeration : {value}", element=element)


def no_such_reference(element: str, identifier: object) -> Refused:
    """A reference to something that does not exist."""
    detail = f"Invalid Reference Id : {element} element id {identifier} not found"
    return Refused("2500", "Invalid Reference Id", detail, element=element)


def unparsable(detail: str) -> Refused:
    """A query that is not in the language."""
    return Refused("4000", "Error parsing query", f"QueryParserError: {detail}")


def invalid_query(detail: str) -> Refused:
    """A query that names what does not exist or asks what cannot be asked."""
    return Refused("4001", "Invalid query", f"QueryValidationError: {detail}")


def stale() -> Refused:
    """A SyncToken that is not the current one."""
    detail = (
        "Stale Object Error : You and another user were working on this at the same time. "
        "The other user finished before you did, so your work was not saved."
    )
    return Refused("5010", "Stale Object Error", detail)


def against_the_rules(detail: str) -> Refused:
    """What bookkeeping does not allow."""
    return Refused("6000", "A business validation error has occurred while processing your request", detail)


def wrong_amount() -> Refused:
    """A line whose amount is not quantity times price."""
    detail = "Amount is not equal to UnitPrice * Qty. Supplied value"
    return Refused("6070", "Amount calculation incorrect in the request.", detail, element="Line.Amount")


def duplicate_number(number: str) -> Refused:
    """A document number that is in use."""
    detail = f"Duplicate Document Number Error : You must specify a different number. This number {number} is in use."
    return Refused("6140", "Duplicate Document Number Error", detail, element="DocNumber")


def duplicate_name(name: str) -> Refused:
    """A name that is in use."""
    detail = f"The name supplied already exists. : {name}"
    return Refused("6240", "Duplicate Name Exists Error", detail, element="Name")
