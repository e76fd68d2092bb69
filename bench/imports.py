"""Imports of a file by `tenure import`, a process of its own: what they cost and how much memory they need."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cluster import SERVER
from domain.core.database import Database, dsn_of
from domain.stages import actions as stages
from domain.tenants import actions as tenants

if TYPE_CHECKING:
    from bench.cluster import Cluster

SHARED = Path(os.environ.get("TENURE_SHARED", Path(__file__).parents[1] / ".." / "shared"))
FILE = SHARED / "data" / "online_retail.parquet"
LINES = 541_909
_MAPPING = Path(__file__).parents[1] / "plugins" / "files" / "examples" / "online_retail.toml"
_SAID = re.compile(r"([\d,]+) lines read; created ([\d,]+), updated ([\d,]+), unchanged ([\d,]+), rejected ([\d,]+)")


@dataclass(frozen=True)
class Import:
    """What one import cost: seconds of CPU of the importing process and of PostgreSQL, and its peak of memory."""

    lines: int
    importer: float
    postgres: float
    megabytes: float

    @property
    def by_importer(self) -> float:
        """Lines for each second of the importing process."""
        return self.lines / self.importer

    @property
    def by_both(self) -> float:
        """Lines for each second of the importing process and PostgreSQL together."""
        return self.lines / (self.importer + self.postgres)


def enlarged(directory: Path, times: int) -> Path:
    """The file written several times over, with invoices and customers of their own each time."""
    path = directory / f"online_retail_x{times}.parquet"
    if not path.exists():
        # In a process of its own: the memory that it takes must not be that of a measured one.
        subprocess.run([sys.executable, "-m", "bench.imports", str(path), str(times)], check=True)
    return path


async def open_tenant(cluster: Cluster, database: str, slug: str) -> None:
    """An empty tenant with a lifecycle, so that landing has all its projections to make."""
    async with Database(dsn_of(cluster.address(database, SERVER))) as opened:
        new = tenants.NewTenant(slug, "Online Retail", time_zone="Europe/London", base_currency="GBP")
        tenant_id = await tenants.create_tenant(opened, new)
        async with opened.unit_of_work(tenant_id) as work:
            await stages.create_from_template(work, "buyer", default=True)


def measured(cluster: Cluster, database: str, slug: str, file: Path, home: Path) -> Import:
    """Import a file into a tenant. Raises RuntimeError when a line was left out or something was there before."""
    environment = {
        **os.environ,
        "TENURE_DATABASE_URL": dsn_of(cluster.address(database, SERVER)),
        "TENURE_DATA": str(home),
    }
    tenure = Path(sys.executable).with_name("tenure")
    command = [str(tenure), "import", str(file), "--mapping", str(_MAPPING), "--tenant", slug]
    importer, postgres = _children(), cluster.cpu()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    megabytes = _peak(process)
    said = process.communicate()[0]
    found = _SAID.search(said)
    read, _, *others = (int(figure.replace(",", "")) for figure in found.groups()) if found else (0, 0, 1)
    if process.returncode or any(others):
        raise RuntimeError(f"The import went wrong: {said}")
    return Import(read, _children() - importer, cluster.cpu() - postgres, megabytes)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _peak(process: subprocess.Popen[str]) -> float:
    """The most memory that a process has held, in megabytes, watched until it ends.

    A child's `ru_maxrss` would not do: it begins with that of the process that started it.
    """
    peak = 0
    while process.poll() is None:
        with suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, *map(int, re.findall(r"VmHWM:\s+(\d+)", status)), 0)
        time.sleep(0.02)
    return peak / 1024


def _enlarge(path: Path, times: int) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table: Any = pq.read_table(FILE)
    invoices, customers = table.schema.get_field_index("InvoiceNo"), table.schema.get_field_index("CustomerID")
    unfinished = path.with_suffix(".part")
    with pq.ParquetWriter(unfinished, table.schema) as writer:
        for time_ in range(times):
            numbered = pc.binary_join_element_wise(table["InvoiceNo"], pa.scalar(str(time_)), "-")
            own = pc.add(table["CustomerID"], pa.scalar(100_000.0 * time_))
            one = table.set_column(invoices, table.schema.field(invoices), numbered)
            writer.write_table(one.set_column(customers, table.schema.field(customers), own))
    unfinished.rename(path)


if __name__ == "__main__":
    _enlarge(Path(sys.argv[1]), int(sys.argv[2]))
