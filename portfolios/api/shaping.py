"""How much of an answer is sent: `fields`, `omit` and `expand`, on every GET that answers JSON.

    ?fields=id,benchmark.symbol      these members alone
    ?omit=positions.tags             all members but these
    ?expand=positions.instrument     the object in place of its reference

Names are those of the serializer that the view declares as its answer, so what the schema shows is
what can be asked for; on a list they are the names of a row, and the envelope stays. Lists inside
are passed through, `*` stands for every key of a map (`units.*.status`). A name that nothing
answers to is refused with the nearest ones. Stored results are parsed only if somebody asks.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers
from rest_framework.request import Request

from portfolios.api.listing import bad_parameter
from portfolios.errors import Refused
from portfolios.models import ApiKey, Client

SHAPING = ("fields", "omit", "expand")
MAX_NAMES = 100
MAX_EXPANDED = 200
MAX_REFERENCES = 2
_EVERY = "*"
Node = Any  # a serializer, a field, or `_ANYTHING`
_ANYTHING = object()
#: A name with what is asked for inside of it; None: the whole of it.
Tree = dict[str, "Tree | None"]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expansion:
    """How references to one kind of object become the object."""

    serializer: type[serializers.Serializer[Any]]
    scope: str
    load: Callable[[Client, Collection[str], datetime | None], Mapping[str, Any]]
    """By id, as known then (None: now); what was not on file then is left out."""


#: By the kind of object that a reference names in `expands`. The module that serves the object puts
#: its entry in here.
EXPANSIONS: dict[str, Expansion] = {}


@dataclass(frozen=True, slots=True)
class Shape:
    """What one request asks for."""

    fields: Tree | None
    omit: Tree | None
    expand: tuple[Path, ...]
    guessed: tuple[tuple[str, Path], ...]
    """Parameter and path of names that stand for keys of a map, such as the units of a run. Only
    the answer itself shows whether there is such a key."""
    kinds: Mapping[Path, str]
    row: type[Any]
    is_list: bool

    def applied(self, data: Any, client: Client | None, known_at: datetime | None) -> Any:
        """The answer in this shape, its references as known then; the caller opens the client's
        scope."""
        data = _opened(data)
        rows = _opened(data["data"]) if self.is_list else data
        for path in sorted(self.expand, key=len):
            assert client is not None  # noqa: S101  # what anyone may read holds no references
            _expand(rows, path, EXPANSIONS[self.kinds[path]], client, known_at)
        for parameter, path in self.guessed:
            _require_reached(rows, path, parameter)
        rows = self.cut(rows)
        return {**data, "data": rows} if self.is_list else rows

    def cut(self, value: Any) -> Any:
        """What `fields` and `omit` leave."""
        value = value if self.fields is None else _picked(value, self.fields)
        return value if self.omit is None else _without(value, self.omit)

    def require_columns(self, row: type[Any]) -> None:
        """Refuse what a file of such rows cannot have."""
        if self.expand:
            message = "Files hold references by id and symbol; objects are for JSON."
            raise bad_parameter("expand", ".".join(self.expand[0]), message)
        if row is not self.row:
            message = "The file has columns of its own; members are those of the JSON."
            raise bad_parameter("fields" if self.fields else "omit", "", message)

    def keeps(self, path: Path) -> bool:
        """Whether a column is left."""
        return _leads(self.fields, path, end=True) and not _leads(self.omit, path, end=False)


def shape_asked(request: Request, view: Any) -> Shape | None:
    """The shape a GET asks for, None for the answer as it is."""
    given = {n: request.query_params[n] for n in SHAPING if n in request.query_params}
    answer = answer_of(view) if given else None
    if answer is None:
        return None  # the handler refuses parameters that nothing reads
    node, is_list = answer
    possible = dict(expandable(node))
    expand = tuple(_expanded(path, possible) for path in _paths("expand", given.get("expand")))
    for path in expand:
        _require_scope(request, EXPANSIONS[possible[path]])
    # What leads to an expanded object is expanded with it.
    whole = {path[:n] for path in expand for n in range(1, len(path) + 1)} & possible.keys()
    guessed: list[tuple[str, Path]] = []
    trees: dict[str, Tree | None] = {"fields": None, "omit": None}
    for parameter in trees:
        if parameter in given:
            tree: Tree = {}
            for path in _paths(parameter, given[parameter]):
                if unsure := _check(parameter, path, node, whole, possible):
                    guessed.append((parameter, path[:unsure]))
                _plant(tree, path)
            trees[parameter] = tree
    return Shape(
        trees["fields"], trees["omit"], tuple(whole), tuple(guessed), possible, type(node), is_list
    )


def answer_of(view: Any) -> tuple[Node, bool] | None:
    """What the view's GET declares to answer, the row where it is a list; None: no JSON."""
    return _answer_of(view)


