"""Who belongs together: criteria as typed trees, membership with its history."""

from __future__ import annotations

from domain.segments.actions import archive, create, create_from_template, measured_anew, update
from domain.segments.measures import Figure, Measure, measure, provide, register
from domain.segments.queries import compiled, members_as_of, preview
from domain.segments.settling import run, settle

__all__ = [
    "Figure",
    "Measure",
    "archive",
    "compiled",
    "create",
    "create_from_template",
    "measure",
    "measured_anew",
    "members_as_of",
    "preview",
    "provide",
    "register",
    "run",
    "settle",
    "update",
]
