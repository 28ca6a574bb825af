"""Answers of pure functions of arrays, remembered by what the arrays hold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np

Answer = TypeVar("Answer")


class _Content:
    """An array that equals others of its shape, order in memory and bytes.

    The order matters: sums go by it, and their last digit with them.
    """

    __slots__ = ("_key", "array")

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        # The caller's own may change later.
        self.array = array.copy(order="K")
        order = tuple(
            step if length > 1 else 0
            for step, length in zip(self.array.strides, self.array.shape, strict=True)
        )
        self._key = (array.dtype.str, array.shape, order, array.tobytes())

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and self._key == other._key


def remembered(size: int) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Keep the last `size` answers of a function of arrays and hashable values.

    The function sees copies of the arrays, and its answer is shared: nobody may write to it.
    Refusals are not kept, nor are answers of arrays with gaps in memory.

    Examples
    --------
    >>> @remembered(2)
    ... def total(array):
    ...     print("summing")
    ...     return float(array.sum())
    >>> total(np.ones(3)), total(np.ones(3))
    summing
    (3.0, 3.0)
    """

    def decorate(function: Callable[..., Answer]) -> Callable[..., Answer]:
        @functools.lru_cache(maxsize=size)
        def answer(*given: Hashable) -> Answer:
            return function(
                *(value.array if isinstance(value, _Content) else value for value in given)
            )

        @functools.wraps(function)
        def ask(*given: Any) -> Answer:
            if any(isinstance(value, np.ndarray) and not value.flags.forc for value in given):
                return function(*given)
            return answer(
                *(_Content(value) if isinstance(value, np.ndarray) else value for value in given)
            )

        return ask

    return decorate