@functools.cache
def _answer_of(view: Any) -> tuple[Node, bool] | None:
    described = getattr(getattr(view, "get", None), "kwargs", {}).get("schema")
    if described is None:
        return None
    schema = described()
    schema.view, schema.method = view(request=None, kwargs={}), "GET"
    declared = schema.get_response_serializers()
    if isinstance(declared, Mapping):
        declared = declared.get(200, declared.get((200, "application/json")))
    declared = declared() if isinstance(declared, type) else declared
    if not isinstance(declared, serializers.BaseSerializer):
        return None
    page = getattr(declared, "fields", {}).get("data")
    if isinstance(page, serializers.ListSerializer):
        return page.child, True
    return declared, False


def expandable(node: Node, *, references: int = MAX_REFERENCES) -> Iterator[tuple[Path, str]]:
    """Paths to references below a node, with the kind of each."""
    for name, child in (_members(node) or {}).items():
        inner = _element(child)
        kind = getattr(inner, "expands", None)
        if inner is _ANYTHING:
            continue
        if kind is None:
            below = expandable(inner, references=references)
        elif references:
            yield (name,), kind
            below = expandable(EXPANSIONS[kind].serializer(), references=references - 1)
        else:
            continue
        for path, found in below:
            yield (name, *path), found


def _members(node: Node) -> Mapping[str, Node] | None:
    """What can be named inside: declared members, `*` where keys are free; None: nothing."""
    node = _element(node)
    if node is _ANYTHING or isinstance(node, serializers.JSONField):
        return {_EVERY: _ANYTHING}
    if alternatives := _alternatives(node):
        return _merged(_members(one) or {} for one in alternatives)
    if isinstance(node, serializers.Serializer):
        return node.fields
    if isinstance(node, serializers.DictField):
        # A map of undescribed values has the library's private placeholder for a child.
        described = type(node.child).__name__ != "_UnvalidatedField"
        return {_EVERY: node.child if described else _ANYTHING}
    return None if isinstance(node, serializers.Field) else {_EVERY: _ANYTHING}


@dataclass(frozen=True)
class _Several:
    """A member that is one of several things."""

    alternatives: tuple[Node, ...]


def _alternatives(node: Node) -> tuple[Node, ...]:
    """What a node may be instead of one thing alone."""
    if isinstance(node, PolymorphicProxySerializer):
        given = node.serializers
        several = given.values() if isinstance(given, Mapping) else given
    else:
        several = getattr(node, "alternatives", ())
    return tuple(_instance(one) if isinstance(one, type) else one for one in several)


@functools.cache
def _instance(shape: type[Node]) -> Node:
    """One for all requests: reading the fields of a serializer copies them once."""
    return shape()


def _merged(several: Iterable[Mapping[str, Node]]) -> dict[str, Node]:
    """The members of any of them; what is inside of one of them can be named."""
    found: dict[str, list[Node]] = {}
    for members in several:
        for name, child in members.items():
            found.setdefault(name, []).append(child)
    merged: dict[str, Node] = {}
    for name, nodes in found.items():
        composed = [one for one in nodes if _is_composed(one)]
        if _ANYTHING in nodes:
            composed = [_ANYTHING]
        merged[name] = _Several(tuple(composed)) if len(composed) > 1 else (*composed, *nodes)[0]
    return merged


def _is_composed(node: Node) -> bool:
    node = _element(node)
    whole = (serializers.Serializer, serializers.DictField, serializers.JSONField)
    return node is _ANYTHING or isinstance(node, whole) or hasattr(node, "alternatives")


def _element(node: Node) -> Node:
    while isinstance(node, (serializers.ListSerializer, serializers.ListField)):
        node = node.child
    return node


def _paths(parameter: str, given: str | None) -> list[Path]:
    if given is None:
        return []
    names = given.split(",")
    if len(names) > MAX_NAMES:
        raise bad_parameter(parameter, given[:100], f"At most {MAX_NAMES} names.")
    return [tuple(name.split(".")) for name in dict.fromkeys(names)]


def _expanded(path: Path, possible: Mapping[Path, str]) -> Path:
    if path not in possible:
        raise _unknown("expand", path, [".".join(p) for p in possible], "No such reference")
    return path


def _check(
    parameter: str,
    path: Path,
    node: Node,
    expanded: Collection[Path],
    kinds: Mapping[Path, str],
) -> int:
    """Refuse a name that no declaration knows; how many of its steps the answer must confirm."""
    unsure = 0
    for depth, step in enumerate(path):
        known = _members(node) or {}
        if step in known:
            node = known[step]
        elif _EVERY in known and step:
            node, unsure = known[_EVERY], depth + 1
        else:
            before = path[:depth]
            names = [".".join((*before, name)) for name in known]
            raise _unknown(parameter, path, names, "No such member")
        if path[: depth + 1] in expanded:
            node = EXPANSIONS[kinds[path[: depth + 1]]].serializer()
    return unsure


