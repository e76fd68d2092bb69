from __future__ import annotations

import numpy as np
import pytest

from domain.metrics.clv import sbg
from domain.metrics.clv.fitting import NotEnough
from domain.metrics.clv.sbg import Renewals

HIGH_END = (1000, 869, 743, 653, 593, 551, 517, 491)
"""Customers of the paper's high-end segment who were still there after 0, 1, ... 7 years."""


def test_the_published_parameters_are_found() -> None:
    lost = -np.diff(HIGH_END)
    periods = [*np.repeat(np.arange(1, 8), lost), *[7] * HIGH_END[-1]]
    ended = [*[True] * int(lost.sum()), *[False] * HIGH_END[-1]]
    found = sbg.fit(Renewals.of(periods, ended))
    assert tuple(round(each, 3) for each in found.parameters) == (0.668, 3.806)
    assert found.log_likelihood == pytest.approx(-1611.2, abs=0.05)


def test_retention_grows_with_the_years_and_survival_is_its_product() -> None:
    parameters = (0.668, 3.806)
    years = np.arange(1, 13)
    retention = sbg.retention(parameters, years)
    assert np.all(np.diff(retention) > 0)
    np.testing.assert_allclose(sbg.survival(parameters, years), np.cumprod(retention))
    expected = sbg.paid_from_now(parameters, 3, np.array([0, 7])).sum(axis=-1)
    survival = sbg.survival(parameters, np.arange(11))
    np.testing.assert_allclose(expected, [survival[1:4].sum(), survival[8:11].sum() / survival[7]])


def test_what_is_missing_is_said() -> None:
    with pytest.raises(NotEnough, match="TOO_FEW_CONTRACTS: 29 of 30"):
        sbg.fit(Renewals.of([1] * 29, [True] * 29))
    with pytest.raises(NotEnough, match="TOO_SHORT: 1 of 2"):
        sbg.fit(Renewals.of([1] * 40, [True] * 40))
