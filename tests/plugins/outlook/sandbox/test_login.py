from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from plugins.outlook.sandbox.tokens import SCOPES
from tests.plugins.outlook.sandbox.conftest import refusal

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox, OutlookSandbox
    from tenure_sdk.http import httpx
    from tests.plugins.outlook.sandbox.conftest import Clock

BACK = "https://tenure.example/oauth/callback"
AUTHORIZE, TOKEN = "/common/oauth2/v2.0/authorize", "/common/oauth2/v2.0/token"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


def asked(sandbox: OutlookSandbox, **changes: str) -> dict[str, str]:
    return {
        "client_id": sandbox.client_id,
        "response_type": "code",
        "redirect_uri": BACK,
        "scope": SCOPES,
        "state": "s-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }


def sent_back(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 302
    url = urlsplit(response.headers["Location"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == BACK
    return {name: value for name, (value,) in parse_qs(url.query).items()}


async def code_for(login: httpx.AsyncClient, sandbox: OutlookSandbox, **changes: str) -> str:
    back = sent_back(await login.get(AUTHORIZE, params=asked(sandbox, **changes)))
    assert back["state"] == "s-1"
    return back["code"]


async def exchanged(
    login: httpx.AsyncClient, sandbox: OutlookSandbox, path: str = TOKEN, **given: str
) -> httpx.Response:
    secret = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    return await login.post(path, data={**secret, **given})


def failure(response: httpx.Response) -> tuple[int, str, int]:
    body = response.json()
    (number,) = body["error_codes"]
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    return response.status_code, body["error"], number


async def test_a_person_agrees_and_the_app_gets_tokens(
    login: httpx.AsyncClient, graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    code = await code_for(login, sandbox, login_hint="Ana@acme.example")
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    tokens = (await exchanged(login, sandbox, **grant)).json()
    assert (tokens["token_type"], 3600 <= tokens["expires_in"] < 5400) == ("Bearer", True)
    assert "https://graph.microsoft.com/Mail.ReadWrite" in tokens["scope"].split()
    me = await graph.get("me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["mail"] == "ana@acme.example"
    assert failure(await exchanged(login, sandbox, **grant)) == (400, "invalid_grant", 54005)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"code_verifier": "w" * 43}, (400, "invalid_grant", 501481)),
        ({"code": "unknown"}, (400, "invalid_grant", 70008)),
        ({"redirect_uri": "https://evil.example"}, (400, "invalid_client", 50011)),
        ({"client_secret": "guess"}, (401, "invalid_client", 7000215)),
        ({"client_id": "another"}, (400, "unauthorized_client", 700016)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"code": ""}, (400, "invalid_request", 900144)),
        ({"resource": "x"}, (400, "invalid_request", 90014)),
    ],
)
async def test_an_exchange_that_is_not_right_is_refused(
    login: httpx.AsyncClient,
    sandbox: OutlookSandbox,
    ana: Mailbox,
    change: dict[str, str],
    expected: tuple[int, str, int],
) -> None:
    code = await code_for(login, sandbox)
    right = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    assert failure(await exchanged(login, sandbox, **{**right, **change})) == expected
    assert sandbox.issuer.grants == {}


async def test_a_code_is_good_for_ten_minutes(
    login: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox, clock: Clock
) -> None:
    code = await code_for(login, sandbox)
    clock.forward(minutes=10)
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    assert failure(await exchanged(login, sandbox, **grant)) == (400, "invalid_grant", 70008)


async def test_the_client_may_name_itself_in_the_header(
    login: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    token = sandbox.tokens_for(ana.address)["refresh_token"]
    header = "Basic " + b64encode(f"{sandbox.client_id}:{sandbox.client_secret}".encode()).decode()
    grant = {"grant_type": "refresh_token", "refresh_token": token}
    assert (await login.post(TOKEN, data=grant, headers={"Authorization": header})).status_code == 200


async def test_a_refresh_token_is_replaced_and_the_old_one_stays_good(
    login: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox, clock: Clock
) -> None:
    old = sandbox.tokens_for(ana.address)["refresh_token"]
    clock.forward(days=89)
    new = (await exchanged(login, sandbox, grant_type="refresh_token", refresh_token=old)).json()["refresh_token"]
    assert new != old
    assert (await exchanged(login, sandbox, grant_type="refresh_token", refresh_token=old)).status_code == 200
    clock.forward(days=1)
    late = await exchanged(login, sandbox, grant_type="refresh_token", refresh_token=old)
    assert failure(late) == (400, "invalid_grant", 700082)
    assert (await exchanged(login, sandbox, grant_type="refresh_token", refresh_token=new)).status_code == 200


async def test_without_offline_access_there_is_nothing_to_refresh(sandbox: OutlookSandbox) -> None:
    assert "refresh_token" not in sandbox.tokens_for("ana@acme.example", "Mail.Read")


async def test_a_revoked_grant_ends_at_once(
    login: httpx.AsyncClient, graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    token = sandbox.tokens_for(ana.address)["refresh_token"]
    sandbox.issuer.revoke(ana.address)
    assert refusal(await graph.get("me")) == (401, "InvalidAuthenticationToken")
    answer = await exchanged(login, sandbox, grant_type="refresh_token", refresh_token=token)
    assert failure(answer) == (400, "invalid_grant", 50173)


async def test_a_new_policy_asks_for_the_person(
    login: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    token = sandbox.tokens_for(ana.address)["refresh_token"]
    sandbox.issuer.needs_mfa.add(ana.address)
    answer = await exchanged(login, sandbox, grant_type="refresh_token", refresh_token=token)
    assert failure(answer) == (400, "interaction_required", 50076)


async def test_tokens_end_by_the_clock(graph: httpx.AsyncClient, clock: Clock) -> None:
    assert (await graph.get("me")).status_code == 200
    clock.forward(seconds=5400)
    late = await graph.get("me")
    assert refusal(late) == (401, "InvalidAuthenticationToken")
    assert late.json()["error"]["message"] == "Lifetime validation failed, the token is expired."
    assert late.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer nonsense", "Basic YTpi"])
async def test_without_a_token_nothing_is_shown(graph: httpx.AsyncClient, header: str) -> None:
    answer = await graph.get("me", headers={"Authorization": header})
    assert refusal(answer) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    ("method", "path", "scopes", "status"),
    [
        ("GET", "me/messages", "Mail.Read", 200),
        ("GET", "me/messages", "Mail.ReadWrite", 200),
        ("POST", "me/messages", "Mail.Read", 403),
        ("POST", "me/sendMail", "Mail.ReadWrite", 403),
        ("GET", "me/contacts", "Mail.ReadWrite", 403),
        ("GET", "me/events", "Calendars.Read", 200),
        ("GET", "me", "Mail.Read", 403),
        ("GET", "users/bo@acme.example/messages", "Mail.ReadWrite", 403),
        ("GET", "users/nobody@acme.example/messages", "Mail.ReadWrite", 403),
    ],
)
async def test_a_token_reaches_as_far_as_its_scopes(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox, method: str, path: str, scopes: str, status: int
) -> None:
    sandbox.mailbox("bo@acme.example")
    token = sandbox.tokens_for(ana.address, scopes)["access_token"]
    answer = await graph.request(method, path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"]["code"] == "ErrorAccessDenied"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"response_type": "token"}, ("unsupported_response_type", "AADSTS70005")),
        ({"code_challenge_method": "plain"}, ("unsupported_response_type", "AADSTS70005")),
        ({"scope": "Files.ReadWrite"}, ("invalid_scope", "AADSTS70011")),
        ({"login_hint": "nobody@acme.example"}, ("login_required", "AADSTS50034")),
    ],
)
async def test_an_app_that_asks_wrongly_is_told_so_by_redirect(
    login: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox, change: dict[str, str], expected: tuple[str, str]
) -> None:
    back = sent_back(await login.get(AUTHORIZE, params=asked(sandbox, **change)))
    assert (back["error"], back["error_description"].partition(":")[0], back["state"]) == (*expected, "s-1")


@pytest.mark.parametrize("change", [{"client_id": "another"}, {"redirect_uri": ""}, {"foo": "1"}])
async def test_an_app_that_is_not_known_is_not_redirected(
    login: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox, change: dict[str, str]
) -> None:
    answer = await login.get(AUTHORIZE, params=asked(sandbox, **change))
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


async def test_redirect_uris_may_be_registered(login: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox) -> None:
    sandbox.redirect_uris = {"https://other.example/callback"}
    assert (await login.get(AUTHORIZE, params=asked(sandbox))).status_code == 400
    sandbox.redirect_uris.add(BACK)
    assert (await login.get(AUTHORIZE, params=asked(sandbox))).status_code == 302


async def test_a_person_picks_a_mailbox_or_declines(
    login: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    sandbox.auto_approve = False
    sandbox.mailbox("bo@acme.example")
    page = await login.get(AUTHORIZE, params=asked(sandbox))
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert 'value="bo@acme.example"' in page.text
    back = sent_back(await login.get(AUTHORIZE, params=asked(sandbox, sandbox_mailbox="bo@acme.example")))
    assert sandbox.issuer.codes[back["code"]].address == "bo@acme.example"
    declined = sent_back(await login.get(AUTHORIZE, params=asked(sandbox, sandbox_denied="1")))
    assert declined["error"] == "access_denied"


async def app_token(login: httpx.AsyncClient, sandbox: OutlookSandbox, **change: str) -> httpx.Response:
    grant = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default", **change}
    return await exchanged(login, sandbox, "/acme.example/oauth2/v2.0/token", **grant)


async def test_one_consent_opens_the_listed_mailboxes_and_no_others(
    login: httpx.AsyncClient, graph: httpx.AsyncClient, sandbox: OutlookSandbox, ana: Mailbox
) -> None:
    sandbox.mailbox("bo@acme.example")
    assert failure(await app_token(login, sandbox)) == (400, "unauthorized_client", 700016)
    consent = {"client_id": sandbox.client_id, "redirect_uri": BACK, "state": "s", "sandbox_mailbox": ana.address}
    back = sent_back(await login.get("/acme.example/adminconsent", params=consent))
    assert (back["admin_consent"], back["state"]) == ("True", "s")
    tokens = (await app_token(login, sandbox)).json()
    assert "refresh_token" not in tokens
    app: dict[str, Any] = {"headers": {"Authorization": f"Bearer {tokens['access_token']}"}}
    assert (await graph.get("users/ana@acme.example/messages", **app)).status_code == 200
    blocked = await graph.get("users/bo@acme.example/messages", **app)
    assert refusal(blocked) == (403, "ErrorAccessDenied")
    assert "AppOnly AccessPolicy" in blocked.json()["error"]["message"]
    assert refusal(await graph.get("users/nobody@acme.example", **app)) == (404, "Request_ResourceNotFound")
    assert refusal(await graph.get("me", **app)) == (400, "BadRequest")
    wanted = {
        "changeType": "created",
        "notificationUrl": BACK,
        "resource": "me/events",
        "expirationDateTime": "2026-11-24T00:00:00Z",
    }
    assert refusal(await graph.post("subscriptions", json=wanted, **app)) == (400, "BadRequest")
    closed = wanted | {"resource": "users/bo@acme.example/events"}
    assert refusal(await graph.post("subscriptions", json=closed, **app)) == (403, "ErrorAccessDenied")


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        (TOKEN, {}, (400, "invalid_request", 50059)),
        ("/acme.example/oauth2/v2.0/token", {"scope": "Mail.Read"}, (400, "invalid_scope", 1002012)),
    ],
)
async def test_an_app_of_its_own_names_its_tenant_and_the_default_scope(
    login: httpx.AsyncClient,
    sandbox: OutlookSandbox,
    path: str,
    change: dict[str, str],
    expected: tuple[int, str, int],
) -> None:
    sandbox.consent_for("ana@acme.example")
    grant = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default", **change}
    assert failure(await exchanged(login, sandbox, path, **grant)) == expected


async def test_nothing_else_is_there(login: httpx.AsyncClient) -> None:
    for path in ("/", "/common/oauth2/authorize", "/common/oauth2/v2.0/logout", "/v1.0"):
        assert (await login.get(path)).status_code == 404
    assert failure(await login.get(TOKEN)) == (400, "invalid_request", 900561)
