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
    """A row with typed access to its inputs.

    Attributes
    ----------
    family : str
        Whose method answers it, from the id or from the text of the method.
    output : str
        What is taken to be asked for.
    is_last_try : bool
        No reading of the row names an output: the family's headline may answer.
    """

    def __init__(
        self,
        row: ReferenceRow,
        datasets: Datasets,
        *,
        family: str | None = None,
        output: str | None = None,
        is_last_try: bool = False,
    ) -> None:
        self.row = row
        self.inputs = row.inputs
        self.family = row.family if family is None else family
        self.output = row.output if output is None else output
        self.is_last_try = is_last_try
        self._datasets = datasets

    def asks(self, *names: str) -> bool:
        return self.output in names

    def matches(self, pattern: str) -> re.Match[str] | None:
        return re.fullmatch(pattern, self.output)

    def has(self, *names: str) -> bool:
        return all(name in self.inputs for name in names)

    def has_any(self, *names: str) -> bool:
        return any(name in self.inputs for name in names)

    def number(self, *names: str, default: float | None = None) -> float:
        """Return the first of the named inputs; fractions may be written as text."""
        for name in names:
            if name in self.inputs:
                value = self.inputs[name]
                return float(Fraction(value)) if isinstance(value, str) else float(value)
        if default is None:
            raise NotCoveredError(f"no input {' or '.join(names)}")
        return default

    def stated(self, pattern: str, default: float) -> float:
        """Return the number that the text of the method states, such as 10 in EMA(10)."""
        match = re.search(pattern, self.row.method, re.IGNORECASE)
        return default if match is None else float(match[1])

    def index(self) -> int | None:
        """Return the place in a series that is asked for, if the row states one."""
        for name in ("i", "index", "at", "t"):
            if name in self.inputs and not isinstance(self.inputs[name], list):
                return self.integer(name)
        match = re.search(r"\bindex (\d+)", self.row.method)
        if match is None:
            match = re.search(r"(\d+)$", self.output)
        return None if match is None else int(match[1])

    def integer(self, *names: str) -> int:
        value = self.number(*names)
        if value != int(value):
            raise NotCoveredError(f"{names[0]} is not whole")
        return int(value)

    def series(self, *names: str) -> FloatArray:
        """Return the first of the named inputs: numbers, or a column of the data set."""
        for name in names:
            if name in self.inputs:
                value = self.inputs[name]
                return self.column(value) if isinstance(value, str) else floats(value)
        raise NotCoveredError(f"no input {' or '.join(names)}")

    def latest(self, *names: str) -> FloatArray:
        """Return the last `window` values of a series, all of them where none is stated."""
        values = self.series(*names)
        return values[-self.integer("window") :] if self.has("window") else values

    def column(self, expression: str) -> FloatArray:
        """Evaluate an expression in the columns of the data set and the lists of the row."""
        name = self.inputs.get("dataset")
        columns = {k: floats(v) for k, v in self.inputs.items() if _is_numbers(v)}
        if name is not None:
            if name not in self._datasets:
                raise NotCoveredError(f"data set {name!r} is not there")
            columns = {**self._datasets[str(name)], **columns}
        return _expression(expression, columns)

    def factors(self) -> tuple[tuple[str, ...], FloatArray]:
        """Return names and values of the regressors listed in X, the constant left out."""
        listed = self.inputs["X"]
        if isinstance(listed, Mapping):
            return tuple(listed), np.stack([floats(v) for v in listed.values()], axis=1)
        if all(_is_numbers(values) for values in listed):
            names = tuple(f"x{place + 1}" for place in range(len(listed)))
            return names, np.stack([floats(values) for values in listed], axis=1)
        names = tuple(name for name in listed if name != "const")
        return names, np.stack([self.column(name) for name in names], axis=1)

    def otherwise(self, value: float, *names: str) -> float:
        """Return the family's headline, if it is asked for by name or nothing else is."""
        words = set(re.split(r"[-_ ]", self.output))
        if not (self.is_last_try or self.output in names or words & set(names)):
            raise self.refuse()
        return value

    def refuse(self) -> NotCoveredError:
        return NotCoveredError(
            f"{self.family} has no output {self.output!r} of the inputs "
            f"{', '.join(sorted(self.inputs)) or 'none'}"
        )


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and all(
        number is None or isinstance(number, int | float) for number in value
    )


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
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
        raise NotCoveredError(f"expression {text!r}, of the columns {', '.join(sorted(columns))}")

    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise NotCoveredError(f"expression {text!r}: {error.msg}") from error
    return np.asarray(value(tree.body), dtype=np.float64)


def answer_named(question: Question, answers: Mapping[str, float]) -> float:
    if question.output not in answers:
        raise question.refuse()
    return float(answers[question.output])


#: Method prefix -> what answers it.
Answers = dict[str, Callable[[Question], float | None]]
