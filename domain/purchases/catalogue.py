"""What can happen to products and their families: a product's definition is dated, a change opens a new row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from domain.core.clock import aware
from domain.core.problems import Conflict
from domain.purchases import queries, rules
from domain.purchases.model import Product, ProductFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Writing


class NotAfterCurrent(Conflict):
    """The product's present definition begins then or later. Let the change begin after it, and not in the future."""


@dataclass(frozen=True)
class NewProduct:
    """What a product is: its family by key, and by stock code what goes well with it."""

    sku: str
    name: str | None = None
    family: str | None = None
    tier_rank: int | None = None
    complements: tuple[str, ...] = ()


async def define_family(work: Writing, key: str, name: str) -> ProductFamily:
    """Name the family of products with a key, making it where there is none; the same name again changes nothing."""
    known = await queries.family(work, key)
    if known is None:
        known = ProductFamily(id=work.ids(), key=key, name=name, created_at=work.now, version=1)
        work.add(known)
    elif known.name == name:
        return known
    else:
        known.name, known.version = name, known.version + 1
    await work.flush()
    work.audit("product_families.define", f"product_family:{known.id.hex}", after={"key": key, "name": name})
    return known


async def define_product(work: Writing, new: NewProduct, valid_from: datetime | None = None) -> Product:
    """Say what a product is from a time on, now when None; what it was before stays readable.

    The same definition again changes nothing. Raises FamilyNotFound, ProductNotFound (of a complement),
    TierWithoutFamily, ComplementOfItself, NoTimeZone or NotAfterCurrent.
    """
    since = aware(valid_from or work.now, "validFrom")
    content = await _content(work, new)
    known = await work.one(
        select(Product)
        .where(Product.tenant_id == work.tenant_id, Product.sku == new.sku, Product.valid_to.is_(None))
        .with_for_update()
    )
    if known and all(getattr(known, name) == value for name, value in content.items()):
        return known
    if since > work.now or (known and since <= known.valid_from):
        raise NotAfterCurrent(path=("validFrom",), sku=new.sku)
    if known:
        known.valid_to = since
        await work.flush()
    product = Product(id=known.id if known else work.ids(), valid_from=since, **content)
    work.add(product)
    await work.flush()
    work.audit("products.define", f"product:{product.id.hex}", after={"sku": new.sku, "from": since.isoformat()})
    return product


async def _content(work: Writing, new: NewProduct) -> dict[str, Any]:
    rules.check_product(new.sku, new.family, new.tier_rank, new.complements)
    family = await queries.family(work, new.family) if new.family else None
    if new.family and family is None:
        raise queries.FamilyNotFound(path=("family",), key=new.family)
    complements = await queries.products(work, new.complements)
    unknown = [sku for sku in new.complements if sku not in complements]
    if unknown:
        raise queries.ProductNotFound(path=("complements",), sku=unknown[0])
    return {
        "sku": new.sku, "name": new.name, "family_id": family.id if family else None, "tier_rank": new.tier_rank,
        "complements": [complements[sku].id for sku in new.complements],
    }  # fmt: skip


async def find_or_make(work: Writing, skus: Iterable[str], since: datetime) -> Mapping[str, UUID]:
    """The products with these stock codes by stock code; those unknown are made, with nothing but their code."""
    wanted = sorted(set(skus))
    known = await queries.products(work, wanted)
    missing = [sku for sku in wanted if sku not in known]
    if missing:
        made = [
            {"tenant_id": work.tenant_id, "id": work.ids(), "sku": sku, "valid_from": min(since, work.now)}
            for sku in missing
        ]
        # Who makes the same product at the same time waits here for the other one's.
        await work.execute(
            insert(Product)
            .values(made)
            .on_conflict_do_nothing(index_elements=["tenant_id", "sku"], index_where=text("valid_to IS NULL"))
        )
        known = await queries.products(work, wanted)
    return {sku: product.id for sku, product in known.items()}
