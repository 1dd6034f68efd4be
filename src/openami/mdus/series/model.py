"""Values of the series: channels, dense matrices of channel-days, register readings, where a change came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import IntFlag
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.series.calendar import Calendar
from openami.shared.errors import OpenAmiError
from openami.shared.quality import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray


_RATED: Final = {"Wh": 0, "m3": -3}
"""Units that a rating bounds, and the power of ten of what it is in: watt-hours, litres."""


class ShapeError(OpenAmiError):
    """Matrices of one batch that do not belong together."""


class Flag(IntFlag):
    """What the device said about an interval, as the source told it; kept beside the value, never part of it."""

    NONE = 0
    OUTAGE = 1
    CLOCK_SET = 2
    TEST_MODE = 4
    OVERFLOW = 8
    HARDWARE = 16
    DISCONNECTED = 32
    REVERSE = 64
    PARTIAL = 128


@dataclass(frozen=True, slots=True)
class Channel:
    """One measured quantity of one device, as far as keeping and judging its values needs to know it.

    Values are integers of `unit` times ten to the `scale` (Wh: unit Wh, scale 0; litres as m3: unit m3, scale -3).
    `register` names the channel whose cumulative readings, in the same unit and scale, advance by the sum of this
    channel's intervals; `register_step` is the last digit that register shows and `modulus` where it begins anew, both
    in values of this channel; `rating_w` is the most that an hour can bring, of volumes in litres. It lives from
    `since` to `until`.
    """

    id: int
    zone: str
    interval_s: int
    day_start_s: int = 0
    unit: str = "Wh"
    scale: int = 0
    register: int | None = None
    register_step: int = 1
    modulus: int | None = None
    rating_w: int | None = None
    rule_set: str = "default"
    kind: str = "residential"
    net: bool = False
    since: datetime | None = None
    until: datetime | None = None

    @property
    def calendar(self) -> Calendar:
        """How this channel cuts time."""
        return Calendar(self.zone, self.interval_s, self.day_start_s)

    @property
    def hourly_limit(self) -> int:
        """The most an hour can bring by the channel's rating, in its own units; 0 when that is not known."""
        power = _RATED.get(self.unit)
        return 0 if power is None else round(Fraction(self.rating_w or 0) * Fraction(10) ** (power - self.scale))


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a change comes from: the delivery that brought it, who made it, why, and when it was recorded."""

    recorded_at: datetime
    author: str
    cause: str
    delivery: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One kept version of one channel-day."""

    version: int
    recorded_at: datetime
    author: str
    cause: str
    delivery: str
    transaction: int
    values: NDArray[np.int64]
    quality: NDArray[np.uint8]
    flags: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class ChannelDays:
    """A dense batch: row i is the local day `day[i]` of channel `channel[i]`; all rows have equally many intervals.

    `quality` is the packed byte of `shared.quality`; `flags` are `Flag` bits. `version[i]` is 0 for what was never
    kept. A batch with days of 92 and of 96 intervals is two such groups.
    """

    channel: NDArray[np.int64]
    day: NDArray[np.int64]
    values: NDArray[np.int64]
    quality: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    version: NDArray[np.int64]

    def __post_init__(self) -> None:
        rows = self.channel.shape
        shapes = {self.values.shape, self.quality.shape, self.flags.shape}
        if len(shapes) != 1 or len(rows) != 1 or self.day.shape != rows or self.version.shape != rows:
            raise ShapeError(f"A batch of {rows} channel-days has matrices of the shapes {sorted(shapes)}.")
        if self.values.ndim != 2 or self.values.shape[0] != rows[0]:
            raise ShapeError(f"A batch of {rows} channel-days needs one row of values each, not {self.values.shape}.")

    def __len__(self) -> int:
        return len(self.channel)

    @property
    def count(self) -> int:
        """Intervals a day."""
        return int(self.values.shape[1])

    @property
    def readings(self) -> int:
        """Cells of the matrix."""
        return self.values.size

    def rows(self, selection: NDArray[np.bool_] | NDArray[np.intp] | slice) -> ChannelDays:
        """The chosen rows, in that order; choosing all of them costs nothing."""
        if isinstance(selection, np.ndarray) and len(selection) == len(self):
            whole = selection.all() if selection.dtype == np.bool_ else bool((np.diff(selection) == 1).all())
            if whole:
                return self
        return ChannelDays(
            channel=self.channel[selection],
            day=self.day[selection],
            values=self.values[selection],
            quality=self.quality[selection],
            flags=self.flags[selection],
            version=self.version[selection],
        )

    def with_results(self, values: NDArray[np.int64], quality: NDArray[np.uint8]) -> ChannelDays:
        """The same channel-days with other values and qualities."""
        return replace(self, values=values, quality=quality)

    def put(self, found: ChannelDays) -> None:
        """Write the rows of `found`, all of which this batch has, in their places."""
        low = int(self.channel.min())
        width = int(self.channel.max()) - low + 1
        keys = self.day * width + (self.channel - low)
        order = np.argsort(keys)
        row = order[np.searchsorted(keys, found.day * width + (found.channel - low), sorter=order)]
        self.values[row], self.quality[row], self.flags[row] = found.values, found.quality, found.flags
        self.version[row] = found.version

    def keys(self) -> list[tuple[int, date]]:
        """Channel and date of each row."""
        return [(int(c), date.fromordinal(int(d))) for c, d in zip(self.channel, self.day, strict=True)]

    @staticmethod
    def of(
        channel: NDArray[np.int64],
        day: NDArray[np.int64],
        values: NDArray[np.int64],
        quality: NDArray[np.uint8],
        flags: NDArray[np.uint8] | None = None,
    ) -> ChannelDays:
        """Days that were never kept before; without flags the device reported nothing."""
        flags = np.zeros(values.shape, np.uint8) if flags is None else flags
        return ChannelDays(channel, day, values, quality, flags, np.zeros(channel.shape, np.int64))

    @staticmethod
    def unfilled(
        channel: NDArray[np.int64], day: NDArray[np.int64], version: NDArray[np.int64], count: int
    ) -> ChannelDays:
        """Kept days whose matrices have any content until they are filled."""
        shape = (len(channel), count)
        values, quality, flags = np.empty(shape, np.int64), np.empty(shape, np.uint8), np.empty(shape, np.uint8)
        return ChannelDays(channel, day, values, quality, flags, version)

    @staticmethod
    def empty(channel: NDArray[np.int64], day: NDArray[np.int64], count: int) -> ChannelDays:
        """Days of which nothing has arrived."""
        shape = (len(channel), count)
        return ChannelDays.of(channel, day, np.zeros(shape, np.int64), np.full(shape, EMPTY, np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class ChannelSpan:
    """One channel over a span, flat: interval starts (seconds since 1970 UTC), values, qualities, flags.

    Intervals of which nothing was ever kept are there with quality EMPTY and value 0.
    """

    channel: int
    interval_s: int
    start_s: NDArray[np.int64]
    values: NDArray[np.int64]
    quality: NDArray[np.uint8]
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class RegisterReadings:
    """Cumulative readings at instants (seconds since 1970 UTC), one row each; scaled integers like interval values."""

    channel: NDArray[np.int64]
    at_s: NDArray[np.int64]
    value: NDArray[np.int64]
    quality: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if len({self.channel.shape, self.at_s.shape, self.value.shape, self.quality.shape}) != 1:
            raise ShapeError("Register readings need one channel, instant, value and quality each.")

    def __len__(self) -> int:
        return len(self.channel)

    @staticmethod
    def of(readings: Iterable[tuple[int, int, int, int]]) -> RegisterReadings:
        """From (channel, at_s, value, quality) tuples."""
        table = np.array(list(readings), dtype=np.int64).reshape(-1, 4)
        return RegisterReadings(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Readings put into channel-days, and what could not be: positions off the grid, positions that contradict."""

    groups: list[ChannelDays]
    off_grid: NDArray[np.intp]
    repeated: NDArray[np.intp]
    contradicting: NDArray[np.intp]

    def __iter__(self) -> Iterator[ChannelDays]:
        return iter(self.groups)


def place(
    calendars: Mapping[int, Calendar] | Calendar,
    channel: NDArray[np.int64],
    start_s: NDArray[np.int64],
    values: NDArray[np.int64],
    quality: NDArray[np.uint8],
    flags: NDArray[np.uint8] | None = None,
) -> Placed:
    """Put interval readings in any order into dense channel-days.

    V06 within one delivery: an identical repeat is dropped, of two different values for one interval the later one
    in the delivery stands; both are reported by position.
    """
    flags = np.zeros(values.shape, np.uint8) if flags is None else flags
    day, slot = np.zeros_like(start_s), np.zeros_like(start_s)
    fits = np.zeros(start_s.shape, np.bool_)
    count = np.zeros_like(start_s)
    for calendar, chosen in _by_calendar(calendars, channel):
        day[chosen], slot[chosen], fits[chosen] = calendar.slots(start_s[chosen])
        distinct, inverse = np.unique(day[chosen], return_inverse=True)
        count[chosen] = np.array([calendar.count(int(d)) for d in distinct], np.int64)[inverse]
    kept, repeated, contradicting = _last_of_each(channel, day, slot, values, quality, np.flatnonzero(fits))
    groups = []
    for n in np.unique(count[kept]):
        part = kept[count[kept] == n]
        keys, row = np.unique(np.stack((channel[part], day[part])), axis=1, return_inverse=True)
        group = ChannelDays.empty(keys[0], keys[1], int(n))
        group.values[row, slot[part]] = values[part]
        group.quality[row, slot[part]] = quality[part]
        group.flags[row, slot[part]] = flags[part]
        groups.append(group)
    return Placed(groups, np.flatnonzero(~fits), repeated, contradicting)


def _by_calendar(
    calendars: Mapping[int, Calendar] | Calendar, channel: NDArray[np.int64]
) -> Iterator[tuple[Calendar, NDArray[np.intp]]]:
    if isinstance(calendars, Calendar):
        yield calendars, np.arange(len(channel))
        return
    distinct, inverse = np.unique(channel, return_inverse=True)
    of_each = [calendars[int(c)] for c in distinct]
    for calendar in dict.fromkeys(of_each):
        members = np.array([of == calendar for of in of_each])
        yield calendar, np.flatnonzero(members[inverse])


def _last_of_each(
    channel: NDArray[np.int64],
    day: NDArray[np.int64],
    slot: NDArray[np.int64],
    values: NDArray[np.int64],
    quality: NDArray[np.uint8],
    part: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    order = part[np.lexsort((part, slot[part], day[part], channel[part]))]
    if not order.size:
        return order, order, order
    here, following = order[:-1], order[1:]
    same = (channel[here] == channel[following]) & (day[here] == day[following]) & (slot[here] == slot[following])
    equal = (values[here] == values[following]) & (quality[here] == quality[following])
    last = np.append(~same, True)
    return order[last], here[same & equal], here[same & ~equal]
