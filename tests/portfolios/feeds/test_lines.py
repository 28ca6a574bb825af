"""Lines are the same however the bytes come in."""

from __future__ import annotations

import random
import re

import pytest

from portfolios.feeds.decoding import MAX_LINE_BYTES, read_text
from portfolios.feeds.verdict import FeedRefused


class Trickle:
    """A file that gives a few bytes at a time."""

    def __init__(self, content: bytes, at_once: int) -> None:
        self._left, self._at_once = content, at_once

    def read(self, _n_bytes: int) -> bytes:
        given, self._left = self._left[: self._at_once], self._left[self._at_once :]
        return given


def lines(content: bytes, at_once: int) -> list[bytes]:
    source = Trickle(content, at_once)
    return read_text(source, check_opening=lambda _: None).lines  # type: ignore[arg-type]  # of a file it reads alone


def expected(content: bytes) -> list[bytes]:
    found = re.split(rb"\r\n|\r|\n", content)
    found[-1] = found[-1].rstrip(b"\x1a")
    return found if found[-1] else found[:-1]


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 1_000])
def test_lines_end_alike_in_every_chunk(at_once: int) -> None:
    chance = random.Random(at_once)  # noqa: S311  # a test's choices, to be repeated
    for _ in range(300):
        signs = chance.choices(
            (b"x", b"\n", b"\r", b"\r\n", b"\x1a", b",y"), k=chance.randrange(12)
        )
        content = b"a" + b"".join(signs)
        assert lines(content, at_once) == expected(content), content


@pytest.mark.parametrize("at_once", [MAX_LINE_BYTES // 2, MAX_LINE_BYTES - 1, 10 * MAX_LINE_BYTES])
def test_a_line_may_be_as_long_wherever_its_chunks_end(at_once: int) -> None:
    longest = b"a\n" + b"b" * (MAX_LINE_BYTES - 1)
    assert lines(longest + b"\nc", at_once)[1:] == [longest[2:], b"c"]
    with pytest.raises(FeedRefused) as refused:
        lines(longest + b"bb\nc", at_once)
    problem = refused.value.problems[0]
    assert (problem.code, problem.row) == ("line-too-long", 2)
