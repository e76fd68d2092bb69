"""The pages of the vendor's OAuth: discovery, consent, token, revocation, and who the person is."""

from __future__ import annotations

import binascii
from base64 import b64decode
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from plugins.quickbooks.sandbox.authorization import Denied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request

    from plugins.quickbooks.sandbox.authorization import Authorizations, Connection
    from plugins.quickbooks.sandbox.company import Company

ACCOUNTING = "com.intuit.quickbooks.accounting"
SCOPES = frozenset({ACCOUNTING, "com.intuit.quickbooks.payment", "openid", "profile", "email", "phone", "address"})
AUTHORIZE = "/connect/oauth2"
TOKEN = "/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
REVOKE = "/v2/oauth2/tokens/revoke"
USERINFO = "/v1/openid_connect/userinfo"
VENDOR = {
    AUTHORIZE: "https://appcenter.intuit.com",
    TOKEN: "https://oauth.platform.intuit.com",
    REVOKE: "https://developer.api.intuit.com",
    USERINFO: "https://accounts.platform.intuit.com",
}
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>QuickBooks sandbox</title><style>{style}</style></head>
<body><main><p class="what">QuickBooks sandbox: nothing here is real</p>
<h1>Connect a company to {app}?</h1>
<p>The app may then read and write customers, items, invoices and payments of the company you choose.</p>
<form method="post" action="?{query}">{companies}
<p><button name="answer" value="allow">Connect</button> <button name="answer" value="deny">No, thanks</button></p>
</form></main></body></html>"""
STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; color: #1d2733; background: #eef2f0; margin: 12vh 1rem }
main { max-width: 30rem; margin: auto; padding: 2rem; background: #fff; border-radius: .75rem;
  border-top: .4rem solid #2ca01c; box-shadow: 0 .25rem 1.5rem #0002 }
h1 { font-size: 1.4rem; margin: .25rem 0 1rem }
.what { color: #5b6a78; font-size: .85rem; margin: 0 }
label { display: block; padding: .6rem .8rem; margin: .5rem 0; border: 1px solid #cbd5d1; border-radius: .5rem }
button { font: inherit; padding: .55rem 1.2rem; border: 1px solid #2ca01c; border-radius: 2rem; background: #fff }
button[value=allow] { background: #1e7d11; color: #fff }
"""
CHOICE = '<label><input type="radio" name="realm" value="{realm}"{checked}> {name}</label>'


