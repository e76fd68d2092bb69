"""How a file may be written, and what becomes of one that cannot be read."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure_sdk import ConfigInvalid

if TYPE_CHECKING:
    from pathlib import Path

LINES = [
    {"no": "1", "day": "2024-01-01", "who": "آناهیتا", "sku": "A", "qty": "2", "price": "1.50"},
    {"no": "2", "day": "2024-01-02", "who": "Zoë", "sku": "B", "qty": "1", "price": "3"},
]


def csv_of(delimiter: str = ",", who: tuple[str, ...] = ("آناهیتا", "Zoë")) -> str:
    rows = [list(LINES[0]), *([*row.values()] for row in LINES)]
    for row, name in zip(rows[1:], who, strict=True):
        row[2] = name
    return "".join(delimiter.join(row) + "\r\n" for row in rows)


def customers(read: Any) -> list[str]:
    assert read.rejects == []
    return [row["customer"] for row in read.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_unicode_encodings_are_seen(desk: Any, encoding: str, pack: Any) -> None:
    assert customers(desk.read(pack(csv_of().encode(encoding)))) == ["آناهیتا", "Zoë"]


@pytest.mark.parametrize(
    ("encoding", "names"),
    # cp1256 has the Arabic yeh, kaf and no Persian ones: what Persian Windows programs wrote.
    [("cp1252", ("Zoë", "François")), ("cp1256", ("علي", "فاطمه"))],
)
@pytest.mark.parametrize("said", [True, False])
def test_single_byte_encodings(desk: Any, orders: str, encoding: str, names: tuple[str, ...], said: bool) -> None:
    mapping = orders.replace('"csv"', f'"csv"\nencoding = "{encoding}"') if said else orders
    expected = [name.replace("ي", "ی") for name in names]
    assert customers(desk.read(csv_of(who=names).encode(encoding), mapping)) == expected


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("said", [True, False])
def test_delimiters(desk: Any, orders: str, delimiter: str, said: bool) -> None:
    mapping = orders.replace('"csv"', f'"csv"\ndelimiter = {json.dumps(delimiter)}') if said else orders
    assert customers(desk.read(csv_of(delimiter), mapping)) == ["آناهیتا", "Zoë"]


def test_csv_without_a_header(desk: Any, orders: str) -> None:
    mapping = orders.replace('"csv"', f'"csv"\ncolumns = {json.dumps(list(LINES[0]))}')
    read = desk.read(csv_of(";").split("\r\n", 1)[1], mapping)
    assert customers(read) == ["آناهیتا", "Zoë"]
    assert [row["line"] for row in read.rows] == [1, 2]


def test_quotes_line_breaks_and_long_cells(desk: Any, orders: str, header: str) -> None:
    said = 'a "b"\nc, d ' + "é" * 40_000
    quoted = said.replace('"', '""')
    content = f'{header}1,2024-01-01,"{quoted}",A,1,1\n\n2,2024-01-01,y,B,1,1'
    read = desk.read(content, orders.replace('customer = "who"', 'description = "who"'))
    assert [(row["line"], row["description"]) for row in read.rows] == [(2, said), (5, "y")]


def test_json_lines(desk: Any, orders: str) -> None:
    mapping = orders.replace('"csv"', '"jsonl"').replace('"who"', '"who.name"')
    rows: list[dict[str, Any]] = [row | {"who": {"name": row["who"]}} for row in LINES]
    rows[0] |= {"qty": 2, "price": 0.1}
    read = desk.read("\n".join(json.dumps(row) for row in rows), mapping)
    assert customers(read) == ["آناهیتا", "Zoë"]
    assert [row["unit_price"] for row in read.rows] == [Decimal("0.1"), Decimal(3)]


def test_json_lines_that_are_none(desk: Any, orders: str, header: str) -> None:
    mapping = orders.replace('"csv"', '"jsonl"')
    good = json.dumps(LINES[0])
    read = desk.read(f"{good}\n{{oops\n[1]\n\n{good}\n", mapping)
    assert [(reject.line, reject.field) for reject in read.rejects] == [(2, None), (3, None)]
    assert [row["line"] for row in read.rows] == [1, 5]
    for content, says in (
        (header, "not JSON Lines"),
        ('{"no": 1}\n', "has no day"),
        (f"{good}\n{good[:30]}", "truncated"),
    ):
        with pytest.raises(ConfigInvalid, match=says):
            desk.check(content, mapping)


FIXED = """[
  { name = "no", start = 0, width = 2 }, { name = "day", start = 2, width = 10 },
  { name = "who", start = 12, width = 8 }, { name = "sku", start = 20, width = 2 },
  { name = "qty", start = 22, width = 4 }, { name = "price", start = 26, width = 6 },
]"""


def test_fixed_width_by_places(desk: Any, orders: str) -> None:
    mapping = orders.replace('"csv"', f'"fixed"\ncolumns = {FIXED}')
    text = "".join("{no:2}{day:10}{who:8}{sku:2}{qty:>4}{price:>6}\r\n".format(**row) for row in LINES)
    assert customers(desk.read(text, mapping)) == ["آناهیتا", "Zoë"]
    read = desk.read(text + "3 2024\r\n", mapping)
    assert [(reject.line, reject.reason) for reject in read.rejects] == [(3, "has 6 characters, which is too few")]


def test_fixed_width_by_blanks(desk: Any, orders: str) -> None:
    columns = json.dumps(list(LINES[0]))
    mapping = orders.replace('"csv"', f'"fixed"\nheader = {columns}\ncolumns = {columns}')
    text = csv_of().replace(",", "   ")
    read = desk.read(text, mapping)
    assert customers(read) == ["آناهیتا", "Zoë"]
    assert [row["line"] for row in read.rows] == [2, 3]
    with pytest.raises(ConfigInvalid, match="expects the header no day who"):
        desk.check(text.replace("who", "name"), mapping)
    with pytest.raises(ConfigInvalid, match="truncated"):
        desk.check(text + "3 2024-01-03 x", mapping)


def parquet(path: Path, **more: Any) -> Path:
    columns: dict[str, Any] = {name: [row[name] for row in LINES] for name in LINES[0]}
    columns |= {"qty": [2.0, 1.0], "price": pa.array([Decimal("1.50"), Decimal("3.00")]), "no": [1, 2]} | more
    pq.write_table(pa.table(columns), path, row_group_size=1)
    return path


def test_parquet(desk: Any, orders: str, tmp_path: Path) -> None:
    read = desk.read(parquet(tmp_path / "p"), orders.replace('"csv"', '"parquet"'))
    assert customers(read) == ["آناهیتا", "Zoë"]
    assert [(row["document"], row["quantity"], row["unit_price"]) for row in read.rows] == [
        ("1", Decimal(2), Decimal("1.50")),
        ("2", Decimal(1), Decimal(3)),
    ]


def test_parquet_that_is_none(desk: Any, orders: str, header: str, tmp_path: Path) -> None:
    mapping = orders.replace('"csv"', '"parquet"')
    whole = parquet(tmp_path / "whole").read_bytes()
    cases = {
        header: "not a Parquet file",
        whole[:-20]: "truncated or damaged",
        whole[:30] + whole[60:]: "truncated or damaged",
        b"PAR1PAR1": "truncated or damaged",
    }
    for content, says in cases.items():
        with pytest.raises(ConfigInvalid, match=says):
            desk.read(content, mapping)
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    with pytest.raises(ConfigInvalid, match="truncated or damaged"):
        desk.read(parquet(tmp_path / "bytes", who=bad), mapping)
    with pytest.raises(ConfigInvalid, match="lists or structures in who"):
        desk.check(parquet(tmp_path / "nested", who=[["a"], ["b"]]), mapping)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other")
    with pytest.raises(ConfigInvalid, match="no column no, day"):
        desk.check(tmp_path / "other", mapping)


@pytest.mark.parametrize(
    ("content", "key", "says"),
    [
        (b"", "file", "is empty"),
        (b"\xef\xbb\xbf \r\n\r\n", "file", "is empty"),
        (b"no;day\n1;2\n", "file", "no column who, sku, qty, price; its columns are no, day"),
        (b"no,day,who,sku,qty,price,no\n", "file", "has the column no more than once"),
        (b"no,day,who,sku,qty,price\n1,2024-01-01,x,A,1,1\n2,2024-01", "file", "is truncated"),
        (gzip.compress(csv_of().encode(), mtime=0)[:-12], "file", "truncated or damaged"),
        (b"\x1f\x8b nothing that was ever packed", "file", "truncated or damaged"),
        (b"PK\x03\x04 sheet", "file", "an Excel workbook"),
        (b"%PDF-1.7", "file", "a PDF document"),
        (b"PAR1", "file", 'format = "parquet"'),
        (b"no,day\0\0\0,who,\0\0,\0\0", "file", "is binary"),
        (b"no,day,who,sku,qty,price\n" + b"x" * (1 << 20), "file", "more than 1,048,576 characters"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(desk: Any, content: bytes, key: str, says: str) -> None:
    with pytest.raises(ConfigInvalid) as error:
        desk.read(content)
    assert error.value.key == key
    assert says in str(error.value)


def test_a_file_that_is_not_there(desk: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="nowhere cannot be read"):
        desk.check(tmp_path / "nowhere")
    with pytest.raises(ConfigInvalid, match="is not a file"):
        desk.check(tmp_path)


def test_text_in_another_encoding_than_said(desk: Any, orders: str, header: str) -> None:
    late = header.encode() + b"1,2024-01-01,x,A,1,1\n" * 60_000 + "2,2024-01-01,Zoë,A,1,1\n".encode("cp1252")
    with pytest.raises(ConfigInvalid, match="is not utf-8 text") as error:
        desk.check(late, orders.replace('"csv"', '"csv"\nencoding = "utf-8"'))
    assert error.value.key == "file.encoding"
    with pytest.raises(ConfigInvalid, match="UTF-16 text and not cp1252"):
        desk.check(csv_of().encode("utf-16"), orders.replace('"csv"', '"csv"\nencoding = "cp1252"'))


def test_what_a_small_file_unpacks_to_is_bounded(desk: Any, orders: str, header: str, tmp_path: Path) -> None:
    bomb = gzip.compress(header.encode() + b"1,2024-01-01,x,A,1,1\n" * 100_000, mtime=0)
    assert len(bomb) < 20_000
    with pytest.raises(ConfigInvalid, match="more than 1,000,000 bytes") as error:
        desk.check(bomb, max_bytes=1_000_000)
    assert error.value.key == "max_bytes"
    table = pa.table({name: pa.array(["x" * 100] * 100_000) for name in LINES[0]})
    pq.write_table(table, tmp_path / "bomb")
    assert (tmp_path / "bomb").stat().st_size < 100_000
    with pytest.raises(ConfigInvalid, match="more than 1,000,000 bytes"):
        desk.read(tmp_path / "bomb", orders.replace('"csv"', '"parquet"'), max_bytes=1_000_000)
