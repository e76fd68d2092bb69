"""`tenure`: the command line. Commands import what they need when they run, so that help comes at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import demo, importing, tenants, terminal
from cli.connectors import connectors
from cli.customers import customers
from cli.initiatives import baseline, initiative
from cli.integrations import integrations
from cli.keys import keys
from cli.models import models
from cli.syncing import reconcile, sync
from cli.terminal import Data

app = terminal.app("Customer lifecycle management: every customer's whole life in one place.")
app.add_typer(tenants.tenants, name="tenants")
app.add_typer(tenants.tokens, name="tokens")
app.add_typer(tenants.audit, name="audit")
app.add_typer(connectors, name="connectors")
app.add_typer(customers, name="customers")
app.add_typer(keys, name="keys")
app.add_typer(integrations, name="integrations")
app.add_typer(initiative, name="initiative")
app.add_typer(baseline, name="baseline")
app.add_typer(sync, name="sync")
app.add_typer(reconcile, name="reconcile")
app.add_typer(models, name="models")
app.command("import")(importing.import_file)
app.command("demo")(demo.demo)
data_app = terminal.app("The data of the embedded database.")
app.add_typer(data_app, name="data")

REFUSED = 2
"""The exit code of a command that was refused; its reason is one line on stderr."""


def main() -> None:
    """Run the command line."""
    from domain.core.problems import DomainError

    try:
        app()
    except DomainError as refused:
        details = ", ".join(f"{name}: {value}" for name, value in refused.details.items())
        terminal.say(f"Error: {refused.message}{f' ({details})' if details else ''}")
        sys.exit(REFUSED)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65535)] = 8000,
    data: Data = None,
) -> None:
    """Serve the API, with its relay and worker, until SIGTERM or Ctrl-C."""
    from cli import serving

    settings = terminal.settings(data)
    with serving.bound(host, port) as listening:
        serving.run(serving.serve(settings, listening, lambda at: terminal.say(f"Tenure listens on {at}")))


@app.command()
def worker(data: Data = None) -> None:
    """Run a relay and worker apart from the API, until SIGTERM or Ctrl-C."""
    from cli import serving

    serving.run(serving.work(terminal.settings(data), terminal.say))


@app.command()
def migrate(data: Data = None) -> None:
    """Bring the database to this version's shape and its logins to their rights."""
    from cli import installation

    with terminal.waiting("Migrating"):
        reached = terminal.run(installation.migrate(terminal.settings(data)))
    terminal.say(f"The database is at {reached}.")


@app.command()
def query(
    operation: Annotated[str | None, typer.Argument(help="The operation; from stdin when absent or -.")] = None,
    file: Annotated[Path | None, typer.Option(help="Read the operation from a file.")] = None,
    variables: Annotated[str | None, typer.Option(help="Its variables, a JSON object.")] = None,
    url: Annotated[
        str | None, typer.Option(help="A running server; without it, the API answers in this process.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="TENURE_TOKEN", help="The token; the demo's unless given.")
    ] = None,
    data: Data = None,
) -> None:
    """Send a GraphQL operation and print the answer; exit code 1 when it has errors."""
    from rich.console import Console

    from cli import asking

    bearer = asking.token(token)
    request = {"query": asking.operation(operation, file), "variables": asking.variables(variables)}
    answer = terminal.run(asking.ask(terminal.settings(data), url, bearer, request))
    Console(soft_wrap=True).print_json(data=answer, ensure_ascii=False)
    if "errors" in answer:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the GraphQL schema."""
    from api.schema import sdl

    typer.echo(sdl(), nl=False)


@data_app.command("path")
def data_path(data: Data = None) -> None:
    """Print where the embedded database lives."""
    typer.echo(terminal.settings(data).data)


if __name__ == "__main__":
    main()
