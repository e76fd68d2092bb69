"""Run by the judges' Python: Intuit's Finance schema looks at every payload.

The schema is one of XML. A payload becomes XML in Intuit's namespace, its elements in the order that the schema wants
(JSON has none), and is validated as it stands: unknown names, wrong types and wrong enumerations are found.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

import xmlschema
from courtroom import hold

NAMESPACE = "{http://schema.intuit.com/finance/v3}"
SHOWN = 20


class Schema:
    """The schema, and payloads as documents of it."""

    def __init__(self, path: str) -> None:
        self._schema = xmlschema.XMLSchema(path)

    def faults(self, name: str, payload: Any) -> list[str]:
        """What is wrong with a payload: nothing, for most."""
        declared = self._schema.elements[name]
        return [
            f"{error.path}: {error.reason}"
            for error in self._schema.iter_errors(self._element(name, payload, declared))
        ]

    def _element(self, name: str, value: Any, declared: Any) -> ET.Element:
        element = ET.Element(NAMESPACE + name)
        if not isinstance(value, dict):
            element.text = _text(value)
            return element
        kind = declared.type if declared is not None else None
        if kind is not None and kind.has_simple_content():
            element.text = _text(value["value"])
            value = {key: part for key, part in value.items() if key != "value"}
        attributes = set(kind.attributes) if kind is not None else set()
        places = self._places(kind)
        for key in sorted(value, key=lambda key: places.get(key, (len(places), None))[0]):
            if key in attributes:
                element.set(key, _text(value[key]))
                continue
            for item in value[key] if isinstance(value[key], list) else [value[key]]:
                element.append(self._element(key, item, places.get(key, (0, None))[1]))
        return element

    def _places(self, kind: Any) -> dict[str, tuple[int, Any]]:
        """The place and the declaration of every element that may stand in one of this type."""
        places: dict[str, tuple[int, Any]] = {}
        if kind is None or kind.has_simple_content():
            return places
        for place, declared in enumerate(kind.content.iter_elements()):
            if declared.local_name is None:
                continue
            for each in [declared, *self._schema.maps.substitution_groups.get(declared.name, ())]:
                places.setdefault(each.local_name, (place, each))
        return places


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def judges_every_payload(brief: dict[str, Any]) -> None:
    schema = Schema(brief["schema"])
    wrong = Counter(f"{name}: {fault}" for name, payload in brief["payloads"] for fault in schema.faults(name, payload))
    assert not wrong, "\n".join(fault for fault, _ in wrong.most_common(SHOWN))


def judges_what_is_wrong(brief: dict[str, Any]) -> None:
    schema = Schema(brief["schema"])
    good = {"Id": "1", "SyncToken": "0", "DisplayName": "A", "Balance": 1.5}
    assert schema.faults("Customer", good) == []
    for bad in ({"Balanse": 1}, {"Active": "yes"}, {"Balance": "much"}, {"PrimaryEmailAddr": {"Adress": "a@b"}}):
        assert len(schema.faults("Customer", good | bad)) == 1, bad
    answer = {"QueryResponse": {"Customer": [good | {"Balanse": 1}], "maxResults": 1}, "time": "2026-01-01T00:00:00Z"}
    assert len(schema.faults("IntuitResponse", answer)) == 1


hold(globals())
