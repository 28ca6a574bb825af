"""Charts are the same bytes for the same numbers, and stand beside others in one page."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from analytics.reporting.charts import (
    Bar,
    HorizonPoint,
    contributions_chart,
    horizon_chart,
    waterfall_chart,
)

BARS = [Bar("NVDA", 0.3692), Bar("A & <b> $x$", 0.2), Bar("SOXS", -0.15)]
POINTS = [HorizonPoint(1, 1.0, 0.98, 0.97, 0.99), HorizonPoint(63, 0.483, None, None, None)]


def drawings(key: str) -> list[str]:
    return [
        contributions_chart(BARS, title="a <b>", description="c & d", key=f"{key}-1"),
        horizon_chart(POINTS, threshold=0.8, title="t", description="d", key=f"{key}-2"),
        waterfall_chart(BARS, Bar("Fund", 0.42), title="t", description="d", key=f"{key}-3"),
    ]


def test_equal_numbers_make_equal_bytes() -> None:
    assert drawings("k") == drawings("k")


def test_drawings_share_no_id_and_bring_no_style_sheet() -> None:
    text = "".join(drawings("one") + drawings("two"))
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids)) > 12
    assert "<style" not in text
    assert "<metadata" not in text


def test_every_reference_has_its_target() -> None:
    for svg in drawings("k"):
        ids = set(re.findall(r'id="([^"]+)"', svg))
        assert set(re.findall(r"(?:href=\"|url\()#([^\")]+)", svg)) <= ids


@pytest.mark.parametrize("place", range(3))
def test_drawing_is_named_for_screen_readers(place: int) -> None:
    root = ET.fromstring(drawings("k")[place])  # noqa: S314  # our own text
    namespace = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    labels = (root.get("aria-labelledby") or "").split()
    assert labels == [root[0].get("id"), root[1].get("id")]
    assert [root[0].tag, root[1].tag] == [f"{namespace}title", f"{namespace}desc"]


def test_client_text_is_escaped_and_signs_are_written() -> None:
    svg = drawings("k")[0]
    texts = [node.text for node in ET.fromstring(svg).iter() if node.tag.endswith("text")]  # noqa: S314  # our own text
    assert "A & <b> $x$" in texts
    assert "\u22120.150" in texts
    assert "+0.369" in texts
