"""Faults that a planner could have, each planted by a patch: the differential test has to find every one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from api import pages, reading
from api.problems import BadUserInput
from api.reads import completion, plan, selection, statement
from api.reads.paging import Page
from api.reads.plan import Planner

if TYPE_CHECKING:
    import pytest

    from api.reads.statement import Binds

Fault = Callable[["pytest.MonkeyPatch"], None]

TENANT = re.compile(r"\b(\w+)\.tenant_id = \$1")


def rewritten(patch: pytest.MonkeyPatch, rewrite: Callable[[str], str]) -> None:
    """Change the text of every statement that is planned."""
    patch.setattr(plan, "statement", lambda sql, lead=1: statement.statement(rewrite(sql), lead))


def tenant_predicate_dropped(patch: pytest.MonkeyPatch) -> None:
    """The rows of all tenants are read, where row-level security does not stop it."""
    rewritten(patch, lambda sql: TENANT.sub("$1::uuid is not null", sql))


def ordered(patch: pytest.MonkeyPatch, terms: Callable[[list[tuple[str, bool]]], list[tuple[str, bool]]]) -> None:
    """Change what every page is sorted by: expressions and whether they descend."""
    made = Page.__init__

    def changed(self: Page, *arguments: Any) -> None:
        made(self, *arguments)
        sorted_by = [(by.sql.format(t=self.level.alias), down != self.backward) for _, down, by in self.terms]
        self.order = ", ".join(f"{sql} desc" if descending else sql for sql, descending in terms(sorted_by))

    patch.setattr(Page, "__init__", changed)


def order_swapped(patch: pytest.MonkeyPatch) -> None:
    """The first rows come last."""
    ordered(patch, lambda terms: [(sql, not descending) for sql, descending in terms])


def tie_left_open(patch: pytest.MonkeyPatch) -> None:
    """Rows of one moment come in another order than their ids."""
    ordered(patch, lambda terms: [*terms[:-1], (terms[-1][0], terms[-1][1] != (len(terms) > 1))])


def last_ignored(patch: pytest.MonkeyPatch) -> None:
    """`last` gives the first rows."""
    made = Page.__init__

    def forward(self: Page, binds: Binds, spec: Any, arguments: Any, level: Any) -> None:
        if arguments.get("first") is None:
            arguments = {**arguments, "first": arguments.get("last"), "last": None}
        made(self, binds, spec, arguments, level)

    patch.setattr(Page, "__init__", forward)


def limit_off_by_one(patch: pytest.MonkeyPatch) -> None:
    """A page of several rows is one too short."""
    size = pages.page_size
    patch.setattr(pages, "page_size", lambda first, last: max(1, size(first, last) - 1))


def next_page_not_seen(patch: pytest.MonkeyPatch) -> None:
    """No row more than the page is fetched."""
    patch.setattr(Page, "limit", property(lambda self: self._binds.typed(self.size, "int4")))


def null_not_propagated(patch: pytest.MonkeyPatch) -> None:
    """A relation that leads nowhere is an object of nulls."""
    one = Planner._one
    patch.setattr(Planner, "_one", lambda self, *given: one(self, *given).replace("(None if", "(dict(id=None) if", 1))


def alias_merged_wrongly(patch: pytest.MonkeyPatch) -> None:
    """Of several nodes under one key only the first is completed."""
    of = selection.Selection.of
    patch.setattr(
        selection.Selection, "of",
        lambda self, sets, on: {key: nodes[:1] for key, nodes in of(self, sets, on).items()},
    )  # fmt: skip


def cursor_without_its_tie(patch: pytest.MonkeyPatch) -> None:
    """Behind a cursor, the rows of the same moment are left out."""
    beyond, decode = Page._beyond, pages.decode_cursor

    def untied(self: Page, cursor: Any, *, ahead: bool) -> str:
        terms, self.terms = self.terms, self.terms[: max(1, len(self.terms) - 1)]
        made = beyond(self, cursor, ahead=ahead)
        self.terms = terms
        return made

    def decoded(cursor: str, mark: str, kinds: list[str]) -> Any:
        lacking = [[], ["id"], ["number"]][: 3 if "id" not in kinds else 1]
        for more in lacking:
            try:
                return decode(cursor, mark, [*kinds, *more])
            except BadUserInput:
                continue
        raise BadUserInput("This cursor cannot be read.")

    patch.setattr(Page, "_beyond", untied)
    patch.setattr(pages, "decode_cursor", decoded)


def cursor_of_any_list(patch: pytest.MonkeyPatch) -> None:
    """A cursor of another order or filter is taken for one of this list."""
    patch.setattr(pages, "fingerprint", lambda *_: "00000000")


def merged_member_lost(patch: pytest.MonkeyPatch) -> None:
    """Only what was recorded under the survivor's own id is found."""

    def first_only(found: Any, of: Any) -> Any:
        return completion.keys(found, lambda row: key[:1] if isinstance(key := of(row), list) else key)

    patch.setitem(completion.NAMES, "keys", first_only)


