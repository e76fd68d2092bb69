# noqa: INP001 - a script beside what it writes
"""Writes the generated parts of the reference pages; `make docs` runs it, and a test finds what was forgotten."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from msgspec.structs import replace

from api import messages, refusals
from api.schema import core
from cli.main import app
from docs import metrics
from docs.records import kinds, shapes
from domain.core.problems import first_paragraph
from domain.core.settings import Settings
from domain.stages.conditions import encode
from domain.stages.templates import LifecycleTemplate, templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydantic.fields import FieldInfo

    from docs.records import Field, Shape
    from domain.core.problems import DomainError
    from domain.stages.rules import Rule, Stage

REFERENCE = Path(__file__).parent / "reference"
BEGIN, END = "<!-- begin: written by `make docs` -->", "<!-- end -->"
EMPTY = "–"


def main() -> None:
    """Bring every page up to date."""
    for name in PARTS:
        (REFERENCE / f"{name}.md").write_text(page(name), encoding="utf-8")
    _write_all(REFERENCE / "metrics", metrics.pages())


def _write_all(directory: Path, pages: Mapping[str, str]) -> None:
    """A directory that holds these pages and no other."""
    directory.mkdir(exist_ok=True)
    for old in directory.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (directory / name).write_text(text, encoding="utf-8")


def page(name: str) -> str:
    """A page as it should be: what people wrote around the generated part stays."""
    written = (REFERENCE / f"{name}.md").read_text(encoding="utf-8")
    part = f"{BEGIN}\n\n{PARTS[name]().strip()}\n\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: part, written, flags=re.DOTALL)


def settings() -> str:
    """Every setting under its environment variable."""
    return "\n\n".join(_setting(name, field) for name, field in Settings.model_fields.items())


def _setting(name: str, field: FieldInfo) -> str:
    prefix = Settings.model_config["env_prefix"]
    return f"### `{prefix}{name.upper()}`\n\n{field.description} Default: {_default(field)}."


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return first_paragraph(field.default_factory).rstrip(".")  # type: ignore[arg-type]
    return "none" if field.default in {None, ""} else f"`{field.default}`"


def commands() -> str:
    """Every command with its arguments and options."""
    return "\n\n".join(_commands(typer.main.get_command(app), "tenure", None))


def _commands(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=name, parent=parent)
    if not hasattr(command, "commands"):
        yield _command(command, context)
        return
    for below, subcommand in sorted(command.commands.items()):
        if not subcommand.hidden:
            yield from _commands(subcommand, below, context)


def _command(command: Any, context: Any) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    lines = [f"## `{context.command_path}`", _one_line(command.help), f"    {usage}"]
    if records:
        rows = [(f"`{names}`", _one_line(words)) for names, words in records]
        lines.append(_table(("argument or option", "meaning"), rows))
    return "\n\n".join(lines)


def _one_line(words: str) -> str:
    return " ".join(words.split())


def lifecycle_templates() -> str:
    """Every template in both languages, with its stages and rules."""
    return "\n\n".join(map(_template, templates()))


def _template(one: LifecycleTemplate) -> str:
    stages = [_stage(stage) for stage in one.lifecycle.stages]
    rules = [_rules(list(alike)) for _, alike in groupby(one.lifecycle.rules, lambda rule: replace(rule, source=None))]
    return "\n\n".join(
        [
            f"## `{one.key}`: {one.title.en}, {one.title.fa}",
            one.description.en,
            one.description.fa or EMPTY,
            _table(("stage", "English", "Persian", "step", "kind", "rots after", "what a customer here needs"), stages),
            _table(("from", "to", "trigger", "when"), rules),
        ]
    )


def _stage(stage: Stage) -> tuple[str, ...]:
    rotting = f"{stage.rotting_days} days" if stage.rotting_days else EMPTY
    needs = f"{stage.needs.en}<br>{stage.needs.fa or EMPTY}" if stage.needs else EMPTY
    return f"`{stage.key}`", stage.label.en, stage.label.fa or EMPTY, stage.step, stage.kind, rotting, needs


def _rules(alike: list[Rule]) -> tuple[str, ...]:
    """Rules that differ in nothing but the stage that they lead from, as one line."""
    first = alike[0]
    sources = ", ".join(_place(rule.source) for rule in alike)
    return sources, _place(first.target), first.trigger, _condition(encode(first.when)) if first.when else "always"


def _place(stage: str | None) -> str:
    return f"`{stage}`" if stage else "outside"


def _condition(plain: dict[str, Any]) -> str:
    """A condition in words; parts that have parts themselves stand in brackets."""
    match plain:
        case {"type": "all", "of": [*parts]}:
            return " and ".join(map(_bracketed, parts))
        case {"type": "any_of", "of": [*parts]}:
            return " or ".join(map(_bracketed, parts))
        case {"type": "not", "of": part}:
            return f"not ({_condition(part)})"
        case _:
            return _fact(plain)


def _fact(plain: dict[str, Any]) -> str:
    match plain:
        case {"type": "occasions"}:
            return f"{_bounds(plain)} purchase occasions"
        case {"type": "since_last_purchase", "days": days}:
            return f"last purchase {days} days ago or more"
        case {"type": "in_stage_for", "days": days}:
            return f"in the stage for {days} days or more"
        case {"type": "interactions", "kinds": kinds}:
            within = f" in the last {plain['within_days']} days" if "within_days" in plain else ""
            return f"at least {plain.get('gte', 1)} of {', '.join(kinds)}{within}"
        case _:
            raise ValueError(f"There are no words for {plain}.")


def _bracketed(part: dict[str, Any]) -> str:
    return f"({_condition(part)})" if part["type"] in {"all", "any_of"} else _condition(part)


def _bounds(plain: dict[str, Any]) -> str:
    bounds = [f"{word} {plain[key]}" for key, word in (("gte", "at least"), ("lt", "fewer than")) if key in plain]
    return " and ".join(bounds)


def problems() -> str:
    """Every problem of a mutation: its type, and what it says in both languages."""
    codes: Any = core.type_map["ProblemCode"]
    return "\n\n".join(_problem(problem) for problem in refusals.every_problem() if problem.code in codes.values)


def _problem(problem: type[DomainError]) -> str:
    kind = f"`{refusals.kind_of(problem).name}`"
    persian = messages.catalogue("fa")[problem.code]
    return f"### `{problem.code}`\n\n{kind}: {first_paragraph(problem)}\n\n{persian}"


def records() -> str:
    """Every record that a connector can yield, the parts of them, and the kinds of interactions."""
    parts = [_record(shape) for shape in shapes().values()]
    rows = [(f"`{payload}`", ", ".join(f"`{kind}`" for kind in each)) for payload, each in kinds().items()]
    return "\n\n".join([*parts, "## Kinds of interactions", _table(("payload", "kinds"), rows)])


def _record(shape: Shape) -> str:
    based = "" if shape.base == "Struct" else f" It has the fields of [`{shape.base}`](#{shape.base.lower()}) too."
    fields = _table(("field", "type", "default", ""), [_field(each) for each in shape.fields]) if shape.fields else ""
    return f"## `{shape.name}`\n\n{shape.meaning}{based}\n\n{fields}".rstrip()


def _field(field: Field) -> tuple[str, ...]:
    default = EMPTY if field.default is None else f"`{field.default}`"
    return f"`{field.name}`", f"`{field.type}`", default, field.meaning


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "lifecycle-templates": lifecycle_templates,
    "problems": problems,
    "records": records,
}

if __name__ == "__main__":
    main()
