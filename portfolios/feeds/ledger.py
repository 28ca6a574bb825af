"""Where the checks of one file write down what they found."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolios.feeds.verdict import MAX_PROBLEMS, Effect, Note, RowProblem

_NAMED = 5


@dataclass(slots=True)
class Ledger:
    """Records of a file in file order (`rows` are line numbers), still alive where `kept`."""

    rows: NDArray[np.int64]
    text: dict[str, pa.Array]
    values: dict[str, NDArray[np.float64]]
    days: dict[str, NDArray[np.datetime64]]
    notes: list[Note] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    kept: NDArray[np.bool_] = field(init=False)
    _dropped: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kept = np.ones(len(self.rows), dtype=bool)

    def note(self, code: str, message: str) -> None:
        self.notes.append(Note(code, message))

    def report(self, problem: RowProblem) -> None:
        self.counts[problem.code] += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def of_file(self, code: str, message: str, *, suggestion: str | None = None) -> None:
        self.report(RowProblem(None, None, code, None, message, suggestion, Effect.FILE))

    def named(self, places: list[int]) -> str:
        """Rows as a message names them; of many the first few, as each of them is told of all."""
        named = " and ".join(str(self.rows[i]) for i in places[:_NAMED])
        more = len(places) - _NAMED
        return f"{named} and {more:,} more" if more > 0 else named

    def reject(
        self,
        index: int,
        code: str,
        message: str,
        *,
        column: str | None = None,
        value: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """`value` is the cell as sent, where it could not be read and so is not in the columns."""
        if value is None and column is not None:
            value = self.cell(index, column)
        self.report(
            RowProblem(int(self.rows[index]), column, code, value, message, suggestion, Effect.ROW)
        )
        self.kept[index] = False

    def reject_where(self, mask: NDArray[np.bool_], code: str, message: str, column: str) -> None:
        """Reject the rows that are still kept and in the mask."""
        for i in np.flatnonzero(mask & self.kept).tolist():
            self.reject(i, code, message, column=column)

    def drop_cell(
        self,
        index: int,
        column: str,
        code: str,
        message: str,
        *,
        value: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """The row stays, this cell becomes null."""
        self.report(
            RowProblem(
                int(self.rows[index]),
                column,
                code,
                value if value is not None else self.cell(index, column),
                message,
                suggestion,
                Effect.CELL,
            )
        )
        self.values[column][index] = np.nan
        if column not in self._dropped:
            self._dropped[column] = np.zeros(len(self.rows), dtype=bool)
        self._dropped[column][index] = True

    def cell(self, index: int, column: str) -> str | None:
        if column in self.days:
            day = self.days[column][index]
            return None if np.isnat(day) else str(day)
        cell = self.text[column][index].as_py()
        return None if cell is None else str(cell)[:80]

    def accepted(self, order: NDArray[np.int64]) -> pa.Table:
        """The kept records in `order`, dates as date32 and everything else as text."""
        take = pa.array(order)
        columns: dict[str, pa.Array] = {"row": pa.array(self.rows[order].astype(np.int32))}
        for name, days in self.days.items():
            columns[name] = pa.array(days[order])
        for name, text in self.text.items():
            dropped = self._dropped.get(name)
            if dropped is None:
                columns[name] = text.take(take)
            else:
                null = pa.scalar(None, pa.string())
                columns[name] = pc.if_else(pa.array(dropped), null, text).take(take)
        return pa.table(columns)
