"""Bulk deliveries onto the channels, by columns.

Intervals and register readings go straight onto channels that are beyond doubt: whole local days as they stand, others
reading by reading. All else is left to the general way, which gives the same answer, one block after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.series import Calendar, ChannelDays, RegisterReadings
from openami.mdus.series import place as place_readings
from openami.mdus.series.calendar import DAY_S
from openami.mdus.series.packing import concatenate
from openami.mdus.unify.columns import spread
from openami.mdus.unify.errors import UnknownUnitError
from openami.mdus.unify.intervals import FUTURE_S
from openami.mdus.unify.matching import measures_a_dial, patterns_of
from openami.mdus.unify.units import power_between
from openami.shared.contract.field.tables import PERIOD_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from openami.mdus.series.model import Placed
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
    """Intervals and register readings onto their channels.

    Args:
        columns: the delivery.
        device: for each identity of the delivery its device in `channels`, `NOBODY` if that is not beyond doubt.
        channels: the channels of these devices.
        received_s: when the delivery arrived.
    """
    if not len(channels.channel):  # nobody's meters
        nothing = np.zeros(0, np.int64)
        return Taken([], RegisterReadings(nothing, nothing, nothing, nothing.astype(np.uint8)), np.arange(len(columns)))
    of_row = device[columns.who]
    place = _places(columns, of_row, channels)
    ok = columns.regular & (place >= 0)
    safe = np.maximum(place, 0)
    last_s = columns.last_s
    end_s = last_s + columns.interval_s
    ok &= (columns.start_s >= channels.begin_s[safe]) & (end_s <= channels.end_s[safe])
    ok &= _in_time(columns, last_s, end_s, received_s)
    expected = _day_counts(columns, channels, safe, ok)
    # a day of another length than its own is for a rule to judge (V04)
    ok &= (expected <= 0) | (columns.count == expected) | (columns.count * columns.interval_s != DAY_S)
    values, fits = _scaled(columns, channels, safe, ok)
    ok &= fits & ~_repeated_registers(columns, channels.channel[safe], ok)
    ok = _without_doubt(ok, of_row)
    whole = columns.even & (columns.count == expected) & ~_repeated(columns, channels.channel[safe], ok)
    # what is no whole day is put in place with all that its channel brings
    apart = ok & (columns.interval_s > 0) & np.isin(safe, safe[ok & (columns.interval_s > 0) & ~whole])
    scattered = _Scattered(columns, channels, safe, values)
    if (bad := scattered.bad(apart)).any():
        ok = _without_doubt(ok & ~bad, of_row)
        apart &= ok
    days = [*_days(columns, channels, safe, np.flatnonzero(ok & ~apart & (columns.interval_s > 0)), values)]
    rows = np.flatnonzero(ok & (columns.interval_s == 0))
    at = columns.offsets[rows]
    registers = RegisterReadings(channels.channel[place[rows]], columns.start_s[rows], values[at], columns.quality[at])
    return Taken(_merged([*days, *scattered.days(apart)]), registers, np.flatnonzero(~ok))


def _without_doubt(ok: NDArray[np.bool_], of_row: Ints) -> NDArray[np.bool_]:
    """The rows that are ok, but for those of devices of which another one is not: it may contradict them."""
    certain: NDArray[np.bool_] = ok & ~np.isin(of_row, of_row[~ok])
    return certain


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


def _day_counts(columns: Columns, channels: ChannelColumns, place: Ints, ok: NDArray[np.bool_]) -> Ints:
    """For each row how many intervals the local day of its channel has that begins with it; -1 if none does."""
    expected = np.full(len(columns), -1, np.int64)
    for number, sort in enumerate(channels.sorts):
        if not sort.interval_s:
            continue
        calendar = sort.calendar
        mine = np.flatnonzero(ok & (channels.sort[place] == number) & (columns.interval_s == sort.interval_s))
        starts, inverse = np.unique(columns.start_s[mine], return_inverse=True)
        expected[mine] = np.array([_length(calendar, start) for start in starts.tolist()], np.int64)[inverse]
    return expected


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


def _repeated_registers(columns: Columns, channel: Ints, ok: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Register readings of which another one is of the same channel and instant; several in a row are none."""
    registers = columns.interval_s == 0
    repeated: NDArray[np.bool_] = registers & ((columns.count != 1) | _repeated(columns, channel, ok & registers))
    return repeated


def _repeated(columns: Columns, channel: Ints, ok: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of which another one of the same channel begins at the same time."""
    rows = np.flatnonzero(ok)
    order = rows[np.lexsort((columns.start_s[rows], channel[rows]))]
    alike = (channel[order[1:]] == channel[order[:-1]]) & (columns.start_s[order[1:]] == columns.start_s[order[:-1]])
    repeated = np.zeros(len(columns), np.bool_)
    repeated[order[1:][alike]] = repeated[order[:-1][alike]] = True
    return repeated


class _Scattered:
    """Rows that are no whole days: their readings are put in place one by one."""

    def __init__(self, columns: Columns, channels: ChannelColumns, place: Ints, values: Ints) -> None:
        self._columns, self._channels, self._place, self._values = columns, channels, place, values

    def bad(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of these rows have readings off the grid, or such as contradict others."""
        bad = np.zeros(len(rows), np.bool_)
        if rows.any():
            of_reading, placed = self._put(rows)
            bad[of_reading[placed.off_grid]] = bad[of_reading[placed.contradicting]] = True
        return bad

    def days(self, rows: NDArray[np.bool_]) -> list[ChannelDays]:
        """The channel-days of these rows."""
        return self._put(rows)[1].groups if rows.any() else []

    def _put(self, rows: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Placed]:
        columns = self._columns
        count = columns.count[rows]
        of_reading = np.repeat(np.flatnonzero(rows), count)
        at = spread(columns.offsets[:-1][rows], count)
        place = self._place[of_reading]
        channel, of_sort = self._channels.channel, self._channels.sort
        calendars = {
            int(channel[one]): self._channels.sorts[of_sort[one]].calendar
            for one in np.unique(self._place[rows]).tolist()
        }
        placed = place_readings(
            calendars, channel[place], columns.starts_of(of_reading, at), self._values[at], columns.quality[at],
            columns.flags[at],
        )  # fmt: skip
        return of_reading, placed


def _merged(groups: list[ChannelDays]) -> list[ChannelDays]:
    """One group for each length of day and interval, by channel and day."""
    found = []
    for count in dict.fromkeys(group.count for group in groups):
        alike = [group for group in groups if group.count == count and len(group)]
        if len(alike) > 1:
            whole = concatenate(alike)
            alike = [whole.rows(np.lexsort((whole.day, whole.channel)))]
        found += alike
    return found


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
