"""What can be changed of the tenant and its tokens."""

from datetime import timedelta
from typing import Any

import strawberry
from sqlalchemy import select

from api.changes import mutation
from api.changing.inputs import given, id_of, needed
from api.reference import Reference
from api.replays import Done
from api.scalars import Locale
from domain.core.problems import Invalid, NotFound
from domain.core.unit_of_work import Writing
from domain.tenants import actions, model

ADMIN = "tokens:admin"
SHORTEST = timedelta(minutes=15)


class TooShort(Invalid):
    """A token lasts at least 15 minutes."""


@strawberry.input(description="What shall be so of the tenant from now on.")
class UpdateTenantInput:
    """What shall be so of the tenant."""

    version: int = needed("The version that the change was decided on.")
    name: str | None = given("The name of the business.", None)
    time_zone: str | None = given("The IANA time zone in which its days begin.", None)
    calendar: model.Calendar | None = given("The calendar of its days and months.", None)
    locale: Locale | None = given("The language of its labels.", None)


@mutation("tenant", "tenants.Tenant", scope=ADMIN)
async def update_tenant(work: Writing, asked: UpdateTenantInput) -> Done:
    """Change how the tenant is called and counts."""
    changes: dict[str, Any] = {
        name: value
        for name in ("name", "time_zone", "calendar", "locale")
        if (value := getattr(asked, name)) is not None
    }
    changed = await actions.update_tenant(work, asked.version, changes)
    return Done(Reference("Tenant", changed.tenant_id))


_SECRET = {"secret": (str | None, "The token itself; it is shown here and never again.")}


@strawberry.input(description="A new token; without a principal, for whoever asks.")
class CreateApiTokenInput:
    """A new token."""

    name: str = needed("What the token is for.")
    scopes: list[str] = needed("What it may do, within the principal's role.")
    principal: strawberry.ID | None = given("Whom it stands for.", None)
    expires_in_seconds: int | None = given("How long it lasts, from 900; for ever without it.", None)


@mutation("token", "tenants.ApiToken", scope=ADMIN, also=_SECRET)
async def create_api_token(work: Writing, asked: CreateApiTokenInput) -> Done:
    """Make a token."""
    lasts = timedelta(seconds=asked.expires_in_seconds) if asked.expires_in_seconds is not None else None
    if lasts is not None and lasts < SHORTEST:
        raise TooShort(path=("expires_in_seconds",))
    wanted = id_of("pri", asked.principal) or work.actor.principal_id
    principal = await work.one(
        select(model.Principal).where(model.Principal.tenant_id == work.tenant_id, model.Principal.id == wanted)
    )
    if principal is None:
        raise NotFound(path=("principal",))
    issued = await actions.create_token(work, principal, asked.name, asked.scopes, lasts)
    return Done(Reference("ApiToken", issued.token.id), secrets={"secret": str(issued.secret)})


@strawberry.input(description="A token that shall end now.")
class RevokeApiTokenInput:
    """A token that shall end now."""

    id: strawberry.ID = needed("The token.")


@mutation("token", "tenants.ApiToken", scope=ADMIN)
async def revoke_api_token(work: Writing, asked: RevokeApiTokenInput) -> Done:
    """End a token; its subscriptions end within 30 seconds."""
    revoked = await actions.revoke_token(work, id_of("tok", asked.id))
    return Done(Reference("ApiToken", revoked.id))
