"""Contacts: their folders, the contacts with their versions, and their deltas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.outlook.sandbox import ids, inputs
from plugins.outlook.sandbox.calls import Answer
from plugins.outlook.sandbox.paging import changes, listing
from plugins.outlook.sandbox.showing import (
    extended,
    extended_in,
    filtered,
    id_before,
    only,
    removed,
    selected,
    sort_value,
)
from plugins.outlook.sandbox.store import CONTACTS, Folder, Item
from plugins.outlook.sandbox.times import moment, stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from plugins.outlook.sandbox.calls import Call
    from plugins.outlook.sandbox.changes import Change
    from plugins.outlook.sandbox.odata import Preferences

TEXTS = (
    "displayName", "givenName", "middleName", "surname", "nickName", "initials", "generation", "title", "fileAs",
    "companyName", "department", "jobTitle", "profession", "officeLocation", "manager", "assistantName", "spouseName",
    "businessHomePage", "mobilePhone", "yomiCompanyName", "yomiGivenName", "yomiSurname", "birthday",
)  # fmt: skip
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(TEXTS),
    **{
        name: [] for name in ("emailAddresses", "businessPhones", "homePhones", "imAddresses", "children", "categories")
    },
    **{name: {} for name in ("businessAddress", "homeAddress", "otherAddress")},
    "personalNotes": "",
}
SELECTABLE = frozenset({*DEFAULTS, "id", "changeKey", "createdDateTime", "lastModifiedDateTime", "parentFolderId"})
FOLDER_PROPERTIES = frozenset({"id", "displayName", "parentFolderId"})
COMPARED = {
    **dict.fromkeys(("displayName", "givenName", "surname", "companyName", "fileAs"), "text"),
    **dict.fromkeys(("createdDateTime", "lastModifiedDateTime"), "time"),
    "emailAddresses/address": "any",
}
SORTABLE = ("displayName", "givenName", "surname", "createdDateTime", "lastModifiedDateTime")


def shown(
    item: Item, preferences: Preferences, select: Collection[str] | None = None, expanded: Collection[str] = ()
) -> dict[str, Any]:
    """A contact as a request sees it."""
    fields = {
        **DEFAULTS,
        **item.fields,
        "changeKey": ids.change_key(item.key, item.version),
        "createdDateTime": item.created,
        "lastModifiedDateTime": item.modified,
        "parentFolderId": item.folder.id,
    }
    if select is not None:
        fields = {name: fields[name] for name in select if name != "id"}
    return {"@odata.etag": item.etag, "id": item.shown_id(preferences), **fields, **extended(item, expanded)}


def list_folders(call: Call) -> Answer:
    """The folders beside Contacts; Contacts itself is not among them, as in Graph."""
    select = call.options.selected(FOLDER_PROPERTIES, "contactFolder")
    default = call.mailbox.known(CONTACTS)
    found = [each for each in call.mailbox.folders.values() if each.kind == "contact" and each is not default]
    return listing(call, found, lambda folder: _folder_shown(folder, select), "contactFolders")


def get_folder(call: Call) -> Answer:
    """One folder, by id or as `contacts`."""
    folder = call.mailbox.folder(call.ids["folder"], "contact")
    select = call.options.selected(FOLDER_PROPERTIES, "contactFolder")
    return Answer(200, {"@odata.context": call.context("contactFolders/$entity"), **_folder_shown(folder, select)})


def create_folder(call: Call) -> Answer:
    """A new folder for contacts."""
    wanted = inputs.read(call.request.body, inputs.Folder)
    folder = call.mailbox.open_folder("contact", wanted.display_name, call.mailbox.root_key())
    return Answer(201, {"@odata.context": call.context("contactFolders/$entity"), **_folder_shown(folder)})


def folder_changes(call: Call) -> Answer:
    """The delta of the folders of contacts."""
    call.options.selected(FOLDER_PROPERTIES, "contactFolder")

    def entries(change: Change, given: Mapping[str, str]) -> list[dict[str, Any]]:
        if change.gone:
            return [removed(change.before)]
        folder = _folder_shown(call.mailbox.folders[change.key], selected(given))
        return [{"@odata.type": "#microsoft.graph.contactFolder", **folder}]

    return changes(call, call.mailbox.trees["contact"], "tree:contact", "contactFolders/$delta", entries)


def list_contacts(call: Call) -> Answer:
    """The contacts of a folder; without a folder in the path, of Contacts."""
    folder = _folder(call)
    select = call.options.selected(SELECTABLE, "contact")
    expanded = call.options.expanded()
    wanted = call.options.filtered(COMPARED)
    name, last_first = call.options.order(SORTABLE, "displayName")
    entries = call.mailbox.listed(folder, "contact", (name, last_first), lambda item: sort_value(item, name))
    entries = filtered(call, "contact", folder, wanted, entries, DEFAULTS)
    return listing(call, entries, lambda item: shown(item, call.preferences, select, expanded), "contacts")


def contact_changes(call: Call) -> Answer:
    """The delta of one folder's contacts."""
    folder = _folder(call)
    call.options.selected(SELECTABLE, "contact")

    def entries(change: Change, given: Mapping[str, str]) -> list[dict[str, Any]]:
        if change.gone:
            return [removed(id_before(change, call.preferences))]
        shown_item = shown(folder.items[change.key], call.preferences, selected(given))
        return [{"@odata.type": "#microsoft.graph.contact", **shown_item}]

    return changes(call, folder.log, f"contact:{folder.key}", "contacts/$delta", entries)


