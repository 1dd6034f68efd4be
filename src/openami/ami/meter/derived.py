"""What a meter computes from its one register: tariff registers, maximum demand, billing rows, power failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter.calendars import switch_instants
from openami.ami.meter.recordings import Flow
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.spans import local_date, local_midnight, zone

if TYPE_CHECKING:
    from openami.ami.meter.model import Meter

TARIFFS: Final = 4
"""Registers by tariff; more would not fit the display."""
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
    tariffs_wh: tuple[int, ...]
    demand_w: int
    exported_wh: int = 0


def tariff_at(meter: Meter, at_s: int, zone_name: str) -> int:
    """The tariff in force at an instant."""
    return meter.calendar_at(at_s).tariff_at(instant_of(at_s).astimezone(zone(zone_name)))


def tariff_registers(meter: Meter, at_s: int, zone_name: str, flow: Flow = Flow.IMPORT) -> tuple[int, ...]:
    """The register of each tariff (Wh); together they are the total register of the flow, always."""
    start = meter.device.start_register if flow is Flow.IMPORT else 0
    low_start = start * _LOW_SHARE[0] // _LOW_SHARE[1]
    shares = np.zeros(TARIFFS, np.int64)
    shares[:2] = low_start, start - low_start
    if meter.history is None or meter.installed_s is None or at_s <= meter.installed_s:
        return tuple(shares.tolist())
    switches = _switches(meter, meter.installed_s, at_s, zone_name)
    boundaries = np.array([*(second for second, _ in switches), at_s], np.int64)
    used = np.diff(meter.history.registers(boundaries, flow))
    np.add.at(shares, np.array([tariff - 1 for _, tariff in switches]), used)
    return tuple(shares.tolist())


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
            demand_w = maximum_demand(meter, before_s, at_s).watts
            exported_wh = meter.register_at(at_s, Flow.EXPORT)
            rows.append(BillingRow(at_s, meter.register_at(at_s), tariffs, demand_w, exported_wh))
        at_s = before_s
    return rows[::-1]


def long_failures(meter: Meter) -> list[tuple[int, int]]:
    """End and duration (seconds) of each power failure of at least three minutes."""
    return [(up_s, up_s - down_s) for down_s, up_s in meter.power.cuts() if up_s - down_s >= LONG_FAILURE_S]


def _switches(meter: Meter, from_s: int, to_s: int, zone_name: str) -> list[tuple[int, int]]:
    """From which second in [from, to) on which tariff holds, whichever calendar is in force."""
    found = [(from_s, tariff_at(meter, from_s, zone_name))]
    ends_s = [*(second for second, _ in meter.calendars[1:]), to_s]
    for (begin_s, calendar), end_s in zip(meter.calendars, ends_s, strict=True):
        first_s, last_s = max(begin_s, from_s), min(end_s, to_s)
        if first_s >= last_s:
            continue
        found.append((first_s, calendar.tariff_at(instant_of(first_s).astimezone(zone(zone_name)))))
        within = switch_instants(calendar, first_s, last_s, zone_name)
        found += [each for each in within if first_s < each[0] < last_s]
    return found
