"""What the business wants to reach, and by when: at most three objectives at a time, each with its KPIs."""

from __future__ import annotations

from domain.metrics.objectives.actions import create_objective, update_objective
from domain.metrics.objectives.rules import Kpi, KpiDirection, ObjectiveStatus

__all__ = ["Kpi", "KpiDirection", "ObjectiveStatus", "create_objective", "update_objective"]
