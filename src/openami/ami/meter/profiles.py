"""What a meter's memory holds: load profile, daily registers and event logs, computed from its history on demand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter.recordings import Flow
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.spans import local_date, local_midnight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.ami.meter.facts import LoggedEvent
    from openami.ami.meter.model import Meter

LOAD_PROFILE_DAYS: Final = 60
DAILY_PROFILE_DAYS: Final = 400
EVENT_LOG_ENTRIES: Final = 512

# load profile status octet (0-0:96.10.x)
STATUS_DAYLIGHT_SAVING: Final = 0x08
STATUS_POWER_DOWN: Final = 0x80

LOGS: Final = 6
STANDARD_LOG, FRAUD_LOG, BREAKER_LOG, MBUS_LOG, QUALITY_LOG, COMMUNICATION_LOG = range(LOGS)
LOG_CODES: Final = (
    (FRAUD_LOG, range(40, 47)),
    (FRAUD_LOG, range(49, 51)),
    (FRAUD_LOG, range(91, 92)),
    (FRAUD_LOG, range(200, 203)),
    (BREAKER_LOG, range(59, 76)),
    (QUALITY_LOG, range(76, 91)),
    (QUALITY_LOG, range(92, 95)),
    (QUALITY_LOG, range(203, 206)),
    (MBUS_LOG, range(100, 140)),
    (COMMUNICATION_LOG, range(140, 160)),
)
"""Which codes of the IDIS numbering stand in which log; all others stand in the standard log (cosem 8)."""


@dataclass(frozen=True, slots=True)
class LoadRows:
    """Rows of a load profile: interval ends (seconds since 1970 UTC), energy in Wh, status octet."""

    ends_s: NDArray[np.int64]
    energy_wh: NDArray[np.int64]
    status: NDArray[np.uint8]
    exported_wh: NDArray[np.int64]


def load_rows(meter: Meter, lived_s: int, first_end_s: int, last_end_s: int) -> LoadRows:
    """The rows that the ring buffer holds with stamps from `first_end_s` to `last_end_s`, both included."""
    interval_s = meter.device.interval_s
    installed_s = meter.installed_s
    if meter.history is None or installed_s is None:
        return _rows_at(meter, np.empty(0, np.int64))
    newest_s = min(lived_s, meter.removed_s or lived_s) // interval_s * interval_s
    oldest_s = max(
        installed_s // interval_s * interval_s + interval_s, newest_s - LOAD_PROFILE_DAYS * 86400 + interval_s
    )
    first_s = max(-(-first_end_s // interval_s) * interval_s, oldest_s)
    ends_s = np.arange(first_s, min(last_end_s, newest_s) + 1, interval_s, dtype=np.int64)
    return _rows_at(meter, ends_s)


def interval_truth(meter: Meter, from_s: int, to_s: int) -> NDArray[np.int64]:
    """What went through the meter in each whole interval of [from, to), whether its memory still knows it or not."""
    interval_s = meter.device.interval_s
    boundaries_s = np.arange(from_s // interval_s * interval_s, to_s + 1, interval_s, dtype=np.int64)
    if meter.history is None:
        return np.zeros(max(len(boundaries_s) - 1, 0), np.int64)
    return np.diff(meter.history.registers(_within_life(meter, boundaries_s)))


def daily_rows(
    meter: Meter, zone_name: str, lived_s: int, first_s: int, last_s: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Local midnights (seconds) with both registers (import, export) at each, those the meter saw under power."""
    none = np.empty(0, np.int64)
    if meter.history is None or meter.installed_s is None:
        return none, none, none
    newest_s = min(lived_s, last_s, meter.removed_s or lived_s)
    oldest_s = max(meter.installed_s, first_s, newest_s - DAILY_PROFILE_DAYS * 86400)
    if newest_s < oldest_s:
        return none, none, none
    day, last_day = (local_date(zone_name, instant_of(second)) for second in (oldest_s, newest_s))
    midnights: list[int] = []
    while day <= last_day:
        midnights.append(seconds_of(local_midnight(zone_name, day)))
        day += timedelta(days=1)
    midnights_s = np.array([second for second in midnights if oldest_s <= second <= newest_s], np.int64)
    midnights_s = midnights_s[meter.power.up_at(midnights_s)]
    return midnights_s, meter.history.registers(midnights_s), meter.history.registers(midnights_s, Flow.EXPORT)


def log_rows(events: list[LoggedEvent], log: int) -> list[LoggedEvent]:
    """The newest rows of a log, by its number."""
    return [event for event in events if log_of(event.code) == log][-EVENT_LOG_ENTRIES:]


def log_of(code: int) -> int:
    """Which log a code of the IDIS numbering belongs to."""
    return next((log for log, codes in LOG_CODES if code in codes), STANDARD_LOG)


def _rows_at(meter: Meter, ends_s: NDArray[np.int64]) -> LoadRows:
    interval_s = meter.device.interval_s
    if meter.history is None or not len(ends_s):
        none = np.empty(0, np.int64)
        return LoadRows(none, none, np.empty(0, np.uint8), none)
    captured, cut = meter.power.captured(ends_s, interval_s)
    starts_s = ends_s - interval_s
    for from_s, to_s in meter.lost_rows_s:
        captured &= (starts_s < from_s) | (starts_s >= to_s)
    boundaries_s = np.stack([_within_life(meter, starts_s), ends_s])[:, captured]
    imported, exported = (
        np.subtract(*(meter.history.registers(at_s, flow) for at_s in boundaries_s[::-1]))
        for flow in (Flow.IMPORT, Flow.EXPORT)
    )
    status = np.where(cut, np.uint8(STATUS_POWER_DOWN), np.uint8(0))
    return LoadRows(ends_s[captured], imported, status[captured].astype(np.uint8), exported)


def _within_life(meter: Meter, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """No instant before the meter was hung: the register at its start is all there was."""
    return np.maximum(seconds, meter.installed_s or 0)
