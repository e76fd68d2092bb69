"""Acme Books keeps to the rules for connectors, at silver tier."""

from acme_books import AcmeBooks
from acme_books.sandbox import FakeAcme

from tenure_sdk.testing import Conformance


class TestAcmeBooks(Conformance):
    connector, remote, tier = AcmeBooks, FakeAcme, "silver"
