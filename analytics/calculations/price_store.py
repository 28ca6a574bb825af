"""All prices of a client as arrays: read once per change of the facts, then mapped from files.

A block holds every instrument that has a price, on the union of all sessions. Reading it from rows
takes about a second per million; so it is written to files named by the data version, in a new
folder that is then renamed, and every worker process maps the same pages read-only.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection
from django.db.models import F, Q

from analytics.engine.types import BoolArray, DateArray, FloatArray, IntArray
from portfolios.identifiers import is_sandbox
from portfolios.models import CorporateAction
from portfolios.plans import Statement, rows_planned
from portfolios.selectors.positions import known_then

#: Bytes of one row of COPY BINARY: a count, then each value behind its length.
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("l1", ">i4"), ("instrument", ">i4"),
        ("l2", ">i4"), ("day", ">i4"),
        ("l3", ">i4"), ("close", ">f8"),
        ("l4", ">i4"), ("level", ">f8"),
    ]
)  # fmt: skip
_COPY_HEADER = 19
_COPY_TRAILER = 2
_FILES = ("sessions", "instruments", "closes", "levels")
_KEPT_IN_MEMORY = 4
#: Part of the files' name: raise it when the way levels are built changes.
_FORMAT = 2
_SPLIT = CorporateAction.Kind.SPLIT.value
_DRAFT = "draft-"
_ABANDONED_SECONDS = 3600


@dataclass(frozen=True, eq=False)
class PriceBlock:
    """Prices of many instruments on one list of sessions.

    `closes` are as traded, `levels` total-return levels of arbitrary start, both of shape
    (n_sessions, n_instruments) with NaN where there is none; nothing is filled forward.
    `version` names the state of the facts it was read from.
    """

    version: str
    sessions: DateArray
    instruments: IntArray
    closes: FloatArray
    levels: FloatArray

    is_current: bool = True
    """False: as the facts stood at an earlier time, read from rows and not kept."""

    @cached_property
    def _columns(self) -> dict[int, int]:
        return {int(pk): column for column, pk in enumerate(self.instruments)}

    @cached_property
    def present(self) -> BoolArray:
        """Whether there is a price: sessions by instruments."""
        here: BoolArray = ~np.isnan(self.levels) | ~np.isnan(self.closes)
        return here

    @cached_property
    def histories(self) -> list[int]:
        """Of each column a number that it shares with those priced on the same sessions."""
        numbers: dict[bytes, int] = {}
        columns = np.packbits(self.present, axis=0).T
        return [numbers.setdefault(column.tobytes(), len(numbers)) for column in columns]

    def column(self, instrument_id: int) -> int | None:
        """Where an instrument's prices are; None where it has none."""
        return self._columns.get(instrument_id)

    def columns(self, instrument_ids: Iterable[int]) -> IntArray:
        """Where the prices of instruments are that all have some."""
        return np.array([self._columns[pk] for pk in instrument_ids], dtype=np.int64)

    def rows_until(self, as_of: date) -> int:
        """How many sessions there are up to a day, that day included."""
        return int(np.searchsorted(self.sessions, np.datetime64(as_of, "D"), side="right"))


_open: OrderedDict[str, PriceBlock] = OrderedDict()


def price_block(
    client_id: uuid.UUID, known_at: datetime, changes: Sequence[tuple[Any, ...]] | None = None
) -> PriceBlock:
    """The prices a client knew at a time: shared ones, overlaid by its own.

    Runs inside the client's scope. `changes` are the rows of `changes_of`, where they have been
    read. Where nothing has changed since `known_at` this is the current block, kept in files; a
    look further back reads the rows as they stood then.
    """
    versions = _versions(client_id, changes)
    shared, own = versions.get(None), versions.get(client_id)
    version = f"v{_FORMAT}-{_stamp(shared)}"
    if own:
        version = f"{version}-{client_id.hex}-{_stamp(own)}"
    last = max((row[1] for row in (shared, own) if row), default=known_at)
    if last > known_at:
        then = f"{version}@{known_at.isoformat()}"
        return _read(then, client_id if own else None, known_at)
    block = _open.get(version)
    if block is None:
        block = _mapped(version)
        if block is None:
            block = _read(version, client_id if own else None, None)
            _publish(block)
            block = _mapped(version) or block
        _open[version] = block
    _open.move_to_end(version)
    while len(_open) > _KEPT_IN_MEMORY:
        _open.popitem(last=False)
    return block


