"""What pytest loads: the checks of each Conformance class, the option --only, conformance.json and the tier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

REPORT = pytest.StashKey[dict[str, list[dict[str, Any]]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the kit."""
    group = parser.getgroup("tenure", "conformance of connectors")
    group.addoption("--only", metavar="CHECK", action="append", default=[], help="run this check alone, such as CUR-3")
    group.addoption("--live", action="store_true", help="read the account that the environment names, and nothing else")
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
    if report.when == "call" and isinstance(found, dict) and _config is not None:
        _config.stash[REPORT].setdefault(str(found["connector"]), []).append(found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write conformance.json, unless only some checks were run, and say the tier."""
    results = config.stash[REPORT]
    if not results or config.getoption("--only") or config.getoption("--live"):
        return
    written = {key: _summary(found) for key, found in sorted(results.items())}
    path = config.rootpath / Path(str(config.getini("conformance_report")))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for key, summary in written.items():
        count = {outcome: sum(each["outcome"] == outcome for each in summary["checks"].values()) for outcome in
                 ("passed", "failed", "bypassed", "not applicable")}  # fmt: skip
        told = ", ".join(f"{number} {outcome}" for outcome, number in count.items() if number)
        terminalreporter.write_line(f"{key}: {summary['tier'] or 'no tier'} ({told})")
        for name, each in summary["checks"].items():
            if each["outcome"] == "failed":
                terminalreporter.write_line(f"  {each['tier']}: {name} {each['title']}: {each['seen']}")


_config: pytest.Config | None = None


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Reports carry no configuration: it is kept here."""
    global _config  # noqa: PLW0603 - pytest_runtest_logreport gets nothing but the report
    _config = session.config


def _summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    from tenure_sdk.testing import CHECKS, Result, tier_of

    ordered = sorted(found, key=lambda each: list(CHECKS).index(each["id"]))
    results = [Result(**{name: value for name, value in each.items() if name != "connector"}) for each in ordered]
    checks = {
        each["id"]: {name: value for name, value in each.items() if name not in {"id", "connector"}} for each in ordered
    }
    return {"tier": tier_of(results), "checks": checks}
