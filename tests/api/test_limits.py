from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from graphql import OperationDefinitionNode, get_introspection_query, parse

from api.limits import MOST_COST, Cost, Scale, fragments_of, weigh
from api.problems import CostExceeded
from api.reads.operation import Operations
from api.schema import core
from tests.api.test_reads import Q1

Q2 = """query Q2($stage: String!, $country: String!, $after: String) { customers(first: 50, after: $after,
  filter: {stage: {lifecycle: "buyer", key: {eq: $stage}}, country: {eq: $country}},
  orderBy: [{field: LAST_PURCHASE_AT, direction: DESC}]) {
  edges { cursor node { id displayName emails { address } stage(lifecycle: "buyer") { stage { key name } }
    timeline(first: 5) { nodes { id kind channel occurredAt summary } } } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
Q3 = """query Q3($after: String) { customers(first: 500, after: $after, orderBy: [{field: ID}]) { nodes {
  id kind displayName status country firstSeenAt firstPurchaseAt lastPurchaseAt createdAt updatedAt } } }"""


def cost(text: str, **variables: Any) -> int:
    """What the only operation of a document costs."""
    document = parse(text)
    (operation,) = (part for part in document.definitions if isinstance(part, OperationDefinitionNode))
    return Cost(operation, fragments_of(document)).of(variables)


def refused(text: str) -> dict[str, Any]:
    """What a document is told that asks for too much."""
    with pytest.raises(CostExceeded) as told:
        Operations(core).find(text, None)
    return {"message": told.value.message, **told.value.extensions}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ __typename }", 1),
        ("{ orderTotals { orders refunds } }", 3),
        ("{ customers(first: 10) { nodes { id } } }", 1 + 10 * 2),
        ("{ customers(last: 10) { edges { node { id } } pageInfo { endCursor } } }", 1 + 10 * 3 + 2),
        ("{ customers(first: 10) { ...Page } } fragment Page on CustomerConnection { nodes { id } }", 1 + 10 * 2),
        ("{ customers(first: 10) { ... { nodes { id } } totalCount } }", 1 + 10 * 2 + 21),
        ("{ customers(first: 10) { nodes { timeline(first: 5) { nodes { id } } } } }", 1 + 10 * (1 + 1 + 5 * 2)),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', 1 + 3 * 1),
        ("{ customers(first: 2, filter: {and: [{kind: {eq: PERSON}}, {}]}) { nodes { id } } }", 1 + 2 * 2 + 4 * 25),
        ('mutation { a: createCustomer(input: {name: "A"}) { customer { id } } b: __typename }', 4 + 2 * 50),
        (
            "mutation { ...Two } fragment Two on Mutation { a: updateTenant { id } ... { b: updateTenant { id } } }",
            4 + 2 * 50,
        ),
        ("{ __schema { types { name } } }", 3 + 5_000),
        ("{ customers(first: 100000) { nodes { id } } }", 1 + 500 * 2),
        ("{ customers(first: -1) { nodes { id } } }", 1 + 2),
        ("{ a: __typename ...F ...F } fragment F on Query { __typename b: __typename }", 1 + 2 * 2),
    ],
)
def test_every_field_costs_one_for_each_time_that_it_can_stand_in_the_answer(text: str, expected: int) -> None:
    assert cost(text) == expected


def test_the_size_of_a_page_may_come_from_a_variable() -> None:
    text = """query ($n: Int, $f: CustomerFilter, $c: String) {
      customers(first: $n, filter: $f, after: $c) { nodes { id } } }"""
    assert cost(text, n=3) == 1 + 3 * 2
    assert cost(text, n=500, c="x") == 1 + 500 * 2
    assert cost(text, n=3, f={"or": [{"kind": {"eq": "PERSON"}}, {"country": {"in": ["GB", "IR"]}}]}) == 7 + 5 * 25
    assert cost(text) == 3
    assert cost("query ($n: Int) { customers(first: 500, last: $n) { nodes { id } } }") == 1_001
    assert cost("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["a"] * 100) == 101


def test_what_front_ends_ask_for_costs_little() -> None:
    fields = " ".join(f"f{number}" for number in range(30))
    assert cost(Q1, id="cus_x") == 695
    assert cost(Q2, stage="purchase", country="GB") == 2_231
    assert cost(Q3) == 5_526
    assert cost(f"{{ customers(first: 500) {{ nodes {{ {fields} }} }} }}") == 15_501
    assert cost(get_introspection_query()) == 5_220


def test_pages_in_pages_in_pages_are_refused() -> None:
    nested = """query (%s) { customers(first: %s) { nodes { timeline(first: %s) { nodes { customer {
      timeline(first: %s) { nodes { id } } } } } } } }"""
    assert refused(nested.replace("(%s)", "", 1) % (100, 100, 100)) == {
        "message": "The operation costs 2,030,201; the limit is 50,000. Ask for smaller pages or fewer fields.",
        "measure": "cost",
        "cost": 2_030_201,
        "limit": MOST_COST,
    }
    by_variable = nested % ("$n: Int!", "$n", "$n", "$n")
    assert cost(by_variable, n=10) == 2_321
    with pytest.raises(CostExceeded, match="costs 2,030,201; the limit is 50,000"):
        cost(by_variable, n=100)


def test_a_thousand_aliases_or_directives_are_refused() -> None:
    assert refused("{" + " ".join(f"a{number}: __typename" for number in range(1_000)) + "}") == {
        "message": "The document has 1,000 aliases; the limit is 250.",
        "measure": "aliases",
        "found": 1_000,
        "limit": 250,
    }
    assert refused("{ __typename" + " @include(if: true)" * 1_000 + "}") == {
        "message": "The document has 1,000 directives; the limit is 250.",
        "measure": "directives",
        "found": 1_000,
        "limit": 250,
    }


def test_nested_fragments_are_weighed_in_linear_time() -> None:
    names = "abcdefghijklmnopqrstu"
    fragments = [f"fragment {outer} on Query{{...{inner} ...{inner}}}" for outer, inner in pairwise(names)]
    text = ("{...a}" + "".join(fragments) + "fragment u on Query{__typename}").ljust(651)
    document = parse(text)
    scale = Scale(fragments_of(document), {})
    assert scale.operation(document.definitions[0]).once == 2**20
    assert (len(text), scale.visited) == (651, 1 + 2 * 20 + 1)
    assert refused(text)["cost"] == 2**20


def chain(fragment: str, length: int) -> str:
    """Fragments of which each spreads the `next` one."""
    links = (f"fragment f{number} on Query {fragment.replace('next', f'f{number + 1}')}" for number in range(length))
    return "{ ...f0 }" + "".join(links)


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        ("{ x" + "{ x" * 20 + "}" * 21, "levels"),
        ("{" + "x {" * 150 + "x" + "}" * 151, "levels"),
        (chain("{ ...next }", 400), "levels"),
        (" ".join(f"query q{number} {{ __typename }}" for number in range(21)), "operations"),
        (chain("{ x { ...next ...next } }", 10), "objects"),
        ("{" + " __typename" * 4_000 + "}", "checks"),
        ("{" + " orderTotals { orders }" * 900 + "}", "checks"),
        (chain("{ x ...next ...next }", 60), "cost"),
    ],
)
def test_what_would_take_long_to_check_or_plan_is_refused_before(text: str, measure: str) -> None:
    assert refused(text)["measure"] == measure


def test_fragments_that_spread_themselves_are_left_to_validation() -> None:
    document = parse("{ ...a } fragment a on Query { ...b x } fragment b on Query { ...a }")
    assert weigh(document).visited == 4
