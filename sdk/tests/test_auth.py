"""Each way of being let in puts the credentials where the remote side looks for them, and nowhere else."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest

from tenure_sdk import ApiKey, Basic, ClientCredentials, Credentials, Custom, OAuth2, Outgoing

if TYPE_CHECKING:
    from collections.abc import Mapping


def applied(auth: Any, values: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    request = Outgoing("GET", "https://a.example/", {}, {})
    asyncio.run(auth.apply(request, Credentials(values)))
    return request.headers, request.params


@pytest.mark.parametrize(
    ("auth", "values", "headers", "params"),
    [
        (ApiKey(), {"api_key": "k"}, {"Authorization": "k"}, {}),
        (ApiKey(name="X-Key", prefix="Key "), {"api_key": "k"}, {"X-Key": "Key k"}, {}),
        (ApiKey(place="query", name="key"), {"api_key": "k"}, {}, {"key": "k"}),
        (ApiKey(place="basic_user"), {"api_key": "k"}, {"Authorization": "Basic azo="}, {}),
        (
            Basic(), {"username": "Aladdin", "password": "open sesame"},
            {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, {},
        ),
        (OAuth2(authorize_url="a", token_url="t"), {"access_token": "t"}, {"Authorization": "Bearer t"}, {}),
        (ClientCredentials(token_url="t"), {"access_token": "t"}, {"Authorization": "Bearer t"}, {}),
    ],
    ids=lambda each: type(each).__name__ if hasattr(each, "apply") else "",
)  # fmt: skip
def test_credentials_stand_where_they_belong(auth: Any, values: Any, headers: Any, params: Any) -> None:
    assert applied(auth, values) == (headers, params)


def test_basic_takes_any_script() -> None:
    headers, _ = applied(Basic(), {"username": "علی", "password": "ß:"})
    assert b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == "علی:ß:"


def test_a_connector_may_sign_itself() -> None:
    async def sign(request: Outgoing, secrets: Mapping[str, str]) -> None:
        request.headers["X-Signature"] = f"{request.method} {secrets['key']}"

    custom = Custom(sign=sign, fields=("key",))
    assert applied(custom, {"key": "k"}) == ({"X-Signature": "GET k"}, {})


def test_what_an_admin_has_to_give() -> None:
    assert ApiKey().fields == ("api_key",)
    assert Basic().fields == ("username", "password")
    assert OAuth2(authorize_url="a", token_url="t").fields == ()
    assert OAuth2(authorize_url="a", token_url="t").pkce
