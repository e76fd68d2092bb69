"""QuickBooks Online's connector keeps what the contract asks of every connector, at gold."""

from __future__ import annotations

from typing import ClassVar

from plugins.quickbooks.connector import QuickBooks
from tenure_sdk.testing import Conformance
from tests.plugins.quickbooks.remote import QuickBooksRemote


class TestQuickBooks(Conformance):
    connector = QuickBooks
    remote = QuickBooksRemote
    tier: ClassVar = "gold"
    bypass: ClassVar = {
        "PKG-4": "It is part of the server's wheel, which has the server's version.",
        "CMP-1": "It is part of the server, which brings the SDK that it runs on.",
        "CMP-2": "`make check` has mypy read all plugins, strictly.",
        "DEL-3": "QuickBooks gives an id only once: what was deleted does not come back under it.",
    }
