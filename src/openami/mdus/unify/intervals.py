"""Readings of many blocks at once: onto the channels' scale, grid and quality, without a loop over readings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus import series
from openami.mdus.unify.errors import UnknownUnitError
from openami.mdus.unify.oddities import Oddity
from openami.mdus.unify.qualities import unified_quality
from openami.mdus.unify.refusals import BAD_TIME, BAD_VALUE, CONTRADICTION, UNKNOWN_TYPE, Refusals, Source
from openami.mdus.unify.units import power_between
from openami.shared.quality import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from openami.mdus.unify.matching import ChannelDescription
    from openami.shared.contract.field import IntervalBlock, QualityCode

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SHIFT: Final = 18
_LARGEST: Final = 2**63 - 1
FUTURE_S: Final = 86_400
"""How far ahead of its reception a reading may be stamped: a clock may be wrong, a day is not a clock error."""


@dataclass(frozen=True, slots=True)
class Run:
    """A block, and one channel that takes its readings for some span. A block has a run for each such channel."""

    block: IntervalBlock
    number: int
    """Which block of the delivery it is: the blocks of all runs of one number are the same."""
    channel: ChannelDescription
    source: Source
    told: tuple[str, str] | None = None
    """Another name than the meter's that the delivery gave it, and the one expected (V01)."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Readings of many runs as columns; `run` and `row` say where each comes from."""

    runs: Sequence[Run]
    run: NDArray[np.intp]
    row: NDArray[np.intp]
    start_s: NDArray[np.int64]
    value: NDArray[np.int64]
    quality: NDArray[np.uint8]
    flags: NDArray[np.uint8]

    @property
    def channel(self) -> NDArray[np.int64]:
        """The channel of each row."""
        return np.array([run.channel.channel for run in self.runs], np.int64)[self.run]

    def where(self, keep: NDArray[np.bool_]) -> Rows:
        """The rows that are kept."""
        return Rows(
            self.runs, self.run[keep], self.row[keep], self.start_s[keep], self.value[keep], self.quality[keep],
            self.flags[keep],
        )  # fmt: skip

    def refuse(self, bad: NDArray[np.bool_], refusals: Refusals, code: str, words: str) -> Rows:
        """Refuse some rows and go on with the others."""
        sources = [run.source for run in self.runs]
        refusals.rows(bad, self.run, sources, self.row, code, lambda row: f"{words} ({stamp(self.start_s[row])}).")
        return self.where(~bad)


def stamp(seconds: np.int64 | int) -> str:
    """An instant as people read it in a refusal."""
    return f"{np.datetime64(int(seconds), 's')}Z"


