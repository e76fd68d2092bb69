"""The ids, names and keys that operations are made of, taken from what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.api.differential.things import PREFIXES, TABLE_OF

if TYPE_CHECKING:
    from tests.api.differential.tables import Tables

_COLUMN_OF = {
    "displayName": ("customers", "display_name"),
    "country": ("customers", "country"),
    "number": ("orders", "number"),
    "currency": ("orders", "currency"),
    "channel": ("orders", "channel"),
    "method": ("payments", "method"),
    "sku": ("products", "sku"),
    "name": ("products", "name"),
    "lifecycle": ("lifecycles", "key"),
    "connector": ("integrations", "connector"),
    "account": ("integrations", "account"),
    "label": ("integrations", "label"),
    "campaignKey": ("cost_entries", "campaign_key"),
    "caseKey": ("cost_entries", "case_key"),
}


@dataclass
class Pools:
    """What to ask of one tenant, and what belongs to the other."""

    tables: Tables
    other: Tables

    def __post_init__(self) -> None:
        ids = {prefix: _ids(self.tables, prefix) for prefix in ("cus", "ten", *TABLE_OF)}
        self.ids = {prefix: sorted(found) for prefix, found in ids.items()}
        self.foreign = {prefix: sorted(_ids(self.other, prefix) - found) for prefix, found in ids.items()}
        self.type_of = {id_: PREFIXES[prefix] for prefix, found in ids.items() for id_ in found}
        for row in self.tables.rows["interactions"]:
            self.type_of[f"int_{row['id'].hex}"] = f"{row['family'].title()}Interaction"
        claims = self.tables.rows["identity_claims"]
        self.emails = ["Ada@example.com", "nobody@example.com", *_values(claims, "email")]
        self.phones = ["+49 30 1234567", *_values(claims, "phone")]

    def texts(self, purpose: str) -> list[str]:  # noqa: PLR0911 - one for each kind of text
        """Texts that make sense for a field of an input, and some that do not."""
        of, _, last = purpose.rpartition(".")
        if last == "keys":
            return ["tier", "seats", "discount", "vip", "birthday", "passport", "unknown"]
        if purpose == "AttributeFilter.text":
            return ["gold", "silver", "", "X123"]
        if last == "search":
            return ["ada", "by ad", "BEA cur", "bea@", "example.com", "0912", "442071838750", "سیر", "", "-", "ada zz"]
        if of == "ExternalRef" and last == "id":
            return ["twice", *self._stored("record_links", "remote_id")]
        if of == "ExternalRef":
            return ["files", "files:shop", "files:archive", "quickbooks", "quickbooks:9", "none", "files:"]
        if purpose == "Query.lifecycle.key":
            return ["buyer", "saas", "sketch", "void", "none"]
        stored = self._stored(*_COLUMN_OF.get(last, ("customers", "display_name")))
        return [*stored, *(text[:3] for text in stored), *(text[2:] for text in stored[:5]), "%", ""]

    def stages(self) -> list[tuple[str, list[str]]]:
        """The lifecycles with the stages that they ever had, by their keys."""
        versions = {row["id"]: row["lifecycle_id"] for row in self.tables.rows["lifecycle_versions"]}
        return [
            (lifecycle["key"], sorted({
                stage["key"] for stage in self.tables.rows["stages"]
                if versions[stage["lifecycle_version_id"]] == lifecycle["id"]
            }))
            for lifecycle in self.tables.rows["lifecycles"]
        ]  # fmt: skip

    def _stored(self, table: str, column: str) -> list[str]:
        return sorted({row[column] for row in self.tables.rows[table] if row[column] is not None})


def _ids(tables: Tables, prefix: str) -> set[str]:
    if prefix == "ten":
        return {f"ten_{row['tenant_id'].hex}" for row in tables.rows["tenants"]}
    return {f"{prefix}_{row['id'].hex}" for row in tables.rows[TABLE_OF.get(prefix, "customers")]}


def _values(claims: list[dict[str, str]], scheme: str) -> list[str]:
    return sorted({claim["value"] for claim in claims if claim["scheme"] == scheme})
