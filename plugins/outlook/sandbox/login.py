"""login.microsoftonline.com: where a person agrees, an administrator agrees for listed mailboxes, and tokens come from.

UNVERIFIED: which AADSTS number answers an unknown refresh token, and the exact wording of the descriptions.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode

from plugins.outlook.sandbox import ids
from plugins.outlook.sandbox.calls import Answer
from plugins.outlook.sandbox.notifications import TENANT
from plugins.outlook.sandbox.tokens import GRANTABLE, PREFIX, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugins.outlook.sandbox.application import OutlookSandbox
    from plugins.outlook.sandbox.calls import Request

PATH = re.compile(r"^/+(?P<tenant>[\w.\-]+)/(?:oauth2/v2\.0/(?P<what>authorize|token)|(?P<consent>adminconsent))/?$")
AUTHORIZE = frozenset({
    "client_id", "response_type", "redirect_uri", "scope", "state", "response_mode", "code_challenge",
    "code_challenge_method", "login_hint", "domain_hint", "prompt", "nonce",
})  # fmt: skip
CONSENT = frozenset({"client_id", "redirect_uri", "state", "scope"})
TOKEN = frozenset({
    "client_id", "client_secret", "grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope",
})  # fmt: skip
ANSWERED = frozenset({"sandbox_mailbox", "sandbox_denied"})
"""What the page of the sandbox itself sends; the vendor has no such parameters."""

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; color: #1b1b1b; background: #eef3f8; margin: 12vh 1rem }
main { max-width: 30rem; margin: auto; padding: 2rem; background: #fff; border-top: .4rem solid #0f6cbd;
  box-shadow: 0 .25rem 1.5rem #0002 }
h1 { font-size: 1.4rem; margin: .25rem 0 1rem }
.what { color: #5b6670; font-size: .85rem; margin: 0 }
label { display: block; padding: .6rem .8rem; margin: .5rem 0; border: 1px solid #c8d2dc }
button { font: inherit; padding: .5rem 1.4rem; border: 1px solid #0f6cbd; background: #0f6cbd; color: #fff }
button[name] { background: #fff; color: inherit }
"""


class Page(Answer):
    """An answer that is HTML."""

    def encoded(self) -> bytes:
        """The page as bytes."""
        return str(self.body).encode()


def answer(sandbox: OutlookSandbox, request: Request) -> Answer:
    """The answer to a request of the login host."""
    found = PATH.match(request.path)
    if found is None:
        return _page(404, "<h1>404</h1><p>The page was not found.</p>")
    if found["consent"]:
        return _consent(sandbox, request)
    if found["what"] == "authorize":
        return _authorize(sandbox, request)
    return _token(sandbox, request, found["tenant"])


def _authorize(sandbox: OutlookSandbox, request: Request) -> Answer:
    if request.method != "GET":
        return _page(405, "<h1>405</h1>")
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    problem = _problem(sandbox, given, AUTHORIZE | ANSWERED)
    if problem:
        sorry = "<h1>Sign in</h1><p>Sorry, but we're having trouble signing you in.</p>"
        return _page(400, f"{sorry}<p>{html.escape(problem)}</p>")
    refused = _refused(given)
    if refused:
        return _back(given, refused)
    address = given.get("sandbox_mailbox") or (_hinted(sandbox, given) if sandbox.auto_approve else None)
    if address is None:
        return _page(200, _choice(sandbox, request))
    if address.lower() not in sandbox.mailboxes:
        return _back(given, _denial("login_required", "AADSTS50034: The user account does not exist."))
    scopes, challenge = _scopes(given["scope"]), given.get("code_challenge")
    return _back(given, {"code": sandbox.issuer.code(address.lower(), scopes, given["redirect_uri"], challenge)})


def _refused(given: Mapping[str, str]) -> dict[str, str] | None:
    """Why the app gets no code."""
    if "sandbox_denied" in given:
        return _denial("access_denied", "AADSTS65004: User declined to consent to access the app.")
    if given.get("response_type") != "code" or given.get("code_challenge_method", "S256") != "S256":
        return _denial("unsupported_response_type", "AADSTS70005: only codes, with S256.")
    scope = given.get("scope", "")
    if not scope or not _scopes(scope) <= GRANTABLE:
        return _denial(
            "invalid_scope", f"AADSTS70011: The provided value for the parameter 'scope' is not valid: {scope}"
        )
    return None


def _denial(error: str, description: str) -> dict[str, str]:
    return {"error": error, "error_description": description}


def _consent(sandbox: OutlookSandbox, request: Request) -> Answer:
    """An administrator agrees for the mailboxes listed in `sandbox.consented`; the page stands for the portal."""
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    problem = _problem(sandbox, given, CONSENT | ANSWERED)
    if problem or request.method != "GET":
        return _page(400, f"<p>{html.escape(problem or 'GET only')}</p>")
    if "sandbox_denied" in given:
        return _back(given, _denial("access_denied", "AADSTS65004: the administrator declined."))
    chosen = [value for name, value in parse_qsl(request.query) if name == "sandbox_mailbox"]
    if not chosen and not sandbox.auto_approve:
        return _page(200, _choice(sandbox, request))
    sandbox.consent_for(*(chosen or sandbox.mailboxes))
    return _back(given, {"admin_consent": "True", "tenant": TENANT})


