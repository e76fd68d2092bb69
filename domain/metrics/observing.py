"""What metrics were worth when somebody looked: kept for ever, and computed again to the same bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from domain.core.problems import Conflict
from domain.metrics.catalogue import CATALOGUE
from domain.metrics.model import MetricObservation
from domain.metrics.publishing import record_definitions
from domain.metrics.queries import Question, StageName, series, setting_of
from domain.metrics.reading import snapshot
from domain.metrics.rules import USUAL, Counting, Grain, ScopeKind
from domain.purchases.rules import MissingReason, RevenueView, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from domain.metrics.queries import Series
    from domain.metrics.reading import Snapshot


class DefinitionGone(Conflict):
    """The metric is defined in another way by now. An old value can be computed again by its own version only."""


@dataclass(frozen=True)
class Observed:
    """What a value is: all that has to be the same when it is computed again."""

    value: Decimal | None
    missing: str | None
    numerator: Decimal | None
    denominator: Decimal | None
    n: int
    standard_error: Decimal | None

    def encoded(self) -> bytes:
        """The same for equal values, whatever the number of zeros behind a point."""
        return msgspec.json.encode([_plain(part) for part in vars(self).values()])

    @property
    def digest(self) -> bytes:
        """The SHA-256 of it."""
        return hashlib.sha256(self.encoded()).digest()


def _plain(part: Any) -> Any:
    """A number as it is kept, with six decimals."""
    return f"{round(part, 6):.6f}" if hasattr(part, "as_tuple") else part


async def observe(work: Writing, question: Question) -> Sequence[MetricObservation]:
    """Keep the values of some metrics in a window, of the tenant or of segments and stages.

    What counts is what is known now, or was at the question's `as_of`. Raises what `queries.series` raises.
    """
    await record_definitions(work, CATALOGUE.chosen(question.keys))
    answer = await series(await snapshot(work), question)
    start, end = answer.window
    made = [
        MetricObservation(
            id=work.ids(), metric_key=each.definition.key, definition_version=each.definition.version,
            **_scope(each), window_start=start, window_end=end, **vars(observed), currency=answer.currency,
            parameters=_parameters(each, question), as_of=answer.as_of, watermark=answer.watermark,
            input_digest=observed.digest,
        )
        for each in answer.series
        for observed in [_observed(each)]
    ]  # fmt: skip
    work.add(*made)
    await work.flush()
    return made


async def recomputed(here: Snapshot, kept: MetricObservation) -> Observed:
    """The value of an observation computed again, of what was known then. Raises DefinitionGone."""
    if CATALOGUE[kept.metric_key].version != kept.definition_version:
        raise DefinitionGone(key=kept.metric_key)
    stage = kept.parameters.get("stage")
    question = Question(
        [kept.metric_key],
        Window(kept.window_start, kept.window_end),
        segments=[kept.scope_id] if kept.scope == ScopeKind.SEGMENT and kept.scope_id else (),
        stages=[StageName(**stage)] if stage else (),
        as_of=kept.watermark,
        counting=_counting(kept.parameters),
    )
    (again,) = (await series(here, question)).series
    return _observed(again)


async def observe_month(work: Writing) -> None:
    """Keep what the metrics of the tenant were in the last whole month, once for each month."""
    setting = await setting_of(await snapshot(work))
    today = setting.day_of(work.now)
    this_month, _ = setting.periods.period(today, Grain.MONTH)
    month, end = setting.periods.period(this_month - timedelta(days=1), Grain.MONTH)
    kept = await work.all(
        select(MetricObservation.metric_key).where(
            MetricObservation.tenant_id == work.tenant_id, MetricObservation.scope == ScopeKind.TENANT,
            MetricObservation.window_start == month, MetricObservation.window_end == end,
        )
    )  # fmt: skip
    keys = [one.key for one in CATALOGUE if one.key not in kept]
    if keys:
        await observe(work, Question(keys, Window(month, end)))


def _observed(series: Series) -> Observed:
    value = series.total
    missing = None if value.missing is None else str(MissingReason(value.missing))
    return Observed(
        value.value, missing, value.numerator, value.denominator, value.n,
        None if value.standard_error is None else round(value.standard_error, 6),
    )  # fmt: skip


def _scope(series: Series) -> dict[str, Any]:
    segment: UUID | None = series.group.segment
    if segment is not None:
        return {"scope": ScopeKind.SEGMENT, "scope_id": segment}
    return {"scope": ScopeKind.STAGE if series.group.stage else ScopeKind.TENANT, "scope_id": None}


def _parameters(series: Series, question: Question) -> dict[str, Any]:
    stage = series.group.stage
    told = {"stage": {"key": stage.key, "lifecycle": stage.lifecycle}} if stage else {}
    counted = {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in vars(question.counting).items()
        if value != getattr(USUAL, name)
    }
    return {"paid_only": question.counting.paid_only, **counted, **told}


def _counting(parameters: Mapping[str, Any]) -> Counting:
    """What an observation counted by; what is not said was as usual."""
    told = {name: parameters[name] for name in vars(USUAL) if name in parameters}
    view = RevenueView(told.get("view", USUAL.view))
    threshold = Decimal(told.get("alive_threshold", USUAL.alive_threshold))
    return Counting(**told | {"view": view, "alive_threshold": threshold})