def _unknown(parameter: str, path: Path, known: Collection[str], message: str) -> Exception:
    asked = ".".join(path)[:100]
    near = difflib.get_close_matches(asked, known, n=3, cutoff=0.5)
    return bad_parameter(
        parameter,
        asked,
        f"{message}: {asked!r}.",
        code="unknown-member",
        suggestion=near or sorted(known),
    )


def _require_scope(request: Request, expansion: Expansion) -> None:
    key = request.auth
    if isinstance(key, ApiKey) and expansion.scope not in key.scopes:
        raise Refused(
            f"To expand this needs a key with the scope {expansion.scope}.",
            code="insufficient-scope",
            context={"required_scope": expansion.scope},
        )


def _plant(tree: Tree, path: Path) -> None:
    """Add a path; what was asked for whole stays whole."""
    for step in path[:-1]:
        inner = tree.setdefault(step, {})
        if inner is None:
            return
        tree = inner
    tree[path[-1]] = None


def _opened(data: Any) -> Any:
    """A text that was stored, as values."""
    if isinstance(data, bytes):
        return orjson.loads(data)
    return orjson.loads(orjson.dumps(data)) if isinstance(data, orjson.Fragment) else data


def _inside(tree: Tree, key: str) -> Tree | None:
    """What is asked of one key: what names it, and what names every key."""
    if key not in tree:
        return tree[_EVERY]
    named, every = tree[key], tree.get(_EVERY, {})
    return None if named is None or every is None else {**every, **named}


def _leads(tree: Tree | None, path: Path, *, end: bool) -> bool:
    """Whether the tree names the whole of a path; `end`: also where it names a part of it."""
    if tree is None:
        return end
    for step in path:
        if step not in tree:
            return False
        inner = tree[step]
        if inner is None:
            return True
        tree = inner
    return end


def _picked(value: Any, tree: Tree | None) -> Any:
    if tree is None:
        return value
    value = _opened(value)
    if isinstance(value, list):
        return [_picked(one, tree) for one in value]
    if not isinstance(value, dict):
        return value
    every = _EVERY in tree
    return {
        key: _picked(inner, _inside(tree, key))
        for key, inner in value.items()
        if every or key in tree
    }


def _without(value: Any, tree: Tree | None) -> Any:
    value = _opened(value)
    if isinstance(value, list):
        return [_without(one, tree) for one in value]
    if not isinstance(value, dict) or tree is None:
        return value
    kept = {}
    for key, inner in value.items():
        below = _inside(tree, key) if key in tree or _EVERY in tree else {}
        if below is not None:
            kept[key] = _without(inner, below) if below else inner
    return kept


def _require_reached(rows: Any, path: Path, parameter: str) -> None:
    """Refuse a key that no map of the answer has."""
    known: set[str] = set()
    if not _reaches(rows, path, known):
        raise _unknown(parameter, path, sorted(known), "No such member in this answer")


def _reaches(value: Any, path: Path, known: set[str], before: Path = ()) -> bool:
    value = _opened(value)
    if not path or value is None:
        return True
    if isinstance(value, list):
        return not value or any(_reaches(one, path, known, before) for one in value)
    if not isinstance(value, dict):
        return False
    step, *rest = path
    if step == _EVERY:
        return any(_reaches(one, tuple(rest), known, (*before, k)) for k, one in value.items())
    if step not in value:
        known.update(".".join((*before, name)) for name in value)
        return False
    return _reaches(value[step], tuple(rest), known, (*before, step))


def _expand(
    rows: Any, path: Path, expansion: Expansion, client: Client, known_at: datetime | None
) -> None:
    """Put objects in the place of references, in the answer itself."""
    places = list(_places(rows, path))
    found = expansion.load(client, {_name(holder[key]) for holder, key in places}, known_at)
    for holder, key in places:
        holder[key] = found.get(_name(holder[key]), holder[key])


def _places(value: Any, path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, list):
        if len(value) > MAX_EXPANDED:
            raise bad_parameter(
                "expand",
                ".".join(path),
                f"A list of {len(value)} is too long to expand: at most {MAX_EXPANDED} entries,"
                " take a smaller limit or read the objects by themselves.",
            )
        for one in value:
            yield from _places(one, path)
    elif isinstance(value, dict) and value.get(path[0]) is not None:
        if len(path) == 1:
            yield value, path[0]
        else:
            value[path[0]] = _opened(value[path[0]])
            yield from _places(value[path[0]], path[1:])


def _name(reference: Any) -> str:
    """The id, of a reference by id alone or by id and symbol."""
    return str(reference["id"] if isinstance(reference, dict) else reference)
