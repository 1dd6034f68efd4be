"""Bulk deliveries onto the channels, by columns.

Whole local days and single register readings go straight onto channels that are beyond doubt. All else is left to the
general way, which gives the same answer, one block after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.series import Calendar, ChannelDays, RegisterReadings
from openami.mdus.unify.errors import UnknownUnitError
from openami.mdus.unify.intervals import FUTURE_S
from openami.mdus.unify.matching import measures_a_dial, patterns_of
from openami.mdus.unify.units import power_between
from openami.shared.contract.field.tables import PERIOD_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from openami.mdus.unify.columns import Columns, Ints
    from openami.shared.contract import field as contract

NOBODY: Final = -1
_NO, _YES, _DOUBT = 0, 1, 2
_MAX_SHIFT: Final = 18
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Sort:
    """What many channels of the registry share."""

    obis: str
    unit: str
    scale: int
    interval_s: int
    zone: str
    day_start_s: int = 0

    @property
    def calendar(self) -> Calendar:
        """How its channels cut time."""
        return Calendar(self.zone, self.interval_s, self.day_start_s)


@dataclass(frozen=True, slots=True, eq=False)
class ChannelColumns:
    """The channels of some devices as columns; `device` counts from 0, spans are half-open seconds since 1970."""

    device: Ints
    channel: Ints
    sort: Ints
    begin_s: Ints
    end_s: Ints
    sorts: Sequence[Sort]


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What went the fast way, and the rows of the columns that did not."""

    days: list[ChannelDays]
    registers: RegisterReadings
    left: NDArray[np.intp]


def take(columns: Columns, device: Ints, channels: ChannelColumns, received_s: int) -> Taken:
    """Whole days and register readings onto their channels.

    Args:
        columns: the delivery.
        device: for each identity of the delivery its device in `channels`, `NOBODY` if that is not beyond doubt.
        channels: the channels of these devices.
        received_s: when the delivery arrived.
    """
    of_row = device[columns.who]
    place = _places(columns, of_row, channels)
    ok = columns.regular & (place >= 0)
    safe = np.maximum(place, 0)
    last_s = columns.start_s + np.maximum(columns.count - 1, 0) * columns.interval_s
    end_s = columns.start_s + columns.count * columns.interval_s
    ok &= (columns.start_s >= channels.begin_s[safe]) & (end_s <= channels.end_s[safe])
    ok &= _in_time(columns, last_s, end_s, received_s)
    ok &= _whole(columns, channels, safe)
    values, fits = _scaled(columns, channels, safe, ok)
    ok &= fits & ~_repeated(columns, channels.channel[safe], ok)
    # one block in doubt may contradict another of its meter: all go the general way then
    doubtful = np.unique(of_row[~ok])
    ok &= ~np.isin(of_row, doubtful)
    days = list(_days(columns, channels, safe, np.flatnonzero(ok & (columns.interval_s > 0)), values))
    rows = np.flatnonzero(ok & (columns.interval_s == 0))
    at = columns.offsets[rows]
    registers = RegisterReadings(channels.channel[place[rows]], columns.start_s[rows], values[at], columns.quality[at])
    return Taken(days, registers, np.flatnonzero(~ok))


def _in_time(columns: Columns, last_s: NDArray[Any], end_s: Ints, received_s: int) -> NDArray[np.bool_]:
    """Rows about whose times no rule has anything to ask (V02, V03, V35)."""
    past = np.where(columns.interval_s > 0, end_s <= received_s, last_s <= received_s + FUTURE_S).astype(np.bool_)
    if columns.reported_s is None:
        return past
    reported_s = columns.reported_s
    sane = (reported_s <= received_s) & (end_s <= reported_s)
    return np.asarray(past & ((columns.interval_s == 0) | (reported_s == 0) | sane), np.bool_)


def _places(columns: Columns, of_row: Ints, channels: ChannelColumns) -> Ints:
    """For each row the one channel (its place) that takes it; -1 where there is none, several, or doubt."""
    found = np.full(len(columns), -1, np.int64)
    devices = int(channels.device.max(initial=-1)) + 1
    for code, interval_s in _pairs(columns.code, columns.interval_s)[0]:
        rows = np.flatnonzero((columns.code == code) & (columns.interval_s == interval_s) & (of_row >= 0))
        match = np.array([_takes(columns.codes[code], interval_s, sort) for sort in channels.sorts], np.int64)
        match = match[channels.sort] if len(match) else np.zeros(0, np.int64)
        some = np.flatnonzero(match == _YES)
        number = np.bincount(channels.device[some], minlength=devices)
        number += 2 * np.bincount(channels.device[match == _DOUBT], minlength=devices)
        one = np.full(devices, -1, np.int64)
        one[channels.device[some]] = some
        one[number != 1] = -1
        found[rows] = one[of_row[rows]]
    return found


def _takes(code: contract.ReadingTypeCode, interval_s: int, sort: Sort) -> int:
    """Whether channels of a sort take blocks of a code; in doubt where a dial has to be differenced."""
    patterns = patterns_of(sort.obis, sort.interval_s)
    if interval_s:
        if code.interval_s is None and interval_s in PERIOD_NUMBERS:
            code = replace(code, measuring_period=PERIOD_NUMBERS[interval_s])
        if code.is_dial:
            return _DOUBT
        return int(sort.interval_s == interval_s and any(code.matches(one) for one in patterns))
    if not sort.interval_s:
        plain = replace(code, measuring_period=0) if code.is_dial else code
        return int(any(plain.matches(one) for one in patterns))
    return _DOUBT if code.is_dial and (code.interval_s is not None or measures_a_dial(sort.obis)) else _NO


