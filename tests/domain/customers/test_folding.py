from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers.folding import (
    fold,
    index_words,
    mask_email,
    mask_phone,
    mask_text,
    matches,
    normalise_email,
    normalise_identifier,
    normalise_phone,
    plain,
    search_words,
    suppression_hash,
    words,
)

KEY = b"0123456789abcdef"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("علي كريمي", "علی کریمی"),
        ("علی\u200cرضا", "علیرضا"),
        ("مـحـمـد", "محمد"),
        ("مُحَمَّد", "محمد"),
        ("آرش", "ارش"),
        ("۰۹۱۲ ٣٤٥", "0912 345"),
        ("  ÉCOLE\u00a0 Straße ", "ecole strasse"),
        ("Łukasz Ødegård", "lukasz odegard"),
        ("ﬁne Ｆｕｌｌ", "fine full"),
        ("が", "が"),
        ("हिन्दी", "हिन्दी"),
        ("a\0b", "ab"),
        ("", ""),
    ],
)
def test_fold(written: str, folded: str) -> None:
    assert fold(written) == folded


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert plain(plain(text)) == plain(text)


@given(st.text())
def test_words_are_folded_unique_and_stable(text: str) -> None:
    found = words(text)
    assert len(set(found)) == len(found)
    assert all(word and words(word) == (word,) for word in found)


@given(st.text(st.characters(max_codepoint=126)))
def test_what_every_keyboard_has_is_parted_into_words_like_any_text(text: str) -> None:
    assert words(text) == words(f"{text}\u200c")


def test_words_part_at_punctuation_but_not_at_apostrophes() -> None:
    assert words("O'Neil-Smith, smith & Söhne") == ("oneil", "smith", "sohne")


def test_index_words_of_names_addresses_and_phones() -> None:
    assert index_words(["Ali Rezaei"], ["ali@office.ir"], ["+989121234567"]) == {
        "ali", "rezaei", "office", "ir", "ali@office.ir", "@office.ir",
        "989121234567", "00989121234567", "09121234567", "9121234567",
    }  # fmt: skip


@given(
    st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)), st.text("0123456789", min_size=4, max_size=12)
)
def test_a_phone_is_found_as_the_library_reads_it_in_every_country(country_code: int, digits: str) -> None:
    try:
        number = phonenumbers.parse(f"+{country_code}{digits}")
    except phonenumbers.NumberParseException:
        return
    significant = phonenumbers.national_significant_number(number)
    international = f"{number.country_code}{significant}"
    national = re.sub(r"\D", "", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL))
    found = index_words([], [], [f"+{country_code}{digits}"])
    assert found - {national} == {international, f"00{international}", significant} - {national}
    assert found <= {international, f"00{international}", significant, national}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("rez", True),
        ("REZAEI ali", True),
        ("ali rezaeii", False),
        ("zaei", False),
        ("ali@off", True),
        ("rezaei@off", False),
        ("@office.ir", True),
        ("office", True),
        ("+98 912 123", True),
        ("0098912", True),
        ("۰۹۱۲ ۱۲۳", True),
        ("(0912) 124", False),
        ("علي", True),
        ("!!!", True),
    ],
)
def test_a_customer_is_found_by_the_beginnings_of_its_words(search: str, found: bool) -> None:
    indexed = index_words(["Ali Rezaei", "علی رضایی"], ["ali@office.ir"], ["+989121234567"])
    assert matches(search, indexed) is found


@given(st.text(), st.integers(min_value=1, max_value=70))
def test_every_beginning_of_every_word_finds_its_customer(name: str, length: int) -> None:
    indexed = index_words([name])
    assert all(matches(word[:length], indexed) for word in indexed)


def test_a_search_without_letters_says_nothing() -> None:
    assert search_words("@ !? ") == ()


@pytest.mark.parametrize(
    ("value", "normalised"),
    [
        (" Ali.Rezaei@Example.COM ", "ali.rezaei@example.com"),
        ("a@xn--bcher-kva.de", "a@bücher.de"),
        ("ali\u200c@example.com", "ali@example.com"),
        ("ali", None),
        ("ali@", None),
        ("", None),
    ],
)
def test_normalise_email(value: str, normalised: str | None) -> None:
    assert normalise_email(value) == normalised


@pytest.mark.parametrize(
    ("value", "region", "normalised"),
    [
        ("۰۹۱۲ ۱۲۳ ۴۵۶۷", "IR", "+989121234567"),
        ("+1 (201) 555-0123 ext. 4", None, "+12015550123"),
        ("0912 123 4567", None, None),
        ("12", "IR", None),
        ("none", "IR", None),
    ],
)
def test_normalise_phone(value: str, region: str | None, normalised: str | None) -> None:
    assert normalise_phone(value, region) == normalised


@pytest.mark.parametrize(
    ("scheme", "value", "normalised"),
    [
        ("email", "A@B.de", "a@b.de"),
        ("phone", "020 7946 0018", "+442079460018"),
        ("tax_id", "de 123-456.789", "DE123456789"),
        ("tax_id", "--", None),
        ("external:files", " ۱۲۷۴۸ ", "12748"),
        ("external:salesforce", "0015g00000Abc", "0015g00000Abc"),
        ("device", "\u200b", None),
    ],
)
def test_normalise_identifier(scheme: str, value: str, normalised: str | None) -> None:
    assert normalise_identifier(scheme, value, "GB") == normalised


@pytest.mark.parametrize(
    ("email", "masked"),
    [("john@example.com", "j***@***.com"), ("j@example.com", "***@***.com"), ("root@host", "r***@***")],
)
def test_mask_email(email: str, masked: str) -> None:
    assert mask_email(email) == masked


@given(st.from_regex(r"[a-z0-9.]{1,20}", fullmatch=True), st.from_regex(r"[a-z]{4,9}\.(com|ir)", fullmatch=True))
def test_masking_reveals_neither_the_local_part_nor_the_domain(local: str, domain: str) -> None:
    shown, _, place = mask_email(f"{local}@{domain}").partition("@")
    assert shown in {"***", f"{local[0]}***"}
    assert shown.removesuffix("***") != local
    assert domain.partition(".")[0] not in place


def test_masks_of_phones_and_texts() -> None:
    assert mask_phone("+989121234567") == "+98***67"
    assert mask_phone("unknown") == "***"
    assert (mask_text("Female"), mask_text("")) == ("***", "")


def test_suppression_hash_needs_the_key_and_tells_schemes_apart() -> None:
    digest = suppression_hash(KEY, "email", "ali@example.com")
    assert len(digest) == 32
    assert digest == suppression_hash(KEY, "email", "ali@example.com")
    assert digest != suppression_hash(KEY[::-1], "email", "ali@example.com")
    assert digest != suppression_hash(KEY, "emaila", "li@example.com")
    with pytest.raises(ValueError, match="at least 16 bytes"):
        suppression_hash(b"short", "email", "ali@example.com")
