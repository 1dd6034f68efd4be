"""Instants as seconds since 1970, and the stamps a meter's clock writes for many of them at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.spans import zone

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYLIGHT_SAVING: Final = 0x80
STAMP_OCTETS: Final = 12
_SHORTEST_RULE_S: Final = 7 * 86400  # no zone keeps an offset for less than a week


def seconds_of(instant: datetime) -> int:
    """Whole seconds since 1970 UTC, rounded down."""
    return (instant - _EPOCH) // timedelta(seconds=1)


def instant_of(seconds: int) -> datetime:
    """The instant, aware, UTC."""
    return _EPOCH + timedelta(seconds=int(seconds))


def offsets_s(seconds: NDArray[np.int64], zone_name: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The offset of the zone's local time from UTC at each (ascending) instant, and whether summer time is on."""
    if not len(seconds):
        return np.empty(0, np.int64), np.empty(0, bool)
    hours, index = np.unique(seconds // 3600, return_inverse=True)
    first, last = _offset_at(int(hours[0]), zone_name), _offset_at(int(hours[-1]), zone_name)
    if first == last and hours[-1] - hours[0] < _SHORTEST_RULE_S // 3600:
        table = np.tile(np.array(first, np.int64), (len(hours), 1))
    else:
        table = np.array([_offset_at(int(hour), zone_name) for hour in hours], np.int64)
    return table[index, 0], table[index, 1].astype(bool)


def stamps(seconds: NDArray[np.int64], zone_name: str) -> NDArray[np.uint8]:
    """COSEM date-times of twelve octets, one row an instant, as a clock in the zone shows them."""
    offset_s, summer = offsets_s(seconds, zone_name)
    local = (seconds + offset_s).astype("datetime64[s]")
    days = local.astype("datetime64[D]")
    months = local.astype("datetime64[M]")
    year = months.astype("datetime64[Y]").astype(np.int64) + 1970
    day_number = days.astype(np.int64)
    second_of_day = (seconds + offset_s) % 86400
    deviation_min = (-offset_s // 60) & 0xFFFF
    columns = (
        year >> 8,
        year & 0xFF,
        months.astype(np.int64) % 12 + 1,
        (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        (day_number + 3) % 7 + 1,  # 1 January 1970 was a Thursday, day 4
        second_of_day // 3600,
        second_of_day // 60 % 60,
        second_of_day % 60,
        np.zeros(len(seconds), np.int64),
        deviation_min >> 8,
        deviation_min & 0xFF,
        np.where(summer, _DAYLIGHT_SAVING, 0),
    )
    return np.stack(columns, axis=1).astype(np.uint8)


def _offset_at(hour: int, zone_name: str) -> tuple[int, int]:
    local = instant_of(hour * 3600).astimezone(zone(zone_name))
    offset = local.utcoffset() or timedelta()
    return int(offset.total_seconds()), int(bool(local.dst()))
