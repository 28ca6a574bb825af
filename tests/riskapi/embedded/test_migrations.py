"""An installation with rows in it is brought up to date like an empty one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from riskapi.embedded.bootstrap import ROOT
from riskapi.embedded.state import StateFolder

#: In one start of the database's server.
_SCRIPT = """
import json
from django.core.management import call_command
from django.db import connection, transaction

def run(sql):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.operator', 'on', true)")
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []

call_command("migrate", "portfolios", "0020", verbosity=0)
run({before!r})
call_command("migrate", verbosity=0)
print(json.dumps(run({look!r})))
"""
#: A policy decided and one that waits, and an endpoint whose secret has been rotated.
BEFORE = """
INSERT INTO portfolios_client (id, name, slug, base_currency, is_synthetic, is_active)
    VALUES ('00000000-0000-7000-8000-000000000001', 'A', 'a', 'USD', false, true);
INSERT INTO portfolios_apikey (id, client_id, name, kind, key_id, secret_hmac, pepper_version,
        scopes, allowed_networks)
    SELECT gen_random_uuid(), id, ' Risk  Desk ', 'api_key', 'AAAAAAA1', '', 1, '{}', '{}'
    FROM portfolios_client;
INSERT INTO portfolios_portfolio (id, client_id, name, base_currency, is_active, version,
        updated_at)
    SELECT gen_random_uuid(), id, 'P', 'USD', true, 1, now() FROM portfolios_client;
INSERT INTO portfolios_policy (id, client_id, portfolio_id, version, settings, state, created_by,
        decided_by, decided_at)
    SELECT gen_random_uuid(), client_id, id, 1, '{}'::jsonb, 'approved', 'key:AAAAAAA1',
        'oauth:AAAAAAA2', now() FROM portfolios_portfolio
    UNION ALL
    SELECT gen_random_uuid(), client_id, id, 2, '{}'::jsonb, 'pending_approval', 'key:AAAAAAA1',
        NULL, NULL FROM portfolios_portfolio;
INSERT INTO portfolios_webhookendpoint (id, client_id, url, description, event_types, is_enabled,
        disabled_reason, secret, previous_secret, previous_secret_until, failures, version,
        updated_at)
    SELECT gen_random_uuid(), id, 'https://x', '', '{}', true, '', 'k:new', 'k:old',
        '2026-11-27T00:00:00Z', 0, 1, now() FROM portfolios_client
"""
LOOK = """
SELECT p.created_by_holder, p.decided_by_holder, e.former_secrets #>> '{0,secret}',
    (e.former_secrets #>> '{0,until}')::timestamptz = e.previous_secret_until
FROM portfolios_policy p, portfolios_webhookendpoint e ORDER BY p.version
"""


def test_rows_are_carried_over(state: StateFolder) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    script = _SCRIPT.format(before=BEFORE, look=LOOK)
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "shell", "--no-imports", "-c", script],
        env=environment | {"RISK_STATE_DIR": str(state.path), "RISK_DB_ROLE": "owner"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        ["key:AAAAAAA1", "oauth:AAAAAAA2", "k:old", True],
        ["risk desk", None, "k:old", True],
    ]
