"""MeterReadings: interval readings as columns, register readings one by one, the events that ride with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from openami.shared.contract.field.errors import BadValueError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from openami.shared.contract.field.codes import QualityCode, ReadingTypeCode
    from openami.shared.contract.field.columns import Flags, Int64s
    from openami.shared.contract.field.common import Identity, Period
    from openami.shared.contract.field.events import EndDeviceEvent

QualityIndex = np.ndarray[tuple[int], np.dtype[np.uint16]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class IntervalBlock:
    """Interval readings of one reading type, as columns of equal length.

    A value is `values[i] * 10**scale` in the unit of the reading type (Wh, m3): scale 0 and unit Wh are plain
    watt-hours, whatever the multiplier of the code. An interval belongs to its start.
    """

    reading_type: ReadingTypeCode
    starts: Int64s
    """Start of each interval, seconds since 1970 UTC."""
    interval_s: int
    values: Int64s
    """Zero where `missing`."""
    scale: int
    missing: Flags
    """Where the sender knows that it has no value."""
    quality_sets: tuple[tuple[QualityCode, ...], ...] = ((),)
    """The distinct sets of qualities in this block; the first is the empty one."""
    quality_index: QualityIndex
    """Which of the sets each reading has."""
    reported: datetime | None = None
    """When the last of them reached the metering system."""
    source: str | None = None
    pending_calculation: str | None = None
    """A calculation that the sender left to the receiver; whoever uses the values must apply or refuse it."""
    clock_ahead_s: int = 0
    """How far the clock was ahead that stamped them, where something beside them tells it: nobody took it off yet."""

    def __post_init__(self) -> None:
        columns = (self.values, self.missing, self.quality_index)
        if any(len(column) != len(self.starts) for column in columns):
            raise BadValueError("The columns of an interval block differ in length.")
        if self.quality_sets[0] != ():
            raise BadValueError("The first set of qualities of a block is the empty one.")

    @staticmethod
    def of(
        reading_type: ReadingTypeCode,
        starts: Int64s,
        interval_s: int,
        values: Int64s,
        *,
        scale: int = 0,
        missing: Flags | None = None,
        qualities: Sequence[tuple[QualityCode, ...]] = (),
        quality_index: QualityIndex | None = None,
        reported: datetime | None = None,
        source: str | None = None,
    ) -> IntervalBlock:
        """A block from columns; `quality_index` counts from 1 into `qualities`, 0 is no quality."""
        count = len(starts)
        return IntervalBlock(
            reading_type=reading_type,
            starts=np.asarray(starts, np.int64),
            interval_s=interval_s,
            values=np.asarray(values, np.int64),
            scale=scale,
            missing=np.zeros(count, np.bool_) if missing is None else np.asarray(missing, np.bool_),
            quality_sets=((), *qualities),
            quality_index=np.zeros(count, np.uint16) if quality_index is None else np.asarray(quality_index, np.uint16),
            reported=reported,
            source=source,
        )

    def __len__(self) -> int:
        return len(self.starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntervalBlock):
            return NotImplemented
        return self._scalars() == other._scalars() and all(
            np.array_equal(mine, theirs) for mine, theirs in zip(self._columns(), other._columns(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment] # arrays cannot be hashed

    def _scalars(self) -> tuple[object, ...]:
        calculation = self.pending_calculation
        return (
            self.reading_type,
            self.interval_s,
            self.scale,
            self.quality_sets,
            self.reported,
            self.source,
            calculation,
        )

    def _columns(self) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.generic]], ...]:
        return self.starts, self.values, self.missing, self.quality_index


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One register value (dial, demand, voltage now) in the multiplier and unit of its reading type."""

    reading_type: ReadingTypeCode
    at: datetime
    value: Decimal | None
    """None: the sender knows that it has no value."""
    qualities: tuple[QualityCode, ...] = ()
    reason: str | None = None
    reported: datetime | None = None
    source: str | None = None
    period: Period | None = None

    @property
    def in_unit(self) -> Decimal | None:
        """The value in the plain unit of the reading type: Wh rather than kWh."""
        return None if self.value is None else self.value.scaleb(self.reading_type.multiplier)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """What one meter (or one usage point) delivered."""

    meter: Identity | None = None
    usage_point: Identity | None = None
    blocks: tuple[IntervalBlock, ...] = ()
    readings: tuple[Reading, ...] = ()
    events: tuple[EndDeviceEvent, ...] = ()
    span: Period | None = None
    markup: tuple[bytes, ...] = field(default=(), compare=False, repr=False)
    """The element as it is sent, in parts, if it was written ahead (`write_ahead`)."""

    @property
    def label(self) -> str:
        """What a person calls the meter, else the point."""
        identity = self.meter or self.usage_point
        return identity.label() if identity else "(nameless)"


@dataclass(frozen=True, slots=True)
class MeterReadings:
    """Readings of any number of meters."""

    NOUN: ClassVar[str] = "MeterReadings"

    readings: tuple[MeterReading, ...] = field(default=())

    @property
    def interval_count(self) -> int:
        """How many interval readings the message holds."""
        return sum(len(block) for reading in self.readings for block in reading.blocks)
