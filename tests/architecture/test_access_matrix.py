"""Who gets at what: every address, every method, every way to name another client's object.

The matrix is made from the URL configuration, so an address it knows nothing of fails. A foreign
object has to be answered exactly like a missing one: the same status and, but for the request id
and the name that was asked for, the same bytes. All of it is asked twice: as the service is, and
with the scoping of its selectors torn down, so that row-level security alone stands.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings

from portfolios.api import statements
from portfolios.api.exports import FORMAT_NAMES
from portfolios.models import ApiKey, Portfolio
from portfolios.services.api_keys import SCOPES
from portfolios.tenancy import operator_scope
from tests.architecture.test_endpoints import PRIVATE
from tests.architecture.two_clients import DAY, MARK, Side, side_create
from tests.callers import Answer

pytestmark = pytest.mark.django_db

Body = Callable[[str, Side], Any]
"""Makes a valid body that names, where it names an object, the one given."""

#: A webhook's receiver that may be named here, though it is this machine.
RECEIVER = "localhost:9443"
NOBODY = "0192f0c1a2b37c4d8e5f60718293a4b5"
#: For each name in an address, one of that form which nobody has.
MISSING = {
    "portfolio_id": f"pf_{NOBODY}",
    "position_set_id": f"ps_{NOBODY}",
    "instrument": "NOSUCH",
    "calendar": "XXXX",
    "run_id": f"run_{NOBODY}",
    "name": "nosuch",
    "report_id": f"rep_{NOBODY}",
    "import_id": f"imp_{NOBODY}",
    "event_id": f"evt_{NOBODY}",
    "endpoint_id": f"wh_{NOBODY}",
    "delivery_id": f"dlv_{NOBODY}",
}
#: Names of what all clients share.
SHARED = {"calendar"}

_TERMS = {"valid_from": "2024-01-02", "multiple": "2", "expense_ratio": "0.01"}


def _analysis(**units: Any) -> Body:
    return lambda ref, me: {
        "portfolio": ref if ref.startswith("pf_") else me.names["portfolio_id"],
        "as_of": DAY,
        "units": {"main": {k: v(ref) if callable(v) else v for k, v in units.items()}},
    }


def _symbol(ref: str) -> str:
    """The reference where it is an instrument's; else one that everybody may name."""
    return "CASH.USD" if ref.startswith("pf_") else ref


#: Bodies of the methods that have one; `ref` is the object to name.
BODIES: dict[tuple[str, str], Body] = {
    ("POST", "v1/portfolios"): lambda ref, _: {"name": "new", "benchmark": ref},
    ("PATCH", "v1/portfolios/<str:portfolio_id>"): lambda ref, _: {"benchmark": ref},
    ("PUT", "v1/portfolios/<str:portfolio_id>/positions"): lambda ref, _: {
        "positions": [{"instrument": ref, "quantity": "2"}]
    },
    ("POST", "v1/positions:batch"): lambda ref, me: {
        "positions": [
            {
                "portfolio": ref if ref.startswith("pf_") else me.names["portfolio_id"],
                "as_of": DAY,
                "instrument": _symbol(ref),
                "quantity": "2",
            }
        ]
    },
    ("PATCH", "v1/portfolios/<str:portfolio_id>/policy"): lambda ref, _: {"benchmark": ref},
    ("POST", "v1/portfolios/<str:portfolio_id>/policy/approve"): lambda *_: {"version": 1},
    ("POST", "v1/portfolios/<str:portfolio_id>/policy/reject"): lambda *_: {"version": 1},
    ("POST", "v1/instruments"): lambda ref, _: {
        "symbol": "BRANDNEW", "kind": "etf",
        "leverage_terms": [{**_TERMS, "reference_index": f"{ref}.IX"}],
    },
    ("PATCH", "v1/instruments/<str:instrument>"): lambda ref, _: {"proxy": f"{ref}.IX"},
    ("POST", "v1/instruments:resolve"): lambda ref, _: {"identifiers": [ref]},
    ("POST", "v1/instruments/<str:instrument>/leverage-terms"): lambda ref, _: {
        **_TERMS, "reference_index": f"{ref}.IX"
    },
    ("POST", "v1/prices"): lambda ref, _: {
        "prices": [{"instrument": ref, "session": "2025-08-27", "close": "10"}]
    },
    ("POST", "v1/fx-rates"): lambda *_: {
        "rates": [{"base": "CHF", "quote": "USD", "session": DAY, "rate": "1.2"}]
    },
    ("POST", "v1/corporate-actions"): lambda ref, _: {
        "actions": [
            {"instrument": ref, "ex_date": "2025-08-28", "kind": "distribution", "amount": "0.2"}
        ]
    },
    ("POST", "v1/webhook-endpoints"): lambda *_: {"url": f"https://{RECEIVER}/hook"},
    ("PATCH", "v1/webhook-endpoints/<str:endpoint_id>"): lambda *_: {"description": "new"},
    ("POST", "v1/analyses/semiconductor-beta"): _analysis(benchmark=_symbol),
    ("POST", "v1/analyses/hedge-effectiveness"): _analysis(
        hedging=lambda ref: [{"instrument": _symbol(ref), "quantity": "1"}]
    ),
    ("POST", "v1/analyses/leveraged-drag"): _analysis(instrument=_symbol),
    ("POST", "v1/analyses/tail-risk"): _analysis(),
    ("POST", "v1/analyses/hedge-comparison"): _analysis(underlying=_symbol),
}  # fmt: skip
#: What an address needs behind its question mark.
QUERIES = {
    ("PUT", "v1/portfolios/<str:portfolio_id>/positions"): f"as_of={DAY}",
    ("GET", "v1/prices"): "instrument={instrument}",
    ("POST", "v1/imports"): "kind=prices&filename=x.csv&instrument={instrument}",
    ("GET", "v1/calendars/<str:calendar>"): f"from={DAY}&to={DAY}",
}
#: What the owner is answered where it is no success, and why.
OWNERS = {
    ("POST", "v1/portfolios/<str:portfolio_id>/policy/approve"): {409},  # nothing waits for it
    ("POST", "v1/portfolios/<str:portfolio_id>/policy/reject"): {409},
    ("DELETE", "v1/runs/<str:run_id>"): {409},  # it is over
}


