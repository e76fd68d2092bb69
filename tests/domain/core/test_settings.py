from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from domain.core.settings import Settings, oauth_name


def test_the_apps_at_the_vendors_come_from_two_variables_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_OAUTH_ACME_BOOKS_ID", "the-app")
    monkeypatch.setenv("TENURE_OAUTH_ACME_BOOKS_SECRET", "its-secret")
    monkeypatch.setenv("TENURE_OAUTH_HALF_ID", "only-half")
    settings = Settings.from_env()
    assert settings.oauth_app("acme-books") == ("the-app", SecretStr("its-secret"))
    assert settings.oauth_app("half") is None
    assert settings.oauth_app("other") is None
    assert "its-secret" not in f"{settings!r} {settings} {settings.oauth_app('acme-books')!r}"
    assert oauth_name("acme-books.2") == "ACME_BOOKS_2"


def test_sandboxes_are_on_this_machine() -> None:
    given = "quickbooks=http://127.0.0.1:9001, outlook=http://localhost:9002/,other=http://[::1]:9003"
    assert Settings(sandboxes=given).sandbox_addresses == {
        "quickbooks": "http://127.0.0.1:9001", "outlook": "http://localhost:9002", "other": "http://[::1]:9003",
    }  # fmt: skip
    assert Settings().sandbox_addresses == {}


@pytest.mark.parametrize(
    "given",
    [
        "quickbooks=http://10.0.0.1:9001", "quickbooks=https://127.0.0.1:9001", "quickbooks=http://127.0.0.1.example:1",
        "quickbooks=http://sandbox.example", "quickbooks", "=http://127.0.0.1:1", "quickbooks=http://127.0.0.1@10.0.0.1",
    ],
)  # fmt: skip
def test_a_sandbox_elsewhere_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="only this machine is allowed"):
        Settings(sandboxes=given)


@pytest.mark.parametrize(
    "given", ["https://crm.example.com", "https://crm.example.com/tenure/", "http://127.0.0.1:8000"]
)
def test_the_public_address_is_encrypted_or_local(given: str) -> None:
    assert Settings(public_url=given).public_url == given.rstrip("/")


@pytest.mark.parametrize("given", ["http://crm.example.com", "crm.example.com", "ftp://crm.example.com", ""])
def test_a_public_address_in_the_clear_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="https://"):
        Settings(public_url=given)
