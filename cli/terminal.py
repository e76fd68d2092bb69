"""What every command shares: settings, waiting, running, and the way it speaks."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from domain.core.database import Database
    from domain.core.settings import Settings

Result = TypeVar("Result")

Data = Annotated[Path | None, typer.Option("--data", help="Where the embedded database lives.", envvar="TENURE_DATA")]


def app(what: str) -> typer.Typer:
    """A group of commands; its help is plain text, since a richer one takes longer to load than to read."""
    return typer.Typer(
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


def say(text: str) -> None:
    """Tell the reader something that is no part of the result."""
    typer.echo(text, err=True)
