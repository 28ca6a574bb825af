"""What a program written for one OpenAPI document loses by another.

Additions to answers, optional additions to requests and changes of text break nothing. An answer
that keeps less than it promised does, and so does a request that must hold more than it had to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
_METHODS = ("get", "put", "post", "patch", "delete")
_CHOICES = ("oneOf", "anyOf", "allOf")


def breaking_changes(before: Document, after: Document) -> list[str]:
    """One line for each, with the operation and the place in it."""
    found = []
    for path, methods in before["paths"].items():
        for method in _METHODS:
            if method in methods:
                name = f"{method.upper()} {path}"
                now = after["paths"].get(path, {}).get(method)
                if now is None:
                    found.append(f"{name} is gone")
                else:
                    changes = _Comparison(before, after).of_operation(methods[method], now)
                    found += [f"{name}: {change}" for change in changes]
    return found


class _Comparison:
    """Of one operation; a schema that both sides refer to is followed once."""

    def __init__(self, before: Document, after: Document) -> None:
        self._before, self._after = before, after
        self._seen: set[tuple[str, str, bool]] = set()

    def of_operation(self, was: Document, now: Document) -> Iterator[str]:
        if was["operationId"] != now["operationId"]:
            yield f"operationId {was['operationId']} is now {now['operationId']}"
        yield from self._parameters(was, now)
        yield from self._body(was.get("requestBody", {}), now.get("requestBody", {}))
        for status, answer in was["responses"].items():
            if not status.startswith("2"):
                continue  # which refusals there are may change
            if status not in now["responses"]:
                yield f"no longer answers {status}"
                continue
            content = now["responses"][status].get("content", {})
            for kind, media in answer.get("content", {}).items():
                if kind not in content:
                    yield f"{status} is no longer available as {kind}"
                else:
                    yield from self._schema(
                        media.get("schema", {}), content[kind].get("schema", {}), f"{status}",
                        is_answer=True,
                    )  # fmt: skip

    def _parameters(self, was: Document, now: Document) -> Iterator[str]:
        known = {(one["in"], one["name"]): one for one in was.get("parameters", [])}
        given = {(one["in"], one["name"]): one for one in now.get("parameters", [])}
        for key in known.keys() - given.keys():
            yield f"the parameter {key[1]} is gone"
        for key, one in given.items():
            if one.get("required") and not known.get(key, {}).get("required"):
                yield f"the parameter {key[1]} must be sent"
            if key in known:
                schemas = known[key].get("schema", {}), one.get("schema", {})
                yield from self._schema(*schemas, f"parameter {key[1]}", is_answer=False)

    def _body(self, was: Document, now: Document) -> Iterator[str]:
        if now.get("required") and not was.get("required"):
            yield "a body must be sent"
        for kind, media in was.get("content", {}).items():
            if kind not in now.get("content", {}):
                yield f"bodies of {kind} are no longer read"
            else:
                schemas = media.get("schema", {}), now["content"][kind].get("schema", {})
                yield from self._schema(*schemas, "body", is_answer=False)

    def _schema(self, was: Any, now: Any, place: str, *, is_answer: bool) -> Iterator[str]:
        names = was.get("$ref", ""), now.get("$ref", "")
        if all(names):
            if (*names, is_answer) in self._seen:
                return
            self._seen.add((*names, is_answer))
        was, now = _resolved(self._before, was), _resolved(self._after, now)
        # Answers may say less than was allowed, requests may be allowed more than was.
        kinds = _types(was), _types(now)
        narrow, wide = reversed(kinds) if is_answer else kinds
        if wide and not narrow <= wide:
            yield f"{place} was {_words(kinds[0])} and is {_words(kinds[1])}"
        if not is_answer and (gone := _choices(was) - _choices(now)) and "enum" in now:
            yield f"{place} no longer takes {', '.join(sorted(gone))}"
        old, new = was.get("properties", {}), now.get("properties", {})
        if now.get("additionalProperties") is not True or is_answer:
            yield from (f"{place}.{name} is gone" for name in sorted(old.keys() - new.keys()))
        must = set(was.get("required", ())), set(now.get("required", ()))
        for name in sorted((must[0] - must[1]) & new.keys() if is_answer else must[1] - must[0]):
            yield f"{place}.{name} " + ("may be left out" if is_answer else "must be sent")
        for name in old.keys() & new.keys():
            yield from self._schema(old[name], new[name], f"{place}.{name}", is_answer=is_answer)
        if "items" in was and "items" in now:
            items = was["items"], now["items"]
            yield from self._schema(*items, f"{place}[]", is_answer=is_answer)
        for choice in _CHOICES:
            for one, other in zip(was.get(choice, ()), now.get(choice, ()), strict=False):
                yield from self._schema(one, other, place, is_answer=is_answer)
            if len(now.get(choice, ())) < len(was.get(choice, ())) and not is_answer:
                yield f"{place} takes fewer forms"


def _resolved(document: Document, schema: Any) -> Document:
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return dict(schema)


def _types(schema: Document) -> set[str]:
    kind = schema.get("type", ())
    kinds = {kind} if isinstance(kind, str) else set(kind)
    return kinds | {"number", "integer"} if "number" in kinds else kinds


def _choices(schema: Document) -> set[str]:
    return {str(value) for value in schema.get("enum", ())}


def _words(kinds: set[str]) -> str:
    return " or ".join(sorted(kinds)) or "anything"
