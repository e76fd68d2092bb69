"""The plugin of the SDK's README is loaded as it is printed there, and does what the README says."""

from __future__ import annotations

import logging
import re
import sys
import tomllib
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest
from acme_books import AcmeBooks

from domain.stages import conditions
from sync import registry
from sync.registry import Loaded, Status
from tenure_sdk import Event, EventContext, hooks
from tenure_sdk.hooks import PROJECT
from tests.docs.pages import ROOT, blocks, text_of

if TYPE_CHECKING:
    from pathlib import Path

README = ROOT / "sdk" / "README.md"


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EntryPoint:
    """The plugin of the README, as it is installed."""
    [code] = [block for block in blocks(README, "python") if "acme_club" in block.language]
    [project] = [block for block in blocks(README, "toml") if "acme_club" in block.text]
    file = tmp_path / code.language.split()[1]
    file.parent.mkdir(parents=True)
    file.write_text(code.text)
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    monkeypatch.delitem(sys.modules, "acme_club", raising=False)
    [(group, named)] = tomllib.loads(project.text)["project"]["entry-points"].items()
    [(name, value)] = named.items()
    return EntryPoint(name, value, group)


def test_the_plugin_is_loaded_with_all_that_it_brings(entry: EntryPoint) -> None:
    found = registry.load([entry])
    assert found.report == [Loaded("acme-club", "?", "?", Status.LOADED, ("acme-books",))]
    assert found.connectors == {"acme-books": AcmeBooks}
    club = found.templates["acme-club"]
    assert (club.title.fa, [stage.key for stage in club.lifecycle.stages]) == (
        "باشگاه",
        ["guest", "regular", "away"],
    )
    assert list(found.metrics) == ["acme_regulars_worth"]
    assert [listener.connectors for listener in found.listeners] == [frozenset({"acme-books"})]


async def test_it_hears_what_it_says(entry: EntryPoint, caplog: pytest.LogCaptureFixture) -> None:
    [listener] = registry.load([entry]).listeners
    context = EventContext(tenant="0" * 32, log=logging.getLogger("acme_club"))
    with caplog.at_level(logging.INFO, "acme_club"):
        for stage in ("guest", "regular"):
            event = Event(
                id="1", name="stages.StageEntered", subject="c-7", body={"stage": stage},
                occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
            )  # fmt: skip
            heard = listener.hear(event=event, context=context)
            assert heard is not None
            await heard
    assert [record.getMessage() for record in caplog.records] == ["customer c-7 is a regular now"]


def test_every_hook_and_every_condition_is_named() -> None:
    section = text_of(README).partition("## More than a connector: hooks")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)\(", section, flags=re.MULTILINE)
    assert named == [name for name, member in vars(hooks).items() if hasattr(member, f"{PROJECT}_spec")]
    kinds = [kind.__struct_config__.tag for kind in conditions.Node.__subclasses__()]
    assert [kind for kind in kinds if f"`{kind}`" not in section] == ["in_segment"]  # a tenant's, so in no template
