"""`python3 manage.py python -m tests.bench [--quick] [CASE ...]`: ratios to the peers, as tables.

Never part of the test suite: a number measured beside other work is noise. Ends with an error if
a floor does not hold.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

from riskapi.embedded.supervisor import MEMORY

NUMBERS = ("full-set", "rolling", "bootstrap", "memory")
SERVICE = ("ingest", "analyses", "reads")
#: Only when asked for: load takes a minute, or as long as RISK_BENCH_SECONDS says, and uploads as
#: long as RISK_MUTANTS files take.
ON_REQUEST = ("load", "uploads")
CASES = (*NUMBERS, *SERVICE)


def main(arguments: list[str]) -> int:
    """Run the cases asked for, all of them by default."""
    quick = "--quick" in arguments
    wanted = [argument for argument in arguments if argument != "--quick"] or list(CASES)
    unknown = set(wanted) - {*CASES, *ON_REQUEST}
    if unknown:
        known = ", ".join((*CASES, *ON_REQUEST))
        sys.exit(f"unknown case {', '.join(sorted(unknown))}; there are {known}")
    if wanted == ["uploads"] and not MEMORY.items() <= os.environ.items():
        # As the product is started; the C library reads this when a process begins.
        command = [sys.executable, "-m", "tests.bench", *arguments]
        os.execve(command[0], command, {**os.environ, **MEMORY})  # noqa: S606  # ourselves
    failed = _numbers([case for case in wanted if case in NUMBERS], quick=quick)
    held = _service([case for case in wanted if case in (*SERVICE, *ON_REQUEST)])
    return failed or int(not held)


def _numbers(cases: list[str], *, quick: bool) -> int:
    """Cases of arithmetic alone, in a process whose libraries start with one thread."""
    if not cases:
        return 0
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(threads, "1"), **_best_core_type()}
    command = [sys.executable, "-m", "tests.bench.numbers", *cases, *(["--quick"] if quick else [])]
    return subprocess.run(command, env=environment, check=False).returncode


def _best_core_type() -> dict[str, str]:
    """Have OpenBLAS use AVX-512 where the processor has it; it does not always notice."""
    described = Path("/proc/cpuinfo")
    if described.is_file() and " avx512vl " in described.read_text():
        return {"OPENBLAS_CORETYPE": "SKYLAKEX"}
    return {}


def _service(cases: list[str]) -> bool:
    """Cases that need an installation of their own."""
    if not cases:
        return True
    from tests.flows.service import Service

    service = Service(durable=True, settings="tests.bench.settings")
    try:
        service.start()
        service.adopt()
        # Models can be imported once Django knows where the database is; and a case that measures
        # memory must not carry the libraries of the others.
        if cases != ["uploads"]:
            importlib.import_module("tests.bench.timing").machine()
        # Every case runs, whether the floors of those before it held or not.
        held = {case: importlib.import_module(f"tests.bench.{case}").run(service) for case in cases}
        return False not in held.values()
    finally:
        service.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
