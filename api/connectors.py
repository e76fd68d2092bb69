"""The catalogue over GraphQL: which connectors are installed, what they can do, and what is missing to use them."""

from base64 import b64encode
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from sqlalchemy import select

from api.expose import computed, describe
from api.scalars import JSON
from domain.core.unit_of_work import Reading
from domain.integrations.model import Enablement
from sync.access import calling, config, readiness
from sync.registry import Loaded
from sync.switchboard import Switchboard
from tenure_sdk import (
    Action,
    ApiKey,
    Auth,
    Basic,
    ClientCredentials,
    Custom,
    OAuth2,
    Push,
    Stream,
    Webhook,
    icon_problem,
)
from tenure_sdk import Connector as Installed

ADMIN = "integrations:admin"


class ConnectorCategory(StrEnum):
    """What a connector connects to."""

    ACCOUNTING = "accounting"
    EMAIL = "email"
    ESIGN = "esign"
    TELEPHONY = "telephony"
    MEETINGS = "meetings"
    CRM = "crm"
    COMMERCE = "commerce"
    SUPPORT = "support"
    TASKS = "tasks"
    FILES = "files"
    OTHER = "other"


describe(ConnectorCategory)


class ConnectorTier(StrEnum):
    """How much of what is asked of connectors one was seen to keep, by the conformance kit's report that it ships."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


describe(
    ConnectorTier,
    BRONZE="What it reads is right, and nothing is lost where it is cut off.",
    SILVER="It also holds under faults, and what it writes arrives once.",
    GOLD="Both sides can also be compared, to the record.",
)


@strawberry.type(description="A field that a connector can write, with what the other side takes in it.")
class PushField:
    """A field that a connector can write."""

    name: str = strawberry.field(description="The name of the field.")
    max_length: int | None = strawberry.field(description="How many characters it takes; null: no limit is known.")
    forbidden: str = strawberry.field(description="Characters that must not stand in it.")
    required: bool = strawberry.field(description="Whether the other side insists on it.")


@strawberry.type(description="A stream of a connector.")
class ConnectorStream:
    """A stream of a connector."""

    name: str = strawberry.field(description="Its name.")
    title: str = strawberry.field(description="How people call it.")
    records: list[str] = strawberry.field(description="The types of its records.")
    deletes: str = strawberry.field(description="How it tells what is gone: none, inline, feed or snapshot.")
    every_seconds: int = strawberry.field(description="How often it is read, unless somebody chooses otherwise.")
    depends_on: list[str] = strawberry.field(description="Streams that are read before it.")
    push_fields: list[PushField] = strawberry.field(description="What can be written; empty: it is only read.")


@strawberry.type(description="Something that a connector can do at the other side.")
class ConnectorAction:
    """Something that a connector can do at the other side."""

    name: str = strawberry.field(description="Its name, for `runAction`.")
    idempotent: bool = strawberry.field(description="Whether the same idempotency key does it only once.")
    input_fields: list[str] = strawberry.field(description="The names of what it takes.")


@strawberry.type(description="How a connector is let in.")
class ConnectorAuth:
    """How a connector is let in."""

    kind: str = strawberry.field(description="NONE, API_KEY, BASIC, O_AUTH2, CLIENT_CREDENTIALS or CUSTOM.")
    scopes: list[str] = strawberry.field(description="What is asked for at the other side.")
    secrets: list[str] = strawberry.field(description="The names of the secrets that an admin sets.")


@strawberry.type(description="Whether a connector can be used on this installation, and what is missing.")
class Readiness:
    """Whether a connector can be used on this installation."""

    ready: bool = strawberry.field(description="Whether it can be enabled and authorised.")
    missing: list[str] = strawberry.field(description="What is missing, in plain words, with the remedy.")
    redirect_url: str | None = strawberry.field(description="The address to register as redirect at the other side.")
    webhook_url: str | None = strawberry.field(description="The address to register for the app's webhooks.")


@strawberry.type(description="Something that Tenure can be connected with.")
class Connector:
    """Something that Tenure can be connected with."""

    key: str = strawberry.field(description="The name that stays for ever.")
    title: str = strawberry.field(description="How people call it.")
    version: str = strawberry.field(description="The version that is installed.")
    category: ConnectorCategory = strawberry.field(description="What it connects to.")
    docs_url: str | None = strawberry.field(description="Where it is described.")
    icon: str | None = strawberry.field(
        description="A small drawing for an `img` element, as a `data:` address of an SVG of shapes and text alone."
    )
    enabled: bool = strawberry.field(description="Whether this tenant may use it.")
    load_error: str | None = strawberry.field(description="Why it could not be loaded; null when it was.")
    readiness: Readiness = strawberry.field(description="Whether it can be used here, and what is missing.")
    auth: ConnectorAuth = strawberry.field(description="How it is let in.")
    config_schema: JSON = strawberry.field(description="JSON Schema (2020-12) of its settings.")
    streams: list[ConnectorStream] = strawberry.field(description="What it reads and writes.")
    actions: list[ConnectorAction] = strawberry.field(description="What else it can do.")
    webhooks: bool = strawberry.field(description="Whether the other side can tell of changes by itself.")
    webhook_help: list[str] = strawberry.field(
        description="What a person does so that it does, step by step, with the address to copy; empty where it cannot."
    )
    tier: ConnectorTier | None = strawberry.field(
        description="The tier of its report of the conformance kit; null where none ships with this version of it."
    )


_CATEGORY = Annotated[ConnectorCategory | None, strawberry.argument(description="Only of this category.")]


_SEARCH = Annotated[str | None, strawberry.argument(description="Only those whose key or title has this in it.")]
_KEY = Annotated[str, strawberry.argument(description="The key of the connector.")]


async def _connectors(info: strawberry.Info, category: _CATEGORY = None, search: _SEARCH = None) -> list[Connector]:
    """Every connector that is installed, also those that could not be loaded."""
    sought = (search or "").strip().casefold()
    return [
        each
        for each in await _catalogue_for(info)
        if (category is None or each.category is category) and sought in f"{each.key} {each.title}".casefold()
    ]


async def _connector(info: strawberry.Info, key: _KEY) -> Connector | None:
    """The connector of a key, if it is installed."""
    return next((each for each in await _catalogue_for(info) if each.key == key), None)


async def _catalogue_for(info: strawberry.Info) -> list[Connector]:
    engine, tenant_id = info.context.engine, info.context.prepared.ask.identity.tenant_id
    async with engine.database.reading(tenant_id) as work:
        return await catalogue(work, engine.switchboard)


async def catalogue(work: Reading, board: Switchboard) -> list[Connector]:
    """What is installed on this server, as the tenant that asks sees it; what could not be loaded comes last."""
    enabled = await work.all(
        select(Enablement.connector).where(Enablement.tenant_id == work.tenant_id, Enablement.enabled.is_(True))
    )
    installed = [
        _shown(board, board.registry.connectors[key], set(enabled)) for key in sorted(board.registry.connectors)
    ]
    return [*installed, *(_failed(each) for each in board.registry.report if each.error is not None)]


def _shown(board: Switchboard, connector: type[Installed[Any]], enabled: Collection[str]) -> Connector:
    missing = readiness.missing(board.settings, connector)
    tier = board.registry.tiers.get(connector.key)
    return Connector(
        key=connector.key, title=connector.title, version=connector.version, category=_category(connector.category),
        docs_url=connector.docs_url, icon=_icon(connector.icon), enabled=connector.key in enabled, load_error=None,
        readiness=Readiness(
            ready=not missing, missing=missing,
            redirect_url=readiness.redirect_uri(board.settings) if readiness.needs_a_person(connector.auth) else None,
            webhook_url=calling.app_url(board.settings, connector),
        ),
        auth=_auth(connector.auth), config_schema=JSON(config.schema_of(connector)),
        streams=[_stream(connector, stream) for stream in connector.streams()],
        actions=[
            ConnectorAction(
                name=action.name, idempotent=action.idempotent, input_fields=list(action.takes.__struct_fields__)
            )
            for action in connector.declared(Action)
        ],
        webhooks=bool(connector.declared(Webhook)), webhook_help=calling.steps(board.settings, connector),
        tier=None if tier is None else ConnectorTier(tier),
    )  # fmt: skip


def _stream(connector: type[Installed[Any]], stream: Stream) -> ConnectorStream:
    fields = {
        name: PushField(name=name, max_length=limit.max_len, forbidden=limit.forbid, required=limit.required)
        for push in connector.declared(Push)
        if push.record in stream.records
        for name, limit in push.fields.items()
    }
    return ConnectorStream(
        name=stream.name, title=stream.title or stream.name.replace("_", " ").capitalize(),
        records=list(stream.types), deletes=stream.deletes, every_seconds=int(stream.every.total_seconds()),
        depends_on=list(stream.depends_on), push_fields=[fields[name] for name in sorted(fields)],
    )  # fmt: skip


_KINDS: dict[type, str] = {
    ApiKey: "API_KEY",
    Basic: "BASIC",
    OAuth2: "O_AUTH2",
    ClientCredentials: "CLIENT_CREDENTIALS",
    Custom: "CUSTOM",
}


def _auth(auth: Auth | None) -> ConnectorAuth:
    if auth is None:
        return ConnectorAuth(kind="NONE", scopes=[], secrets=[])
    scopes = auth.scopes if isinstance(auth, OAuth2 | ClientCredentials) else ()
    return ConnectorAuth(kind=_KINDS[type(auth)], scopes=list(scopes), secrets=list(auth.fields))


def _failed(loaded: Loaded) -> Connector:
    """An entry point that could not be loaded: nothing of it is known but why."""
    return Connector(
        key=loaded.entry, title=loaded.entry, version=loaded.version, category=ConnectorCategory.OTHER, docs_url=None,
        icon=None, enabled=False, load_error=loaded.error,
        readiness=Readiness(ready=False, missing=[loaded.error or ""], redirect_url=None, webhook_url=None),
        auth=_auth(None), config_schema=JSON({}), streams=[], actions=[], webhooks=False,
        webhook_help=[], tier=None,
    )  # fmt: skip


def _icon(icon: str | None) -> str | None:
    """What a browser draws as an image, which runs and loads nothing; None for anything but a sound drawing."""
    if icon is None or icon_problem(icon) is not None:
        return None
    return f"data:image/svg+xml;base64,{b64encode(icon.encode()).decode()}"


def _category(category: str) -> ConnectorCategory:
    return ConnectorCategory(category) if category in {*ConnectorCategory} else ConnectorCategory.OTHER


class Queries:
    """What the root offers of connectors."""

    connectors = computed(
        list[Connector],
        _connectors,
        scope=ADMIN,
        description="What Tenure can be connected with: everything that is installed.",
    )
    connector = computed(
        Connector | None,
        _connector,
        scope=ADMIN,
        description="One connector by its key; null when it is not installed.",
    )