@pytest.fixture
def ours(settings: Settings) -> Side:
    settings.WEBHOOK_PRIVATE_TARGETS = [RECEIVER]
    return side_create("alpha", "ALPHAOWN")


@pytest.fixture
def theirs() -> Side:
    return side_create("omega", MARK)


def _forget(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Take every condition on a client out of a filter."""

    def about_client(lookup: str) -> bool:
        return bool({"client", "client_id"} & set(lookup.split("__")))

    def clean(condition: Q) -> None:
        kept: list[Any] = []
        for child in condition.children:
            if isinstance(child, Q):
                clean(child)
                kept.append(child)
            elif not (isinstance(child, tuple) and about_client(child[0])):
                kept.append(child)
        condition.children = kept

    for condition in arguments:
        if isinstance(condition, Q):
            clean(condition)
    for lookup in [name for name in named if about_client(name)]:
        del named[lookup]


@pytest.fixture(params=["both walls", "row-level security alone"])
def wall(
    request: pytest.FixtureRequest, ours: Side, theirs: Side, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """With the second parameter no query of the ORM names a client any more."""
    if request.param != "both walls":
        scoped = QuerySet._filter_or_exclude  # type: ignore[attr-defined]  # Django's own

        def unscoped(self: Any, negate: bool, args: tuple[Any, ...], kwargs: Any) -> Any:
            _forget(args, kwargs)
            return scoped(self, negate, args, kwargs)

        monkeypatch.setattr(QuerySet, "_filter_or_exclude", unscoped)
        statements.forget()  # those composed with the first wall standing
        with operator_scope():
            # The first wall really is down: this asks for one client's portfolios.
            assert Portfolio.objects.filter(client=ours.caller.client).count() == 2
    yield str(request.param)
    statements.forget()  # those composed without it


_keys = itertools.count()


def _names(path: str) -> list[str]:
    return re.findall(r"<str:(\w+)>", path)


def _ask(me: Side, method: str, path: str, names: Mapping[str, str], ref: str | None = None) -> Any:
    """Send the request of the matrix for these names, as `me`."""
    address = _address(Side(me.caller, dict(names)), method, path, ref)
    headers: dict[str, Any] = {"If_Match": "*"}
    if method in ("POST", "PATCH"):
        headers["Idempotency_Key"] = f"k{next(_keys)}"
    if path == "v1/imports" and method == "POST":
        raw = b"date,close\n2025-08-27,10\n"
        return me.caller.send(method, address, raw=raw, content_type="text/csv", **headers)
    body = BODIES.get((method, path))
    sent = body(ref or me.names["instrument"], me) if body else None
    return me.caller.send(method, address, sent, **headers)


def _address(side: Side, method: str, path: str, ref: str | None = None) -> str:
    """The address for a side's names, with the query that the method needs."""
    address = "/" + re.sub(r"<str:(\w+)>", lambda found: side.names[found[1]], path)
    if query := QUERIES.get((method, path)):
        address += "?" + query.format(instrument=ref or side.names["instrument"])
    return address


def _plain(answer: Answer, *names: str) -> tuple[int, str]:
    """Status and text, without the request id and the names that were asked for."""
    text = re.sub(r"req_[0-9a-f]{32}", "req", answer.content.decode())
    for name in names:
        text = text.replace(name, "it")
    return answer.status, text


CELLS = [(method, path) for path, view in PRIVATE.items() for method in view.required_scopes]


def test_the_matrix_knows_every_name_and_every_body() -> None:
    names = {name for path in PRIVATE for name in _names(path)}
    assert names <= set(MISSING), "say in MISSING, and in two_clients, what the new name stands for"
    cells = set(CELLS)
    assert set(BODIES) | set(QUERIES) | set(OWNERS) <= cells
    with_body = {cell for cell in cells if _has_body(*cell)} - {("POST", "v1/imports")}
    assert with_body <= set(BODIES), "say in BODIES what the new operation is sent"


def test_the_owner_gets_at_its_own(wall: str, ours: Side, subtests: pytest.Subtests) -> None:
    for method, path in CELLS:
        with subtests.test(f"{method} {path}"), _undone():
            answer = _ask(ours, method, path, ours.names)

            expected = OWNERS.get((method, path), range(200, 300))
            assert answer.status in expected, (answer.status, answer.content[:500])
            assert answer.headers["Vary"] == "Accept, Authorization"
            assert MARK not in answer.content.decode()


def test_a_foreign_object_is_a_missing_one(
    wall: str, ours: Side, theirs: Side, subtests: pytest.Subtests
) -> None:
    """Each name of an address in turn, the others being the caller's own; then all of them."""
    untouched = _rows_of(theirs)
    for method, path in CELLS:
        own = [name for name in _names(path) if name not in SHARED]
        for names in {tuple(own), *((name,) for name in own)} - {()}:
            foreign = {name: theirs.names[name] for name in names}
            missing = {name: MISSING[name] for name in names}
            with subtests.test(f"{method} {path}", names=names), _undone():
                of_foreign = _ask(ours, method, path, ours.names | foreign)
                assert _rows_of(theirs) == untouched
                of_missing = _ask(ours, method, path, ours.names | missing)

                assert of_foreign.status == 404, of_foreign.content[:300]
                plain = _plain(of_missing, *missing.values())
                assert _plain(of_foreign, *foreign.values()) == plain
                assert set(of_foreign.headers) == set(of_missing.headers)


#: Whose bodies name no instrument.
_NAMES_NOTHING = (
    "fx-rates", "tail-risk", "webhook-endpoints", "<str:endpoint_id>", "/approve", "/reject",
)  # fmt: skip
#: Operations that name an object in their body, and the kinds of objects.
REFERENCES = sorted(
    (method, path, kind)
    for method, path in BODIES
    for kind in ("instrument", "portfolio_id")
    if (kind == "instrument" and not path.endswith(_NAMES_NOTHING))
    or (kind == "portfolio_id" and path.startswith(("v1/analyses/", "v1/positions:batch")))
)
_FIELDS = re.compile(
    r'"(instrument|benchmark|proxy|reference_index|underlying|identifiers|portfolio)": \{'
)


def test_a_foreign_object_in_a_body_is_a_missing_one(
    wall: str, ours: Side, theirs: Side, subtests: pytest.Subtests
) -> None:
    untouched = _rows_of(theirs)
    for method, path, kind in REFERENCES:
        foreign, missing = theirs.names[kind], MISSING[kind]
        with subtests.test(f"{method} {path}", names=kind), _undone():
            of_foreign = _ask(ours, method, path, ours.names, foreign)
            assert _rows_of(theirs) == untouched
            of_missing = _ask(ours, method, path, ours.names, missing)

            assert _unlike(_plain(of_foreign, foreign)) == _unlike(_plain(of_missing, missing))
            if path != "v1/instruments:resolve":
                assert of_foreign.status in (400, 404, 422), of_foreign.content[:300]
                assert set(of_foreign.headers) == set(of_missing.headers)


def test_the_matrix_knows_every_reference_in_a_body() -> None:
    """Fields that name an instrument or a portfolio, as the OpenAPI document has them."""
    naming = {cell for cell in BODIES if _FIELDS.search(json.dumps(_request_schema(*cell)))}

    assert naming == {(method, path) for method, path, _ in REFERENCES}


def _unlike(plain: tuple[int, str]) -> tuple[int, str]:
    """Without the nearest own names, which depend on the spelling of what was asked for."""
    nearest = r'("suggestion":|"unknown":\{[^[]*)\[[^]]*\]'
    return plain[0], re.sub(nearest, r"\1", plain[1])


PAGED = {path: view for path, view in PRIVATE.items() if getattr(view, "listing", None) is not None}
#: Filters that name an object, and the kind of object.
NAMING = {"portfolio": "portfolio_id", "instrument": "instrument", "after": "event_id"}


def test_a_foreign_object_in_a_filter_is_a_missing_one(
    wall: str, ours: Side, theirs: Side, subtests: pytest.Subtests
) -> None:
    for path, view in PAGED.items():
        for parameter in {*view.listing.filters, *view.listing.extra} & set(NAMING):
            foreign = theirs.names[NAMING[parameter]]
            missing = MISSING[NAMING[parameter]]
            for suffix in ("", "__in"):
                with subtests.test(path, parameter=parameter + suffix):
                    of_foreign, of_missing = (
                        ours.caller.get(f"/{path}?{parameter}{suffix}={name}")
                        for name in (foreign, missing)
                    )
                    found = _unlike(_plain(of_foreign, foreign))
                    assert found == _unlike(_plain(of_missing, missing))
                    assert of_foreign.status in (400, 404, 422) or not of_foreign.body["data"]


def test_no_form_of_a_list_shows_anything_foreign(
    wall: str, ours: Side, theirs: Side, subtests: pytest.Subtests
) -> None:
    for path, view in PAGED.items():
        sorts = [f"sort={sign}{sort}" for sort in view.listing.sorts for sign in ("", "-")]
        files = [f"format={name}" for name in FORMAT_NAMES] if view.listing.row else []
        for parameters in ("limit=1000", "limit=1", *sorts, *files, *_expansions(path)):
            with subtests.test(path, parameters=parameters):
                answer = ours.caller.get(_list_address(ours, path, parameters))
                assert answer.status == 200, answer.content[:300]
                assert MARK.encode() not in answer.content


#: Addresses of one object that can be had as a file.
FILED = [
    path
    for method, path in CELLS
    if method == "GET" and path not in PAGED and PRIVATE[path].exported_row() is not None
]


def test_a_file_of_a_foreign_object_is_one_of_a_missing_one(
    wall: str, ours: Side, theirs: Side, subtests: pytest.Subtests
) -> None:
    """The owner's has rows with what is its own, so that the others' would be seen."""
    assert "v1/reports/<str:report_id>" in FILED
    for path, form in itertools.product(FILED, FORMAT_NAMES):
        for names in ([name] for name in _names(path) if name not in SHARED):
            foreign = ours.names | {name: theirs.names[name] for name in names}
            missing = ours.names | {name: MISSING[name] for name in names}
            with subtests.test(path, form=form, names=names):
                answers = [
                    ours.caller.get(
                        _address(Side(ours.caller, asked), "GET", path) + _as(path, form)
                    )
                    for asked in (foreign, missing)
                ]
                plain = [
                    _plain(a, *(s[n] for s in (foreign, missing) for n in names)) for a in answers
                ]
                assert answers[0].status == 404, answers[0].content[:300]
                assert plain[0] == plain[1]


def _as(path: str, form: str) -> str:
    return f"{'&' if ('GET', path) in QUERIES else '?'}format={form}"


@pytest.mark.parametrize(
    "path", ["v1/reports/<str:report_id>?format=csv", "v1/reports/<str:report_id>.csv"]
)
def test_a_file_of_the_owners_report_has_its_figures(ours: Side, path: str) -> None:
    answer = ours.caller.get(_address(ours, "GET", path))
    lines = answer.content.decode().splitlines()
    assert answer.status == 200
    assert len(lines) > 50
    assert all("ALPHAOWN" in line for line in lines[1:])


def test_nothing_foreign_is_expanded(wall: str, ours: Side, subtests: pytest.Subtests) -> None:
    assert sum(len(_expansions(path)) for method, path in CELLS if method == "GET") > 10
    for method, path in CELLS:
        if method != "GET" or path in PAGED:
            continue
        for parameters in _expansions(path):
            with subtests.test(path, parameters=parameters):
                address = _address(ours, method, path)
                answer = ours.caller.get(f"{address}{'&' if '?' in address else '?'}{parameters}")
                assert answer.status == 200, answer.content[:300]
                assert MARK.encode() not in answer.content


def _expansions(path: str) -> list[str]:
    """`expand` for every reference that the address declares."""
    shown = _operation("GET", path).get("parameters", [])
    described = next((p for p in shown if p["name"] == "expand"), None)
    names = re.findall(r"`([\w.]+)`", described.get("description", "")) if described else []
    return [f"expand={name}" for name in names]


def test_a_foreign_cursor_opens_nothing(
    wall: str, ours: Side, theirs: Side, subtests: pytest.Subtests
) -> None:
    """A cursor is signed for its client, its list and its filters."""
    for path in PAGED:
        with subtests.test(path):
            page = theirs.caller.get(_list_address(theirs, path, "limit=1"))
            cursor = page.body["next_cursor"] or "WyJhIiwiYiIsImMiXQ:1abcde:forged"
            answer = ours.caller.get(_list_address(ours, path, f"cursor={cursor}"))
            assert (answer.status, answer.code) == (400, "bad-cursor")


def test_a_key_that_may_only_read_changes_nothing(ours: Side, subtests: pytest.Subtests) -> None:
    reading = [scope for scope in SCOPES if scope.endswith(":read")]
    reader = Side(ours.caller.with_key(scopes=reading), ours.names)
    untouched = _rows_of(ours)
    for method, path in CELLS:
        scopes = PRIVATE[path].required_scopes[method] or ""
        if set(scopes.split()) <= set(reading):
            continue
        with subtests.test(f"{method} {path}"):
            answer = _ask(reader, method, path, ours.names)

            assert (answer.status, answer.code) == (403, "insufficient-scope")
            assert _rows_of(ours) == untouched


def test_no_read_knows_the_future(ours: Side, subtests: pytest.Subtests) -> None:
    """Whatever takes `known_at` refuses a time to come, as it cannot be answered again then."""
    asked = [
        path
        for method, path in CELLS
        if method == "GET"
        and "known_at" in {p["name"] for p in _operation(method, path).get("parameters", ())}
    ]
    assert len(asked) > 10
    for path in asked:
        with subtests.test(path):
            address = _address(ours, "GET", path)
            address += ("&" if "?" in address else "?") + "known_at=2040-01-01T00:00:00Z"
            answer = ours.caller.get(address)
            assert (answer.status, answer.code) == (422, "bad-known-at")
            assert 422 in map(int, _operation("GET", path)["responses"])


def _list_address(side: Side, path: str, parameters: str) -> str:
    address = "/" + re.sub(r"<str:(\w+)>", lambda found: side.names[found[1]], path)
    needed = QUERIES.get(("GET", path), "").format(**side.names)
    return f"{address}?{'&'.join(part for part in (needed, parameters) if part)}"


def _rows_of(side: Side) -> list[tuple[str, str]]:
    """A digest of every table's rows of a client, but for when its keys were last used."""
    tables = [
        model._meta.db_table
        for model in apps.get_models()
        if model is not ApiKey and "client_id" in {f.column for f in model._meta.concrete_fields}
    ]
    digests = " UNION ALL ".join(
        f"SELECT '{table}', md5(string_agg(row::text, ',' ORDER BY row::text))"
        f" FROM {table} AS row WHERE client_id = %(client)s"
        for table in tables
    )
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute(digests, {"client": side.caller.client.pk})
        found: list[tuple[str, str]] = cursor.fetchall()
    return found


@contextmanager
def _undone() -> Iterator[None]:
    """Whatever is done within, the next request finds both clients as they were."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


_document: dict[str, Any] = {}


def _operation(method: str, path: str) -> dict[str, Any]:
    if not _document:
        _document.update(SchemaGenerator().get_schema(request=None, public=True))  # type: ignore[no-untyped-call]  # of a library without types
    address = "/" + re.sub(r"<str:(\w+)>", r"{\1}", path)
    operation: dict[str, Any] = _document["paths"][address][method.lower()]
    return operation


def _has_body(method: str, path: str) -> bool:
    return "requestBody" in _operation(method, path)


def _request_schema(method: str, path: str) -> Any:
    """The schema of what is sent, its references followed."""

    def follow(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                name = node["$ref"].rpartition("/")[2]
                return follow(_document["components"]["schemas"][name])
            return {key: follow(value) for key, value in node.items()}
        return [follow(value) for value in node] if isinstance(node, list) else node

    return follow(_operation(method, path).get("requestBody", {}))