def _stamp(row: tuple[int, datetime] | None) -> str:
    """Number and time of a version: a database restored from a copy repeats numbers."""
    return f"{row[0]}.{int(row[1].timestamp() * 1e6):x}" if row else "0"


def data_version(client_id: uuid.UUID) -> str:
    """The state of the facts that a client sees, for fingerprints."""
    versions = _versions(client_id)
    return ".".join(str(versions.get(owner, (0,))[0]) for owner in (None, client_id))


def changes_of(client_id: uuid.UUID) -> Statement:
    """What tells of the latest change of the shared facts, and of the client's own."""
    return _CHANGES, [client_id, is_sandbox(client_id)]


_CHANGES = (
    "SELECT client_id, version, changed_at FROM portfolios_dataversion"
    " WHERE client_id = %s OR (client_id IS NULL AND NOT %s)"
)


def _versions(
    client_id: uuid.UUID, changes: Sequence[tuple[Any, ...]] | None = None
) -> dict[uuid.UUID | None, tuple[int, datetime]]:
    """Number and time of the latest change: of the shared facts, and of the client's own."""
    rows = rows_planned(*changes_of(client_id)) if changes is None else changes
    return {row[0]: (row[1], row[2]) for row in rows}


def _read(version: str, client_id: uuid.UUID | None, known_at: datetime | None) -> PriceBlock:
    """Read the rows; a client's own row replaces the shared one of its session as a whole."""
    known = "superseded_at IS NULL"
    if known_at is not None:
        known = "recorded_at <= %(t)s AND (superseded_at IS NULL OR superseded_at > %(t)s)"
    parts = [] if is_sandbox(client_id) else ["client_id IS NULL"]
    if client_id is not None:
        parts.append("client_id = %(client)s")
    rows = np.concatenate(
        [
            _copy(
                "SELECT instrument_id, session - DATE '1970-01-01',"
                " coalesce(close::float8, 'NaN'), coalesce(total_return_index, 'NaN')"
                f" FROM portfolios_price WHERE {part} AND {known}",
                {"t": known_at, "client": client_id},
            )
            for part in parts
        ]
    )
    days, row_of = np.unique(rows["day"], return_inverse=True)
    instruments, column_of = np.unique(rows["instrument"], return_inverse=True)
    closes = np.full((days.size, instruments.size), np.nan)
    given = np.full_like(closes, np.nan)
    # Shared rows come first, so that own rows overwrite them.
    closes[row_of, column_of] = rows["close"]
    given[row_of, column_of] = rows["level"]
    sessions = days.astype("datetime64[D]")
    levels = _total_return_levels(
        closes, given, sessions, instruments.astype(np.int64), _actions(client_id, known_at)
    )
    return PriceBlock(
        version, sessions, instruments.astype(np.int64), closes, levels, is_current=known_at is None
    )


def _copy(query: str, parameters: dict[str, Any]) -> np.ndarray[Any, Any]:
    buffer = bytearray()
    connection.ensure_connection()
    # psycopg's own cursor: the one Django wraps around it for debugging takes no parameters here.
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)", parameters) as copy,
    ):
        for data in copy:
            buffer += data
    return np.frombuffer(bytes(buffer[_COPY_HEADER:-_COPY_TRAILER]), dtype=_ROW)


def _actions(
    client_id: uuid.UUID | None, known_at: datetime | None
) -> dict[int, list[tuple[date, float, float]]]:
    """Per instrument: ex-date, new shares per old one, cash per share as traded.

    A client's own action replaces the shared one of its day and kind; a block of shared prices
    goes by shared actions alone. Of one day the split comes first: the cash is per new share.
    """
    rows = CorporateAction.objects.filter(
        known_then(known_at), Q(client=client_id) | Q(client=None)
    )
    found: dict[tuple[int, date, str], tuple[float, float]] = {}
    for instrument, day, kind, new, old, amount in rows.order_by(
        F("client").asc(nulls_last=True)
    ).values_list("instrument", "ex_date", "kind", "new_shares", "old_shares", "amount"):
        ratio = new / old if new and old else 1.0
        found.setdefault((instrument, day, kind), (ratio, float(amount or 0.0)))
    actions: dict[int, list[tuple[date, float, float]]] = {}
    for instrument, day, kind in sorted(found, key=lambda k: (k[1], k[2] != _SPLIT)):
        actions.setdefault(instrument, []).append((day, *found[instrument, day, kind]))
    return actions


