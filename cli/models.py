"""`tenure models`: have the models of a tenant fitted now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli import terminal
from cli.integrations import Tenant
from cli.terminal import Data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.core.settings import Settings
    from domain.metrics.clv.computing import Outcome

models = terminal.app("Models of how customers buy, stay and spend.")


@models.command("fit")
def fit(tenant: Tenant, data: Data = None) -> None:
    """Fit every model to the tenant's purchases and value its customers, here and now.

    A worker does the same once a week. Prints each model with its parameters, or what it lacks.
    """
    outcome = terminal.run(_fitted(terminal.settings(data), tenant))
    if outcome is None:
        terminal.say("Nobody has bought anything yet.")
        return
    for line in _told(outcome):
        typer.echo(line)
    terminal.say(f"{len(outcome.valued.ids):,} customers are valued as of {outcome.as_of}.")


async def _fitted(settings: Settings, slug: str) -> Outcome | None:
    from domain.metrics.clv.actions import fit_models
    from domain.tenants.queries import by_slug

    with terminal.waiting("Fitting"):
        async with terminal.opened(settings) as database:
            return await fit_models(database, await by_slug(database, slug))


def _told(outcome: Outcome) -> Iterator[str]:
    from domain.metrics.clv.fitting import NotEnough

    for kind, found in outcome.models.items():
        if isinstance(found, NotEnough):
            yield f"{kind}\tnot enough data\t{found.missing}\t{found.have} of {found.need}"
        else:
            named = zip(found.names, found.fit.parameters, strict=True)
            parameters = " ".join(f"{name}={value:.4g}" for name, value in named)
            yield f"{kind}\t{found.customers} customers\t{parameters}\tlog-likelihood {found.fit.log_likelihood:.1f}"
