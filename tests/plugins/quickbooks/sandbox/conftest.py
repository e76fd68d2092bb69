from __future__ import annotations

import pytest

from plugins.quickbooks.sandbox import Company, QuickBooksSandbox
from tests.plugins.quickbooks.sandbox.wire import REALM, Clock, Wire


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> QuickBooksSandbox:
    return QuickBooksSandbox(now=clock)


@pytest.fixture
def company(sandbox: QuickBooksSandbox) -> Company:
    """Books with one item and one customer."""
    company = sandbox.company(REALM)
    company.create("Item", Name="Design", IncomeAccountRef={"value": "79"})
    company.create("Customer", DisplayName="Amy's Bakery", PrimaryEmailAddr={"Address": "amy@bakery.example"})
    return company


@pytest.fixture
def wire(sandbox: QuickBooksSandbox, company: Company) -> Wire:
    return Wire(sandbox, company.realm)
