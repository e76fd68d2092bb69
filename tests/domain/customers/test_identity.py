from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers.edges import Edge, EdgeKind, check_merge, components
from domain.customers.identity import (
    AutomaticMerge,
    Claim,
    CustomerKind,
    Outcome,
    Profile,
    Proposal,
    Strength,
    automatic_merges,
    decide,
    default_strength,
    name_similarity,
    score,
)

if TYPE_CHECKING:
    from random import Random

A, B, C, D = (UUID(int=number) for number in range(1, 5))


def claim(scheme: str, value: str, *, verified: bool = False) -> Claim:
    return Claim(scheme, value, default_strength(scheme), verified)


def person(*claims: Claim, name: str = "", city: str = "") -> Profile:
    return Profile(
        CustomerKind.PERSON,
        claims=frozenset(claims),
        names=frozenset({name} - {""}),
        cities=frozenset({city} - {""}),
    )


claims = st.builds(
    claim,
    st.sampled_from(["email", "phone", "tax_id", "external:files", "device"]),
    st.sampled_from("xyz"),
    verified=st.booleans(),
)
profiles = st.builds(
    Profile,
    st.sampled_from(CustomerKind),
    claims=st.frozensets(claims, max_size=3),
    names=st.frozensets(st.sampled_from(["Ali Rezaei", "علي رضایی", "Rezai Ali", "Acme Ltd"]), max_size=2),
    countries=st.frozensets(st.sampled_from(["IR", "DE"]), max_size=1),
    cities=st.frozensets(st.sampled_from(["Tehran", "Berlin"]), max_size=1),
)


@pytest.mark.parametrize(
    ("scheme", "strength"),
    [("email", "STRONG"), ("external:files", "STRONG"), ("phone", "WEAK"), ("device", "DEVICE"), ("loyalty", "WEAK")],
)
def test_default_strength(scheme: str, strength: str) -> None:
    assert default_strength(scheme) is Strength(strength)


def test_a_shared_strong_identifier_proposes_a_merge() -> None:
    mail = claim("email", "a@b.de")
    assert decide(person(mail), person(mail)) == Proposal(Outcome.MERGE, (("email", "a@b.de"),))


def test_different_verified_identifiers_of_one_scheme_are_a_veto() -> None:
    tax = claim("tax_id", "1")
    ours, theirs = claim("email", "a@b.de", verified=True), claim("email", "c@b.de", verified=True)
    assert decide(person(tax, ours), person(tax, theirs)) == Proposal(Outcome.VETO, (("tax_id", "1"),), ("email",))
    assert decide(person(tax, ours), person(tax, claim("email", "c@b.de"))).outcome is Outcome.MERGE
    assert decide(person(tax, ours), person(tax, ours, theirs)).outcome is Outcome.MERGE


def test_ids_of_one_outside_system_contradict_only_where_they_are_single_valued() -> None:
    mail = claim("email", "a@b.de")
    ours, theirs = (person(mail, claim("external:quickbooks", value, verified=True)) for value in "12")
    assert decide(ours, theirs).outcome is Outcome.MERGE
    vetoed = decide(ours, theirs, single_valued={"external:quickbooks"})
    assert vetoed == Proposal(Outcome.VETO, (("email", "a@b.de"),), ("external:quickbooks",))


def test_a_company_is_not_merged_with_its_contact() -> None:
    mail = claim("email", "info@acme.de")
    company = Profile(CustomerKind.ORGANISATION, frozenset({mail}))
    assert decide(company, person(mail)) == Proposal(Outcome.VETO, (("email", "info@acme.de"),), ("kind",))


def test_weak_identifiers_and_equal_names_only_propose() -> None:
    phone = claim("phone", "+989121234567")
    assert decide(person(phone), person(phone)) == Proposal(Outcome.CANDIDATE, (("phone", "+989121234567"),))
    assert decide(person(name="علي كريمي"), person(name="علی کریمی")) == Proposal(Outcome.CANDIDATE)
    assert decide(person(name="Ali"), person(name="Reza")) == Proposal(Outcome.NOTHING)
    assert decide(person(name="?"), person(name="!")) == Proposal(Outcome.NOTHING)


