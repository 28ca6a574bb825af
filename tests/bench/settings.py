"""The product's settings with addresses of the peers added."""

from __future__ import annotations

from riskapi.settings import *  # noqa: F403  # the product's, whatever they are

ROOT_URLCONF = "tests.bench.peer_views"
