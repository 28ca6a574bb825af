"""Django as a new project has it at its barest: the peers without any middleware."""

from __future__ import annotations

from tests.bench.settings import *  # noqa: F403  # the same views on the same server

MIDDLEWARE = []
