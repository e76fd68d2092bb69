"""How an installation is set up: read once at the edge and passed on, never imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _user_data_dir() -> Path:
    """`tenure` in `$XDG_DATA_HOME` or, without it, in `~/.local/share`."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "tenure"


class Settings(BaseSettings):
    """The settings of one server; each is the environment variable of its name with `TENURE_` before it."""

    model_config = SettingsConfigDict(env_prefix="TENURE_", frozen=True, extra="ignore")

    database_url: str | None = Field(
        default=None, description="The application's login; without it PostgreSQL is embedded."
    )
    database_owner_url: str | None = Field(
        default=None, description="The owner's login, used by `tenure migrate` only."
    )
    database_eraser_url: str | None = Field(
        default=None, description="The eraser's login, used by `tenure customers erase`."
    )
    key_file: Path | None = Field(
        default=None, description="The installation's key; without it `key` in the data directory."
    )
    data: Path = Field(default_factory=_user_data_dir, description="Where the embedded database lives.")
    cors_origins: str = Field(default="", description="Origins of browsers that may call the API, separated by commas.")
    read_connections: int = Field(default=8, ge=1, le=200, description="Connections of one process that serve reads.")
    write_connections: int = Field(default=8, ge=1, le=200, description="Connections of one process that serve writes.")
    metrics_port: int = Field(
        default=9464, ge=0, le=65535, description="The loopback port of /metrics; 0 turns it off."
    )
    budget_per_minute: int = Field(default=5_000_000, ge=1, description="Cost that one token may spend in a minute.")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @classmethod
    def from_env(cls, **overrides: object) -> Self:
        """Read from the environment; a keyword wins over it."""
        return cls(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]

    @property
    def origins(self) -> tuple[str, ...]:
        """The allowed origins, one by one."""
        return tuple(origin.strip() for origin in self.cors_origins.split(",") if origin.strip())
