"""What the world of the kill matrix notices by itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.faults.sync_world import Nursery, Workers

if TYPE_CHECKING:
    from pathlib import Path


def test_a_worker_that_ended_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "workers.log").write_text("Working.\nError: too many connections\n")
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    workers = Workers(Nursery(tmp_path), {}, pid=gone.pid)
    workers.look()
    workers.kill()
    told = f"worker {gone.pid} has ended by itself: Working.\nError: too many connections"
    assert (workers.pid, workers.ended) == (None, [told])
