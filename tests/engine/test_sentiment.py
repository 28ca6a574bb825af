from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.engine import sentiment
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.reference.around_rows import EXAMPLE_VALENCES


# Hutto and Gilbert, README of the project.
@pytest.mark.parametrize(
    ("text", "compound"),
    [
        ("VADER is smart, handsome, and funny.", 0.8316),
        ("VADER is smart, handsome, and funny!", 0.8439),
        ("VADER is very smart, handsome, and funny.", 0.8545),
        ("VADER is VERY SMART, handsome, and FUNNY.", 0.9227),
        ("VADER is VERY SMART, handsome, and FUNNY!!!", 0.9342),
        ("VADER is VERY SMART, uber handsome, and FRIGGIN FUNNY!!!", 0.9469),
        ("VADER is not smart, handsome, nor funny.", -0.7424),
        ("The book was good.", 0.4404),
        ("At least it isn't a horrible book.", 0.4310),
        ("The book was only kind of good.", 0.3832),
        (
            "The plot was good, but the characters are uncompelling and the dialog is not great.",
            -0.7042,
        ),
        ("Today SUX!", -0.5461),
        ("Today only kinda sux! But I'll get by, lol", 0.5249),
        ("Make sure you :) or :D today!", 0.8633),
        ("Not bad at all", 0.4310),
    ],
)
def test_published_examples(text: str, compound: float) -> None:
    found = sentiment.valence_score(text, EXAMPLE_VALENCES)
    assert found.compound == pytest.approx(compound, abs=5e-5)


def test_normalization_is_odd_and_bounded() -> None:
    assert sentiment.normalized_valence(5.8) == pytest.approx(5.8 / np.sqrt(5.8**2 + 15))
    assert sentiment.normalized_valence(-5.8) == -sentiment.normalized_valence(5.8)
    assert abs(sentiment.normalized_valence(1e9)) <= 1.0


@given(st.integers(0, 500), st.integers(0, 500))
def test_polarity_is_a_share_of_the_hits(positive: int, negative: int) -> None:
    if positive + negative == 0:
        with pytest.raises(DegenerateInputError, match="no word"):
            sentiment.lexicon_polarity(positive, negative)
        return
    score = sentiment.lexicon_polarity(positive, negative)
    assert -1 <= score <= 1
    assert score == -sentiment.lexicon_polarity(negative, positive)


def test_a_text_without_rated_words_has_no_score() -> None:
    with pytest.raises(DegenerateInputError, match="rates no word"):
        sentiment.valence_score("Prices were unchanged.", EXAMPLE_VALENCES)


def test_probabilities_are_compared() -> None:
    assert sentiment.probability_difference(0.08, 0.63, 0.29) == pytest.approx(-0.55)
    with pytest.raises(InvalidInputError, match="sum to"):
        sentiment.probability_difference(8, 63, 29)
    with pytest.raises(InvalidInputError, match=r"sum to 0\.5"):
        sentiment.probability_difference(0.25, 0.25, 0.0)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("It was never so good.", 1),
        ("It is without doubt good.", 1),
        ("The least good book.", -1),
        ("Is it good??", 1),
    ],
)
def test_rules_keep_or_turn_the_sign(text: str, sign: int) -> None:
    assert np.sign(sentiment.valence_score(text, {"good": 1.9}).compound) == sign
