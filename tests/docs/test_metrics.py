from __future__ import annotations

from api.schema import core
from docs import metrics
from domain.metrics.catalogue import CATALOGUE
from tests.docs.pages import DOCS

DIRECTORY = DOCS / "reference" / "metrics"


def test_each_metric_has_its_page_and_no_page_is_of_none() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.glob("*.md")}
    assert written.keys() == {"README.md", *(f"{one.key}.md" for one in CATALOGUE)}
    assert written == metrics.pages(), "run `make docs`"


def test_each_metric_is_listed_by_what_people_ask_for() -> None:
    listed = [key for names in metrics.ASKED.values() for keys in names.values() for key in keys]
    assert sorted(listed) == sorted(one.key for one in CATALOGUE if CATALOGUE.is_ours(one.key))
    for place in (place for places in metrics.ELSEWHERE.values() for place in places.split(", ")):
        of, _, field = place.strip("`").rpartition(".")
        assert field in core.get_type(of or "Query").fields, place


def test_each_metric_has_words_in_both_languages() -> None:
    for one in CATALOGUE:
        assert one.words, one.key
        assert set(one.labels) == {"en", "fa"}, one.key
        assert all(one.labels.values()), one.key
