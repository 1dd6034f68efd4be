"""Many twelve-octet stamps at once: to UTC seconds and back, in numpy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.dlms.errors import TypeMismatchError
from openami.ami.dlms.times import NOT_SPECIFIED, STATUS_DAYLIGHT_SAVING, CosemDateTime

if TYPE_CHECKING:
    from datetime import tzinfo

    from numpy.typing import NDArray

# stands where a stamp is missing or not one instant
NO_TIME: Final = np.iinfo(np.int64).min
STAMP_OCTETS = 12

# the years whose high octet is 07 or 08
_FIRST_YEAR, _LAST_YEAR = 0x0700, 0x08FF
_MONTHS = np.arange(f"{_FIRST_YEAR}-01", f"{_LAST_YEAR + 1}-02", dtype="datetime64[M]").astype("datetime64[D]")
# seconds since 1970 at the end of the day before each month, and the days the month has
_MONTH_START_S = (_MONTHS[:-1].astype(np.int64) - 1) * 86_400
_MONTH_DAYS = np.diff(_MONTHS.astype(np.int64))

# octet by octet the least value and the span that make a stamp plain: no wildcard, nothing out of range
#                     year    month day dow hour min sec hundredths deviation status
_LEAST = np.array([0x07, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], np.uint8)
_SPAN = np.array([1, 255, 11, 30, 255, 23, 59, 59, 255, 255, 255, 255], np.uint8)
# octet by octet what it adds to the seconds of a month, and to the number of the month
_SECONDS = (0, 0, 0, 86_400, 0, 3600, 60, 1, 0, 256 * 60, 60, 0)
_MONTH = (256 * 12, 12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
_WEIGHTS = np.array([_SECONDS, _MONTH], np.int64).T.copy()
_FIRST_MONTH = _FIRST_YEAR * 12 + 1

# The meters of a street are read of the same day: what their stamps say is found once. A month of quarter hours and no
# more is remembered, so that a few long answers do not fill the memory.
_KNOWN_MAX, _KNOWN_OCTETS_MAX = 64, 3000 * STAMP_OCTETS

# Zones change their offset at most every few weeks, so both ends of a week with one offset have it throughout.
_STEADY_S = 7 * 86_400


def stamps_to_utc_s(stamps: NDArray[np.uint8], zone: tzinfo = UTC) -> NDArray[np.int64]:
    """UTC seconds of (n, 12) stamps; NO_TIME where a stamp has wildcards or is no date.

    `zone` is used for stamps that do not state their deviation. Hundredths are dropped.
    The answer may be shared: it cannot be written.
    """
    return _read(stamps, zone) if stamps.nbytes > _KNOWN_OCTETS_MAX else _known(stamps.tobytes(), zone)


@lru_cache(maxsize=_KNOWN_MAX)
def _known(octets: bytes, zone: tzinfo) -> NDArray[np.int64]:
    seconds = _read(np.frombuffer(octets, np.uint8).reshape(-1, STAMP_OCTETS), zone)
    seconds.flags.writeable = False
    return seconds


def _read(stamps: NDArray[np.uint8], zone: tzinfo) -> NDArray[np.int64]:
    wide = stamps.astype(np.int64)
    wide[:, 9] = (wide[:, 9] ^ 0x80) - 0x80  # the deviation is signed
    plain = bool((stamps - _LEAST <= _SPAN).all()) and not bool((stamps[:, 9] == 0x80).any())
    if plain:
        sums: NDArray[np.int64] = wide @ _WEIGHTS
        month = sums[:, 1] - _FIRST_MONTH
        if bool((wide[:, 3] <= _MONTH_DAYS[month]).all()):
            seconds: NDArray[np.int64] = sums[:, 0] + _MONTH_START_S[month]
            return seconds
    return _odd_stamps(stamps, wide, zone)


def _odd_stamps(stamps: NDArray[np.uint8], wide: NDArray[np.int64], zone: tzinfo) -> NDArray[np.int64]:
    """The same for stamps among which some have wildcards, no deviation or no sense."""
    second = wide[:, 7]
    wide[:, 7] = np.where(second == NOT_SPECIFIED, 0, second)
    good = (wide - _LEAST.astype(np.int64) >= 0) & (wide - _LEAST.astype(np.int64) <= _SPAN.astype(np.int64))
    rows = good[:, [0, 2, 3, 5, 6, 7]].all(axis=1)
    sums = wide @ _WEIGHTS
    month = np.where(rows, sums[:, 1] - _FIRST_MONTH, 0)
    rows &= wide[:, 3] <= _MONTH_DAYS[month]
    seconds = np.where(rows, sums[:, 0] + _MONTH_START_S[month], NO_TIME)
    unstated = rows & (stamps[:, 9] == 0x80) & (stamps[:, 10] == 0)
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
