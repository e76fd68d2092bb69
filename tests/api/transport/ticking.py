"""A schema with a subscription whose events a test decides."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from graphql import GraphQLSchema, extend_schema, parse

from api.schema import core

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "ada@example.com"


class Ticking:
    """`ticks(to:)` counts to a number and ends; to 0 it is quiet for ever, and below 0 it fails."""

    def __init__(self) -> None:
        self.under_way = 0
        self.schema: GraphQLSchema = extend_schema(core, parse("extend type Subscription { ticks(to: Int!): Int! }"))
        assert self.schema.subscription_type is not None
        field = self.schema.subscription_type.fields["ticks"]
        field.subscribe = self._ticks
        field.resolve = lambda number, _info, **_: number

    async def _ticks(self, _root: Any, _info: Any, to: int) -> AsyncIterator[int]:
        self.under_way += 1
        try:
            for number in range(1, to + 1):
                yield number
            if to < 0:
                raise RuntimeError(SECRET)
            if to == 0:
                await asyncio.Event().wait()
        finally:
            self.under_way -= 1

    async def until(self, under_way: int) -> None:
        """Wait until so many are followed."""
        async with asyncio.timeout(5):
            while self.under_way != under_way:  # noqa: ASYNC110 - it is the server that changes
                await asyncio.sleep(0.005)
