"""What an admin can change of integrations: how they are set up, switched on and off, and what they read and write."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from api import connectors, ids
from api.changes import Around, mutation
from api.changing.inputs import given, id_of, needed, several
from api.reference import Reference
from api.refusals import Several
from api.replays import Done
from api.scalars import JSON
from domain.core.problems import Conflict, Invalid, NotFound
from domain.core.unit_of_work import Writing
from domain.integrations import actions, model, queries, rules
from domain.integrations.authorizing import ConnectorNotReady
from domain.integrations.model import Integration, IntegrationState
from sync import requests
from sync.access import config, readiness, secrets
from sync.two_way import switching
from tenure_sdk import Connector, Push, Record, Window

ADMIN = "integrations:admin"
SHORTEST = timedelta(minutes=1)

_INTEGRATION = "The integration."


class TooOften(Invalid):
    """A stream is read at most once a minute."""


class SettingUnfit(Invalid):
    """A setting does not fit the connector. Correct what the path names."""


class NothingReached(Conflict):
    """The account is not known yet. Authorise or test the integration first."""


@strawberry.input(description="A connector of the catalogue.")
class ConnectorInput:
    """A connector of the catalogue."""

    connector: str = needed("The key of the connector.")


async def _listed(info: GraphQLResolveInfo[Any], done: Done, work: Writing) -> Any:
    """The connector as the catalogue shows it, after the change."""
    shown = await connectors.catalogue(work, info.context.engine.switchboard)
    return next((each for each in shown if each.key == done.fields["key"]), None)


@mutation("connector", "connectors.Connector", scope=ADMIN, connected=True, show=_listed)
async def enable_connector(work: Writing, asked: ConnectorInput, around: Around) -> Done:
    """Let the tenant use a connector of this installation; an app at the vendor can be the tenant's own, later."""
    connector = around.switchboard.registry.connector(asked.connector)
    if missing := readiness.missing(around.switchboard.settings, connector, known=readiness.APP):
        raise ConnectorNotReady(" ".join(missing), missing=missing)
    await actions.enable(work, asked.connector)
    return Done(None, {"key": asked.connector})


@mutation("connector", "connectors.Connector", scope=ADMIN, connected=True, show=_listed)
async def disable_connector(work: Writing, asked: ConnectorInput, around: Around) -> Done:
    """Take a connector from the tenant again; its integrations must be disconnected."""
    around.switchboard.registry.connector(asked.connector)
    await actions.disable(work, asked.connector)
    return Done(None, {"key": asked.connector})


@strawberry.input(description="A new integration.")
class CreateIntegrationInput:
    """A new integration."""

    connector: str = needed("The key of a connector that is enabled.")
    label: str = needed("How people shall call it.")


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def create_integration(work: Writing, asked: CreateIntegrationInput, around: Around) -> Done:
    """Begin an integration, as a draft: nothing is read or written before it is activated."""
    connector = around.switchboard.registry.connector(asked.connector)
    made = await actions.create(work, connector.key, asked.label, version=connector.version)
    await actions.choose(work, made, [actions.StreamChoice(stream.name) for stream in connector.streams()])
    return done(made)


@strawberry.input(description="What shall be so of an integration; what is left out stays.")
class UpdateIntegrationInput:
    """What shall be so of an integration."""

    id: strawberry.ID = needed(_INTEGRATION)
    version: int = needed("The version that the change was decided on.")
    label: str | None = given("How people shall call it.", None)
    config: JSON | None = given("All of its settings, secrets among them or left as they are.", None)
    drift_policy: model.DriftPolicy | None = given("What happens when the other side sends other fields.", None)


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def update_integration(work: Writing, asked: UpdateIntegrationInput, around: Around) -> Done:
    """Change how an integration is called and set up; secrets among the settings are kept apart, encrypted."""
    integration = await locked(work, asked.id)
    settings = None
    if asked.config is not None:
        connector = connector_of(around, integration)
        settings = await _checked(work, connector, integration, asked.config)
        parts = config.split(connector, settings)
        if parts.secrets:
            await secrets.set_secrets(work, around.switchboard.remotes.vault, integration.id, parts.secrets)
        settings = parts.config
    await actions.configure(
        work, integration, asked.version, label=asked.label, config=settings, drift_policy=asked.drift_policy
    )
    return done(integration)


