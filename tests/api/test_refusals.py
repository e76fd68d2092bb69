from __future__ import annotations

import importlib
import pkgutil
from datetime import UTC, datetime
from uuid import uuid4

import pytest

import domain
import sync
from api.reading import Reader
from api.refusals import every_problem, kind_of, shown
from api.schema import core
from domain.core.problems import Conflict, DomainError, Invalid, StaleVersion


def test_every_problem_of_the_domain_has_a_code_of_its_own_in_the_schema() -> None:
    for layer in (domain, sync):
        for module in pkgutil.walk_packages(layer.__path__, f"{layer.__name__}."):
            importlib.import_module(module.name)
    problems = every_problem()
    assert [problem.code for problem in problems] == sorted({problem.code for problem in problems})
    assert {problem.code for problem in problems} == set(core.type_map["ProblemCode"].values)


@pytest.mark.parametrize("problem", every_problem())
def test_a_problem_says_what_is_wrong_in_whole_sentences(problem: type[DomainError]) -> None:
    message = problem().message
    assert message.endswith(".")
    assert message[0].isupper()


def test_a_problem_is_shown_as_its_nearest_kind() -> None:
    class Special(StaleVersion):
        """Something special."""

    assert kind_of(Special).name == "StaleVersion"
    assert kind_of(Conflict).name == "Conflict"
    assert Special.code == "SPECIAL"
    assert Special not in every_problem()


def test_a_path_without_an_input_is_in_the_names_of_the_schema() -> None:
    reader = Reader("en", sees_personal=True, now=datetime.now(UTC), principal_id=uuid4(), token_id=uuid4())
    assert shown(Invalid("No.", path=("occurred_at",)), None, reader) == {
        "__type": "InvalidInput", "code": "INVALID_INPUT", "message": "No.", "path": ["occurredAt"],
    }  # fmt: skip
