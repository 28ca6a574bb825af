#!/usr/bin/env python3
"""Django's entry point, and the one file to start on a machine that has only Python.

`up` runs the whole service, `test` the whole test suite; README.md has the rest.
This file alone must be readable to every Python there is, so that an old one gets a sentence
and not a syntax error.
"""

import os
import sys

OLDEST = (3, 11)


def main():  # type: ignore[no-untyped-def]  # noqa: ANN201 - an old Python cannot read annotations
    if sys.version_info < OLDEST:
        sys.exit(
            "RiskAPI needs Python %d.%d or newer; %s is %d.%d. Start it with a newer one, "  # noqa: UP031
            "for example: python3.12 manage.py %s"
            % (
                OLDEST[0],
                OLDEST[1],
                sys.executable,
                sys.version_info[0],
                sys.version_info[1],
                " ".join(sys.argv[1:]),
            )
        )
    if os.name != "posix":
        sys.exit("RiskAPI runs on Linux and macOS; on Windows use WSL or a container.")
    from riskapi.embedded import bootstrap

    bootstrap.ensure_environment(sys.argv)

    from riskapi.embedded import launcher

    sys.exit(launcher.run(sys.argv))


if __name__ == "__main__":
    try:
        main()  # type: ignore[no-untyped-call]
    except KeyboardInterrupt:
        sys.exit(130)
