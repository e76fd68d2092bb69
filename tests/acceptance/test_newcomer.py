"""Done when: a newcomer runs `make demo`, pastes the printed line, and reads a customer's life."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `make demo` prints in a directory where nothing was before; what it installs is there already."""
    home = tmp_path_factory.mktemp("newcomer")
    ready = home / "ready"
    ready.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}
    command = ["make", "-s", "-f", str(ROOT / "Makefile"), "-o", str(ready), "demo"]
    settings = [f"READY={ready}", f"BIN={BIN}", "PORT=0"]
    with subprocess.Popen(
        [*command, *settings], cwd=home, env={**environment, "TENURE_DEMO_CUSTOMERS": "60"}, text=True,
        stdout=subprocess.PIPE, start_new_session=True,
    ) as demo:  # fmt: skip
        assert demo.stdout is not None
        yield "".join(iter(demo.stdout.readline, "Ctrl-C stops the demo; its data stays in var/demo.\n"))
        os.killpg(demo.pid, signal.SIGINT)  # Ctrl-C
        assert demo.wait(timeout=15) == -signal.SIGINT


@pytest.fixture(scope="module")
def line(printed: str) -> str:
    [line] = re.findall(r"^curl .*$", printed, re.MULTILINE)
    return str(line)


@pytest.fixture(scope="module")
def customer(line: str) -> Any:
    """The answer to the line, sent as bash and curl would."""
    found = re.fullmatch(
        r"curl -s (\S+) -H 'Authorization: (.+?)' -H 'Content-Type: (.+?)' -d '([^']+)' \| python3 -m json.tool .*",
        line,
    )
    assert found is not None
    headers = {"Authorization": found[2], "Content-Type": found[3]}
    answer = httpx2.post(found[1], headers=headers, content=found[4]).json()
    assert "errors" not in answer
    return answer["data"]["customer"]


def test_the_stage_history_is_there(customer: Any) -> None:
    visits = [(stay["stage"]["name"], stay["visit"]) for stay in customer["stageHistory"]["nodes"]]
    assert visits == [
        ("Discovery", 1),
        ("Education", 1),
        ("Purchase", 1),
        ("Post-purchase engagement", 1),
        ("Loyalty or advocacy", 1),
        ("Post-purchase engagement", 2),
        ("Loyalty or advocacy", 2),
    ]
    assert customer["stage"]["stage"]["name"] == "Loyalty or advocacy"


def test_the_timeline_is_there(customer: Any) -> None:
    assert [entry["summary"] for entry in customer["timeline"]["nodes"]] == [
        "NPS 10",
        "Order S000001-O8, 1 line, 79.00 GBP",
        "Order S000001-O7, 1 line, 57.00 GBP",
        "Order S000001-O6, 2 lines, 127.00 GBP",
        "Order S000001B-O1, 1 line, 23.00 GBP",
    ]


def test_the_order_totals_are_there(customer: Any) -> None:
    totals = customer["orderTotals"]
    assert totals["orders"] == 9
    assert {name: totals[name] for name in ("gross", "refunded", "net")} == {
        "gross": {"amount": "955.90", "currency": "EUR"},
        "refunded": {"amount": "56.64", "currency": "EUR"},
        "net": {"amount": "899.26", "currency": "EUR"},
    }


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="no bash or no curl here")
def test_the_line_can_be_pasted(line: str, customer: Any) -> None:
    pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert json.loads(pasted.stdout)["data"]["customer"] == customer
