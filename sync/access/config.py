"""The settings of an integration: what a connector asks for, what is wrong with what was given, what is secret."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sync.access.egress import EgressRefused, check_host
from tenure_sdk import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

    from tenure_sdk import Connector

    Settings = Mapping[str, Any]


class ConfigProblem(NamedTuple):
    """What is wrong with the settings, and where: `path` leads there, such as `("mailboxes", "0", "address")`."""

    path: tuple[str, ...]
    message: str


class Split(NamedTuple):
    """Settings without their secrets, and the secrets."""

    config: dict[str, Any]
    secrets: dict[str, Any]


def schema_of(connector: type[Connector[Any]]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a connector's settings; unknown fields are refused."""
    schema = msgspec.json.schema(connector.config_type())
    made = copy.deepcopy(schema)
    for each in made.get("$defs", {}).values():
        if each.get("type") == "object" and "properties" in each:
            each.setdefault("additionalProperties", False)
    return made


def secret_fields(connector: type[Connector[Any]]) -> frozenset[str]:
    """The settings that are secrets: those that their schema calls `writeOnly`."""
    fields = _fields(schema_of(connector))
    return frozenset(
        name for name, each in fields.items() if any(way.get("writeOnly") for way in (each, *each.get("anyOf", ())))
    )


def split(connector: type[Connector[Any]], config: Settings) -> Split:
    """Settings without their secrets, which are kept encrypted, and the secrets; None removes one."""
    secret = secret_fields(connector)
    return Split(
        {name: value for name, value in config.items() if name not in secret},
        {name: value for name, value in config.items() if name in secret},
    )


def validate_config(
    connector: type[Connector[Any]], config: Settings, kept_secrets: Collection[str] = ()
) -> list[ConfigProblem]:
    """Everything that is wrong with the settings, by path, and never a secret's value.

    Secrets that were given before (`kept_secrets`) need not be given again.
    """
    from jsonschema import Draft202012Validator

    schema = schema_of(connector)
    found = [
        problem
        for error in Draft202012Validator(schema).iter_errors(dict(config))
        for problem in _told(error, secret_fields(connector))
        if not (len(problem.path) == 1 and problem.path[0] in kept_secrets and problem.path[0] not in config)
    ]
    return sorted(set(found)) or list(_unusable(connector, config))


def decoded(connector: type[Connector[Any]], config: Settings, secrets: Settings) -> msgspec.Struct:
    """The settings as the connector takes them, with their secrets. Raises ConfigInvalid."""
    secret = secret_fields(connector)
    whole = {**config, **{name: value for name, value in secrets.items() if name in secret}}
    try:
        return msgspec.convert(whole, connector.config_type())
    except msgspec.ValidationError as problem:
        message, _, path = str(problem).partition(" - at `$.")
        key = path.rstrip("`") or None
        raise ConfigInvalid(f"The settings do not fit: {message}{f' ({key})' if key else ''}.", key=key) from None


def _fields(schema: Settings) -> Settings:
    named = schema.get("$ref", "").rpartition("/")[2]
    fields: Settings = schema["$defs"][named]["properties"] if named else schema.get("properties", {})
    return fields


def _told(error: ValidationError, secret: Collection[str]) -> Iterator[ConfigProblem]:
    """What an error says in words of our own: those of the library quote the value."""
    path = tuple(str(part) for part in error.absolute_path)
    if error.context and error.validator == "anyOf":
        ways = [each for each in error.context if each.validator != "type"] or list(error.context)
        for each in ways[:1]:
            yield from _told(each, secret)
        return
    match error.validator:
        case "required":
            missing = sorted(set(error.validator_value) - set(error.instance))
            yield from (ConfigProblem((*path, name), "is missing") for name in missing)
        case "additionalProperties":
            unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))
            yield from (ConfigProblem((*path, name), "is not a setting of this connector") for name in unknown)
        case _:
            yield ConfigProblem(path, _said(error, hidden=bool(path) and path[0] in secret))


_WORDS = {
    "enum": "must be one of {}",
    "const": "must be {}",
    "pattern": "must match {}",
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be more than {}",
    "maximum": "must be at most {}",
    "exclusiveMaximum": "must be less than {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} entries",
    "maxItems": "must have at most {} entries",
}


def _said(error: ValidationError, *, hidden: bool) -> str:
    if error.validator == "type":
        wanted = error.validator_value
        return f"must be of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    if hidden or error.validator not in _WORDS:
        return f"does not fit: {error.validator}"
    wanted = error.validator_value
    return _WORDS[error.validator].format(", ".join(map(str, wanted)) if isinstance(wanted, list) else wanted)


def _unusable(connector: type[Connector[Any]], config: Settings) -> Iterator[ConfigProblem]:
    """Settings that lead requests to where they must not go."""
    for host in connector.hosts:
        named = [name for name in config if f"{{{name}}}" in host]
        if not named:
            continue
        try:
            check_host(host.format_map({name: str(config[name]) for name in named}))
        except KeyError:
            continue  # a setting that is left to its default is the connector's own choice
        except EgressRefused as refused:
            yield ConfigProblem((named[0],), str(refused))
