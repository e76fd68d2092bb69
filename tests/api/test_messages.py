from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from api import messages
from api.refusals import every_problem
from api.schema import core
from domain.core.problems import DomainError, NotFound
from domain.stages.rules import UnknownStage
from tests.api.business import Caller
from tests.api.conftest import identity

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine

PERSIAN = re.compile(r"[\u0600-\u06ff]")


def test_every_problem_has_words_in_persian_and_no_words_are_left_over() -> None:
    assert set(messages.catalogue("fa")) == set(core.type_map["ProblemCode"].values)


@pytest.mark.parametrize("problem", every_problem())
def test_the_words_are_whole_sentences_in_persian(problem: type[DomainError]) -> None:
    words = messages.catalogue("fa")[problem.code]
    assert PERSIAN.match(words)
    assert words.endswith((".", "}"))
    assert "ي" not in words
    assert "ك" not in words


def test_words_name_what_the_problem_is_about() -> None:
    problem = UnknownStage("This lifecycle has no stage 'x'.", stage="x", known=("new", "loyal"))
    assert messages.message(problem, "fa") == "این چرخه مرحلهٔ «x» را ندارد. مرحله‌هایش این‌هاست: new، loyal."
    assert messages.message(problem, "en") == "This lifecycle has no stage 'x'."


def test_english_stands_in_where_words_or_details_are_missing() -> None:
    assert messages.message(NotFound("Nothing."), "de") == "Nothing."
    assert messages.message(UnknownStage("No such stage."), "fa") == "No such stage."


async def test_a_reader_gets_problems_in_his_language(engine: Engine, tenant: UUID) -> None:
    asked = {"into": "cus_" + "0" * 32, "customers": []}
    problem = await Caller(engine, identity(tenant)).refused("mergeCustomers", asked, language="fa")
    assert problem == {
        "__typename": "InvalidInput",
        "code": "NOTHING_TO_MERGE",
        "message": "هیچ مشتری‌ای نام برده نشده است. دست‌کم یک مشتری را برای ادغام نام ببرید.",
        "path": ["customers"],
    }
