"""Which bucket an interval falls into: local weekday, month and minute of many intervals at once.

The local offset is looked up once per half hour of the span (zones change on half hours), never once per reading.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.office.billing.tariff import HOLIDAY_WEEKDAY
from openami.shared.spans import zone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.office.billing.tariff import Tariff, Window
    from openami.shared.spans import Span

_HALF_HOUR_S: Final = 1800
_DAY_S: Final = 86400
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday


def interval_starts(span: Span, interval_s: int) -> NDArray[np.int64]:
    """The starts (epoch seconds) of all intervals of the grid that overlap the span.

    The grid is anchored at 1970-01-01 UTC; a span that begins inside an interval takes the whole interval.
    """
    first = int(span.start.timestamp()) // interval_s * interval_s
    end = int(np.ceil(span.end.timestamp()))
    return np.arange(first, end, interval_s, dtype=np.int64)


def local_seconds(starts: NDArray[np.int64], zone_name: str) -> NDArray[np.int64]:
    """Epoch seconds shifted to local wall time, so that plain arithmetic gives local days and minutes."""
    if starts.size == 0:
        return starts
    first = int(starts.min()) // _HALF_HOUR_S
    last = int(starts.max()) // _HALF_HOUR_S
    offsets = _offsets_s(zone_name, first, last)
    return starts + offsets[starts // _HALF_HOUR_S - first]


def local_dates(starts: NDArray[np.int64], zone_name: str) -> NDArray[np.int64]:
    """The local date of each interval start, as days since 1970-01-01."""
    return local_seconds(starts, zone_name) // _DAY_S


def bucket_of(starts: NDArray[np.int64], tariff: Tariff, zone_name: str) -> NDArray[np.intp]:
    """The index into `tariff.buckets` of each interval; the first bucket whose window matches wins."""
    local = local_seconds(starts, zone_name)
    day = local // _DAY_S
    minute = local % _DAY_S // 60
    weekday = (day + _EPOCH_WEEKDAY) % 7
    if tariff.holidays:
        holidays = np.array([(holiday - date(1970, 1, 1)).days for holiday in sorted(tariff.holidays)])
        weekday = np.where(np.isin(day, holidays), HOLIDAY_WEEKDAY, weekday)
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    chosen = np.full(starts.shape, len(tariff.buckets) - 1, dtype=np.intp)
    for index in range(len(tariff.buckets) - 2, -1, -1):
        for window in tariff.buckets[index].windows:
            chosen[_matches(window, weekday, month, minute)] = index
    return chosen


def _matches(
    window: Window, weekday: NDArray[np.int64], month: NDArray[np.int64], minute: NDArray[np.int64]
) -> NDArray[np.bool_]:
    in_time = (minute >= window.start_minute) & (minute < window.end_minute)
    return in_time & np.isin(weekday, sorted(window.weekdays)) & np.isin(month, sorted(window.months))


@lru_cache(maxsize=512)
def _offsets_s(zone_name: str, first: int, last: int) -> NDArray[np.int64]:
    tz = zone(zone_name)
    offsets = np.empty(last - first + 1, dtype=np.int64)
    for index in range(first, last + 1):
        offset = datetime.fromtimestamp(index * _HALF_HOUR_S, UTC).astimezone(tz).utcoffset() or timedelta()
        offsets[index - first] = offset // timedelta(seconds=1)
    offsets.setflags(write=False)
    return offsets
