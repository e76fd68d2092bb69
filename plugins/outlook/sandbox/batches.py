"""JSON batching: up to 20 requests in one, each authorised, throttled and answered for itself (20 is UNVERIFIED)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from plugins.outlook.sandbox import inputs
from plugins.outlook.sandbox.calls import Answer, Request
from plugins.outlook.sandbox.errors import Refusal, bad_request

if TYPE_CHECKING:
    from plugins.outlook.sandbox.application import OutlookSandbox

MOST = 20


async def answer(sandbox: OutlookSandbox, request: Request) -> Answer:
    """The answers to the requests of a batch; one whose forerunner failed is not tried."""
    if request.method != "POST":
        raise Refusal(
            405,
            "Request_BadRequest",
            f"Specified HTTP method '{request.method}' is not allowed for the request target.",
        )
    wanted = _requests(request.body)
    statuses: dict[str, int] = {}
    found = []
    for each in wanted:
        if any(statuses[other] >= 400 for other in each.depends_on):
            failed = {"code": "FailedDependency", "message": "A request that this one depends on failed."}
            one = Answer(424, {"error": failed})
        else:
            one = await sandbox.answer(_single(request, each))
        statuses[each.id] = one.status
        shown = {"id": each.id, "status": one.status, "headers": {"Content-Type": "application/json", **one.headers}}
        found.append(shown if one.body is None else {**shown, "body": one.body})
    return Answer(200, {"responses": found})


def _requests(body: bytes) -> list[inputs.BatchRequest]:
    try:
        plain = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise bad_request("Invalid batch payload format.") from None
    requests: list[inputs.BatchRequest] = inputs.converted(plain, inputs.Batch).requests
    if not 0 < len(requests) <= MOST:
        raise bad_request(f"Number of batch request steps must be between 1 and {MOST}.")
    known: set[str] = set()
    for each in requests:
        if each.id in known or not known.issuperset(each.depends_on) or each.url.lstrip("/").startswith("$batch"):
            raise bad_request(f"Batch request step '{each.id}' is invalid.")
        known.add(each.id)
    return requests


def _single(request: Request, each: inputs.BatchRequest) -> Request:
    path, _, query = each.url.partition("?")
    headers = {name.lower(): value for name, value in each.headers.items()}
    headers.setdefault("authorization", request.headers.get("authorization", ""))
    body = b"" if each.body is None else msgspec.json.encode(each.body)
    return Request(each.method, f"/v1.0/{path.lstrip('/')}", query, headers, body)
