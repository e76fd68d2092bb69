"""Where things were read, over GraphQL."""

from api.expose import Node, column, describe, expose, one
from domain.integrations import model

describe(model.IntegrationState)


@expose(model.Integration, prefix="ing")
class Integration(Node):
    """A connector that is enabled for the tenant."""

    connector = column()
    account = column()
    label = column()
    state = column(model.IntegrationState)
    created_at = column()


@expose(model.RecordLink)
class SourceRecord:
    """The record at another system that something here was read from."""

    type = column(description="The type of the record.")
    remote_id = column(description="Its id at the other side.")
    integration = one(
        "integrations.Integration",
        "integrations {t} where {t}.tenant_id = $1 and {t}.id = {p}.integration_id",
        null=False,
        description="The integration that read it.",
    )
