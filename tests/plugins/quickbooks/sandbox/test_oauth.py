from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from plugins.quickbooks.sandbox import QuickBooksSandbox
from tests.plugins.quickbooks.sandbox.wire import REALM

if TYPE_CHECKING:
    import httpx2

    from tests.plugins.quickbooks.sandbox.wire import Clock, Wire

CALLBACK = "https://tenure.example/oauth/callback"
ASKED = {
    "client_id": "sandbox-client",
    "response_type": "code",
    "scope": "com.intuit.quickbooks.accounting",
    "redirect_uri": CALLBACK,
    "state": "s-1",
}
AUTHORIZE = "https://appcenter.intuit.com/connect/oauth2"
TOKEN = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"
REVOKE = "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"
USERINFO = "https://accounts.platform.intuit.com/v1/openid_connect/userinfo"


def basic(secret: str = "sandbox-secret") -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"sandbox-client:{secret}".encode()).decode()}


def sent_back(response: httpx2.Response) -> dict[str, str]:
    where = urlsplit(response.headers["location"])
    assert (response.status_code, f"{where.scheme}://{where.netloc}{where.path}") == (302, CALLBACK)
    return {name: values[0] for name, values in parse_qs(where.query).items()}


async def token(wire: Wire, **form: str) -> httpx2.Response:
    return await wire.http.post(TOKEN, data=form, headers=basic())


async def refreshed(wire: Wire, value: str) -> dict[str, Any]:
    response = await token(wire, grant_type="refresh_token", refresh_token=value)
    return {"status": response.status_code, **response.json()}


async def test_a_person_agrees(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.company("4620")
    page = await wire.http.get(AUTHORIZE, params={**ASKED, "state": '"><script>'})
    assert page.status_code == 200
    assert re.findall(r'value="(\d+)"', page.text) == [REALM, "4620"]
    assert "Sandbox Company 4620" in page.text
    assert "<script>" not in page.text
    given = sent_back(await wire.http.post(AUTHORIZE, params=ASKED, data={"realm": "4620", "answer": "allow"}))
    assert (given.keys(), given["realmId"], given["state"]) == ({"code", "realmId", "state"}, "4620", "s-1")
    exchange = {"grant_type": "authorization_code", "code": given["code"], "redirect_uri": CALLBACK}
    answer = await token(wire, **exchange)
    body = answer.json()
    assert body == {
        "token_type": "bearer",
        "expires_in": 3600,
        "access_token": body["access_token"],
        "refresh_token": body["refresh_token"],
        "x_refresh_token_expires_in": 8_640_000,
    }
    wire.realm, wire.token = "4620", body["access_token"]
    assert (await wire.get("companyinfo/4620")).status == 200
    again = await token(wire, **exchange)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})


async def test_a_person_refuses(wire: Wire) -> None:
    for answer in ({"realm": REALM, "answer": "deny"}, {"realm": "unknown", "answer": "allow"}, {}):
        given = sent_back(await wire.http.post(AUTHORIZE, params=ASKED, data=answer))
        assert given == {"error": "access_denied", "state": "s-1"}


