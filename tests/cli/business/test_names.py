from __future__ import annotations

import phonenumbers
import pytest

from cli.business import names
from domain.customers.folding import normalise_email, normalise_phone

NUMBERS = range(2000)
RESERVED = {"example.com", "example.org", "example.net"}
# What the authorities keep free for fiction: Ofcom, the Bundesnetzagentur, Arcep, NANPA and ACMA.
FICTION = (
    "+44207946", "+44161496", "+44131496", "+44117496", "+44113496", "+493023125", "+492214710", "+494066969",
    "+498999998", "+3319900", "+3346571", "+3326191", "+120255501", "+130355501", "+141555501", "+131255501",
    "+6125550", "+6137010",
)  # fmt: skip


def test_two_thousand_people_have_two_thousand_names() -> None:
    assert len({names.person(number).written for number in NUMBERS}) == 2000


def test_two_hundred_and_fifty_organisations_have_as_many_names() -> None:
    assert len({names.organisation(number).written for number in range(0, 2000, 8)}) == 250


def test_names_are_written_as_at_home_and_as_in_an_address() -> None:
    assert names.person(0) == ("Ada Abbott", "ada.abbott")
    assert names.person(2) == ("Adèle Aubertin", "adele.aubertin")
    assert names.person(4) == ("آرش آذری", "arash.azari")
    assert names.organisation(8) == ("Nightingale Design SARL", "nightingale-design")


def test_the_countries_have_their_shares() -> None:
    homes = [names.country(number).code for number in NUMBERS]
    shares = {code: homes.count(code) for code in sorted(set(homes))}
    assert shares == {"AU": 100, "DE": 400, "FR": 300, "GB": 500, "IR": 400, "US": 300}


@pytest.mark.parametrize("of", [names.person, names.organisation])
def test_an_address_belongs_to_nobody(of: object) -> None:
    addresses = {names.email(of(number).latin, number) for number in NUMBERS}  # type: ignore[operator]
    assert len(addresses) == 2000
    assert {address.rpartition("@")[2] for address in addresses} == RESERVED
    assert {normalise_email(address) for address in addresses} == addresses


def test_a_phone_is_valid_and_rings_nowhere() -> None:
    phones = [phone for number in NUMBERS if (phone := names.phone(number))]
    written = {normalise_phone(phone) or "" for phone in phones}
    assert len(written) == len(phones) == 1600  # in Iran no numbers are kept free
    assert all(phone.startswith(FICTION) for phone in written)
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(phone)) for phone in written)


def test_no_phone_is_made_up_where_they_run_out() -> None:
    assert names.phone(5) == "+1 202 555 0100"
    assert names.phone(5 + 20 * 1000) is None
