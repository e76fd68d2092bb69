"""The folders of mail: a tree, with a delta of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.outlook.sandbox import ids, inputs
from plugins.outlook.sandbox.calls import Answer
from plugins.outlook.sandbox.errors import bad_request
from plugins.outlook.sandbox.paging import changes, listing
from plugins.outlook.sandbox.showing import only, removed, selected
from plugins.outlook.sandbox.store import ROOT, Folder

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from plugins.outlook.sandbox.calls import Call
    from plugins.outlook.sandbox.changes import Change

PROPERTIES = frozenset(
    {"id", "displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "isHidden"}
)


def list_folders(call: Call) -> Answer:
    """The folders below the root, or below one folder."""
    parent = _parent(call)
    hidden = (call.options.get("includeHiddenFolders") or "false") == "true"
    select = call.options.selected(PROPERTIES, "mailFolder")
    found = [each for each in call.mailbox.folders.values() if each.kind == "message" and each.parent == parent]
    visible = [each for each in found if hidden or not each.hidden]
    return listing(call, visible, lambda folder: _shown(call, folder, select), "mailFolders")


def get_folder(call: Call) -> Answer:
    """One folder, by id or well-known name."""
    if call.ids["folder"].lower() == ROOT:
        raise bad_request("The root folder is not offered by the sandbox.", "ErrorInvalidRequest")
    folder = call.mailbox.folder(call.ids["folder"], "message")
    select = call.options.selected(PROPERTIES, "mailFolder")
    return Answer(200, {"@odata.context": call.context("mailFolders/$entity"), **_shown(call, folder, select)})


def create_folder(call: Call) -> Answer:
    """A new folder below the root, or below one folder."""
    wanted = inputs.read(call.request.body, inputs.Folder)
    folder = call.mailbox.open_folder("message", wanted.display_name, _parent(call))
    folder.hidden = wanted.is_hidden is True
    return Answer(201, {"@odata.context": call.context("mailFolders/$entity"), **_shown(call, folder)})


def rename_folder(call: Call) -> Answer:
    """Another name for a folder."""
    folder = call.mailbox.folder(call.ids["folder"], "message")
    call.mailbox.rename_folder(folder, inputs.read(call.request.body, inputs.Folder).display_name)
    return Answer(200, {"@odata.context": call.context("mailFolders/$entity"), **_shown(call, folder)})


def delete_folder(call: Call) -> Answer:
    """Delete a folder with what lies in it."""
    call.mailbox.close_folder(call.mailbox.folder(call.ids["folder"], "message"))
    return Answer(204)


def folder_changes(call: Call) -> Answer:
    """The delta of the folder tree."""
    call.options.selected(PROPERTIES, "mailFolder")

    def entries(change: Change, given: Mapping[str, str]) -> list[dict[str, Any]]:
        if change.gone:
            return [removed(change.before)]
        shown = _shown(call, call.mailbox.folders[change.key], selected(given))
        return [{"@odata.type": "#microsoft.graph.mailFolder", **shown}]

    return changes(call, call.mailbox.trees["message"], "tree:message", "mailFolders/$delta", entries)


def _parent(call: Call) -> str:
    name = call.ids.get("folder", ROOT)
    return call.mailbox.root_key() if name.lower() == ROOT else call.mailbox.folder(name, "message").key


def _shown(call: Call, folder: Folder, select: Collection[str] | None = None) -> dict[str, Any]:
    folders = call.mailbox.folders.values()
    found = {
        "id": folder.id,
        "displayName": folder.name,
        "parentFolderId": ids.folder_id(folder.parent),
        "childFolderCount": sum(each.parent == folder.key and each.kind == "message" for each in folders),
        "unreadItemCount": folder.unread,
        "totalItemCount": len(folder.items),
        "isHidden": folder.hidden,
    }
    return only(found, select)
