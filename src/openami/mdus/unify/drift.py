"""Intervals of a clock that was wrong: their energy onto the channel's grid (V03).

Within the tolerance of its clock an interval counts for the nearest one of the grid. Beyond it, up to a limit, its
energy is prorated: each interval of the grid gets the share of the time that it has in common with the shifted ones.
Nothing is lost or invented: parts sum to what was delivered, and an interval that is covered only in part stays open.

A meter whose clock is wrong stamps on the grid all the same. That it was wrong is told by whoever looked at the clock
when it was read: an event `clock.sync_needed` that rides with the readings, `value` seconds ahead of the true time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.unify.intervals import Rows
from openami.mdus.unify.oddities import Oddity
from openami.mdus.unify.refusals import BAD_TIME, Refusals
from openami.shared.quality import Origin, has_value, origins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.mdus.unify.matching import ChannelDescription
    from openami.shared.contract.field import IntervalBlock, MeterReading

_SECONDS: Final = re.compile(r"-?\d{1,9}", re.ASCII)
_HOUR_S: Final = 3600
"""Longer intervals are days: a clock does not shift them."""


def blocks_of(reading: MeterReading) -> tuple[IntervalBlock, ...]:
    """The blocks of a meter, with how far ahead its clock was, if an event beside them tells."""
    mine = [event for event in reading.events if event.device in {None, reading.meter}]
    told = [event.detail("value") or "" for event in mine if event.name == "clock.sync_needed"]
    if not told or not _SECONDS.fullmatch(told[-1]):
        return reading.blocks
    return tuple(replace(block, clock_ahead_s=int(told[-1])) for block in reading.blocks)


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """Of each row: the length of its channel's intervals, how late it begins in one of the grid, and the limits."""

    length: NDArray[np.int64]
    late: NDArray[np.int64]
    ahead: NDArray[np.int64]
    tolerance: NDArray[np.int64]
    most: NDArray[np.int64]

    @staticmethod
    def of(rows: Rows) -> _Facts:
        channels = [run.channel for run in rows.runs]
        length, tolerance, most = (
            np.array([getattr(one, name) for one in channels], np.int64)[rows.run]
            for name in ("interval_s", "clock_tolerance_s", "prorate_max_s")
        )
        ahead = np.array([run.block.clock_ahead_s for run in rows.runs], np.int64)[rows.run]
        ahead[np.abs(ahead) <= tolerance] = 0
        return _Facts(length, _late(rows, length), ahead, tolerance, most)

    @property
    def shift(self) -> NDArray[np.int64]:
        """How far from the nearest instant of the grid."""
        return np.asarray(np.minimum(self.late, self.length - self.late) * (self.late > 0), np.int64)

    @property
    def to_nearest(self) -> NDArray[np.int64]:
        """The seconds from the row to the nearest instant of the grid."""
        return np.asarray(np.where(self.late * 2 < self.length, -self.late, self.length - self.late), np.int64)


def _late(rows: Rows, length: NDArray[np.int64]) -> NDArray[np.int64]:
    """How long after an instant of the grid each row begins. The grid is that of local days, whatever their length."""
    # almost always all rows lie as far from one another as intervals do, and the first of them on the grid
    first = np.array([_begins(run.channel, run.block.starts[:1]) for run in rows.runs], np.int64)
    hours = (length > 0) & (length <= _HOUR_S)
    late = np.where(hours, (rows.start_s - first[rows.run]) % np.maximum(length, 1), 0)
    for number in np.unique(rows.run[late > 0]).tolist():
        mine, calendar = rows.run == number, rows.runs[number].channel.calendar
        day, _, on_grid = calendar.slots(rows.start_s[mine])
        late[mine] = np.where(on_grid, 0, (rows.start_s[mine] - calendar.starts_s(day)) % length[mine])
    return late


def _begins(channel: ChannelDescription, first: NDArray[np.int64]) -> int:
    return channel.calendar.start_s(channel.calendar.day_of(int(first[0]))) if len(first) else 0


