"""Answering reference rows with the engine, and comparing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from analytics.engine.errors import DegenerateInputError, EngineError, InsufficientDataError
from analytics.engine.reference import (
    around_rows,
    beta_rows,
    hedge_rows,
    leverage_rows,
    option_rows,
    stress_rows,
    tail_rows,
    wording,
)
from analytics.engine.reference.questions import Answers, Question
from analytics.engine.reference.rows import (
    DATASET_METHOD,
    Datasets,
    NotCoveredError,
    ReferenceRow,
    datasets_of,
)

_FAMILIES: Answers = {
    **beta_rows.ANSWERS,
    **hedge_rows.ANSWERS,
    **leverage_rows.ANSWERS,
    **option_rows.ANSWERS,
    **stress_rows.ANSWERS,
    **tail_rows.ANSWERS,
    **around_rows.ANSWERS,
}


def evaluate(row: ReferenceRow, datasets: Datasets) -> float | None:
    """Answer a row with the engine.

    Parameters
    ----------
    row : ReferenceRow
    datasets : mapping of name to columns

    Returns
    -------
    float or None
        None where the engine says that there is too little data or nothing to divide by.

    Raises
    ------
    NotCoveredError
        If the engine has no method for it.
    """
    family = row.family if row.family in _FAMILIES else wording.family_of(row)
    if family is None:
        raise NotCoveredError(f"neither the id nor {row.method!r} names a method of the engine")
    if "unresolved" in row.inputs:
        raise NotCoveredError(f"row {row.inputs['unresolved']!r}, whose inputs it uses, is absent")
    first: NotCoveredError | None = None
    for output, is_last_try in _readings(row, family):
        question = Question(row, datasets, family=family, output=output, is_last_try=is_last_try)
        try:
            return _FAMILIES[family](question)
        except NotCoveredError as error:
            first = first or error
        except KeyError as error:
            first = first or NotCoveredError(f"{family} needs the input {error}")
        except (InsufficientDataError, DegenerateInputError):
            return None
    raise first or NotCoveredError(row.row_id)


def _readings(row: ReferenceRow, family: str) -> Iterator[tuple[str, bool]]:
    """Yield outputs to try, and whether the family's headline may answer in their place."""
    yield from ((output, False) for output in wording.outputs_of(row, family))
    if "output" not in row.inputs:
        yield row.output, True


class Outcome(StrEnum):
    """What came of a row."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_COVERED = "not_covered"


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row's expected and actual answer.

    Attributes
    ----------
    error : float or None
        Absolute difference; None where one side is null or there was no answer.
    note : str
        Why it failed or was not covered, if there was no number; the refusal, if there was one.
    """

    row: ReferenceRow
    outcome: Outcome
    actual: float | None = None
    error: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class FamilySummary:
    """Rows of one method prefix.

    Attributes
    ----------
    max_error : float
        Largest absolute error.
    max_error_in_tolerances : float or None
        Largest error over its tolerance; None if a row of tolerance 0 was missed.
    """

    family: str
    rows: int
    passed: int
    failed: int
    not_covered: int
    max_error: float
    max_error_in_tolerances: float | None


def check(rows: Iterable[ReferenceRow], datasets: Datasets) -> tuple[CheckedRow, ...]:
    """Check every row that is not itself a data set.

    Parameters
    ----------
    rows : iterable of ReferenceRow
    datasets : mapping of name to columns
        Those the rows carry are added to them.

    Returns
    -------
    tuple of CheckedRow
    """
    rows = tuple(rows)
    available = {**datasets, **datasets_of(rows)}
    return tuple(_checked(row, available) for row in rows if row.method != DATASET_METHOD)


def _checked(row: ReferenceRow, datasets: Datasets) -> CheckedRow:
    try:
        actual = evaluate(row, datasets)
    except NotCoveredError as error:
        return CheckedRow(row, Outcome.NOT_COVERED, note=str(error))
    except EngineError as error:
        # A refusal is no number, so it is what a row without an expected one asks for.
        outcome = Outcome.PASSED if row.expected is None else Outcome.FAILED
        return CheckedRow(row, outcome, note=f"{type(error).__name__}: {error}")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A malformed row must be told from a wrong number, and must not stop the others.
        return CheckedRow(row, Outcome.FAILED, note=f"{type(error).__name__}: {error}")
    if actual is None or row.expected is None:
        agrees = actual is None and row.expected is None
        note = "" if agrees else f"expected {row.expected}, answered {actual}"
        return CheckedRow(row, Outcome.PASSED if agrees else Outcome.FAILED, actual, None, note)
    error_size = abs(actual - row.expected)
    outcome = Outcome.PASSED if error_size <= row.tolerance else Outcome.FAILED
    return CheckedRow(row, outcome, actual, error_size)


def summarize(checked: Iterable[CheckedRow]) -> tuple[FamilySummary, ...]:
    """Summarize by method prefix, in order of first appearance."""
    groups: dict[str, list[CheckedRow]] = {}
    for result in checked:
        groups.setdefault(result.row.family, []).append(result)
    return tuple(_summary(family, members) for family, members in groups.items())


def _summary(family: str, members: Sequence[CheckedRow]) -> FamilySummary:
    counts = {outcome: sum(m.outcome is outcome for m in members) for outcome in Outcome}
    measured = [(m.error, m.row.tolerance) for m in members if m.error is not None]
    ratios = [error / tolerance for error, tolerance in measured if tolerance > 0]
    missed_exact = any(error > 0 and tolerance == 0 for error, tolerance in measured)
    return FamilySummary(
        family=family,
        rows=len(members),
        passed=counts[Outcome.PASSED],
        failed=counts[Outcome.FAILED],
        not_covered=counts[Outcome.NOT_COVERED],
        max_error=max((error for error, _ in measured), default=0.0),
        max_error_in_tolerances=None if missed_exact else max(ratios, default=0.0),
    )
