"""The worker's parent before it forks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: What Celery does in the parent: load the app, set Django up, import the tasks. Look around.
SCRIPT = """
import json, sys
import django
from riskapi.celery import app
django.setup()
app.loader.import_default_modules()
from django.db import connections
from threadpoolctl import threadpool_info
print(json.dumps({
    "engine": "analytics.engine.beta" in sys.modules,
    "connections": [c.alias for c in connections.all(initialized_only=True) if c.connection],
    "threads": sorted({pool["num_threads"] for pool in threadpool_info()}),
}))
"""


def test_parent_imports_the_engine_and_opens_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "worker"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "riskapi.settings"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = json.loads(done.stdout)
    assert found == {"engine": True, "connections": [], "threads": [1]}
