"""DEC: what the class says of itself fits together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tenure_sdk.auth import ApiKey, ClientCredentials, OAuth2
from tenure_sdk.connector import Control, Fetch, Listing, Lookup, Push, Webhook
from tenure_sdk.icons import icon_problem
from tenure_sdk.records import RECORD_TYPES
from tenure_sdk.testing.bench import Bench, Breach, check, some

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
HOST = re.compile(r"[a-z0-9{][a-z0-9_{}-]*(\.[a-z0-9_{}-]+)+")
CATEGORIES = {
    "accounting", "email", "esign", "telephony", "meetings", "crm", "commerce", "support", "tasks", "files",
}  # fmt: skip
APIS = {1}


@check(
    "DEC-1",
    "bronze",
    "It has a key, a title, a version and a category",
    "Set the class attributes key, title, version and category.",
)
async def named(bench: Bench) -> None:
    """As the catalogue shows them."""
    texts = {name: getattr(bench.connector, name, None) for name in ("key", "title", "version", "category")}
    missing = [name for name, text in texts.items() if not isinstance(text, str) or not text]
    if missing:
        raise Breach(seen=f"no {some(missing)}", expected="a text in each")
    if KEY.fullmatch(texts["key"] or "") is None or len(texts["key"] or "") > 40:
        expected = "at most 40 lower-case letters, digits and hyphens, such as acme-books"
        raise Breach(seen=f"the key {texts['key']!r}", expected=expected)
    if texts["category"] not in CATEGORIES:
        raise Breach(seen=f"the category {texts['category']!r}", expected=f"one of {some(CATEGORIES, 20)}")


@check(
    "DEC-2",
    "bronze",
    "It is written for a version of the contract that hosts have",
    "Leave `api` as it is, or upgrade tenure-sdk.",
)
async def api_is_supported(bench: Bench) -> None:
    """The contract's versions."""
    if bench.connector.api not in APIS:
        raise Breach(seen=f"api = {bench.connector.api}", expected=f"one of {some(APIS)}")


@check(
    "DEC-3",
    "bronze",
    "What it declares exists and fits together",
    "Name canonical records, their own fields, and streams of this class; what is pushed or signalled needs @fetch.",
)
async def declarations_fit(bench: Bench) -> None:
    """Records, fields and streams that declarations name."""
    for method, seen, expected in _misfits(bench):
        raise Breach(seen=seen, expected=expected, at=method)


@check(
    "DEC-4",
    "bronze",
    "It names the hosts that it talks to",
    "List whole host names in `hosts`; a part may be a setting: api.{region}.example.com.",
)
async def hosts_are_named(bench: Bench) -> None:
    """No wildcard, and none missing where somebody has to be let in."""
    connector = bench.connector
    if not connector.hosts and connector.auth is not None:
        raise Breach(seen="hosts is empty", expected="the hosts that its requests go to")
    for host in connector.hosts:
        if HOST.fullmatch(host) is None or host.rpartition(".")[2].startswith("{"):
            raise Breach(seen=f"the host {host!r}", expected="a host name without scheme, port, path or wildcard")
        unknown = set(re.findall(r"{(\w*)}", host)) - set(connector.config_type().__struct_fields__)
        if unknown:
            raise Breach(seen=f"{host} names {some(unknown)}", expected="only settings of the connector's Config")


@check(
    "DEC-5",
    "bronze",
    "Its way of being let in is complete",
    "Give every address as https, the scopes, and a name for every place.",
)
async def auth_is_complete(bench: Bench) -> None:
    """Addresses, scopes and names."""
    auth = bench.connector.auth
    names = ("authorize_url", "token_url", "revoke_url", "consent_url")
    urls = {name: getattr(auth, name) for name in names if getattr(auth, name, None) is not None}
    for name, url in urls.items():
        if not re.match(r"https://[^/\s]+", url):
            raise Breach(seen=f"{name} = {url!r}", expected="an https address")
    if isinstance(auth, OAuth2 | ClientCredentials) and not auth.scopes:
        raise Breach(seen="scopes is empty", expected="the rights that the connector asks for")
    if isinstance(auth, ApiKey) and not auth.name:
        raise Breach(seen="the API key has no name", expected="the header or parameter that it stands in")


@check(
    "DEC-6",
    "silver",
    "It can be found: its documentation, and its icon in a catalogue",
    "Set docs_url to the page that tells an admin how to enable the connector, and icon to an SVG, such as tile('AB').",
)
async def documented(bench: Bench) -> None:
    """An address and a drawing for people."""
    url = bench.connector.docs_url or ""
    if not url.startswith("https://"):
        raise Breach(seen=f"docs_url = {bench.connector.docs_url!r}", expected="an https address")
    icon = bench.connector.icon
    problem = "there is none" if icon is None else icon_problem(icon)
    if problem is not None:
        raise Breach(seen=f"the icon cannot be shown: {problem}", expected="a small SVG of shapes and text alone")


@check(
    "DEC-7",
    "bronze",
    "Streams wait for each other in no circle",
    "Take one of the names out of depends_on; references may arrive before what they refer to.",
)
async def no_circle(bench: Bench) -> None:
    """`depends_on` is an order."""
    waits = {stream.name: set(stream.depends_on) for stream in bench.connector.streams()}
    while free := [name for name, others in waits.items() if not others & waits.keys()]:
        for name in free:
            del waits[name]
    if waits:
        raise Breach(seen=f"{some(set(waits))} wait for each other", expected="an order", at=next(iter(waits)))


def _misfits(bench: Bench) -> Iterator[tuple[str, str, str]]:
    connector = bench.connector
    streams = {stream.name for stream in connector.streams()}
    fetched = {fetch.record for fetch in connector.declared(Fetch)}
    canonical = set(RECORD_TYPES.values())
    for stream in connector.streams():
        for record in stream.records or (type(None),):
            if record not in canonical:
                yield stream.method, f"a stream of {record.__name__}", f"one of {some(set(RECORD_TYPES))}"
        for name in set(stream.depends_on) - streams:
            yield stream.method, f"it depends on {name}", f"one of {some(streams)}"
    for push in connector.declared(Push):
        unknown = push.fields.keys() - set(push.record.__struct_fields__)
        if unknown:
            yield push.method, f"it writes {some(unknown)}", f"fields of {push.record.__name__}"
        if push.record not in fetched:
            yield push.method, f"no @fetch({push.record.__name__})", "one, so that a conflict can be read again"
    for lookup in connector.declared(Lookup):
        if lookup.record not in {push.record for push in connector.declared(Push)}:
            yield lookup.method, f"a lookup of {lookup.record.__name__}", "a @push of the same records"
    counted: tuple[Any, ...] = (*connector.declared(Control), *connector.declared(Listing))
    for each in counted:
        if each.stream not in streams:
            yield each.method, f"it names the stream {each.stream}", f"one of {some(streams)}"
    for hook in connector.declared(Webhook):
        if not fetched:
            yield hook.method, "no @fetch", "one for what the calls are about"
