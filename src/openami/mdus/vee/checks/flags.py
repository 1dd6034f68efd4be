"""What the device itself says about an interval: V11 to V14."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.series.model import Flag
from openami.mdus.vee.catalogue import check
from openami.mdus.vee.checks.levels import failing, graded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from openami.mdus.vee.model import Facts, Fired, Parameters


def _flagged(facts: Facts, *wanted: Flag) -> NDArray[np.bool_]:
    if not facts.flagged:
        return np.zeros(len(facts.days), np.bool_)
    bits = np.uint8(sum(wanted))
    return np.asarray((facts.days.flags & bits) != 0, np.bool_)


@check("V11", "The pulse counter did not reach its maximum.")
def pulse_overflow(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Fires on the device's overflow bit."""
    return failing(_flagged(facts, Flag.OVERFLOW))


@check("V12", "The device was not in test mode.")
def in_test_mode(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Test energy is excluded: the interval is estimated."""
    return failing(_flagged(facts, Flag.TEST_MODE))


@check("V13", "The device reported no error of its own.", clock_set=str)
def hardware(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Fires on hardware errors; on a changed clock (long or short interval) as far as `clock_set` says."""
    set_ = _flagged(facts, Flag.CLOCK_SET)
    failed = _flagged(facts, Flag.HARDWARE)
    return graded(set_, (failed | set_) if p["clock_set"] == "fail" else failed)


@check("V14", "Intervals with an outage are known: they are actual data, but no reference and no end point.")
def outage(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Fires on the device's power-failure bit; methods look at the bit themselves."""
    return failing(_flagged(facts, Flag.OUTAGE))
