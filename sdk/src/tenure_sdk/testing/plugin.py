"""What pytest loads: the checks of each Conformance class, the option --only, conformance.json and the tier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tenure_sdk.testing import session as under_way

REPORT = pytest.StashKey[dict[str, list[dict[str, Any]]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the kit."""
    group = parser.getgroup("tenure", "conformance of connectors")
    group.addoption("--only", metavar="CHECK", action="append", default=[], help="run this check alone, such as CUR-3")
    group.addoption("--live", action="store_true", help="read the account that the environment names, and nothing else")
    group.addoption(
        "--ship", action="store_true", help="write the results beside the connector, to go with its package"
    )
    parser.addini("conformance_report", "where the results are written", default="conformance.json")


def pytest_configure(config: pytest.Config) -> None:
    """No results yet."""
    config.stash[REPORT] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each check."""
    if "conformance_check" not in metafunc.fixturenames:
        return
    from tenure_sdk.testing import CHECKS
    from tenure_sdk.testing.live import LIVE

    only = [name.upper() for name in metafunc.config.getoption("--only") or ()]
    unknown = [name for name in only if name not in CHECKS]
    if unknown:
        raise pytest.UsageError(f"there is no check {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    every = LIVE if metafunc.config.getoption("--live") else CHECKS
    metafunc.parametrize("conformance_check", [name for name in only or every if name in every])


@pytest.fixture
def conformance_live(request: pytest.FixtureRequest) -> bool:
    """Whether a real account is read instead of the tests' own remote side."""
    return bool(request.config.getoption("--live"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Results come here from every worker."""
    found = dict(report.user_properties).get("conformance")
    if report.when == "call" and isinstance(found, dict) and under_way.config is not None:
        under_way.config.stash[REPORT].setdefault(str(found["connector"]), []).append(found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write conformance.json, unless only some checks were run, and say the tier."""
    results = config.stash[REPORT]
    if not results or config.getoption("--only") or config.getoption("--live"):
        return
    written = {key: _summary(found) for key, found in sorted(results.items())}
    _write(config.rootpath / Path(str(config.getini("conformance_report"))), written)
    for place, keys in _places(results).items() if config.getoption("--ship") else ():
        _write(place, {key: _without_lines(written[key]) for key in keys})
    for key, summary in written.items():
        count = {outcome: sum(each["outcome"] == outcome for each in summary["checks"].values()) for outcome in
                 ("passed", "failed", "bypassed", "not applicable")}  # fmt: skip
        told = ", ".join(f"{number} {outcome}" for outcome, number in count.items() if number)
        terminalreporter.write_line(f"{key}: {summary['tier'] or 'no tier'} ({told})")
        for name, each in summary["checks"].items():
            if each["outcome"] == "failed":
                terminalreporter.write_line(f"  {each['tier']}: {name} {each['title']}: {each['seen']}")


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Reports carry no configuration: it is kept beside."""
    under_way.config = session.config


_OF_CONNECTOR = {"connector", "version", "place"}
"""What a finding says of its connector, which the report says once."""


def _summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    from tenure_sdk.testing import CHECKS, Result, tier_of

    ordered = sorted(found, key=lambda each: list(CHECKS).index(each["id"]))
    plain = [{name: value for name, value in each.items() if name not in _OF_CONNECTOR} for each in ordered]
    checks = {each["id"]: {name: value for name, value in each.items() if name != "id"} for each in plain}
    tier = tier_of([Result(**each) for each in plain])
    return {"version": ordered[0]["version"], "tier": tier, "checks": checks}


def _places(results: dict[str, list[dict[str, Any]]]) -> dict[Path, list[str]]:
    """Where reports ship, with the connectors of each place."""
    places: dict[Path, list[str]] = {}
    for key, found in results.items():
        if found[0]["place"] is not None:
            places.setdefault(Path(found[0]["place"]), []).append(key)
    return places


def _without_lines(summary: dict[str, Any]) -> dict[str, Any]:
    """A report without the lines of source files, which are elsewhere where it is read."""
    checks = summary["checks"].items()
    bare = {name: {key: value for key, value in each.items() if key != "where"} for name, each in checks}
    return {**summary, "checks": bare}


def _write(path: Path, reports: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(reports, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
