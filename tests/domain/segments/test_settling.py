from __future__ import annotations

from typing import TYPE_CHECKING

from domain.segments.criteria import Occasions

if TYPE_CHECKING:
    from tests.domain.segments.conftest import Shop


async def test_who_buys_again_comes_in_and_the_log_says_why(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben")
    await shop.order(ann, 10)
    await shop.order(ann, 3)
    await shop.order(ben, 3)
    repeat = await shop.segment("repeat", Occasions(gte=2))
    assert await shop.members() == {"repeat": {"ann"}}
    await shop.order(ben, 1)
    assert await shop.settle(ann, ben) == 1
    assert await shop.settle(ann, ben) == 0
    assert await shop.members() == {"repeat": {"ann", "ben"}}
    because = [{"type": "occasions", "gte": 2}]
    assert await shop.history(repeat) == [("ann", "ENTER", because), ("ben", "ENTER", because)]
