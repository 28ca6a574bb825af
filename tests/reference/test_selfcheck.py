from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

HEADER = "id,method,inputs(json),expected,tolerance,source\n"
RIGHT = 'L10-mult3,multiplier,"{""m"":3}",6,0,arithmetic\n'
WRONG = 'L10-mult2,multiplier,"{""m"":2}",3,0,arithmetic\n'
UNKNOWN = 'Z99-new,unheard of,"{}",1,0,nowhere\n'


@pytest.fixture
def values(tmp_path: Path) -> Path:
    path = tmp_path / "values.csv"
    path.write_text(HEADER + RIGHT + UNKNOWN)
    return path


def test_rows_that_pass_are_counted_and_open_ones_listed(values: Path) -> None:
    out = StringIO()
    call_command("selfcheck", file=values, stdout=out)
    assert "2 rows: 1 passed, 0 failed, 1 not covered" in out.getvalue()
    assert "Z99-new" in out.getvalue()


def test_strict_fails_on_a_row_that_is_not_covered(values: Path) -> None:
    with pytest.raises(SystemExit, match="1"):
        call_command("selfcheck", file=values, strict=True, stdout=StringIO())


def test_a_failure_ends_with_status_1_and_shows_both_numbers(values: Path) -> None:
    values.write_text(HEADER + RIGHT + WRONG)
    out = StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("selfcheck", file=values, stdout=out)
    assert "L10-mult2: expected 3.0, got 2.0" in out.getvalue()


def test_json_is_one_object(values: Path) -> None:
    out = StringIO()
    call_command("selfcheck", file=values, json=True, stdout=out)
    report = json.loads(out.getvalue())
    assert (report["passed"], report["failed"], report["not_covered"]) == (1, 0, 1)
    assert report["methods"][0]["method"] == "L10"
    assert report["not_covered_rows"] == ["Z99-new"]


def test_a_missing_file_tells_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISK_REFERENCE_VALUES", str(tmp_path / "gone.csv"))
    with pytest.raises(CommandError, match="--file CSV"):
        call_command("selfcheck", stdout=StringIO())


def test_a_file_of_another_form_is_refused(values: Path) -> None:
    values.write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match="columns missing"):
        call_command("selfcheck", file=values, stdout=StringIO())


def test_a_row_that_is_not_covered_says_what_is_missing(values: Path) -> None:
    values.write_text(
        HEADER
        + 'B04-zzz,OLS semiconductor beta,"{""dataset"":""gone"",""y"":""a"",""x"":""b""}",1,0,x\n'
        + 'L10-mult,rebalancing multiplier,"{}",1,0,x\n'
        + 'B02-x,multi-factor OLS: b_z,"{""y"":[1,2,4,3],""x"":[1,2,3,5],""X"":[""x"",""z""],'
        '""output"":""b_z""}",1,0,x\n'
        + 'L05-x,exact discrete decomposition: residual,"{""data"":""as L05-gone""}",1,0,x\n'
    )
    out = StringIO()
    call_command("selfcheck", file=values, json=True, stdout=out)
    reasons = json.loads(out.getvalue())["not_covered_reasons"]
    assert reasons["B04-zzz"] == "data set 'gone' is not there"
    assert reasons["L10-mult"] == "no input m"
    assert "of the columns x, y" in reasons["B02-x"]
    assert "'L05-gone'" in reasons["L05-x"]


def test_a_refusal_is_null(values: Path) -> None:
    below_intrinsic = '"{""price"":1,""S"":579,""K"":550,""T"":0.1,""r"":0.04,""type"":""call""}"'
    values.write_text(
        HEADER
        + f"O08-null,implied volatility,{below_intrinsic},,0,bound\n"
        + f"O08-number,implied volatility,{below_intrinsic},0.4,0,bound\n"
    )
    out = StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("selfcheck", file=values, json=True, stdout=out)
    report = json.loads(out.getvalue())
    assert (report["passed"], report["failed"]) == (1, 1)
    assert "outside the bounds" in report["failures"][0]["note"]


def test_further_rows_may_use_the_inputs_and_data_of_the_usual_file(
    values: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tmp_path / "usual.csv"
    usual.write_text(
        HEADER
        + 'D1,dataset,"{""a"":[1,2,4,3],""b"":[1,2,3,5]}",4,0,made\n'
        + 'L10-mult3,multiplier,"{""m"":3}",6,0,arithmetic\n'
    )
    monkeypatch.setenv("RISK_REFERENCE_VALUES", str(usual))
    values.write_text(
        HEADER
        + 'L10-again,multiplier,"{""data"":""as L10-mult3""}",6,0,arithmetic\n'
        + 'B01-n,OLS n,"{""dataset"":""D1"",""y"":""a"",""x"":""b""}",4,0,count\n'
    )
    out = StringIO()
    call_command("selfcheck", file=values, strict=True, stdout=out)
    assert "2 rows: 2 passed" in out.getvalue()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('A,m,"[1]",1,0,x\n', "not a JSON object"),
        ('A,m,"{",1,0,x\n', "line 2, row 'A'"),
        ("A,m,{},one,0,x\n", "could not convert"),
        (",m,{},1,0,x\n", "the id is missing"),
    ],
)
def test_a_malformed_row_is_named(values: Path, row: str, reason: str) -> None:
    values.write_text(HEADER + row)
    with pytest.raises(CommandError, match=reason):
        call_command("selfcheck", file=values, stdout=StringIO())
