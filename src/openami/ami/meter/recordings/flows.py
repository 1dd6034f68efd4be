"""What flows through the connection of a home: import, export and the four quadrants of reactive energy.

A recording says what a home uses. Behind the meter there may be a roof that generates and a car that is charged; the
meter sees the sum: in each slot import - export = use + charging - generation, to the watt-hour. Everything is made
from a seed once and then replayed like a recording, so that any register at any second stays plain arithmetic.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter.recordings.recording import ANCHOR, WEEK_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from openami.ami.meter.recordings.recording import Recording

YEAR_WEEKS: Final = 52
"""With a roof a home replays a year of whole weeks: the sun of a date moves by a day and a quarter a year."""
_LATITUDE: Final = np.radians(52.1)
_SOLAR_NOON_S: Final = 45_600  # 12:40 in Central European Standard Time, at five degrees east
_PERFORMANCE: Final = 0.85  # what inverter, dust and wires leave
_CLEARNESS: Final = (0.15, 1.0)
_MOTOR_VAR_PER_KW: Final = 300
_ELECTRONICS_VAR: Final = 40
"""A resting home is slightly capacitive, motors make it inductive."""
_CHARGING_EVENINGS: Final = 0.55
_PLUGGED_IN_S: Final = (16 * 3600, 21 * 3600)
_CHARGE_WH: Final = (4_000, 22_000)


class Flow(StrEnum):
    """A direction in which a connection counts: active energy in Wh, reactive energy in varh by quadrant."""

    IMPORT = "import"
    EXPORT = "export"
    Q1 = "quadrant 1"
    Q2 = "quadrant 2"
    Q3 = "quadrant 3"
    Q4 = "quadrant 4"
    GENERATED = "generated"


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind a meter: the peak power of a roof and the power of a charger, in watts (0 = none)."""

    solar_w: int = 0
    charger_w: int = 0
    seed: int = 0


def flows_of(use: Recording, behind: Behind) -> Mapping[Flow, Recording]:
    """All flows of a home that uses what a recording says."""
    if behind.solar_w or behind.charger_w:
        use = _over_a_year(use)
    chance = random.Random(behind.seed)  # noqa: S311 - weather and habits, no secret
    generated = _generated(use, behind.solar_w, chance)
    used = use.values + _charged(use, behind.charger_w, chance)
    net, reactive = used - generated, _reactive(used, use.slot_s)
    quadrants = {
        Flow.Q1: np.where((net >= 0) & (reactive > 0), reactive, 0),
        Flow.Q2: np.where((net < 0) & (reactive > 0), reactive, 0),
        Flow.Q3: np.where((net < 0) & (reactive < 0), -reactive, 0),
        Flow.Q4: np.where((net >= 0) & (reactive < 0), -reactive, 0),
    }
    active = {Flow.IMPORT: np.maximum(net, 0), Flow.EXPORT: np.maximum(-net, 0), Flow.GENERATED: generated}
    if not behind.solar_w:
        active = {Flow.IMPORT: used if behind.charger_w else use.values}
    return {flow: replace(use, values=values) for flow, values in (active | quadrants).items()}


def _over_a_year(use: Recording) -> Recording:
    """The same recording played over and over for 52 weeks."""
    week = WEEK_S // use.slot_s
    slots = np.arange(YEAR_WEEKS * week) + use.rotate_weeks * week
    return replace(use, values=use.values[slots % len(use.values)], rotate_weeks=0)


def _starts_s(use: Recording) -> NDArray[np.int64]:
    """The start of each slot in seconds after the anchor, a local midnight in standard time."""
    return use.begins_s + np.arange(len(use.values), dtype=np.int64) * use.slot_s


def _generated(use: Recording, peak_w: int, chance: random.Random) -> NDArray[np.int64]:
    """Wh from a roof in each slot: the height of the sun, a clearness for the day, and passing clouds."""
    if not peak_w:
        return np.zeros(len(use.values), np.int64)
    middles_s = _starts_s(use) + use.slot_s // 2
    first_day = (ANCHOR - ANCHOR.replace(month=1, day=1)) // timedelta(days=1)
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (first_day + 10 + middles_s / 86400) / 365.25)
    hour_angle = 2 * np.pi * (middles_s % 86400 - _SOLAR_NOON_S) / 86400
    height = np.sin(_LATITUDE) * np.sin(declination) + np.cos(_LATITUDE) * np.cos(declination) * np.cos(hour_angle)
    days = middles_s // 86400 - middles_s[0] // 86400
    clearness = np.array([chance.uniform(*_CLEARNESS) for _ in range(int(days[-1]) + 1)])[days]
    # a clear and a covered sky are steady, a mixed one is not
    clouds = np.array([chance.uniform(-1, 1) for _ in range(len(use.values))]) * clearness * (1 - clearness)
    watts = peak_w * _PERFORMANCE * np.maximum(height, 0) * np.clip(clearness + clouds, 0, 1)
    watt_hours: NDArray[np.int64] = np.rint(watts * use.slot_s / 3600).astype(np.int64)
    return watt_hours


def _charged(use: Recording, charger_w: int, chance: random.Random) -> NDArray[np.int64]:
    """Wh into a car in each slot: on some evenings it is plugged in and charges at full power until it is full."""
    charged = np.zeros(len(use.values), np.int64)
    if not charger_w:
        return charged
    slot_wh = charger_w * use.slot_s // 3600
    day_slots = 86400 // use.slot_s
    for day in range(len(charged) // day_slots):
        if chance.random() > _CHARGING_EVENINGS:
            continue
        first = day * day_slots + chance.randrange(*_PLUGGED_IN_S) // use.slot_s
        whole, rest_wh = divmod(chance.randrange(*_CHARGE_WH), slot_wh)
        session = np.array([slot_wh] * whole + [rest_wh], np.int64)[: len(charged) - first]
        # a night that begins before the car is full goes on into the next day; a second session waits its turn
        charged[first : first + len(session)] = np.maximum(charged[first : first + len(session)], session)
    return charged


def _reactive(used_wh: NDArray[np.int64], slot_s: int) -> NDArray[np.int64]:
    """Varh in each slot, negative where it is capacitive; the inverter of a roof works at unity."""
    return used_wh * _MOTOR_VAR_PER_KW // 1000 - _ELECTRONICS_VAR * slot_s // 3600
