"""Served 95 % intervals hold the truth 93 to 97 times in 100, clustered volatility included.

Small samples here, up to their Monte-Carlo error; the methodology has the table of a large run.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench.coverage_beta import LAWS, Law, coverage, draw

SAMPLES = 400
# Three standard errors of a share of 0.95 beyond the range that a large run must keep.
SLACK = 3 * np.sqrt(0.95 * 0.05 / SAMPLES)
CALM, WILD = LAWS[0], LAWS[4]


@pytest.mark.parametrize("law", [CALM, WILD], ids=lambda law: law.name)
@pytest.mark.parametrize("name", ["**served**", "two factors", "Dimson, late asset"])
def test_intervals_hold_the_truth(law: Law, name: str) -> None:
    sample = draw(law, 252, SAMPLES, np.random.default_rng(11))
    assert 0.93 - SLACK < coverage(sample, name) < 0.97 + SLACK


def test_textbook_intervals_do_not_under_clustered_volatility() -> None:
    sample = draw(WILD, 252, SAMPLES, np.random.default_rng(11))
    assert coverage(sample, "OLS, t(n-2)") < 0.93
