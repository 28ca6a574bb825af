"""`python3 manage.py python -m tests.bench.coverage [beta | hedge | tails | leverage] [SAMPLES]`.

How often the served 95 % intervals hold the truth, as the tables of the methodology. A measure adds
its table to `TABLES`: a module of its own that yields lines.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping

from tests.bench import coverage_beta, coverage_hedge, coverage_leverage, coverage_tails

TABLES: Mapping[str, Callable[[int], Iterator[str]]] = {
    "beta": coverage_beta.table,
    "hedge": coverage_hedge.table,
    "tails": coverage_tails.table,
    "leverage": coverage_leverage.table,
}
SAMPLES = 4000


def main(arguments: list[str]) -> None:
    """Write the tables of the named measures, of all by default."""
    samples = int(arguments[-1]) if arguments and arguments[-1].isdigit() else SAMPLES
    wanted = [name for name in arguments if not name.isdigit()] or list(TABLES)
    unknown = [name for name in wanted if name not in TABLES]
    if unknown:
        sys.exit(f"unknown measure {', '.join(unknown)}; there are {', '.join(TABLES)}")
    for name in wanted:
        sys.stdout.write(f"{name}, {samples} samples a cell, percent of intervals that hold\n\n")
        for line in TABLES[name](samples):
            sys.stdout.write(line)
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
