"""Lifecycle templates that a plugin brings: stages and the rules by which customers move, without code of their own."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

Step: TypeAlias = Literal["AWARE", "CONSIDER", "PURCHASE", "USE", "RETAIN", "ADVOCATE"]
Kind: TypeAlias = Literal["OPEN", "WON", "LOST", "CHURNED"]
Trigger: TypeAlias = Literal["MANUAL", "EVENT", "TIME"]


class TemplateText(Struct, frozen=True, forbid_unknown_fields=True):
    """A text for people, in English and, where there is one, in Persian."""

    en: str
    fa: str | None = None


class TemplateStage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stage of a lifecycle: where it stands, what it means, and what a customer here typically needs."""

    key: str
    position: int
    label: TemplateText
    step: Step
    kind: Kind = "OPEN"
    rotting_days: int | None = None
    """After how many days without a move somebody should look; None: never."""
    needs: TemplateText | None = None


class TemplateRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A move out of each of `sources`, and with `enters` of those who are in no stage yet.

    `when` is a condition as lifecycles have them, such as `{"type": "occasions", "gte": 2}`; None asks nothing.
    """

    to: str
    trigger: Trigger
    enters: bool = False
    sources: tuple[str, ...] = field(name="from", default=())
    when: dict[str, Any] | None = None


class LifecycleTemplate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lifecycle to begin with: what it is for, its stages, and its rules in the order in which they are asked."""

    key: str
    title: TemplateText
    description: TemplateText
    stages: tuple[TemplateStage, ...]
    rules: tuple[TemplateRule, ...]
