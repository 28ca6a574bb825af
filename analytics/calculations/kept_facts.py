"""Facts that a process keeps between units: they hold for one state of a client's tables."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date

from analytics.calculations.facts import FxSeries, Option, PositionRow, Terms
from analytics.calculations.price_store import PriceBlock
from analytics.engine.types import FloatArray, IntArray
from portfolios.models import Instrument

#: States of the facts that a process keeps, and position sets in each.
_KEPT_STATES = 16
KEPT_POSITION_SETS = 64


@dataclass
class KeptFacts:
    """What has been read of one state of a client's facts.

    Every change of them gives the state a new name, so what was read once holds for all units
    computed on it. The name is read before the facts: they are never older than it says.
    """

    instruments: dict[int, Instrument] = field(default_factory=dict)
    ids: dict[uuid.UUID, int] = field(default_factory=dict)
    options: dict[int, Option] = field(default_factory=dict)
    splits: dict[int, list[tuple[date, float]]] = field(default_factory=dict)
    distributions: dict[int, list[tuple[date, float]]] = field(default_factory=dict)
    """Cash per share as traded on the ex-date."""
    terms: dict[int, list[Terms]] | None = None
    fx: dict[tuple[str, str, date], FxSeries] = field(default_factory=dict)
    rates: dict[tuple[date, date], tuple[IntArray, FloatArray]] = field(default_factory=dict)
    positions: OrderedDict[uuid.UUID, list[PositionRow]] = field(default_factory=OrderedDict)


kept_states: OrderedDict[tuple[uuid.UUID, str], KeptFacts] = OrderedDict()


def facts_kept_of(client_id: uuid.UUID, block: PriceBlock) -> KeptFacts:
    """The facts kept for the state that a block shows; new ones for a look back in time."""
    if not block.is_current:
        return KeptFacts()
    # By client, even where all is shared: row-level security decided what was read.
    key = (client_id, block.version)
    facts = kept_states.setdefault(key, KeptFacts())
    kept_states.move_to_end(key)
    while len(kept_states) > _KEPT_STATES:
        kept_states.popitem(last=False)
    return facts
