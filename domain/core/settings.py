"""How an installation is set up: read once at the edge and passed on, never imported."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _user_data_dir() -> Path:
    """`tenure` in `$XDG_DATA_HOME` or, without it, in `~/.local/share`."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "tenure"


def _oauth_apps() -> dict[str, SecretStr]:
    """The variables that are set."""
    prefix = "TENURE_OAUTH_"
    return {
        name.removeprefix(prefix): SecretStr(value) for name, value in os.environ.items() if name.startswith(prefix)
    }


def _webhook_secrets() -> dict[str, SecretStr]:
    """The variables that are set, by the connector's name in them."""
    prefix, suffix = "TENURE_WEBHOOK_", "_SECRET"
    return {
        name.removeprefix(prefix).removesuffix(suffix): SecretStr(value)
        for name, value in os.environ.items()
        if name.startswith(prefix) and name.endswith(suffix)
    }


class OAuthApp(NamedTuple):
    """The operator's app at a vendor: what an authorization is asked with, unless a tenant has an app of its own."""

    client_id: str
    client_secret: SecretStr


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
    public_url: str | None = Field(
        default=None, description="Where browsers and vendors reach this server, such as https://crm.example.com."
    )
    sandboxes: str = Field(
        default="",
        description="Connectors that talk to a vendor's sandbox on this machine: `quickbooks=http://127.0.0.1:9001,...`.",
    )
    plugins_allow: str = Field(
        default="",
        description="The distributions whose plugins are loaded, separated by commas, besides Tenure's own; "
        "without it every one that is installed.",
    )
    plugins_block: str = Field(
        default="", description="Distributions whose plugins are not loaded, separated by commas."
    )
    plugins_strict: bool = Field(
        default=False, description="Whether a plugin that cannot be loaded keeps the server from starting."
    )
    connector_memory: int = Field(default=1024, ge=64, description="MiB of address space of a connector's own process.")
    connector_cpu: int = Field(
        default=3600, ge=1, description="Seconds of processor time that a connector's own process may use in one run."
    )
    connector_deadline: float = Field(
        default=600, gt=0, description="Seconds for one answer or one page of a connector's own process."
    )
    connector_heartbeat: float = Field(
        default=30, gt=0, description="Seconds without a sign of life after which a connector's own process is ended."
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    webhook: dict[str, SecretStr] = Field(
        default_factory=_webhook_secrets,
        description="What the vendors sign the calls to the operator's apps with, one variable for each: "
        "`TENURE_WEBHOOK_<CONNECTOR>_SECRET`.",
    )
    oauth: dict[str, SecretStr] = Field(
        default_factory=_oauth_apps,
        description="The operator's apps at the vendors, two variables for each: `TENURE_OAUTH_<CONNECTOR>_ID` and "
        "`TENURE_OAUTH_<CONNECTOR>_SECRET`, with the connector's key in capitals and `_` for `-`.",
    )

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, given: str | None) -> str | None:
        """Browsers bring codes there: they must travel encrypted, unless they stay on the machine."""
        if given is None:
            return None
        parts = urlsplit(given)
        if parts.hostname is None or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(given))):
            raise ValueError("it must begin with https://, or with http:// and a loopback address")
        return given.rstrip("/")

    @field_validator("sandboxes")
    @classmethod
    def _check_sandboxes(cls, given: str) -> str:
        for entry in _entries(given):
            connector, _, address = entry.partition("=")
            if not connector or urlsplit(address).scheme != "http" or not _is_loopback(address):
                raise ValueError(f"{entry!r} must be connector=http://127.0.0.1:port; only this machine is allowed")
        return given

    @classmethod
    def from_env(cls, **overrides: object) -> Self:
        """Read from the environment; a keyword wins over it."""
        return cls(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]

    @property
    def origins(self) -> tuple[str, ...]:
        """The allowed origins, one by one."""
        return _entries(self.cors_origins)

    @property
    def allowed_plugins(self) -> tuple[str, ...]:
        """The distributions that are let in, one by one; none where all of them are."""
        return _entries(self.plugins_allow)

    @property
    def blocked_plugins(self) -> tuple[str, ...]:
        """The distributions that are kept out, one by one."""
        return _entries(self.plugins_block)

    @property
    def sandbox_addresses(self) -> dict[str, str]:
        """Where the sandboxes are, by connector."""
        entries = (entry.partition("=") for entry in _entries(self.sandboxes))
        return {connector: address.rstrip("/") for connector, _, address in entries}

    def oauth_app(self, connector: str) -> OAuthApp | None:
        """The operator's app at a connector's vendor, if there is one."""
        name = oauth_name(connector)
        client_id, client_secret = self.oauth.get(f"{name}_ID"), self.oauth.get(f"{name}_SECRET")
        return OAuthApp(client_id.get_secret_value(), client_secret) if client_id and client_secret else None

    def webhook_secret(self, connector: str) -> str | None:
        """What a connector's vendor signs the calls to the operator's app with."""
        found = self.webhook.get(oauth_name(connector))
        return found.get_secret_value() if found else None


def oauth_name(connector: str) -> str:
    """A connector's key as the variables of its app spell it."""
    return re.sub(r"[^A-Z0-9]", "_", connector.upper())


def _entries(listed: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in listed.split(",") if entry.strip())


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
