"""A worker that reads the streams of one integration, in a process of its own, and says what each of them cost it.

`python -m bench.pulls TENANT INTEGRATION STREAM...` prints a line of JSON for each stream, and one with its peak of
memory. Everything runs as in `tenure worker`: the vendor is reached through the switchboard, and each page lands by
`sync.pull`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from uuid import UUID

import uvloop

from cli import serving
from domain.core.database import Database
from domain.core.settings import Settings
from sync.pull import pull
from sync.switchboard import Switchboard
from sync.troubles import Outcome


async def run(tenant_id: UUID, integration_id: UUID, streams: list[str]) -> None:
    """Read the streams, one after the other. Raises RuntimeError when one does not come to its end."""
    settings = Settings.from_env()
    serving.rest()
    async with (
        Database(settings.database_url or "") as database,
        Switchboard(database, settings) as switchboard,
        switchboard.remotes.open(tenant_id, integration_id) as remote,
    ):
        for stream in streams:
            cpu, wall = time.process_time(), time.perf_counter()
            pulled = await pull(database, remote, tenant_id, integration_id, stream)
            if pulled.outcome is not Outcome.FINISHED:
                raise RuntimeError(f"{stream} came to rest: {pulled}")
            cost = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
            print(json.dumps({"stream": stream, "records": pulled.counts.read, **cost}), flush=True)
    print(json.dumps({"megabytes": peak()}), flush=True)


def peak() -> float:
    """The most memory that this process has held, in megabytes."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kilobytes) / 1024


if __name__ == "__main__":
    uvloop.run(run(UUID(sys.argv[1]), UUID(sys.argv[2]), sys.argv[3:]))
