"""What QuickBooks Online sends: its rows as they stand in its answers, and how they are read, one by one."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw, Struct

Plain = str | int | bool | None


class Reference(Struct, gc=False):
    """A reference to another object: `{"value": "1", "name": "Design"}`, of which the name is mostly passed over."""

    value: str


class Named(Reference, gc=False):
    """A reference of which the name counts."""

    name: str | None = None


class Times(Struct, rename="pascal", gc=False):
    """When an object was made and last changed, in the company's offset."""

    create_time: datetime
    last_updated_time: datetime


class Head(Struct, rename="pascal", kw_only=True, gc=False):
    """What every object has."""

    id: str
    sync_token: str = "0"  # noqa: S105 - the mark of a version, no secret
    meta_data: Times
    active: bool = True
    """False for what was taken out of a name list; documents do not have it."""


class EmailRow(Struct, rename="pascal", gc=False):
    """An e-mail address; people write several of them into one field, with commas between."""

    address: str | None = None


class PhoneRow(Struct, rename="pascal", gc=False):
    """A telephone number as it was written."""

    free_form_number: str | None = None


class AddressRow(Struct, rename="pascal", gc=False):
    """A postal address."""

    line1: str | None = None
    line2: str | None = None
    line3: str | None = None
    line4: str | None = None
    line5: str | None = None
    city: str | None = None
    country: str | None = None
    country_sub_division_code: str | None = None
    postal_code: str | None = None


class CustomerRow(Head, rename="pascal", kw_only=True):
    """A Customer."""

    display_name: str | None = None
    company_name: str | None = None
    primary_email_addr: EmailRow | None = None
    primary_phone: PhoneRow | None = None
    mobile: PhoneRow | None = None
    alternate_phone: PhoneRow | None = None
    bill_addr: AddressRow | None = None
    ship_addr: AddressRow | None = None
    parent_ref: Reference | None = None
    primary_tax_identifier: str | None = None
    gstin: str | None = msgspec.field(name="GSTIN", default=None)


class ItemRow(Head, rename="pascal", kw_only=True):
    """An Item: a product or a service."""

    name: str
    sku: str | None = None
    fully_qualified_name: str | None = None


class Sold(Struct, rename="pascal", gc=False):
    """What a line sells."""

    item_ref: Reference | None = None
    qty: Decimal | None = None
    unit_price: Decimal | None = None


class Group(Struct, rename="pascal", gc=False):
    """The lines of a bundle."""

    line: list[LineRow] = []


class Linked(Struct, rename="pascal", gc=False):
    """Another document that a line or a document belongs to."""

    txn_id: str
    txn_type: str


class LineRow(Struct, rename="pascal", gc=False):
    """A line of a document."""

    detail_type: str | None = None
    amount: Decimal | None = None
    description: str | None = None
    sales_item_line_detail: Sold | None = None
    group_line_detail: Group | None = None
    linked_txn: list[Linked] = []


class Tax(Struct, rename="pascal", gc=False):
    """The tax of a document."""

    total_tax: Decimal | None = None


class Sent(Struct, rename="pascal", gc=False):
    """How a document was sent."""

    delivery_time: datetime | None = None


class DocumentRow(Head, rename="pascal", kw_only=True):
    """What invoices, credit memos, receipts and payments have."""

    txn_date: date
    doc_number: str | None = None
    customer_ref: Reference | None = None
    currency_ref: Reference | None = None
    line: list[LineRow] = []
    linked_txn: list[Linked] = []
    total_amt: Decimal | None = None
    balance: Decimal | None = None
    private_note: str | None = None
    txn_tax_detail: Tax | None = None
    global_tax_calculation: str | None = None
    due_date: date | None = None
    delivery_info: Sent | None = None
    payment_method_ref: Named | None = None
    payment_ref_num: str | None = None
    remaining_credit: Decimal | None = None


# Intuit's Finance schema at minor version 75. What it names and no record has a place for is passed over; what it does
# not name is new, and is kept in `extra` so that somebody hears of it.
_COMMON = "domain sparse status CustomField AttachableRef"
_DOCUMENT = f"""{_COMMON} TxnSubType DepartmentRef ExchangeRate TxnStatus TxnSource TaxFormType TaxFormNum
    TransactionLocationType Tag TxnApprovalInfo RecurDataRef RecurringInfo ProjectRef TotalCostAmount
    HomeTotalCostAmount AutoDocNumber CustomerMemo BillAddr ShipAddr FreeFormAddress ShipFromAddr RemitToRef ClassRef
    SalesTermRef SalesRepRef PONumber FOB ShipMethodRef ShipDate TrackingNum HomeTotalAmt ApplyTaxAfterDiscount
    ShippingTaxIncludedInTotalTax TemplateRef PrintStatus EmailStatus BillEmail BillEmailCc BillEmailBcc ARAccountRef
    HomeBalance FinanceCharge PaymentType CheckPayment CreditCardPayment DepositToAccountRef DiscountRate DiscountAmt
    GovtTxnRefIdentifier TaxExemptionRef Deposit AllowIPNPayment AllowOnlinePayment AllowOnlineCreditCardPayment
    AllowOnlineACHPayment AllowOnlinePayPalPayment AllowOnlineAffirmPayment EInvoiceStatus ECloudStatusTimeStamp CfdiUse
    Exportation GlobalInfo invoiceStatus callToAction invoiceStatusLog InvoiceEx LessCIS InvoiceLink
    PaymentDetailsMessage ConvenienceFeeDetail EnabledSurchargeInfo InvoiceLinkSecurityCode InvoiceLinkExpiryDate
    AutoPayEligible SchedulePayEligible ScheduledPaymentId GratuityEnabled FinancingProductType
    SubscriptionPaymentsSetting TxnRetainageDetail SalesReceiptEx UnappliedAmt ProcessPayment PaymentExtendedType
    PaymentEx InvoiceRef CreditMemoEx RefundReceiptEx"""
