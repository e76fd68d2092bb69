"""Contacts, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plugins.outlook.settings import OutlookConfig
from tenure_sdk import Address, Change, ConfigInvalid, Conflict, CursorExpired, Customer, IdVersion, Pushed, Transient

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox

    from .conftest import Side

FIELDS = frozenset({"name", "emails", "phones", "addresses"})
BEA = Customer(
    id="ours-1",
    name="Bea Kunde",
    emails=("bea@customer.example", "b@home.example"),
    phones=("+49301", "+49302", "+49303", "+49304"),
    addresses=(Address(street="Way 1", city="Berlin", postal_code="10115", country="DE"), Address(city="Ulm")),
)


def name_of(box: Mailbox, item: Any) -> str:
    return f"{box.user_id}/contacts/{item.id}"


def create(key: str = "key-1", record: Customer = BEA) -> Change:
    return Change(op="create", record=record, fields=FIELDS, key=key)


async def test_contacts_of_every_folder(side: Side, ana: Mailbox) -> None:
    bea = ana.add_contact(
        "Bea Kunde", "bea@customer.example", mobilePhone="+49301", businessPhones=["+49302"],
        companyName="Customer Ltd", birthday="1990-01-01T00:00:00Z", personalNotes="Likes tea",
        homeAddress={"street": "Way 1", "city": "Berlin", "countryOrRegion": "Germany"},
    )  # fmt: skip
    folder = ana.open_folder("contact", "Suppliers", ana.root_key())
    other = ana.add_contact("Carl", "carl@client.example", folder=folder.id)
    ana.add_contact("Robin Kolleg", "robin@acme.example")
    ana.put("contact", ana.known("contacts"), {"displayName": "Client Ltd", "companyName": "Client Ltd"})
    await side.read("contacts")
    assert sorted(record.name for record in side.records.values()) == ["Bea Kunde", "Carl", "Client Ltd"]
    found = side.records[name_of(ana, bea)]
    assert (found.kind, found.emails, found.phones) == ("PERSON", ("bea@customer.example",), ("+49301", "+49302"))
    assert found.addresses == (Address(street="Way 1", city="Berlin", country_name="Germany"),)
    assert found.extra == {"companyName": "Customer Ltd"}
    assert {record.kind for record in side.records.values() if record.name == "Client Ltd"} == {"ORGANISATION"}
    assert "Likes tea" not in str(side.yielded)
    listed = [each async for page in side.remote.ids("contacts") for each in page]
    assert sorted(listed, key=lambda each: each.id) == sorted(
        (IdVersion(record.id, record.version) for record in side.records.values()), key=lambda each: each.id
    )
    assert (await side.remote.totals("contacts")).count == 3
    assert name_of(ana, other) in side.records


async def test_changes_moves_and_deletions(side: Side, ana: Mailbox) -> None:
    folder = ana.open_folder("contact", "Suppliers", ana.root_key())
    bea, carl = ana.add_contact("Bea", "bea@customer.example"), ana.add_contact("Carl", "carl@client.example")
    cursor = await side.read("contacts")
    ana.edit(bea, displayName="Bea Kunde")
    ana.move_to(carl, folder.id)
    cursor = await side.read("contacts", cursor)
    assert {record.id: record.name for record in side.records.values()} == {
        name_of(ana, bea): "Bea Kunde",
        name_of(ana, carl): "Carl",
    }
    ana.delete(carl)
    cursor = await side.read("contacts", cursor)
    assert list(side.records) == [name_of(ana, bea)]
    ana.evict_delta_tokens()
    with pytest.raises(CursorExpired):
        await side.read("contacts", cursor)


async def test_a_contact_is_made_changed_and_deleted(side: Side, ana: Mailbox) -> None:
    made = await side.remote.push(create())
    assert made.record is not None
    assert (made.record.name, made.record.emails, made.record.phones) == (BEA.name, BEA.emails, BEA.phones)
    assert made.record.addresses == BEA.addresses
    assert list(await side.remote.fetch("customer", [made.id])) == [made.record]
    renamed = Customer(id="ours-1", name="Bea Neu", emails=("new@customer.example",))
    changed = await side.remote.push(
        Change(op="update", record=renamed, fields=frozenset({"name"}), key="key-2", remote_id=made.id,
               remote_version=made.version)
    )  # fmt: skip
    assert changed.record is not None
    assert (changed.id, changed.record.name, changed.record.emails) == (made.id, "Bea Neu", BEA.emails)
    gone = Change(op="delete", record=renamed, fields=frozenset(), key="key-3", remote_id=made.id)
    assert await side.remote.push(gone) == Pushed(made.id)
    assert await side.remote.push(gone) == Pushed(made.id)
    assert await side.remote.fetch("customer", [made.id]) == []


async def test_a_change_to_an_older_version_is_a_conflict(side: Side, ana: Mailbox) -> None:
    item = ana.add_contact("Bea", "bea@customer.example")
    version = item.etag
    ana.edit(item, displayName="Bea Kunde")
    change = Change(
        op="update", record=BEA, fields=FIELDS, key="key-1", remote_id=name_of(ana, item), remote_version=version
    )
    with pytest.raises(Conflict):
        await side.remote.push(change)
    assert item.fields["displayName"] == "Bea Kunde"


async def test_a_create_whose_reply_was_lost_is_found(side: Side, ana: Mailbox) -> None:
    assert await side.remote.lookup(create("it's a key")) is None
    side.sandbox.faults.hook = lambda request: "dropped" if request.method == "POST" else None
    with pytest.raises(Transient) as lost:
        await side.remote.push(create("it's a key"))
    assert lost.value.unknown_outcome
    side.sandbox.faults.clear()
    found = await side.remote.lookup(create("it's a key"))
    assert found is not None
    assert found.record is not None
    assert found.record.name == "Bea Kunde"
    assert len(ana.known("contacts").items) == 1


async def test_new_contacts_go_to_the_mailbox_that_is_named(side: Side, ana: Mailbox) -> None:
    cleo = side.box("cleo@acme.example")
    side.sandbox.consent_for(ana.address, cleo.address)
    side.config = OutlookConfig(
        own_domains=("acme.example",), access="organisation", mailboxes=(ana.address, cleo.address),
        contacts_mailbox="Cleo@acme.example".lower(),
    )  # fmt: skip
    made = await side.remote.push(create())
    assert made.id.startswith(cleo.user_id)
    with pytest.raises(ValueError, match="contacts_mailbox"):
        OutlookConfig(
            own_domains=("acme.example",), access="organisation", mailboxes=(ana.address,), contacts_mailbox="x@y.z"
        )
    side.config, side.issued = OutlookConfig(own_domains=("acme.example",), contacts_mailbox="cleo@acme.example"), None
    with pytest.raises(ConfigInvalid):
        await side.remote.check()
