from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec
import pytest

from sync import registry
from sync.registry import Status, hookimpl
from tenure_sdk import Connector, Customer, stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tenure_sdk import Context, Cursor, Page


class Config(msgspec.Struct):
    url: str = ""


class Good(Connector[Config]):
    key, title, version, category = "good", "Good", "1.0.0", "crm"

    @stream(Customer)
    async def customers(self, ctx: Context[Config], cursor: Cursor) -> AsyncIterator[Page]:
        return
        yield


class Same(Good):
    title = "Another with the same key"


class Newer(Good):
    key, api = "newer", 2


class Empty(Connector[Config]):
    key, title, version, category = "empty", "Empty", "1.0.0", "crm"


class Plugin:
    @hookimpl
    def register_connectors(self) -> list[type[Connector[Config]]]:
        return [Good]


class Raising:
    @hookimpl
    def register_connectors(self) -> list[type[Connector[Config]]]:
        raise RuntimeError("broken")


class BadSignature:
    @hookimpl
    def register_connectors(self, tenant: str) -> list[type[Connector[Config]]]:
        return [Good]


class UnknownHook:
    @hookimpl
    def register_unicorns(self) -> list[object]:
        return []


@pytest.fixture
def module() -> ModuleType:
    made = ModuleType("a_plugin")
    for kind in (Good, Same, Newer, Empty):
        setattr(made, kind.__name__, kind)
    for plugin in (Plugin, Raising, BadSignature, UnknownHook):
        setattr(made, plugin.__name__, plugin())
    sys.modules["a_plugin"] = made
    return made


def entry(value: str, name: str | None = None) -> EntryPoint:
    return EntryPoint(name or value, value if ":" in value else f"a_plugin:{value}", registry.GROUP)


def test_the_connector_for_files_is_found_by_its_entry_point() -> None:
    found = registry.load()
    assert found.connector("files").key == "files"
    assert [(loaded.entry, loaded.distribution, loaded.status) for loaded in found.report] == [
        ("files", "tenure", Status.LOADED)
    ]


@pytest.mark.parametrize(
    ("broken", "status", "error"),
    [
        ("no_such_module:X", Status.FAILED, "ModuleNotFoundError"),
        ("a_plugin:Nothing", Status.FAILED, "AttributeError"),
        ("Newer", Status.INCOMPATIBLE, "contract 2"),
        ("Empty", Status.FAILED, "at least one stream"),
        ("Raising", Status.FAILED, "RuntimeError: broken"),
        ("BadSignature", Status.FAILED, "PluginValidationError"),
        ("UnknownHook", Status.FAILED, "unknown hook 'register_unicorns'"),
    ],
)
def test_a_broken_plugin_is_reported_and_harms_nobody(
    module: ModuleType, broken: str, status: Status, error: str
) -> None:
    found = registry.load([entry(broken), entry("Plugin")])
    assert list(found.connectors) == ["good"]
    assert [loaded.status for loaded in found.report] == [status, Status.LOADED]
    assert error in (found.report[0].error or "")
    assert found.report[0].connectors == ()
    with pytest.raises(registry.UnknownConnector, match="there are: good"):
        found.connector("other")


def test_a_module_that_ends_the_process_does_not(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    Path(str(tmp_path), "a_quitter.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.load([entry("a_quitter:X")]).report[0].error == "SystemExit: 3"


def test_of_two_with_one_key_the_first_stays(module: ModuleType) -> None:
    found = registry.load([entry("Good"), entry("Same")])
    assert found.connectors == {"good": Good}
    assert found.report[1].error == "ValueError: another distribution already brings good"
