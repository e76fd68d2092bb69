"""Made-up books of any size, the same ones for the same seed: English and Persian customers, and what they bought."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from plugins.quickbooks.sandbox import calendar
from plugins.quickbooks.sandbox.completing import CURRENCY, DAYS_TO_PAY
from plugins.quickbooks.sandbox.ledger import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from plugins.quickbooks.sandbox.company import Company
    from plugins.quickbooks.sandbox.entities import Record

ENGLISH = (
    (
        "Amy",
        "Bill",
        "Carla",
        "Dylan",
        "Erin",
        "Farid",
        "Grace",
        "Hugh",
        "Ines",
        "Jamal",
        "Kate",
        "Liam",
        "Maya",
        "Noah",
    ),
    ("Lauterbach", "Lucchini", "Sollenberger", "Tsang", "Abbott", "Baker", "Cho", "Diaz", "Evans", "Flores", "Green"),
    ("Bakery", "Gardens", "Electric", "Plumbing", "Studio", "Consulting", "Outfitters", "Landscaping", "Dental Care"),
)
PERSIAN = (
    ("نگار", "آرش", "شیرین", "کاوه", "مریم", "بهرام", "لیلا", "سینا", "پریسا", "داریوش", "نسرین", "امید"),
    ("رضایی", "کریمی", "حسینی", "موسوی", "تهرانی", "جعفری", "نوری", "صادقی", "شیرازی", "اکبری"),
    ("فروشگاه", "شرکت", "کارگاه", "رستوران", "نشر"),
)
STREETS = ("Broadway", "Main Street", "Valley Road", "خیابان ولیعصر", "Harbor Drive", "Ocean Avenue")
CITIES = (("Bayshore", "CA", "94326"), ("Half Moon Bay", "CA", "94213"), ("Tehran", "", "1511943943"))
ITEMS = (
    ("Design", "75.00"),
    ("Gardening", "42.50"),
    ("Hours", "60.00"),
    ("Installation", "250.00"),
    ("Lighting", "15.25"),
    ("Maintenance & Repair", "99.99"),
    ("Rock Fountain", "275.00"),
    ("Sprinkler Heads", "2.35"),
    ("فرش دستباف", "1250.00"),
    ("زعفران", "18.40"),
)
YEARS_BACK = 2
DAY = 86_400


class Filling:
    """One run over a company; everything it adds was last changed in the two years before."""

    def __init__(self, company: Company, random: Random, now: int) -> None:
        self._company = company
        self._random = random
        self._now = now
        self._owing: dict[str, Decimal] = {}
        self._items: list[tuple[Record, Decimal]] = []
        self._payments: list[tuple[Record, int]] = []
        self._stamp = now - YEARS_BACK * 365 * DAY
        self._step = DAY

    def run(self, *, customers: int, invoices_each: int, lines: int, settled: float, others: bool) -> None:
        """Add the items once, then the customers, then their documents, each in order of time."""
        self._items = [self._item(name, price) for name, price in ITEMS]
        self._step = (self._now - self._stamp - DAY) // max(1, customers * (2 + 2 * invoices_each))
        rows = [self._person(number) for number in range(customers)]
        people = [person for person, _ in rows]
        self._load("Invoice", self._invoices(people * invoices_each, lines, settled))
        self._load("Payment", self._payments)
        if others:
            self._load("CreditMemo", map(self._credit, self._some(people, 0.1)))
            self._load("SalesReceipt", map(self._receipt, self._some(people, 0.2)))
            self._load("RefundReceipt", map(self._refund, self._some(people, 0.04)))
        for person in people:
            person["Balance"] = person["BalanceWithJobs"] = self._owing.get(person["Id"], ZERO)
        self._load("Customer", rows)

    def _load(self, entity: str, rows: Iterable[tuple[Record, int]]) -> None:
        self._company.tables[entity].load(rows)

    def _some(self, people: list[Record], share: float) -> Iterator[Record]:
        return (person for person in people if self._random.random() < share)

    def _invoices(self, people: list[Record], lines: int, settled: float) -> Iterator[tuple[Record, int]]:
        """One invoice each; their payments are put aside."""
        for person in people:
            yield self._invoice(person, lines, settled)

    def _tick(self) -> int:
        self._stamp += self._random.randrange(2 * self._step + 1)
        self._stamp = min(self._stamp, self._now - 1)
        return self._stamp

    def _item(self, name: str, price: str) -> tuple[Record, Decimal]:
        known = self._company.tables["Item"].found("Name", name)
        if known:
            return {"value": str(known[0]), "name": name}, Decimal(price)
        income = {"value": "79"}
        item = self._company.create("Item", Name=name, UnitPrice=Decimal(price), IncomeAccountRef=income)
        return {"value": item["Id"], "name": name}, Decimal(price)

    def _person(self, place: int) -> tuple[Record, int]:
        made = self._tick()
        random, identifier = self._random, self._company.next_id("Customer")
        persian = place % 4 == 3
        given, family, trade = (random.choice(names) for names in (PERSIAN if persian else ENGLISH))
        company = f"{trade} {family}" if persian else f"{family} {trade}"
        name = f"{company} {identifier}"
        city, state, code = CITIES[2] if persian else random.choice(CITIES[:2])
        address = {"Id": identifier, "Line1": f"{random.randrange(1, 999)} {random.choice(STREETS)}", "City": city}
        prefix, digits = ("+98 912 ", 7) if persian else (f"({random.randrange(201, 990)}) 555-", 4)
        record = {
            **self._identity(identifier),
            "GivenName": given,
            "FamilyName": family,
            "CompanyName": company,
            "DisplayName": name,
            "FullyQualifiedName": name,
            "PrintOnCheckName": company,
            "Active": True,
            "Taxable": True,
            "Job": False,
            "BillWithParent": False,
            "IsProject": False,
            "PrimaryPhone": {"FreeFormNumber": prefix + str(random.randrange(10**digits)).zfill(digits)},
            "PrimaryEmailAddr": {"Address": f"customer{identifier}@{'irani' if persian else 'acme'}.example"},
            "BillAddr": {**address, "CountrySubDivisionCode": state, "PostalCode": code},
            "CurrencyRef": CURRENCY,
            "PreferredDeliveryMethod": "Print",
        }
        return self._dated(record, made, made), made

    def _invoice(self, person: Record, lines: int, settled: float) -> tuple[Record, int]:
        made = self._tick()
        record = self._sale("Invoice", person, made, lines)
        record["DueDate"] = calendar.day_of(made + DAYS_TO_PAY * DAY)
        record["Balance"] = record["TotalAmt"]
        if self._random.random() >= settled:
            self._owe(person, record["TotalAmt"])
            return self._dated(record, made, made), made
        paid = self._tick()
        amount = (
            record["TotalAmt"] if self._random.random() < 0.9 else (record["TotalAmt"] / 2).quantize(Decimal("0.01"))
        )
        payment = self._payment(person, record, amount, paid)
        record["Balance"] -= amount
        record["SyncToken"] = "1"
        record["LinkedTxn"] = [{"TxnId": payment["Id"], "TxnType": "Payment"}]
        self._owe(person, record["Balance"])
        self._payments.append((payment, paid))
        return self._dated(record, made, paid), paid

    def _payment(self, person: Record, invoice: Record, amount: Decimal, paid: int) -> Record:
        linked = {"TxnId": invoice["Id"], "TxnType": "Invoice"}
        record = {
            **self._identity(self._company.next_id("Payment")),
            "TxnDate": calendar.day_of(paid),
            "CurrencyRef": CURRENCY,
            "CustomerRef": self._reference(person),
            "TotalAmt": amount,
            "UnappliedAmt": ZERO,
            "Line": [{"Amount": amount, "LinkedTxn": [linked]}],
        }
        return self._dated(record, paid, paid)

    def _credit(self, person: Record) -> tuple[Record, int]:
        made = self._tick()
        record = self._sale("CreditMemo", person, made, 1)
        record["Balance"] = record["RemainingCredit"] = record["TotalAmt"]
        self._owe(person, -record["TotalAmt"])
        return self._dated(record, made, made), made

    def _receipt(self, person: Record) -> tuple[Record, int]:
        made = self._tick()
        return self._dated(self._sale("SalesReceipt", person, made, 2), made, made), made

    def _refund(self, person: Record) -> tuple[Record, int]:
        made = self._tick()
        account = {"DepositToAccountRef": {"value": "35", "name": "Checking"}}
        return self._dated({**self._sale("RefundReceipt", person, made, 1), **account}, made, made), made

    def _sale(self, entity: str, person: Record, made: int, lines: int) -> Record:
        sold = [self._line(place) for place in range(1, lines + 1)]
        total = sum((line["Amount"] for line in sold), ZERO)
        subtotal: Record = {"Amount": total, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
        return {
            **self._identity(self._company.next_id(entity)),
            "DocNumber": self._company.next_number(entity),
            "TxnDate": calendar.day_of(made),
            "CurrencyRef": CURRENCY,
            "CustomerRef": self._reference(person),
            "BillEmail": person["PrimaryEmailAddr"],
            "Line": [*sold, subtotal],
            "LinkedTxn": [],
            "TotalAmt": total,
            "Balance": ZERO,
            "PrintStatus": "NeedToPrint",
            "EmailStatus": "NotSet",
        }

    def _line(self, place: int) -> Record:
        item, price = self._random.choice(self._items)
        quantity = self._random.randrange(1, 9)
        return {
            "Id": str(place),
            "LineNum": place,
            "Description": item["name"],
            "Amount": price * quantity,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {"ItemRef": item, "UnitPrice": price, "Qty": quantity},
        }

    def _owe(self, person: Record, amount: Decimal) -> None:
        self._owing[person["Id"]] = self._owing.get(person["Id"], ZERO) + amount

    @staticmethod
    def _identity(identifier: str) -> dict[str, Any]:
        return {"domain": "QBO", "sparse": False, "Id": identifier, "SyncToken": "0"}

    @staticmethod
    def _reference(person: Record) -> dict[str, str]:
        return {"value": person["Id"], "name": person["DisplayName"]}

    @staticmethod
    def _dated(record: Record, made: int, changed: int) -> Record:
        times = {"CreateTime": calendar.written(made), "LastUpdatedTime": calendar.written(changed)}
        return {**record, "MetaData": times}
