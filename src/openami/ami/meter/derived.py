"""What a meter computes from its one register: tariff registers, maximum demand, billing rows, power failures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.spans import local_date, local_midnight, zone

if TYPE_CHECKING:
    from openami.ami.meter.model import Meter

LOW, NORMAL = 1, 2
"""Tariffs as Dutch meters number them: low at night and at the weekend, normal on working days."""
_NORMAL_FROM: Final = time(7)
_NORMAL_TO: Final = time(23)
_SATURDAY: Final = 5
_LOW_SHARE: Final = (2, 5)  # how a start register is told to have been used
LONG_FAILURE_S: Final = 180


@dataclass(frozen=True, slots=True)
class Demand:
    """The highest mean power of an interval, in watts, and when that interval ended."""

    watts: int
    end_s: int


@dataclass(frozen=True, slots=True)
class BillingRow:
    """What is captured when a local month begins: registers, and the highest demand of the month that ended."""

    at_s: int
    total_wh: int
    tariffs_wh: tuple[int, int]
    demand_w: int


def tariff_at(at_s: int, zone_name: str) -> int:
    """The tariff in force at an instant."""
    local = instant_of(at_s).astimezone(zone(zone_name))
    working_hour = _NORMAL_FROM <= local.time() < _NORMAL_TO
    return NORMAL if working_hour and local.weekday() < _SATURDAY else LOW


def tariff_registers(meter: Meter, at_s: int, zone_name: str) -> tuple[int, int]:
    """The registers of the low and the normal tariff (Wh); together they are the total register, always."""
    start = meter.device.start_register
    low_start = start * _LOW_SHARE[0] // _LOW_SHARE[1]
    if meter.history is None or meter.installed_s is None or at_s <= meter.installed_s:
        return low_start, start - low_start
    switches = [each for each in _switches(meter.installed_s, at_s, zone_name) if meter.installed_s < each[0] < at_s]
    boundaries = [meter.installed_s, *(second for second, _ in switches), at_s]
    tariffs = [tariff_at(meter.installed_s, zone_name), *(tariff for _, tariff in switches)]
    used = np.diff(meter.history.registers(np.array(boundaries, np.int64)))
    low = low_start + int(used[np.array(tariffs) == LOW].sum())
    return low, meter.register_at(at_s) - low


def maximum_demand(meter: Meter, from_s: int, to_s: int) -> Demand:
    """The highest demand of the whole intervals in [from, to); 0 W at `from` if there was none."""
    interval_s = meter.device.interval_s
    if meter.history is None or meter.installed_s is None:
        return Demand(0, from_s)
    first_s = -(-max(from_s, meter.installed_s) // interval_s) * interval_s
    boundaries_s = np.arange(first_s, to_s + 1, interval_s, dtype=np.int64)
    if len(boundaries_s) < 2:
        return Demand(0, from_s)
    watts = np.diff(meter.history.registers(boundaries_s)) * 3600 // interval_s
    peak = int(watts.argmax())
    return Demand(int(watts[peak]), int(boundaries_s[peak + 1]) if watts[peak] else from_s)


def month_start_s(at_s: int, zone_name: str) -> int:
    """When the local month of an instant began."""
    first = local_date(zone_name, instant_of(at_s)).replace(day=1)
    return seconds_of(local_midnight(zone_name, first))


def billing_rows(meter: Meter, zone_name: str, lived_s: int, first_s: int, last_s: int) -> list[BillingRow]:
    """The rows of the billing profile stamped in a span, those the meter saw under power."""
    if meter.history is None or meter.installed_s is None:
        return []
    rows: list[BillingRow] = []
    newest_s = min(lived_s, last_s, meter.removed_s or lived_s)
    at_s = month_start_s(newest_s, zone_name)
    while at_s >= max(first_s, meter.installed_s):
        before_s = month_start_s(at_s - 1, zone_name)
        if meter.power.up_at(np.array([at_s], np.int64))[0]:
            tariffs = tariff_registers(meter, at_s, zone_name)
            rows.append(BillingRow(at_s, meter.register_at(at_s), tariffs, maximum_demand(meter, before_s, at_s).watts))
        at_s = before_s
    return rows[::-1]


def long_failures(meter: Meter) -> list[tuple[int, int]]:
    """End and duration (seconds) of each power failure of at least three minutes."""
    return [(up_s, up_s - down_s) for down_s, up_s in meter.power.cuts() if up_s - down_s >= LONG_FAILURE_S]


def _switches(from_s: int, to_s: int, zone_name: str) -> list[tuple[int, int]]:
    day = local_date(zone_name, instant_of(from_s))
    last = local_date(zone_name, instant_of(to_s))
    switches: list[tuple[int, int]] = []
    while day <= last:
        switches += _switches_of(day, zone_name)
        day += timedelta(days=1)
    return switches


@lru_cache(maxsize=4096)
def _switches_of(day: date, zone_name: str) -> tuple[tuple[int, int], ...]:
    if day.weekday() >= _SATURDAY:
        return ()
    return tuple(
        (seconds_of(datetime.combine(day, hour, tzinfo=zone(zone_name))), tariff)
        for hour, tariff in ((_NORMAL_FROM, NORMAL), (_NORMAL_TO, LOW))
    )
