"""What the demo's customers do at the vendors: two years of invoices, payments and mails, and then one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.business import catalogue, laws, names, shirin
from cli.business.lives import HOUSEHOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

COMPANY, MAILBOX, DOMAIN = "4620816365001", "office@demo-trading.example", "demo-trading.example"
"""The company in the books, and whose mailbox it is."""

MOST_BUYERS = 150
_MAILS, _MEETINGS = 500, 60
_INCOME = "79"
"""The account for sales that every company has."""
_ABOUT = (
    "Next month's order",
    "Beans for the new branch",
    "When does the technician come?",
    "Thank you for the tasting",
)


class Person(NamedTuple):
    """Somebody by name and address, the same as in the demo's tenant."""

    name: str
    email: str


def buyers(customers: int) -> list[Person]:
    """The organisations among the first customers: they are billed. Shirin's employer is the first."""
    numbers = range(0, min(customers, MOST_BUYERS * HOUSEHOLD), HOUSEHOLD)
    known = {shirin.EMPLOYER: shirin.EMPLOYER_EMAIL}
    for number in numbers:
        name = names.organisation(number)
        known.setdefault(name.written, names.email(name.latin, number))
    return [Person(*each) for each in known.items()]


def writers(customers: int) -> list[Person]:
    """Who writes mails: those who work for the organisations that are billed."""
    numbers = (
        house + place
        for house in range(0, min(customers, MOST_BUYERS * HOUSEHOLD), HOUSEHOLD)
        for place in (1, 2)
        if house + place < customers
    )
    found = ((names.person(number), number) for number in numbers)
    return [Person(name.written, names.email(name.latin, number)) for name, number in found]


@dataclass
class Dealings:
    """The books and the mailbox of the demo, and everything that its customers do there, always the same."""

    books: Any
    """The company in QuickBooks' sandbox."""
    outlook: Any
    """Outlook's sandbox."""
    at: Callable[[datetime], Any]
    """Has it be a moment of the past at the sandboxes."""
    customers: int
    _happened: int = 0
    _ids: dict[str, str] = field(default_factory=dict)
    """The ids of the buyers and articles in the books."""
    _open: list[dict[str, Any]] = field(default_factory=list)
    """Invoices that nobody has paid yet, the oldest first."""

    def __post_init__(self) -> None:
        self._buyers, self._writers = buyers(self.customers), writers(self.customers)

    def tell_the_past(self, until: datetime) -> None:
        """Everything from before the demo's first start."""
        with self.at(until - laws.SPAN):
            for article in catalogue.ARTICLES.values():
                income = {"value": _INCOME}
                made = self.books.create("Item", Name=article.name, UnitPrice=article.price, IncomeAccountRef=income)
                self._ids[article.sku] = made["Id"]
        for moment, act in sorted(self._bookings(until), key=itemgetter(0)):
            with self.at(moment):
                act()
        with self.at(until):
            self._correspond(until)

    def go_on(self) -> None:
        """One more thing happens: an invoice, a payment or a mail."""
        chance = laws.dice("vendors", self._happened)
        self._happened += 1
        match self._happened % 4:
            case 1:
                self._bill(chance.choice(self._buyers), chance)
            case 3 if self._open:
                self._pay(self._open.pop(0))
            case _:
                box = self.outlook.mailbox(MAILBOX)
                sender = chance.choice(self._writers or self._buyers)
                box.receive(sender, chance.choice(_ABOUT), "Could you tell me by tomorrow?")

    def _bookings(self, until: datetime) -> Iterator[tuple[datetime, Callable[[], None]]]:
        """When each buyer is entered and billed, and when it pays."""
        for buyer in self._buyers:
            chance = laws.dice("books", buyer.email)
            at = until - timedelta(days=chance.uniform(200, 700))
            yield at, lambda buyer=buyer: self._enter(buyer)  # type: ignore[misc]
            while (at := at + timedelta(days=20 + chance.expovariate(1 / 90))) < until:
                yield at, lambda buyer=buyer, chance=chance: self._bill(buyer, chance)  # type: ignore[misc]
                paid = at + timedelta(days=chance.uniform(3, 50))
                if paid < until:
                    yield paid, lambda: self._pay(self._open.pop(0))

    def _enter(self, buyer: Person) -> None:
        made = self.books.create(
            "Customer", DisplayName=buyer.name, CompanyName=buyer.name, PrimaryEmailAddr={"Address": buyer.email}
        )
        self._ids[buyer.email] = made["Id"]

    def _bill(self, buyer: Person, chance: Random) -> None:
        basket = catalogue.basket(chance, 300, 4)
        lines = [self._line(each.product.id, int(each.quantity)) for each in basket if each.product is not None]
        customer, bill_to = {"value": self._ids[buyer.email]}, {"Address": buyer.email}
        self._open.append(self.books.create("Invoice", CustomerRef=customer, BillEmail=bill_to, Line=lines))

    def _line(self, sku: str, quantity: int) -> dict[str, Any]:
        article = catalogue.ARTICLES[sku]
        sold = {"ItemRef": {"value": self._ids[sku]}, "UnitPrice": article.price, "Qty": quantity}
        return {
            "Description": article.name, "Amount": article.price * quantity, "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": sold,
        }  # fmt: skip

    def _pay(self, invoice: dict[str, Any]) -> None:
        whole = {"Amount": invoice["TotalAmt"], "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}
        self.books.create(
            "Payment", CustomerRef=invoice["CustomerRef"], TotalAmt=invoice["TotalAmt"], Line=[whole]
        )  # fmt: skip

    def _correspond(self, until: datetime) -> None:
        """A year of mails and meetings, and a thread with Shirin's employer that is the same in every demo."""
        people = self._writers or self._buyers
        contacts = min(len(people), MOST_BUYERS)
        self.outlook.fill(MAILBOX, people=people, mails=_MAILS, events=_MEETINGS, contacts=contacts)
        box, house = self.outlook.mailbox(MAILBOX), self._buyers[0]
        asked = box.receive(
            house, "A second machine", "What would it cost?", at=until - timedelta(days=9), is_read=True
        )
        box.send([house], "Re: A second machine", "The offer follows.", at=until - timedelta(days=8), answers=asked)
        tasting = (until - timedelta(days=2)).replace(hour=10, minute=0, second=0, microsecond=0)
        box.add_event("Tasting at Saffron Hill", tasting, 60, attendees=[house])
