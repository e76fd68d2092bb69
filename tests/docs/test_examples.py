"""Every GraphQL example fits the schema, and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from graphql import OperationDefinitionNode, OperationType, parse, validate

from api.schema import core
from tests.docs.pages import Block, blocks, pages

if TYPE_CHECKING:
    from tests.docs.conftest import Business

EXAMPLES = [block for page in pages() for block in blocks(page, "graphql")]
REFUSED = {"version: 999": "STALE_VERSION"}
"""Examples that show a problem, by what stands in them."""

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)
# These tell one story: test_first_look.py follows the tutorial, tests of the API the others.
STORIES = {
    "first-look.md",
    "write-a-connector.md",
    "enable-an-integration.md",
    "enable-outlook.md",
    "measure-an-initiative.md",
}
runnable_example = pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if one.page.name not in STORIES], ids=str
)


def operation_of(example: Block) -> OperationDefinitionNode:
    [operation] = [part for part in parse(example.text).definitions if isinstance(part, OperationDefinitionNode)]
    return operation


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 10


@every_example
def test_an_example_fits_the_schema(example: Block) -> None:
    assert validate(core, parse(example.text)) == []


@runnable_example
async def test_an_example_runs(example: Block, business: Business) -> None:
    operation = operation_of(example)
    if operation.operation is OperationType.SUBSCRIPTION:
        return
    wanted = {variable.variable.name.value for variable in operation.variable_definitions or ()}
    answer = await business.ask(example.text, **{"id": business.id} if "id" in wanted else {})
    assert "errors" not in answer, answer
    expected = next((code for mark, code in REFUSED.items() if mark in example.text), None)
    if operation.operation is OperationType.MUTATION:
        [payload] = answer["data"].values()
        assert [problem["code"] for problem in payload["problems"]] == ([expected] if expected else [])


async def test_the_view_of_a_customer_shows_what_was_done(business: Business) -> None:
    view = next(example for example in EXAMPLES if "query View(" in example.text)
    answer = await business.ask(view.text, id=business.id)
    customer = answer["data"]["customer"]
    assert customer["displayName"] == "Ada Lovelace"
    assert customer["emails"] == [{"address": "ada@example.com"}]
    assert customer["orderTotals"]["net"] == {"amount": "9.00", "currency": "EUR"}
