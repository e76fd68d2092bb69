"""What is wrong with settings is told all at once, by path, and no secret is among it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from sync.access.config import ConfigProblem, decoded, schema_of, secret_fields, split, validate_config
from tenure_sdk import ConfigInvalid, Connector

Secret = Annotated[str, Meta(extra_json_schema={"writeOnly": True, "format": "password"}, min_length=8)]


class Mailbox(Struct):
    address: Annotated[str, Meta(pattern="^[^@]+@[^@]+$")]
    keep: Literal["METADATA", "FULL"] = "METADATA"


class Everything(Struct):
    region: Literal["eu", "us"]
    signing_key: Secret
    pin: Secret | None = None
    mailboxes: Annotated[list[Mailbox], Meta(max_length=2)] = []
    days: Annotated[int, Meta(ge=1, le=90)] | None = None
    label: Annotated[str, Meta(min_length=2)] = "ok"
    base: str = "acme.example"


class Acme(Connector[Everything]):
    key, title, version, category = "acme", "Acme", "1", "email"
    hosts = ("{region}.acme.example", "{base}")


GOOD: dict[str, Any] = {"region": "eu", "signing_key": "a long enough one"}


def told(**changes: Any) -> list[ConfigProblem]:
    return validate_config(Acme, {**GOOD, **changes})


def test_good_settings_have_no_problems() -> None:
    assert told() == []
    assert told(mailboxes=[{"address": "a@b.example", "keep": "FULL"}], days=None, pin=None) == []


def test_everything_wrong_is_told_at_once_by_path() -> None:
    wrong = {
        "region": "mars", "mailboxes": [{"address": "no"}, {"keep": "ALL", "extra": 1}], "days": 0, "label": "x",
        "unknown": True, "base": 5,
    }  # fmt: skip
    assert validate_config(Acme, wrong) == [
        ConfigProblem(("base",), "must be of type string"),
        ConfigProblem(("days",), "must be at least 1"),
        ConfigProblem(("label",), "must have at least 2 characters"),
        ConfigProblem(("mailboxes", "0", "address"), "must match ^[^@]+@[^@]+$"),
        ConfigProblem(("mailboxes", "1", "address"), "is missing"),
        ConfigProblem(("mailboxes", "1", "extra"), "is not a setting of this connector"),
        ConfigProblem(("mailboxes", "1", "keep"), "must be one of FULL, METADATA"),
        ConfigProblem(("region",), "must be one of eu, us"),
        ConfigProblem(("signing_key",), "is missing"),
        ConfigProblem(("unknown",), "is not a setting of this connector"),
    ]


def test_too_many_and_the_wrong_type_are_told() -> None:
    assert told(mailboxes=[{"address": "a@b"}] * 3) == [ConfigProblem(("mailboxes",), "must have at most 2 entries")]
    assert told(mailboxes={}) == [ConfigProblem(("mailboxes",), "must be of type array")]
    assert told(days="soon") == [ConfigProblem(("days",), "must be of type integer")]


def test_a_secret_that_was_given_before_need_not_be_given_again() -> None:
    config = {"region": "eu"}
    assert validate_config(Acme, config) == [ConfigProblem(("signing_key",), "is missing")]
    assert validate_config(Acme, config, {"signing_key"}) == []


def test_no_problem_quotes_a_secret() -> None:
    assert told(signing_key="hunter2", pin="1234") == [
        ConfigProblem(("pin",), "does not fit: minLength"),
        ConfigProblem(("signing_key",), "does not fit: minLength"),
    ]


@pytest.mark.parametrize("base", ["10.0.0.1", "127.0.0.1", "2130706433", "169.254.169.254", "::1", "0x7f.1"])
def test_a_host_inside_the_network_is_told(base: str) -> None:
    (problem,) = told(base=base)
    assert problem.path == ("base",)
    assert problem.message.startswith("Requests may go to public https addresses only")


def test_secrets_are_known_and_split_off() -> None:
    assert secret_fields(Acme) == {"signing_key", "pin"}
    assert split(Acme, {**GOOD, "pin": None}) == ({"region": "eu"}, {"signing_key": GOOD["signing_key"], "pin": None})


def test_settings_and_secrets_make_the_connectors_config() -> None:
    made = decoded(Acme, {"region": "us", "days": 3}, {"signing_key": "a secret of some length", "client_id": "other"})
    assert made == Everything("us", "a secret of some length", days=3)


def test_what_does_not_fit_names_the_setting_and_no_value() -> None:
    with pytest.raises(ConfigInvalid, match=r"\(signing_key\)") as refused:
        decoded(Acme, {"region": "us"}, {"signing_key": "short"})
    assert (refused.value.key, "'short'" in str(refused.value)) == ("signing_key", False)


def test_the_schema_refuses_unknown_fields_at_every_depth() -> None:
    definitions = schema_of(Acme)["$defs"]
    assert [definitions[name]["additionalProperties"] for name in ("Everything", "Mailbox")] == [False, False]
