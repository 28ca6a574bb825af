"""What the environment may ask of tests and benchmarks; the README lists it all.

A switch is on at 1 and off at everything else; a folder that is not there skips what needs it.
"""

from __future__ import annotations

import os
from pathlib import Path

_SHARED = Path(__file__).resolve().parents[2] / "shared"
#: Real prices, in the form that `import_market` takes.
MARKET = Path(os.environ.get("RISK_MARKET_DATA") or _SHARED / "market")
NO_MARKET = "no market folder: set RISK_MARKET_DATA"
#: Reference values of somebody else's making, in the form that `selfcheck` takes.
REFERENCE_VALUES = Path(
    os.environ.get("RISK_REFERENCE_VALUES") or _SHARED / "reference" / "reference_values.csv"
)


def is_on(name: str) -> bool:
    return os.environ.get(name) == "1"


def figure(name: str, default: int) -> int:
    """How many, or for how many seconds."""
    return int(os.environ.get(name) or default)
