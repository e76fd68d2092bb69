"""Where customers are: lifecycles, their stages, the moves between them and the history that these leave."""

from __future__ import annotations

from domain.stages.actions import (
    add_note,
    correct,
    create_from_template,
    create_lifecycle,
    draft_version,
    move,
    publish,
)
from domain.stages.queries import (
    INTERVALS_AS_OF,
    UnknownCustomer,
    UnknownLifecycle,
    conversions,
    funnel,
    lifecycle,
    lifecycles,
    movements,
    time_in_stage,
)
from domain.stages.settling import settle
from domain.stages.transitions import rebuild_intervals

__all__ = [
    "INTERVALS_AS_OF",
    "UnknownCustomer",
    "UnknownLifecycle",
    "add_note",
    "conversions",
    "correct",
    "create_from_template",
    "create_lifecycle",
    "draft_version",
    "funnel",
    "lifecycle",
    "lifecycles",
    "move",
    "movements",
    "publish",
    "rebuild_intervals",
    "settle",
    "time_in_stage",
]
