"""Answers to the stress rows (V09)."""

from __future__ import annotations

import numpy as np

from analytics.engine.reference.questions import Answers, Question
from analytics.engine.stress import fund_stress, smooth_path


def _path_stress(question: Question) -> float:
    if question.has("r"):
        path = question.series("r")
    else:
        n_days = question.integer("n") if question.has("n") else 1
        path = smooth_path(question.number("R", "shock"), n_days)
        if n_days == 1:
            path = np.array([question.number("R", "shock")])
    multiple = question.number("m", default=1.0)
    stressed = fund_stress(multiple, path)
    if question.matches(r".*(index|idx|total).*"):
        return float(stressed.index_return[0])
    if question.matches(r".*(flag|wiped).*"):
        return float(stressed.wiped_out[0])
    return float(stressed.fund_return[0])


ANSWERS: Answers = {"V09": _path_stress}
