"""The page of limits has the numbers of the code."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from api import auth, limits, persisted, problems, replays
from api import pages as rows
from api.changing import tenants as tokens
from api.reads import operation
from api.schema import core
from api.transport import bodies, lifetime, sockets, streams
from cli import serving
from domain.core.settings import Settings
from domain.customers import identity
from domain.tenants import documents
from plugins.files import connector, opening
from sync import relay
from tests.docs.pages import REFERENCE, blocks, text_of

PAGE = text_of(REFERENCE / "limits.md")
MINUTE_BUDGET = Settings.model_fields["budget_per_minute"].default
LARGEST_FILE = {field.name: field.default for field in msgspec.structs.fields(connector.FilesConfig)}["max_bytes"]
NUMBERS: dict[str, Any] = {
    "body": bodies.MOST_BYTES,
    "objects and lists within each other in variables": bodies.DEEPEST,
    "`Idempotency-Key`": bodies._LONGEST_KEY,
    "words and signs": limits.MOST_TOKENS,
    "operations": limits.MOST_OF["operations"],
    "aliases": limits.MOST_OF["aliases"],
    "directives": limits.MOST_OF["directives"],
    "levels of fields": limits.MOST_OF["levels"],
    "objects (selections in braces)": limits.MOST_OF["objects"],
    "`totalCount`": limits._MORE["totalCount"],
    "`__schema` or `__type`": limits._MORE["__schema"],
    "each input object in the arguments of a query, such as a filter and every part of it": limits._INPUT_OBJECT,
    "each mutation or subscription field": limits._CHANGE,
    "one operation": limits.MOST_COST,
    "one token in a minute": MINUTE_BUDGET,
    "`first` or `last`": rows.MOST,
    "ids of `nodes(ids:)`": rows.MOST,
    "`connection_init` after a WebSocket opens": sockets.INITIALISED_WITHIN,
    "a WebSocket message": bodies.MOST_BYTES,
    "operations under way on a WebSocket": sockets.MOST_OPERATIONS,
    "the answer to an `Idempotency-Key`": replays.KEPT_FOR / timedelta(hours=1),
    "a document that is persisted": persisted._LONGEST,
    "the shortest life of a token that `createApiToken` makes": tokens.SHORTEST / timedelta(minutes=1),
    "a revoked token, in new requests": auth.BELIEVED / timedelta(seconds=1),
    "attempts to deliver an event, over about an hour": relay.MOST_ATTEMPTS,
    "events that cause events that cause events": relay.DEEPEST,
    "requests under way when the server is asked to stop": serving.DRAIN,
    "the worker's transaction under way then": serving.FINISH,
    "holders of one identifier that still prove anything": identity.MOST_HOLDERS,
    "an unpacked file that is imported": LARGEST_FILE / 1024**3,
    "a line of such a file": opening.LONGEST_LINE,
}
PAIRS = {
    "persisted documents of a tenant": {documents.MOST, documents.MOST_BYTES},
}


def told(row: str) -> set[float]:
    """The numbers of a row."""
    found = re.search(rf"^\| {re.escape(row)} \| ([^|]*) \|", PAGE, re.MULTILINE)
    assert found, row
    return {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", found[1])}


@pytest.mark.parametrize("row", NUMBERS)
def test_a_row_has_the_number_of_the_code(row: str) -> None:
    assert NUMBERS[row] in told(row)


@pytest.mark.parametrize("row", PAIRS)
def test_a_row_has_both_numbers_of_the_code(row: str) -> None:
    assert told(row) == PAIRS[row]


def test_the_sentences_have_the_numbers_of_the_code() -> None:
    assert (
        f"at most {operation.MOST_ERRORS} errors, and a message at most {problems.LONGEST_MESSAGE} characters" in PAGE
    )
    assert f"a comment every {streams.ALIVE_EVERY:g} seconds" in PAGE
    assert lifetime.RECHECKED_EVERY + auth.BELIEVED.total_seconds() < max(
        told("what follows with a token that is revoked or expires")
    )


def test_the_example_costs_what_it_is_said_to_cost() -> None:
    [view] = [block for block in blocks(REFERENCE / "graphql.md", "graphql") if "query View(" in block.text]
    cost = operation.Operations(core).find(view.text, None).cost.of({"id": "cus_1"})
    assert f"costs {cost}." in PAGE
