"""Which endpoint a path means: Graph's spellings of one path brought to one form, and the table of what is offered.

Graph takes `delta`, `delta()` and `microsoft.graph.delta()` for one function, `mailFolders('id')` for `mailFolders/id`,
segments in any case, and the double slash that its SDKs send. What is not in the table is refused: 400 for a path that
leads nowhere, 405 for a method that it does not have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from plugins.outlook.sandbox import calendar, contacts, mail, mail_folders, notifications, users
from plugins.outlook.sandbox.errors import Refusal, unknown_segment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from plugins.outlook.sandbox.calls import Answer, Call

PLAIN = ("$select", "$expand")
LISTED = ("$top", "$skip", "$count", "$select", "$filter", "$orderby", "$expand")
DELTA = ("$select", "$expand", "$top", "$filter", "$deltatoken", "$skiptoken")
WINDOW = ("startDateTime", "endDateTime")
VIEW = (*WINDOW, "$top", "$skip", "$count", "$select", "$orderby", "$expand")
VIEW_DELTA = (*WINDOW, "$top", "$deltatoken", "$skiptoken")
FOLDERS = ("$top", "$skip", "$count", "$select", "includeHiddenFolders")
FOLDER_DELTA = ("$select", "$deltatoken", "$skiptoken")
NOTHING: tuple[str, ...] = ()

MAIL, SEND, EVENTS, CONTACTS, USER = (
    ("Mail.ReadWrite", "Mail.Read"),
    ("Mail.Send",),
    ("Calendars.ReadWrite", "Calendars.Read"),
    ("Contacts.ReadWrite", "Contacts.Read"),
    ("User.Read",),
)
ANY = (*MAIL, *EVENTS, *CONTACTS)


@dataclass(frozen=True)
class Route:
    """One endpoint: the scopes of which one is needed, the query options it takes, and what answers."""

    method: str
    pattern: tuple[str, ...]
    scopes: tuple[str, ...]
    options: tuple[str, ...]
    answer: Callable[[Call], Answer | Awaitable[Answer]]

    def needed(self) -> tuple[str, ...]:
        """The scopes of which one is enough: to write, a scope that only reads is not."""
        writes = self.method != "GET" and self.scopes != ANY
        return tuple(scope for scope in self.scopes if not (writes and scope.endswith(".Read")))


def _routes() -> list[Route]:
    """Everything below a mailbox, `me` or `users/{id}`; and the subscriptions, which stand beside."""
    folder, message = "mailFolders/{folder}", "messages/{message}"
    table: list[tuple[str, str, tuple[str, ...], tuple[str, ...], Callable[[Call], Answer | Awaitable[Answer]]]] = [
        ("GET", "", USER, ("$select",), users.get_user),
        ("GET", "mailFolders", MAIL, FOLDERS, mail_folders.list_folders),
        ("POST", "mailFolders", MAIL, NOTHING, mail_folders.create_folder),
        ("GET", "mailFolders/delta", MAIL, FOLDER_DELTA, mail_folders.folder_changes),
        ("GET", folder, MAIL, ("$select",), mail_folders.get_folder),
        ("PATCH", folder, MAIL, NOTHING, mail_folders.rename_folder),
        ("DELETE", folder, MAIL, NOTHING, mail_folders.delete_folder),
        ("GET", f"{folder}/childFolders", MAIL, FOLDERS, mail_folders.list_folders),
        ("POST", f"{folder}/childFolders", MAIL, NOTHING, mail_folders.create_folder),
        ("GET", f"{folder}/messages/delta", MAIL, DELTA, mail.message_changes),
        ("POST", "sendMail", SEND, NOTHING, mail.send_mail),
        *[
            (method, f"{inside}{path}", scopes, options, answer)
            for inside in ("", f"{folder}/")
            for method, path, scopes, options, answer in (
                ("GET", "messages", MAIL, LISTED, mail.list_messages),
                ("POST", "messages", MAIL, NOTHING, mail.create_draft),
                ("GET", message, MAIL, PLAIN, mail.get_message),
                ("PATCH", message, MAIL, NOTHING, mail.change_message),
                ("DELETE", message, MAIL, NOTHING, mail.delete_message),
                ("POST", f"{message}/move", MAIL, NOTHING, mail.move_message),
                ("POST", f"{message}/send", SEND, NOTHING, mail.send_draft),
            )
        ],
        ("GET", "contactFolders", CONTACTS, ("$top", "$skip", "$count", "$select"), contacts.list_folders),
        ("POST", "contactFolders", CONTACTS, NOTHING, contacts.create_folder),
        ("GET", "contactFolders/delta", CONTACTS, FOLDER_DELTA, contacts.folder_changes),
        ("GET", "contactFolders/{folder}", CONTACTS, ("$select",), contacts.get_folder),
        ("GET", "contacts/{contact}", CONTACTS, PLAIN, contacts.get_contact),
        ("PATCH", "contacts/{contact}", CONTACTS, NOTHING, contacts.change_contact),
        ("DELETE", "contacts/{contact}", CONTACTS, NOTHING, contacts.delete_contact),
        *[
            (method, f"{inside}{path}", CONTACTS, options, answer)
            for inside in ("", "contactFolders/{folder}/")
            for method, path, options, answer in (
                ("GET", "contacts", LISTED, contacts.list_contacts),
                ("POST", "contacts", NOTHING, contacts.create_contact),
                ("GET", "contacts/delta", ("$select", "$top", "$deltatoken", "$skiptoken"), contacts.contact_changes),
            )
        ],
        ("GET", "calendars", EVENTS, ("$top", "$skip", "$count", "$select"), calendar.list_calendars),
        ("GET", "calendars/{calendar}", EVENTS, ("$select",), calendar.get_calendar),
        ("GET", "calendar", EVENTS, ("$select",), calendar.get_calendar),
        ("GET", "events/{event}", EVENTS, PLAIN, calendar.get_event),
        ("PATCH", "events/{event}", EVENTS, NOTHING, calendar.change_event),
        ("DELETE", "events/{event}", EVENTS, NOTHING, calendar.delete_event),
        ("GET", "events/{event}/instances", EVENTS, VIEW, calendar.list_instances),
        *[
            (method, f"{inside}{path}", EVENTS, options, answer)
            for inside in ("", "calendar/", "calendars/{calendar}/")
            for method, path, options, answer in (
                ("GET", "events", LISTED, calendar.list_events),
                ("POST", "events", NOTHING, calendar.create_event),
                ("GET", "calendarView", VIEW, calendar.list_view),
                ("GET", "calendarView/delta", VIEW_DELTA, calendar.view_changes),
            )
        ],
    ]
    beside: list[tuple[str, str, tuple[str, ...], Callable[[Call], Answer | Awaitable[Answer]]]] = [
        ("GET", "subscriptions", ("$top", "$skip"), notifications.list_subscriptions),
        ("POST", "subscriptions", NOTHING, notifications.create_subscription),
        ("GET", "subscriptions/{subscription}", NOTHING, notifications.get_subscription),
        ("PATCH", "subscriptions/{subscription}", NOTHING, notifications.renew_subscription),
        ("DELETE", "subscriptions/{subscription}", NOTHING, notifications.delete_subscription),
        ("POST", "subscriptions/{subscription}/reauthorize", NOTHING, notifications.reauthorize_subscription),
    ]
    owned = [Route(method, ("{owner}", *_split(path)), *rest) for method, path, *rest in table]  # type: ignore[arg-type]
    return owned + [Route(method, _split(path), ANY, options, found) for method, path, options, found in beside]


def segments(path: str) -> list[str]:
    """The parts of a path below the version, keys and functions in their plainest form."""
    flat = re.sub(r"\('([^']*)'\)", r"/\1", path)
    parts = [unquote(part) for part in flat.split("/") if part]
    return [
        re.sub(r"^microsoft\.graph\.|\(\)$", "", part, flags=re.IGNORECASE)
        if "(" in part or part.lower().startswith("microsoft.graph.")
        else part
        for part in parts
    ]


def found(method: str, parts: list[str]) -> tuple[Route, Mapping[str, str]]:
    """The endpoint of a path and the ids in it; `parts` begins with `{owner}` or `subscriptions`."""
    fitting = [
        (route, names)
        for route in _BY_LENGTH.get(len(parts), [])
        if (names := _names(route.pattern, parts)) is not None
    ]
    # A literal segment goes before an id: `mailFolders/delta` is no folder named delta.
    fitting.sort(key=lambda each: len(each[1]))
    if not fitting:
        raise unknown_segment(parts[-1])
    fewest = len(fitting[0][1])
    for route, names in fitting:
        if route.method == method and len(names) == fewest:
            return route, names
    raise Refusal(405, "Request_BadRequest", f"Specified HTTP method '{method}' is not allowed for the request target.")


def _names(pattern: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    names: dict[str, str] = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted == "{owner}":
            if part != wanted:
                return None
        elif wanted.startswith("{"):
            names[wanted[1:-1]] = part
        elif wanted.lower() != part.lower():
            return None
    return names


def _split(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


_BY_LENGTH: dict[int, list[Route]] = {}
for _route in _routes():
    _BY_LENGTH.setdefault(len(_route.pattern), []).append(_route)
