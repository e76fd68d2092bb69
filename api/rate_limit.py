"""What a request costs and what its token may still spend, over GraphQL."""

from datetime import datetime

import strawberry

from api.reads.mapping import Computed


@strawberry.type(description="What this request costs, and what its token may still spend.")
class RateLimit:
    """What this request costs, and what its token may still spend."""

    cost: int = strawberry.field(description="What this request costs.")
    limit: int = strawberry.field(description="What the token may spend in a minute.")
    remaining: int = strawberry.field(description="What the token may spend now, this request taken off.")
    reset_at: datetime = strawberry.field(description="When all of it will be there again.")


async def _rate_limit(info: strawberry.Info) -> RateLimit:
    prepared = info.context.prepared
    status = await info.context.engine.budget.status(prepared.ask.identity)
    return RateLimit(cost=prepared.cost, limit=status.limit, remaining=status.remaining, reset_at=status.reset_at)


class Queries:
    """What the API says of itself."""

    rate_limit = Computed(
        annotation=RateLimit, resolve=_rate_limit,
        description="What this request costs, and what its token may still spend.",
    )  # fmt: skip
