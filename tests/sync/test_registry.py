from __future__ import annotations

import sys
from importlib.metadata import Distribution, EntryPoint
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec
import pytest

from domain.core.settings import Settings
from domain.metrics.catalogue import CATALOGUE
from sync import registry
from sync.entries import GROUP
from sync.registry import Admission, Loaded, Origin, PluginsBroken, Status, speaks
from tenure_sdk import (
    Connector,
    Customer,
    CustomerCount,
    LifecycleTemplate,
    Metric,
    TemplateRule,
    TemplateStage,
    TemplateText,
    Total,
    Where,
    hookimpl,
    stream,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tenure_sdk import Context, Cursor, Page


def test_what_ships_with_the_server_is_gold() -> None:
    assert registry.load().tiers == {"outlook": "gold", "quickbooks": "gold"}


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


class UnknownHook(Plugin):
    @hookimpl
    def register_unicorns(self) -> list[object]:
        return []


def template(key: str) -> LifecycleTemplate:
    return LifecycleTemplate(
        key=key, title=TemplateText(en="Short", fa="کوتاه"), description=TemplateText(en="For the impatient."),
        stages=(
            TemplateStage(key="met", position=1, label=TemplateText(en="Met"), step="AWARE"),
            TemplateStage(key="won", position=2, label=TemplateText(en="Won"), step="PURCHASE", kind="WON"),
        ),
        rules=(
            TemplateRule(to="met", trigger="EVENT", enters=True),
            TemplateRule(to="won", trigger="EVENT", sources=("met",), when={"type": "occasions", "gte": 1}),
        ),
    )  # fmt: skip


class Templates:
    def __init__(self, *given: object) -> None:
        self.given = given

    @hookimpl
    def register_lifecycle_templates(self) -> tuple[object, ...]:
        return self.given


def metric(key: str, fact: str = "bought.net") -> Metric:
    """Money by customer, of those who bought twice."""
    twice = (Where(fact="occasions", at_least=2),)
    return Metric(
        key=key, label=TemplateText(en="Worth of the faithful"), description="Net by customers who bought twice.",
        unit="MONEY", numerator=Total(fact=fact, where=twice), denominator=CustomerCount(facts="bought", where=twice),
        better="HIGHER", step="RETAIN", personal="LIFETIME",
    )  # fmt: skip


class Measuring:
    def __init__(self, *given: object) -> None:
        self.given = given

    @hookimpl
    def register_metrics(self) -> tuple[object, ...]:
        return self.given


class Listening(Plugin):
    @hookimpl
    async def on_event(self, event: object) -> None:
        """Listens."""


@pytest.fixture
def module() -> ModuleType:
    made = ModuleType("a_plugin")
    for kind in (Good, Same, Newer, Empty):
        setattr(made, kind.__name__, kind)
    for plugin in (Plugin, Raising, BadSignature, UnknownHook, Listening):
        setattr(made, plugin.__name__, plugin())
    made.Short = Templates(template("short"))  # type: ignore[attr-defined]
    made.Classic = Templates(template("classic"))  # type: ignore[attr-defined]
    made.NoTemplate = Templates({"key": "x"})  # type: ignore[attr-defined]
    made.Faithful = Measuring(metric("faithful"))  # type: ignore[attr-defined]
    made.Recency = Measuring(metric("recency"))  # type: ignore[attr-defined]
    made.Sly = Measuring(metric("sly", "bought.net) FROM customers --"))  # type: ignore[attr-defined]
    sys.modules["a_plugin"] = made
    return made


class Installed(Distribution):
    """A distribution that is installed, as far as its name goes."""

    def __init__(self, name: str) -> None:
        self.named = name

    @property
    def metadata(self) -> dict[str, str]:  # type: ignore[override]
        return {"Name": self.named, "Version": "1.2"}

    def read_text(self, filename: str) -> None:
        """Has no files."""

    def locate_file(self, path: object) -> None:  # type: ignore[override]
        """Has no files."""


def entry(value: str, distribution: str | None = None) -> EntryPoint:
    made = EntryPoint(value, value if ":" in value else f"a_plugin:{value}", GROUP)
    return made if distribution is None else made._for(Installed(distribution))  # type: ignore[attr-defined,no-any-return]


def test_the_connectors_that_ship_are_found_by_their_entry_points() -> None:
    found = registry.load()
    assert found.connector("files").key == "files"
    ours = [loaded for loaded in found.report if loaded.distribution == "tenure"]
    assert [(loaded.entry, loaded.status) for loaded in ours] == [
        (key, Status.LOADED) for key in ("files", "outlook", "quickbooks")
    ]
    assert found.origins["files"] == Origin("plugins.files.connector:FilesConnector", "tenure")
    assert found.origins["files"].is_shipped


@pytest.mark.parametrize(
    ("broken", "status", "error"),
    [
        ("no_such_module:X", Status.FAILED, "ModuleNotFoundError"),
        ("a_plugin:Nothing", Status.FAILED, "AttributeError"),
        ("Newer", Status.INCOMPATIBLE, "contract 2"),
        ("Empty", Status.FAILED, "at least one stream"),
        ("Raising", Status.FAILED, "RuntimeError: broken"),
        ("BadSignature", Status.FAILED, "PluginValidationError"),
        ("Classic", Status.FAILED, "another distribution already brings classic"),
        ("NoTemplate", Status.FAILED, "dict is no LifecycleTemplate"),
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


def test_a_hook_that_this_server_does_not_have_is_reported_and_the_rest_used(module: ModuleType) -> None:
    found = registry.load([entry("UnknownHook")])
    assert found.connectors == {"good": Good}
    assert found.report == [
        Loaded("UnknownHook", "?", "?", Status.LOADED, ("good",), unknown_hooks=("register_unicorns",))
    ]


def test_the_operator_says_which_distributions_are_let_in(module: ModuleType) -> None:
    entries = [entry("Good", "Acme_Connectors"), entry("Newer", "other"), entry("Empty", "tenure")]

    def statuses(**how: str) -> list[Status]:
        return [loaded.status for loaded in registry.load(entries, Admission.of(Settings(**how))).report]

    assert statuses() == [Status.LOADED, Status.INCOMPATIBLE, Status.FAILED]
    assert statuses(plugins_allow="acme-connectors") == [Status.LOADED, Status.BLOCKED, Status.FAILED]
    assert statuses(plugins_block="acme.connectors, other") == [Status.BLOCKED, Status.BLOCKED, Status.FAILED]
    assert statuses(plugins_allow="other", plugins_block="tenure") == [
        Status.BLOCKED, Status.INCOMPATIBLE, Status.BLOCKED
    ]  # fmt: skip
    blocked = registry.load(entries[:1], Admission.of(Settings(plugins_block="acme-connectors"))).report
    told = "TENURE_PLUGINS_BLOCK names it"
    assert blocked == [Loaded("Good", "Acme_Connectors", "1.2", Status.BLOCKED, error=told)]


def test_a_strict_server_does_not_start_with_a_broken_plugin(module: ModuleType) -> None:
    strict = Admission(blocked=frozenset({"other"}), strict=True)
    assert registry.load([entry("Good"), entry("Newer", "other")], strict).connectors == {"good": Good}
    with pytest.raises(PluginsBroken, match=r"Raising \(acme\): RuntimeError: broken"):
        registry.load([entry("Good"), entry("Raising", "acme")], strict)


def test_a_distribution_that_is_found_twice_is_loaded_once(module: ModuleType) -> None:
    found = registry.load([entry("Good", "Acme-Books"), entry("Good", "acme_books"), entry("Same", "other")])
    assert [(loaded.distribution, loaded.status) for loaded in found.report] == [
        ("Acme-Books", Status.LOADED), ("other", Status.FAILED)
    ]  # fmt: skip
    assert found.origins["good"] == Origin("a_plugin:Good", "acme-books")
    assert not found.origins["good"].is_shipped


def test_a_host_speaks_its_contract_and_the_one_before() -> None:
    assert [version for version in range(5) if speaks(version, contract=3)] == [2, 3]
    assert [version for version in range(5) if speaks(version, contract=1)] == [1]


def test_a_template_of_a_plugin_is_made_as_those_that_ship(module: ModuleType) -> None:
    found = registry.load([entry("Short"), entry("Good")])
    assert list(found.templates) == ["short"]
    short = found.templates["short"]
    assert (short.title.fa, [stage.key for stage in short.lifecycle.stages]) == ("کوتاه", ["met", "won"])
    assert [(rule.source, rule.target) for rule in short.lifecycle.rules] == [(None, "met"), ("met", "won")]


def test_a_metric_of_a_plugin_is_made_of_the_facts_that_there_are(module: ModuleType) -> None:
    found = registry.load([entry("Faithful"), entry("Recency"), entry("Sly")])
    assert [loaded.status for loaded in found.report] == [Status.LOADED, Status.FAILED, Status.FAILED]
    assert found.report[1].error == "ValueError: another distribution already brings recency"
    assert "has no fact" in str(found.report[2].error)
    (faithful,) = found.metrics.values()
    assert faithful.figure.numerator.sql == "coalesce(sum(net) FILTER (WHERE occasions >= 2), 0)"
    assert faithful.labels == {"en": "Worth of the faithful", "fa": "Worth of the faithful"}
    CATALOGUE.admit([faithful])
    assert CATALOGUE["faithful"] in CATALOGUE.personal()
    CATALOGUE.admit([])
    assert "faithful" not in CATALOGUE


def test_who_listens_is_known_with_the_connectors_that_it_brings(module: ModuleType) -> None:
    (listener,) = registry.load([entry("Listening")]).listeners
    assert (listener.plugin, listener.connectors) == ("Listening", frozenset({"good"}))
