"""The figures of a process, without tenants and customers: what /metrics shows, on the loopback interface only."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter, Gauge, Histogram, start_http_server

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger()

EVENTS = Counter("tenure_events_total", "Outbox events by what became of them.", ["outcome"])
DELAY = Histogram("tenure_event_delay_seconds", "From an event to its delivery.")
JOBS = Counter("tenure_jobs_total", "Due work by kind and by what became of it.", ["kind", "outcome"])
UNKNOWN_ACCOUNTS = Counter("tenure_unknown_accounts_total", "Calls about accounts nobody has here.", ["connector"])
STOPPED = Counter("tenure_connector_stops_total", "Processes of connectors that were stopped.", ["connector"])
HOOK_ERRORS = Counter("tenure_hook_errors_total", "Failures of plugins' hooks.", ["plugin", "hook"])
OVERDUE = Gauge("tenure_due_work_entries", "Entries of due work that were due at the last look.")


@contextmanager
def served(port: int) -> Iterator[None]:
    """Show the figures on a loopback port while this lasts; 0 shows none, and a port that is taken only warns."""
    if port == 0:
        yield
        return
    try:
        server, thread = start_http_server(port, addr="127.0.0.1")
    except OSError as taken:
        log.warning(
            "metrics.off", port=port, error=str(taken), remedy="Set TENURE_METRICS_PORT to a free port, or to 0."
        )
        yield
        return
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
