"""Every model of every concept, so that a migration and the walls know all tables."""

from __future__ import annotations

from domain.core import audit, events
from domain.core.tables import Base, models
from domain.customers import model as customers
from domain.integrations import model as integrations
from domain.interactions import model as interactions
from domain.purchases import model as purchases
from domain.stages import model as stages
from domain.tenants import model as tenants

__all__ = [
    "Base",
    "audit",
    "customers",
    "events",
    "integrations",
    "interactions",
    "models",
    "purchases",
    "stages",
    "tenants",
]
