"""Run a command of `manage.py` with the servers it needs around it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from riskapi.embedded.bootstrap import ROOT
from riskapi.embedded.servers import reachable_servers
from riskapi.embedded.state import EmbeddedError

#: These never touch the database, or look at it only where it happens to be there.
WITHOUT_SERVERS = frozenset(
    {"check", "collectstatic", "diffsettings", "help", "selfcheck", "spectacular"}
)
#: These work on the tables themselves, which only their owner may.
AS_OWNER = frozenset({"makemigrations", "migrate"})


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "riskapi.settings")
    command = argv[1] if len(argv) > 1 else "help"
    try:
        if command == "python":
            os.execv(sys.executable, [sys.executable, *argv[2:]])  # noqa: S606 - as asked, no shell
        if command == "test":
            from riskapi.embedded import testing

            os.chdir(ROOT)
            return testing.run(argv[2:])
        if command in WITHOUT_SERVERS or command.startswith("-") or {"-h", "--help"} & {*argv}:
            return django(argv)
        if command == "up":
            from riskapi.embedded import supervisor

            return supervisor.run(argv, django)
        if command in AS_OWNER:
            os.environ["RISK_DB_ROLE"] = "owner"
        with reachable_servers():
            return django(argv)
    except EmbeddedError as error:
        sys.stderr.write(f"riskapi: {error}\n")
        return 1


def django(argv: Sequence[str]) -> int:
    """Hand the command line to Django."""
    from django.core.management import execute_from_command_line
    from django.db import ProgrammingError
    from psycopg import errors

    try:
        execute_from_command_line(list(argv))
    except ProgrammingError as error:
        if isinstance(error.__cause__, (errors.UndefinedTable, errors.UndefinedColumn)):
            raise EmbeddedError(
                f"{error.__cause__.diag.message_primary}: the database has no tables yet, or those"
                " of an earlier version. Bring it up to date with `python3 manage.py migrate`, then"
                " repeat the command."
            ) from error
        raise
    return 0
