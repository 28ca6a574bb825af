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