def prorated(rows: Rows, refusals: Refusals) -> Rows:
    """The rows with those of a shifted clock on the grid; what is beyond the limits is left as it is."""
    if not rows.start_s.size:
        return rows
    rows, facts = _at_true_time(rows, _Facts.of(rows), refusals)
    shift = facts.shift
    if not shift.any():
        return rows
    furthest = np.zeros(len(rows.runs), np.int64)
    np.maximum.at(furthest, rows.run, shift)
    beyond = furthest[rows.run] > facts.tolerance
    near = (shift > 0) & ~beyond
    rows.start_s[near] += facts.to_nearest[near]
    split = beyond & (shift <= facts.most) & (furthest[rows.run] <= facts.most)
    if not split.any():
        return rows
    return _joined(rows.where(~split), _split(rows.where(split), _Facts.of(rows.where(split)), refusals))


def _at_true_time(rows: Rows, facts: _Facts, refusals: Refusals) -> tuple[Rows, _Facts]:
    """Rows of a clock that is known to have been wrong, where they belong; those beyond the limit are refused."""
    if not facts.ahead.any():
        return rows, facts
    beyond = np.abs(facts.ahead) > facts.most
    moved = rows.refuse(beyond, refusals, BAD_TIME, "the clock that stamped it was too wrong to tell the time of it")
    moved.start_s[:] -= facts.ahead[~beyond]
    found = _Facts.of(moved)
    whole = (found.ahead != 0) & (found.shift <= found.tolerance)  # by whole intervals: nothing is prorated
    noted = moved.where(whole)
    noted.start_s[:] += found.to_nearest[whole] * (found.late[whole] > 0)
    _note(noted, np.abs(found.ahead)[whole], refusals)
    return moved, found


def _split(rows: Rows, facts: _Facts, refusals: Refusals) -> Rows:
    """Rows cut at the grid, and the pieces of each interval of the grid put together."""
    there = np.flatnonzero(has_value(rows.quality))
    length, late, value = facts.length[there], facts.late[there], rows.value[there]
    quotient, rest = value // length, value % length
    later = quotient * late + (2 * rest * late + length) // (2 * length)
    begin = rows.start_s[there] - late
    of = np.concatenate((there, there))
    grid = np.concatenate((begin, begin + length))
    covered, part = np.concatenate((length - late, late)), np.concatenate((value - later, later))
    kept = covered > 0
    of, grid, covered, part = of[kept], grid[kept], covered[kept], part[kept]
    order = np.lexsort((-covered, grid, rows.channel[of]))
    of, grid, covered, part = of[order], grid[order], covered[order], part[order]
    first = np.ones(len(of), np.bool_)
    first[1:] = (grid[1:] != grid[:-1]) | (rows.channel[of][1:] != rows.channel[of][:-1])
    begins = np.flatnonzero(first)
    if not begins.size:
        return rows.where(np.zeros(len(rows.run), np.bool_))
    mine = of[begins]
    quality = np.where(
        origins(rows.quality[mine]) == Origin.MEASURED, np.uint8(Origin.DERIVED << 3), rows.quality[mine]
    )
    made = Rows(
        rows.runs,
        rows.run[mine],
        rows.row[mine],
        grid[begins],
        np.add.reduceat(part, begins),
        quality.astype(np.uint8),
        np.bitwise_or.reduceat(rows.flags[of], begins),
    )
    gap = np.abs(np.add.reduceat(covered, begins) - facts.length[mine])
    made_whole = gap <= facts.tolerance[mine]
    _note(made.where(made_whole), np.maximum(facts.shift, np.abs(facts.ahead))[mine][made_whole], refusals)
    return made.refuse(~made_whole, refusals, BAD_TIME, "the intervals of a wrong clock cover it only in part")


def _note(made: Rows, shift: NDArray[np.int64], refusals: Refusals) -> None:
    channel = made.channel
    for one in np.unique(channel).tolist():
        own = channel == one
        refusals.odd.append(Oddity("V03", one, made.start_s[own], shift[own]))


def _joined(left: Rows, right: Rows) -> Rows:
    """Rows of the same runs, together."""
    names = ("run", "row", "start_s", "value", "quality", "flags")
    return Rows(left.runs, *(np.concatenate((getattr(left, name), getattr(right, name))) for name in names))
