"""The schema: what every concept brings, joined."""

from typing import Any

import strawberry
from graphql import GraphQLInputObjectType
from strawberry.schema.config import StrawberryConfig

from api import (
    connectors,
    contracts,
    costs,
    customers,
    departments,
    equity,
    initiatives,
    integrations,
    interactions,
    invoices,
    metrics,
    objectives,
    opportunities,
    purchases,
    rate_limit,
    segments,
    stages,
    tenants,
)
from api.changes import mutations
from api.changing import acting as of_acting
from api.changing import connecting as of_connecting
from api.changing import costing as of_costing
from api.changing import customers as of_customers
from api.changing import deciding as of_deciding
from api.changing import imports as of_imports
from api.changing import initiating as of_initiating
from api.changing import integrations as of_integrations
from api.changing import invoicing as of_invoicing
from api.changing import leaving as of_leaving
from api.changing import records as of_records
from api.changing import segmenting as of_segmenting
from api.changing import selling as of_selling
from api.changing import stages as of_stages
from api.changing import tenants as of_tenants
from api.expose import NodeQueries, roots
from api.following import Subscription
from api.refusals import PROBLEMS, problem_codes
from api.scalars import SCALARS

Query = roots(
    "Query", NodeQueries, tenants.Queries, rate_limit.Queries, customers.Queries, stages.Queries,
    interactions.Queries, purchases.Queries, invoices.Queries, contracts.Queries, opportunities.Queries,
    integrations.Queries, connectors.Queries, segments.Queries, costs.Queries,
    departments.Queries, objectives.Queries, initiatives.Queries, metrics.Queries, equity.Queries,
)  # fmt: skip
problem_codes()
Mutation = mutations(
    of_tenants, of_customers, of_stages, of_records, of_selling, of_imports, of_integrations, of_invoicing,
    of_connecting, of_deciding, of_leaving, of_acting, of_segmenting, of_costing, of_initiating,
)  # fmt: skip

schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[
        *PROBLEMS,
        *(
        value for value in vars(interactions).values()
        if isinstance(value, type) and issubclass(value, interactions.Interaction)
        ),
    ],
    config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
)  # fmt: skip
core: Any = schema._schema  # noqa: SLF001 - Strawberry has no public way to the schema that it builds


def _exactly_one() -> None:
    # Strawberry checks @oneOf in an execution of its own; graphql-core knows it by this mark.
    for of in core.type_map.values():
        if isinstance(of, GraphQLInputObjectType):
            of.is_one_of = of.extensions["strawberry-definition"].is_one_of


_exactly_one()


def sdl() -> str:
    """The schema in the schema definition language."""
    return schema.as_str() + "\n"
