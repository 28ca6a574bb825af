"""The cases of arithmetic alone; `tests.bench` starts this with one thread for every library."""

from __future__ import annotations

import sys

from threadpoolctl import threadpool_info

from tests.bench import bootstrap, full_set, memory, rolling, timing


def main(arguments: list[str]) -> int:
    """Run the cases; 1 if a floor does not hold."""
    quick = "--quick" in arguments
    timing.machine()
    libraries = {
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}"
        f" {pool['num_threads']} thread"
        for pool in threadpool_info()
    }
    sys.stdout.write(f"{'; '.join(sorted(libraries))}\n")
    cases = {
        "full-set": full_set.run,
        "rolling": rolling.run,
        "bootstrap": bootstrap.run,
        "memory": memory.run,
    }
    lines = [
        line for name, case in cases.items() if name in arguments for line in case(quick=quick)
    ]
    return 0 if timing.goals("Goals of performance", lines) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