def _token(sandbox: OutlookSandbox, request: Request, tenant: str) -> Answer:
    if request.method != "POST":
        return _failed(sandbox, Failure("invalid_request", 900561, "The endpoint only accepts POST requests."))
    given = dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
    try:
        _check_client(sandbox, given, request.headers)
        return Answer(200, _issued(sandbox, given, tenant), {"Cache-Control": "no-store, no-cache"})
    except Failure as failure:
        return _failed(sandbox, failure)


def _issued(sandbox: OutlookSandbox, given: dict[str, str], tenant: str) -> dict[str, Any]:
    grant = _needed(given, "grant_type")
    scopes = _scopes(given["scope"]) if given.get("scope") else None
    if grant == "authorization_code":
        return sandbox.issuer.exchange(
            _needed(given, "code"), _needed(given, "redirect_uri"), given.get("code_verifier")
        )
    if grant == "refresh_token":
        return sandbox.issuer.refresh(_needed(given, "refresh_token"), scopes)
    if grant != "client_credentials":
        raise Failure("unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{grant}'.")
    if tenant in {"common", "organizations", "consumers"}:
        raise Failure("invalid_request", 50059, "No tenant-identifying information found in the request.")
    if _needed(given, "scope") != f"{PREFIX}.default":
        raise Failure(
            "invalid_scope",
            1002012,
            "The provided value for scope is not valid: client credentials need a scope that ends in /.default.",
        )
    if not sandbox.consented:
        text = f"Application with identifier '{sandbox.client_id}' was not found in the directory '{tenant}'."
        raise Failure("unauthorized_client", 700016, text)
    return sandbox.issuer.issue_to_app(GRANTABLE)


def _check_client(sandbox: OutlookSandbox, given: dict[str, str], headers: Mapping[str, str]) -> None:
    unknown = given.keys() - TOKEN
    if unknown:
        raise Failure(
            "invalid_request", 90014, f"The request has parameters that are not known: {', '.join(sorted(unknown))}."
        )
    given |= _basic(headers.get("authorization", ""))
    if _needed(given, "client_id") != sandbox.client_id:
        text = f"Application with identifier '{given['client_id']}' was not found in the directory."
        raise Failure("unauthorized_client", 700016, text)
    if given.get("client_secret") != sandbox.client_secret:
        raise Failure("invalid_client", 7000215, "Invalid client secret provided.", 401)


def _basic(header: str) -> dict[str, str]:
    if not header.lower().startswith("basic "):
        return {}
    try:
        client, _, secret = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        return {}
    return {"client_id": unquote(client), "client_secret": unquote(secret)}


def _needed(given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise Failure("invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.")
    return given[name]


def _failed(sandbox: OutlookSandbox, failure: Failure) -> Answer:
    now = sandbox.now()
    trace, correlation = ids.guid("trace", now, failure.number), ids.guid("correlation", now)
    shown = now.strftime("%Y-%m-%d %H:%M:%SZ")
    text = f"AADSTS{failure.number}: {failure.text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {shown}"
    body = {
        "error": failure.error,
        "error_description": text,
        "error_codes": [failure.number],
        "timestamp": shown,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={failure.number}",
    }
    return Answer(failure.status, body, {"Cache-Control": "no-store, no-cache"})


def _problem(sandbox: OutlookSandbox, given: Mapping[str, str], known: frozenset[str]) -> str | None:
    """Why the request cannot even be answered by a redirect."""
    unknown = given.keys() - known
    if unknown:
        return f"AADSTS90014: unknown parameters: {', '.join(sorted(unknown))}."
    if given.get("client_id") != sandbox.client_id:
        return "AADSTS700016: Application with this identifier was not found in the directory."
    if not given.get("redirect_uri") or (sandbox.redirect_uris and given["redirect_uri"] not in sandbox.redirect_uris):
        return "AADSTS50011: The redirect URI specified in the request is not one of the application's."
    return None


def _back(given: Mapping[str, str], what: Mapping[str, str]) -> Answer:
    state = {"state": given["state"]} if "state" in given else {}
    joined = "&" if "?" in given["redirect_uri"] else "?"
    return Answer(302, None, {"Location": f"{given['redirect_uri']}{joined}{urlencode({**what, **state})}"})


def _hinted(sandbox: OutlookSandbox, given: Mapping[str, str]) -> str | None:
    return given.get("login_hint") or next(iter(sandbox.mailboxes), None)


def _scopes(text: str) -> frozenset[str]:
    return frozenset(each.removeprefix(PREFIX) for each in text.split())


def _choice(sandbox: OutlookSandbox, request: Request) -> str:
    """The page on which a person picks a mailbox and agrees."""
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in parse_qsl(request.query, keep_blank_values=True)
    )
    kind = "checkbox" if request.path.rstrip("/").endswith("adminconsent") else "radio"
    boxes = "".join(
        f'<label><input type="{kind}" name="sandbox_mailbox" value="{html.escape(address)}"'
        f"{' checked' * (not number)}> {html.escape(mailbox.name)} &lt;{html.escape(address)}&gt;</label>"
        for number, (address, mailbox) in enumerate(sandbox.mailboxes.items())
    )
    return (
        '<p class="what">Outlook sandbox: nothing here is real</p><h1>Pick an account</h1>'
        "<p>The app may then read and write the mail, calendar and contacts of the account you choose.</p>"
        f"<form>{fields}{boxes}"
        '<p><button>Accept</button> <button name="sandbox_denied" value="1">Cancel</button></p></form>'
    )


def _page(status: int, body: str) -> Page:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
    written = (
        f"<!doctype html><html lang=en>{head}<title>Outlook sandbox</title><body><main>{body}</main></body></html>"
    )
    return Page(status, written, {"Content-Type": "text/html; charset=utf-8"})
