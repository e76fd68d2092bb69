"""OData as Outlook's endpoints take it: query options, `Prefer`, and the filters that are in use.

Only what stands here is understood. Graph's filters know more; a filter, option or property that is not here is
refused with the vendor's error, never ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from plugins.outlook.sandbox.errors import Refusal, bad_request
from plugins.outlook.sandbox.times import instant, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

LARGEST_PAGE = 1000
_PREFERENCE = re.compile(r"""([\w.\-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^,;\s]+))""")
_EXTENDED = re.compile(
    r"singleValueExtendedProperties/any\(\s*(\w+)\s*:\s*\1/id eq '((?:[^']|'')*)'"
    r" and \1/value eq '((?:[^']|'')*)'\s*\)",
    re.IGNORECASE,
)
_ANY = re.compile(r"(\w+)/any\(\s*(\w+)\s*:\s*\2/(\w+) (eq|ne) '((?:[^']|'')*)'\s*\)", re.IGNORECASE)
_STARTS = re.compile(r"startswith\(\s*([\w/]+)\s*,\s*'((?:[^']|'')*)'\s*\)", re.IGNORECASE)
_COMPARED = re.compile(r"([\w/]+) (eq|ne|ge|gt|le|lt) ('(?:[^']|'')*'|[\w.:+\-]+)")
_EXPANDED = re.compile(r"singleValueExtendedProperties\(\s*\$filter\s*=\s*(.+)\)", re.IGNORECASE | re.DOTALL)
_EXPANDED_ID = re.compile(r"id eq '((?:[^']|'')*)'", re.IGNORECASE)


@dataclass(frozen=True)
class Preferences:
    """What the `Prefer` header asks for."""

    named: Mapping[str, str]

    @classmethod
    def read(cls, header: str) -> Preferences:
        """The preferences of a header; unknown ones are ignored, as HTTP says."""
        return cls(
            {found[1].lower(): next(filter(None, found.groups()[1:]), "") for found in _PREFERENCE.finditer(header)}
        )

    @property
    def immutable_ids(self) -> bool:
        """Whether ids are to be written in the form that outlives moves."""
        return self.named.get("idtype", "").lower() == "immutableid"

    @property
    def zone(self) -> str:
        """The zone in which start and end of events are to be shown."""
        return self.named.get("outlook.timezone", "UTC")

    @property
    def text(self) -> bool:
        """Whether bodies are wanted as text; HTML otherwise."""
        return self.named.get("outlook.body-content-type", "html").lower() == "text"

    @property
    def page_size(self) -> int | None:
        """How many entries a page shall have at most."""
        asked = self.named.get("odata.maxpagesize", "")
        return min(int(asked), LARGEST_PAGE) if asked.isdigit() and int(asked) else None

    def applied(self) -> str:
        """What `Preference-Applied` says of those that were followed."""
        followed = ("outlook.timezone", "outlook.body-content-type")
        return ", ".join(f'{name}="{value}"' for name, value in self.named.items() if name in followed)


@dataclass(frozen=True)
class Options:
    """The query options of a request, each of them allowed where it stands."""

    given: Mapping[str, str]

    @classmethod
    def read(cls, query: str, allowed: Collection[str]) -> Options:
        """The options of a query string; one that the endpoint does not know is refused."""
        names = {name.lower(): name for name in allowed}
        given: dict[str, str] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            known = names.get(name.lower())
            if known is None:
                raise _not_allowed(name)
            if known in given:
                raise bad_request(
                    f"Query option '{name}' was specified more than once, but it must be specified at most once."
                )
            given[known] = value
        return cls(given)

    def get(self, name: str) -> str | None:
        """The raw value of an option."""
        return self.given.get(name)

    def number(self, name: str, largest: int, least: int = 0) -> int | None:
        """The value of `$top` or `$skip`."""
        text = self.given.get(name)
        if text is None:
            return None
        if not text.isdigit() or not least <= int(text) <= largest:
            raise bad_request(
                f"Invalid value '{text}' for {name} query option found. "
                f"The {name} query option requires a non-negative integer value.",
                "ErrorInvalidUrlQuery",
            )
        return int(text)

    def selected(self, known: Collection[str], kind: str) -> tuple[str, ...] | None:
        """The properties that `$select` names; all when it is absent."""
        text = self.given.get("$select")
        if text is None:
            return None
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        for name in names:
            if name not in known:
                raise unknown_property(name, kind)
        return names

    def counted(self) -> bool:
        """Whether `$count=true` asks for the number of all entries."""
        text = self.given.get("$count", "false")
        if text not in {"true", "false"}:
            raise bad_request(f"Invalid value '{text}' for $count query option found.")
        return text == "true"

    def expanded(self) -> frozenset[str]:
        """The extended properties that `$expand` asks to be shown."""
        text = self.given.get("$expand")
        if text is None:
            return frozenset()
        found = _EXPANDED.fullmatch(text.strip())
        names = _EXPANDED_ID.findall(found[1]) if found else []
        if found is None or not names or _EXPANDED_ID.sub("", found[1]).replace(" or ", "").strip():
            raise bad_request(f"Invalid $expand clause '{text}'.", "ErrorInvalidUrlQuery")
        return frozenset(map(_unquoted, names))

    def order(self, sortable: Collection[str], default: str) -> tuple[str, bool]:
        """The property to sort by, and whether the largest comes first."""
        name, _, direction = (self.given.get("$orderby") or default).strip().partition(" ")
        if name not in sortable or direction.strip() not in {"", "asc", "desc"}:
            raise bad_request(f"The $orderby clause '{name} {direction}' is not supported.", "ErrorInvalidUrlQuery")
        return name, direction.strip() == "desc"

    def filtered(self, kinds: Mapping[str, str]) -> Filter:
        """The filter; `kinds` says which properties can be compared, and as what."""
        return Filter.read(self.given.get("$filter"), kinds)


@dataclass
class Filter:
    """Which items are wanted, and if one equality decides, where the index has them."""

    clauses: list[Callable[[Mapping[str, Any], Mapping[str, str]], bool]] = field(default_factory=list)
    indexed: tuple[str, str] | None = None

    @classmethod
    def read(cls, text: str | None, kinds: Mapping[str, str]) -> Filter:
        """The filter of a `$filter` option: clauses joined by `and`."""
        found = cls()
        rest = (text or "").strip()
        while rest:
            rest = found._clause(rest, kinds).strip()
            if rest and not rest.startswith("and "):
                raise invalid_filter()
            rest = rest.removeprefix("and ").strip()
        if text is not None and not found.clauses:
            raise invalid_filter()
        return found

    def wants(self, shown: Mapping[str, Any], extended: Mapping[str, str]) -> bool:
        """Whether an item passes all clauses."""
        return all(clause(shown, extended) for clause in self.clauses)

    def _clause(self, text: str, kinds: Mapping[str, str]) -> str:
        """Take the first clause and give back what follows it."""
        if found := _EXTENDED.match(text):
            name, value = _unquoted(found[2]), _unquoted(found[3])
            self.indexed = (name, value)
            self.clauses.append(lambda _, extended: extended.get(name) == value)
        elif found := _ANY.match(text):
            self._any(found[1], found[3], found[4], _unquoted(found[5]), kinds)
        elif found := _STARTS.match(text):
            self._starts(found[1], _unquoted(found[2]), kinds)
        elif found := _COMPARED.match(text):
            self._compared(found[1], found[2], found[3], kinds)
        else:
            raise invalid_filter()
        return text[found.end() :]

    def _any(self, many: str, part: str, sign: str, wanted: str, kinds: Mapping[str, str]) -> None:
        if kinds.get(f"{many}/{part}") != "any" or sign.lower() != "eq":
            raise invalid_filter()
        self.clauses.append(lambda shown, _: any((one[part] or "").lower() == wanted.lower() for one in shown[many]))

    def _starts(self, path: str, wanted: str, kinds: Mapping[str, str]) -> None:
        if kinds.get(path) != "text":
            raise invalid_filter()
        self.clauses.append(lambda shown, _: (_at(shown, path) or "").lower().startswith(wanted.lower()))

    def _compared(self, path: str, sign: str, literal: str, kinds: Mapping[str, str]) -> None:
        wanted = _literal(literal, kinds.get(path))
        if path == "internetMessageId" and sign == "eq":
            self.indexed = (path, _unquoted(literal[1:-1]))
        as_kind = _READ[kinds[path]]
        self.clauses.append(lambda shown, _: _holds(as_kind(_at(shown, path)), sign, wanted))


def unknown_property(name: str, kind: str) -> Refusal:
    """A property that the resource does not have."""
    return bad_request(
        f"Could not find a property named '{name}' on type 'microsoft.graph.{kind}'.", "RequestBroker--ParseUri"
    )


def invalid_filter() -> Refusal:
    """A filter that cannot be read, or is not supported."""
    return bad_request("The query filter contains one or more invalid nodes.", "ErrorInvalidUrlQueryFilter")


_READ: dict[str, Callable[[Any], Any]] = {
    "text": lambda value: None if value is None else str(value).lower(),
    "flag": bool,
    "time": lambda value: None if value is None else moment(value),
    "zoned": lambda value: None if value is None else instant(value),
}


def _literal(literal: str, kind: str | None) -> Any:
    if kind == "flag" and literal in {"true", "false"}:
        return literal == "true"
    if kind == "time" and not literal.startswith("'"):
        return moment(literal)
    if kind == "zoned":
        return moment(literal.strip("'"))
    if kind == "text" and literal.startswith("'"):
        return _unquoted(literal[1:-1]).lower()
    if kind == "text" and literal == "null":
        return None
    raise invalid_filter()


def _holds(value: Any, sign: str, wanted: Any) -> bool:
    if sign in {"eq", "ne"}:
        return bool((value == wanted) == (sign == "eq"))
    if value is None or wanted is None:
        return False
    return bool({"ge": value >= wanted, "gt": value > wanted, "le": value <= wanted, "lt": value < wanted}[sign])


def _at(shown: Mapping[str, Any], path: str) -> Any:
    """The value at a path like `from/emailAddress/address`; `start/dateTime` means the whole pair."""
    value: Any = shown
    for name in path.removesuffix("/dateTime").split("/"):
        value = None if value is None else value.get(name)
    return value


def _unquoted(text: str) -> str:
    return text.replace("''", "'")


def _not_allowed(name: str) -> Refusal:
    return bad_request(f"The query parameter '{name}' is not supported.", "ErrorInvalidUrlQuery")
