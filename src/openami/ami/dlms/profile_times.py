"""Many twelve-octet stamps at once: to UTC seconds and back, in numpy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.dlms.errors import TypeMismatchError
from openami.ami.dlms.times import DEVIATION_NOT_SPECIFIED, NOT_SPECIFIED, STATUS_DAYLIGHT_SAVING, CosemDateTime

if TYPE_CHECKING:
    from datetime import tzinfo

    from numpy.typing import NDArray

# stands where a stamp is missing or not one instant
NO_TIME: Final = np.iinfo(np.int64).min
STAMP_OCTETS = 12

_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_MONTHS = np.arange(f"{_FIRST_YEAR}-01", f"{_LAST_YEAR + 1}-02", dtype="datetime64[M]").astype("datetime64[D]")
# days since 1970 at the first of each month, and the days the month has
_MONTH_START = _MONTHS[:-1].astype(np.int64)
_MONTH_DAYS = np.diff(_MONTHS.astype(np.int64))

# Zones change their offset at most every few weeks, so both ends of a week with one offset have it throughout.
_STEADY_S = 7 * 86_400


def stamps_to_utc_s(stamps: NDArray[np.uint8], zone: tzinfo = UTC) -> NDArray[np.int64]:
    """UTC seconds of (n, 12) stamps; NO_TIME where a stamp has wildcards or is no date.

    `zone` is used for stamps that do not state their deviation. Hundredths are dropped.
    """
    wide = stamps.astype(np.int64)
    year = (wide[:, 0] << 8) + wide[:, 1]
    hour, minute, second = wide[:, 5], wide[:, 6], wide[:, 7]
    second = np.where(second == NOT_SPECIFIED, 0, second)
    month = (year - _FIRST_YEAR) * 12 + wide[:, 2] - 1
    good = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (wide[:, 2] >= 1) & (wide[:, 2] <= 12)
    month = np.where(good, month, 0)
    good &= (wide[:, 3] >= 1) & (wide[:, 3] <= _MONTH_DAYS[month])
    good &= (hour < 24) & (minute < 60) & (second < 60)
    deviation = ((wide[:, 9] << 8) + wide[:, 10] + 0x8000 & 0xFFFF) - 0x8000
    seconds = (_MONTH_START[month] + wide[:, 3] - 1) * 86_400 + hour * 3600 + minute * 60 + second + deviation * 60
    seconds = np.where(good, seconds, NO_TIME)
    unstated = good & (deviation == DEVIATION_NOT_SPECIFIED)
    if unstated.any():
        for row in np.flatnonzero(unstated):
            seconds[row] = _one(stamps[row].tobytes(), zone)
    return seconds


def _one(stamp: bytes, zone: tzinfo) -> int:
    try:
        return int(CosemDateTime.decode(stamp).instant(zone=zone).timestamp())
    except TypeMismatchError:
        return int(NO_TIME)


def utc_s_to_stamps(
    times_s: NDArray[np.int64], *, zone: tzinfo = UTC, status: NDArray[np.uint8] | int = 0
) -> NDArray[np.uint8]:
    """The (n, 12) stamps a clock in `zone` shows at these UTC seconds; the daylight saving bit comes from the zone."""
    offsets_s, daylight = _offsets(times_s, zone)
    local = (times_s + offsets_s).astype("datetime64[s]")
    days = local.astype("datetime64[D]")
    months = local.astype("datetime64[M]")
    year = local.astype("datetime64[Y]").astype(np.int64) + 1970
    of_day = (local - days).astype(np.int64)
    day_number = days.astype(np.int64)
    deviation = -offsets_s // 60 & 0xFFFF
    stamps = np.zeros((len(times_s), STAMP_OCTETS), np.uint8)
    stamps[:, 0], stamps[:, 1] = year >> 8, year & 0xFF
    stamps[:, 2] = months.astype(np.int64) % 12 + 1
    stamps[:, 3] = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    # 1970-01-01 was a Thursday, which is day 4
    stamps[:, 4] = (day_number + 3) % 7 + 1
    stamps[:, 5], stamps[:, 6], stamps[:, 7] = of_day // 3600, of_day // 60 % 60, of_day % 60
    stamps[:, 9], stamps[:, 10] = deviation >> 8, deviation & 0xFF
    stamps[:, 11] = np.bitwise_or(status, np.where(daylight, STATUS_DAYLIGHT_SAVING, 0))
    return stamps


def _offsets(times_s: NDArray[np.int64], zone: tzinfo) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    offsets = np.zeros(len(times_s), np.int64)
    daylight = np.zeros(len(times_s), np.bool_)
    order = np.argsort(times_s, kind="stable")
    pending = [(0, len(times_s) - 1)] if len(times_s) else []
    while pending:
        low, high = pending.pop()
        first, last = int(times_s[order[low]]), int(times_s[order[high]])
        at_first, at_last = _offset(first, zone), _offset(last, zone)
        if low == high or (at_first == at_last and last - first <= _STEADY_S):
            rows = order[low : high + 1]
            offsets[rows], daylight[rows] = at_first
        else:
            middle = (low + high) // 2
            pending += [(low, middle), (middle + 1, high)]
    return offsets, daylight


def _offset(time_s: int, zone: tzinfo) -> tuple[int, bool]:
    local = datetime.fromtimestamp(time_s, zone)
    offset = local.utcoffset() or timedelta()
    return int(offset.total_seconds()), bool(local.dst())
