"""Where customers are: lifecycles with versions, and a log of transitions that is never rewritten."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import TRANSACTION, Entity, TenantTable, one_of, personal
from domain.stages.rules import CanonicalStep, CauseKind, Movement, StageKind, Trigger


class NoteKind(StrEnum):
    """What a stage note says of the customer."""

    NEED = "NEED"
    PAIN_POINT = "PAIN_POINT"
    PLAN = "PLAN"


class Lifecycle(Entity):
    """CF: A way that customers go, from the first stage to the last; a customer can be in several at once."""

    __tablename__ = "lifecycles"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        Index("lifecycles_default_key", "tenant_id", unique=True, postgresql_where=text("is_default")),
    )

    key: Mapped[str] = mapped_column(doc="The name in queries.")
    template_key: Mapped[str | None] = mapped_column(doc="The template that it was made from.")
    labels: Mapped[dict[str, Any]] = mapped_column(doc="How people call it, per language.")
    is_default: Mapped[bool] = mapped_column(
        server_default=text("false"), doc="Whether it is meant when none is named."
    )
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


class LifecycleVersion(Entity):
    """IM + published_at, stage_map: The stages and rules of a lifecycle as they were published together."""

    __tablename__ = "lifecycle_versions"
    __table_args__ = (
        UniqueConstraint("tenant_id", "lifecycle_id", "number"),
        ForeignKeyConstraint(["tenant_id", "lifecycle_id"], ["lifecycles.tenant_id", "lifecycles.id"]),
    )

    lifecycle_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(doc="Counts from 1; the highest published one is in force.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    published_at: Mapped[datetime | None] = mapped_column(doc="When it came into force.")
    stage_map: Mapped[dict[str, Any] | None] = mapped_column(doc="Old stage key -> new stage key, or null to leave.")


class Stage(Entity):
    """IM: A stage of one version of a lifecycle."""

    __tablename__ = "stages"
    __table_args__ = (
        UniqueConstraint("tenant_id", "lifecycle_version_id", "key"),
        one_of("step", CanonicalStep),
        one_of("kind", StageKind),
        ForeignKeyConstraint(
            ["tenant_id", "lifecycle_version_id"], ["lifecycle_versions.tenant_id", "lifecycle_versions.id"]
        ),
    )

    lifecycle_version_id: Mapped[UUID]
    key: Mapped[str] = mapped_column(doc="The name in queries.")
    position: Mapped[int] = mapped_column(doc="Its place on the way, from 1.")
    step: Mapped[str] = mapped_column(doc="The step it stands for in every lifecycle.")
    kind: Mapped[str] = mapped_column(doc="Whether a stay here is open or how it ended.")
    labels: Mapped[dict[str, Any]] = mapped_column(doc="How people call it, per language.")
    rotting_days: Mapped[int | None] = mapped_column(doc="After how many days a stay here has gone on too long.")
    needs: Mapped[dict[str, Any]] = mapped_column(doc="What a customer here typically needs, per language.")


class TransitionRule(Entity):
    """IM: When customers move from one stage to another by themselves, in one version of a lifecycle."""

    __tablename__ = "transition_rules"
    __table_args__ = (
        one_of("trigger", Trigger),
        ForeignKeyConstraint(
            ["tenant_id", "lifecycle_version_id"], ["lifecycle_versions.tenant_id", "lifecycle_versions.id"]
        ),
        Index("transition_rules_version_idx", "tenant_id", "lifecycle_version_id", "position"),
    )

    lifecycle_version_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(doc="Rules are tried in this order.")
    from_stage: Mapped[str | None] = mapped_column(doc="The key of the stage it leads out of; null enters.")
    to_stage: Mapped[str | None] = mapped_column(doc="The key of the stage it leads into; null leaves.")
    trigger: Mapped[str] = mapped_column(doc="What sets it off.")
    condition: Mapped[dict[str, Any] | None] = mapped_column(doc="What must hold, as a typed tree.")
    requires_reason: Mapped[bool] = mapped_column(doc="Whether a person must say why.")


class StageTransition(Entity):
    """AO: A customer moved. Both times are kept: when it happened and when we learnt it; a correction is a new row."""

    __tablename__ = "stage_transitions"
    __table_args__ = (
        # A correction may say that a move never happened: it leads to the stage before.
        CheckConstraint("corrects IS NOT NULL OR from_stage_id IS DISTINCT FROM to_stage_id", name="moves"),
        one_of("direction", Movement),
        one_of("cause_kind", CauseKind),
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
        ForeignKeyConstraint(["tenant_id", "lifecycle_id"], ["lifecycles.tenant_id", "lifecycles.id"]),
        Index("stage_transitions_customer_idx", "tenant_id", "customer_id", "lifecycle_id", "occurred_at", "id"),
        Index("stage_transitions_recorded_idx", "tenant_id", "lifecycle_id", "recorded_at", "id"),
        Index("stage_transitions_recorded_in_idx", "tenant_id", "recorded_in", "id"),
        Index("stage_transitions_corrects_idx", "tenant_id", "corrects", postgresql_where=text("corrects IS NOT NULL")),
    )

    customer_id: Mapped[UUID]
    lifecycle_id: Mapped[UUID]
    lifecycle_version_id: Mapped[UUID]
    from_stage_id: Mapped[UUID | None] = mapped_column(doc="Null: the customer enters the lifecycle.")
    to_stage_id: Mapped[UUID | None] = mapped_column(doc="Null: the customer leaves the lifecycle.")
    occurred_at: Mapped[datetime] = mapped_column(doc="When the customer moved in the world.")
    recorded_at: Mapped[datetime] = mapped_column(doc="When it became known here.")
    recorded_in: Mapped[int] = mapped_column(server_default=TRANSACTION, doc="The transaction that recorded it.")
    direction: Mapped[str | None] = mapped_column(
        doc="Which way it went; null out of the lifecycle, by migration and for a correction."
    )
    cause_kind: Mapped[str] = mapped_column(doc="Who or what moved the customer.")
    cause_id: Mapped[UUID | None] = mapped_column(doc="The rule, integration or lifecycle version that did it.")
    actor: Mapped[str]
    reason: Mapped[str | None] = personal(doc="Why, in a person's words.")
    evidence: Mapped[dict[str, Any] | None] = personal(doc="The facts that the rule saw.")
    corrects: Mapped[UUID | None] = mapped_column(
        doc="The move that this one corrects: always its first record, never another correction."
    )


class StageInterval(Entity):
    """PJ: A stay of a surviving customer in a stage; its id is that of the transition that began it."""

    __tablename__ = "stage_intervals"
    __table_args__ = (
        Index("stage_intervals_history_idx", "tenant_id", "customer_id", "lifecycle_key", "entered_at", "id"),
        Index(
            "stage_intervals_current_key", "tenant_id", "customer_id", "lifecycle_id",
            unique=True, postgresql_where=text("is_current"),
        ),
        Index(
            "stage_intervals_stage_idx", "tenant_id", "lifecycle_key", "stage_key", "customer_id",
            postgresql_where=text("is_current"),
        ),
        Index("stage_intervals_entered_idx", "tenant_id", "lifecycle_id", "entered_at"),
    )  # fmt: skip

    customer_id: Mapped[UUID]
    lifecycle_id: Mapped[UUID]
    lifecycle_key: Mapped[str]
    stage_id: Mapped[UUID]
    stage_key: Mapped[str]
    visit: Mapped[int] = mapped_column(doc="The how-manieth stay of the customer in this stage, from 1.")
    entered_at: Mapped[datetime] = mapped_column(doc="When the stay began.")
    exited_at: Mapped[datetime | None] = mapped_column(doc="When it ended; null while it lasts.")
    is_current: Mapped[bool] = mapped_column(doc="Whether the customer is there now.")
    cause_kind: Mapped[str]
    cause_id: Mapped[UUID | None]


class StageCheck(TenantTable):
    """WS: When the rules must look at a surviving customer again, because time alone can move it by then."""

    __tablename__ = "stage_checks"
    __table_args__ = (Index("stage_checks_due_idx", "tenant_id", "due_at", "customer_id"),)

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]


class StageNote(Entity):
    """AO: What a customer needs, suffers from, or is planned to be given in a stage, dated and with its source."""

    __tablename__ = "stage_notes"
    __table_args__ = (
        one_of("kind", NoteKind),
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
        Index("stage_notes_customer_idx", "tenant_id", "customer_id", text("occurred_at DESC"), text("id DESC")),
    )

    customer_id: Mapped[UUID]
    lifecycle_id: Mapped[UUID]
    stage_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(doc="A need, a pain point or a plan.")
    text: Mapped[str | None] = personal(doc="What it says.")
    source: Mapped[str] = mapped_column(doc="Where it is known from.")
    author: Mapped[str]
    occurred_at: Mapped[datetime] = mapped_column(doc="When it was so.")
    recorded_at: Mapped[datetime] = mapped_column(doc="When it became known here.")
