from __future__ import annotations

from typing import TYPE_CHECKING

from api.schema import core
from tests import snapshots
from tests.api.transport.conftest import post

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from tests.conftest import Logins


async def test_an_anonymous_caller_can_change_nothing(
    client_of: Callable[..., httpx2.AsyncClient], logins: Logins
) -> None:
    async with snapshots.opened(logins) as tables, client_of() as client, tables.nothing_changes():
        for name in core.mutation_type.fields:
            answer = await post(client, f"mutation {{ {name}(input: {{}}) {{ problems {{ code }} }} }}")
            assert answer.status_code == 401
            (error,) = answer.json()["errors"]
            assert error["extensions"] == {"code": "UNAUTHENTICATED"}
