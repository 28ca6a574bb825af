"""Delays live in rows: a broker message with a time in it runs twice or not at all."""

from __future__ import annotations

import ast

from tests.architecture.sources import PACKAGES, modules

_SENDING = {"apply_async", "retry", "send_task", "s", "si", "signature", "set"}
_LATER = {"eta", "countdown"}


def test_no_message_carries_a_delay() -> None:
    delayed = [
        f"{path}:{node.lineno}"
        for path, tree in modules(*PACKAGES).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _SENDING
        and any(keyword.arg in _LATER for keyword in node.keywords)
    ]

    assert delayed == []


def test_tasks_take_ids_alone() -> None:
    allowed = {"str", "int", "str | None", "int | None"}
    others = [
        f"{path}:{function.lineno} {function.name}({argument.arg})"
        for path, tree in modules(*PACKAGES).items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and any(map(_is_task, function.decorator_list))
        for argument in (*function.args.args, *function.args.kwonlyargs)
        if argument.arg != "self"
        and (argument.annotation is None or ast.unparse(argument.annotation) not in allowed)
    ]

    assert others == []


def _is_task(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in {"task", "shared_task"}
