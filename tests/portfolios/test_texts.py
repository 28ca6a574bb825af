"""What a name may be."""

from __future__ import annotations

import pytest

from portfolios.texts import fault_of

ONE_LETTER = "e" + 30 * "\u0301"


@pytest.mark.parametrize(
    "text",
    [
        "Core",
        "<script>alert(1)</script> {{ 7 }} {% x %} $\\frac{1}{0}$ #eval() =1+1",
        "Bücher & Söhne",
        "半導体ポートフォリオ",
        "محفظة \u200f(USD)",
        "पोर्टफोलियो",
        "\N{MAN}\u200d\N{PERSONAL COMPUTER}",
        "\ufffd",
        ONE_LETTER,
        "W" * 200,
    ],
)
def test_what_can_be_read_is_a_name(text: str) -> None:
    assert fault_of(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(
            (f"a{c}b", "control")
            for c in "\0\t\n\r\x1b\x7f\x85\u2028\u202e\u2066\ufffa\ufffc\ufffe"
        ),
        ("a\ufdd0", "control"),
        ("a\U0001ffff", "control"),
        ("a\U0010fffe", "control"),
        ("", "invisible"),
        (" ", "invisible"),
        ("\xa0\u3000", "invisible"),
        ("\u200b\u200d\u2060\ufeff", "invisible"),
        ("\u0301\u0302", "invisible"),
        ("\u115f\u1160\u3164\uffa0\u2800", "invisible"),
        ("\U000e0041\U000e007f", "invisible"),
        (ONE_LETTER + "\u0301", "too-many-marks"),
        ("a" + 31 * "\ufe0f", "too-many-marks"),
    ],
)
def test_what_cannot_be_read_is_none(text: str, code: str) -> None:
    fault = fault_of(text)
    assert fault is not None
    assert fault.code == code
