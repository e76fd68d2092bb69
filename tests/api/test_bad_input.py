"""Input that cannot be accepted: what exactly is answered, and that the database is the same before and after."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from api.problems import BadUserInput, RequestRefused
from domain.core.tenancy import TenantMissing
from tests.api.business import EVENING, NOON, Business, found
from tests.conftest import new_tenant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from api.engine import Engine
    from domain.core.database import Database
    from tests.snapshots import Snapshots

NOBODY = "cus_0190" + "0" * 28
PAGE = "query ($first: Int, $last: Int, $after: String) { %s { nodes { id } pageInfo { endCursor } } }"
BY_NAME = "customers(first: $first, last: $last, after: $after, orderBy: [{field: DISPLAY_NAME}])"
BY_ID = "customers(first: $first, last: $last, after: $after, orderBy: [{field: ID}])"
PEOPLE = BY_ID.replace("orderBy", "filter: {kind: {eq: PERSON}}, orderBy")


@pytest.fixture(scope="module")
async def business(engine: Engine, database: Database) -> Business:
    """One that no test changes; it has the lifecycles `buyer` and `saas`, and a text and a date of its customers."""
    made = await found(engine, database, await new_tenant(database))
    await made.caller.do("createLifecycle", {"template": "saas"})
    await made.caller.do("defineAttribute", {"key": "tier", "type": "TEXT", "label": "Tier"})
    await made.caller.do("defineAttribute", {"key": "signed_on", "type": "DATE", "label": "Signed on"})
    await made.caller.do(
        "defineAttribute", {"key": "passport", "type": "TEXT", "label": "Passport", "isPersonal": True}
    )
    return made


@pytest.fixture(scope="module")
async def foreign(engine: Engine, database: Database) -> Business:
    return await found(engine, database, await new_tenant(database))


@pytest.fixture(autouse=True)
async def unchanged(tables: Snapshots, business: Business, foreign: Business) -> AsyncIterator[None]:
    """Whatever a test here sends, nothing changes."""
    del business, foreign
    async with tables.nothing_changes():
        yield


async def refusal(business: Business, document: str, **variables: Any) -> tuple[str, str]:
    """The code and the message with which a whole request is refused."""
    with pytest.raises(RequestRefused) as refused:
        await business.caller.answer(document, **variables)
    return refused.value.code, refused.value.message


async def test_unknown_and_foreign_ids_are_answered_alike(business: Business, foreign: Business) -> None:
    document = "query ($id: ID!) { node(id: $id) { id } customer(by: {id: $id}) { id } }"
    answers = [await business.caller.answer(document, id=id_) for id_ in (NOBODY, foreign.ada)]
    assert answers == [{"data": {"node": None, "customer": None}}] * 2


async def test_a_text_that_is_no_id(business: Business) -> None:
    assert await refusal(business, "query ($id: ID!) { node(id: $id) { id } }", id="Ada") == (
        "BAD_USER_INPUT", "This is no id. Use one that an answer gave, as it stands.",
    )  # fmt: skip


@pytest.mark.parametrize("other", [BY_ID, PEOPLE])
async def test_a_cursor_of_another_order_or_filter(business: Business, other: str) -> None:
    page = await business.caller.answer(PAGE % BY_NAME, first=1)
    cursor = page["data"]["customers"]["pageInfo"]["endCursor"]
    assert await refusal(business, PAGE % other, first=1, after=cursor) == (
        "BAD_USER_INPUT", "This cursor belongs to another order or filter. Start from the first page.",
    )  # fmt: skip


@pytest.mark.parametrize("cursor", ["", "Ada", "Zm9v", "bm8gY3Vyc29y"])
async def test_a_text_that_is_no_cursor(business: Business, cursor: str) -> None:
    assert await refusal(business, PAGE % BY_ID, first=1, after=cursor) == (
        "BAD_USER_INPUT", "This cursor cannot be read. Use one that a page gave.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("attribute", "scopes", "told"),
    [
        ('{key: "nope", text: "gold"}', [], ("BAD_USER_INPUT", "No attribute with this key is defined.")),
        ('{key: "nope"}', [], ("BAD_USER_INPUT", "No attribute with this key is defined.")),
        ('{key: "signed_on", text: "2026-01-01"}', [],
         ("BAD_USER_INPUT", "The attribute 'signed_on' is of type DATE: 'text' cannot be asked of it.")),
        ('{key: "passport", text: "X"}', ["pii:read"],
         ("FORBIDDEN", "Comparing a personal attribute takes the scope pii:read.")),
    ],
)  # fmt: skip
async def test_an_attribute_that_cannot_be_compared(
    business: Business, attribute: str, scopes: list[str], told: tuple[str, str]
) -> None:
    caller = business.caller
    reader = replace(caller, identity=replace(caller.identity, scopes=caller.identity.scopes - {*scopes}))
    for condition in (f"{{attribute: {attribute}}}", f"{{not: {{attribute: {attribute}}}}}"):
        asked = f"query {{ customers(first: 1, filter: {condition}) {{ nodes {{ id }} totalCount }} }}"
        answer = await reader.answer(asked)
        ((error),) = answer["errors"]
        assert (error["extensions"]["code"], error["path"]) == (told[0], ["customers"])
        assert error["message"].startswith(told[1])
        assert answer["data"] is None  # a page is never null


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ('{lifecycle: "nope"}', "There is no published lifecycle with this key."),
        ('{lifecycle: "buyer", key: {eq: "nope"}}', "The lifecycle 'buyer' has no stage 'nope'; there are: "),
        ('{lifecycle: "buyer", key: {in: ["nope"]}}', "The lifecycle 'buyer' has no stage 'nope'; there are: "),
        ('{or: [{key: {eq: "nope"}}]}', "No lifecycle has a stage 'nope'; there are: "),
    ],
)
async def test_a_stage_that_nobody_can_be_in(business: Business, stage: str, told: str) -> None:
    for condition in (f"{{stage: {stage}}}", f"{{not: {{stage: {stage}}}}}"):
        asked = f"query {{ customers(first: 1, filter: {condition}) {{ nodes {{ id }} }} }}"
        ((error),) = (await business.caller.answer(asked))["errors"]
        assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["customers"])
        assert error["message"].startswith(told)


async def test_a_stage_without_anybody_is_an_empty_page(business: Business) -> None:
    asked = (
        'query { customers(first: 1, filter: {stage: {lifecycle: "buyer", key: {eq: "loyalty"}}}) { nodes { id } } }'
    )
    assert await business.caller.answer(asked) == {"data": {"customers": {"nodes": []}}}


@pytest.mark.parametrize(
    ("of", "field", "told"),
    [
        ("customers", "segment", "There is no segment with this id."),
        ("customers", "department", "There is no department with this id or key here."),
        ("costs", "department", "There is no department with this id or key here."),
        ("costs", "initiative", "There is no initiative with this id here."),
    ],
)
async def test_a_filter_by_what_is_not_there_or_is_of_another_tenant(
    business: Business, foreign: Business, of: str, field: str, told: str
) -> None:
    for id_ in (f"{field[:3]}_{NOBODY[4:]}", getattr(foreign, field, f"{field[:3]}_{'f' * 32}")):
        for condition in (f'{field}: {{eq: "{id_}"}}', f'not: {{{field}: {{in: ["{id_}"]}}}}'):
            asked = f"query {{ {of}(first: 1, filter: {{{condition}}}) {{ nodes {{ id }} totalCount }} }}"
            ((error),) = (await business.caller.answer(asked))["errors"]
            assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", [of])
            assert error["message"].startswith(told)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"first": 0}, "first must be between 1 and 500, not 0."),
        ({"first": 501}, "first must be between 1 and 500, not 501."),
        ({"last": 501}, "last must be between 1 and 500, not 501."),
        ({"first": 5, "last": 5}, "Give first or last, and only one of both."),
        ({}, "Give first or last, and only one of both."),
    ],
)
async def test_a_page_of_no_possible_size(business: Business, asked: dict[str, int], message: str) -> None:
    assert await refusal(business, PAGE % BY_ID, **asked) == ("BAD_USER_INPUT", message)


def problem(kind: str, code: str, message: str, *path: str, **more: Any) -> dict[str, Any]:
    return {"__typename": kind, "code": code, "message": message, "path": list(path) or None, **more}


Refused = tuple[str, "Callable[[Business], dict[str, Any]]", dict[str, Any]]
REFUSED: dict[str, Refused] = {
    "an unknown attribute": (
        "updateCustomer",
        lambda of: {
            "id": of.bea, "version": of.bea_version,
            "attributes": [{"key": "tier", "value": {"text": "gold"}}, {"key": "colour", "value": {"text": "red"}}],
        },
        problem(
            "InvalidInput", "UNKNOWN_ATTRIBUTE",
            "No attribute with this key is defined. Define it first, or use one of the defined keys.",
            "attributes", "1",
        ),
    ),
    "a value of another type than its attribute's": (
        "createCustomer",
        lambda _: {"name": "Fay", "attributes": [{"key": "signed_on", "value": {"text": "yesterday"}}]},
        problem(
            "InvalidInput", "WRONG_ATTRIBUTE_TYPE", "This value does not fit the type of the attribute.",
            "attributes", "0",
        ),
    ),
    "a stage of another lifecycle": (
        "moveCustomer",
        lambda of: {"customer": of.ada, "lifecycle": "buyer", "toStage": "renewal"},
        problem(
            "InvalidInput", "UNKNOWN_STAGE",
            "This lifecycle has no stage 'renewal'. It has discovery, education, purchase, post_purchase, loyalty.",
            "toStage",
        ),
    ),
    "a move to the same stage": (
        "moveCustomer",
        lambda of: {"customer": of.ada, "toStage": "education", "occurredAt": EVENING},
        problem("Conflict", "SAME_STAGE", "The customer is in this stage already. Nothing was changed.", "toStage"),
    ),
    "a move in the future": (
        "moveCustomer",
        lambda of: {"customer": of.ada, "toStage": "loyalty", "occurredAt": "2999-01-01T00:00:00Z"},
        problem(
            "InvalidInput", "MOVE_IN_FUTURE",
            "A move cannot lie in the future. Give the time at which it happened, or leave it out.", "occurredAt",
        ),
    ),
    "a lifecycle that is not there": (
        "moveCustomer",
        lambda of: {"customer": of.ada, "lifecycle": "analytics", "toStage": "buy"},
        problem(
            "NotFound", "UNKNOWN_LIFECYCLE",
            "There is no published lifecycle with this key. Create or publish it first, or use the key of one that is.",
            "lifecycle",
        ),
    ),
    "a correction without a reason": (
        "correctTransition",
        lambda of: {"id": of.move, "occurredAt": EVENING, "reason": " "},
        problem(
            "InvalidInput", "REASON_REQUIRED", "This move needs a reason. Say why in the field `reason`.", "reason"
        ),
    ),
    "a correction that says nothing new": (
        "correctTransition",
        lambda of: {"id": of.move, "occurredAt": NOON, "reason": "Sure."},
        problem(
            "InvalidInput", "NOTHING_TO_CORRECT",
            "The correction says what is believed already. Give another stage or another time.",
        ),
    ),
    "a merge of a customer with itself": (
        "mergeCustomers",
        lambda of: {"into": of.ada, "customers": [of.ada]},
        problem(
            "InvalidInput", "MERGED_WITH_ITSELF",
            "A customer cannot be merged with itself. Name two different customers.", "into",
        ),
    ),
    "a merge of two who are one": (
        "mergeCustomers",
        lambda of: {"into": of.cora, "customers": [of.dora]},
        problem(
            "Conflict", "ALREADY_MERGED",
            "These two are one customer already. To tell them apart, undo the merge first.", "into",
        ),
    ),
    "a merge with nobody": (
        "mergeCustomers",
        lambda of: {"into": of.cora, "customers": []},
        problem(
            "InvalidInput", "NOTHING_TO_MERGE",
            "No customer was named. Name at least one customer to merge into the other.", "customers",
        ),
    ),
    "an undoing of nothing": (
        "unmergeCustomers",
        lambda _: {"edges": []},
        problem("NotFound", "EDGE_NOT_FOUND", "No merge or veto with this id is known. Check the id."),
    ),
    "a refund in another currency than its order": (
        "recordRefund",
        lambda of: {"order": of.order, "occurredAt": NOON, "currency": "USD", "total": "1"},
        problem(
            "InvalidInput", "CURRENCIES_DIFFER",
            "Amounts of two currencies cannot be added. Convert one of them at a dated rate first.", "currency",
        ),
    ),
    "a refund to another customer than the order's": (
        "recordRefund",
        lambda of: {"order": of.order, "customer": of.bea, "occurredAt": NOON, "currency": "EUR", "total": "1"},
        problem(
            "InvalidInput", "REFUND_OF_ANOTHER",
            "The order belongs to another customer. Leave the customer out: the refund gets the order's.", "customer",
        ),
    ),
    "a price with too many decimals": (
        "recordOrder",
        lambda _: {
            "occurredAt": NOON, "currency": "EUR", "lines": [{"unitPrice": "1"}, {"unitPrice": "1.0000001"}],
        },
        problem(
            "InvalidInput", "TOO_PRECISE",
            "The number has more decimals than are kept: six for quantities, prices and rates, the currency's for"
            " money.", "lines", "1", "unitPrice",
        ),
    ),
    "the same deep in a changed order": (
        "changeOrder",
        lambda of: {
            "id": of.order, "version": 1,
            "order": {"occurredAt": NOON, "currency": "JPY", "lines": [{"unitPrice": "1", "discount": "0.5"}]},
        },
        problem(
            "InvalidInput", "TOO_PRECISE",
            "The number has more decimals than are kept: six for quantities, prices and rates, the currency's for"
            " money.", "order", "lines", "0", "discount",
        ),
    ),
    "an order without lines and total": (
        "recordOrder",
        lambda _: {"occurredAt": NOON, "currency": "EUR"},
        problem("InvalidInput", "TOTAL_MISSING", "A document needs lines or a total. Give one of them.", "total"),
    ),
    "a payload that is none of its kind": (
        "recordInteraction",
        lambda of: {"customer": of.ada, "kind": "CALL", "occurredAt": NOON, "payload": {"subject": "Hello"}},
        problem(
            "InvalidInput", "PAYLOAD_INVALID",
            "The payload does not fit this kind of interaction: Object contains unknown field `subject`.", "payload",
        ),
    ),
    "a person as an organisation": (
        "createCustomer",
        lambda of: {"name": "Fay", "organisationId": of.bea},
        problem(
            "InvalidInput", "NOT_AN_ORGANISATION",
            "People belong to organisations only. Name an organisation.", "organisationId",
        ),
    ),
    "an identifier in a scheme with a field of its own": (
        "createCustomer",
        lambda _: {"identities": [{"scheme": "tax_id", "value": "1"}, {"scheme": "email", "value": "x"}]},
        problem(
            "InvalidInput", "RESERVED_SCHEME",
            "This scheme has a place of its own: e-mail addresses and phones their fields, ids elsewhere their"
            " connectors.", "identities", "1", "scheme",
        ),
    ),
    "a text with NUL": (
        "createCustomer",
        lambda _: {"name": "Fay", "addresses": [{"city": "Par\0is"}]},
        problem(
            "InvalidInput", "UNSTORABLE",
            "A value cannot be kept: it is too long, or holds a character that no text has, such as NUL. Correct it.",
            "addresses", "0", "city",
        ),
    ),
    "a scope that the role does not allow": (
        "createApiToken",
        lambda of: {"name": "x", "scopes": ["customers:read", "everything"], "principal": of.principal},
        problem(
            "InvalidInput", "UNKNOWN_SCOPE", "There is no such scope, or the principal's role does not allow it.",
            "scopes",
        ),
    ),
    "a token for a moment": (
        "createApiToken",
        lambda of: {"name": "x", "scopes": [], "principal": of.principal, "expiresInSeconds": 899},
        problem("InvalidInput", "TOO_SHORT", "A token lasts at least 15 minutes.", "expiresInSeconds"),
    ),
    "a time zone that is none": (
        "updateTenant",
        lambda _: {"version": 1, "timeZone": "Mars/Olympus"},
        problem(
            "InvalidInput", "UNKNOWN_TIME_ZONE",
            "This is no IANA time zone. Use a name such as Europe/London.", "timeZone",
        ),
    ),
    "a lifecycle of nothing": (
        "createLifecycle",
        lambda _: {"key": "empty"},
        problem(
            "InvalidInput", "DEFINITION_MISSING",
            "A lifecycle needs a template, or stages of its own. Give one of both.", "stages",
        ),
    ),
    "a lifecycle that is there": (
        "createLifecycle",
        lambda _: {"template": "buyer"},
        problem(
            "Conflict", "LIFECYCLE_EXISTS",
            "A lifecycle with this key exists already. Choose another key, or publish a new version of that one.",
            "key",
        ),
    ),
    "another type for an attribute": (
        "defineAttribute",
        lambda _: {"key": "tier", "type": "BOOLEAN", "label": "Tier"},
        problem(
            "Conflict", "ATTRIBUTE_TYPE_FIXED",
            "An attribute keeps its type, since facts of it exist. Define another attribute instead.", "type",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_a_mutation_that_cannot_be_done(business: Business, case: str) -> None:
    name, asked, expected = REFUSED[case]
    assert await business.caller.refused(name, asked(business)) == expected


async def test_a_correction_of_a_foreign_move_is_answered_as_one_of_nothing(
    business: Business, foreign: Business
) -> None:
    asked = {"occurredAt": EVENING, "reason": "The clock was wrong."}
    for move in (foreign.move, "str_" + NOBODY[4:]):
        assert await business.caller.refused("correctTransition", {"id": move, **asked}) == problem(
            "NotFound", "FOREIGN_TRANSITION",
            "This customer has no such transition in this lifecycle. Take an id from the customer's stage history.",
            "id",
        )  # fmt: skip


async def test_a_merge_across_a_veto_is_told_who_vetoed_it_and_why(business: Business, database: Database) -> None:
    day = database.clock.now().date().isoformat()
    document = """mutation ($input: MergeCustomersInput!) { mergeCustomers(input: $input) {
      customer { id } edges problems { code path ... on MergeVetoed { evidence } } } }"""
    asked = {"into": business.ada, "customers": [business.bea]}
    for scopes, reason in ((business.caller.identity.scopes, "They met."), ({"customers:write"}, "***")):
        caller = business.caller.with_scopes(frozenset(scopes) | {"customers:read"})
        response = await caller.answer(document, input=asked)
        (refused,) = response["data"]["mergeCustomers"].pop("problems")
        assert response == {"data": {"mergeCustomers": {"customer": None, "edges": None}}}
        assert refused == {
            "code": "MERGE_VETOED", "path": ["customers"], "evidence": [f"Decided by Grace on {day}: {reason}."],
        }  # fmt: skip


async def test_a_stale_version_says_the_current_one(business: Business) -> None:
    document = """mutation ($input: CancelOrderInput!) { cancelOrder(input: $input) {
      problems { __typename code path ... on StaleVersion { currentVersion } } } }"""
    response = await business.caller.answer(document, input={"id": business.order, "version": 7})
    assert response["data"]["cancelOrder"]["problems"] == [
        {"__typename": "StaleVersion", "code": "STALE_VERSION", "path": ["version"], "currentVersion": 1}
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "Fay", "emails": ["fay"]}, "An e-mail address is expected."),
        (
            {"name": "Fay", "country": "nl"},
            "A country (ISO 3166-1) by its two capital letters, such as DE, is expected.",
        ),
        ({"kind": "ROBOT"}, "Value 'ROBOT' does not exist in 'CustomerKind' enum."),
        ({"attributes": [{"key": "tier", "value": {"text": "a", "boolean": True}}]}, "exactly one"),
    ],
)
async def test_a_value_that_is_none_of_its_type(business: Business, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await business.caller.respond("createCustomer", asked)
    assert said.lower() in refused.value.message.lower()


async def test_a_tenant_that_is_unset(business: Business) -> None:
    nobody = replace(business.caller, identity=replace(business.caller.identity, tenant_id=None))  # type: ignore[arg-type]
    response = await nobody.respond("createCustomer", {"name": "Fay"})
    assert response["data"] == {"createCustomer": None}
    assert [error["extensions"]["code"] for error in response["errors"]] == ["INTERNAL_SERVER_ERROR"]
    with pytest.raises(TenantMissing):
        await nobody.answer("{ viewer { tenant { name } } }")


async def test_an_earlier_field_stays_when_a_later_one_fails(business: Business) -> None:
    response = await business.caller.answer(
        """mutation ($order: ID!) {
          first: cancelOrder(input: {id: $order, version: 9}) { problems { code } }
          second: cancelOrder(input: {id: "nonsense", version: 1}) { problems { code } }
          third: cancelOrder(input: {id: $order, version: 8}) { problems { code } } }""",
        order=business.order,
    )
    assert response["data"] == {
        "first": {"problems": [{"code": "STALE_VERSION"}]}, "second": None,
        "third": {"problems": [{"code": "STALE_VERSION"}]},
    }  # fmt: skip
    assert [error["path"] for error in response["errors"]] == [["second"]]


async def test_null_in_the_place_of_the_one_field_that_is_asked_for(business: Business) -> None:
    document = """query ($by: ExternalRef = {connector: "files", id: "1"}) { customer(by: {external: $by}) { id } }"""
    with pytest.raises(BadUserInput, match="exactly one of its fields"):
        await business.caller.answer(document, by=None)
    assert (await business.caller.answer(document))["data"] == {"customer": None}
