"""`tenure models fit` on the demo, whose sixty customers are too few for a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Demo


def test_what_each_model_lacks_is_told(demo: Demo) -> None:
    told = [line.split("\t") for line in demo.tenure("models", "fit", "--tenant", "demo").stdout.splitlines()]
    assert [line[0] for line in told] == ["MBG_NBD", "PARETO_NBD", "BG_NBD", "GAMMA_GAMMA", "SBG"]
    mbgnbd = told[0]
    assert mbgnbd[1:3] == ["not enough data", "TOO_FEW_CUSTOMERS"]
    assert mbgnbd[3].endswith(" of 100")
