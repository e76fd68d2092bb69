"""The connector that reads files: `tenure import FILE --mapping M` is a run of it."""

from __future__ import annotations

import asyncio
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from plugins.files import mapping, opening
from plugins.files.contract_pages import ContractPages
from plugins.files.line_pages import LinePages
from plugins.files.parquet_files import ParquetFile
from plugins.files.record_pages import RecordPages
from plugins.files.text_files import CsvFile, FixedFile, JsonLinesFile
from tenure_sdk import (
    Account,
    Connector,
    Contract,
    Cost,
    CursorExpired,
    Customer,
    ExchangeRate,
    Interaction,
    LinePage,
    Opportunity,
    Order,
    Page,
    Product,
    Refund,
    stream,
    tile,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugins.files.batches import Source
    from plugins.files.mapping import Mapping
    from tenure_sdk import Context, Cursor

PAGE_LINES = 5_000


class FilesConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What is read, and with which mapping."""

    file: Annotated[str, Meta(title="File")]
    mapping: Annotated[str, Meta(title="Mapping file")]
    max_bytes: Annotated[int, Meta(title="Largest content, unpacked, in bytes", ge=1)] = 8 * 1024**3


class _Position(Struct, frozen=True, forbid_unknown_fields=True):
    """The cursor: how many lines of which content, read with which mapping."""

    content: str
    read: int


class FilesConnector(Connector[FilesConfig]):
    """Reads a file of records of one kind, or of the lines of orders and refunds, or of the events of contracts."""

    key, title, version, category = "files", "Files", "1.0.0", "files"
    icon = tile("F", "#5c5f66")

    async def check(self, ctx: Context[FilesConfig]) -> Account:
        """The mapping's source, once mapping and file have been looked over: then a run will not fail for them."""
        rules, _ = await asyncio.to_thread(_opened, ctx.config)
        return Account(rules.source, f"{rules.source}: {Path(ctx.config.file).name}")

    @stream(
        Customer, Product, Order, Refund, Interaction, Contract, Opportunity, Cost, ExchangeRate, cursor="line"
    )  # fmt: skip
    async def lines(self, ctx: Context[FilesConfig], cursor: Cursor) -> AsyncIterator[Page | LinePage]:
        """The file's lines in their order: a `LinePage` each time for documents, a `Page` for other records.

        Contracts come when all lines have been read, and the cursor counts them.
        """
        rules, source = await asyncio.to_thread(_opened, ctx.config)
        content = await asyncio.to_thread(_content, ctx.config)
        done = _lines_read(cursor, content)
        if rules.makes_contracts():
            async for page in _contracts(rules, source, done, content):
                yield page
            return
        # Ids of content count equal lines from the start: those handed out before must pass again.
        read = 0 if rules.record.id == "content" else done
        pages = LinePages(rules) if rules.makes_lines() else RecordPages(rules)
        with closing(pages), closing(source.batches(skip=read, size=PAGE_LINES)) as batches:
            for batch in batches:
                read += batch.read
                if read <= done:
                    pages.skip(batch)
                    continue
                yield pages.page(batch, msgspec.to_builtins(_Position(content, read)))
                await asyncio.sleep(0)

    async def preview(self, ctx: Context[FilesConfig], lines: int = 20) -> Page | LinePage:
        """What the first lines of the file would become, without a cursor."""
        rules, source = await asyncio.to_thread(_opened, ctx.config)
        with closing(_pages(rules)) as pages, closing(source.batches(skip=0, size=lines)) as batches:
            batch = next(batches, None)
            if batch is None:
                return Page(records=())
            if isinstance(pages, ContractPages):
                pages.gather(batch)
                return next((page for _, page in pages.pages(0, lines)), Page(records=()))
            return pages.page(batch, None)


async def _contracts(rules: Mapping, source: Source, done: int, content: str) -> AsyncIterator[Page]:
    """The pages of a file of contracts that come after the first `done` of what it gives."""
    with closing(ContractPages(rules)) as pages, closing(source.batches(skip=0, size=PAGE_LINES)) as batches:
        for batch in batches:
            pages.gather(batch)
            await asyncio.sleep(0)
        for read, page in pages.pages(done, PAGE_LINES):
            yield msgspec.structs.replace(page, cursor=msgspec.to_builtins(_Position(content, read)))
            await asyncio.sleep(0)


def _opened(config: FilesConfig) -> tuple[Mapping, Source]:
    """The mapping, and the file once it was looked over: what is wrong with them is said before a line is read."""
    rules = mapping.load(Path(config.mapping))
    _pages(rules).close()
    path, kind = Path(config.file), rules.file.format
    if kind == "parquet":
        return rules, ParquetFile(path, rules, config.max_bytes)
    text = opening.open_text(path, rules.file.encoding, config.max_bytes)
    return rules, {"csv": CsvFile, "fixed": FixedFile, "jsonl": JsonLinesFile}[kind](text, rules)


def _pages(rules: Mapping) -> LinePages | RecordPages | ContractPages:
    if rules.makes_contracts():
        return ContractPages(rules)
    return LinePages(rules) if rules.makes_lines() else RecordPages(rules)


def _content(config: FilesConfig) -> str:
    """A digest of what a cursor holds for: the same content, mapping and pages, whatever the file's name."""
    path = Path(config.file)
    parts = (opening.fingerprint(path, path.stat().st_size).encode(), Path(config.mapping).read_bytes())
    return blake2b(b"\0".join((b"%d" % PAGE_LINES, *parts)), digest_size=16).hexdigest()


def _lines_read(cursor: Cursor, content: str) -> int:
    if cursor is None:
        return 0
    try:
        position = msgspec.convert(cursor, _Position)
    except msgspec.ValidationError as error:
        raise CursorExpired("This is no position in a file; read it from the start.") from error
    if position.content != content:
        raise CursorExpired("The file or its mapping has changed since; read it from the start.")
    return position.read
