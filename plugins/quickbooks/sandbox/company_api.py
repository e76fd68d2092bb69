"""The company API: `/v3/company/{realmId}/...`, in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from plugins.quickbooks.sandbox import calendar, refusals
from plugins.quickbooks.sandbox.entities import BY_LOWER_NAME, ENTITIES
from plugins.quickbooks.sandbox.refusals import Refused
from plugins.quickbooks.sandbox.searching import Search
from plugins.quickbooks.sandbox.statements import parse
from plugins.quickbooks.sandbox.tables import Row, decode, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime
    from random import Random

    from starlette.requests import Request

    from plugins.quickbooks.sandbox.authorization import Authorizations
    from plugins.quickbooks.sandbox.company import Company
    from plugins.quickbooks.sandbox.entities import Entity, Record
    from plugins.quickbooks.sandbox.faults import Faults
    from plugins.quickbooks.sandbox.throttling import Throttling

    Handler = Callable[[Request, Company], Awaitable[bytes]]

NEWEST_MINOR_VERSION = 75
LONGEST_REQUEST_ID = 50
MOST_ITEMS = 30
LOOK_BACK = 30 * 86_400
MOST_CHANGED = 1000
QUERY_TYPES = ("application/text", "text/plain")


class CompanyApi:
    """Answers the calls of one app on all companies."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        random: Random,
        faults: Faults,
        throttling: Throttling,
        authorizations: Authorizations,
        company: Callable[[str], Company],
    ) -> None:
        self._now = now
        self._random = random
        self._faults = faults
        self._throttling = throttling
        self._authorizations = authorizations
        self._company = company
        self._answers: dict[tuple[str, str], tuple[bytes, bytes]] = {}
        """What was answered to a `requestid` of a company, with what was asked."""

    def routes(self) -> list[Route]:
        """Every address that there is."""
        base = "/v3/company/{realm:str}"
        return [
            self._route(f"{base}/query", self._query, "GET", "POST", takes=("query",)),
            self._route(f"{base}/cdc", self._cdc, "GET", takes=("entities", "changedSince")),
            self._route(f"{base}/batch", self._batch, "POST", writes=True),
            self._route(f"{base}/companyinfo/{{id:str}}", self._company_info, "GET"),
            self._route(f"{base}/invoice/{{id:str}}/send", self._send, "POST", writes=True, takes=("sendTo",)),
            self._route(f"{base}/{{entity:str}}/{{id:str}}", self._read, "GET"),
            self._route(f"{base}/{{entity:str}}", self._write, "POST", writes=True, takes=("operation", "include")),
        ]

    def _route(
        self, path: str, handler: Handler, *methods: str, writes: bool = False, takes: tuple[str, ...] = ()
    ) -> Route:
        known = {"minorversion", "requestid", *takes}

        async def endpoint(request: Request) -> Response:
            try:
                company = self._admitted(request)
                with self._throttling.one_call(company.realm):
                    self._check_parameters(request, known)
                    answer = self._once(handler) if writes else handler
                    return self._respond(200, await answer(request, company))
            except Refused as refused:
                return self._refuse(refused)

        return Route(path, endpoint, methods=list(methods))

    def refuse_page(self, status: int) -> Response:
        """The answer to an address or method that there is not."""
        refused = refusals.no_such_page()
        refused.status = status
        return self._refuse(refused)

    def _refuse(self, refused: Refused) -> Response:
        response = self._respond(refused.status, encode(refused.body(self._time())))
        if refused.status == 429 and self._faults.retry_after is not None:
            response.headers["retry-after"] = self._faults.retry_after
        return response

    def _respond(self, status: int, body: bytes) -> Response:
        tid = str(UUID(int=self._random.getrandbits(128), version=4))
        return Response(body, status, {"intuit_tid": tid}, "application/json")

    def _admitted(self, request: Request) -> Company:
        """The company that the caller may speak to."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        connection = self._authorizations.access(token, self._faults.expire_after) if kind.lower() == "bearer" else None
        if connection is None:
            raise refusals.unauthenticated()
        if connection.realm != request.path_params["realm"]:
            raise refusals.foreign_company()
        if self._faults.take("throttled"):
            raise refusals.throttled()
        if self._faults.take("errors"):
            raise refusals.broken()
        return self._company(connection.realm)

    @staticmethod
    def _check_parameters(request: Request, known: set[str]) -> None:
        accepted = request.headers.get("accept", "")
        if "application/json" not in accepted:
            raise Refused(
                "500", "Not Acceptable", "This sandbox answers in JSON only: Accept: application/json", status=406
            )
        for name in request.query_params:
            if name not in known:
                raise refusals.invalid(f"Query parameter {name} is unsupported", name)
        version = request.query_params.get("minorversion", "0")
        if not version.isdigit() or int(version) > NEWEST_MINOR_VERSION:
            raise refusals.invalid(f"minorversion {version} is unsupported", "minorversion")

    def _once(self, handler: Handler) -> Handler:
        """A handler that answers a repeated `requestid` with its first answer, without doing anything."""

        async def answer(request: Request, company: Company) -> bytes:
            name = request.query_params.get("requestid")
            if name is None:
                return await handler(request, company)
            if not 0 < len(name) <= LONGEST_REQUEST_ID:
                raise refusals.wrong_length("requestid", LONGEST_REQUEST_ID, len(name))
            asked = f"{request.url.path}?{request.url.query}\n".encode() + await request.body()
            if (company.realm, name) in self._answers:
                earlier, answered = self._answers[company.realm, name]
                if earlier != asked:
                    raise refusals.duplicate_request()
                return answered
            answered = await handler(request, company)
            self._answers[company.realm, name] = asked, answered
            return answered

        return answer

    async def _query(self, request: Request, company: Company) -> bytes:
        if request.method == "POST":
            if request.headers.get("content-type", "").partition(";")[0] not in QUERY_TYPES:
                raise refusals.invalid("A query is sent as application/text", "Content-Type")
            text = (await request.body()).decode(errors="replace")
        else:
            text = request.query_params.get("query", "")
        return self._page(company, text, b',"time":%s' % encode(self._time()))

    def _page(self, company: Company, text: str, rest: bytes) -> bytes:
        """One page of a query, put together from the rows as they are kept."""
        if not text.strip():
            raise refusals.required("query")
        statement = parse(text)
        entity = BY_LOWER_NAME.get(statement.entity.lower())
        if entity is None:
            raise refusals.invalid_query(f"Invalid context declaration: {statement.entity}")
        search = Search(company.tables[entity.name], statement)
        if statement.counts:
            return b'{"QueryResponse":{"totalCount":%d}%s}' % (search.count(), rest)
        rows = search.page()
        if not rows:
            return b'{"QueryResponse":{}%s}' % rest
        bodies = [row.body for row in rows]
        if self._faults.take("duplicate_rows"):
            bodies.append(bodies[0])
        if search.by_time:
            self._move(company, entity, rows)
        found = b'"%s":[%s]' % (entity.name.encode(), b",".join(bodies))
        place = b'"startPosition":%d,"maxResults":%d' % (statement.start, len(bodies))
        return b'{"QueryResponse":{%s,%s}%s}' % (found, place, rest)

    def _move(self, company: Company, entity: Entity, rows: list[Row]) -> None:
        for row in rows[: self._faults.moving_rows]:
            company.touch(entity.name, str(row.number))

    async def _cdc(self, request: Request, company: Company) -> bytes:
        names = [name for name in request.query_params.get("entities", "").split(",") if name]
        if not names:
            raise refusals.required("entities")
        since = self._since(request.query_params.get("changedSince"))
        unsupported = [name for name in names if name.lower() not in BY_LOWER_NAME or name.lower() == "companyinfo"]
        if unsupported:
            raise refusals.unsupported(f"Change data capture is not supported on {', '.join(unsupported)}")
        left, parts = MOST_CHANGED, []
        for name in dict.fromkeys(names):
            entity = BY_LOWER_NAME[name.lower()]
            bodies = _changed(company, entity, since)[:left]
            left -= len(bodies)
            listed = b'{"%s":[%s],"startPosition":1,"maxResults":%d}'
            parts.append(listed % (entity.name.encode(), b",".join(bodies), len(bodies)) if bodies else b"{}")
        time = encode(self._time())
        return b'{"CDCResponse":[{"QueryResponse":[%s]}],"time":%s}' % (b",".join(parts), time)

    def _since(self, text: str | None) -> int:
        if not text:
            raise refusals.required("changedSince")
        try:
            since = calendar.read(text)
        except ValueError:
            raise refusals.invalid(f"changedSince {text} is not a time", "changedSince") from None
        if since < calendar.stamp_of(self._now()) - LOOK_BACK:
            raise refusals.invalid("changedSince is more than 30 days back", "changedSince")
        return since

    async def _batch(self, request: Request, company: Company) -> bytes:
        items = (await _payload(request)).get("BatchItemRequest")
        if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
            raise refusals.required("BatchItemRequest")
        if len(items) > MOST_ITEMS:
            raise refusals.batch_too_big(len(items))
        self._throttling.batch(company.realm, len(items))
        answers = b",".join(self._batch_item(company, item) for item in items)
        return b'{"BatchItemResponse":[%s],"time":%s}' % (answers, encode(self._time()))

    def _batch_item(self, company: Company, item: Record) -> bytes:
        bid = encode(item.get("bId"))
        try:
            if "Query" in item:
                return self._page(company, str(item["Query"]), b',"bId":%s' % bid)
            (name,) = set(item) - {"bId", "operation", "optionsData"} or {""}
            void = item.get("optionsData") == "void"
            operation = "void" if void else item.get("operation", "")
            if name not in ENTITIES or not isinstance(item[name], dict):
                raise refusals.unsupported(f"A batch cannot {operation} {name}")
            return encode({name: _carried_out(company, name, item[name], operation), "bId": item.get("bId")})
        except ValueError:
            refused = refusals.invalid("A batch item holds one object or one query")
        except Refused as other:
            refused = other
        return encode({"Fault": refused.fault(), "bId": item.get("bId")})

    async def _company_info(self, request: Request, company: Company) -> bytes:
        if request.path_params["id"] != company.realm:
            raise refusals.not_found("CompanyInfo", request.path_params["id"])
        return self._one("CompanyInfo", company.read("CompanyInfo", "1"))

    async def _send(self, request: Request, company: Company) -> bytes:
        if request.headers.get("content-type", "").partition(";")[0] != "application/octet-stream":
            raise refusals.invalid("Sending takes application/octet-stream", "Content-Type")
        sent = company.send("Invoice", request.path_params["id"], request.query_params.get("sendTo"))
        return self._one("Invoice", sent)

    async def _read(self, request: Request, company: Company) -> bytes:
        entity = _entity(request)
        return self._one(entity.name, company.read(entity.name, request.path_params["id"]))

    async def _write(self, request: Request, company: Company) -> bytes:
        entity = _entity(request)
        operation = _operation(entity, request.query_params)
        given = await _payload(request)
        return self._one(entity.name, _carried_out(company, entity.name, given, operation))

    def _one(self, entity: str, record: Record) -> bytes:
        return encode({entity: record, "time": self._time()})

    def _time(self) -> str:
        return calendar.written_finely(self._now())


def _entity(request: Request) -> Entity:
    """The entity of the path, which is in lower case."""
    entity = BY_LOWER_NAME.get(request.path_params["entity"])
    if entity is None:
        raise refusals.unsupported(f"Operation {request.path_params['entity']} is not supported")
    return entity


def _operation(entity: Entity, parameters: Mapping[str, str]) -> str:
    """What a POST is to do: nothing special, delete or void, which some entities spell differently."""
    operation, include = parameters.get("operation", ""), parameters.get("include")
    if operation == "update" and include == "void" and entity.voided_by == "update":
        return "void"
    if include is not None or operation not in {"", "create", "update", "delete", "void"}:
        raise refusals.unsupported(f"Operation {operation} is not supported on {entity.name}")
    if operation == "void" and entity.voided_by != "void":
        raise refusals.unsupported(f"Operation void is not supported on {entity.name}")
    return operation


def _carried_out(company: Company, entity: str, given: Record, operation: str) -> Record:
    if operation == "delete":
        company.remove(entity, given)
        return {"domain": "QBO", "status": "Deleted", "Id": str(given["Id"])}
    if operation == "void":
        return company.annul(entity, given)
    if operation not in {"", "create", "update"}:
        raise refusals.unsupported(f"Operation {operation} is not supported on {entity}")
    if operation == "update" and not given.get("Id"):
        raise refusals.required("Id")
    if operation == "create" and given.get("Id"):
        raise refusals.invalid("An object that is created has no Id", "Id")
    return company.write(entity, given)


def _changed(company: Company, entity: Entity, since: int) -> list[bytes]:
    """What changed, the earliest first, and then what was deleted."""
    table = company.tables[entity.name]
    live = [table.rows[number].body for number in table.changed_since(since)]
    return live + [_tombstone(stamp, number) for stamp, number in table.deleted if stamp >= since]


def _tombstone(stamp: int, number: int) -> bytes:
    times = {"LastUpdatedTime": calendar.written(stamp)}
    return encode({"domain": "QBO", "status": "Deleted", "Id": str(number), "MetaData": times})


async def _payload(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise refusals.invalid("The body is sent as application/json", "Content-Type")
    try:
        payload = decode(await request.body())
    except msgspec.DecodeError:
        raise refusals.invalid("The body is not JSON") from None
    if not isinstance(payload, dict):
        raise refusals.invalid("The body is not a JSON object")
    return payload
