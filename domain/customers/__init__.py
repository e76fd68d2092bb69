"""Who the customers are, and which of them are one."""

from __future__ import annotations

from domain.customers.actions import (
    KEEP,
    Changes,
    ExternalRef,
    NewCustomer,
    create,
    define_attribute,
    end_relation,
    record_consent,
    relate,
    update,
)
from domain.customers.by_hand import Address, Identifier
from domain.customers.heads import refresh_heads
from domain.customers.merging import (
    Merged,
    decide_candidate,
    lock_identities,
    merge,
    unmerge,
    veto,
)
from domain.customers.privacy import (
    erase_customer,
    export_customer,
    request_erasure,
    request_export,
    suppressed,
)
from domain.customers.queries import by_email, by_external, by_phone, customer, resolve
from domain.customers.settling import settle_identities

__all__ = [
    "KEEP",
    "Address",
    "Changes",
    "ExternalRef",
    "Identifier",
    "Merged",
    "NewCustomer",
    "by_email",
    "by_external",
    "by_phone",
    "create",
    "customer",
    "decide_candidate",
    "define_attribute",
    "end_relation",
    "erase_customer",
    "export_customer",
    "lock_identities",
    "merge",
    "record_consent",
    "refresh_heads",
    "relate",
    "request_erasure",
    "request_export",
    "resolve",
    "settle_identities",
    "suppressed",
    "unmerge",
    "update",
    "veto",
]
