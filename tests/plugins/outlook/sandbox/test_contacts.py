from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.outlook.sandbox.conftest import refusal, rounds

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox
    from tenure_sdk.http import httpx

KEY = "String {b4a1c1a5-1d6e-4d0e-8f4e-8c7f6f6f0a11} Name TenureCustomer"


async def test_a_contact_is_made_from_what_is_known(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    made = await graph.post(
        "me/contacts",
        json={
            "@odata.type": "#microsoft.graph.contact",
            "givenName": "Kim",
            "surname": "Lee",
            "companyName": "Customer Ltd",
            "birthday": "1980-05-17T00:00:00+02:00",
            "emailAddresses": [{"name": "Kim Lee", "address": "kim@customer.example"}],
            "businessPhones": ["+44 20 7946 0000"],
            "businessAddress": {"street": "1 High St", "city": "Leeds", "countryOrRegion": "UK"},
        },
    )
    shown = made.json()
    assert (made.status_code, shown["displayName"], shown["fileAs"]) == (201, "Kim Lee", "Kim Lee")
    assert (shown["birthday"], shown["jobTitle"]) == ("1980-05-16T22:00:00Z", None)
    assert shown["businessAddress"] == {"street": "1 High St", "city": "Leeds", "countryOrRegion": "UK"}
    again = (await graph.get(f"me/contacts/{shown['id']}")).json()
    assert again == shown
    assert shown["parentFolderId"] == ana.known("contacts").id


async def test_a_write_on_an_old_version_is_refused(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    contact = ana.add_contact("Kim Lee", "kim@customer.example")
    etag = contact.etag
    first = await graph.patch(f"me/contacts/{contact.id}", json={"jobTitle": "Buyer"}, headers={"If-Match": etag})
    assert (first.status_code, first.json()["jobTitle"], first.json()["displayName"]) == (200, "Buyer", "Kim Lee")
    second = await graph.patch(f"me/contacts/{contact.id}", json={"jobTitle": "CEO"}, headers={"If-Match": etag})
    assert refusal(second) == (412, "ErrorIrresolvableConflict")
    assert (contact.fields["jobTitle"], contact.version) == ("Buyer", 2)
    newest = first.json()["@odata.etag"]
    third = await graph.patch(f"me/contacts/{contact.id}", json={"jobTitle": "CEO"}, headers={"If-Match": newest})
    assert third.json()["jobTitle"] == "CEO"
    assert refusal(await graph.delete(f"me/contacts/{contact.id}", headers={"If-Match": newest}))[0] == 412
    assert (await graph.delete(f"me/contacts/{contact.id}", headers={"If-Match": "*"})).status_code == 204


async def test_a_contact_is_found_by_address_and_by_a_key_of_our_own(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    kim = ana.add_contact("Kim Lee", "kim@customer.example", "lee@home.example")
    ana.add_contact("Bo", "bo@other.example")
    by_address = {"$filter": "emailAddresses/any(a:a/address eq 'Lee@home.example')"}
    found = (await graph.get("me/contacts", params=by_address)).json()["value"]
    assert [each["id"] for each in found] == [kim.id]
    own = [{"id": KEY, "value": "c-1"}]
    await graph.patch(f"me/contacts/{kim.id}", json={"singleValueExtendedProperties": own})
    by_key = {"$filter": f"singleValueExtendedProperties/any(ep:ep/id eq '{KEY}' and ep/value eq 'c-1')"}
    assert [each["id"] for each in (await graph.get("me/contacts", params=by_key)).json()["value"]] == [kim.id]


async def test_contacts_have_a_delta_in_each_folder(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    folder = (await graph.post("me/contactFolders", json={"displayName": "Partners"})).json()
    kim = ana.add_contact("Kim Lee", "kim@customer.example")
    bo = ana.add_contact("Bo", "bo@other.example", folder=folder["id"])
    found, link = await rounds(graph, "me/contacts/delta?$select=displayName")
    assert [(each["id"], each["displayName"], each["@odata.etag"]) for each in found] == [(kim.id, "Kim Lee", kim.etag)]
    there, _ = await rounds(graph, f"me/contactFolders/{folder['id']}/contacts/delta")
    assert [each["id"] for each in there] == [bo.id]
    ana.edit(kim, jobTitle="Buyer")
    ana.move_to(bo, "contacts")
    ana.delete(kim)
    found, _ = await rounds(graph, link)
    assert [(each["id"], "@removed" in each) for each in found] == [(bo.id, False), (kim.id, True)]


async def test_folders_of_contacts(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    made = (await graph.post("me/contactFolders", json={"displayName": "Partners"})).json()
    assert [each["id"] for each in (await graph.get("me/contactFolders")).json()["value"]] == [made["id"]]
    assert (await graph.get("me/contactFolders/contacts")).json()["displayName"] == "Contacts"
    found, _ = await rounds(graph, "me/contactFolders/delta")
    assert [each["displayName"] for each in found] == ["Contacts", "Partners"]
    assert refusal(await graph.get(f"me/mailFolders/{made['id']}")) == (404, "ErrorItemNotFound")


@pytest.mark.parametrize(
    "body",
    [
        {"displayname": "Kim"},
        {"emailAddresses": [{"name": str(n), "address": f"{n}@x.example"} for n in range(4)]},
        {"emailAddresses": ["kim@customer.example"]},
        {"businessPhones": "+44"},
        {"changeKey": "x"},
        [],
    ],
)
async def test_what_the_type_does_not_allow_is_refused(graph: httpx.AsyncClient, ana: Mailbox, body: object) -> None:
    assert refusal(await graph.post("me/contacts", json=body)) == (400, "RequestBodyRead")
    assert ana.items == {}