def _whole(columns: Columns, channels: ChannelColumns, place: Ints) -> NDArray[np.bool_]:
    """Rows that are a single value at an instant, or exactly one local day of their channel."""
    whole: NDArray[np.bool_] = (columns.interval_s == 0) & (columns.count == 1)
    for number, sort in enumerate(channels.sorts):
        if not sort.interval_s:
            continue
        calendar = sort.calendar
        mine = np.flatnonzero((channels.sort[place] == number) & (columns.interval_s == sort.interval_s))
        starts, inverse = np.unique(columns.start_s[mine], return_inverse=True)
        expected = np.array([_length(calendar, start) for start in starts.tolist()], np.int64)
        whole[mine] = columns.count[mine] == expected[inverse]
    return whole


def _length(calendar: Calendar, start_s: int) -> int:
    """Intervals of the local day that begins at an instant; -1 if none does."""
    day = calendar.day_of(start_s)
    return calendar.count(day) if calendar.start_s(day) == start_s else -1


def _scaled(
    columns: Columns, channels: ChannelColumns, place: Ints, ok: NDArray[np.bool_]
) -> tuple[Ints, NDArray[np.bool_]]:
    """Values in the scale of their channels, and the rows in which all are exact."""
    pairs, inverse = _pairs(columns.code, channels.sort[place])
    powers = [_power(columns.codes[code], channels.sorts[sort]) for code, sort in pairs]
    shift = columns.scale + np.array(powers, np.int64)[inverse]
    fits: NDArray[np.bool_] = np.abs(shift) <= _MAX_SHIFT
    if not shift[ok & fits].any():
        return columns.values, fits & (shift == 0)
    row = np.repeat(np.arange(len(columns)), columns.count)
    factor = 10 ** np.minimum(np.abs(shift), _MAX_SHIFT)[row]
    up = (shift >= 0)[row]
    exact = np.where(up, np.abs(columns.values) <= _LARGEST // factor, columns.values % factor == 0)
    fits[row[~exact]] = False
    with np.errstate(over="ignore"):
        return np.where(up, columns.values * factor, columns.values // factor), fits


def _power(code: contract.ReadingTypeCode, sort: Sort) -> int:
    try:
        return power_between(code.unit_symbol, sort.unit) - sort.scale
    except UnknownUnitError:
        return 2 * _MAX_SHIFT


def _repeated(columns: Columns, channel: Ints, ok: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of which another one says something of the same channel and day or instant."""
    rows = np.flatnonzero(ok)
    order = rows[np.lexsort((columns.start_s[rows], channel[rows]))]
    alike = (channel[order[1:]] == channel[order[:-1]]) & (columns.start_s[order[1:]] == columns.start_s[order[:-1]])
    repeated = np.zeros(len(columns), np.bool_)
    repeated[order[1:][alike]] = repeated[order[:-1][alike]] = True
    return repeated


def _pairs(first: Ints, second: Ints) -> tuple[list[tuple[int, int]], Ints]:
    """The distinct pairs of two columns of small numbers that are not negative, and which one each row has."""
    width = int(second.max(initial=0)) + 1
    distinct, inverse = np.unique(first * width + second, return_inverse=True)
    return [divmod(key, width) for key in distinct.tolist()], inverse


def _days(
    columns: Columns, channels: ChannelColumns, place: Ints, rows: NDArray[np.intp], values: Ints
) -> Iterator[ChannelDays]:
    """The rows as dense batches, one per day length and calendar, by channel and day."""
    sorts = channels.sort[place[rows]]
    for number, count in _pairs(sorts, columns.count[rows])[0]:
        sort = channels.sorts[number]
        calendar = sort.calendar
        mine = rows[(sorts == number) & (columns.count[rows] == count)]
        starts, inverse = np.unique(columns.start_s[mine], return_inverse=True)
        day = np.array([calendar.day_of(start) for start in starts.tolist()], np.int64)[inverse]
        channel = channels.channel[place[mine]]
        order = np.lexsort((day, channel))
        cut = _Cut(columns.offsets[mine[order]], int(count))
        yield ChannelDays.of(channel[order], day[order], cut.of(values), cut.of(columns.quality), cut.of(columns.flags))


class _Cut:
    """Takes the readings of equally long rows out of flat columns, as matrices."""

    def __init__(self, begins: Ints, count: int) -> None:
        self._begins, self._count = begins, count
        self._together = bool((np.diff(begins) == count).all())

    def of(self, flat: NDArray[Any]) -> NDArray[Any]:
        """The rows of one column."""
        if self._together and len(self._begins):
            begin = int(self._begins[0])
            return flat[begin : begin + len(self._begins) * self._count].reshape(-1, self._count).copy()
        if not len(self._begins):
            return np.zeros((0, self._count), flat.dtype)
        return np.lib.stride_tricks.sliding_window_view(flat, self._count)[self._begins]