@strawberry.input(description="Settings to try.")
class ValidateIntegrationConfigInput:
    """Settings to try."""

    id: strawberry.ID = needed(_INTEGRATION)
    config: JSON = needed("The settings.")


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def validate_integration_config(work: Writing, asked: ValidateIntegrationConfigInput, around: Around) -> Done:
    """Say everything that is wrong with settings, by path; nothing is changed."""
    integration = await locked(work, asked.id)
    await _checked(work, connector_of(around, integration), integration, asked.config)
    return done(integration)


@strawberry.input(description="A secret; it goes in and never comes out.")
class SecretInput:
    """A secret."""

    name: str = needed("Its name: a secret of the connector, or client_id and client_secret of an app of your own.")
    value: str | None = given("Its value; null removes it.", None)


@strawberry.input(description="Secrets of an integration.")
class SetIntegrationSecretsInput:
    """Secrets of an integration."""

    id: strawberry.ID = needed(_INTEGRATION)
    secrets: list[SecretInput] = several("The secrets that change.")


class UnknownSecret(Invalid):
    """The connector has no secret of this name. Take one that the catalogue lists."""


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def set_integration_secrets(work: Writing, asked: SetIntegrationSecretsInput, around: Around) -> Done:
    """Set or remove secrets; they are encrypted, and nobody can read them again."""
    integration = await locked(work, asked.id)
    connector = connector_of(around, integration)
    known = {*config.secret_fields(connector), *readiness.APP, *(connector.auth.fields if connector.auth else ())}
    for place, each in enumerate(asked.secrets):
        if each.name not in known:
            words = f"The connector has no secret {each.name}; it has: {', '.join(sorted(known))}."
            raise UnknownSecret(words, path=("secrets", str(place), "name"))
    values = {each.name: each.value for each in asked.secrets}
    await secrets.set_secrets(work, around.switchboard.remotes.vault, integration.id, values)
    return done(integration)


