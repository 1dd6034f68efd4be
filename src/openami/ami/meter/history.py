"""What a meter has lived through, as the few instants at which something changed; everything else is arithmetic.

A register is the register at the last change plus what the home has used since, if the output was live. So a meter
costs nothing while time passes, and the differences of its register add up whatever happened: energy is conserved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter.recordings import Flow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from openami.ami.meter.recordings import Loads

FOREVER_S: Final = 2**62
ALL: Final = 1000
"""Per mille of what flows that goes through a meter which nobody has tampered with."""
_MIRRORED: Final = {
    Flow.IMPORT: Flow.EXPORT,
    Flow.EXPORT: Flow.IMPORT,
    Flow.Q1: Flow.Q3,
    Flow.Q3: Flow.Q1,
    Flow.Q2: Flow.Q4,
    Flow.Q4: Flow.Q2,
}
"""What a meter takes each flow for whose connection is the wrong way round."""


class Changes:
    """Instants (ascending) with the values in force from each on, as arrays that are rebuilt only after a change."""

    def __init__(self) -> None:
        self.at_s: list[int] = []
        self.values: list[int] = []
        self._arrays: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def add(self, at_s: int, value: int) -> None:
        """From `at_s` on, `value` is in force; a second value at the same instant replaces the first."""
        if self.at_s and self.at_s[-1] == at_s:
            self.values[-1] = value
        else:
            self.at_s.append(at_s)
            self.values.append(value)
        self._arrays = None

    @property
    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Instants and values."""
        if self._arrays is None:
            self._arrays = np.array(self.at_s, np.int64), np.array(self.values, np.int64)
        return self._arrays

    @property
    def last(self) -> int:
        """The value in force now; 0 before the first change."""
        return self.values[-1] if self.values else 0


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a meter hangs: which row of all loads each flow through it is."""

    loads: Loads
    rows: Mapping[Flow, int]


class RegisterHistory:
    """The cumulative registers of one meter, in units of its load, at any instant it has lived through.

    A gas, water or heat meter only has one flow, its import. How much of what flows goes through the meter is in per
    mille: nothing while its output is dead, a part of it past a bridge, and negative the wrong way round.
    """

    def __init__(self, connection: Connection, start_register: int) -> None:
        self._loads = connection.loads
        self._rows = connection.rows
        self._start_register = start_register
        self._through = Changes()
        self._honest = True
        """Whether it only ever counted all or nothing, as meters do that nobody has tampered with."""
        self._registers = Changes()
        self._derived: dict[Flow, NDArray[np.int64]] = {}

    @property
    def through_permille(self) -> int:
        """How much of what the home uses is being counted now."""
        return self._through.last

    @property
    def live(self) -> bool:
        """Whether what the home uses is being counted."""
        return bool(self._through.last)

    @property
    def live_since_s(self) -> int:
        """When what is in force now began."""
        return self._through.at_s[-1]

    @property
    def slot_s(self) -> int:
        """For how long the home's power stays the same."""
        return self._loads.slot_s(self._rows[Flow.IMPORT])

    def rates(self, at_s: NDArray[np.int64], flow: Flow = Flow.IMPORT) -> NDArray[np.int64]:
        """What would flow at each instant, in units per hour (watts, var), whether it is counted or not."""
        if flow not in self._rows:
            return np.zeros(len(at_s), np.int64)
        return self._loads.rates(self._rows[flow], at_s)

    def through_at(self, at_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """How much of what the home uses was counted at each instant; nothing before the first one."""
        changes_s, through = self._through.arrays
        index = np.searchsorted(changes_s, at_s, side="right")
        return np.concatenate([np.zeros(1, np.int64), through])[index]

    def measured(self, at_s: NDArray[np.int64], flow: Flow = Flow.IMPORT) -> NDArray[np.int64]:
        """What the meter sees of a flow at each instant."""
        through = self.through_at(at_s)
        seen = self.rates(at_s, flow)
        if (through < 0).any():
            seen = np.where(through < 0, self.rates(at_s, _MIRRORED.get(flow, flow)), seen)
        return seen * np.abs(through) // ALL

    def switch(self, at_s: int, through_permille: int, *, register: int | None = None) -> int:
        """From `at_s` on, count this part of what flows; returns the register at that instant.

        `register` is given when a stored history is replayed: the register that the meter had shown then stays true
        even if the recordings have been exchanged meanwhile.
        """
        shown = self.at(at_s) if register is None else register
        self._registers.add(at_s, shown)
        self._through.add(at_s, through_permille)
        self._honest = self._honest and through_permille in (0, ALL)
        self._derived.clear()
        return shown

    def at(self, at_s: int, flow: Flow = Flow.IMPORT) -> int:
        """The register of a flow at one instant."""
        return int(self.registers(np.array([at_s], np.int64), flow)[0])

    def registers(self, at_s: NDArray[np.int64], flow: Flow = Flow.IMPORT) -> NDArray[np.int64]:
        """The register of a flow at many instants (seconds since 1970 UTC); all but the import begin at zero."""
        if flow is Flow.IMPORT:
            return self._counted(at_s, flow, self._registers.arrays[1], self._start_register)
        if flow not in self._derived:
            changes_s, through = self._through.arrays
            between = self._flowed(flow, changes_s[:-1], changes_s[1:], through[:-1])
            self._derived[flow] = np.concatenate([np.zeros(1, np.int64), np.cumsum(between)])
        return self._counted(at_s, flow, self._derived[flow], 0)

    def _counted(
        self, at_s: NDArray[np.int64], flow: Flow, at_changes: NDArray[np.int64], start: int
    ) -> NDArray[np.int64]:
        """What was shown at the last change, and the counted part of what has flowed since."""
        changes_s, through = self._through.arrays
        index = np.searchsorted(changes_s, at_s, side="right") - 1
        known = index >= 0
        if not known.any():
            return np.full(len(at_s), start, np.int64)
        index = np.maximum(index, 0)
        shown = at_changes[index] + self._flowed(flow, changes_s[index], at_s, through[index])
        return np.where(known, shown, start)

    def _flowed(
        self, flow: Flow, from_s: NDArray[np.int64], to_s: NDArray[np.int64], through: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """What was counted of a flow in each span."""
        used = self._used(flow, from_s, to_s)
        if self._honest:
            return np.where(through > 0, used, 0)
        if (through < 0).any():
            used = np.where(through < 0, self._used(_MIRRORED.get(flow, flow), from_s, to_s), used)
        return used * np.abs(through) // ALL

    def _used(self, flow: Flow, from_s: NDArray[np.int64], to_s: NDArray[np.int64]) -> NDArray[np.int64]:
        if flow not in self._rows:
            return np.zeros(len(to_s), np.int64)
        row = self._rows[flow]
        return self._loads.cumulative(row, to_s) - self._loads.cumulative(row, from_s)


class PowerHistory:
    """When a meter had mains: what decides which profile rows it could write."""

    def __init__(self) -> None:
        self._on_s: list[int] = []
        self._off_s: list[int] = []

    @property
    def on(self) -> bool:
        """Whether it has mains now."""
        return bool(self._on_s) and self._off_s[-1] == FOREVER_S

    def up(self, at_s: int) -> None:
        """Mains return; a cut of no length leaves no gap."""
        if self.on:
            return
        if self._off_s and self._off_s[-1] == at_s:
            self._off_s[-1] = FOREVER_S
        else:
            self._on_s.append(at_s)
            self._off_s.append(FOREVER_S)

    def down(self, at_s: int) -> None:
        """Mains fail."""
        if self.on:
            self._off_s[-1] = at_s

    def captured(self, ends_s: NDArray[np.int64], interval_s: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which intervals have a row, and in which of them mains were missing for a while.

        A row is written when the interval ends under power. An interval in which power went down for longer than its
        end is closed when power returns, with its true end as stamp; one wholly without power has no row.
        """
        on_s, off_s = np.array(self._on_s, np.int64), np.array(self._off_s, np.int64)
        if not len(on_s):
            return np.zeros(len(ends_s), bool), np.zeros(len(ends_s), bool)
        index = np.searchsorted(on_s, ends_s, side="left") - 1  # the last period that began before the end
        known = index >= 0
        index = np.maximum(index, 0)
        under_power = off_s[index] >= ends_s
        closed_later = (off_s[index] > ends_s - interval_s) & (index + 1 < len(on_s))
        powered_s = self._powered_s(ends_s) - self._powered_s(ends_s - interval_s)
        return known & (under_power | closed_later), powered_s < interval_s

    def cuts(self) -> list[tuple[int, int]]:
        """Each power failure that is over: when mains went and came."""
        return list(zip(self._off_s[:-1], self._on_s[1:], strict=True))

    def up_at(self, instants_s: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether there were mains at (that is, just before or just after) each instant."""
        on_s, off_s = np.array(self._on_s, np.int64), np.array(self._off_s, np.int64)
        if not len(on_s):
            return np.zeros(len(instants_s), bool)
        index = np.searchsorted(on_s, instants_s, side="right") - 1
        up: NDArray[np.bool_] = (index >= 0) & (off_s[np.maximum(index, 0)] >= instants_s)
        return up

    def _powered_s(self, until_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """Seconds under power from the beginning to each instant."""
        on_s, off_s = np.array(self._on_s, np.int64), np.array(self._off_s, np.int64)
        ended = np.concatenate([[0], np.cumsum(np.minimum(off_s, 2**60) - on_s)])
        index = np.searchsorted(on_s, until_s, side="right") - 1
        before = np.where(index >= 0, ended[np.maximum(index, 0)], 0)
        running = np.minimum(until_s, off_s[np.maximum(index, 0)]) - on_s[np.maximum(index, 0)]
        return np.where(index >= 0, before + running, 0)
