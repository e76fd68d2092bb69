"""The entities that the sandbox keeps, with their properties and limits.

Names and kinds are those of Intuit's Finance schema; limits are those of Intuit's reference pages. A property that an
entity does not have is refused, and so is one of the schema that the sandbox does not keep: better than losing it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from plugins.quickbooks.sandbox.kinds import Amount, Choice, Day, Flag, Many, Parts, Reference, Text, checked_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugins.quickbooks.sandbox.kinds import Kind

Record = dict[str, Any]

TAX_CODES = ("TAX", "NON")

ADDRESS = Parts(
    {
        "Id": Text(20),
        **{f"Line{number}": Text(500) for number in range(1, 6)},
        "City": Text(255),
        "Country": Text(255),
        "CountrySubDivisionCode": Text(255),
        "PostalCode": Text(30),
        "Lat": Text(20),
        "Long": Text(20),
        "Note": Text(1000),
    }
)
PHONE = Parts({"FreeFormNumber": Text(30)}, main="FreeFormNumber")
EMAIL = Parts({"Address": Text(100)}, main="Address")
WEB = Parts({"URI": Text(1000)}, main="URI")
MEMO = Parts({"value": Text(1000)}, main="value")
CUSTOM_FIELD = Parts(
    {
        "DefinitionId": Text(20),
        "Name": Text(31),
        "Type": Choice(("StringType", "BooleanType", "NumberType", "DateType")),
        "StringValue": Text(31),
    }
)
LINKED = Parts({"TxnId": Text(20), "TxnType": Text(30), "TxnLineId": Text(20)})
TAX = Parts(
    {"TotalTax": Amount(), "TxnTaxCodeRef": Reference("TaxCode")},
    computed=frozenset({"TaxLine"}),
)
LINE = Parts(
    {
        "Id": Text(20),
        "LineNum": Amount(),
        "Description": Text(4000),
        "Amount": Amount(),
        "DetailType": Choice(("SalesItemLineDetail", "DescriptionOnly", "DiscountLineDetail", "SubTotalLineDetail")),
        "SalesItemLineDetail": Parts(
            {
                "ItemRef": Reference("Item"),
                "Qty": Amount(),
                "UnitPrice": Amount(),
                "ServiceDate": Day(),
                "TaxCodeRef": Reference("TaxCode"),
                "ItemAccountRef": Reference("Account"),
                "ClassRef": Reference("Class"),
                "TaxInclusiveAmt": Amount(),
            }
        ),
        "DescriptionLineDetail": Parts({"ServiceDate": Day(), "TaxCodeRef": Reference("TaxCode")}),
        "DiscountLineDetail": Parts(
            {
                "PercentBased": Flag(),
                "DiscountPercent": Amount(),
                "DiscountAccountRef": Reference("Account"),
            }
        ),
        "SubTotalLineDetail": Parts({"ItemRef": Reference("Item")}),
    },
    computed=frozenset({"LinkedTxn", "CustomField"}),
)
PAYMENT_LINE = Parts(
    {"Amount": Amount(), "LinkedTxn": Many(LINKED)},
    computed=frozenset({"Id", "LineNum", "LineEx"}),
)

COMMON: dict[str, Kind] = {"Id": Text(20), "SyncToken": Text(20), "CustomField": Many(CUSTOM_FIELD)}
NEVER_WRITTEN = frozenset({"domain", "MetaData", "status", "time"})

TRANSACTION: dict[str, Kind] = {
    **COMMON,
    "TxnDate": Day(),
    "PrivateNote": Text(4000),
    "CurrencyRef": Reference("Currency"),
    "ExchangeRate": Amount(),
    "CustomerRef": Reference("Customer"),
    "DepartmentRef": Reference("Department"),
}
SALE: dict[str, Kind] = {
    **TRANSACTION,
    "DocNumber": Text(21),
    "Line": Many(LINE),
    "TxnTaxDetail": TAX,
    "CustomerMemo": MEMO,
    "BillAddr": ADDRESS,
    "ShipAddr": ADDRESS,
    "FreeFormAddress": Flag(),
    "ClassRef": Reference("Class"),
    "SalesTermRef": Reference("Term"),
    "GlobalTaxCalculation": Choice(("TaxInclusive", "TaxExcluded", "NotApplicable")),
    "ApplyTaxAfterDiscount": Flag(),
    "PrintStatus": Choice(("NotSet", "NeedToPrint", "PrintComplete")),
    "EmailStatus": Choice(("NotSet", "NeedToSend", "EmailSent")),
    "BillEmail": EMAIL,
}
# What the vendor works out itself: a request may carry it back, and it is passed over.
SALE_COMPUTED = frozenset(
    {"TotalAmt", "HomeTotalAmt", "Balance", "HomeBalance", "LinkedTxn", "DeliveryInfo", "Deposit"}
)


@dataclass(frozen=True)
class Entity:
    """One of the vendor's entities."""

    name: str
    properties: Mapping[str, Kind]
    computed: frozenset[str] = frozenset()
    answered: Mapping[str, Kind] = field(default_factory=dict)
    """Computed properties that a query can ask for."""
    named: bool = False
    """Whether it is a name list: inactive rather than deleted, hidden when inactive."""
    required: tuple[str, ...] = ()
    looked_up: tuple[str, ...] = ()
    """The properties by which queries find an object without looking through all of them."""
    unique: str = ""
    """The property of which no two may have the same value."""
    writable: bool = True
    voided_by: str = ""
    """The `operation` that voids it, empty where nothing does."""

    def checked(self, given: Record) -> Record:
        """A request's properties, checked; None where a property is to lose its value."""
        return checked_properties(self.properties, self.computed | NEVER_WRITTEN | {"sparse"}, given)

    @cached_property
    def kinds(self) -> dict[str, tuple[str, Kind]]:
        """What a query can name, by its name in lower case: the name as it is written, and its kind."""
        return {name.lower(): (name, kind) for name, kind in {**self.properties, **self.answered}.items()}


