"""Whether two customers are one: what their identifiers prove, what contradicts it, and how alike they are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

from domain.customers.edges import EdgeKind, active, components
from domain.customers.folding import words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from uuid import UUID

    from domain.customers.edges import Edge

EXTERNAL = "external:"

MOST_HOLDERS = 20
"""An identifier that more customers hold is a placeholder or a shared mailbox and proves nothing."""


class Strength(StrEnum):
    """How much an identifier says about who someone is."""

    STRONG = "STRONG"
    WEAK = "WEAK"
    DEVICE = "DEVICE"


def default_strength(scheme: str) -> Strength:
    """The strength of a scheme whose source says nothing else.

    A phone is weak: households and switchboards share one. So is every scheme that a tenant makes up.
    """
    if scheme in {"email", "tax_id"} or scheme.startswith(EXTERNAL):
        return Strength.STRONG
    return Strength.DEVICE if scheme == "device" else Strength.WEAK


class CustomerKind(StrEnum):
    """A person or an organisation; one party type serves both."""

    PERSON = "PERSON"
    ORGANISATION = "ORGANISATION"


@dataclass(frozen=True, slots=True)
class Claim:
    """One identifier of a customer; `value` is normalised (`folding.normalise_identifier`)."""

    scheme: str
    value: str
    strength: Strength
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a customer with all his members, as far as it tells him from others."""

    kind: CustomerKind
    claims: frozenset[Claim] = frozenset()
    names: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    cities: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()

    def __or__(self, other: Profile) -> Profile:
        """What is known of both together, once they are one."""
        return Profile(
            kind=self.kind,
            claims=self.claims | other.claims,
            names=self.names | other.names,
            countries=self.countries | other.countries,
            cities=self.cities | other.cities,
            organisations=self.organisations | other.organisations,
        )


class Outcome(StrEnum):
    """What the identifiers of two customers propose."""

    MERGE = "MERGE"
    CANDIDATE = "CANDIDATE"
    VETO = "VETO"
    NOTHING = "NOTHING"


@dataclass(frozen=True, slots=True)
class Proposal:
    """An outcome with its evidence: the identifiers that both hold, and the schemes (or `kind`) that contradict."""

    outcome: Outcome
    shared: tuple[tuple[str, str], ...] = ()
    contradictions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AutomaticMerge:
    """A merge that nobody has to confirm: `into` absorbs `absorbed` because of `proposal`."""

    into: UUID
    absorbed: UUID
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Feature:
    """One reason for a score: how far two customers agree in it (0 to 1), its weight in bits, and why, in words
    without personal data.
    """

    name: str
    value: float
    weight: float
    explanation: str


@dataclass(frozen=True, slots=True)
class Score:
    """How likely two customers are one (0 to 1), and the features that say so, the weightiest first."""

    value: float
    features: tuple[Feature, ...]


def decide(a: Profile, b: Profile, single_valued: Collection[str] = ()) -> Proposal:
    """What the identifiers of two customers propose.

    A shared strong identifier means MERGE, unless something contradicts it: then VETO, and only a person may merge
    them. Shared weak identifiers and equal names mean CANDIDATE, also where something contradicts. Contradictions:

    - Verified strong identifiers of one scheme of which none is shared. Someone has several addresses; whoever
      verified one of them with both customers is one.
    - A person and an organisation: a company and its contact often share an address.

    Two ids in one outside system (`external:quickbooks`) contradict only when that scheme is named in
    `single_valued`: systems hold the same customer twice, and finding that is what merging is for.
    """
    shared = _pairs(a.claims) & _pairs(b.claims)
    against = tuple(_contradictions(a, b, single_valued))
    evidence = tuple(sorted(shared))
    if _strong(a.claims) & _strong(b.claims):
        return Proposal(Outcome.VETO if against else Outcome.MERGE, evidence, against)
    if shared or _folded(a.names) & _folded(b.names):
        return Proposal(Outcome.CANDIDATE, evidence, against)
    return Proposal(Outcome.NOTHING)


