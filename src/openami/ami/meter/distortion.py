"""Watches harmonics against the limit that a head-end has set: too much for too long is logged, and so is its end.

The rule of the THD configuration object (0-1:94.31.23): a limit, by how much distortion must fall below it again, and
for how long either must last. Nothing depends on the steps in which time is lived: samples lie on whole minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter.quality import harmonics
from openami.ami.meter.settings import THD_CONFIGURATION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.ami.meter.model import Meter

OVER: Final = 92
"""Bad quality on L1 in the power quality log; L2 and L3 follow (IDIS)."""
NORMAL: Final = 203
"""Distortion on L1 is below the limit again; L2 and L3 follow. IDIS has no code for it: this is ours."""
_SAMPLE_S: Final = 60


def due_events(meter: Meter, after_s: int, to_s: int) -> list[tuple[int, int]]:
    """When in (after, to] which code is due, oldest first; nothing while nobody has set a limit."""
    if meter.settings.written(THD_CONFIGURATION, 2) is None:
        return []
    limit, hysteresis, over_s = (each.integer() for each in meter.settings.of(THD_CONFIGURATION, 2).elements())
    samples = max(-(-over_s // _SAMPLE_S), 1)
    first_s = (after_s // _SAMPLE_S - samples) * _SAMPLE_S
    at_s = np.arange(first_s, to_s + 1, _SAMPLE_S, dtype=np.int64)
    up = meter.power.up_at(at_s)
    found: list[tuple[int, int]] = []
    for phase in range(meter.device.phases):
        values = np.where(up, harmonics(meter, phase, at_s), 0)
        over, normal = _lasting(values > limit, samples), _lasting(values < limit - hysteresis, samples)
        is_over, index = _is_over(meter, phase), int(np.searchsorted(at_s, after_s, side="right"))
        while (step := _first(normal if is_over else over, index)) is not None:
            is_over, index = not is_over, step + 1
            found.append((int(at_s[step]), (OVER if is_over else NORMAL) + phase))
    return sorted(found)


def _is_over(meter: Meter, phase: int) -> bool:
    """Whether the last word of the log on a phase is that it is over the limit."""
    codes = [event.code for event in meter.events if event.code in (OVER + phase, NORMAL + phase)]
    return bool(codes) and codes[-1] == OVER + phase


def _lasting(holds: NDArray[np.bool_], samples: int) -> NDArray[np.bool_]:
    """Where something has held at this sample and at so many before it."""
    broken = np.cumsum(~holds)
    lasting = np.zeros(len(holds), np.bool_)
    lasting[samples:] = holds[samples:] & (broken[samples:] == broken[:-samples]) & holds[:-samples]
    return lasting


def _first(where: NDArray[np.bool_], begin: int) -> int | None:
    found = np.flatnonzero(where[begin:])
    return begin + int(found[0]) if len(found) else None
