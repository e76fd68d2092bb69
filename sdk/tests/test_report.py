"""The report that ships beside a connector: its tier is shown, and a kit that finds something else says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from acme_books import AcmeBooks
from acme_books.sandbox import FakeAcme

from tenure_sdk import cli, report
from tenure_sdk.testing import CHECKS, Conformance

if TYPE_CHECKING:
    from pathlib import Path


class Kit(Conformance):
    connector, remote = AcmeBooks, FakeAcme


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A report in which DEC-1, which is passed, is; `ships` writes it beside the connector."""
    monkeypatch.setattr(report, "place", lambda _: tmp_path / report.NAME)
    passed = {name: {"tier": check.tier, "outcome": "passed"} for name, check in CHECKS.items()}
    return {"version": AcmeBooks.version, "tier": "gold", "checks": passed}


def ships(found: dict[str, Any]) -> None:
    place = report.place(AcmeBooks)
    assert place is not None
    place.write_text(json.dumps({"acme-books": found}))


def kit_says() -> str:
    """What the kit says of DEC-1."""
    try:
        Kit().test_conformance("DEC-1", conformance_live=False, record_property=lambda *_: None)
    except pytest.fail.Exception as failure:
        return str(failure)
    return "passed"


def test_the_tier_is_that_of_the_report_of_this_version(shipped: dict[str, Any]) -> None:
    assert report.tier(AcmeBooks) is None
    ships(shipped)
    assert report.tier(AcmeBooks) == "gold"
    ships(shipped | {"version": "0.9.0"})
    assert report.tier(AcmeBooks) is None
    ships(shipped | {"tier": "platinum"})
    assert report.tier(AcmeBooks) is None


def test_a_report_that_is_no_longer_so_fails(shipped: dict[str, Any]) -> None:
    ships(shipped)
    assert kit_says() == "passed"
    remedy = ": `tenure-sdk check --ship` writes conformance.json anew"
    ships(shipped | {"version": "0.9.0"})
    assert kit_says() == f"the report that ships is of version 0.9.0, and this is 1.0.0{remedy}"
    ships(shipped | {"checks": shipped["checks"] | {"DEC-1": {"tier": "bronze", "outcome": "failed"}}})
    assert kit_says() == f"the report that ships says of DEC-1 failed, not passed{remedy}"
    ships(shipped | {"checks": {"DEC-1": {"tier": "bronze", "outcome": "passed"}}})
    assert kit_says() == f"the report that ships has other checks than the kit{remedy}"


def test_what_ships_is_of_every_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(tmp_path), "--ship", "--only", "DEC-1"]) == 2
    assert "--ship writes what every check found" in capsys.readouterr().err
