"""Reference rows in the form of reference_values.csv, answered by the engine.

`rows` reads them, `questions` gives typed access, one module a family of methods answers, and
`checking` compares. Nothing here computes a method; a row the engine has no method for is
reported as not covered.
"""

from analytics.engine.reference.checking import (
    CheckedRow,
    FamilySummary,
    Outcome,
    check,
    evaluate,
    summarize,
)
from analytics.engine.reference.rows import (
    NotCoveredError,
    ReferenceFormatError,
    ReferenceRow,
    datasets_of,
    external_datasets,
    parse_rows,
)

__all__ = [
    "CheckedRow",
    "FamilySummary",
    "NotCoveredError",
    "Outcome",
    "ReferenceFormatError",
    "ReferenceRow",
    "check",
    "datasets_of",
    "evaluate",
    "external_datasets",
    "parse_rows",
    "summarize",
]
