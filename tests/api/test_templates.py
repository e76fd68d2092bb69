"""Lifecycle templates of plugins stand beside those that ship, and lifecycles are made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from api.engine import Ask, Engine, encode
from api.schema import core
from domain.core.settings import Settings
from sync.registry import Registry
from sync.switchboard import Switchboard
from sync.templates import translated
from tenure_sdk import LifecycleTemplate, TemplateRule, TemplateStage, TemplateText
from tests.api.conftest import identity

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database

SHORT = LifecycleTemplate(
    key="short", title=TemplateText(en="Short", fa="کوتاه"), description=TemplateText(en="For the impatient."),
    stages=(
        TemplateStage(key="met", position=1, label=TemplateText(en="Met"), step="AWARE"),
        TemplateStage(key="won", position=2, label=TemplateText(en="Won"), step="PURCHASE", kind="WON"),
    ),
    rules=(TemplateRule(to="met", trigger="EVENT", enters=True),),
)  # fmt: skip


async def test_a_template_of_a_plugin_is_offered_and_used(database: Database, tenant: UUID, tmp_path: Path) -> None:
    board = Switchboard(database, Settings(data=tmp_path), Registry(templates={"short": translated(SHORT)}))
    engine = Engine(database, core, switchboard=board)

    async def ask(document: str, **variables: Any) -> Any:
        prepared = engine.prepare(
            Ask(document, identity(tenant), "fa", variables=variables, idempotency_key=uuid4().hex)
        )
        return orjson.loads(encode(await engine.answer(prepared)))["data"]

    offered = (await ask("{ lifecycleTemplates { key name stages { key } } }"))["lifecycleTemplates"]
    assert len(offered) == 8
    assert offered[-1] == {"key": "short", "name": "کوتاه", "stages": [{"key": "met"}, {"key": "won"}]}
    made = await ask(
        """mutation ($input: CreateLifecycleInput!) { createLifecycle(input: $input) {
        lifecycle { key stages { key } } problems { code message } } }""",
        input={"template": "short"},
    )
    assert made["createLifecycle"] == {
        "lifecycle": {"key": "short", "stages": [{"key": "met"}, {"key": "won"}]}, "problems": []
    }  # fmt: skip
    unknown = await ask(
        "mutation ($input: CreateLifecycleInput!) { createLifecycle(input: $input) { problems { code } } }",
        input={"template": "nothing"},
    )
    assert unknown["createLifecycle"]["problems"] == [{"code": "UNKNOWN_TEMPLATE"}]
    await board.close()
