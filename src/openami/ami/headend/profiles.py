"""From a profile's columns to what they mean: which one is the clock, the status, the value; rows as arrays."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.profile_times import NO_TIME
from openami.ami.headend.model import Column, IntervalRows, LoggedEvent, RegisterValue, Stream
from openami.ami.headend.rules import instant_of
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from openami.ami.dlms.profile import Profile
    from openami.ami.dlms.selection import CaptureObject

STATUS_CODES = b"\x00\x00\x60\x0a"  # 0-0:96.10.x, the status of a profile row (cosem 7.4)
REGISTER_CLASSES = {3, 4, 5}
MBUS_QUANTITY = 24  # 0-x:24.2.y, values of the device on channel x


class UnfitLayoutError(OpenAmiError):
    """A profile's rows are not what its capture objects said; the layout must be read again."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a profile are, as its capture objects say; read once, kept, read again if it fails."""

    interval_s: int
    width: int
    clock: int
    status: int | None
    values: tuple[int, ...]
    measured: tuple[Column, ...]
    """What each of the `values` measures; nothing in a log."""

    @classmethod
    def is_kept(cls, kept: Mapping[str, Any]) -> bool:
        """Whether `from_json` can read this."""
        return "values" in kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """The layout that `to_json` made."""
        measured = tuple([Column(**column) for column in kept["measured"]])
        return cls(**{**kept, "values": tuple(kept["values"]), "measured": measured})

    def to_json(self) -> dict[str, object]:
        """What is kept of it."""
        return asdict(self)


def layout_of(captures: Sequence[CaptureObject], interval_s: int, *, is_log: bool = False) -> Layout:
    """Which column is what; the scalers of the measured columns are still unknown (255 = no unit).

    The values of a load or daily profile are its registers; of a log the first column that is neither clock nor
    status: columns are found by their capture objects, never by their place (cosem 10).
    """
    clock = next((index for index, each in enumerate(captures) if each.is_clock), None)
    status = next((index for index, each in enumerate(captures) if each.obis.octets[:4] == STATUS_CODES), None)
    values = tuple(
        index for index, each in enumerate(captures) if index not in {clock, status} and (is_log or _is_measured(each))
    )
    if clock is None or not values:
        raise RemoteProtocolError(
            f"Of the {len(captures)} columns of the profile none is {'a clock' if clock is None else 'a value'}.",
            hint="Check which objects the meter captures.",
        )
    if is_log:
        return Layout(interval_s, len(captures), clock, status, values[:1], ())
    measured = tuple([Column(str(captures[value].obis), 0, 255) for value in values])
    return Layout(interval_s, len(captures), clock, status, values, measured)


def _is_measured(column: CaptureObject) -> bool:
    """Whether a column is a register of the meter itself: not the stamp of one, not a value of a device behind it."""
    medium, channel, quantity = column.obis.octets[0], column.obis.octets[1], column.obis.octets[2]
    behind = medium == 0 and channel > 0 and quantity == MBUS_QUANTITY
    return column.class_id in REGISTER_CLASSES and column.attribute == 2 and not behind


def interval_rows(profile: Profile, layout: Layout) -> IntervalRows:
    """The rows of a load profile as columns of ends, raw values and status octets."""
    if not len(profile):
        return IntervalRows.none(len(layout.values))
    stamps = _stamps(profile, layout)  # first: it looks whether the columns are there at all
    values = np.empty((len(profile), len(layout.values)), np.int64)
    for at, index in enumerate(layout.values):
        values[:, at] = _integers(profile, index)
    return IntervalRows(stamps, values, _status(profile, layout))


def daily_values(profile: Profile, layout: Layout) -> list[RegisterValue]:
    """The rows of a daily profile as dial values at their stamps."""
    if not len(profile):
        return []
    stamps, statuses = _stamps(profile, layout).tolist(), _status(profile, layout).tolist()
    return [
        RegisterValue(column.obis, instant_of(stamp), physical(raw, column.scaler), daily=True, status=status)
        for column, index in zip(layout.measured, layout.values, strict=True)
        for stamp, raw, status in zip(stamps, _integers(profile, index).tolist(), statuses, strict=True)
    ]


def logged_events(profile: Profile, layout: Layout, stream: Stream) -> list[LoggedEvent]:
    """The rows of an event log, oldest first; equal codes in one second get positions."""
    if not len(profile):
        return []
    stamps = _stamps(profile, layout)
    order = np.argsort(stamps, kind="stable")
    codes = _integers(profile, layout.values[0])
    seen: dict[tuple[int, int], int] = {}
    found = []
    for stamp, code in zip(stamps[order].tolist(), (codes[order] & 0xFFFF).tolist(), strict=True):
        position = seen.get((stamp, code), 0)
        seen[stamp, code] = position + 1
        found.append(LoggedEvent(stream, instant_of(stamp), code, position))
    return found


def physical(raw: int, scaler: int) -> Decimal:
    """A raw value in its physical unit, exactly."""
    return Decimal(raw).scaleb(scaler)


def _stamps(profile: Profile, layout: Layout) -> NDArray[np.int64]:
    if len(profile.columns) != layout.width:
        raise UnfitLayoutError(
            f"The rows have {len(profile.columns)} columns, the capture objects were {layout.width}.",
            hint="They are read again with the next session.",
        )
    stamps = _integers(profile, layout.clock)
    if np.count_nonzero(stamps == NO_TIME):
        raise RemoteProtocolError("A row of the profile has no time.", hint="It cannot be placed.")
    return stamps


def _integers(profile: Profile, index: int) -> NDArray[np.int64]:
    values = profile.columns[index].values
    if values.dtype != np.int64:
        raise UnfitLayoutError(
            f"Column {index} of the profile holds no whole numbers.", hint="Its capture objects are read again."
        )
    return values


def _status(profile: Profile, layout: Layout) -> NDArray[np.uint8]:
    if layout.status is None:
        return np.zeros(len(profile), np.uint8)
    return (_integers(profile, layout.status) & 0xFF).astype(np.uint8)