def get_contact(call: Call) -> Answer:
    """One contact."""
    item = call.mailbox.item(call.ids["contact"], "contact")
    select = call.options.selected(SELECTABLE, "contact")
    found = shown(item, call.preferences, select, call.options.expanded())
    return Answer(200, {"@odata.context": call.context("contacts/$entity"), **found})


def create_contact(call: Call) -> Answer:
    """A new contact. There is no idempotency key: who does not know whether it was made looks for it."""
    fields = _named(inputs.plain(inputs.read(call.request.body, inputs.Contact)))
    own = extended_in(fields)
    item = call.mailbox.put("contact", _folder(call), fields, own)
    return Answer(201, {"@odata.context": call.context("contacts/$entity"), **shown(item, call.preferences)})


def change_contact(call: Call) -> Answer:
    """Other values for the fields that the body names."""
    item = call.mailbox.item(call.ids["contact"], "contact")
    call.check_version(item)
    fields = _dated(inputs.plain(inputs.read(call.request.body, inputs.Contact)))
    own = extended_in(fields)
    call.mailbox.change(item, fields, own)
    return Answer(200, {"@odata.context": call.context("contacts/$entity"), **shown(item, call.preferences)})


def delete_contact(call: Call) -> Answer:
    """Delete a contact."""
    item = call.mailbox.item(call.ids["contact"], "contact")
    call.check_version(item)
    call.mailbox.delete(item)
    return Answer(204)


def _folder(call: Call) -> Folder:
    return call.mailbox.folder(call.ids.get("folder", CONTACTS), "contact")


def _folder_shown(folder: Folder, select: Collection[str] | None = None) -> dict[str, Any]:
    found = {"id": folder.id, "displayName": folder.name, "parentFolderId": ids.folder_id(folder.parent)}
    return only(found, select)


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    """A new contact has a name to show and to file it by, made of its parts when it was not given."""
    parts = " ".join(filter(None, (fields.get("givenName"), fields.get("surname"))))
    name = fields.get("displayName") or parts or fields.get("companyName") or ""
    return {"displayName": name, "fileAs": name, **_dated(fields)}


def _dated(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.get("birthday"):
        fields["birthday"] = stamp(moment(fields["birthday"]))
    return fields
