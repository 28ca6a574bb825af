"""Compiled loops of the tail bootstrap; import it where it is called, not at start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.engine.batch.compiling import (
    floats,
    integer,
    integers,
    integers2,
    kernel,
    out2,
    short2,
)
from analytics.engine.types import FloatArray, IntArray

Counts = NDArray[np.int16]


@kernel(integers2, integers2, short2)
def count_days(starts: IntArray, restarts: IntArray, counts: Counts) -> None:
    """Add to `counts` how often each sample of blocks holds each day.

    All are (n_samples, n_obs): where a block that begins on a day starts, whether one does, the
    count. Blocks wrap around the end.
    """
    n_samples, n_obs = starts.shape
    for sample in range(n_samples):
        row = starts[sample, 0]
        for day in range(n_obs):
            if restarts[sample, day]:
                row = starts[sample, day]
            counts[sample, row] += 1
            row = row + 1 if row + 1 < n_obs else 0


@kernel(short2, integers, floats, integer, out2)
def counted_tails(
    counts: Counts, order: IntArray, worst: FloatArray, n_tail: int, out: FloatArray
) -> None:
    """Fill `out`, (3, n_samples), with value at risk, expected shortfall and semi-variance.

    `counts` is (n_obs, n_samples). `order` lists the days from the worst on and `worst` their
    returns.
    """
    n_obs, n_samples = counts.shape
    squares = np.zeros(n_samples)
    # Day by day: the samples next to one another are summed at once.
    for place in range(n_obs):
        if worst[place] >= 0.0:
            break
        held_then, loss = counts[order[place]], worst[place]
        for sample in range(n_samples):
            squares[sample] += held_then[sample] * loss * loss
    for sample in range(n_samples):
        drawn = 0
        total = 0.0
        at = 0
        while True:
            held = counts[order[at], sample]
            if drawn + held >= n_tail:
                total += (n_tail - drawn) * worst[at]
                break
            drawn += held
            total += held * worst[at]
            at += 1
        out[0, sample] = -worst[at]
        out[1, sample] = -total / n_tail
        out[2, sample] = squares[sample] / n_obs