_CUSTOMER = f"""{_COMMON} IntuitId Organization Title GivenName MiddleName FamilyName Suffix FullyQualifiedName
    PrintOnCheckName UserId V4IDPseudonym Fax WebAddr OtherContactInfo DefaultTaxCodeRef Taxable OtherAddr ContactName
    AltContactName Notes Job BillWithParent RootCustomerRef Level CustomerTypeRef SalesTermRef SalesRepRef
    TaxGroupCodeRef TaxRateRef PaymentMethodRef CCDetail PriceLevelRef Balance OpenBalanceDate BalanceWithJobs
    CreditLimit AcctNum CurrencyRef OverDueBalance TotalRevenue TotalExpense PreferredDeliveryMethod ResaleNum JobInfo
    TDSEnabled CustomerEx SecondaryTaxIdentifier ARAccountRef TaxExemptionReasonId IsProject BusinessNumber
    GSTRegistrationType IsCISContractor ClientCompanyId ClientEntityId Source TaxRegime"""
_ITEM = f"""{_COMMON} Description SubItem ParentRef Level Taxable SalesTaxIncluded PercentBased UnitPrice RatePercent
    Type PaymentMethodRef UOMSetRef IncomeAccountRef PurchaseDesc PurchaseTaxIncluded PurchaseCost ExpenseAccountRef
    COGSAccountRef AssetAccountRef PrefVendorRef AvgCost TrackQtyOnHand QtyOnHand QtyOnPurchaseOrder QtyOnSalesOrder
    ReorderPoint ManPartNum DepositToAccountRef SalesTaxCodeRef PurchaseTaxCodeRef InvStartDate BuildPoint
    PrintGroupedItems SpecialItem SpecialItemType ItemGroupDetail ItemAssemblyDetail AbatementRate ReverseChargeRate
    ServiceType ItemCategoryType ItemEx TaxClassificationRef UQCDisplayText UQCId ClassRef Source DeferredRevenue
    CustomExtensions"""


class Broken(Struct):
    """A row that is no object of its kind: its id and place in time as far as they can be read, and what is wrong."""

    id: str | None
    at: datetime | None
    reason: str


class Kind:
    """One of the vendor's entities: what it is called, and how its rows are read."""

    def __init__(self, name: str, row: type[Head], passed_over: str = "", *, named: bool = False) -> None:
        self.name = name
        self.named = named
        """Whether it is a name list: its inactive members are only shown to those who ask for them."""
        self._row = row
        self._passed_over = frozenset(passed_over.split())
        self._known = self._passed_over | frozenset(row.__struct_encode_fields__)
        self._met: frozenset[str] = frozenset()
        self._strict = self._decoder()
        self._loose = msgspec.json.Decoder(row)

    def read(self, raw: Raw) -> tuple[Any, dict[str, Plain]] | Broken:
        """A row, and what it has that the vendor's schema does not know."""
        try:
            return self._strict.decode(raw), {}
        except msgspec.ValidationError:
            pass  # it has more than was met before, or something else than the schema says
        try:
            return self._loose.decode(raw), self._unknown(raw)
        except msgspec.ValidationError as problem:
            return broken(raw, str(problem))

    def _unknown(self, raw: Raw) -> dict[str, Plain]:
        found = msgspec.json.decode(raw)
        met = self._met | self._passed_over & found.keys()
        if met != self._met:
            self._met = met
            self._strict = self._decoder()
        rest = {name: value for name, value in found.items() if name not in self._known}
        plain = {name: str(value) if isinstance(value, float) else value for name, value in rest.items()}
        return {name: value for name, value in plain.items() if not isinstance(value, dict | list)}

    def _decoder(self) -> msgspec.json.Decoder[Any]:
        """Reads rows with no other fields than those of its type, and those passed over that were met before.

        A company's rows have a fourth of the fields that the schema has: looking each up among all of them, with a
        place for every one, takes a third of the time that a row takes.
        """
        unread: list[Any] = [(each, Raw, Raw(b"")) for each in sorted(self._met)]
        strict = msgspec.defstruct(
            f"Strict{self.name}", unread, bases=(self._row,), forbid_unknown_fields=True, rename=None, kw_only=True
        )
        return msgspec.json.Decoder(strict)


_HEAD = msgspec.json.Decoder(Head)


def head(raw: Raw) -> tuple[Head, dict[str, Plain]] | Broken:
    """What every row has, of a row of any kind."""
    try:
        return _HEAD.decode(raw), {}
    except msgspec.ValidationError as problem:
        return broken(raw, str(problem))


def broken(raw: Raw, reason: str) -> Broken:
    """A row that cannot be read, as far as it can be."""
    found = msgspec.json.decode(raw)
    name = found.get("Id") if isinstance(found, dict) else None
    try:
        at = msgspec.convert(found, Head, strict=False).meta_data.last_updated_time
    except msgspec.ValidationError:
        at = None
    return Broken(str(name) if name is not None else None, at, reason)


CUSTOMER = Kind("Customer", CustomerRow, _CUSTOMER, named=True)
ITEM = Kind("Item", ItemRow, _ITEM, named=True)
INVOICE = Kind("Invoice", DocumentRow, _DOCUMENT)
SALES_RECEIPT = Kind("SalesReceipt", DocumentRow, _DOCUMENT)
PAYMENT = Kind("Payment", DocumentRow, _DOCUMENT)
CREDIT_MEMO = Kind("CreditMemo", DocumentRow, _DOCUMENT)
REFUND_RECEIPT = Kind("RefundReceipt", DocumentRow, _DOCUMENT)
