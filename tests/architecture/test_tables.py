from __future__ import annotations

import re

import pytest
from sqlalchemy import ARRAY, String

from domain.core.tables import BASELINE, DIRECTORY, Base, TenantTable, promise_of
from migrations.models import models

MODELS = {model.__name__: model for model in models()}


@pytest.fixture(params=sorted(MODELS))
def model(request: pytest.FixtureRequest) -> type[Base]:
    return MODELS[request.param]


def test_the_docstring_states_the_promise(model: type[Base]) -> None:
    assert set(promise_of(model).tail) <= set(model.__table__.columns.keys())
    assert re.search(r": [A-Z].+[.]", (model.__doc__ or "").split("\n\n")[0], re.DOTALL)


def test_a_table_is_behind_the_walls_or_in_the_directory(model: type[Base]) -> None:
    assert issubclass(model, TenantTable) is (model.__table__.schema != DIRECTORY)
    assert model.__table__.schema in {None, DIRECTORY, BASELINE}


def test_every_key_begins_with_the_tenant(model: type[Base]) -> None:
    if not issubclass(model, TenantTable):
        return
    table = model.__table__
    assert next(iter(table.primary_key.columns)).name == "tenant_id"
    for index in table.indexes:
        assert index.columns[0].name == "tenant_id", index.name
    for reference in table.foreign_key_constraints:
        assert reference.column_keys[0] == "tenant_id", reference.name


def test_text_is_compared_byte_by_byte(model: type[Base]) -> None:
    """COLLATE "C" is what keeps equality, order and prefixes leakproof, and so served by an index."""
    for column in model.__table__.columns:
        stored = column.type.item_type if isinstance(column.type, ARRAY) else column.type
        assert not isinstance(stored, String) or stored.collation == "C", column


def test_no_column_counts_by_itself(model: type[Base]) -> None:
    for column in model.__table__.columns:
        assert column.identity is None
        assert column.table.autoincrement_column is None
