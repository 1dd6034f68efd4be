"""Dial values as intervals: what the dial moved between two instants that are one interval apart.

A gap stays a gap: nothing is spread over missing instants here, the register readings let VEE do it and scale. A dial
that falls has turned over if it fell by more than half its range; else it was reset or exchanged, and that is refused,
never guessed: a meter swap is a fact in the registry, with channels of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.unify.intervals import Rows, stamp
from openami.mdus.unify.refusals import BAD_TIME, CONTRADICTION, Refusals
from openami.shared.quality import has_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from openami.mdus.unify.matching import ChannelDescription


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Dial values that are already kept around the ones that arrive, by interval channel, in its scale."""

    channel: NDArray[np.int64]
    at_s: NDArray[np.int64]
    value: NDArray[np.int64]

    @staticmethod
    def of(readings: Iterable[tuple[int, int, int]]) -> Anchors:
        """From (channel, at_s, value) tuples."""
        table = np.array(list(readings), np.int64).reshape(-1, 3)
        return Anchors(table[:, 0], table[:, 1], table[:, 2])


NO_ANCHORS = Anchors.of([])


@dataclass(frozen=True, slots=True, eq=False)
class Dials:
    """Dial values to be differenced: rows whose `start_s` is the instant of the value."""

    rows: Rows

    def on_grid(self, refusals: Refusals) -> Dials:
        """Stamps within the tolerance of their channel move to the nearest instant of its grid; others are refused."""
        rows = self.rows
        if not rows.start_s.size:
            return self
        channels = [run.channel for run in rows.runs]
        length = np.array([channel.interval_s for channel in channels])[rows.run]
        phase = np.array([_phase(channel, rows) for channel in channels])[rows.run]
        tolerance = np.array([channel.tolerance_s for channel in channels])[rows.run]
        nearest = (rows.start_s - phase + length // 2) // length * length + phase
        off = np.abs(nearest - rows.start_s) > tolerance
        kept = rows.refuse(off, refusals, BAD_TIME, "a dial value that is not at an instant of the channel's grid")
        kept.start_s[:] = nearest[~off]
        return Dials(kept)

    def differences(self, anchors: Anchors, refusals: Refusals) -> Rows:
        """The intervals between neighbouring dial values of which at least one is new."""
        rows = self.rows
        good = has_value(rows.quality)
        rows = rows.where(good)
        known = len(anchors.channel)
        channel = np.concatenate([anchors.channel, rows.channel])
        at_s = np.concatenate([anchors.at_s, rows.start_s])
        value = np.concatenate([anchors.value, rows.value])
        order = np.lexsort((np.arange(len(channel)), at_s, channel))
        # Of several values for one instant the last stands: what arrives, over what was kept.
        last = np.ones(len(order), np.bool_)
        last[:-1] = (channel[order][1:] != channel[order][:-1]) | (at_s[order][1:] != at_s[order][:-1])
        order = order[last]
        before, after = order[:-1], order[1:]
        by_number = {run.channel.channel: run.channel for run in rows.runs}
        length = _of_channels(channel[after], {number: each.interval_s for number, each in by_number.items()})
        pair = (channel[before] == channel[after]) & (at_s[after] - at_s[before] == length)
        pair &= (before >= known) | (after >= known)
        before, after = before[pair], after[pair]
        moved = value[after] - value[before]
        rollover = _of_channels(channel[after], {number: each.rollover or 0 for number, each in by_number.items()})
        turned = (moved < 0) & (-moved > rollover // 2) & (rollover > 0)
        moved += np.where(turned, rollover, 0)
        # The new one of the two tells where the interval comes from; it has run, quality and flags.
        newer = np.where(after >= known, after, before) - known
        made = Rows(
            rows.runs, rows.run[newer], rows.row[newer], at_s[before], moved, rows.quality[newer], rows.flags[newer]
        )
        _refuse_falls(made, value[before], value[after], refusals)
        return made.where(moved >= 0)


def _refuse_falls(made: Rows, old: NDArray[np.int64], new: NDArray[np.int64], refusals: Refusals) -> None:
    refusals.rows(
        made.value < 0,
        made.run,
        [run.source for run in made.runs],
        made.row,
        CONTRADICTION,
        lambda row: (
            f"the dial fell from {old[row]} to {new[row]} in the interval from {stamp(made.start_s[row])}: "
            "a reset, or an exchange that the registry does not know."
        ),
    )


def _phase(channel: ChannelDescription, rows: Rows) -> int:
    """Where the grid of a channel lies: its local day may start at a half hour."""
    calendar = channel.calendar
    return calendar.start_s(calendar.day_of(int(rows.start_s[0]))) % channel.interval_s


def _of_channels(channel: NDArray[np.int64], facts: dict[int, int]) -> NDArray[np.int64]:
    """A fact of each row's channel; -1 for a channel of which only anchors are here."""
    distinct, inverse = np.unique(channel, return_inverse=True)
    return np.array([facts.get(int(number), -1) for number in distinct], np.int64)[inverse]
