"""`tenure-sdk`: what it scaffolds passes the kit, and what it prints is what a stream has."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from acme_books import AcmeBooks
from acme_books.sandbox import FakeAcme

from tenure_sdk import AuthRevoked, cli, scaffold
from tenure_sdk.testing import Bench, examine_all, tier_of

CACHE = Path(__file__).parents[2] / ".mypy_cache" / "connectors"
"""mypy looks at the SDK once, not for each connector and each file of tests."""
SLOW = ("CMP-2", "PKG-2", "STR-6", "STR-7", "PER-1", "WEB-7")
PLANS = [
    scaffold.Plan(key="tiny", auth="none"),
    scaffold.Plan(key="shop-desk", auth="basic", streams=("orders", "products"), webhook="token"),
    scaffold.Plan(key="bills", auth="client", streams=("customers", "invoices", "payments"), webhook="standard"),
    scaffold.Plan(key="help-desk", auth="oauth2", streams=("customers", "interactions"), push=True, webhook="hmac"),
]


def scaffolded(plan: scaffold.Plan, folder: Path) -> list[str]:
    given = ["new", plan.key, "--auth", plan.auth, "--into", str(folder)]
    given += [part for stream in plan.streams for part in ("--stream", stream)]
    given += ["--push", "customers"] if plan.push else []
    return given + (["--webhook", plan.webhook] if plan.webhook else [])


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.key)
def test_a_new_connector_is_silver(plan: scaffold.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli.main(scaffolded(plan, tmp_path)) == 0
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    package = importlib.import_module(plan.package)
    sandbox = importlib.import_module(f"{plan.package}.sandbox")
    bench = Bench(getattr(package, plan.name), getattr(sandbox, f"Fake{plan.name}"))
    results = examine_all(bench, without=SLOW)
    failed = [str(result) for result in results.values() if result.outcome == "failed" and result.tier != "gold"]
    assert failed == []
    assert tier_of(list(results.values())) == "silver"
    readme = (tmp_path / "README.md").read_text()
    assert "| `account` | Account | yes |  |" in readme
    assert f"run {plan.key} --stream {plan.streams[0]} " in readme
    style = ["--isolated", "--select", "E,F,W,B,UP,SIM,I", "--target-version", "py311", "--line-length", "120"]
    checked = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", *style],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_new_connectors_are_typed(tmp_path: Path) -> None:
    for plan in PLANS:
        assert cli.main(scaffolded(plan, tmp_path / plan.key)) == 0
    sources = [tmp_path / plan.key / "src" for plan in PLANS]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", *source_files(sources)],
        cwd=tmp_path, env=os.environ | {"MYPYPATH": os.pathsep.join(map(str, sources)), "MYPY_CACHE_DIR": str(CACHE)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.stdout == "Success: no issues found in 4 source files\n"


def source_files(folders: list[Path]) -> list[str]:
    return [str(file) for folder in folders for file in folder.glob("*/__init__.py")]


def test_it_installs_and_writes_its_report(tmp_path: Path) -> None:
    assert cli.main(scaffolded(PLANS[0], tmp_path / "tiny")) == 0
    site = tmp_path / "site"
    pip = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(
        [sys.executable, "-m", *pip, str(tmp_path / "tiny")], check=True, env=environment, capture_output=True
    )
    points = (site / "tiny-0.1.0.dist-info" / "entry_points.txt").read_text()
    assert points == "[tenure.connectors]\ntiny = tiny:Tiny\n"
    assert (site / "tiny" / "py.typed").exists()
    shutil.rmtree(tmp_path / "tiny" / "src")
    checked = subprocess.run(
        [sys.executable, "-m", "tenure_sdk.cli", "check", str(tmp_path / "tiny"), "--ship"],
        env=environment | {"PYTHONPATH": str(site), "MYPY_CACHE_DIR": str(CACHE)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    assert "tiny: silver (" in checked.stdout
    assert "  gold: REC-1 The totals are those of the stream: no @totals of customers\n" in checked.stdout
    report = json.loads((tmp_path / "tiny" / "conformance.json").read_text())["tiny"]
    assert (report["version"], report["tier"]) == ("0.1.0", "silver")
    shipped = json.loads((site / "tiny" / "conformance.json").read_text())["tiny"]
    assert shipped["checks"]["REC-1"].keys() == report["checks"]["REC-1"].keys() - {"where"}
    assert shipped["checks"]["WEB-1"] == report["checks"]["WEB-1"]
    assert report["checks"]["CUR-3"]["outcome"] == "passed"
    assert report["checks"]["REC-1"]["seen"] == "no @totals of customers"
    assert report["checks"]["WEB-1"] == {
        "tier": "bronze", "title": "A genuine call is believed, and says what changed", "outcome": "not applicable",
        "reason": "no webhook is declared",
    }  # fmt: skip


def test_a_failure_says_everything(tmp_path: Path) -> None:
    assert cli.main(scaffolded(PLANS[0], tmp_path)) == 0
    module = tmp_path / "src" / "tiny" / "__init__.py"
    module.write_text(
        module.read_text().replace("default=cursor", "default=None").replace("cursor = max", "cursor = 7, max")
    )
    checked = subprocess.run(
        [sys.executable, "-m", "tenure_sdk.cli", "check", str(tmp_path), "--only", "cur-1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (checked.returncode, "1 failed" in checked.stdout) == (1, True)
    assert not (tmp_path / "conformance.json").exists()
    line = next(at for at, text in enumerate(module.read_text().splitlines(), 1) if "@stream" in text)
    for said in (
        "CUR-1 A cursor is small, plain JSON without a secret: failed",
        "seen:     a tuple, which comes back from storage as something else",
        "expected: a JSON value of at most 16 KiB, without secrets",
        f"where:    src/tiny/__init__.py:{line}",
        "remedy:   Keep only what is needed to go on: a time, an id, a token of the remote side.",
    ):
        assert said in checked.stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["new", "Acme Books"], "a key has lower-case letters"),
        (["new", "acme", "--stream", "orders", "--push", "customers"], "needs --stream customers"),
        (["new", "acme", "--into", str(Path(__file__).parent)], "is not empty"),
        (["run", "moon", "--stream", "customers"], "no connector moon is installed"),
        (["run", "acme_books:AcmeBooks", "--stream", "moons"], "acme-books has no stream moons; it has customers,"),
        (
            ["run", "acme_books:AcmeBooks", "--stream", "customers"],
            "the settings of acme-books stand in ACME_BOOKS_COMPANY, which",
        ),
        (["run", "moon_landing:Moon", "--stream", "customers"], "no module moon_landing: is it installed, or"),
        (["run", "acme_books:Moon", "--stream", "customers"], "acme_books has no Moon"),
        (
            ["record", "acme_books:AcmeBooks", "--stream", "moons"],
            "the settings of acme-books stand in ACME_BOOKS_COMPANY, which",
        ),
        (["check", str(Path(__file__).parent / "nowhere")], "nowhere"),
    ],
)
def test_slips_are_told(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(given) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_a_connector_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(tmp_path)]) == 2
    assert f"no Conformance class in the tests of {tmp_path}" in capsys.readouterr().err


def test_a_key_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ACME_BOOKS_COMPANY", "1")
    assert cli.main(["run", "acme_books:AcmeBooks", "--stream", "customers"]) == 2
    assert "requests are let in with ACME_BOOKS_ACCESS_TOKEN, which" in capsys.readouterr().err


def test_the_first_records_of_a_stream() -> None:
    remote = FakeAcme()
    names = remote.seed("customers", 12)
    environment = {"ACME_BOOKS_COMPANY": "1", "ACME_BOOKS_ACCESS_TOKEN": remote.credentials()["access_token"]}

    def read(limit: int) -> list[Any]:
        return asyncio.run(cli.read(AcmeBooks, "customers", limit, environment, transport=remote.transport()))

    assert [record.id for record in read(7)] == list(names[:7])
    remote.expire()
    with pytest.raises(AuthRevoked):
        read(7)
