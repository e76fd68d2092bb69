"""CFG: the settings, as an admin meets them in a form."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, check, some

SECRET = re.compile(r"(^|_)(key|secret|token|password|passphrase|pin)s?($|_)")


@check(
    "CFG-1",
    "bronze",
    "The settings have a JSON Schema of draft 2020-12",
    "Use types in Config that msgspec can describe.",
)
async def schema_is_valid(bench: Bench) -> None:
    """By the draft's own schema."""
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(_schema(bench))
    except (jsonschema.SchemaError, TypeError) as problem:
        raise Breach(seen=str(problem).splitlines()[0], expected="a valid schema") from problem


@check(
    "CFG-2", "bronze", "Every setting has a title", 'Annotate it: region: Annotated[str, Meta(title="Data region")].'
)
async def settings_have_titles(bench: Bench) -> None:
    """What the form writes beside the field."""
    nameless = [name for name, setting in _properties(bench).items() if not setting.get("title")]
    if nameless:
        raise Breach(seen=f"no title for {some(nameless)}", expected="a title for each")


@check(
    "CFG-3",
    "bronze",
    "No secret is an ordinary setting",
    "Name secrets in `fields` of the connector's auth, where the host keeps them sealed and shows them to nobody.",
)
async def secrets_are_no_settings(bench: Bench) -> None:
    """By the names of the settings."""
    told = [
        name for name, each in _properties(bench).items() if SECRET.search(name.lower()) and not each.get("writeOnly")
    ]
    if told:
        raise Breach(
            seen=f"the setting {some(told)}", expected="no secret among the settings, or one that is writeOnly"
        )


@check(
    "CFG-4",
    "bronze",
    "Settings survive storage, and unknown ones are refused",
    "Write class Config(Struct, frozen=True, forbid_unknown_fields=True).",
)
async def settings_are_strict(bench: Bench) -> None:
    """Through JSON and back."""
    config = bench.remote().config
    kind = bench.connector.config_type()
    plain = msgspec.to_builtins(config)
    if msgspec.convert(msgspec.json.decode(msgspec.json.encode(config)), kind) != config:
        raise Breach(seen="the settings come back from storage as others", expected="the same settings")
    try:
        msgspec.convert(plain | {"no_such_setting": 1}, kind)
    except msgspec.ValidationError:
        return
    raise Breach(seen="no_such_setting was accepted", expected="a refusal: it is a slip of the pen")


@check(
    "CFG-5",
    "silver",
    "The settings of the release before still work",
    "Give new settings a default, and keep the names and choices of the old ones.",
)
async def settings_stay(bench: Bench) -> None:
    """Against `previous_config`, the schema of the release before."""
    if bench.previous_config is None:
        raise NotApplicable("no previous_config is given: there was no release before")
    before, now = _object(dict(bench.previous_config)), _object(_schema(bench))
    lost = before.get("properties", {}).keys() - now.get("properties", {}).keys()
    asked = set(now.get("required", ())) - set(before.get("required", ()))
    if lost or asked:
        raise Breach(seen=f"gone: {some(lost) or 'none'}; newly required: {some(asked) or 'none'}", expected="neither")


def _schema(bench: Bench) -> dict[str, Any]:
    return msgspec.json.schema(bench.connector.config_type())


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of the settings themselves, which msgspec puts among the definitions."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: dict[str, Any] = schema.get("$defs", {}).get(name, schema)
    return found


def _properties(bench: Bench) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = _object(_schema(bench)).get("properties", {})
    return found
