"""`python3 manage.py python -m tests.bench [CASE ...]`: ratios to the peers, as tables.

Never part of the test suite: a number measured beside other work is noise.
"""

from __future__ import annotations

import sys

from tests.flows.service import Service

CASES = ("ingest", "analyses")


def main(wanted: list[str]) -> None:
    """Start an installation of its own and run the cases in it."""
    unknown = set(wanted) - set(CASES)
    if unknown:
        sys.exit(f"unknown case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    service = Service(durable=True)
    try:
        service.start()
        service.adopt()
        # Models can be imported once Django knows where the database is.
        from tests.bench import analyses, ingest, timing

        timing.machine()
        for case in wanted or CASES:
            {"ingest": ingest, "analyses": analyses}[case].run(service)
    finally:
        service.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
