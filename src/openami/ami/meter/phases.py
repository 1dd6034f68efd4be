"""What flows through each phase at an instant: power, reactive power, current and power factor.

A home spreads what it uses over its phases unevenly, differently at each meter and slowly changing; a roof feeds all
phases alike. The phases always add up to what the meter counts.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter.recordings import Flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.ami.meter.model import Meter

    Numbers = NDArray[np.int64]

_PERMILLE: Final = 1000
_SWING: Final = 90
_SWING_S: Final = 7200


@dataclass(frozen=True, slots=True)
class Power:
    """Net active (W) and reactive power (var) at some instants: positive from the grid into the home."""

    watts: Numbers
    var: Numbers

    @property
    def volt_amperes(self) -> NDArray[np.float64]:
        """The apparent power."""
        apparent: NDArray[np.float64] = np.hypot(self.watts, self.var)
        return apparent

    @property
    def factor_permille(self) -> Numbers:
        """The power factor; 1 where nothing flows."""
        apparent = self.volt_amperes
        flows = apparent > 0
        permille: Numbers = np.where(flows, np.abs(self.watts) * _PERMILLE / np.where(flows, apparent, 1), _PERMILLE)
        return permille.astype(np.int64)


def power_at(meter: Meter, at_s: Numbers) -> Power:
    """What a meter sees flowing; nothing without mains or behind an open breaker."""
    history = meter.history
    if history is None:
        return Power(np.zeros(len(at_s), np.int64), np.zeros(len(at_s), np.int64))
    rates = {flow: history.measured(at_s, flow) for flow in Flow}
    watts = rates[Flow.IMPORT] - rates[Flow.EXPORT]
    return Power(watts, rates[Flow.Q1] + rates[Flow.Q2] - rates[Flow.Q3] - rates[Flow.Q4])


def phase_power(meter: Meter, phase: int, at_s: Numbers) -> Power:
    """What flows through one phase (from 0)."""
    total, count = power_at(meter, at_s), meter.device.phases
    if count == 1 or meter.history is None:
        return total
    generated = meter.history.measured(at_s, Flow.GENERATED) * np.sign(meter.history.through_at(at_s))
    return Power(
        _share(meter, phase, at_s, total.watts + generated) - _even(phase, count, generated),
        _share(meter, phase, at_s, total.var),
    )


def _share(meter: Meter, phase: int, at_s: Numbers, total: Numbers) -> Numbers:
    """A phase's part of what a home uses; the last phase carries what the others leave."""
    if phase < meter.device.phases - 1:
        return total * _permille(meter, phase, at_s) // _PERMILLE
    others: Numbers = total.copy()
    for other in range(meter.device.phases - 1):
        others -= _share(meter, other, at_s, total)
    return others


def _even(phase: int, count: int, total: Numbers) -> Numbers:
    return total * (phase + 1) // count - total * phase // count


def _permille(meter: Meter, phase: int, at_s: Numbers) -> Numbers:
    seed = zlib.crc32(f"{meter.serial}:phase {phase}".encode())
    wave = np.sin(at_s / _SWING_S + seed % 628 / 100) * _SWING
    return (200 + seed % 200 + wave).astype(np.int64)