async def test_nobody_need_look_when_everything_is_approved(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.auto_approve = True
    assert sent_back(await wire.http.get(AUTHORIZE, params=ASKED))["realmId"] == REALM


async def test_a_wrong_request_is_not_shown_to_a_person(wire: Wire) -> None:
    for change in ({"client_id": "other"}, {"redirect_uri": ""}):
        response = await wire.http.get(AUTHORIZE, params={**ASKED, **change})
        assert (response.status_code, "location" in response.headers) == (400, False)
    for change in ({"response_type": "token"}, {"scope": "openid"}, {"scope": ASKED["scope"] + " shoes"}):
        given = sent_back(await wire.http.get(AUTHORIZE, params={**ASKED, **change}))
        assert given == {"error": "invalid_request", "state": "s-1"}


@pytest.mark.parametrize(
    ("change", "late", "error"),
    [
        ({}, 0, None),
        ({}, 600, "invalid_grant"),
        ({"redirect_uri": "https://other.example"}, 0, "invalid_grant"),
        ({"code": "guessed"}, 0, "invalid_grant"),
        ({"code_verifier": "guessed"}, 0, "invalid_grant"),
        ({"grant_type": "password"}, 0, "unsupported_grant_type"),
    ],
)
async def test_a_code_with_pkce(
    wire: Wire, sandbox: QuickBooksSandbox, clock: Clock, change: dict[str, str], late: int, error: str | None
) -> None:
    sandbox.auto_approve = True
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # the pair of RFC 7636, appendix B
    challenge = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
    given = sent_back(await wire.http.get(AUTHORIZE, params={**ASKED, **challenge}))
    clock.forward(seconds=late)
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": verifier}
    answer = await token(wire, **{**form, "code": given["code"], **change})
    assert (answer.status_code, answer.json().get("error")) == (400 if error else 200, error)


async def test_a_refresh_token_changes_its_value_a_day_later_and_the_old_one_dies_a_day_after(
    wire: Wire, sandbox: QuickBooksSandbox, clock: Clock
) -> None:
    first = sandbox.tokens_for(REALM)["refresh_token"]
    clock.forward(hours=23)
    assert (await refreshed(wire, first))["refresh_token"] == first
    clock.forward(hours=1)
    second = (await refreshed(wire, first))["refresh_token"]
    assert second != first
    clock.forward(hours=23, minutes=59)
    assert (await refreshed(wire, first))["refresh_token"] == second
    clock.forward(minutes=1)
    assert await refreshed(wire, first) == {"status": 400, "error": "invalid_grant"}
    third = (await refreshed(wire, second))["refresh_token"]
    assert len({first, second, third}) == 3
    assert sandbox.authorizations.refreshes == 4


async def test_rotation_on_every_call(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    sandbox.authorizations.rotate_on_every_call = True
    sandbox.authorizations.grace = timedelta(0)
    first = sandbox.tokens_for(REALM)["refresh_token"]
    second = (await refreshed(wire, first))["refresh_token"]
    assert (await refreshed(wire, first))["error"] == "invalid_grant"
    assert (await refreshed(wire, second))["status"] == 200


async def test_a_refresh_token_lives_100_days_from_its_last_use_and_5_years(
    wire: Wire, sandbox: QuickBooksSandbox, clock: Clock
) -> None:
    unused = sandbox.tokens_for(REALM)["refresh_token"]
    used = sandbox.tokens_for(REALM)["refresh_token"]
    for _ in range(18):
        clock.forward(days=99)
        used = (await refreshed(wire, used))["refresh_token"]
    assert (await refreshed(wire, unused))["error"] == "invalid_grant"
    clock.forward(days=36)
    form = {"grant_type": "refresh_token", "refresh_token": used}
    headers = {**basic(), "x-include-refresh-token-hard-expires-in": "true"}
    answer = (await wire.http.post(TOKEN, data=form, headers=headers)).json()
    assert answer["x_refresh_token_hard_expires_in"] == answer["x_refresh_token_expires_in"] == 7 * 86_400
    clock.forward(days=7)
    assert (await refreshed(wire, used))["error"] == "invalid_grant"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_revocation(wire: Wire, sandbox: QuickBooksSandbox, kind: str) -> None:
    tokens = sandbox.tokens_for(REALM)
    for body, status in (({"token": tokens[kind]}, 200), ({"token": tokens[kind]}, 400), ({"token": "other"}, 400)):
        assert (await wire.http.post(REVOKE, json=body, headers=basic())).status_code == status
    assert (await wire.http.post(REVOKE, content=b"{", headers=basic())).status_code == 400
    assert (await refreshed(wire, tokens["refresh_token"]))["error"] == "invalid_grant"
    wire.token = tokens["access_token"]
    assert (await wire.query("SELECT * FROM Customer")).status == 401


async def test_the_client_must_know_its_secret(wire: Wire, sandbox: QuickBooksSandbox) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": sandbox.tokens_for(REALM)["refresh_token"]}
    wrong = [basic("guessed"), {}, {"authorization": "Basic !"}, {"authorization": "Bearer x"}]
    for headers in wrong:
        answer = await wire.http.post(TOKEN, data=form, headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    in_the_form = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    assert (await wire.http.post(TOKEN, data={**form, **in_the_form})).status_code == 200
    sandbox.client_secret = "another"
    assert (await wire.http.post(TOKEN, data=form, headers=basic())).status_code == 401


async def test_who_the_person_is(wire: Wire) -> None:
    response = await wire.http.get(USERINFO, headers={"authorization": f"Bearer {wire.token}"})
    assert response.json() == {
        "sub": f"person-of-{REALM}",
        "email": f"books@{REALM}.example",
        "emailVerified": True,
        "givenName": "Sandra",
        "familyName": "Box",
    }
    assert (await wire.http.get(USERINFO)).status_code == 401


async def test_discovery_names_the_vendor_or_wherever_the_sandbox_is(wire: Wire) -> None:
    path = "/.well-known/openid_configuration/"
    document = (await wire.http.get(f"https://developer.intuit.com{path}")).json()
    assert document["authorization_endpoint"] == AUTHORIZE
    assert (document["token_endpoint"], document["revocation_endpoint"]) == (TOKEN, REVOKE)
    here = (await wire.http.get(f"http://127.0.0.1:9000{path}")).json()
    assert here["token_endpoint"] == "http://127.0.0.1:9000/oauth2/v1/tokens/bearer"
    assert document.keys() == here.keys()


async def test_two_sandboxes_of_one_seed_give_the_same_tokens_and_of_two_seeds_do_not(clock: Clock) -> None:
    one, two, other = (QuickBooksSandbox(now=clock, seed=seed) for seed in (0, 0, 1))
    assert one.tokens_for(REALM) == two.tokens_for(REALM) != other.tokens_for(REALM)