def automatic_merges(
    profiles: Mapping[UUID, Profile], edges: Iterable[Edge] = (), single_valued: Collection[str] = ()
) -> list[AutomaticMerge]:
    """The merges that the identifiers of these roots prove, each decided with what the earlier ones brought together.

    The older customer (the smaller UUIDv7) absorbs the younger. No veto of the log is broken, neither directly nor
    through others, and the order in which customers are given decides nothing. An identifier that more than
    20 customers hold is a placeholder or a shared mailbox and proves nothing.
    """
    made: list[AutomaticMerge] = []
    group = _Groups(profiles, edges)
    for a, b in _sharing_strong(profiles):
        into, absorbed = sorted((group.root(a), group.root(b)))
        if into == absorbed or group.are_apart(into, absorbed):
            continue
        proposal = decide(group.profiles[into], group.profiles[absorbed], single_valued)
        if proposal.outcome is Outcome.MERGE:
            group.join(into, absorbed)
            made.append(AutomaticMerge(into, absorbed, proposal))
    return made


def score(a: Profile, b: Profile) -> Score:
    """How likely two customers are one, by the match weights of Fellegi and Sunter (1969).

    Each feature adds bits of evidence, for when both agree and against when they differ; what one of them lacks
    says nothing. The value is the probability after all of them: 1 / (1 + 2 ** -(sum of bits - 8)), where 8 bits
    against stand for how rare a true pair is among those compared. The order of the two does not matter.
    """
    features = sorted(_features(a, b), key=lambda feature: (-abs(feature.weight), feature.name))
    bits = sum(feature.weight for feature in features) - _RARITY
    return Score(round(1 / (1 + 2**-bits), 3), tuple(features))


def name_similarity(a: str, b: str) -> float:
    """How alike two names are, from 0 to 1, whatever the order of their words, their case, accents or legal form.

    Each word is paired with its most similar one; an initial agrees with a word that it begins; words without
    a partner count half.
    """
    left, right = sorted((_name_words(a), _name_words(b)))
    if not left or not right:
        return 0.0
    pairs = sorted(((_word_similarity(x, y), x, y) for x in left for y in right), reverse=True)
    agreement = weight = 0.0
    for similarity, x, y in pairs:
        if x in left and y in right:
            left.remove(x)
            right.remove(y)
            agreement += similarity * len(x + y)
            weight += len(x + y)
    return agreement / (weight + sum(map(len, left + right)) / 2)


_RARITY = 8.0
_NAME_BITS = ((1.0, 7.0), (0.9, 5.0), (0.8, 2.0), (0.65, 0.0), (0.0, -5.0))
_INITIAL = 0.8
_LEGAL_FORMS = frozenset(
    ["ltd", "limited", "inc", "llc", "llp", "gmbh", "co", "corp", "corporation", "company", "plc", "sa", "ag", "شرکت"]
)

# scheme: (what it is called, bits when one is shared, bits when both have one and none is shared)
_IDENTIFIERS = {
    "tax_id": ("tax id", 13.0, -8.0),
    "email": ("e-mail address", 10.0, -1.0),
    "phone": ("phone number", 8.0, -1.0),
    "device": ("device", 3.0, 0.0),
}
_OTHER_IDENTIFIER = (6.0, 0.0)


class _Groups:
    """Roots as they grow together, with what is known of each and the vetoes between them."""

    def __init__(self, profiles: Mapping[UUID, Profile], edges: Iterable[Edge]) -> None:
        log = list(edges)
        known = components(log)
        self.profiles = dict(profiles)
        self._absorbed: dict[UUID, UUID] = {}
        self._apart: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for edge in active(log):
            if edge.kind is EdgeKind.VETO:
                into, other = edge.into_id, edge.customer_id
                self._keep_apart(known.get(into, into), known.get(other, other))

    def root(self, customer: UUID) -> UUID:
        while customer in self._absorbed:
            customer = self._absorbed[customer]
        return customer

    def are_apart(self, a: UUID, b: UUID) -> bool:
        return b in self._apart[a]

    def join(self, into: UUID, absorbed: UUID) -> None:
        self._absorbed[absorbed] = into
        self.profiles[into] |= self.profiles.pop(absorbed)
        for other in self._apart.pop(absorbed, set()):
            self._apart[other].discard(absorbed)
            self._keep_apart(into, other)

    def _keep_apart(self, a: UUID, b: UUID) -> None:
        self._apart[a].add(b)
        self._apart[b].add(a)


