"""Scores of text: counted words, rated words, and the probabilities of a classifier.

Word lists and models are the caller's: the usual finance list may not be used commercially without
a license, and scores of different models do not compare. Store which one made a score.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.engine.checks import finite, not_negative
from analytics.engine.errors import DegenerateInputError, InvalidInputError

# Constants of Hutto and Gilbert (2014).
_NORMALIZATION = 15.0
_BOOST = 0.293
_CAPITALS = 0.733
_NEGATION = -0.74
_EXCLAMATION, _MOST_EXCLAMATIONS = 0.292, 4
_QUESTION, _MANY_QUESTIONS = 0.18, 0.96
_DISTANCE_WEIGHTS = (1.0, 0.95, 0.9)
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.5
_NEVER_SO = 1.25

_BOOSTERS = frozenset(
    {
        "absolutely", "amazingly", "awfully", "completely", "considerably", "decidedly", "deeply",
        "effing", "enormously", "entirely", "especially", "exceptionally", "extremely",
        "fabulously", "flipping", "flippin", "fricking", "frickin", "frigging", "friggin", "fully",
        "greatly", "hella", "highly", "hugely", "incredibly", "intensely", "majorly", "more",
        "most", "particularly", "purely", "quite", "really", "remarkably", "so", "substantially",
        "thoroughly", "totally", "tremendously", "uber", "unbelievably", "unusually", "utterly",
        "very",
    }
)  # fmt: skip
_DAMPENERS = frozenset(
    {
        "almost", "barely", "hardly", "kinda", "kindof", "kind-of", "less", "little", "marginally",
        "occasionally", "partly", "scarcely", "slightly", "somewhat", "sorta", "sortof", "sort-of",
    }
)  # fmt: skip
_DAMPENING_PAIRS = frozenset({"kind of", "sort of", "just enough"})
_NEGATIONS = frozenset(
    {
        "aint", "arent", "cannot", "cant", "couldnt", "darent", "didnt", "doesnt", "dont", "hadnt",
        "hasnt", "havent", "isnt", "mightnt", "mustnt", "neither", "neednt", "never", "none",
        "nope", "nor", "not", "nothing", "nowhere", "oughtnt", "shant", "shouldnt", "uhuh",
        "uh-uh", "wasnt", "werent", "without", "wont", "wouldnt", "rarely", "seldom", "despite",
    }
)  # fmt: skip


def lexicon_polarity(positive_count: int, negative_count: int) -> float:
    """Polarity of counted words, ``(P - N)/(P + N)``, -1 to 1.

    Parameters
    ----------
    positive_count, negative_count : int
        Words of the text that are in the positive and in the negative list.

    Returns
    -------
    float

    Raises
    ------
    DegenerateInputError
        If no word is in either list: no evidence is not a neutral score.

    References
    ----------
    Loughran, T. and McDonald, B. (2011), Journal of Finance 66.

    Examples
    --------
    >>> round(lexicon_polarity(3, 10), 4)
    -0.5385
    """
    positives = not_negative(positive_count, "positive_count")
    negatives = not_negative(negative_count, "negative_count")
    if positives + negatives == 0:
        raise DegenerateInputError("no word of the text is in the lists", hits=0)
    return (positives - negatives) / (positives + negatives)


def probability_difference(positive: float, negative: float, neutral: float | None = None) -> float:
    """Score of a three-way classifier, ``P(positive) - P(negative)``, -1 to 1.

    Parameters
    ----------
    positive, negative : float
        Probabilities.
    neutral : float, optional
        If given, the three must sum to 1 within 0.01.

    Returns
    -------
    float

    References
    ----------
    Araci, D. (2019), arXiv:1908.10063.
    """
    masses = [not_negative(positive, "positive"), not_negative(negative, "negative")]
    if neutral is not None:
        masses.append(not_negative(neutral, "neutral"))
    total = sum(masses)
    if total > 1.01 or (neutral is not None and total < 0.99):
        raise InvalidInputError(
            f"probabilities sum to {total:.4g}; give them as decimals of one classification",
            argument="positive",
        )
    return masses[0] - masses[1]


def normalized_valence(total: float) -> float:
    """Squash a sum of word valences into -1..1, ``s/sqrt(s^2 + 15)``."""
    value = finite(total, "total")
    return value / math.sqrt(value**2 + _NORMALIZATION)


@dataclass(frozen=True, slots=True)
class ValenceScore:
    """Score of a text by rated words and rules.

    Attributes
    ----------
    compound : float
        -1 to 1.
    n_hits : int
        Words of the text that the lexicon rates.
    """

    compound: float
    n_hits: int


def valence_score(text: str, valences: Mapping[str, float]) -> ValenceScore:
    """Score a text by the rules of VADER and a lexicon of valences.

    Parameters
    ----------
    text : str
        One sentence, best.
    valences : mapping of str to float
        Lower-case word or emoticon to valence, -4 to 4.

    Returns
    -------
    ValenceScore

    Raises
    ------
    DegenerateInputError
        If the lexicon rates no word of the text.

    Notes
    -----
    Capitals among lower case, degree words and negations up to three words before, "but", and
    question and exclamation marks change valences; their sum s scores ``s/sqrt(s^2 + 15)``. Idioms
    are not treated. Made for social media, not for finance.

    References
    ----------
    Hutto, C. and Gilbert, E. (2014), ICWSM-14.

    Examples
    --------
    >>> score = valence_score("Not good.", {"good": 1.9})
    >>> round(score.compound, 4)
    -0.3412
    """
    tokens = [_bare(token) for token in text.split()]
    words = [token.lower() for token in tokens]
    some_capitals = 0 < sum(token.isupper() for token in tokens) < len(tokens)
    rated = [
        0.0 if _is_degree(words, row) else _valence(tokens, words, row, valences, some_capitals)
        for row in range(len(tokens))
    ]
    hits = sum(word in valences and not _is_degree(words, row) for row, word in enumerate(words))
    if hits == 0:
        raise DegenerateInputError("the lexicon rates no word of the text", hits=0)
    if "but" in words:
        turn = words.index("but")
        rated = [
            value * (_BEFORE_BUT if row < turn else _AFTER_BUT if row > turn else 1.0)
            for row, value in enumerate(rated)
        ]
    total = math.fsum(rated)
    total += math.copysign(_emphasis(text), total) if total else 0.0
    return ValenceScore(normalized_valence(total), hits)


def _bare(token: str) -> str:
    """Strip punctuation from a word; what is left of an emoticon would be too short to be one."""
    stripped = token.strip(string.punctuation)
    return token if len(stripped) <= 2 else stripped


def _is_degree(words: Sequence[str], row: int) -> bool:
    word = words[row]
    return (
        word in _BOOSTERS
        or word in _DAMPENERS
        or (word == "kind" and row + 1 < len(words) and words[row + 1] == "of")
    )


def _valence(
    tokens: Sequence[str],
    words: Sequence[str],
    row: int,
    valences: Mapping[str, float],
    some_capitals: bool,  # noqa: FBT001 - private, and named at its only call
) -> float:
    if words[row] not in valences:
        return 0.0
    value = float(valences[words[row]])
    if tokens[row].isupper() and some_capitals:
        value += math.copysign(_CAPITALS, value)
    for distance, weight in enumerate(_DISTANCE_WEIGHTS, start=1):
        before = row - distance
        if before < 0 or words[before] in valences:
            continue
        value += weight * _degree(tokens[before], value, some_capitals)
        value *= _negation(words, row, distance)
        if distance == len(_DISTANCE_WEIGHTS):
            value += _paired_degree(words, row)
    if row > 0 and words[row - 1] == "least" and (row < 2 or words[row - 2] not in {"at", "very"}):
        value *= _NEGATION
    return value


def _degree(token: str, value: float, some_capitals: bool) -> float:  # noqa: FBT001 - as above
    word = token.lower()
    if word not in _BOOSTERS and word not in _DAMPENERS:
        return 0.0
    size = math.copysign(_BOOST, value) * (1.0 if word in _BOOSTERS else -1.0)
    if token.isupper() and some_capitals:
        size += math.copysign(_CAPITALS, value)
    return size


def _paired_degree(words: Sequence[str], row: int) -> float:
    pairs = (f"{words[row - 3]} {words[row - 2]}", f"{words[row - 2]} {words[row - 1]}")
    return -_BOOST * sum(pair in _DAMPENING_PAIRS for pair in pairs)


def _negation(words: Sequence[str], row: int, distance: int) -> float:
    word = words[row - distance]
    between = words[row - distance + 1 : row]
    if distance > 1 and word == "never" and ("so" in between or "this" in between):
        return _NEVER_SO
    if distance > 1 and word == "without" and "doubt" in between:
        return 1.0
    return _NEGATION if word in _NEGATIONS or "n't" in word else 1.0


def _emphasis(text: str) -> float:
    exclamations = min(text.count("!"), _MOST_EXCLAMATIONS) * _EXCLAMATION
    questions = text.count("?")
    if questions < 2:
        return exclamations
    return exclamations + (questions * _QUESTION if questions <= 3 else _MANY_QUESTIONS)
