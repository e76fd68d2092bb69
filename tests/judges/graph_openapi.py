"""Graph's published OpenAPI description as a judge: whether an answer is one that it allows.

The subset describes full metadata, the service answers with minimal metadata, so `@odata.type` is not required here.
Its `anyOf: [a type, {type: object, nullable}]` means the type or null; read as written it would allow any object at
all. Properties that it does not name are reported, unless the current metadata document (CSDL) has them.
"""

from __future__ import annotations

import gzip
import re
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import msgspec
from jsonschema import Draft202012Validator, FormatChecker

if TYPE_CHECKING:
    from pathlib import Path

ERROR = {"$ref": "#/components/schemas/microsoft.graph.ODataErrors.ODataError"}
# The service spells `innerError` otherwise than the description does, as its own pages show.
LATER = {"microsoft.graph.ODataErrors.MainError": {"innerError"}}
# Endpoints of the service that the subset leaves out, and the described one that answers alike.
ALIKE = (
    (re.compile(r"/mailFolders/[^/]+/childFolders$"), "/mailFolders"),
    (re.compile(r"/mailFolders/[^/]+(/messages/[^/]+)"), r"\1"),
    (re.compile(r"/contactFolders/[^/]+(/contacts/[^/]+)(?<!delta)$"), r"\1"),
    (re.compile(r"/calendar$"), "/calendars/primary"),
    (re.compile(r"/calendars/[^/]+/calendarView/delta$"), "/calendarView/delta"),
    (re.compile(r"/calendar/events$"), "/events"),
)
DELTA = re.compile(r"/messages/delta$")


class Judge:
    """Checks answers by method, path and status; what it does not know, it says so."""

    def __init__(self, directory: Path) -> None:
        self.spec = msgspec.json.decode((directory / "graph_v1.0.subset.json").read_bytes())
        document = gzip.decompress((directory / "v1.0-Prod.csdl.gz").read_bytes())
        self.metadata = ET.fromstring(document)  # noqa: S314  the vendor's own document, kept beside the project

    def problems(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer; an empty list if nothing is."""
        operation = self._operation(method, plain(path))
        if operation is None:
            return [f"{method} {path} is not described, but was answered with {status}"] if status < 400 else []
        if status >= 400:
            return self._against(_key(ERROR), body)
        schema = _schema(self._resolved(_response(operation, status)))
        if schema is None:
            return [] if body is None else [f"{method} {path}: a body where none is described"]
        return self._against(_key(schema), body)

    def _against(self, schema: str, body: Any) -> list[str]:
        found = [f"{error.json_path}: {error.message[:200]}" for error in self._validator(schema).iter_errors(body)]
        return found + self._unknown(msgspec.json.decode(schema), body, "$")

    @cache  # noqa: B019  a judge lives as long as the run
    def _validator(self, schema: str) -> Draft202012Validator:
        whole = {**msgspec.json.decode(schema), "components": {"schemas": self._schemas}}
        return Draft202012Validator(whole, format_checker=FormatChecker())

    @cached_property
    def _schemas(self) -> dict[str, Any]:
        return {name: _strict(schema) for name, schema in self.spec["components"]["schemas"].items()}

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, operations in _patterns(self):
            if pattern.fullmatch(path) and method.lower() in operations:
                found: dict[str, Any] = operations[method.lower()]
                return found
        return None

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self.spec
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def _unknown(self, schema: dict[str, Any], body: Any, where: str) -> list[str]:
        """The properties that no description names."""
        known, items, opened = self._properties(schema)
        if isinstance(body, list):
            return [
                each
                for number, one in enumerate(body)
                for each in self._unknown(items or {}, one, f"{where}[{number}]")
            ]
        if not isinstance(body, dict) or opened or (not known and items is None):
            return []
        found = [
            f"{where}: the property {name} is not described"
            for name in body
            if name not in known and not name.startswith("@")
        ]
        return found + [
            each
            for name, value in body.items()
            if name in known
            for each in self._unknown(known[name], value, f"{where}.{name}")
        ]

    def _properties(self, schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None, bool]:
        """The properties of a schema with all it is made of, its items, and whether it was pruned to nothing."""
        known: dict[str, Any] = {}
        items, opened = schema.get("items"), False
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            target = self.spec["components"]["schemas"][name]
            known |= {each: {} for each in self._current(name) | LATER.get(name, set())}
            opened = not target.keys() & {"properties", "allOf", "anyOf", "enum"}
            schema = target
        known |= schema.get("properties", {})
        for part in [*schema.get("allOf", []), *[each for each in schema.get("anyOf", []) if "$ref" in each]]:
            more, its_items, its_opened = self._properties(part)
            known, items, opened = known | more, items or its_items, opened or its_opened
        return known, items, opened

    @cache  # noqa: B019  a judge lives as long as the run
    def _current(self, name: str) -> frozenset[str]:
        """The properties that the metadata document gives a type."""
        short = name.rpartition(".")[2]
        names = {"Property", "NavigationProperty"}
        return frozenset(
            part.get("Name", "")
            for kind in self.metadata.iter()
            if kind.tag.rpartition("}")[2] in {"EntityType", "ComplexType"} and kind.get("Name") == short
            for part in kind
            if part.tag.rpartition("}")[2] in names
        )


def plain(path: str) -> str:
    """A path without its version, keys and functions in the form that the description is brought to."""
    path = re.sub(r"^/v1\.0/", "/", re.sub(r"/+", "/", path))
    path = re.sub(r"\('([^']*)'\)", r"/\1", path).replace("microsoft.graph.", "").replace("()", "")
    if not DELTA.search(path):
        for pattern, other in ALIKE:
            path = pattern.sub(other, path)
    return path


@cache
def _patterns(judge: Judge) -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """The described paths as patterns, the literal ones first."""
    found = []
    for path, operations in sorted(judge.spec["paths"].items(), key=lambda each: (each[0].count("{"), each[0])):
        plain = path.replace("microsoft.graph.", "").replace("()", "")
        found.append(
            (
                re.compile("/?" + re.sub(r"\\\{.+?\\\}", "[^/]+", re.escape(plain)).lstrip("/"), re.IGNORECASE),
                operations,
            )
        )
    return found


def _response(operation: dict[str, Any], status: int) -> dict[str, Any]:
    responses = operation["responses"]
    # The description says 204 where the service answers 202 to what it only accepts.
    return responses.get(str(status)) or responses.get("2XX") or responses.get("204", {})


def _schema(response: dict[str, Any]) -> dict[str, Any] | None:
    content = response.get("content", {})
    return content["application/json"]["schema"] if content else None


def _key(schema: dict[str, Any]) -> str:
    return msgspec.json.encode(_strict(schema), order="sorted").decode()


def _strict(node: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema, as strict as it is meant."""
    if isinstance(node, list):
        return [_strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("nullable") and node.get("type") == "object" and not node.get("properties"):
        return {"type": "null"}
    made = {
        name: _strict(value) for name, value in node.items() if name not in {"nullable", "discriminator", "description"}
    }
    if "required" in made and isinstance(made["required"], list):
        made["required"] = [name for name in made["required"] if name != "@odata.type"]
    if node.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    return made
