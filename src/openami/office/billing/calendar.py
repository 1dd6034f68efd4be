"""Which time-of-use bucket an interval falls into: local weekday, month and minute of many intervals at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from openami.office.billing.tariff import HOLIDAY_WEEKDAY
from openami.office.localtime import DAY_S, day_number, local_seconds

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from openami.office.billing.tariff import Bucket, Window

_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday


def bucket_of(
    starts: NDArray[np.int64], buckets: Sequence[Bucket], holidays: Collection[date], zone_name: str
) -> NDArray[np.intp]:
    """The index into `buckets` of each interval; the first bucket whose window matches wins."""
    local = local_seconds(starts, zone_name)
    day = local // DAY_S
    minute = local % DAY_S // 60
    weekday = (day + _EPOCH_WEEKDAY) % 7
    if holidays:
        free = np.array([day_number(holiday) for holiday in sorted(holidays)])
        weekday = np.where(np.isin(day, free), HOLIDAY_WEEKDAY, weekday)
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    chosen = np.full(starts.shape, len(buckets) - 1, dtype=np.intp)
    for index in range(len(buckets) - 2, -1, -1):
        for window in buckets[index].windows:
            chosen[_matches(window, weekday, month, minute)] = index
    return chosen


def _matches(
    window: Window, weekday: NDArray[np.int64], month: NDArray[np.int64], minute: NDArray[np.int64]
) -> NDArray[np.bool_]:
    in_time = (minute >= window.start_minute) & (minute < window.end_minute)
    return in_time & np.isin(weekday, sorted(window.weekdays)) & np.isin(month, sorted(window.months))
