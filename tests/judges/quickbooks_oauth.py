"""Run by the judges' Python: intuit-oauth, unmodified, gets, renews and revokes tokens of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import requests
from courtroom import hold, raised
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError

if TYPE_CHECKING:
    from collections.abc import Callable

CALLBACK = "https://tenure.example/oauth/callback"


def authorised(brief: dict[str, Any]) -> AuthClient:
    oauth = AuthClient(brief["client_id"], brief["client_secret"], CALLBACK, "sandbox")
    address = oauth.get_authorization_url([Scopes.ACCOUNTING, Scopes.OPENID], state_token="state-1")
    sent_back = requests.get(address, allow_redirects=False, timeout=5)
    assert sent_back.status_code == 302
    where = urlsplit(sent_back.headers["location"])
    given = {name: values[0] for name, values in parse_qs(where.query).items()}
    assert (f"{where.scheme}://{where.netloc}{where.path}", given["state"]) == (CALLBACK, "state-1")
    oauth.get_bearer_token(given["code"], realm_id=given["realmId"])
    return oauth


def refused(call: Callable[[], object], status: int, error: str) -> None:
    caught = raised(AuthClientError, call)
    assert (caught.status_code, caught.content) == (status, f'{{"error":"{error}"}}'.encode())


def judges_discovery(brief: dict[str, Any]) -> None:
    for environment in ("sandbox", "production"):
        oauth = AuthClient(brief["client_id"], brief["client_secret"], CALLBACK, environment)
        assert oauth.auth_endpoint == "https://appcenter.intuit.com/connect/oauth2"
        assert oauth.token_endpoint == "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"
        assert oauth.revoke_endpoint == "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"
        assert oauth.issuer_uri == "https://oauth.platform.intuit.com/op/v1"


def judges_authorization(brief: dict[str, Any]) -> None:
    oauth = authorised(brief)
    assert (oauth.realm_id, oauth.expires_in, oauth.x_refresh_token_expires_in) == ("9130", 3600, 8640000)
    person = oauth.get_user_info().json()
    assert (person["sub"], person["emailVerified"]) == ("person-of-9130", True)


def judges_a_code_is_good_once(brief: dict[str, Any]) -> None:
    oauth = AuthClient(brief["client_id"], brief["client_secret"], CALLBACK, "sandbox")
    refused(lambda: oauth.get_bearer_token("AB11", realm_id="9130"), 400, "invalid_grant")


def judges_refresh_and_rotation(brief: dict[str, Any]) -> None:
    oauth = authorised(brief)
    access, first = oauth.access_token, oauth.refresh_token
    oauth.refresh()
    assert oauth.access_token != access
    assert oauth.refresh_token != first  # the sandbox under judgement rotates on every call, without grace
    refused(lambda: oauth.refresh(refresh_token=first), 400, "invalid_grant")
    oauth.refresh()


def judges_revocation(brief: dict[str, Any]) -> None:
    oauth = authorised(brief)
    assert oauth.revoke(token=oauth.refresh_token)
    refused(oauth.refresh, 400, "invalid_grant")
    refused(oauth.get_user_info, 401, "invalid_token")


def judges_another_secret(brief: dict[str, Any]) -> None:
    oauth = authorised(brief)
    oauth.client_secret = "guessed"
    refused(oauth.refresh, 401, "invalid_client")


hold(globals())
