"""Bring the tables up to date from a process that otherwise works as `app`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import environ
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from riskapi import env


@contextlib.contextmanager
def owner_connection() -> Iterator[None]:
    """Let Django's connection be the tables' owner's for a while."""
    owner = environ.Env.db_url_config(env.DATABASE_OWNER_URL)
    names = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
    before = {name: connection.settings_dict[name] for name in names}
    connection.close()
    connection.settings_dict.update({name: owner[name] for name in names})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def migrate() -> bool:
    """Apply what is pending; False when there was nothing to apply."""
    with owner_connection():
        executor = MigrationExecutor(connection)
        pending = bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if pending:
            call_command("migrate", verbosity=0, interactive=False)
    return pending
