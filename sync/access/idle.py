"""Renews tokens that nobody uses, so that they do not die while an integration rests."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from domain.core import events
from domain.integrations import actions
from domain.integrations.model import IntegrationState
from sync.access import parties
from sync.access.tokens import Grant
from tenure_sdk import AuthRevoked, ConnectorError, OAuth2
from tenure_sdk.limits import duration

if TYPE_CHECKING:
    from datetime import datetime

    from domain.core.due import Jobs
    from domain.core.unit_of_work import Writing
    from sync.access.oauth import Token
    from sync.access.remotes import Remotes
    from tenure_sdk.auth import Auth

KIND = "token"
"""The kind of due work; its key is the integration's id in hexadecimal."""
LATER = timedelta(hours=1)
"""When a renewal that failed is tried again."""


async def watch(work: Writing, integration_id: UUID, auth: Auth | None, token: Token) -> None:
    """See from now on that a token does not die unused."""
    due_at = due(auth, token)
    if due_at is not None:
        await events.make_due(work.session, work.tenant_id, KIND, integration_id.hex, due_at)


def due(auth: Auth | None, token: Token | None) -> datetime | None:
    """When a token has to be renewed though nobody uses it; None when it cannot be, or need not."""
    if not isinstance(auth, OAuth2) or token is None or token.refresh_token is None or token.revoked:
        return None
    return token.issued_at + duration(auth.idle_refresh)


def register(jobs: Jobs, remotes: Remotes) -> None:
    """Have workers renew what is due."""

    @jobs.due(KIND)
    async def keep_alive(work: Writing, key: str) -> datetime | None:
        """Renew a token that was not used for long; who has to authorise anew is told so."""
        try:
            return await _renewed(work, remotes, UUID(key))
        except ConnectorError:
            return work.now + LATER


async def _renewed(work: Writing, remotes: Remotes, integration_id: UUID) -> datetime | None:
    """Renew a token where that is due; when it is due again."""
    party = await parties.party(work, remotes.registry, remotes.vault, integration_id)
    issued = party.issued
    due_at = due(party.auth, issued and issued.token)
    if issued is None or due_at is None or not isinstance(party.auth, OAuth2):
        return None
    if due_at > work.now:
        return due_at
    grant = Grant(work.tenant_id, integration_id, party.auth, partial(remotes.endpoint, party))
    try:
        renewed = await remotes.tokens.current(grant, refused=issued.mark)
    except AuthRevoked as problem:
        await actions.move(work, party.integration, IntegrationState.NEEDS_REAUTH, str(problem))
        return None
    return due(party.auth, renewed.token)
