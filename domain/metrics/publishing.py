"""What depends on everybody: how each metric is spread over all customers, published once a day with its own moment."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy.dialects.postgresql import insert

from domain.metrics.catalogue import CATALOGUE
from domain.metrics.model import MetricDefinition, MetricDistribution
from domain.metrics.queries import cohort, parts, personal, personal_values, setting_of
from domain.metrics.reading import snapshot
from domain.metrics.statement import Grouping, statement
from domain.segments.actions import measured_anew

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from domain.core.unit_of_work import Writing
    from domain.metrics.catalogue import Definition
    from domain.metrics.queries import Value

PUBLISH = "metrics_publish"
"""The kind of due work that publishes how the metrics of customers are spread, and keeps those of the last month."""

EVERY = timedelta(days=1)

_SPREAD = """
SELECT key, count(value) AS n, avg(ln(1 + greatest(value / part, 0))) AS mean_log,
    stddev_samp(ln(1 + greatest(value / part, 0))) AS sd_log,
    percentile_disc(array(SELECT CAST(p AS float8) / 1000 FROM generate_series(0, 1000) AS p))
        WITHIN GROUP (ORDER BY CAST(value AS float8)) FILTER (WHERE value IS NOT NULL) AS quantiles
FROM ({every_customer}) AS valued
JOIN unnest(CAST(:metrics AS text[]), CAST(:parts AS numeric[])) AS metric(key, part) USING (key)
GROUP BY key
"""


async def publish(work: Writing) -> None:
    """Publish how every metric of customers is spread over all of them now, by the definitions in force."""
    chosen = CATALOGUE.personal()
    await record_definitions(work, chosen)
    here = await snapshot(work)
    setting = await setting_of(here)
    every_customer = statement(personal(chosen), Grouping.EVERY_CUSTOMER)
    rows = await here.rows(
        _SPREAD.format(every_customer=every_customer), **personal_values(here, setting),
        metrics=[one.key for one in chosen], parts=parts(chosen, setting),
    )  # fmt: skip
    spread = {row["key"]: row for row in rows}
    together = await cohort(here, chosen, setting)
    work.add(*(_distribution(work, one, spread.get(one.key), together[one.key]) for one in chosen))
    await work.flush()
    await measured_anew(work, {one.key for one in chosen})


def _distribution(work: Writing, one: Definition, spread: Any, together: Value) -> MetricDistribution:
    return MetricDistribution(
        id=work.ids(), metric_key=one.key, definition_version=one.version, as_of=work.now,
        n=spread["n"] if spread else 0,
        mean_log=_number(spread and spread["mean_log"]), sd_log=_number(spread and spread["sd_log"]),
        quantiles=spread["quantiles"] if spread else None, cohort_value=together.value,
        cohort_numerator=together.numerator, cohort_denominator=together.denominator,
    )  # fmt: skip


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


class DefinitionChanged(Exception):
    """A metric is computed in another way than its version says: give the new way a new version."""


async def record_definitions(work: Writing, chosen: Iterable[Definition]) -> None:
    """Keep what these metrics mean, each version once. Raises DefinitionChanged."""
    rows = [_definition(work, one) for one in chosen]
    await work.execute(insert(MetricDefinition).on_conflict_do_nothing(), rows)
    kept = await (await snapshot(work)).rows(
        "SELECT key, version, digest FROM metric_definitions WHERE tenant_id = :tenant AND key = ANY(:keys)",
        keys=[row["key"] for row in rows],
    )
    digests = {(row["key"], row["version"]): row["digest"] for row in kept}
    changed = [row["key"] for row in rows if digests[row["key"], row["version"]] != row["digest"]]
    if changed:
        raise DefinitionChanged(", ".join(changed))


def _definition(work: Writing, one: Definition) -> Mapping[str, Any]:
    return {
        "tenant_id": work.tenant_id, "key": one.key, "version": one.version, "unit": one.unit, "kind": one.kind,
        "grain": one.grain, "step": one.step, "better": one.better, "min_n": one.min_n,
        "marketing_only": one.marketing_only, "formula": one.words, "digest": one.digest,
        "labels": msgspec.to_builtins(one.labels), "recorded_at": work.now,
    }  # fmt: skip
