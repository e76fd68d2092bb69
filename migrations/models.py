"""Every model of every concept, so that a migration and the walls know all tables."""

from __future__ import annotations

from domain.core import audit, events
from domain.core.tables import Base, models
from domain.costs import model as costs
from domain.customers import model as customers
from domain.initiatives import model as initiatives
from domain.integrations import model as integrations
from domain.interactions import model as interactions
from domain.metrics import model as metrics
from domain.metrics.analysis import model as analysis
from domain.metrics.clv import model as clv
from domain.metrics.objectives import model as objectives
from domain.purchases import model as purchases
from domain.segments import model as segments
from domain.stages import model as stages
from domain.tenants import model as tenants

__all__ = [
    "Base",
    "analysis",
    "audit",
    "clv",
    "costs",
    "customers",
    "events",
    "initiatives",
    "integrations",
    "interactions",
    "metrics",
    "models",
    "objectives",
    "purchases",
    "segments",
    "stages",
    "tenants",
]
