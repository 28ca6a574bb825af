"""A reference row with typed access to its inputs."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from analytics.engine.reference.rows import (
    Columns,
    Datasets,
    NotCoveredError,
    ReferenceRow,
    floats,
)
from analytics.engine.types import FloatArray


class Question:
    """A row with typed access to its inputs."""

    def __init__(self, row: ReferenceRow, datasets: Datasets) -> None:
        self.row = row
        self.inputs = row.inputs
        self.output = row.output
        self._datasets = datasets

    def asks(self, *names: str) -> bool:
        return self.output in names

    def matches(self, pattern: str) -> re.Match[str] | None:
        return re.fullmatch(pattern, self.output)

    def has(self, *names: str) -> bool:
        return all(name in self.inputs for name in names)

    def number(self, *names: str, default: float | None = None) -> float:
        """Return the first of the named inputs; fractions may be written as text."""
        for name in names:
            if name in self.inputs:
                value = self.inputs[name]
                return float(Fraction(value)) if isinstance(value, str) else float(value)
        if default is None:
            raise NotCoveredError(f"no input {' or '.join(names)}")
        return default

    def integer(self, *names: str) -> int:
        value = self.number(*names)
        if value != int(value):
            raise NotCoveredError(f"{names[0]} is not whole")
        return int(value)

    def series(self, *names: str) -> FloatArray:
        """Return the first of the named inputs: numbers, or a column of the data set."""
        for name in names:
            if name in self.inputs:
                return self._series(self.inputs[name])
        raise NotCoveredError(f"no input {' or '.join(names)}")

    def _series(self, value: object) -> FloatArray:
        return self.column(value) if isinstance(value, str) else floats(value)

    def column(self, expression: str) -> FloatArray:
        name = str(self.inputs.get("dataset", ""))
        if name not in self._datasets:
            raise NotCoveredError(f"data set {name!r} is not there")
        return _expression(expression, self._datasets[name])

    def factors(self) -> tuple[tuple[str, ...], FloatArray]:
        """Return names and values of the regressors listed in X, the constant left out."""
        names = tuple(name for name in self.inputs["X"] if name != "const")
        return names, np.stack([self.column(name) for name in names], axis=1)

    def refuse(self) -> NotCoveredError:
        return NotCoveredError(self.row.row_id)


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"log": np.log, "diff": np.diff, "exp": np.exp}


def _expression(text: str, columns: Columns) -> FloatArray:
    """Evaluate a column expression such as ``400*diff(log(realgdp))`` or ``realint[:-1]``."""

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name) if name in columns:
                return np.asarray(columns[name], dtype=np.float64)
            case ast.Constant(value=int() | float() as constant):
                return constant
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _BINARY[type(op)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](value(argument))
            case ast.Subscript(value=base, slice=ast.Slice(lower=low, upper=high, step=None)):
                bounds = (None if bound is None else value(bound) for bound in (low, high))
                return value(base)[slice(*bounds)]
        raise NotCoveredError(f"expression {text!r}")

    return np.asarray(value(ast.parse(text, mode="eval").body), dtype=np.float64)


def answer_named(question: Question, answers: Mapping[str, float]) -> float:
    if question.output not in answers:
        raise question.refuse()
    return float(answers[question.output])


#: Method prefix -> what answers it.
Answers = dict[str, Callable[[Question], float | None]]
