"""A real account as the environment names it, for those who look at what a connector reads there."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tenure_sdk.auth import Credentials
from tenure_sdk.errors import AuthRevoked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tenure_sdk.connector import Connector


class Unnamed(Exception):
    """The environment does not say which account, or how it is let in."""


class RealAccount(Struct, frozen=True):
    """The settings of an account, and what lets requests in; a host for its requests, too, without any limits."""

    config: Struct
    values: dict[str, str]

    async def credentials(self, refused: str | None = None) -> Credentials:
        """Those; what is refused cannot be renewed."""
        if refused is not None:
            raise AuthRevoked
        return Credentials(self.values)

    @asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        """One person looks: no limits."""
        yield

    async def slow_down(self, seconds: float | None) -> None:
        """The context waits."""


def real_account(connector: type[Connector[Any]], environment: Mapping[str, str]) -> RealAccount:
    """The account of the environment: `ACME_BOOKS_COMPANY` is the setting `company` of `acme-books`,
    `ACME_BOOKS_ACCESS_TOKEN` its access token. Raises Unnamed for what is missing.
    """  # fmt: skip
    prefix = connector.key.upper().replace("-", "_") + "_"
    given = {name.removeprefix(prefix).lower(): value for name, value in environment.items() if name.startswith(prefix)}
    kind = connector.config_type()
    settings = {name: given.pop(name) for name in kind.__struct_fields__ if name in given}
    asked = [each.name for each in msgspec.structs.fields(kind) if each.required]
    if missing := [f"{prefix}{name.upper()}" for name in asked if name not in settings]:
        raise Unnamed(f"the settings of {connector.key} stand in {', '.join(missing)}, which the environment has not")
    try:
        config: Struct = msgspec.convert(settings, kind, strict=False)
    except msgspec.ValidationError as problem:
        raise Unnamed(f"the settings of {connector.key} stand in {prefix}...: {problem}") from problem
    auth = connector().auth_for(config)
    needed = () if auth is None else auth.fields or ("access_token",)
    if missing := [f"{prefix}{name.upper()}" for name in needed if name not in given]:
        raise Unnamed(f"requests are let in with {', '.join(missing)}, which the environment has not")
    return RealAccount(config, {name: given[name] for name in needed})
