"""Which form an Accept header is answered with (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import pytest

from tests.callers import Caller

JSON, CSV = "application/json", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        # Quality decides, wherever it stands.
        ("text/csv;q=0.5, application/json;q=0.9", JSON),
        ("application/json;q=0.5, text/csv;q=0.9", CSV),
        ("application/json;q=0.899, text/csv;q=0.9", CSV),
        ("application/json; Q=0.1 , TEXT/CSV ; q=0.2", CSV),
        ("application/json;q=0.001, image/png", JSON),
        # The most specific range says the quality of a type.
        ("text/csv;q=0.4, text/*;q=0.9, application/json;q=0.5", JSON),
        ("*/*;q=0.1, text/*;q=0.2", CSV),
        ("application/*;q=0.2, application/vnd.apache.arrow.stream;q=0.3", ARROW),
        # Quality 0 is "not this", and a range that is wider does not bring it back.
        ("application/json;q=0, text/csv", CSV),
        ("application/json;q=0, */*", CSV),
        ("application/*;q=0, */*;q=0.1", CSV),
        ("text/csv;q=0.000, */*", JSON),
        # Equal: as in the header, then as offered.
        ("text/csv, application/json", CSV),
        ("application/json, text/csv", JSON),
        ("text/csv;q=0.5, */*;q=0.5", CSV),
        ("*/*", JSON),
        ("application/*", JSON),
        # Parameters of the type narrow nothing here; a quality that is none is passed over.
        ("application/json; charset=utf-8", JSON),
        ("text/csv;header=present;q=0.9, application/json;q=0.8", CSV),
        ("text/csv;q=high, application/json;q=0.9", CSV),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
    ],
)
def test_the_form_preferred_is_sent(caller: Caller, accept: str, form: str) -> None:
    answer = caller.get("/v1/fx-rates", Accept=accept)
    assert answer.status == 200
    assert answer.headers["Content-Type"].partition(";")[0] == form


@pytest.mark.parametrize(
    "accept",
    ["*/*;q=0", "application/json;q=0", "image/png, text/html;q=0.5", "*/*;q=nan", "json", ",;,"],
)
def test_what_nothing_fits_is_refused_in_json(caller: Caller, accept: str) -> None:
    answer = caller.get("/v1/me", Accept=accept)
    assert (answer.status, answer.code) == (406, "not-acceptable")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["detail"] == "This is available as application/json."


@pytest.mark.parametrize("accept", ["text/csv;q*=no-such-charset''1", "a/b;c*=punycode''%ff"])
def test_what_cannot_be_read_is_refused(caller: Caller, accept: str) -> None:
    answer = caller.get("/v1/fx-rates", Accept=accept)
    assert (answer.status, answer.code) == (400, "bad-header")
