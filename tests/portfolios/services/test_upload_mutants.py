"""Damaged uploads: none is a server error, and every row is accounted for.

Some hundred here; `python3 manage.py python -m tests.bench uploads` sends 10,000 and measures time
and memory, and `RISK_MUTANTS` is how many this test sends.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.portfolios.services.damaged_files import SEEDS, numbered, undamaged
from tests.portfolios.services.upload_mutants import attack, world
from tests.switches import figure

COUNT = figure("RISK_MUTANTS", 120)


@pytest.mark.django_db
def test_seeds_are_taken_whole() -> None:
    caller = world()
    assert len(SEEDS) == len(set(SEEDS)) == 40
    for number, seed in enumerate(SEEDS):
        outcome = attack(caller, undamaged(number))
        assert (outcome.problem, outcome.status) == ("", "done"), seed


@pytest.mark.django_db
def test_no_mutant_is_a_server_error_and_rows_reconcile() -> None:
    caller = world()
    found, ends = {}, Counter[str]()
    for number in range(1, COUNT + 1):
        mutant = numbered(number)
        outcome = attack(caller, mutant)
        ends[outcome.status] += 1
        if outcome.problem:
            found[number, mutant.seed.name] = outcome.problem
    assert found == {}
    assert {"done", "refused"} <= set(ends), ends
