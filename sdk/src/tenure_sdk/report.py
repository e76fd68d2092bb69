"""The kit's report that ships beside a connector: where it lies, and what it says."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from tenure_sdk.connector import Connector

NAME = "conformance.json"


class Finding(Struct, frozen=True):
    """What the kit found of one rule."""

    tier: Literal["bronze", "silver", "gold"]
    outcome: Literal["passed", "failed", "bypassed", "not applicable"]
    reason: str | None = None


class Report(Struct, frozen=True):
    """What the kit found of one version of a connector."""

    version: str
    tier: Literal["bronze", "silver", "gold"] | None
    checks: dict[str, Finding]


def place(connector: type[Connector[Any]]) -> Path | None:
    """Where the report of a connector ships: in the package of its module; None where that is in none."""
    package = getattr(sys.modules.get(connector.__module__), "__package__", None)
    return Path(str(resources.files(package))) / NAME if package else None


def shipped(connector: type[Connector[Any]]) -> Report | None:
    """The report that ships beside a connector; None where there is none. Raises ValueError where it is none."""
    path = place(connector)
    if path is None or not path.exists():
        return None
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Report]).get(connector.key)


def tier(connector: type[Connector[Any]]) -> str | None:
    """The tier that the shipped report gives this version of a connector; None without a report, or with another's."""
    try:
        report = shipped(connector)
    except (OSError, ValueError):
        return None
    return report.tier if report is not None and report.version == connector.version else None
