"""Where in an input something is wrong is told in the names of the schema."""

from __future__ import annotations

import pytest

from api.changing.inputs import located
from api.changing.integrations import SetStreamsInput, StreamChoiceInput, ValidateIntegrationConfigInput

CONFIG = {"time_zone": 5, "own_domains": {"of_us": ["a"]}}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("config", "time_zone"), ("config", "time_zone")),
        (("config", "own_domains", "of_us", "0"), ("config", "own_domains", "of_us", "0")),
        (("config", "not_there"), ("config", "not_there")),
    ],
)
def test_keys_of_a_json_value_stay_as_they_are(path: tuple[str, ...], shown: tuple[str, ...]) -> None:
    assert located(path, ValidateIntegrationConfigInput(id="ing_1", config=CONFIG)) == shown


def test_names_of_fields_are_those_of_the_schema() -> None:
    asked = SetStreamsInput(id="ing_1", streams=[StreamChoiceInput(stream="items", every_seconds=5)])
    assert located(("streams", "0", "every_seconds"), asked) == ("streams", "0", "everySeconds")