def not_of_the_unknown(patch: pytest.MonkeyPatch) -> None:
    """`not` leaves out what is not known."""
    rewritten(patch, lambda sql: sql.replace(" is not true", " is false"))


def skip_ignored(patch: pytest.MonkeyPatch) -> None:
    """What is skipped is there."""
    patch.setattr(selection.Selection, "_included", lambda _self, _node: True)


def type_condition_ignored(patch: pytest.MonkeyPatch) -> None:
    """A fragment is taken for every type that has its fields."""
    patch.setattr(
        selection.Selection, "_applies",
        lambda self, condition, on: _fields(self.schema.type_map[condition]) <= on.fields.keys(),
    )  # fmt: skip


def _fields(of: Any) -> set[str]:
    return set(getattr(of, "fields", {"no union": None}))


def parents_mixed(patch: pytest.MonkeyPatch) -> None:
    """The rows of one parent are given to its neighbour."""

    def shifted(found: Any) -> Any:
        told = completion.bounds(found)
        return dict(zip(told, [*list(told.values())[1:], *list(told.values())[:1]], strict=True))

    patch.setitem(completion.NAMES, "bounds", shifted)


def mask_left_out(patch: pytest.MonkeyPatch) -> None:
    """Whoever may not see e-mail addresses sees them."""
    patch.setattr(reading, "mask_email", lambda value: value)


def language_ignored(patch: pytest.MonkeyPatch) -> None:
    """Labels are English for everybody."""
    patch.setattr("api.engine.Reader", lambda _language, *rest: reading.Reader("en", *rest))


def total_of_all(patch: pytest.MonkeyPatch) -> None:
    """`totalCount` counts what the filter leaves out."""
    total = Planner._total

    def counting(self: Planner, spec: Any, arguments: Any, *rest: Any) -> str:
        return total(self, spec, {**arguments, "filter": None, "search": None}, *rest)

    patch.setattr(Planner, "_total", counting)


def old_version_shown(patch: pytest.MonkeyPatch) -> None:
    """What was superseded is shown again."""
    rewritten(patch, lambda sql: re.sub(r"\b\w+\.superseded_at is null", "true", sql))


def plan_of_another_shape(patch: pytest.MonkeyPatch) -> None:
    """A plan is taken that was made for other choices."""
    patch.setattr("api.reads.operation.shape", lambda value, _of: value is None)


FAULTS: tuple[Fault, ...] = (
    tenant_predicate_dropped, order_swapped, tie_left_open, last_ignored, limit_off_by_one, next_page_not_seen,
    null_not_propagated, alias_merged_wrongly, cursor_without_its_tie, cursor_of_any_list, merged_member_lost,
    not_of_the_unknown, skip_ignored, type_condition_ignored, parents_mixed, mask_left_out, language_ignored,
    total_of_all, old_version_shown, plan_of_another_shape,
)  # fmt: skip
