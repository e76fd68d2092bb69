"""The sandbox of QuickBooks, judged by what nobody here wrote: the vendor's SDKs, schema and signatures."""

from __future__ import annotations

import re
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from plugins.quickbooks.sandbox import QuickBooksSandbox
from tests.conftest import SHARED
from tests.judges.serving import HERE, judge, served
from tests.plugins.quickbooks.sandbox import payloads
from tests.plugins.quickbooks.sandbox.wire import REALM, Clock, Wire, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.judges.serving import Served


def scenarios(script: str) -> list[str]:
    return re.findall(r"^def judges_(\w+)\(", (HERE / script).read_text(encoding="utf-8"), re.MULTILINE)


def books() -> QuickBooksSandbox:
    sandbox = QuickBooksSandbox()
    sandbox.fill(REALM, customers=250)
    sandbox.auto_approve = True
    sandbox.authorizations.rotate_on_every_call = True
    sandbox.authorizations.grace = timedelta(0)
    return sandbox


@pytest.fixture(scope="module")
def sandbox() -> QuickBooksSandbox:
    return books()


@pytest.fixture(scope="module")
def at_the_vendor(sandbox: QuickBooksSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(sandbox.app, sandbox.hosts, tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture(scope="module")
async def notification(anyio_backend: str) -> dict[str, str]:
    """A notification as it was sent."""
    sandbox = QuickBooksSandbox()
    sandbox.webhooks.url = "https://tenure.example/hooks/app/quickbooks/events"
    sandbox.company(REALM).create("Customer", DisplayName="شیرین")
    sent: dict[str, str] = {"verifier_token": sandbox.verifier_token}

    async def post(_: str, headers: dict[str, str], body: bytes) -> int:
        sent.update(body=body.decode(), signature=headers["intuit-signature"])
        return 200

    await sandbox.deliver(post)
    return sent


@pytest.fixture(scope="module")
def by_the_sdk(
    sandbox: QuickBooksSandbox, at_the_vendor: Served, notification: dict[str, str]
) -> dict[str, str | None]:
    tokens = sandbox.tokens_for(REALM)
    client = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    return judge("quickbooks_sdk.py", at_the_vendor.brief(**client, tokens=tokens, notification=notification))


@pytest.fixture(scope="module")
def by_oauth(sandbox: QuickBooksSandbox, at_the_vendor: Served) -> dict[str, str | None]:
    client = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    return judge("quickbooks_oauth.py", at_the_vendor.brief(**client))


@pytest.fixture(scope="module")
async def by_the_schema(anyio_backend: str) -> dict[str, str | None]:
    schema = SHARED / "vendors" / "specs" / "quickbooks" / "IntuitRestServiceDef.xsd"
    return judge("quickbooks_schema.py", {"schema": str(schema), "payloads": await everything()})


@pytest.mark.parametrize("scenario", scenarios("quickbooks_sdk.py"))
def test_python_quickbooks(scenario: str, by_the_sdk: dict[str, str | None]) -> None:
    assert by_the_sdk[scenario] is None, by_the_sdk[scenario]


@pytest.mark.parametrize("scenario", scenarios("quickbooks_oauth.py"))
def test_intuit_oauth(scenario: str, by_oauth: dict[str, str | None]) -> None:
    assert by_oauth[scenario] is None, by_oauth[scenario]


@pytest.mark.shared
@pytest.mark.parametrize("scenario", scenarios("quickbooks_schema.py"))
def test_the_finance_schema(scenario: str, by_the_schema: dict[str, str | None]) -> None:
    assert by_the_schema[scenario] is None, by_the_schema[scenario]


async def test_a_dropped_answer_cuts_the_connection(sandbox: QuickBooksSandbox, at_the_vendor: Served) -> None:
    headers = {"authorization": f"Bearer {sandbox.tokens_for(REALM)['access_token']}", "accept": "application/json"}
    address = f"https://127.0.0.1:{at_the_vendor.port}/v3/company/{REALM}/customer"
    at_vendor = {"sni_hostname": "quickbooks.api.intuit.com"}
    before = len(sandbox.company(REALM).tables["Customer"])
    sandbox.faults.dropped = 1.0
    async with httpx2.AsyncClient(verify=ssl.create_default_context(cafile=at_the_vendor.authority)) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.post(address, json={"DisplayName": "Dropped"}, headers=headers, extensions=at_vendor)
        sandbox.faults.dropped = 0.0
        answer = await http.post(address, json={"DisplayName": "Kept"}, headers=headers, extensions=at_vendor)
    assert answer.status_code == 200
    assert len(sandbox.company(REALM).tables["Customer"]) == before + 2


async def everything() -> list[tuple[str, Any]]:
    """Every kind of payload in both directions, by the element of the schema that it is."""
    sandbox = QuickBooksSandbox(now=Clock())
    sandbox.fill(REALM, customers=25)
    wire = Wire(sandbox)
    await write(wire)
    await read(wire)
    found: list[tuple[str, Any]] = []
    for path, content, answer in wire.exchanges:
        if content:
            element = "IntuitBatchRequest" if path == "batch" else answer.body.keys() - {"time", "Fault"}
            found.append((element if isinstance(element, str) else next(iter(element), path.title()), decode(content)))
        if "fault" not in answer.body:  # the gateway's own shape is not in the schema
            found.append(("IntuitResponse", answer.body))
    return [(name, plain(payload)) for name, payload in found]


def plain(value: Any) -> Any:
    """A payload whose numbers are written as they are."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value if isinstance(value, bool | str | None) else str(value)


async def write(wire: Wire) -> None:
    customer = await wire.made("Customer", payloads.CUSTOMER)
    await wire.made("Item", payloads.ITEM)
    mine = customer["Id"]
    invoice = await wire.made("Invoice", payloads.invoice(mine))
    credit = await wire.made("CreditMemo", payloads.sale(mine, payloads.line("20.00")))
    await wire.made("SalesReceipt", payloads.sale(mine, payloads.line("7.50", 2)))
    account = {"DepositToAccountRef": {"value": "35"}}
    await wire.made("RefundReceipt", payloads.sale(mine, payloads.line("7.50"), **account))
    documents = {"Invoice": (invoice["Id"], "30.00"), "CreditMemo": (credit["Id"], "20.00")}
    payment = await wire.made("Payment", payloads.payment(mine, "15.00", **documents))
    sparse = {"Id": mine, "SyncToken": customer["SyncToken"], "sparse": True, "GivenName": "Negar"}
    assert (await wire.post("customer", sparse)).status == 200
    assert (await wire.post("customer", sparse)).error[1] == "5010"
    assert (await wire.post("customer", payloads.CUSTOMER)).error[1] == "6240"
    assert (await wire.send(invoice["Id"])).status == 200
    known = {"Id": payment["Id"], "SyncToken": "0", "sparse": True}
    assert (await wire.post("payment", known, operation="update", include="void")).status == 200
    other = await wire.made("Invoice", payloads.sale(mine, payloads.line("1.00")))
    known = {"Id": other["Id"], "SyncToken": "0"}
    assert (await wire.post("invoice", known, operation="void")).status == 200
    assert (await wire.post("invoice", known | {"SyncToken": "1"}, operation="delete")).status == 200
    items = [
        {"bId": "1", "operation": "create", "Customer": payloads.CUSTOMER | {"DisplayName": "Another"}},
        {"bId": "2", "operation": "create", "Customer": payloads.CUSTOMER},
        {"bId": "3", "Query": "SELECT * FROM Item MAXRESULTS 2"},
    ]
    assert (await wire.post("batch", {"BatchItemRequest": items})).status == 200


async def read(wire: Wire) -> None:
    for entity in ("Customer", "Item", "Account", "Invoice", "Payment", "CreditMemo", "SalesReceipt", "RefundReceipt"):
        answer = await wire.query(f"SELECT * FROM {entity} MAXRESULTS 1000")
        assert answer.body["QueryResponse"][entity]
        assert (await wire.get(f"{entity.lower()}/{answer.body['QueryResponse'][entity][0]['Id']}")).status == 200
    assert (await wire.query("SELECT * FROM CompanyInfo")).status == 200
    assert (await wire.query("SELECT count(*) FROM Invoice")).status == 200
    assert (await wire.query("SELECT * FROM Invoice WHERE Id = '0'")).body["QueryResponse"] == {}
    assert (await wire.get(f"companyinfo/{wire.realm}")).status == 200
    assert (await wire.get("customer/0")).error[1] == "610"
    changed = await wire.get("cdc", entities="Customer,Invoice,Item,Payment", changedSince="2026-02-20")
    assert changed.status == 200
