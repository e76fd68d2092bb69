"""The other side of a sync, in a process of its own: QuickBooks' sandbox with made-up books, over HTTP on loopback.

`python -m bench.books CUSTOMERS INVOICES_EACH` answers on a port of its choice until it is told to stop, and first says
in one line of JSON where it is, what lets requests in, and what its books come to.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

REALM = "9130"
LINES = 3


@dataclass(frozen=True)
class Books:
    """Where the sandbox is, the answer of its token endpoint, and what its books come to, in cents."""

    address: str
    token: dict[str, Any]
    customers: int
    items: int
    invoices: int
    payments: int
    billed: int
    owed: int
    received: int


@contextmanager
def opened(customers: int, invoices_each: int) -> Iterator[Books]:
    """Books of this size, for as long as this lasts."""
    command = [sys.executable, "-m", "bench.books", str(customers), str(invoices_each)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Books(**json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()


def _serve(customers: int, invoices_each: int) -> None:
    (found,) = entry_points(group="tenure.sandboxes", name="quickbooks")
    sandbox = found.load()()
    company = sandbox.fill(REALM, customers=customers, invoices_each=invoices_each, lines=LINES, others=False)
    sandbox.throttling.lift()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    told = {"address": f"http://127.0.0.1:{port}", "token": sandbox.tokens_for(REALM), **_told_of(company)}
    print(json.dumps(told), flush=True)
    config = uvicorn.Config(sandbox.app, log_level="warning", lifespan="off", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


def _told_of(company: Any) -> dict[str, int]:
    invoices, payments = list(company.records("Invoice")), list(company.records("Payment"))
    return {
        "customers": len(list(company.records("Customer"))),
        "items": len(list(company.records("Item"))),
        "invoices": len(invoices),
        "payments": len(payments),
        "billed": sum(int(invoice["TotalAmt"] * 100) for invoice in invoices),
        "owed": sum(int(invoice["Balance"] * 100) for invoice in invoices),
        "received": sum(int(payment["TotalAmt"] * 100) for payment in payments),
    }


if __name__ == "__main__":
    _serve(*map(int, sys.argv[1:]))
