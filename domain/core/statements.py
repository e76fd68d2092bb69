"""SQL text about one tenant, with the types of its parameters, for what is written set by set."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, TextClause, Uuid, bindparam, text


def statement(sql: str, *ids: str, **others: Any) -> TextClause:
    """A statement with `:tenant`, and parameters by name: `ids` are lists of ids, `others` have the types they name."""
    lists = (bindparam(name, type_=ARRAY(Uuid())) for name in ids)
    typed = (bindparam(name, type_=type_) for name, type_ in others.items())
    return text(sql).bindparams(bindparam("tenant", type_=Uuid()), *lists, *typed)