def test_the_older_customer_absorbs_and_what_it_gained_counts() -> None:
    mail, tax = claim("email", "a@b.de"), claim("tax_id", "1")
    made = automatic_merges({C: person(tax), B: person(mail), A: person(mail, tax)})
    assert made == [
        AutomaticMerge(A, B, Proposal(Outcome.MERGE, (("email", "a@b.de"),))),
        AutomaticMerge(A, C, Proposal(Outcome.MERGE, (("tax_id", "1"),))),
    ]


def test_a_contradiction_counts_for_all_who_were_brought_together() -> None:
    mail, tax = claim("email", "a@b.de"), claim("tax_id", "1", verified=True)
    other = claim("tax_id", "2", verified=True)
    made = automatic_merges({A: person(mail, tax), B: person(mail), C: person(mail, other)})
    assert [(merge.into, merge.absorbed) for merge in made] == [(A, B)]


def test_an_identifier_that_everyone_holds_proves_nothing() -> None:
    mail = claim("email", "none@example.com")
    assert len(automatic_merges({UUID(int=n): person(mail) for n in range(20)})) == 19
    assert automatic_merges({UUID(int=n): person(mail) for n in range(21)}) == []


@given(
    st.dictionaries(st.sampled_from([A, B, C, D]), profiles),
    st.lists(st.tuples(st.sampled_from([A, B, C, D]), st.sampled_from([A, B, C, D])).filter(lambda p: p[0] != p[1])),
)
def test_no_sequence_of_automatic_merges_breaks_a_veto(
    known: dict[UUID, Profile], apart: list[tuple[UUID, UUID]]
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    log = [Edge(UUID(int=90 + n), EdgeKind.VETO, a, b, UUID(int=9), at) for n, (a, b) in enumerate(apart)]
    for number, merge in enumerate(automatic_merges(known, log)):
        check_merge(log, merge.into, merge.absorbed)
        log.append(Edge(UUID(int=500 + number), EdgeKind.MERGE, merge.absorbed, merge.into, UUID(int=9), at))
    roots = components(log)
    assert all(roots.get(a, a) != roots.get(b, b) for a, b in apart)


@given(st.dictionaries(st.sampled_from([A, B, C, D]), profiles), st.randoms(use_true_random=False))
def test_automatic_merges_do_not_depend_on_the_order_of_customers(known: dict[UUID, Profile], rnd: Random) -> None:
    shuffled = list(known.items())
    rnd.shuffle(shuffled)
    assert automatic_merges(dict(shuffled)) == automatic_merges(known)


@given(profiles, profiles)
def test_decisions_and_scores_do_not_depend_on_who_comes_first(a: Profile, b: Profile) -> None:
    assert decide(a, b) == decide(b, a)
    assert score(a, b) == score(b, a)
    assert 0 <= score(a, b).value <= 1


def test_a_score_is_explained_and_follows_its_bits() -> None:
    mail = claim("email", "a@b.de")
    found = score(person(mail, name="Jon Smith", city="Berlin"), person(mail, name="John Smith", city="berlin"))
    assert [(f.name, f.value, f.weight, f.explanation) for f in found.features] == [
        ("email", 1.0, 10.0, "Both have the same e-mail address."),
        ("name", 0.941, 5.0, "The names are 94% alike."),
        ("city", 1.0, 2.0, "Both have the same city."),
    ]
    assert found.value == round(1 / (1 + 2**-9), 3) == 0.998


def test_what_one_side_lacks_says_nothing() -> None:
    assert score(person(name="Ali"), person()).features == ()
    assert score(person(), person()).value == 0.004


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        ("Rezaei, Ali", "ali REZAEI", 1.0),
        ("علي رضايي", "علی رضایی", 1.0),
        ("Acme Ltd", "ACME", 1.0),
        ("J. Smith", "John Smith", 0.933),
        ("Mohammad Karimi", "Mohamed Kareemi", 0.786),
        ("Ali Rezaei", "Sara Ahmadi", 0.316),
        ("", "Ali", 0.0),
    ],
)
def test_name_similarity(a: str, b: str, alike: float) -> None:
    assert round(name_similarity(a, b), 3) == alike
    assert name_similarity(a, b) == name_similarity(b, a)
