"""Local days of many intervals at once: the grid of a span, and wall time without a lookup per reading.

The local offset is looked up once per half hour of the span (zones change on half hours), never once per reading.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.spans import zone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.shared.spans import Span

EPOCH_DAY: Final = date(1970, 1, 1)
DAY_S: Final = 86400
_HALF_HOUR_S: Final = 1800


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
    return local_seconds(starts, zone_name) // DAY_S


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH_DAY).days


def day_of(number: int) -> date:
    """The date of a day number."""
    return EPOCH_DAY + timedelta(days=number)


def instant_of(epoch_s: int) -> datetime:
    """The instant of a number of seconds since 1970-01-01 UTC."""
    return datetime.fromtimestamp(epoch_s, UTC)


@lru_cache(maxsize=512)
def _offsets_s(zone_name: str, first: int, last: int) -> NDArray[np.int64]:
    tz = zone(zone_name)
    offsets = np.empty(last - first + 1, dtype=np.int64)
    for index in range(first, last + 1):
        offset = datetime.fromtimestamp(index * _HALF_HOUR_S, UTC).astimezone(tz).utcoffset() or timedelta()
        offsets[index - first] = offset // timedelta(seconds=1)
    offsets.setflags(write=False)
    return offsets
