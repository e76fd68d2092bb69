"""Lifecycle templates that plugins bring, as the domain has them."""

from __future__ import annotations

import msgspec

from domain.stages import templates
from tenure_sdk import LifecycleTemplate


def translated(given: object) -> templates.LifecycleTemplate:
    """A plugin's template as one of ours. Raises TypeError for what is none, and Invalid for one that cannot be."""
    if not isinstance(given, LifecycleTemplate):
        raise TypeError(f"{type(given).__name__} is no LifecycleTemplate")
    plain = msgspec.to_builtins(given)
    return templates.made(plain.pop("key"), plain)
