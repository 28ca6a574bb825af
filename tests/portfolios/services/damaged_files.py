"""Files of clients, damaged in every way: forty seeds, and what mutates them.

Every kind that a client may send in every format. The rows of a file are counted here too, without
the reader of the service, so that none can be lost between it and the verdict.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

#: What is measured is the service: a body beyond its 20 MB would be the attacker's memory alone.
_LONGEST = 5_000_000
Row = dict[str, Any]
Rows = list[Row]
DAYS = [f"2024-01-{day:02}" for day in (2, 3, 4, 5, 8, 9, 10, 11, 12, 16, 17, 18)]


def _prices() -> Rows:
    return [
        {"date": day, "open": f"{40 + n / 10}", "high": f"{41 + n / 10}", "low": f"{39 + n / 10}",
         "close": f"{40.5 + n / 10}", "adj_close": f"{40.1 + n / 10}", "volume": f"{1000 + n}"}
        for n, day in enumerate(DAYS)
    ]  # fmt: skip


def _positions() -> Rows:
    return [
        {"portfolio": "book", "as_of": day, "instrument": symbol, "quantity": quantity,
         "cost": "40.25", "tags": "semis;hedge"}
        for day in DAYS[:4]
        for symbol, quantity in (("SOXX", "100"), ("SOXS", "-7.5"), ("CASH.USD", "1000.00"))
    ]  # fmt: skip


def _rates() -> Rows:
    return [
        {"base": base, "quote": "USD", "date": day, "rate": f"{rate}{n}"}
        for base, rate in (("EUR", "1.09"), ("JPY", "0.0068"))
        for n, day in enumerate(DAYS[:6])
    ]


def _actions() -> Rows:
    split = {"kind": "split", "new_shares": "3", "old_shares": "1", "amount": ""}
    paid = {"kind": "distribution", "new_shares": "", "old_shares": "", "amount": "0.3129"}
    return [
        {"instrument": symbol, "ex_date": day, **action}
        for symbol in ("SOXX", "SOXS")
        for day, action in (("2024-03-07", split), ("2024-03-21", paid), ("2024-06-20", paid))
    ]


def _splits() -> Rows:
    return [
        {"ticker": t, "effective_date": day, "new_shares": a, "old_shares": b}
        for t, day, a, b in (("SOXX", "2024-03-07", "3", "1"), ("SOXS", "2024-04-15", "1", "10"))
    ]


def _distributions() -> Rows:
    return [
        {"ticker": "SOXX", "ex_date": f"2024-{month:02}-21", "amount_per_share": f"0.3{month}"}
        for month in (2, 3, 5, 6, 8, 11)
    ]


def _chain() -> Rows:
    return [
        {"contract": f"SOXX240216{side}{strike * 1000:08d}", "expiration": "2024-02-16",
         "side": side, "strike": str(strike), "bid": "1.10", "ask": "1.25", "iv": "0.31",
         "open_interest": "120"}
        for side in "CP"
        for strike in (38, 40, 42)
    ]  # fmt: skip


KINDS: dict[str, tuple[str, Callable[[], Rows]]] = {
    "prices": ("SOXX", _prices),
    "positions": ("book", _positions),
    "fx_rates": ("rates", _rates),
    "corporate_actions": ("actions", _actions),
    "splits": ("splits", _splits),
    "distributions": ("distributions", _distributions),
    "option_chain": ("SOXX_2024-01-02", _chain),
}


def as_csv(rows: Sequence[Row]) -> bytes:
    names = list(rows[0]) if rows else []
    lines = [",".join(names), *(",".join(map(str, row.values())) for row in rows)]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def as_ndjson(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_json(rows: Sequence[Row]) -> bytes:
    return json.dumps(rows, indent=1).encode()


def as_parquet(rows: Sequence[Row], **options: Any) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = []
    for name in names:
        cells = [row.get(name) for row in rows]
        kind = None
        if any(not isinstance(cell, str) for cell in cells):
            try:
                pq.write_table(pa.table({"x": pa.array(cells)}), io.BytesIO())
            except (pa.ArrowException, OverflowError, UnicodeEncodeError):
                cells = [repr(cell) for cell in cells]
        else:
            kind = pa.string()
            cells = [str(cell).encode("utf-8", "replace").decode() for cell in cells]
        columns.append(pa.array(cells, kind))
    file = io.BytesIO()
    table = pa.table(columns, names=[n.encode("utf-8", "replace").decode() for n in names])
    pq.write_table(table, file, **options)
    return file.getvalue()


WRITERS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "csv": as_csv, "ndjson": as_ndjson, "json": as_json, "parquet": as_parquet,
}  # fmt: skip


@dataclass(frozen=True)
class Seed:
    """A good file."""

    kind: str
    form: str
    packed: bool

    @property
    def name(self) -> str:
        return f"{KINDS[self.kind][0]}.{self.form}" + (".gz" if self.packed else "")

    def rows(self) -> Rows:
        return KINDS[self.kind][1]()

    def written(self, rows: Sequence[Row]) -> bytes:
        return WRITERS[self.form](rows)

    def packed_as_it_is(self, content: bytes) -> bytes:
        return gzip.compress(content) if self.packed else content


SEEDS = [
    *(Seed(kind, form, packed=False) for kind in KINDS for form in WRITERS),
    *(Seed(kind, "csv", packed=True) for kind in KINDS),
    *(Seed(kind, "parquet", packed=True) for kind in list(KINDS)[:5]),
]

HOSTILE: tuple[Any, ...] = (
    "", " ", "-", "nan", "NaN", "inf", "-inf", "1e400", "1e-400", "-1e308", "1e15", "1e-31", "0",
    "-0", "-1", "9" * 39, "9" * 60, "0." + "1" * 50, "1,234", "1.234,5", "(12)", "(1\n)", "12%",
    "$5", "5M", "0x10", "1_000", "\uff11\uff12", "\u0661", "\u2212" + "5", "=1+1", "+1", "-cmd",
    "@A1", "'", '"', '""', 'a"b', ",", ";", "\t", "\0", "a\0b", "\r", "\n", "a\nb", "\x0b", "\x1a",
    "\ufeff", "\ud800", "\U0001f600", "\u202e", "x" * 41, "x" * 300, "x" * 70_000, "null", "None",
    "true", "2024-13-45", "0000-00-00", "2024-02-30", "9999-12-31", "1-1-1", "03/04/2024",
    "2024-01-02T00:00:00Z", "2024-01-06", "2099-01-05", "SOXX\n", "soxx", "CASH.XXX", "CASH.EUR",
    "in_" + "0" * 32, "pf_" + "0" * 32, "split", "merger", "C", "call", "'; DROP TABLE x; --",
    None, True, 1, -1, 0.1, 1e300, 10**30, [], ["a", "b"], [1], {}, {"a": 1}, [["a"]],
)  # fmt: skip


def _cell(rows: Rows, chance: random.Random) -> Rows:
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        row = chance.choice(rows)
        if row:
            row[chance.choice(list(row))] = chance.choice(HOSTILE)
    return rows


def _column(rows: Rows, chance: random.Random) -> Rows:
    name, value = chance.choice(list(rows[0])), chance.choice(HOSTILE)
    return [{**row, name: value} for row in rows]


def _structure(rows: Rows, chance: random.Random) -> Rows:
    names = list(rows[0])
    name, other = chance.choice(names), chance.choice(names)
    new = chance.choice(("", " ", "x", "\ud800", "a" * 300, name.upper(), f"{other}.1", "date"))
    acts: tuple[Callable[[], Rows], ...] = (
        lambda: [{k: v for k, v in row.items() if k != name} for row in rows],
        lambda: [{new if k == name else k: v for k, v in row.items()} for row in rows],
        lambda: [{**row, name: row.get(other), other: row.get(name)} for row in rows],
        lambda: [{**row, new: "1"} for row in rows],
        lambda: [*rows, *rows],
        lambda: [*rows, *([chance.choice(rows)] * 500)],
        lambda: [{k: v for k, v in row.items() if chance.random() > 0.1} for row in rows],
        lambda: [{**row, **{f"c{n}": "1" for n in range(300)}} for row in rows],
        lambda: list(reversed(rows)),
        list,
        lambda: [{}],
        lambda: rows[:1],
        lambda: [{k: row.get(k) for k in chance.sample(names, len(names))} for row in rows],
    )
    return chance.choice(acts)()


def _bytes(content: bytes, chance: random.Random) -> bytes:
    if not content:
        return content
    size = len(content)
    a, b = sorted((chance.randrange(size), chance.randrange(size)))
    noise = chance.randbytes(chance.choice((1, 2, 8, 64, 1_000)))
    acts: tuple[Callable[[], bytes], ...] = (
        lambda: content[:a] + bytes([chance.randrange(256)]) + content[a + 1 :],
        lambda: bytes(c ^ (1 << chance.randrange(8)) if chance.random() < 0.01 else c
                      for c in content),
        lambda: content[:a] + content[b:],
        lambda: content[:b] + content[a:],
        lambda: content[:a] + noise + content[a:],
        lambda: content[:a],
        lambda: content[a:],
        lambda: content + noise,
        lambda: content[:a] + b"\0" * (b - a) + content[b:],
        lambda: content * chance.choice((2, 10, 100)),
        lambda: content[:a] + b"\xff" * 4 + content[a + 4 :],
        lambda: content[:a] + b'"' + content[a:],
        lambda: content[:a] + chance.choice((b"[", b"{", b"]", b"}", b",")) + content[a:],
        lambda: content[:a] + b"[" * 5_000 + content[a:],
        lambda: content[: size - 8] + chance.randbytes(4) + content[size - 4 :],
    )  # fmt: skip
    return chance.choice(acts)()


def _encoding(content: bytes, chance: random.Random) -> bytes:
    text = content.decode("latin-1")
    acts: tuple[Callable[[], bytes], ...] = (
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-16-le"),
        lambda: b"\xff\xfe" + content,
        lambda: b"\xef\xbb\xbf" + content,
        lambda: text.replace("e", "\xe9").encode("latin-1"),
        lambda: content.replace(b"\n", b"\r\n"),
        lambda: content.replace(b"\n", b"\r"),
        lambda: content.replace(b",", chance.choice((b";", b"\t", b"|", b",,", b"\0"))),
        lambda: gzip.compress(gzip.compress(content)),
        lambda: gzip.compress(content)[: -chance.randrange(1, 12)],
        lambda: gzip.compress(content) + gzip.compress(content),
        lambda: b"PK\x03\x04" + content,
        lambda: b"PAR1" + content + b"PAR1",
        lambda: gzip.compress(content + b"\0" * 6_000_000),
        lambda: b"\n" * chance.choice((1, 20)) + content,
    )
    return chance.choice(acts)()


def mutant(seed: Seed, chance: random.Random) -> bytes:
    """The seed with one to three defects."""
    rows, content = seed.rows(), b""
    for act in chance.choices((_cell, _column, _structure), k=chance.choice((0, 1, 1, 2))):
        rows = act(rows, chance) if rows and rows[0] else rows
    if seed.form == "parquet" and chance.random() < 0.3:
        content = as_parquet(
            rows,
            compression=chance.choice(("none", "zstd", "gzip", "brotli")),
            use_dictionary=chance.random() < 0.5,
            row_group_size=chance.choice((1, 3, 1_000)),
            data_page_version=chance.choice(("1.0", "2.0")),
        )
    else:
        content = seed.written(rows)
    if chance.random() < 0.5:
        content = chance.choice((_bytes, _bytes, _encoding))(content, chance)
    content = seed.packed_as_it_is(content)
    if chance.random() < 0.1:
        content = _bytes(content, chance)
    return content[:_LONGEST]


def rows_of(content: bytes) -> int | None:
    """Rows of a file, counted without the reader; None where it cannot be told.

    That are the lines that are not blank but for a CSV's header, the elements of an array, and what
    a Parquet file says of itself.
    """
    try:
        plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        if plain.startswith((b"\xff\xfe", b"\xfe\xff")):
            plain = plain.decode("utf-16").encode()
        text = plain.removeprefix(b"\xef\xbb\xbf")
        if text.lstrip().startswith(b"["):
            return len(json.loads(text))
        if text.startswith(b"PAR1"):
            return int(pq.read_metadata(io.BytesIO(text)).num_rows)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error, pa.ArrowException):
        return None
    lines = [line for line in re.split(rb"\r\n|\n|\r", text.rstrip(b"\x1a")) if line.strip()]
    return len(lines) - (not text.lstrip().startswith(b"{"))


@dataclass(frozen=True)
class Mutant:
    """A damaged file as it is to be sent."""

    number: int
    seed: Seed
    content: bytes
    options: dict[str, str]
    rows: int | None


def numbered(number: int) -> Mutant:
    """The same for the same number."""
    chance = random.Random(number)  # noqa: S311  # a test's choices, to be repeated
    seed = SEEDS[number % len(SEEDS)]
    options = {
        "filename": seed.name,
        "mode": chance.choice(("atomic", "partial")),
        "dry_run": chance.choice(("false", "false", "true")),
    }
    if seed.kind == "positions" or chance.random() < 0.6:
        options["kind"] = seed.kind
    content = mutant(seed, chance)
    return Mutant(number, seed, content, options, rows_of(content))


def undamaged(number: int) -> Mutant:
    """One of the seeds as it is."""
    seed = SEEDS[number]
    content = seed.packed_as_it_is(seed.written(seed.rows()))
    return Mutant(
        number, seed, content, {"filename": seed.name, "kind": seed.kind}, len(seed.rows())
    )
