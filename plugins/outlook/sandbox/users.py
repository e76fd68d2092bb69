"""The person whose mailbox it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.outlook.sandbox.calls import GRAPH, Answer

if TYPE_CHECKING:
    from plugins.outlook.sandbox.calls import Call

PROPERTIES = frozenset({
    "id", "displayName", "givenName", "surname", "mail", "userPrincipalName", "businessPhones", "jobTitle",
    "mobilePhone", "officeLocation", "preferredLanguage",
})  # fmt: skip


def get_user(call: Call) -> Answer:
    """`/me` or `/users/{id}`: what a connector shows before it is confirmed."""
    select = call.options.selected(PROPERTIES, "user")
    given, _, surname = call.mailbox.name.partition(" ")
    found: dict[str, Any] = {
        "businessPhones": [],
        "displayName": call.mailbox.name,
        "givenName": given,
        "jobTitle": None,
        "mail": call.mailbox.address,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": surname or None,
        "userPrincipalName": call.mailbox.address,
        "id": call.mailbox.user_id,
    }
    shown = found if select is None else {name: found[name] for name in select}
    return Answer(200, {"@odata.context": f"{GRAPH}/$metadata#users/$entity", **shown})