NAMED: dict[str, Kind] = {**COMMON, "Active": Flag()}

CUSTOMER = Entity(
    "Customer",
    {
        **NAMED,
        "Title": Text(16),
        "GivenName": Text(100),
        "MiddleName": Text(100),
        "FamilyName": Text(100),
        "Suffix": Text(16),
        "CompanyName": Text(100),
        "DisplayName": Text(500),
        "PrintOnCheckName": Text(110),
        "Notes": Text(2000),
        "Job": Flag(),
        "BillWithParent": Flag(),
        "Taxable": Flag(),
        "ParentRef": Reference("Customer"),
        "BillAddr": ADDRESS,
        "ShipAddr": ADDRESS,
        "PrimaryPhone": PHONE,
        "AlternatePhone": PHONE,
        "Mobile": PHONE,
        "Fax": PHONE,
        "PrimaryEmailAddr": EMAIL,
        "WebAddr": WEB,
        "CurrencyRef": Reference("Currency"),
        "DefaultTaxCodeRef": Reference("TaxCode"),
        "PreferredDeliveryMethod": Choice(("Print", "Email", "None")),
        "ResaleNum": Text(16),
        "PrimaryTaxIdentifier": Text(20),
        "SalesTermRef": Reference("Term"),
        "PaymentMethodRef": Reference("PaymentMethod"),
        "ARAccountRef": Reference("Account"),
    },
    computed=frozenset({"FullyQualifiedName", "Level", "Balance", "BalanceWithJobs", "OpenBalanceDate", "IsProject"}),
    answered={"FullyQualifiedName": Text(500), "Balance": Amount(), "BalanceWithJobs": Amount()},
    named=True,
    looked_up=("DisplayName", "PrimaryEmailAddr"),
    unique="DisplayName",
)
ITEM = Entity(
    "Item",
    {
        **NAMED,
        "Name": Text(100),
        "Sku": Text(100),
        "Description": Text(4000),
        "Type": Choice(("Service", "NonInventory")),
        "UnitPrice": Amount(),
        "Taxable": Flag(),
        "SalesTaxIncluded": Flag(),
        "PurchaseDesc": Text(1000),
        "PurchaseCost": Amount(),
        "PurchaseTaxIncluded": Flag(),
        "TrackQtyOnHand": Flag(),
        "IncomeAccountRef": Reference("Account"),
        "ExpenseAccountRef": Reference("Account"),
    },
    computed=frozenset({"FullyQualifiedName", "Level", "SubItem"}),
    answered={"FullyQualifiedName": Text(500)},
    named=True,
    required=("Name", "IncomeAccountRef"),
    looked_up=("Name",),
    unique="Name",
)
ACCOUNT = Entity(
    "Account",
    {
        **NAMED,
        "Name": Text(100),
        "AccountType": Text(50),
        "AccountSubType": Text(50),
        "Classification": Text(50),
        "CurrencyRef": Reference("Currency"),
    },
    answered={"FullyQualifiedName": Text(500)},
    named=True,
    looked_up=("Name",),
    writable=False,
)
INVOICE = Entity(
    "Invoice",
    {
        **SALE,
        "DueDate": Day(),
        "ShipDate": Day(),
        "TrackingNum": Text(31),
        "BillEmailCc": EMAIL,
        "BillEmailBcc": EMAIL,
        "AllowIPNPayment": Flag(),
        "AllowOnlinePayment": Flag(),
        "AllowOnlineCreditCardPayment": Flag(),
        "AllowOnlineACHPayment": Flag(),
    },
    computed=SALE_COMPUTED | {"EInvoiceStatus", "InvoiceLink"},
    answered={"TotalAmt": Amount(), "Balance": Amount()},
    required=("CustomerRef", "Line"),
    looked_up=("DocNumber", "CustomerRef"),
    unique="DocNumber",
    voided_by="void",
)
CREDIT_MEMO = Entity(
    "CreditMemo",
    SALE,
    computed=SALE_COMPUTED | {"RemainingCredit"},
    answered={"TotalAmt": Amount(), "Balance": Amount(), "RemainingCredit": Amount()},
    required=("CustomerRef", "Line"),
    looked_up=("DocNumber", "CustomerRef"),
    unique="DocNumber",
)
PAID_AT_ONCE: dict[str, Kind] = {
    **SALE,
    "PaymentRefNum": Text(21),
    "PaymentMethodRef": Reference("PaymentMethod"),
    "DepositToAccountRef": Reference("Account"),
}
SALES_RECEIPT = Entity(
    "SalesReceipt",
    PAID_AT_ONCE,
    computed=SALE_COMPUTED,
    answered={"TotalAmt": Amount(), "Balance": Amount()},
    required=("Line",),
    looked_up=("DocNumber", "CustomerRef"),
    unique="DocNumber",
    voided_by="update",
)
REFUND_RECEIPT = Entity(
    "RefundReceipt",
    PAID_AT_ONCE,
    computed=SALE_COMPUTED,
    answered={"TotalAmt": Amount(), "Balance": Amount()},
    required=("Line", "DepositToAccountRef"),
    looked_up=("DocNumber", "CustomerRef"),
    unique="DocNumber",
)
PAYMENT = Entity(
    "Payment",
    {
        **TRANSACTION,
        "TotalAmt": Amount(),
        "PaymentRefNum": Text(21),
        "PaymentMethodRef": Reference("PaymentMethod"),
        "DepositToAccountRef": Reference("Account"),
        "ARAccountRef": Reference("Account"),
        "ProcessPayment": Flag(),
        "Line": Many(PAYMENT_LINE),
    },
    computed=frozenset({"UnappliedAmt", "LinkedTxn", "TxnStatus", "TxnSource"}),
    answered={"UnappliedAmt": Amount()},
    required=("CustomerRef", "TotalAmt"),
    looked_up=("CustomerRef",),
    voided_by="update",
)
COMPANY_INFO = Entity(
    "CompanyInfo",
    {
        **COMMON,
        "CompanyName": Text(1024),
        "LegalName": Text(1024),
        "Country": Text(2),
        "Email": EMAIL,
        "CompanyStartDate": Day(),
        "FiscalYearStartMonth": Text(20),
        "SupportedLanguages": Text(100),
        "DefaultTimeZone": Text(100),
    },
    writable=False,
)

ENTITIES = {
    entity.name: entity
    for entity in (
        CUSTOMER,
        ITEM,
        ACCOUNT,
        INVOICE,
        PAYMENT,
        CREDIT_MEMO,
        SALES_RECEIPT,
        REFUND_RECEIPT,
        COMPANY_INFO,
    )
}
BY_LOWER_NAME = {name.lower(): entity for name, entity in ENTITIES.items()}
