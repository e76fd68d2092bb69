"""`make judge-graph`: Microsoft's own SDK works with the Outlook sandbox as it would with Graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugins.outlook.sandbox import OutlookSandbox
from tests.judges import serving

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = serving.HERE.parents[1] / ".venv" / "judges-graph" / "bin" / "python"
SCENARIOS = {
    "listing_of_messages_page_by_page",
    "delta_of_a_folder",
    "folders",
    "contact_created_changed_and_refused",
    "draft_and_send",
    "event_and_delta_of_a_view",
    "refusal_of_what_is_not_there",
}


def test_the_sdk_of_graph_finds_nothing_wrong(tmp_path: Path) -> None:
    sandbox = OutlookSandbox()
    ana = sandbox.mailbox("ana@acme.example")
    for number in range(5):
        ana.receive(("Kim Lee", "kim@customer.example"), f"Mail {number}", "Hello")
    token = sandbox.tokens_for(ana.address)["access_token"]
    with serving.served(sandbox.app, sandbox.hosts, tmp_path) as served:
        verdicts = serving.judge("graph_sdk.py", served.brief(token=token), PYTHON)
    assert verdicts == dict.fromkeys(SCENARIOS)
