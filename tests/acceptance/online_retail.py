"""Where UCI Online Retail lies, and how it is read."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import SHARED

FILE = SHARED / "data" / "online_retail.parquet"
MAPPING = Path(__file__).parents[2] / "plugins" / "files" / "examples" / "online_retail.toml"
CONFIG = {"file": str(FILE), "mapping": str(MAPPING)}
