"""The sandbox as a whole: companies, tokens, webhooks and faults behind one ASGI app."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from plugins.quickbooks.sandbox import calendar
from plugins.quickbooks.sandbox.authorization import Authorizations
from plugins.quickbooks.sandbox.company import Company
from plugins.quickbooks.sandbox.company_api import CompanyApi
from plugins.quickbooks.sandbox.faults import Faults, FaultyReplies
from plugins.quickbooks.sandbox.filling import Filling
from plugins.quickbooks.sandbox.oauth_pages import ACCOUNTING, OAuthPages
from plugins.quickbooks.sandbox.throttling import Throttling
from plugins.quickbooks.sandbox.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from plugins.quickbooks.sandbox.webhooks import Delivery, Post


def _now() -> datetime:
    return datetime.now(UTC)


class QuickBooksSandbox:
    """QuickBooks Online in memory, for one app of an operator; `now` is its clock and `seed` its dice."""

    key = "quickbooks"
    hosts: ClassVar[tuple[str, ...]] = (
        "quickbooks.api.intuit.com",
        "sandbox-quickbooks.api.intuit.com",
        "appcenter.intuit.com",
        "oauth.platform.intuit.com",
        "developer.api.intuit.com",
        "developer.intuit.com",
        "accounts.platform.intuit.com",
        "sandbox-accounts.platform.intuit.com",
        "accounts.intuit.com",
    )

    def __init__(self, *, now: Callable[[], datetime] = _now, seed: int = 0) -> None:
        self.client_id = "sandbox-client"
        self.client_secret = "sandbox-secret"  # noqa: S105 - anybody's
        self.verifier_token = "sandbox-verifier"  # noqa: S105 - anybody's
        self.auto_approve = False
        """Whether the authorize page sends the person back at once, with the first company."""
        self.faults = Faults()
        self.companies: dict[str, Company] = {}
        self._now = now
        self._seed = seed
        random = Random(seed)  # noqa: S311 - the same dice every time
        self.throttling = Throttling(now)
        self.authorizations = Authorizations(now, random)
        self.webhooks = Webhooks(now, random, self.faults, lambda: self.verifier_token)
        self.app: ASGIApp = FaultyReplies(self._pages(random), self.faults, random)

    @property
    def deliveries(self) -> list[Delivery]:
        """The notifications that were sent, or tried to be sent, in order."""
        return self.webhooks.deliveries

    def company(self, realm: str, name: str | None = None) -> Company:
        """The company of that id, with its books just opened, and called so, if it is new."""
        if realm not in self.companies:
            called = name or f"Sandbox Company {realm}"
            self.companies[realm] = Company(realm, called, self._now, self.webhooks.announce)
        return self.companies[realm]

    def fill(
        self,
        realm: str,
        *,
        customers: int,
        invoices_each: int = 3,
        lines: int = 3,
        settled: float = 0.6,
        others: bool = True,
    ) -> Company:
        """Add made-up customers and their documents to a company; nothing of it is announced.

        `settled` is the share of the invoices with a payment; `others` adds credit memos and receipts.
        """
        company = self.company(realm)
        random = Random(f"{self._seed}:{realm}:{customers}")  # noqa: S311 - the same books every time
        filling = Filling(company, random, calendar.stamp_of(self._now()))
        filling.run(customers=customers, invoices_each=invoices_each, lines=lines, settled=settled, others=others)
        return company

    def tokens_for(self, realm: str) -> dict[str, Any]:
        """The token endpoint's answer for a company, as if a person had agreed."""
        connection = self.authorizations.connect(self.company(realm).realm, f"{ACCOUNTING} openid profile email")
        return self.authorizations.answer(connection)

    def allowed_by(self, refresh_token: str) -> tuple[str, str] | None:
        """The company that a refresh token is for, and the scope; None for one that was not given out."""
        found = self.authorizations.of(refresh_token)
        return None if found is None else (found.realm, found.scope)

    def allow_again(self, realm: str, scope: str, refresh_token: str) -> None:
        """Have a refresh token be good that was given out before this sandbox was started."""
        self.authorizations.connect(self.company(realm).realm, scope, refresh_token)

    async def deliver(self, post: Post) -> int:
        """Send the notifications that are due; how many were taken."""
        return await self.webhooks.deliver(post)

    def _pages(self, random: Random) -> Starlette:
        api = CompanyApi(
            now=self._now,
            random=random,
            faults=self.faults,
            throttling=self.throttling,
            authorizations=self.authorizations,
            company=self.company,
        )
        oauth = OAuthPages(
            client=lambda: (self.client_id, self.client_secret),
            authorizations=self.authorizations,
            companies=self.companies.values,
            approves_at_once=lambda: self.auto_approve,
        )

        async def unknown(_: Request, error: Exception) -> Response:
            return api.refuse_page(error.status_code if isinstance(error, HTTPException) else 500)

        handlers: Any = {404: unknown, 405: unknown}
        pages = Starlette(routes=[*oauth.routes(), *api.routes()], exception_handlers=handlers)
        pages.router.redirect_slashes = False
        return pages
