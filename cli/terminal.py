"""What every command shares: settings, waiting, running, and the way it speaks."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator

    from rich.table import Table
    from typer.core import TyperGroup

    from domain.core.database import Database
    from domain.core.settings import Settings

Result = TypeVar("Result")

_WIDE = 200
"""Columns that a line may have where nobody looks at a terminal."""

Data = Annotated[Path | None, typer.Option("--data", help="Where the embedded database lives.", envvar="TENURE_DATA")]


def app(what: str, cls: type[TyperGroup] | None = None) -> typer.Typer:
    """A group of commands; its help is plain text, since a richer one takes longer to load than to read."""
    return typer.Typer(
        cls=cls,
        help=what,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def settings(data: Path | None = None, **overrides: object) -> Settings:
    """The settings from the environment, with what the command line says above them. Raises BadSetting."""
    from pydantic import ValidationError

    from domain.core.problems import Invalid
    from domain.core.settings import Settings

    class BadSetting(Invalid):
        """A setting has a value that it cannot have."""

    try:
        return Settings.from_env(data=data, **overrides)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise BadSetting(f"TENURE_{name}: {first['msg']}.") from wrong


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work to its end."""
    return asyncio.run(work)


@asynccontextmanager
async def opened(to: Settings) -> AsyncIterator[Database]:
    """The database, ready to use; who waits at a terminal sees that something happens."""
    from cli.installation import installed

    async with AsyncExitStack() as stack:
        with waiting("Opening the database"):
            database = await stack.enter_async_context(installed(to))
        yield database


@contextmanager
def waiting(on: str) -> Iterator[None]:
    """Show at a terminal what is being waited for."""
    spinner: Any = nullcontext()
    if sys.stderr.isatty():
        from rich.console import Console

        spinner = Console(stderr=True).status(on)
    with spinner:
        yield


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print rows under their headings; nothing is cut off where no terminal limits the width."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else _WIDE).print(drawn(columns, rows))


def drawn(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Rows under their headings, to be shown at a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in rows:
        shown.add_row(*map(Text, row))  # as text, nothing in it is taken for a style
    return shown


def say(text: str) -> None:
    """Tell the reader something that is no part of the result."""
    typer.echo(text, err=True)
