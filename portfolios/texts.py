"""What a name may be: one line that can be read, whatever its script.

A name is shown in logs, reports, cells and lists of people who did not choose it. It may hold
markup and formulas, which is for whoever shows it to escape; it may not be taken for another name,
for two lines, or for none.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

#: Ends of lines, controls, what has the rest of a line read backwards, and what is no character.
_NO_TEXT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufff9-\ufffc\ufffe\uffff"
    + "".join(chr(at + 0xFFFE) + chr(at + 0xFFFF) for at in range(0x10000, 0x110000, 0x10000))
    + "]"
)
#: Letters and a symbol by their category, but blank.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
#: Unicode's own bound of text that can be processed as it streams (UAX #15, section 13); a pile of
#: more covers the lines around it.
_MOST_MARKS = 30


class Fault(NamedTuple):
    """What is wrong with a text, as a stable code and in words."""

    code: str
    message: str


_CONTROL = Fault("control", "One line of text, without control characters or changes of direction.")
_INVISIBLE = Fault("invisible", "A text with something to be seen in it.")
_PILED_UP = Fault("too-many-marks", f"At most {_MOST_MARKS} combining marks on one letter.")


def fault_of(text: str) -> Fault | None:
    """What is wrong with a text as a name; None where it is one."""
    if text.isascii() and text.isprintable() and text.strip():
        return None
    if _NO_TEXT.search(text):
        return _CONTROL
    kinds = "".join(unicodedata.category(character)[0] for character in text)
    if not any(kind in "LNPS" and c not in _BLANK for kind, c in zip(kinds, text, strict=True)):
        return _INVISIBLE
    return _PILED_UP if "M" * (_MOST_MARKS + 1) in kinds else None
