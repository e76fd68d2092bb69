"""The kit as tests: a class that a connector's tests inherit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from tenure_sdk import report
from tenure_sdk.testing.bench import CHECKS, TIERS, Bench, Result, Tier, examine
from tenure_sdk.testing.live import LiveAccount
from tenure_sdk.testing.session import is_shipping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tenure_sdk.connector import Connector
    from tenure_sdk.testing.remote import RemoteSide


class Conformance:
    """Inherit it in a test file and set `connector` and `remote`: pytest runs every check."""

    connector: ClassVar[type[Connector[Any]]]
    remote: ClassVar[Callable[..., RemoteSide]]
    """The class of the remote side, called with `account="1"`."""
    tier: ClassVar[Tier] = "bronze"
    """The tier that must not be lost: a check above it that fails is reported, and skipped."""
    bypass: ClassVar[Mapping[str, str]] = {}
    """Checks that are left out, each with its reason."""
    previous_config: ClassVar[Mapping[str, Any] | None] = None
    """The JSON Schema of the settings of the release before, for CFG-5."""
    old_cursors: ClassVar[Mapping[str, tuple[str, Any]]] = {}
    """By stream, a version of the connector and a cursor that it wrote, for CUR-9."""

    def test_conformance(
        self,
        conformance_check: str,
        conformance_live: bool,
        record_property: Callable[[str, object], None],
    ) -> None:
        """One check."""
        import pytest

        made = type(self)
        remote = partial(LiveAccount, made.connector) if conformance_live else made.remote
        bench = Bench(made.connector, remote, previous_config=made.previous_config, old_cursors=made.old_cursors)
        result = examine(bench, conformance_check, made.bypass)
        record_property("conformance", {**_named(made.connector), **as_plain(result)})
        if result.outcome == "failed" and TIERS.index(result.tier) <= TIERS.index(made.tier):
            pytest.fail(f"{result}", pytrace=False)
        if not conformance_live and (stale := _stale(made.connector, result)) is not None:
            pytest.fail(f"{stale}: `tenure-sdk check --ship` writes {report.NAME} anew", pytrace=False)
        if result.outcome != "passed":
            pytest.skip(f"{result}")


def _named(connector: type[Connector[Any]]) -> dict[str, Any]:
    """What a finding says of its connector."""
    place = report.place(connector)
    return {"connector": connector.key, "version": connector.version, "place": None if place is None else str(place)}


def _stale(connector: type[Connector[Any]], result: Result) -> str | None:
    """How the report that ships beside a connector differs from what was found; None where it does not, or is none."""
    shipped = None if is_shipping() else report.shipped(connector)
    if shipped is None:
        return None
    if shipped.version != connector.version:
        return f"the report that ships is of version {shipped.version}, and this is {connector.version}"
    if shipped.checks.keys() != CHECKS.keys():
        return "the report that ships has other checks than the kit"
    said, found = shipped.checks[result.id], report.Finding(result.tier, result.outcome, result.reason)
    return None if said == found else f"the report that ships says of {result.id} {said.outcome}, not {found.outcome}"


def as_plain(result: Result) -> dict[str, Any]:
    """A result as it stands in conformance.json."""
    plain = {name: getattr(result, name) for name in result.__struct_fields__}
    return {name: value for name, value in plain.items() if value is not None}