def _total_return_levels(
    closes: FloatArray,
    given: FloatArray,
    sessions: DateArray,
    instruments: IntArray,
    actions: dict[int, list[tuple[date, float, float]]],
) -> FloatArray:
    levels = given.copy()
    incomplete = np.isnan(given) & ~np.isnan(closes)
    for column in np.flatnonzero(incomplete.any(axis=0)):
        levels[:, column] = _chained(
            closes[:, column], given[:, column], sessions, actions.get(int(instruments[column]), [])
        )
    return levels


def _chained(
    closes: FloatArray,
    given: FloatArray,
    sessions: DateArray,
    actions: list[tuple[date, float, float]],
) -> FloatArray:
    """Total-return levels of one instrument whose own ones are missing or have holes.

    From one priced session to the next the growth is that of the given levels where both have one,
    else of the closes with splits and distributions between. Where neither pair exists the history
    breaks, and the longest unbroken part is kept.
    """
    shares = np.ones(sessions.size)
    cash = np.zeros(sessions.size)
    for day, ratio, amount in actions:
        row = int(np.searchsorted(sessions, np.datetime64(day, "D")))
        if row < sessions.size:
            shares[row:] *= ratio
            cash[row] += amount * shares[row]
    present = np.flatnonzero(~np.isnan(closes) | ~np.isnan(given))
    paid = np.cumsum(cash)[present]
    adjusted = (closes * shares)[present]
    with np.errstate(invalid="ignore"):
        by_close = (adjusted[1:] + np.diff(paid)) / adjusted[:-1]
        growth = given[present][1:] / given[present][:-1]
    growth = np.where(np.isnan(growth), by_close, growth)
    breaks = np.flatnonzero(np.isnan(growth)) + 1
    starts = np.concatenate([[0], breaks])
    stops = np.concatenate([breaks, [present.size]])
    longest = int(np.argmax(stops - starts))
    part = slice(int(starts[longest]), int(stops[longest]))
    levels = np.full(sessions.size, np.nan)
    levels[present[part]] = np.concatenate([[1.0], np.cumprod(growth[part.start : part.stop - 1])])
    return levels


def _folder() -> Path:
    return Path(settings.STATE_DIR) / "panels"


def _mapped(version: str) -> PriceBlock | None:
    folder = _folder() / version
    try:
        # Seen as plain arrays: the mapping's own class makes every look at a row ten times dearer.
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray) for name in _FILES
        }
    except FileNotFoundError:
        return None
    return PriceBlock(version=version, **arrays)


def _publish(block: PriceBlock) -> None:
    """Write the block beside the others and remove the owner's older ones.

    Whoever has an old one mapped keeps it: an unlinked file lives as long as its mappings.
    """
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder))
    for name in _FILES:
        np.save(draft / f"{name}.npy", getattr(block, name), allow_pickle=False)
    try:
        draft.rename(folder / block.version)
    except OSError:
        # Another process was first with the same block.
        shutil.rmtree(draft, ignore_errors=True)
        return
    for other in folder.iterdir():
        same_owner = _owner(other.name) == _owner(block.version) and other.name != block.version
        if same_owner or _is_abandoned(other):
            shutil.rmtree(other, ignore_errors=True)


def _owner(version: str) -> str:
    """Whose block this is: a client's id, nothing for the shared one, the name for a draft."""
    if version.startswith(_DRAFT):
        return version
    return "".join(version.split("-")[2:3])


def _is_abandoned(folder: Path) -> bool:
    """A draft whose writer was killed."""
    with contextlib.suppress(OSError):
        age = time.time() - folder.stat().st_mtime
        return folder.name.startswith(_DRAFT) and age > _ABANDONED_SECONDS
    return False
