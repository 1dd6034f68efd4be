"""Interval values as days: one row is one profile and one local day, packed; items are placed without a lookup each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.office.localtime import day_of, local_dates
from openami.office.readings.errors import MissingValue, OffTheGrid, TooFine, WrongStatus, WrongUnit
from openami.office.readings.model import ItemStatus
from openami.shared.contract.enterprise.errors import Refusal
from openami.shared.contract.enterprise.headers import id_key
from openami.shared.contract.enterprise.interval_columns import IntervalColumns, shifted
from openami.shared.spans import intervals_of_day, local_midnight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from numpy.typing import NDArray


_DECIMAL_SHIFTS: Final = {("KWH", "KWH"): 3, ("WH", "KWH"): 0, ("MWH", "KWH"): 6, ("M3", "M3"): 3, ("L", "M3"): 0}
"""(unit of the item, unit of the profile) -> power of ten from the item's number to thousandths of the profile's."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VALUELESS: Final = (ItemStatus.MISSING, ItemStatus.IMPLAUSIBLE)


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Interval values in columns: starts (epoch seconds), thousandths of the unit, status."""

    starts: NDArray[np.int64]
    values_milli: NDArray[np.int64]
    status: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class DayBlock:
    """All intervals of a profile on one local day; where nothing has arrived the status is EMPTY."""

    day: date
    interval_s: int
    values_milli: NDArray[np.int64]
    status: NDArray[np.uint8]
    stamps: NDArray[np.int64]
    """When the middle said so: see `stamp_of`."""
    version: int = 0

    def starts(self, zone_name: str) -> NDArray[np.int64]:
        """The starts of the intervals, epoch seconds."""
        first = int(local_midnight(zone_name, self.day).timestamp())
        return first + np.arange(self.values_milli.size, dtype=np.int64) * self.interval_s

    def packed(self) -> dict[str, bytes]:
        """Values and stamps (int64, little-endian) and status (uint8) as bytes."""
        return {
            "values": self.values_milli.astype("<i8").tobytes(),
            "status": self.status.tobytes(),
            "stamps": self.stamps.astype("<i8").tobytes(),
        }

    @classmethod
    def unpacked(
        cls, day: date, interval_s: int, *, values: bytes, status: bytes, stamps: bytes, version: int
    ) -> DayBlock:
        """The block of packed bytes."""
        return cls(
            day,
            interval_s,
            np.frombuffer(values, dtype="<i8").astype(np.int64),
            np.frombuffer(status, dtype=np.uint8),
            np.frombuffer(stamps, dtype="<i8").astype(np.int64),
            version,
        )

    @classmethod
    def empty(cls, zone_name: str, day: date, interval_s: int) -> DayBlock:
        """A day of which nothing has arrived: 46, 48 or 50 half hours, say."""
        count = intervals_of_day(zone_name, day, interval_s)
        nothing = np.zeros(count, dtype=np.int64)
        return cls(day, interval_s, nothing, nothing.astype(np.uint8), nothing)


def columns(sent: IntervalColumns, interval_s: int, unit: str, statuses: Mapping[str, ItemStatus]) -> Items:
    """The items of an upload in the books' terms; `statuses` says what a status code is worth (`codes.item_statuses`).

    Raises:
        OffTheGrid: an item is not exactly one interval.
        WrongUnit: an item has a unit that is not the profile's quantity.
        WrongStatus: an item has not exactly one known status.
        TooFine: a value is finer than the books hold.
        MissingValue: a value is missing though its status says that there is one.
    """
    starts_us, ends_us = sent.start.astype(np.int64), sent.end.astype(np.int64)
    interval_us = interval_s * 1_000_000
    if (at := _first((starts_us % interval_us != 0) | (ends_us - starts_us != interval_us))) is not None:
        raise OffTheGrid(
            f"The item from {sent.start[at]}Z to {sent.end[at]}Z is not an interval of {interval_s} s.",
            hint="Send start and end of whole intervals.",
        )
    status = sent.status.each(lambda codes: _status(codes, statuses), np.uint8)
    if (at := _first(~sent.present & ~np.isin(status, _VALUELESS))) is not None:
        raise MissingValue(f"The item of {sent.start[at]}Z has no quantity.")
    powers = np.zeros(len(sent), np.int64)
    powers[sent.present] = sent.unit[sent.present].each(lambda one: _shift(one, unit), np.int64) - sent.decimals
    values, exact = shifted(np.where(sent.present, sent.values, 0), powers)
    if (at := _first(~exact)) is not None:
        found = Decimal(int(sent.values[at])).scaleb(-sent.decimals)
        raise TooFine(
            f"{found} of {sent.start[at]}Z is finer than a thousandth of the profile's unit, or too large.",
            hint="Round before sending.",
        )
    return Items(starts_us // 1_000_000, values, status)


def columns_of_many(
    sent: Sequence[IntervalColumns], interval_s: int, unit: str, statuses: Mapping[str, ItemStatus]
) -> list[Items | Refusal]:
    """What `columns` makes of each of several series with the same decimals, or why it refuses it."""
    try:
        found = columns(IntervalColumns.joined(sent), interval_s, unit, statuses)
    except Refusal as reason:
        if len(sent) == 1:
            return [reason]
        return [found for one in sent for found in columns_of_many([one], interval_s, unit, statuses)]
    past = np.cumsum([len(one) for one in sent]).tolist()
    return [
        Items(found.starts[begin:end], found.values_milli[begin:end], found.status[begin:end])
        for begin, end in pairwise([0, *past])
    ]


def _first(wrong: NDArray[np.bool_]) -> int | None:
    """The place of the first item of which something is true."""
    return int(np.argmax(wrong)) if wrong.any() else None


def by_day(items: Items, zone_name: str) -> Iterator[tuple[date, Items]]:
    """The items of each local day, in the order of days."""
    if items.starts.size == 0:
        return
    order = np.argsort(items.starts, kind="stable")
    numbers = local_dates(items.starts[order], zone_name)
    cuts = np.flatnonzero(np.diff(numbers)) + 1
    for number, part in zip(numbers[[0, *cuts]].tolist(), np.split(order, cuts), strict=True):
        yield day_of(number), Items(items.starts[part], items.values_milli[part], items.status[part])


def stamp_of(created: datetime, *, replaces: bool) -> int:
    """How late a word of the middle is: microseconds, doubled, plus one for a replacement.

    Of two words on one interval the later counts, whichever arrives first; a replacement beats a creation made at
    the same instant.
    """
    return (created - _EPOCH) // timedelta(microseconds=1) * 2 + replaces


def merged(block: DayBlock, items: Items, zone_name: str, stamp: int) -> DayBlock | None:
    """The day with the items put in, except where a later word is known; None when nothing changes.

    What changes a value is a new version. What only confirms it later keeps the version: the stamp alone moves, so
    that an older word which arrives still later does not undo the confirmation.
    """
    first = int(local_midnight(zone_name, block.day).timestamp())
    places = (items.starts - first) // block.interval_s
    fresh = block.stamps[places] <= stamp
    places = places[fresh]
    values, status, stamps = block.values_milli.copy(), block.status.copy(), block.stamps.copy()
    values[places], status[places], stamps[places] = items.values_milli[fresh], items.status[fresh], stamp
    same = np.array_equal(values, block.values_milli) and np.array_equal(status, block.status)
    if same and np.array_equal(stamps, block.stamps):
        return None
    return DayBlock(block.day, block.interval_s, values, status, stamps, block.version + (0 if same else 1))


def on_grid(
    blocks: Sequence[DayBlock], starts: NDArray[np.int64], zone_name: str
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Values and status for given interval starts; zero and EMPTY where the blocks have none."""
    values = np.zeros(starts.size, dtype=np.int64)
    status = np.full(starts.size, ItemStatus.EMPTY, dtype=np.uint8)
    if not blocks or not starts.size:
        return values, status
    have = np.concatenate([block.starts(zone_name) for block in blocks])
    have_values = np.concatenate([block.values_milli for block in blocks])
    have_status = np.concatenate([block.status for block in blocks])
    places = np.minimum(np.searchsorted(have, starts), have.size - 1)
    found = have[places] == starts
    values[found], status[found] = have_values[places[found]], have_status[places[found]]
    return values, status


def days_of(starts: NDArray[np.int64], zone_name: str) -> tuple[date, date] | None:
    """The first local day of some intervals and the day after their last; None without intervals."""
    if not starts.size:
        return None
    numbers = local_dates(starts[[0, -1]], zone_name)
    return day_of(int(numbers[0])), day_of(int(numbers[1]) + 1)


def _status(codes: str, statuses: Mapping[str, ItemStatus]) -> int:
    different = sorted(set(codes.split()))
    if len(different) != 1:
        raise WrongStatus(f"An item has the statuses {codes or 'none'}.", hint="Send one.")
    known = statuses.get(id_key(different[0].upper()))
    if known is None:
        raise WrongStatus(f"The status {codes!r} is not in the status table.", hint="Add it to item_statuses.toml.")
    return known


def _shift(sent: str, unit: str) -> int:
    """The power of ten from a number in a unit (none: the profile's) to thousandths of the profile's."""
    shift = _DECIMAL_SHIFTS.get((sent or unit, unit), _DECIMAL_SHIFTS.get((sent.upper(), unit)))
    if shift is None:
        raise WrongUnit(f"An item is in {sent}, the profile in {unit}.", hint=f"Send {unit}.")
    return shift
