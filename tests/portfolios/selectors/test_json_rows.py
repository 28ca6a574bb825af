"""PostgreSQL writes each member of a row byte for byte as Python would."""

from __future__ import annotations

import json
import random
import struct
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, connection

from portfolios.selectors import json_rows
from portfolios.selectors.json_rows import JsonRow, Member
from riskapi.api.renderers import dumps

pytestmark = pytest.mark.django_db

TEXTS = ["", "plain", 'a "quoted" \\ one', "tab\tline\nreturn\r\b\f", "\x01\x1f\x7f", "é 半導体 🂡",
         "\u2028</script>", "100 % of %s", "'; --"]  # fmt: skip
MOMENTS = [
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    datetime(2026, 1, 2, 3, 4, 5, 1, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 6, 1, 0, 0, 0, 120000, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
]
DECIMALS = ["0", "0.00", "1", "1.500", "-1.5", "0.000000001", "6E+11", "1e-30",
            "123456789.0123456789", "9" * 40, "-0.10"]  # fmt: skip
FLOATS = [
    0.0, -0.0, 1.0, -1.0, 100.0, 0.1, 1 / 3, 1e-4, 1.5e-4, 1e-5, 1.5e-5, 9.9e-6, 1e-6, 1.5e-7,
    1e14, 1e15, 1234567890123456.0, 9007199254740993.0, 9999999999999998.0, 1e16, 1.5e16, 1e20,
    1e100, 1.5e-100, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308,
]  # fmt: skip


def _written(member: Member, kind: str, values: Sequence[Any]) -> list[str]:
    """The rows that PostgreSQL writes with such values in the member's columns."""
    row = JsonRow(it=member)
    columns = ", ".join(f'v."{name}"::{kind} AS "{name}"' for name in row.columns)
    names = ", ".join(f'"{name}"' for name in ("at", *row.columns))
    places = ", ".join(["%s"] * len(row.columns))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {row.sql} FROM (SELECT v.at, {columns} FROM (VALUES "
            + ", ".join(f"({at}, {places})" for at in range(len(values)))
            + f") v ({names})) r ORDER BY r.at",
            [repr(v) if isinstance(v, float) else v for v in values for _ in row.columns],
        )
        return [text for (text,) in cursor.fetchall()]


def _made(member: Member, values: Sequence[Any]) -> list[str]:
    rows = [JsonRow(it=member).of_values(dict.fromkeys(member.columns, v)) for v in values]
    return [dumps(row).decode() for row in rows]


@pytest.mark.parametrize(
    ("member", "kind", "values"),
    [
        (json_rows.plain("it"), "text", TEXTS),
        (json_rows.plain("it"), "bigint", [0, -1, 2**62]),
        (json_rows.plain("it"), "boolean", [True, False]),
        (json_rows.plain("it"), "date", [date(1, 1, 1), date(2026, 2, 28), date(9999, 12, 31)]),
        (json_rows.plain("it"), "text[]", [[], ["a"], TEXTS]),
        (json_rows.unless_empty("it"), "text", TEXTS),
        (json_rows.beginning("sha256:", "it"), "text", TEXTS),
        (json_rows.named("it", {"a": "one", "b": "other"}), "text", ["a", "b"]),
        (json_rows.public_id("it", "pf"), "uuid", [uuid.UUID(int=1), uuid.UUID(int=2**128 - 1)]),
        (json_rows.moment("it"), "timestamptz", MOMENTS),
        (json_rows.exact("it"), "numeric", [Decimal(one) for one in DECIMALS]),
        (json_rows.real("it"), "float8", FLOATS),
        (json_rows.is_given("it"), "text", ["", "a"]),
        (json_rows.is_missing("it"), "text", ["", "a"]),
        (
            json_rows.nested(a=json_rows.plain("it"), b=json_rows.unless_empty("it")),
            "text",
            TEXTS,
        ),
        (json_rows.only_where("it", "a", json_rows.plain("it")), "text", ["a", "b"]),
    ],
)
def test_member_is_the_same_from_either(member: Member, kind: str, values: list[Any]) -> None:
    may_be_null = member.sql.find("CASE") != 0 or kind != "text"
    values = [*values, None] if may_be_null else values
    assert _written(member, kind, values) == _made(member, values)


def test_every_float_is_written_as_python_writes_it() -> None:
    draw = random.Random(18)  # noqa: S311  # the same in every run
    levels = [draw.lognormvariate(4, 3) for _ in range(3_000)]
    rounded = [round(level, draw.randrange(8)) for level in levels]
    small = [draw.uniform(-1, 1) * 10 ** draw.uniform(-8, 0) for _ in range(2_000)]
    any_bits = [struct.unpack("d", draw.randbytes(8))[0] for _ in range(3_000)]
    values = [*levels, *rounded, *small, *(x for x in any_bits if abs(x) < float("inf"))]
    member = json_rows.real("it")
    written, made = _written(member, "float8", values), _made(member, values)
    pairs = [(abs(v), json.loads(w), w == m) for v, w, m in zip(values, written, made, strict=True)]
    # Of numbers that large PostgreSQL may write a digit more than it takes: the same number.
    assert all(same for size, _, same in pairs if size < 2**53)
    assert [row["it"] for _, row, _ in pairs] == values
    assert sum(not same for *_, same in pairs) < len(pairs) / 100


def test_reference_is_the_same_from_either() -> None:
    member = json_rows.reference("benchmark")
    values: dict[str, Any] = {"benchmark__uid": uuid.UUID(int=7), "benchmark__symbol": 'A "B" \\ é'}
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT {member.sql} FROM (SELECT %s::uuid "benchmark__uid",'
            ' %s "benchmark__symbol" UNION ALL SELECT NULL, NULL) r',
            list(values.values()),
        )
        assert cursor.fetchall() == [(dumps(member.of(values)).decode(),), (None,)]
    assert member.of(dict.fromkeys(values)) is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    ("member", "kind"), [(json_rows.exact("it"), "numeric"), (json_rows.real("it"), "float8")]
)
def test_number_that_is_not_finite_is_an_error(member: Member, kind: str, value: str) -> None:
    with pytest.raises(DataError):
        _written(member, kind, [value])
