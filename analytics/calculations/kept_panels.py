"""Arrays that a process keeps between units, by all that they were made of.

Part of every key is the name of the state of the facts, so that what is kept is what a new look
would make. Ten years of two hundred instruments are four megabytes: to have them made anew by every
kind of analysis costs more than the numbers that come of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from analytics.engine.panel import ReturnPanel
from analytics.engine.types import FloatArray

Made = TypeVar("Made")

#: Numbers that one store keeps: sixteen megabytes.
_ROOM = 2_000_000


class Kept(Generic[Made]):
    """What was used last, up to so many numbers; what fills half of the room alone is not kept."""

    def __init__(self, numbers_in: Callable[[Made], int], room: int = _ROOM) -> None:
        self._numbers_in = numbers_in
        self._room = room
        self._made: OrderedDict[Hashable, Made] = OrderedDict()
        self._numbers = 0

    def get(self, key: Hashable | None, make: Callable[[], Made]) -> Made:
        """What was made under a key before, or is now; without a key it is not kept."""
        if key is None:
            return make()
        if key in self._made:
            self._made.move_to_end(key)
            return self._made[key]
        made = make()
        numbers = self._numbers_in(made)
        if 2 * numbers <= self._room:
            self._made[key] = made
            self._numbers += numbers
            while self._numbers > self._room:
                _, dropped = self._made.popitem(last=False)
                self._numbers -= self._numbers_in(dropped)
        return made

    def clear(self) -> None:
        """Forget everything."""
        self._made.clear()
        self._numbers = 0


kept_levels: Kept[FloatArray] = Kept(lambda levels: levels.size)
kept_panels: Kept[ReturnPanel] = Kept(lambda panel: panel.returns.size)
