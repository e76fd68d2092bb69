"""The reference pages say what the code is."""

from __future__ import annotations

import re
import subprocess

import pytest
import typer

from cli.main import app
from docs import generate
from domain.core.settings import Settings
from domain.stages.templates import KEYS
from domain.tenants.rules import Scope
from sync import registry
from tests.docs.pages import DOCS, REFERENCE, ROOT, headings, text_of


@pytest.mark.parametrize("name", generate.PARTS)
def test_the_generated_parts_are_up_to_date(name: str) -> None:
    assert text_of(REFERENCE / f"{name}.md") == generate.page(name), "run make docs"


@pytest.mark.parametrize("name", generate.PARTS)
def test_a_page_keeps_what_people_wrote_around_the_generated_part(name: str) -> None:
    page = generate.page(name)
    assert page.startswith("# ")
    assert page.count(generate.BEGIN) == page.count(generate.END) == 1


def test_every_setting_has_its_heading() -> None:
    named = {f"`TENURE_{name.upper()}`" for name in Settings.model_fields}
    assert named <= set(headings(REFERENCE / "settings.md"))


def test_every_variable_that_a_program_reads_has_its_heading() -> None:
    listed = ["git", "grep", "-ohE", r"TENURE_[A-Z_]+[A-Z]", "--", "*.py", "Makefile", ":!tests", ":!bench"]
    named = set(subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    assert named - {heading.strip("`") for heading in headings(REFERENCE / "settings.md")} == set()


def commands(command: object, path: str = "tenure") -> set[str]:
    below = getattr(command, "commands", None)
    if below is None:
        return {path}
    return set().union(*(commands(each, f"{path} {name}") for name, each in below.items() if not each.hidden))


def test_every_command_has_its_heading() -> None:
    assert set(headings(REFERENCE / "commands.md")) - {"Commands"} == {
        f"`{command}`" for command in commands(typer.main.get_command(app))
    }


def test_every_lifecycle_template_has_its_heading() -> None:
    told = {heading.split(":")[0] for heading in headings(REFERENCE / "lifecycle-templates.md")[1:]}
    assert told == {f"`{key}`" for key in KEYS}


def test_every_problem_code_has_its_heading() -> None:
    from api.schema import core

    codes = core.type_map["ProblemCode"].values
    assert codes
    assert set(codes) - {heading.strip("`") for heading in headings(REFERENCE / "problems.md")} == set()


def test_every_error_code_is_in_the_page_on_graphql() -> None:
    from api import persisted, problems

    codes = {kind.code for kind in vars(problems).values() if hasattr(kind, "code")} | {
        persisted.PersistedQueryNotFound.code
    }
    rows = re.findall(r"^\| `([A-Z_]+)` \|", text_of(REFERENCE / "graphql.md"), re.MULTILINE)
    assert set(rows) == codes


def test_every_scope_is_in_the_page_on_graphql() -> None:
    rows = re.findall(r"^\| `([a-z]+:[a-z]+)` \|", text_of(REFERENCE / "graphql.md"), re.MULTILINE)
    assert rows == [str(scope) for scope in Scope]


def test_every_connector_has_its_heading() -> None:
    told = set(headings(DOCS / "README.md"))
    assert {f"`{connector}`" for connector in registry.load().connectors} - told == set()
