"""Who belongs together: criteria as typed trees, membership with its history."""

from __future__ import annotations

from domain.segments.actions import archive, create, create_from_template, update
from domain.segments.measures import Measure, measure, register
from domain.segments.queries import compiled, members_as_of, preview
from domain.segments.settling import run, settle

__all__ = [
    "Measure",
    "archive",
    "compiled",
    "create",
    "create_from_template",
    "measure",
    "members_as_of",
    "preview",
    "register",
    "run",
    "settle",
    "update",
]