@lru_cache(maxsize=4096)
def quality_columns(sets: tuple[tuple[QualityCode, ...], ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Quality byte and flags of each set of codes of a block."""
    pairs = np.array([unified_quality(codes) for codes in sets], np.uint8).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def gather(runs: Sequence[Run], received_at: datetime, refusals: Refusals) -> Rows:
    """All rows of all runs in the channels' scale, each within the span of its channel; the others are refused."""
    usable = [run for run in runs if _has_unit(run, refusals)]
    if not usable:
        nothing = np.zeros(0, np.int64)
        return Rows((), nothing, nothing, nothing, nothing, nothing.astype(np.uint8), nothing.astype(np.uint8))
    lengths = np.array([len(run.block) for run in usable])
    tables = [quality_columns(run.block.quality_sets) for run in usable]
    missing = np.concatenate([run.block.missing for run in usable])
    quality = np.concatenate([t[0][run.block.quality_index] for t, run in zip(tables, usable, strict=True)])
    rows = Rows(
        runs=usable,
        run=np.repeat(np.arange(len(usable)), lengths),
        row=np.concatenate([np.arange(length) for length in lengths]),
        start_s=np.concatenate([run.block.starts for run in usable]),
        value=np.concatenate([run.block.values for run in usable]),
        quality=np.where(missing, np.uint8(MISSING), quality),
        flags=np.concatenate([t[1][run.block.quality_index] for t, run in zip(tables, usable, strict=True)]),
    )
    return _scaled(_within_spans(rows, received_at, refusals), refusals)


def _has_unit(run: Run, refusals: Refusals) -> bool:
    try:
        _shift(run)
    except UnknownUnitError as error:
        refusals.part(run.source, UNKNOWN_TYPE, str(error))
        unit = run.block.reading_type.unit_symbol
        if run.channel.interval_s:
            starts = run.block.starts
            refusals.odd.append(Oddity.of("V09", run.channel.channel, starts, told=unit, expected=run.channel.unit))
        return False
    return True


def _shift(run: Run) -> int:
    power = power_between(run.block.reading_type.unit_symbol, run.channel.unit)
    return run.block.scale + power - run.channel.scale


def _within_spans(rows: Rows, received_at: datetime, refusals: Refusals) -> Rows:
    """Rows that lie in no channel's span are refused once, whatever the number of channels that were tried."""
    start = np.array([_seconds(run.channel.span.start) for run in rows.runs])[rows.run]
    end = np.array([_seconds(run.channel.span.end) for run in rows.runs])[rows.run]
    length = np.array([run.block.interval_s for run in rows.runs])[rows.run]
    # An interval in which a meter was exchanged touches the spans of both; each delivers its part.
    inside = (rows.start_s < end) & (rows.start_s + length > start)
    # A value at an instant may be the last one, at the very end of the span.
    inside |= (length == 0) & (rows.start_s >= start) & (rows.start_s <= end)
    _refuse_homeless(rows, inside, refusals)
    rows = rows.where(inside)
    late = rows.start_s > _seconds(received_at) + FUTURE_S
    words = f"stamped in the future of its reception at {received_at:%Y-%m-%d %H:%M}Z"
    return rows.refuse(late, refusals, BAD_TIME, words)


def _refuse_homeless(rows: Rows, inside: NDArray[np.bool_], refusals: Refusals) -> None:
    if inside.all():
        return
    block = np.array([run.number for run in rows.runs])[rows.run]
    key = np.stack((block, rows.row))
    taken, inverse = np.unique(key, axis=1, return_inverse=True)
    hit = np.zeros(taken.shape[1], np.bool_)
    np.logical_or.at(hit, inverse, inside)
    first = np.zeros(len(rows.run), np.bool_)
    first[np.unique(inverse, return_index=True)[1]] = True
    rows.refuse(
        ~hit[inverse] & first, refusals, BAD_TIME, "no channel of this device takes such a reading at that time"
    )


def _seconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(seconds=1)


def _scaled(rows: Rows, refusals: Refusals) -> Rows:
    """Values in the channels' scale, exactly; what is finer or larger than the scale can hold is refused."""
    shift = np.array([_shift(run) for run in rows.runs])[rows.run]
    factor = 10 ** np.minimum(np.abs(shift), _MAX_SHIFT).astype(np.int64)
    up = shift >= 0
    fits = np.where(up, np.abs(rows.value) <= _LARGEST // factor, rows.value % factor == 0)
    fits &= (np.abs(shift) <= _MAX_SHIFT) | (rows.value == 0)
    with np.errstate(over="ignore"):
        rows.value[:] = np.where(up, rows.value * factor, rows.value // factor)
    return rows.refuse(
        ~fits, refusals, BAD_VALUE, "the value is finer or larger than the scale of its channel can hold exactly"
    )


def into_days(rows: Rows, refusals: Refusals) -> list[series.ChannelDays]:
    """Rows as dense channel-days; rows off the grid, and all but the last of contradicting ones, are refused."""
    calendars = {run.channel.channel: run.channel.calendar for run in rows.runs}
    placed = series.place(calendars, rows.channel, rows.start_s, rows.value, rows.quality, rows.flags)
    rows.refuse(_mask(rows, placed.off_grid), refusals, BAD_TIME, "not on the channel's grid")
    contradicting = _mask(rows, placed.contradicting)
    rows.refuse(contradicting, refusals, CONTRADICTION, "a later value of this delivery contradicts it")
    channel = rows.channel
    for each in np.unique(channel[contradicting]).tolist():
        starts = np.unique(rows.start_s[contradicting & (channel == each)])
        refusals.odd.append(Oddity.of("V06", each, starts))
    return placed.groups


def _mask(rows: Rows, positions: NDArray[np.intp]) -> NDArray[np.bool_]:
    mask = np.zeros(len(rows.run), np.bool_)
    mask[positions] = True
    return mask
