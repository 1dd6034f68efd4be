"""Water: leaks, backflow, overload, night flow (WA1 to WA12)."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.vee.estimates.exact import share_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Flow(IntEnum):
    """How continuously water ran in a day."""

    NONE = 0
    INTERMITTENT = 1
    CONTINUOUS = 2


class Backflow(Enum):
    """How much water came back."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"


def flow_of_day(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """WA1, WA2 by row: flow in every slot is a leak, in more than half of them (50 of 96) an intermittent one."""
    slots = values.shape[1]
    flowing = (values > 0).sum(axis=1)
    continuous, intermittent = flowing == slots, flowing * 96 >= 50 * slots
    found = np.where(continuous, Flow.CONTINUOUS, np.where(intermittent, Flow.INTERMITTENT, Flow.NONE))
    return np.asarray(found, np.int64)


def backflow(reverse_digits: Decimal) -> Backflow:
    """WA3: by reverse movement of the smallest digit: below 1 none, to 100 minor, above major."""
    if reverse_digits < 1:
        return Backflow.NONE
    return Backflow.MINOR if reverse_digits <= 100 else Backflow.MAJOR


def exceeds_overload(volume_m3: Decimal, hours: Decimal, permanent_flow_q3: Decimal) -> bool:
    """WA6: more than the overload flow Q4 = 1.25 x Q3 (OIML R 49)."""
    return volume_m3 / hours > permanent_flow_q3 * Decimal("1.25")


def even_fill(before: int, after: int, slots: int) -> NDArray[np.int64]:
    """WA7: the difference of the readings around a gap spread evenly over its slots, exactly."""
    total = np.array([after - before], np.int64)
    return share_out(total, np.ones(slots, np.int64), np.zeros(slots, np.int64))


def household_night_use(people: int, active_share: Decimal, litres_each: Decimal) -> Decimal:
    """WA9: what households use in a night hour, in m3: a share of the people is awake."""
    return people * active_share * litres_each / 1000


def net_leakage(minimum_night_flow: Decimal, household: Decimal, other: Decimal) -> Decimal:
    """WA9: the part of the minimum night flow that nobody used, m3/h."""
    return minimum_night_flow - household - other


def daily_leakage(net_per_hour: Decimal, night_day_factor_h: Decimal) -> Decimal:
    """WA10: m3 a day from m3 a night hour; 24 h at constant pressure."""
    return net_per_hour * night_day_factor_h


def reported_night_flow(nights: Sequence[Decimal], percentile: int = 20) -> Decimal:
    """WA11: a low percentile of rolling nights (UKWIR 99/WM/08/21), linear between ranks."""
    ordered = sorted(nights)
    place = Decimal(percentile) * (len(ordered) - 1) / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def minimum_night_flow(
    hourly: NDArray[np.int64], first_slot: int, past_last_slot: int, slots_an_hour: int
) -> NDArray[np.int64]:
    """WA9 by row: the lowest rolling hour between two slots of the night."""
    night = hourly[:, first_slot:past_last_slot]
    running = np.cumsum(np.pad(night, ((0, 0), (1, 0))), axis=1)
    rolling = running[:, slots_an_hour:] - running[:, :-slots_an_hour]
    return np.asarray(rolling.min(axis=1), np.int64)
