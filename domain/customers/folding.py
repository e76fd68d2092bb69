"""How text about a customer is made comparable, searchable or unreadable; nothing here reads or stores anything."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import phonenumbers
from email_validator import EmailNotValidError, validate_email

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MASK = "***"
WORD_LENGTH = 64
"""An indexed word is cut here: what a search can still tell apart, and far below what an index entry can hold."""

_SUPPRESSION_KEY_BYTES = 16
_PHONE_LIKE = re.compile(r"\+?[\d\s().-]+")
_PHONE_DIGITS = 5
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_LONGEST_ADDRESS = 254
_ATOMS = re.compile(r"(?=.{1,64}\Z)[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+(?:\.[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+)*")
"""What may stand before the @ as it is (RFC 5322, 3.2.3); of anything else the library is asked."""

# Arabic keyboards write Persian names with letters of their own; both spellings are one name.
_PERSIAN = {"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "ہ": "ه", "ە": "ه"}
# Latin letters that Unicode does not decompose, as they are typed where a keyboard lacks them.
_LATIN = {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
_APOSTROPHES = frozenset("'’‘ʼʹ`")
_TATWEEL = "ـ"
# What `fold` and `_within_word` make of the bytes of a plain text, in a third of the time.
_PLAIN_WORDS = bytes(byte if chr(byte).isalnum() else ord(" ") for byte in range(128)).lower().ljust(256)
_PLAIN_APOSTROPHES = b"'`"


class _Table(dict[int, str | None]):
    """A translation table that works each character out once, when it is first met."""

    def __init__(self, rule: Callable[[str], str | None]) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, code: int) -> str | None:
        self[code] = found = self._rule(chr(code))
        return found


def fold(text: str) -> str:
    """The text as a search sees it: without case, accents, invisible characters and doubled spaces, with
    compatibility forms resolved, Arabic letters as the Persian ones and digits of every script as 0 to 9.

    Folding twice is folding once. Marks that make another letter (Japanese voicing, Indic and Thai vowels) stay.
    """
    if _is_plain(text):
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFC", text.translate(_FOLDED)).split())


def plain(text: str) -> str:
    """The text as an identifier is compared: like `fold`, but case and accents still tell two apart."""
    if _is_plain(text):
        return " ".join(text.split())
    composed = unicodedata.normalize("NFKC", text).translate(_PLAIN)
    return " ".join(unicodedata.normalize("NFKC", composed).split())


def words(text: str) -> tuple[str, ...]:
    """The folded words of a text, each once, in their order; punctuation parts words, an apostrophe does not."""
    if _is_plain(text):
        parted = text.encode().translate(_PLAIN_WORDS, _PLAIN_APOSTROPHES).decode()
    else:
        parted = fold(text).translate(_WORDS)
    return tuple(dict.fromkeys(word[:WORD_LENGTH] for word in parted.split()))


def index_words(names: Iterable[str], emails: Iterable[str] = (), phones: Iterable[str] = ()) -> frozenset[str]:
    """Every word under which a customer is found; e-mail addresses and phones (E.164) are given normalised.

    An address is found by its words, whole, and by its domain behind an @; a phone by its digits as people dial
    them: +98 912..., 0098 912..., 0912... and 912...
    """
    found = {word for text in (*names, *emails) for word in words(text)}
    for email in emails:
        address = fold(email)
        found |= {address[:WORD_LENGTH], address[address.rfind("@") :][:WORD_LENGTH]}
    return frozenset(found.union(*map(_dialled, phones)))


def search_words(search: str) -> tuple[str, ...]:
    """What must be found for a search: each of these is the beginning of some word of the customer.

    A part with an @ is kept whole, and a search that is nothing but a phone number is one run of digits. Without
    any letter or digit there is nothing to look for, and the search says nothing.
    """
    folded = fold(search)
    digits = re.sub(r"\D", "", folded)
    if _PHONE_LIKE.fullmatch(folded) and len(digits) >= _PHONE_DIGITS:
        return (digits[:WORD_LENGTH],)
    return tuple(dict.fromkeys(word for part in folded.split() for word in _sought(part)))


def matches(search: str, indexed: Iterable[str]) -> bool:
    """Whether a customer with these index words is found: the promise that the SQL of a search keeps."""
    known = tuple(indexed)
    return all(any(word.startswith(wanted) for word in known) for wanted in search_words(search))


def normalise_email(value: str) -> str | None:
    """The address as it is compared (lower case, domain in Unicode), or None when it is none; no DNS is asked."""
    address = plain(value)
    local, _, domain = address.rpartition("@")
    if address.isascii() and len(address) <= _LONGEST_ADDRESS and _ATOMS.fullmatch(local):
        known = _domain(domain)
        return known and f"{local.lower()}@{known}"
    return _validated(address)


def normalise_phone(value: str, region: str | None = None) -> str | None:
    """The number in E.164, or None when it is not one; `region` (ISO 3166) reads a number without country code.

    An extension is left out. Numbers are checked for their length only, since ranges are opened every month.
    """
    try:
        number = phonenumbers.parse(plain(value), region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_identifier(scheme: str, value: str, region: str | None = None) -> str | None:
    """The value of an identity claim as it is compared, or None when it is not one of its scheme.

    Ids of other systems and devices keep their case, since many vendors tell ids apart by it.
    """
    match scheme:
        case "email":
            return normalise_email(value)
        case "phone":
            return normalise_phone(value, region)
        case "tax_id":
            return re.sub(r"[\W_]", "", plain(value)).upper() or None
        case _:
            return plain(value) or None


def mask_email(email: str) -> str:
    """An address for readers without `pii:read`: first letter and top-level domain at most, never its length."""
    local, _, domain = email.rpartition("@")
    first = local[0] if len(local) > 1 else ""
    _, dot, top = domain.rpartition(".")
    return f"{first}{MASK}@{MASK}{dot}{top if dot else ''}"


def mask_phone(phone: str) -> str:
    """A phone for readers without `pii:read`: its country code and last two digits at most."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return MASK
    return f"+{number.country_code}{MASK}{str(number.national_number)[-2:]}"


