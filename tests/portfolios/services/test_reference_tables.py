"""What a folder says of its tickers: taken, or refused with the row and the column."""

from __future__ import annotations

from pathlib import Path

import pytest

from portfolios.errors import InvalidRequest
from portfolios.models import Instrument, LeverageTerms
from portfolios.services.reference_tables import load_reference_tables
from portfolios.tenancy import operator_scope

pytestmark = pytest.mark.django_db

TERMS = "ticker,valid_from,multiple,reference_index,expense_ratio,swap_spread,source\n"
INSTRUMENTS = "symbol,kind,name,currency,proxy\n"
PRICES = "date,open,high,low,close,adj_close,volume\n2026-01-02,1,1,1,1,{adjusted},1\n"


def load(folder: Path) -> None:
    with operator_scope():
        load_reference_tables(folder, is_synthetic=False)


def with_prices(folder: Path, symbol: str, adjusted: str = "1") -> None:
    (folder / "prices").mkdir(exist_ok=True)
    (folder / "prices" / f"{symbol}.csv").write_text(PRICES.format(adjusted=adjusted))


def test_a_folder_without_tables_gets_the_terms_of_public_record(tmp_path: Path) -> None:
    load(tmp_path)
    with operator_scope():
        assert set(LeverageTerms.objects.values_list("instrument__symbol", flat=True)) == {
            "SOXL",
            "SOXS",
        }


def test_own_instruments_need_not_be_those_of_the_terms_on_record(tmp_path: Path) -> None:
    (tmp_path / "instruments.csv").write_text(INSTRUMENTS + "CHPX,etf,Chips,USD,\n")
    load(tmp_path)
    with operator_scope():
        assert Instrument.objects.filter(symbol="CHPX").exists()
        assert not LeverageTerms.objects.exists()


def test_terms_may_name_what_the_folder_has_only_prices_of(tmp_path: Path) -> None:
    with_prices(tmp_path, "UPPP")
    with_prices(tmp_path, "CHIX", adjusted="")
    (tmp_path / "leverage_terms.csv").write_text(
        TERMS + "UPPP,2026-01-02,2,CHIX,0.009,0.004,prospectus\n"
    )
    load(tmp_path)
    with operator_scope():
        terms = LeverageTerms.objects.select_related("instrument", "reference_index").get()
        assert float(terms.multiple) == 2
        assert terms.instrument.kind == Instrument.Kind.ETF
        assert terms.reference_index.kind == Instrument.Kind.INDEX


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("2.5,CHIX,0.009,0.004", "column multiple: is 2.5 where 2.000 is on file for UPPP from 20"),
        ("2,UPPP,0.009,0.004", "column reference_index: is UPPP where CHIX"),
        ("2,CHIX,0.0095,0.004", "column expense_ratio: is 0.0095"),
        ("2,CHIX,0.009,0", "column swap_spread: is 0"),
    ],
)
def test_changed_terms_of_a_date_on_file_are_told(tmp_path: Path, row: str, told: str) -> None:
    for symbol in ("UPPP", "CHIX"):
        with_prices(tmp_path, symbol)
    table = tmp_path / "leverage_terms.csv"
    table.write_text(TERMS + "UPPP,2026-01-02,2,CHIX,0.009,0.004,x\n")
    load(tmp_path)
    table.write_text(TERMS + "UPPP,2026-01-02,2.0000,CHIX,0.0090000001,0.004,other words\n")
    load(tmp_path)
    table.write_text(TERMS + f"UPPP,2026-01-02,{row},x\n")
    with pytest.raises(InvalidRequest, match=r"leverage_terms\.csv, row 2") as refusal:
        load(tmp_path)
    assert told in refusal.value.message
    assert "/admin/" in refusal.value.message
    with operator_scope():
        assert LeverageTerms.objects.get().multiple == 2
    table.write_text(TERMS + "UPPP,2026-01-02,2,CHIX,0.009,0.004,x\n")
    with table.open("a") as more:
        more.write("UPPP,2026-02-02,2.5,CHIX,0.009,0.004,x\n")
    load(tmp_path)
    with operator_scope():
        assert LeverageTerms.objects.count() == 2


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ("UPPP,2026-01-02,2,NOPE,0.009,0.004,x", "row 2, column reference_index: no instrument"),
        ("NOPE,2026-01-02,2,UPPP,0.009,0.004,x", "row 2, column ticker: no instrument NOPE"),
        ("UPPP,2026-01-02,0,UPPP,0.009,0.004,x", "column multiple: is 0"),
        ("UPPP,2026-01-02,NaN,UPPP,0.009,0.004,x", "column multiple: is 0 or no number"),
        ("UPPP,02/01/2026,2,UPPP,0.009,0.004,x", "column valid_from: is '02/01/2026'"),
        ("UPPP,2026-01-02,2,UPPP,0.95%,0.004,x", "column expense_ratio: is '0.95%'"),
        ("UPPP,2026-01-02,2,UPPP,9.5,0.004,x", "column expense_ratio: is 9.5, a decimal"),
        ("UPPP,2026-01-02,2,UPPP,0.009,,x", "column swap_spread: is empty"),
        ("UPPP,2026-01-02,2", "column reference_index: is empty"),
    ],
)
def test_terms_that_can_not_be_taken_are_named(tmp_path: Path, terms: str, told: str) -> None:
    with_prices(tmp_path, "UPPP")
    (tmp_path / "leverage_terms.csv").write_text(TERMS + terms + "\n")
    with pytest.raises(InvalidRequest, match=r"leverage_terms\.csv, row 2") as refusal:
        load(tmp_path)
    assert told in refusal.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("symbol,kind\nA,etf\n", "lacks the columns name, currency, proxy"),
        (INSTRUMENTS + "A,fund,A,USD,\n", "row 2, column kind: is 'fund' where one of"),
        (INSTRUMENTS + ",etf,A,USD,\n", "row 2, column symbol: is empty"),
    ],
)
def test_instruments_that_can_not_be_taken_are_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "instruments.csv").write_text(text)
    with pytest.raises(InvalidRequest) as refusal:
        load(tmp_path)
    assert told in refusal.value.message
