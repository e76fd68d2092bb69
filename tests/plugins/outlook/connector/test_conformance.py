"""Outlook's connector keeps what the contract asks of every connector, at gold."""

from __future__ import annotations

from typing import ClassVar

from plugins.outlook.connector import Outlook
from tenure_sdk.testing import Conformance
from tests.plugins.outlook.connector.remote import OutlookRemote


class TestOutlook(Conformance):
    connector = Outlook
    remote = OutlookRemote
    tier: ClassVar = "gold"
    bypass: ClassVar = {
        "PKG-4": "It is part of the server's wheel, which has the server's version.",
        "CMP-1": "It is part of the server, which brings the SDK that it runs on.",
        "CMP-2": "`make check` has mypy read all plugins, strictly.",
        "CUR-6": "A cursor is Graph's opaque links: it has no time, so none is of the future.",
        "SCH-1": "It asks for the fields that it knows alone: what nobody knows may be private.",
        "DEL-3": "An event or contact that is restored has another id; test_mail.py has a mail that comes back.",
    }
