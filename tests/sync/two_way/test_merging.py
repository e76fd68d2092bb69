"""The three-way merge: who changed what, who wins, and that it comes to rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.integrations.model import Ownership
from sync.two_way.merging import Merged, Side, merge

AT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
AGREED = {"name": ("Ada", "Ada")}


def merged(ours: Any, theirs: Any, owner: Ownership = Ownership.MANUAL, base: Any = AGREED, **since: Any) -> Merged:
    mine = Side({"name": ours}, {"name": since["mine"]} if "mine" in since else {})
    their = Side({"name": theirs}, {"name": since["their"]} if "their" in since else {})
    return merge(["name"], base, mine, their, lambda _: owner)


def test_who_changed_alone_is_followed_whoever_owns_the_field() -> None:
    for owner in Ownership:
        assert merged("Bea", "Ada", owner) == Merged(send=["name"])
        assert merged("Ada", "Bea", owner) == Merged(take=["name"])
        assert merged("Bea", "Bea", owner) == Merged(agreed={"name": ("Bea", "Bea")})
        assert merged("Ada", "Ada", owner) == Merged(agreed={"name": ("Ada", "Ada")})


@pytest.mark.parametrize(
    ("owner", "since", "expected"),
    [
        (Ownership.LOCAL, {}, Merged(send=["name"])),
        (Ownership.REMOTE, {}, Merged(take=["name"])),
        (Ownership.MANUAL, {}, Merged(ask=["name"])),
        (Ownership.NEWEST, {"mine": AT, "their": LATER}, Merged(take=["name"])),
        (Ownership.NEWEST, {"mine": LATER, "their": AT}, Merged(send=["name"])),
        (Ownership.NEWEST, {"mine": AT, "their": AT}, Merged(ask=["name"])),
        (Ownership.NEWEST, {"mine": AT}, Merged(ask=["name"])),
    ],
)
def test_where_both_changed_the_owner_wins(owner: Ownership, since: dict[str, Any], expected: Merged) -> None:
    assert merged("Bea", "Cora", owner, **since) == expected


def test_a_value_that_comes_back_as_they_write_it_is_no_change() -> None:
    pair = {"name": ("+49 30 1234567", "030 1234567")}
    assert merged("+49 30 1234567", "030 1234567", base=pair) == Merged(agreed=pair)
    assert merged("+49 30 7654321", "030 1234567", base=pair) == Merged(send=["name"])
    assert merged("+49 30 1234567", "030 7654321", base=pair) == Merged(take=["name"])


def test_before_they_ever_agreed_whoever_has_a_value_gives_it() -> None:
    assert merged("Ada", None, base={}) == Merged(send=["name"])
    assert merged(None, "Ada", base={}) == Merged(take=["name"])
    assert merged("Bea", "Ada", base={}) == Merged(ask=["name"])
    assert merged("Ada", "Ada", base={}) == Merged(agreed={"name": ("Ada", "Ada")})


FIELDS = ["name", "emails", "phones"]
VALUES = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["a", "b", "c", None]))
BASES = st.dictionaries(st.sampled_from(FIELDS), st.tuples(st.sampled_from("ab"), st.sampled_from("AB")))


@given(VALUES, VALUES, BASES, st.sampled_from([Ownership.LOCAL, Ownership.REMOTE]))
def test_it_comes_to_rest(ours: dict[str, Any], theirs: dict[str, Any], base: Any, owner: Ownership) -> None:
    """Whoever does what it says, and notes what both then have, has nothing left to do: no field is lost or asked."""
    said = merge(FIELDS, base, Side(ours), Side(theirs), lambda _: owner)
    assert sorted([*said.send, *said.take, *said.agreed]) == sorted(FIELDS)
    theirs_after = {**theirs, **{name: str(ours.get(name)).upper() for name in said.send}}  # they write it their way
    ours_after = {**ours, **{name: theirs.get(name) for name in said.take}}
    noted = {**said.agreed, **{name: (ours_after.get(name), theirs_after.get(name)) for name in said.send + said.take}}
    again = merge(FIELDS, noted, Side(ours_after), Side(theirs_after), lambda _: owner)
    assert (again.send, again.take, again.ask) == ([], [], [])
