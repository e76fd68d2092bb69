"""What a judge's script runs in: vendors' hosts lead to the sandbox, and every scenario gives its verdict.

A script defines functions named `judges_...`, each of which takes the brief, and ends with `hold(globals())`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Failure = TypeVar("Failure", bound=Exception)


def lead(hosts: list[str], address: tuple[str, int], authority: str) -> None:
    """Connections to the hosts go to the address, all others fail: an SDK needs no change, and nothing leaves here."""
    look_up = socket.getaddrinfo

    def redirected(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in hosts:
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]
        if name not in {"127.0.0.1", "localhost"}:
            raise OSError(f"a judge asked for {name}, which is no host of its vendor")
        return look_up(host, port, *args, **options)

    socket.getaddrinfo = redirected
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ[name] = authority
    for name in [name for name in os.environ if name.lower() in {"http_proxy", "https_proxy", "all_proxy"}]:
        del os.environ[name]


def hold(script: dict[str, Any]) -> None:
    """Read the brief, run every scenario, print the verdicts: null, or what was wrong."""
    brief = json.load(sys.stdin)
    if "address" in brief:
        lead(brief["hosts"], tuple(brief["address"]), brief["authority"])
    scenarios = {name: function for name, function in script.items() if name.startswith("judges_")}
    json.dump(
        {name.removeprefix("judges_"): verdict(scenario, brief) for name, scenario in scenarios.items()}, sys.stdout
    )


def raised(kind: type[Failure], call: Callable[[], object]) -> Failure:
    """The error that a call ends with; none is a failure of the scenario."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def verdict(scenario: Callable[[dict[str, Any]], None], brief: dict[str, Any]) -> str | None:
    """None when the scenario went as it should."""
    try:
        scenario(brief)
    except Exception:  # noqa: BLE001 - whatever it is, it is the verdict
        return traceback.format_exc(limit=-4)
    return None