def mask_text(text: str) -> str:
    """Any other personal text for readers without `pii:read`: that there is one, and nothing of it."""
    return MASK if text else text


def suppression_hash(key: bytes, scheme: str, value: str) -> bytes:
    """What is kept of an erased person's identifier (normalised): enough to know it again when a sync brings it
    back, and unreadable to whoever lacks the key (16 to 64 bytes).
    """
    if len(key) < _SUPPRESSION_KEY_BYTES:
        raise ValueError(f"A suppression key has at least {_SUPPRESSION_KEY_BYTES} bytes.")
    return blake2b(f"{scheme}\0{value}".encode(), key=key, digest_size=32).digest()


@lru_cache(4_096)
def _domain(domain: str) -> str | None:
    """A domain as it is compared, or None when no address can be in it."""
    found = _validated(f"a@{domain}")
    return found and found.removeprefix("a@")


def _validated(address: str) -> str | None:
    try:
        return validate_email(address, check_deliverability=False).normalized.casefold()
    except EmailNotValidError:
        return None


def _is_plain(text: str) -> bool:
    """Whether it is made of nothing but what is on every keyboard, of which Unicode has nothing to say."""
    return text.isascii() and text.isprintable()


def _sought(part: str) -> tuple[str, ...]:
    found = words(part)
    return (part[:WORD_LENGTH],) if found and "@" in part else found


def _dialled(phone: str) -> set[str]:
    country_code = _code_of_plain(phone)
    if country_code is not None:
        return {phone[1:], f"00{phone[1:]}", phone[1:].removeprefix(country_code)}
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return set(words(phone))
    significant = phonenumbers.national_significant_number(number)
    international = f"{number.country_code}{significant}"
    found = {international, f"00{international}", significant}
    if _adds_digits_at_home(number.country_code):
        national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        found.add(re.sub(r"\D", "", national))
    return found


def _code_of_plain(phone: str) -> str | None:
    """The country code of a number that is dialled within its country as it stands behind it; None: ask the library.

    The library takes eight times as long.
    """
    country = _plain_country(phone[1:4]) if _E164.fullmatch(phone) else None
    return country and (None if country.prefix.match(phone, 1 + len(country.code)) else country.code)


class _PlainCountry(NamedTuple):
    """A country whose numbers are dialled as they stand, unless they begin with a prefix that is none of their own."""

    code: str
    prefix: re.Pattern[str]


@cache
def _plain_country(begin: str) -> _PlainCountry | None:
    """The country of the first three digits, where it is one whose numbers are dialled as they stand."""
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    code = next((begin[:length] for length in (1, 2, 3) if int(begin[:length]) in codes), None)
    if code is None or _adds_digits_at_home(int(code)):
        return None
    region = phonenumbers.region_code_for_country_code(int(code))
    known = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    return _PlainCountry(code, re.compile((known and known.national_prefix_for_parsing) or r"(?!)"))


@cache
def _adds_digits_at_home(country_code: int) -> bool:
    """Whether some numbers of a country are dialled with more digits within it, such as a 0 before them."""
    region = phonenumbers.region_code_for_country_code(country_code)
    known = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
    written = ((each.format, each.national_prefix_formatting_rule) for each in known.number_format) if known else ()
    return any(rule or re.search(r"(?<!\\)\d", form or "") for form, rule in written)


def _folded(char: str) -> str:
    previous, text = "", char
    while text != previous:
        previous, text = text, "".join(map(_folded_once, unicodedata.normalize("NFKD", text)))
    return text


def _folded_once(char: str) -> str:
    if _is_invisible(char) or _is_accent(char):
        return ""
    lower = (_PERSIAN.get(char) or _ascii_digit(char) or char).casefold()
    return _LATIN.get(lower, lower)


def _plainly(char: str) -> str | None:
    return None if _is_invisible(char) else _PERSIAN.get(char) or _ascii_digit(char) or char


def _within_word(char: str) -> str | None:
    if char in _APOSTROPHES:
        return None
    return char if unicodedata.category(char)[0] in "LMN" else " "


def _ascii_digit(char: str) -> str | None:
    digit = unicodedata.decimal(char, None)
    return None if digit is None else str(digit)


def _is_invisible(char: str) -> bool:
    # Cf holds the zero-width (non-)joiner and the marks of direction; the database takes neither NUL nor surrogates.
    category = unicodedata.category(char)
    return char == _TATWEEL or category in {"Cf", "Cs"} or (category == "Cc" and not char.isspace())


def _is_accent(char: str) -> bool:
    # Canonical combining classes: 1 overlays; 10 to 36 Hebrew, Arabic and Syriac vowels; 200 to 240 around a letter.
    mark = unicodedata.combining(char)
    return mark == 1 or 10 <= mark <= 36 or 200 <= mark <= 240


_FOLDED = _Table(_folded)
_PLAIN = _Table(_plainly)
_WORDS = _Table(_within_word)
