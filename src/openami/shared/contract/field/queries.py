"""What is asked for: readings now (GetMeterReadings), readings regularly (MeterReadSchedule)."""

# ruff: noqa: TC003 - the tree reads the annotations when the program runs

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from openami.shared.contract.field.codes import ReadingTypeCode
from openami.shared.contract.field.common import Identity, Name, Period
from openami.shared.contract.field.errors import BadReadingTypeError
from openami.shared.contract.field.tree import Element


@dataclass(frozen=True, slots=True)
class WantedReadingType:
    """A reading type that is asked for: the code stands in the name or in the mRID."""

    mrid: Annotated[str | None, Element("mRID")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()

    @staticmethod
    def of(code: ReadingTypeCode) -> WantedReadingType:
        """The question for one code."""
        return WantedReadingType(None, (Name(str(code)),))

    @property
    def code(self) -> ReadingTypeCode:
        """The code that is meant.

        Raises:
            BadReadingTypeError: neither a name nor the mRID is a code.
        """
        for text in (*(each.name for each in self.names), self.mrid or ""):
            try:
                return ReadingTypeCode.parse(text)
            except BadReadingTypeError:
                continue
        raise BadReadingTypeError(f"No code in {[each.name for each in self.names]} nor in {self.mrid!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePoint:
    """One moment of a schedule."""

    at: Annotated[datetime | None, Element("dateTime")] = None
    relative_s: Annotated[int | None, Element("relativeTimeInterval")] = None
    sequence_number: Annotated[int | None, Element("sequenceNumber")] = None
    window: Annotated[Period | None, Element("window")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSchedule:
    """When: once over an interval, or again and again. Patterns of ours: daily, weekly, monthly, interval."""

    disabled: Annotated[bool | None, Element("disabled")] = None
    offset_s: Annotated[int | None, Element("offset")] = None
    recurrence_pattern: Annotated[str | None, Element("recurrencePattern")] = None
    recurrence_period_s: Annotated[int | None, Element("recurrencePeriod")] = None
    interval: Annotated[Period | None, Element("scheduleInterval")] = None
    points: Annotated[tuple[TimePoint, ...], Element("TimePoints")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReadSchedule:
    """Lists are flat: all devices times all reading types times all schedules. A device needs its mRID here."""

    NOUN: ClassVar[str] = "MeterReadSchedule"

    devices: Annotated[tuple[Identity, ...], Element("EndDevice")] = ()
    device_groups: Annotated[tuple[Identity, ...], Element("EndDeviceGroup")] = ()
    reading_types: Annotated[tuple[WantedReadingType, ...], Element("ReadingType")] = ()
    schedules: Annotated[tuple[TimeSchedule, ...], Element("TimeSchedule")] = ()
    usage_points: Annotated[tuple[Identity, ...], Element("UsagePoint")] = ()
    usage_point_groups: Annotated[tuple[Identity, ...], Element("UsagePointGroup")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GetMeterReadings:
    """Which devices, which types, which period. It stands in the Request; the header noun is MeterReadings."""

    NOUN: ClassVar[str] = "GetMeterReadings"

    devices: Annotated[tuple[Identity, ...], Element("EndDevice", alias="Meter")] = ()
    device_groups: Annotated[tuple[Identity, ...], Element("EndDeviceGroup")] = ()
    reading_types: Annotated[tuple[WantedReadingType, ...], Element("ReadingType")] = ()
    schedules: Annotated[tuple[TimeSchedule, ...], Element("TimeSchedule")] = ()
    usage_points: Annotated[tuple[Identity, ...], Element("UsagePoint")] = ()
    usage_point_groups: Annotated[tuple[Identity, ...], Element("UsagePointGroup")] = ()

    @property
    def period(self) -> Period | None:
        """The period of the first schedule; it wins over StartTime and EndTime of the Request."""
        return next((each.interval for each in self.schedules if each.interval), None)
