"""Verifiers believe what is genuine, by the vectors that others have published, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from tenure_sdk import BodySecret, Delivery, EchoQuery, HmacSignature, Reply, StandardWebhooks, StaticToken
from tenure_sdk.webhooks import standard_signature

NOW = datetime(2026, 1, 1, tzinfo=UTC)
INTUIT = HmacSignature(header="intuit-signature", encoding="base64")
VECTORS = [
    (
        "b5771f19b12ddb4bcdb9f08bdc50bc63878a",
        (
            b'{"eventNotifications":[{"realmId":"1185883450","dataChangeEvent":{"entities":[{"name":"Customer","id":"1",'
            b'"operation":"Create","lastUpdated":"2015-10-05T14:42:19-0700"}]}}]}'
        ),
        "JC2GUwciPmRBwEO7WvrRmKqu9tGOKL8FFallocTFi8Q=",
    ),
    (
        "00faeec4-08d0-4996-bb37-698ae19f0149",
        (
            b'{"eventNotifications":[{"realmId":"1269959970","dataChangeEvent":{"entities":[{"name":"Vendor","id":"40",'
            b'"operation":"Update","lastUpdated":"2016-10-05T03:09:04.000Z"},{"name":"Customer","id":"43",'
            b'"operation":"Create","lastUpdated":"2016-10-05T03:07:04.000Z"}]}}]}'
        ),
        "6q+xGyMirJupwKTh2/WBl2NcdxzxqdIbk3sneKTxLWM=",
    ),
]


def delivery(body: bytes = b"{}", **headers: str) -> Delivery:
    return Delivery(body, {name.replace("_", "-"): value for name, value in headers.items()}, received_at=NOW)


@pytest.mark.parametrize(("token", "body", "signature"), VECTORS, ids=["java", "dotnet"])
def test_published_signatures_hold(token: str, body: bytes, signature: str) -> None:
    assert INTUIT.holds(delivery(body, intuit_signature=signature), [token])
    assert INTUIT.holds(delivery(body, intuit_signature=signature), ["the new one", token])
    for wrong in (signature[:-2] + "Y=", signature.lower(), "", signature[:-1], f" {signature}", "é"):
        assert not INTUIT.holds(delivery(body, intuit_signature=wrong), [token])
    assert not INTUIT.holds(delivery(body + b" ", intuit_signature=signature), [token])
    assert not INTUIT.holds(delivery(body, intuit_signature=signature), ["another"])
    assert not INTUIT.holds(delivery(body, intuit_signature=signature), [])
    assert not INTUIT.holds(delivery(body), [token])


@given(st.integers(min_value=0), st.sampled_from(VECTORS))
def test_one_flipped_bit_is_enough(bit: int, vector: tuple[str, bytes, str]) -> None:
    token, body, signature = vector
    changed = bytearray(body)
    changed[bit // 8 % len(body)] ^= 1 << bit % 8
    assert not INTUIT.holds(delivery(bytes(changed), intuit_signature=signature), [token])


# RFC 4231, test case 2; RFC 2202, test case 2.
JEFE = b"what do ya want for nothing?"


@pytest.mark.parametrize(
    ("verifier", "signature"),
    [
        (
            HmacSignature(header="X-S", prefix="sha256="),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (HmacSignature(header="X-S", algorithm="sha1"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (
            HmacSignature(header="X-S", algorithm="sha512"),
            (
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
                "caeab1a34d4a6b4b636e070a38bce737"
            ),
        ),
    ],
)
def test_signatures_of_the_rfcs_hold(verifier: HmacSignature, signature: str) -> None:
    assert verifier.holds(delivery(JEFE, x_s=signature), ["Jefe"])
    assert not verifier.holds(delivery(JEFE, x_s=signature), ["jefe"])
    assert not verifier.holds(delivery(JEFE, x_s=signature.removeprefix("sha256=")[1:]), ["Jefe"])


def test_an_empty_secret_vouches_for_nothing() -> None:
    forged = HmacSignature(header="x-s").signature(b"{}", "")
    assert not HmacSignature(header="x-s").holds(delivery(x_s=forged), [""])
    assert not StaticToken("x-s").holds(delivery(), [""])
    at = str(int(NOW.timestamp()))
    signature = standard_signature("", "m", at, b"{}")
    signed = delivery(webhook_id="m", webhook_timestamp=at, webhook_signature=signature)
    assert not StandardWebhooks().holds(signed, [""])


@pytest.mark.parametrize(("off", "holds"), [(0, True), (-300, True), (300, True), (-301, False), (301, False)])
def test_old_and_early_timestamps_are_refused(off: int, holds: bool) -> None:
    verifier = HmacSignature(header="x-s", timestamp_header="X-At")
    at = str(int((NOW + timedelta(seconds=off)).timestamp()))
    signature = HmacSignature(header="x-s").signature(at.encode() + b".{}", "secret")
    assert verifier.holds(delivery(x_s=signature, x_at=at), ["secret"]) is holds


@pytest.mark.parametrize("at", ["", "soon", "1e3", "9" * 40, "-" + "9" * 40, "nan"])
def test_a_timestamp_that_is_none_is_refused(at: str) -> None:
    signature = HmacSignature(header="x-s").signature(at.encode() + b".{}", "secret")
    verifier = HmacSignature(header="x-s", timestamp_header="x-at")
    assert not verifier.holds(delivery(x_s=signature, x_at=at), ["secret"])


@given(st.text(), st.binary(min_size=24, max_size=64), st.text(alphabet="abc_0", min_size=1))
def test_standard_webhooks_sign_as_their_own_library(body: str, key: bytes, name: str) -> None:
    now = datetime.now(UTC)
    secret = f"whsec_{b64encode(key).decode()}"
    at = str(int(now.timestamp()))
    ours = standard_signature(secret, name, at, body.encode())
    oracle = standardwebhooks.Webhook(secret)
    assert ours == oracle.sign(name, now, body)
    headers = {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": f"v1,bm9uZQ== {ours}"}
    signed = Delivery(body.encode(), headers, received_at=now)
    assert StandardWebhooks().holds(signed, [secret])
    assert StandardWebhooks().holds(signed, [f"whsec_{b64encode(b'x' * 24).decode()}", secret])
    assert not StandardWebhooks().holds(signed, [f"whsec_{b64encode(b'x' * 24).decode()}"])


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_standard_webhooks_need_all_headers(missing: str) -> None:
    at = str(int(NOW.timestamp()))
    headers = {"webhook-id": "m", "webhook-timestamp": at, "webhook-signature": standard_signature("k", "m", at, b"{}")}
    assert StandardWebhooks().holds(Delivery(b"{}", headers, received_at=NOW), ["k"])
    headers.pop(missing)
    assert not StandardWebhooks().holds(Delivery(b"{}", headers, received_at=NOW), ["k"])
    old = Delivery(b"{}", headers, received_at=NOW + timedelta(seconds=301))
    assert not StandardWebhooks().holds(old, ["k"])


def test_a_token_in_a_header() -> None:
    assert StaticToken("X-Token").holds(delivery(x_token="right"), ["old", "right"])
    assert not StaticToken("X-Token").holds(delivery(x_token="wrong"), ["right"])
    assert not StaticToken("X-Token").holds(delivery(), ["right"])


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        (b'{"value": [{"clientState": "s"}, {"clientState": "s2"}]}', True),
        (b'{"value": [{"clientState": "s"}, {"clientState": "x"}]}', False),
        (b'{"value": [{"clientState": "s"}, {}]}', False),
        (b'{"value": []}', False),
        (b'{"value": [7]}', False),
        (b"[]", False),
        (b"{", False),
        (b"\xff", False),
    ],
)
def test_a_secret_in_every_entry(body: bytes, holds: bool) -> None:
    assert BodySecret().holds(delivery(body), ["s", "s2"]) is holds


@given(st.binary())
def test_no_body_makes_a_verifier_fail(body: bytes) -> None:
    verifiers: tuple[Any, ...] = (INTUIT, StandardWebhooks(), StaticToken("x"), BodySecret())
    assert [verifier.holds(delivery(body), ["secret"]) for verifier in verifiers] == [False] * 4


def test_a_question_is_answered_with_itself() -> None:
    asked = Delivery(b"", {}, {"validationToken": "a <b> ü"})
    assert EchoQuery("validationToken").reply(asked) == Reply("a <b> ü")
    assert EchoQuery("validationToken").reply(Delivery(b"", {})) is None
