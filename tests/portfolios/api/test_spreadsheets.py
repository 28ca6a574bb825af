"""Exports in the hands of a real spreadsheet program: no cell is a formula, numbers are numbers."""

from __future__ import annotations

import io
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import openpyxl
import pytest

from tests.callers import Caller

PAYLOADS = (
    "=1+1", "=SUM(A1:A9)", "=HYPERLINK(\"http://example.org\",\"x\")", "=cmd|' /C calc'!A0",
    "=WEBSERVICE(\"http://example.org\")", "=IMPORTXML(\"http://example.org\",\"//a\")", "==1+1",
    "=-1", "=A1", "=\"a\"&\"b\"", "={1,2}", "=NOW()", "=1;2", "=(1+1)", "=R1C1",
    "+1+1", "+SUM(A1:A9)", "+cmd|' /C calc'!A0", "+1", "++1", "+A1", "+HYPERLINK(\"x\")",
    "-1+1", "-SUM(A1:A9)", "-cmd|' /C calc'!A0", "--1", "-A1", "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)", "@A1", "@cmd|' /C calc'!A0", "@NOW()",
    "\t=1+1", "\t+1+1", "\t-1+1", "\t@SUM(1)", "\r=1+1", "\r\n=1+1",
    "\uff1d1+1", "'=1+1",
)  # fmt: skip
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
#: Separator, quote, UTF-8, first line, no column formats, US English, and evaluate formulas.
_CSV_FILTER = "Text - txt - csv (StarCalc):44,34,76,1,,1033,false,true,false,false,false,-1,true"

Cell = tuple[str | None, str | None, str]


@pytest.fixture
def book(caller: Caller) -> Caller:
    """A book of negative quantities in which everything named by the client is a payload."""
    portfolio = caller.post("/v1/portfolios", {"name": "book"}).body["id"]
    positions = []
    for number, payload in enumerate(PAYLOADS):
        symbol = f"X{number}"
        caller.post("/v1/instruments", {"symbol": symbol, "kind": "etf"})
        positions.append({"instrument": symbol, "quantity": f"-{number}.5", "tags": [payload]})
    path = f"/v1/portfolios/{portfolio}/positions"
    put = caller.put(f"{path}?as_of=2026-11-20", {"positions": positions, "source": "=2+2"})
    assert put.status == 201, put.body
    caller.path = path  # type: ignore[attr-defined]  # for the tests below
    return caller


def _opened(content: bytes, name: str, folder: Path) -> list[list[Cell]]:
    """Rows of (formula, type, text) as LibreOffice Calc reads the file."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        pytest.skip("needs LibreOffice Calc (Debian: libreoffice-calc)")
    (folder / name).write_bytes(content)
    command = [
        program, "--headless", f"-env:UserInstallation={(folder / 'profile').as_uri()}",
        "--convert-to", "fods", "--outdir", str(folder / "out"), str(folder / name),
    ]  # fmt: skip
    if name.endswith(".csv"):
        command.insert(3, f"--infilter={_CSV_FILTER}")
    done = subprocess.run(command, capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    tree = ET.parse(folder / "out" / f"{Path(name).stem}.fods")  # noqa: S314  # of our own making
    table = next(tree.iter(f"{_TABLE}table"))
    return [
        [
            (
                cell.get(f"{_TABLE}formula"),
                cell.get(f"{_OFFICE}value-type"),
                "".join(cell.itertext()).strip(),
            )
            for cell in row.iter(f"{_TABLE}table-cell")
            # Equal neighbours are written once; an empty tail as a thousand.
            for _ in range(min(int(cell.get(f"{_TABLE}number-columns-repeated", 1)), 20))
        ]
        for row in table.iter(f"{_TABLE}table-row")
    ]


def test_the_program_takes_unguarded_payloads_for_formulas(tmp_path: Path) -> None:
    """Else the next test could not fail."""
    rows = _opened(b'a,b\n"=1+1",-1.5\n"=SUM(A9:A10)",2\n', "control.csv", tmp_path)
    assert sum(formula is not None for row in rows for formula, _, _ in row) == 2


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_no_cell_is_a_formula_and_numbers_are_numbers(
    book: Caller, form: str, tmp_path: Path
) -> None:
    path = book.path  # type: ignore[attr-defined]  # set above
    answer = book.get(f"{path}?format={form}")
    rows = _opened(answer.content, f"positions.{form}", tmp_path)
    names = [text for _, _, text in rows[0]]
    assert [cell for row in rows for cell in row if cell[0] is not None] == []
    body = [row for row in rows[1:] if len(row) >= len(names) - 1]
    assert len(body) == len(PAYLOADS)
    quantities = [row[names.index("quantity")] for row in body]
    assert {kind for _, kind, _ in quantities} == {"float"}
    assert {kind for _, kind, _ in (row[names.index("tags")] for row in body)} == {"string"}
    assert [text for _, _, text in quantities[1:3]] == ["-1.5", "-2.5"]


def test_workbook_cells_are_text_and_numbers_without_the_program(book: Caller) -> None:
    path = book.path  # type: ignore[attr-defined]  # set above
    sheet = openpyxl.load_workbook(io.BytesIO(book.get(f"{path}?format=xlsx").content))["data"]
    kinds = {cell.data_type for row in sheet for cell in row}
    assert "f" not in kinds
    names = [cell.value for cell in sheet[1]]
    for row in sheet.iter_rows(min_row=2):
        assert row[names.index("quantity")].data_type == "n"
        assert row[names.index("tags")].data_type == "s"
