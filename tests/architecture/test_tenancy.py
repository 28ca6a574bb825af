"""The second wall stands around every table of a client, read from the database's own catalog."""

from __future__ import annotations

from datetime import date

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, models, transaction

from portfolios.models import ApiKey, Client, Instrument, Portfolio, Position, PositionSet, Price
from portfolios.tenancy import client_scope, operator_scope

pytestmark = pytest.mark.django_db

_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


def _rows(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[tuple[object, ...]] = cursor.fetchall()
        return rows


def _tenant_tables() -> set[str]:
    found = _rows(
        "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.attname = 'client_id' AND NOT a.attisdropped"
        " AND c.relkind IN ('r', 'p') AND n.nspname = 'public'"
    )
    return {str(name) for (name,) in found} | {Client._meta.db_table}


def test_the_catalog_knows_the_tenant_tables() -> None:
    with_client = {
        model._meta.db_table
        for model in apps.get_models()
        if any(field.column == "client_id" for field in model._meta.concrete_fields)
    }

    assert len(with_client) > 15
    assert with_client <= _tenant_tables()


def test_every_tenant_table_forces_row_level_security() -> None:
    forced = _rows(
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
        " AND relnamespace = 'public'::regnamespace"
    )

    assert _tenant_tables() - {str(name) for (name,) in forced} == set()


def test_every_tenant_table_has_a_policy_for_each_command() -> None:
    policies = _rows(
        "SELECT c.relname, p.polcmd::text FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
    )
    guarded: dict[str, set[str]] = {}
    for table, command in policies:
        every = set(_COMMANDS) if command == "*" else {str(command)}
        guarded.setdefault(str(table), set()).update(every)

    missing = {
        table: sorted(_COMMANDS[c] for c in set(_COMMANDS) - guarded.get(table, set()))
        for table in _tenant_tables()
        if set(_COMMANDS) - guarded.get(table, set())
    }
    assert missing == {}


def test_no_policy_lets_a_write_through_unchecked() -> None:
    unchecked = _rows(
        "SELECT c.relname, p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
        " WHERE p.polcmd IN ('a', 'w', '*') AND"
        " coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true'"
    )

    assert unchecked == []


def test_requests_and_jobs_run_as_a_role_that_row_level_security_binds() -> None:
    [(name, is_superuser, bypasses)] = _rows(
        "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    )
    owned = _rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
    )

    assert (name, is_superuser, bypasses) == ("app", False, False)
    assert owned == []


_OURS = (
    "FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
)


def test_no_function_runs_with_the_rights_of_its_owner() -> None:
    """One that did would pass the wall by itself; it would have to fix its search path, and be
    taken from PUBLIC."""
    names = _rows(f"SELECT p.proname {_OURS}")
    privileged = _rows(
        f"SELECT p.proname {_OURS} AND p.prosecdef"
        " AND (has_function_privilege('public', p.oid, 'EXECUTE')"
        " OR coalesce(array_to_string(p.proconfig, ' '), '') NOT LIKE '%search_path=%')"
    )

    assert {"credential_lookup", "quota_take", "quota_return", "refuse_change"} <= {
        name for (name,) in names
    }
    assert privileged == []


def test_every_view_is_read_with_the_rights_of_who_asks() -> None:
    views = _rows(
        "SELECT relname, coalesce('security_invoker=true' = ANY (reloptions), false) FROM pg_class"
        " WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace"
    )

    assert ("analytics_runinput", True) in views
    assert [name for name, with_invoker in views if not with_invoker] == []


def test_requests_and_jobs_can_change_nothing_of_the_schema() -> None:
    """No table, function or trigger of theirs, and no way to do without row-level security."""
    [rights] = _rows(
        "SELECT has_schema_privilege('public', 'CREATE'), rolcreaterole, rolcreatedb,"
        " rolreplication, has_database_privilege(current_database(), 'CREATE')"
        " FROM pg_roles WHERE rolname = current_user"
    )
    member_of = _rows(
        "SELECT rolname FROM pg_roles WHERE rolname <> current_user"
        " AND pg_has_role(current_user, oid, 'MEMBER')"
    )
    more_than_rows = _rows(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND relnamespace = 'public'::regnamespace"
        " AND has_table_privilege(oid, 'REFERENCES, TRIGGER')"  # TRUNCATE is the suite's own
    )

    assert rights == (False, False, False, False, False)
    assert member_of == []
    assert more_than_rows == []


@pytest.fixture
def two_clients() -> tuple[Client, Client]:
    with operator_scope():
        clients = [Client.objects.create(name=name, slug=name) for name in ("ours", "theirs")]
        for client in clients:
            own = Instrument.objects.create(client=client, symbol="OWN", kind="equity")
            Price.objects.create(client=client, instrument=own, session=date(2025, 8, 29), close=1)
            portfolio = Portfolio.objects.create(client=client, name="book")
            held = PositionSet.objects.create(
                client=client, portfolio=portfolio, as_of=date(2025, 8, 29), checksum="0"
            )
            Position.objects.create(client=client, position_set=held, instrument=own, quantity=1)
            ApiKey.objects.create(
                client=client, name="key", key_id=f"{client.slug:>8}", secret_hmac=b"0"
            )
    return clients[0], clients[1]


_FILLED: tuple[type[models.Model], ...] = (
    ApiKey,
    Instrument,
    Portfolio,
    PositionSet,
    Position,
    Price,
)


def test_without_a_scope_no_row_is_seen(two_clients: tuple[Client, Client]) -> None:
    tables: tuple[type[models.Model], ...] = (Client, *_FILLED)
    for model in tables:
        with transaction.atomic():
            assert model._default_manager.count() == 0, model
        with operator_scope():
            assert model._default_manager.count() == 2, model


def test_a_client_sees_its_own_rows_alone(two_clients: tuple[Client, Client]) -> None:
    ours, _ = two_clients

    with client_scope(ours.id):
        assert list(Client.objects.values_list("slug", flat=True)) == ["ours"]
        for model in _FILLED:
            assert set(model._default_manager.values_list("client_id", flat=True)) == {ours.id}


def test_a_client_cannot_insert_for_another(two_clients: tuple[Client, Client]) -> None:
    ours, theirs = two_clients

    with pytest.raises(ProgrammingError, match="row-level security"), client_scope(ours.id):
        Portfolio.objects.create(client=theirs, name="planted")
    with operator_scope():
        assert not Portfolio.objects.filter(name="planted").exists()


def test_a_client_cannot_give_a_row_away(two_clients: tuple[Client, Client]) -> None:
    ours, theirs = two_clients

    with pytest.raises(ProgrammingError, match="row-level security"), client_scope(ours.id):
        Portfolio.objects.filter(client=ours).update(client=theirs)


def test_a_client_can_neither_change_nor_delete_anothers_row(
    two_clients: tuple[Client, Client],
) -> None:
    ours, theirs = two_clients

    with client_scope(ours.id):
        assert Portfolio.objects.filter(client=theirs).update(name="ours now") == 0
        # Around the collector, which would not find the row in the first place.
        assert Position.objects.filter(client=theirs)._raw_delete("default") == 0
    with operator_scope():
        assert set(Portfolio.objects.values_list("name", flat=True)) == {"book"}
        assert Position.objects.count() == 2


def test_shared_facts_are_read_by_clients_and_written_by_operators(
    two_clients: tuple[Client, Client],
) -> None:
    ours, _ = two_clients
    with operator_scope():
        Instrument.objects.create(symbol="SHARED", kind="index")

    with client_scope(ours.id):
        assert Instrument.objects.filter(symbol="SHARED").exists()
        assert Instrument.objects.filter(symbol="SHARED").update(name="mine") == 0
    with pytest.raises(ProgrammingError, match="row-level security"), client_scope(ours.id):
        Instrument.objects.create(symbol="PLANTED", kind="index")


def test_a_scope_ends_with_its_transaction(two_clients: tuple[Client, Client]) -> None:
    ours, theirs = two_clients

    with client_scope(ours.id):
        with client_scope(theirs.id):
            assert Portfolio.objects.get().client_id == theirs.id
        assert Portfolio.objects.get().client_id == ours.id
    with transaction.atomic():
        assert not Portfolio.objects.exists()