def _sharing_strong(profiles: Mapping[UUID, Profile]) -> list[tuple[UUID, UUID]]:
    holders: defaultdict[tuple[str, str], list[UUID]] = defaultdict(list)
    for customer in sorted(profiles):
        for identifier in _strong(profiles[customer].claims):
            holders[identifier].append(customer)
    telling = sorted(identifier for identifier, held_by in holders.items() if len(held_by) <= MOST_HOLDERS)
    return [pair for identifier in telling for pair in combinations(holders[identifier], 2)]


def _pairs(claims: Iterable[Claim]) -> set[tuple[str, str]]:
    return {(claim.scheme, claim.value) for claim in claims}


def _strong(claims: Iterable[Claim]) -> set[tuple[str, str]]:
    return {(claim.scheme, claim.value) for claim in claims if claim.strength is Strength.STRONG}


def _contradictions(a: Profile, b: Profile, single_valued: Collection[str]) -> Iterator[str]:
    if a.kind is not b.kind:
        yield "kind"
    ours, theirs = _proven(a.claims), _proven(b.claims)
    for scheme in sorted(ours.keys() & theirs.keys()):
        may_differ = scheme.startswith(EXTERNAL) and scheme not in single_valued
        if not may_differ and ours[scheme].isdisjoint(theirs[scheme]):
            yield scheme


def _proven(claims: Iterable[Claim]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for claim in claims:
        if claim.verified and claim.strength is Strength.STRONG:
            found[claim.scheme].add(claim.value)
    return found


def _features(a: Profile, b: Profile) -> Iterator[Feature]:
    schemes = {claim.scheme for claim in a.claims} & {claim.scheme for claim in b.claims}
    for scheme in sorted(schemes):
        called, same, different = _IDENTIFIERS.get(scheme, (scheme, *_OTHER_IDENTIFIER))
        yield from _compared(scheme, called, _values(a, scheme), _values(b, scheme), same, different)
    yield from _name_feature(a.names, b.names)
    yield from _compared("country", "country", _folded(a.countries), _folded(b.countries), 1.0, -3.0)
    yield from _compared("city", "city", _folded(a.cities), _folded(b.cities), 2.0, -1.0)
    organisations = _folded(a.organisations), _folded(b.organisations)
    yield from _compared("organisation", "organisation", *organisations, 4.0, -1.0)
    if a.kind is not b.kind:
        yield Feature("kind", 0.0, -6.0, "One is a person, the other an organisation.")


def _compared(
    name: str, called: str, ours: set[str], theirs: set[str], same: float, different: float
) -> Iterator[Feature]:
    if not ours or not theirs:
        return
    if ours & theirs:
        yield Feature(name, 1.0, same, f"Both have the same {called}.")
    else:
        yield Feature(name, 0.0, different, f"Nothing in common: {called}.")


def _name_feature(ours: Iterable[str], theirs: Iterable[str]) -> Iterator[Feature]:
    alike = max((name_similarity(x, y) for x in ours for y in theirs), default=None)
    if alike is not None:
        bits = next(bits for least, bits in _NAME_BITS if alike >= least)
        yield Feature("name", round(alike, 3), bits, f"The names are {alike:.0%} alike.")


def _values(profile: Profile, scheme: str) -> set[str]:
    return {claim.value for claim in profile.claims if claim.scheme == scheme}


def _folded(texts: Iterable[str]) -> set[str]:
    return {" ".join(found) for text in texts if (found := words(text))}


def _name_words(name: str) -> list[str]:
    found = words(name)
    return [word for word in found if word not in _LEGAL_FORMS] or list(found)


def _word_similarity(a: str, b: str) -> float:
    shorter, longer = sorted((a, b), key=lambda word: (len(word), word))
    if len(shorter) == 1 and longer.startswith(shorter):
        return 1.0 if longer == shorter else _INITIAL
    # SequenceMatcher minds the order of its arguments; sorted, the likeness of two words is the same both ways.
    return SequenceMatcher(None, shorter, longer, autojunk=False).ratio()