@strawberry.input(description="An integration.")
class IntegrationInput:
    """An integration."""

    id: strawberry.ID = needed(_INTEGRATION)


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def activate_integration(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Switch an integration on: its streams are read from now on; it writes nothing until somebody says so."""
    integration = await locked(work, asked.id)
    if integration.account is None:
        raise NothingReached
    rules.check_state(integration.state, IntegrationState.CHECKING)
    connector = connector_of(around, integration)
    known = await secrets.secret_names(work, integration.id)
    if missing := readiness.missing(around.switchboard.settings, connector, known=known):
        raise ConnectorNotReady(" ".join(missing), missing=missing)
    await _checked(work, connector, integration, integration.config)
    await actions.move(work, integration, IntegrationState.ACTIVE)
    return done(integration)


@mutation("integration", "integrations.Integration", scope=ADMIN)
async def pause_integration(work: Writing, asked: IntegrationInput) -> Done:
    """Stop reading and writing until it is resumed; what is under way ends with its page."""
    integration = await locked(work, asked.id)
    rules.check_state(integration.state, *sorted(rules.READABLE))
    await actions.move(work, integration, IntegrationState.PAUSED, "An admin paused it.")
    return done(integration)


@mutation("integration", "integrations.Integration", scope=ADMIN)
async def resume_integration(work: Writing, asked: IntegrationInput) -> Done:
    """Go on where it was paused."""
    integration = await locked(work, asked.id)
    rules.check_state(integration.state, IntegrationState.PAUSED)
    await actions.move(work, integration, IntegrationState.ACTIVE)
    return done(integration)


@strawberry.input(description="What an admin chooses for a stream; what is left out stays as it is.")
class StreamChoiceInput:
    """What an admin chooses for a stream."""

    stream: str = needed("The name of the stream.")
    enabled: bool | None = given("Whether it is read.", None)
    direction: model.SyncDirection | None = given("Which way changes go.", None)
    since: datetime | None = given(
        "How far back it is read, the first time; customers that are written are read from the start.", None
    )
    every_seconds: int | None = given("How often it is read, from 60.", None)

    def told(self, place: int) -> actions.StreamChoice:
        """The choice, which stands at a place of the list. Raises TooOften."""
        every = timedelta(seconds=self.every_seconds) if self.every_seconds is not None else None
        if every is not None and every < SHORTEST:
            raise TooOften(path=("streams", str(place), "every_seconds"))
        return actions.StreamChoice(self.stream, self.enabled, self.direction, self.since, every)


@strawberry.input(description="What shall be read and written of an integration.")
class SetStreamsInput:
    """What shall be read and written."""

    id: strawberry.ID = needed(_INTEGRATION)
    streams: list[StreamChoiceInput] = several("The streams whose settings change.")


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def set_streams(work: Writing, asked: SetStreamsInput, around: Around) -> Done:
    """Choose which streams are read, from when, how often, and which way changes go."""
    integration = await locked(work, asked.id)
    connector = connector_of(around, integration)
    choices = [choice.told(place) for place, choice in enumerate(asked.streams)]
    rules.check_streams([choice.stream for choice in choices], [stream.name for stream in connector.streams()])
    pushed = [choice.stream for choice in choices if choice.direction is model.SyncDirection.TWO_WAY]
    _check_writable(connector, pushed)
    await actions.choose(work, integration, choices)
    await switching.read_whole(work, integration, connector)
    if pushed:
        await switching.begin(work, integration.id)
    return done(integration)


@strawberry.input(description="Who shall win when both sides changed a field.")
class FieldOwnerInput:
    """Who shall win."""

    field: str = needed("The name of the field.")
    owner: model.Ownership = needed("Who wins.")


@strawberry.input(description="Who shall win a conflict, field by field.")
class SetFieldOwnershipInput:
    """Who shall win a conflict."""

    id: strawberry.ID = needed(_INTEGRATION)
    stream: str = needed("The name of the stream.")
    fields: list[FieldOwnerInput] = several("The fields whose owner changes.")


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def set_field_ownership(work: Writing, asked: SetFieldOwnershipInput, around: Around) -> Done:
    """Choose who wins when both sides changed the same field."""
    integration = await locked(work, asked.id)
    rules.check_streams([asked.stream], await queries.settings(work, integration.id))
    for place, each in enumerate(asked.fields):
        if each.field not in (known := _fields_of(connector_of(around, integration), asked.stream)):
            raise rules.UnknownField(
                f"The records of this stream have no field {each.field}; they have: {', '.join(known)}.",
                path=("fields", str(place), "field"),
            )
    ownership = {each.field: str(each.owner) for each in asked.fields}
    await actions.choose(work, integration, [actions.StreamChoice(asked.stream, ownership=ownership)])
    return done(integration)


@strawberry.input(description="What shall be read now.")
class StartSyncInput:
    """What shall be read now."""

    id: strawberry.ID = needed(_INTEGRATION)
    streams: list[str] = several("The streams; all that are enabled without it.")
    mode: model.RunMode = given("How much of them.", model.RunMode.INCREMENTAL)
    window_start: datetime | None = given("Of a backfill: from when.", None)
    window_end: datetime | None = given("Of a backfill: until when.", None)


_RUNS = {"runs": (list[strawberry.ID] | None, "The runs that will do it, one for each stream.")}


@mutation("integration", "integrations.Integration", scope=ADMIN, also=_RUNS)
async def start_sync(work: Writing, asked: StartSyncInput) -> Done:
    """Have streams read as soon as there is room, whatever their schedule says."""
    integration = await locked(work, asked.id)
    known = await queries.settings(work, integration.id)
    rules.check_streams(asked.streams, known)
    streams = asked.streams or sorted(name for name, setting in known.items() if setting.enabled)
    window = Window(asked.window_start, asked.window_end) if asked.window_start or asked.window_end else None
    made = await requests.request_sync(
        work, integration.id, streams, asked.mode, window, requested_by=work.actor.principal_id
    )
    return Done(Reference("Integration", integration.id), {"runs": [ids.encode("run", run_id) for run_id in made]})


@strawberry.input(description="A run.")
class RunInput:
    """A run."""

    id: strawberry.ID = needed("The run.")


@mutation("run", "integrations.SyncRun", scope=ADMIN)
async def cancel_sync(work: Writing, asked: RunInput) -> Done:
    """Ask a run to stop; the page that is under way still lands, and the next run goes on after it."""
    run_id = id_in("run", asked.id)
    await requests.cancel(work, run_id)
    return Done(Reference("SyncRun", run_id))


@strawberry.input(description="A stream of an integration.")
class StreamInput:
    """A stream of an integration."""

    id: strawberry.ID = needed(_INTEGRATION)
    stream: str = needed("The name of the stream.")


@strawberry.input(description="A stream that is to be read from its start again.")
class ResetCursorInput:
    """A stream that is to be read from its start again."""

    id: strawberry.ID = needed(_INTEGRATION)
    stream: str = needed("The name of the stream.")
    confirm: bool = given("That this is meant: reading all of it again takes time and many requests.", default=False)


class NotConfirmed(Conflict):
    """The whole stream would be read again. Nothing is lost by that; say confirm: true if it is meant."""


@mutation("integration", "integrations.Integration", scope=ADMIN)
async def reset_cursor(work: Writing, asked: ResetCursorInput) -> Done:
    """Have a stream read from its start the next time; what is known is compared, and nothing is lost or doubled."""
    integration = await locked(work, asked.id)
    rules.check_streams([asked.stream], await queries.settings(work, integration.id))
    if not asked.confirm:
        raise NotConfirmed(path=("confirm",))
    await requests.reset_cursor(work, integration.id, asked.stream)
    return done(integration)


@mutation("integration", "integrations.Integration", scope=ADMIN)
async def resume_stream(work: Writing, asked: StreamInput) -> Done:
    """Read a stream again that stopped by itself, once what stopped it is put right."""
    integration = await locked(work, asked.id)
    rules.check_streams([asked.stream], await queries.settings(work, integration.id))
    await requests.resume_stream(work, integration.id, asked.stream)
    return done(integration)


def _fields_of(connector: type[Connector[Any]], stream: str) -> list[str]:
    """What the records of a stream say, without what every record has."""
    records = [record for each in connector.streams() if each.name == stream for record in each.records]
    return sorted({name for record in records for name in record.__struct_fields__} - {*Record.__struct_fields__})


def _check_writable(connector: type[Connector[Any]], streams: Sequence[str]) -> None:
    pushed = {push.record for push in connector.declared(Push)}
    for stream in connector.streams():
        if stream.name in streams and not pushed & set(stream.records):
            raise rules.CannotPush(stream=stream.name)


async def _checked(
    work: Writing, connector: type[Connector[Any]], integration: Integration, settings: Any
) -> dict[str, Any]:
    """The settings, if they fit. Raises Several with everything that is wrong."""
    if not isinstance(settings, dict):
        raise SettingUnfit("The settings are an object with the fields of the connector's schema.", path=("config",))
    kept = await secrets.secret_names(work, integration.id)
    wrong = config.validate_config(connector, settings, kept)
    if wrong:
        raise Several([SettingUnfit(each.message, path=("config", *each.path), reason=each.message) for each in wrong])
    return settings


def connector_of(around: Around, integration: Integration) -> type[Connector[Any]]:
    """The connector of an integration. Raises UnknownConnector where it is no longer installed."""
    return around.switchboard.registry.connector(integration.connector)


def id_in(prefix: str, given_id: Any, field: str = "id") -> Any:
    """The id of a thing of a kind that the client named in a field. Raises NotFound where it named none."""
    found = id_of(prefix, given_id)
    if found is None:
        raise NotFound(path=(field,))
    return found


async def locked(work: Writing, given_id: Any) -> Integration:
    """The integration that the client named. Raises NotFound."""
    return await queries.integration(work, id_in("ing", given_id), lock=True)


def done(integration: Integration) -> Done:
    """What a mutation of an integration shows: the integration."""
    return Done(Reference("Integration", integration.id))