class OAuthPages:
    """The pages for one app."""

    def __init__(
        self,
        *,
        client: Callable[[], tuple[str, str]],
        authorizations: Authorizations,
        companies: Callable[[], Iterable[Company]],
        approves_at_once: Callable[[], bool],
    ) -> None:
        self._client = client
        self._authorizations = authorizations
        self._companies = companies
        self._approves_at_once = approves_at_once

    def routes(self) -> list[Route]:
        """Every address that there is."""
        documents = ("openid_configuration", "openid_sandbox_configuration")
        return [
            *[Route(f"/.well-known/{name}{end}", self._discovery) for name in documents for end in ("", "/")],
            Route(AUTHORIZE, self._authorize, methods=["GET", "POST"]),
            Route(TOKEN, self._token, methods=["POST"]),
            Route(REVOKE, self._revoke, methods=["POST"]),
            Route(USERINFO, self._userinfo),
        ]

    async def _discovery(self, request: Request) -> Response:
        """The vendor's addresses; where the sandbox is reached by an address of its own, that one."""
        own = str(request.base_url).rstrip("/")
        at_vendor = (request.url.hostname or "").endswith(".intuit.com")
        where = VENDOR if at_vendor else dict.fromkeys(VENDOR, own)
        issuer = where[TOKEN] + "/op/v1"
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": where[AUTHORIZE] + AUTHORIZE,
                "token_endpoint": where[TOKEN] + TOKEN,
                "userinfo_endpoint": where[USERINFO] + USERINFO,
                "revocation_endpoint": where[REVOKE] + REVOKE,
                "jwks_uri": issuer + "/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile", "address", "phone"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
            }
        )

    async def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        if asked.get("client_id") != self._client()[0] or not asked.get("redirect_uri"):
            return HTMLResponse("The client_id or redirect_uri is not this app's.", 400)
        scopes = set(asked.get("scope", "").split())
        if asked.get("response_type") != "code" or ACCOUNTING not in scopes or scopes - SCOPES:
            return self._back(request, error="invalid_request")
        realms = [company.realm for company in self._companies()]
        if request.method == "POST":
            answer = dict(parse_qsl((await request.body()).decode(errors="replace")))
            if answer.get("answer") != "allow" or answer.get("realm") not in realms:
                return self._back(request, error="access_denied")
            return self._allowed(request, answer["realm"])
        if self._approves_at_once() and realms:
            return self._allowed(request, realms[0])
        return HTMLResponse(self._page(request))

    def _page(self, request: Request) -> str:
        companies = "".join(
            CHOICE.format(realm=escape(company.realm), name=escape(company.name), checked=" checked" if first else "")
            for first, company in ((place == 0, company) for place, company in enumerate(self._companies()))
        )
        return PAGE.format(
            style=STYLE, app=escape(self._client()[0]), query=escape(request.url.query), companies=companies
        )

    def _allowed(self, request: Request, realm: str) -> Response:
        asked = request.query_params
        challenge = asked.get("code_challenge")
        code = self._authorizations.allow(realm, asked["scope"], asked["redirect_uri"], challenge)
        return self._back(request, code=code, realmId=realm)

    @staticmethod
    def _back(request: Request, **parameters: str) -> Response:
        asked = request.query_params
        if "state" in asked:
            parameters["state"] = asked["state"]
        joint = "&" if "?" in asked["redirect_uri"] else "?"
        return RedirectResponse(asked["redirect_uri"] + joint + urlencode(parameters), 302)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        try:
            self._check_client(request, form)
            connection = self._granted(form)
        except Denied as denied:
            return JSONResponse({"error": denied.error}, denied.status)
        hard = request.headers.get("x-include-refresh-token-hard-expires-in") == "true"
        return JSONResponse(self._authorizations.answer(connection, with_hard_expiry=hard))

    def _granted(self, form: dict[str, str]) -> Connection:
        if form.get("grant_type") == "authorization_code":
            code, address = form.get("code", ""), form.get("redirect_uri", "")
            return self._authorizations.exchange(code, address, form.get("code_verifier"))
        if form.get("grant_type") == "refresh_token":
            return self._authorizations.refresh(form.get("refresh_token", ""))
        raise Denied("unsupported_grant_type")

    async def _revoke(self, request: Request) -> Response:
        body = await request.body()
        try:
            given: Any = msgspec.json.decode(body) if body.lstrip()[:1] == b"{" else dict(parse_qsl(body.decode()))
            self._check_client(request, given)
        except Denied as denied:
            return JSONResponse({"error": denied.error}, denied.status)
        except ValueError:
            return JSONResponse({"error": "invalid_request"}, 400)
        if not self._authorizations.revoke(str(given.get("token"))):
            return JSONResponse({"error": "invalid_request"}, 400)
        return Response(status_code=200)

    async def _userinfo(self, request: Request) -> Response:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        connection = self._authorizations.access(token) if kind.lower() == "bearer" else None
        if connection is None:
            return JSONResponse({"error": "invalid_token"}, 401)
        if "openid" not in connection.scope.split():
            return JSONResponse({"error": "insufficient_scope"}, 403)
        person = {"sub": f"person-of-{connection.realm}", "email": f"books@{connection.realm}.example"}
        return JSONResponse({**person, "emailVerified": True, "givenName": "Sandra", "familyName": "Box"})

    def _check_client(self, request: Request, form: dict[str, str]) -> None:
        given = form.get("client_id", ""), form.get("client_secret", "")
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                name, _, secret = b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise Denied("invalid_client", 401) from None
            given = name, secret
        if given != self._client():
            raise Denied("invalid_client", 401)
