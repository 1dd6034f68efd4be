"""MeterReadings from and to XML: columns for interval readings, the common tree for the rest (spec 5.1)."""

# ruff: noqa: TC001 - the tree reads the annotations when the program runs

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final

from openami.shared.contract.field import lexical
from openami.shared.contract.field.blocks_xml import read_block, write_blocks
from openami.shared.contract.field.codes import QualityCode, ReadingTypeCode
from openami.shared.contract.field.common import Identity, Period
from openami.shared.contract.field.errors import FieldContractError, MissingInPayloadError
from openami.shared.contract.field.events import EndDeviceEvent
from openami.shared.contract.field.markup import XmlWriter, local_name
from openami.shared.contract.field.readings import IntervalBlock, MeterReading, MeterReadings, Reading
from openami.shared.contract.field.refusal import Reader, Refusal
from openami.shared.contract.field.tree import Element, Reference, read_tree, write_tree

if TYPE_CHECKING:
    from lxml import etree

_SOMETIME: Final = datetime.fromtimestamp(0, UTC)  # stands in a frame for the time of a reading


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quality:
    comment: Annotated[str | None, Element("comment")] = None
    source: Annotated[str | None, Element("source")] = None
    at: Annotated[str | None, Element("timeStamp")] = None
    code: Annotated[QualityCode, Reference("ReadingQualityType")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _RegisterReading:
    """The wire form of `Reading`."""

    reason: Annotated[str | None, Element("reason")] = None
    reported: Annotated[datetime | None, Element("reportedDateTime")] = None
    source: Annotated[str | None, Element("source")] = None
    at: Annotated[datetime | None, Element("timeStamp")] = None
    value: Annotated[str | None, Element("value")] = None
    qualities: Annotated[tuple[_Quality, ...], Element("ReadingQualities")] = ()
    reading_type: Annotated[ReadingTypeCode, Reference("ReadingType")]
    period: Annotated[Period | None, Element("timePeriod")] = None


def read_meter_readings(root: etree._Element, reader: Reader) -> MeterReadings:
    """Read the noun; what cannot be read of it becomes refusals, the rest stands."""
    found = [each for each in root if local_name(each) == "MeterReading"]
    return MeterReadings(tuple(read_meter_reading(each, index, reader) for index, each in enumerate(found, 1)))


def read_meter_reading(element: etree._Element, index: int, reader: Reader) -> MeterReading:
    """Read one MeterReading, the `index`-th of its message; what cannot be read becomes refusals."""
    identities: dict[str, Identity] = {}
    span = None
    blocks: list[IntervalBlock] = []
    readings: list[Reading] = []
    events: list[EndDeviceEvent] = []
    # Identity first: partners write Meter before or after the readings, and every refusal names it.
    for child in element:
        tag = local_name(child)
        if tag in {"Meter", "UsagePoint"}:
            identities[tag] = read_tree(Identity, child, Reader())
        elif tag == "valuesInterval":
            span = read_tree(Period, child, reader)
    label = (identities.get("Meter") or identities.get("UsagePoint") or Identity()).label()
    for count, child in enumerate(element, 1):
        position = f"MeterReading[{index}]/{local_name(child)}[{count}]{reader.line_of(child)}"
        try:
            match local_name(child):
                case "IntervalBlocks":
                    blocks.append(read_block(child, position, label, reader))
                case "Readings":
                    readings.append(_read_register(child, reader))
                case "EndDeviceEvents":
                    events.append(read_tree(EndDeviceEvent, child, reader))
        except FieldContractError as error:
            reader.refusals.append(Refusal(position, error.code, str(error), label))
    return MeterReading(
        meter=identities.get("Meter"),
        usage_point=identities.get("UsagePoint"),
        blocks=tuple(blocks),
        readings=tuple(readings),
        events=tuple(events),
        span=span,
    )


def _read_register(element: etree._Element, reader: Reader) -> Reading:
    raw = read_tree(_RegisterReading, element, reader)
    at = raw.at or (raw.period.end if raw.period else None)
    if at is None:
        raise MissingInPayloadError("The reading has neither a timeStamp nor a timePeriod.")
    return Reading(
        reading_type=raw.reading_type,
        at=at,
        value=lexical.parse_decimal(raw.value) if raw.value else None,
        qualities=tuple(each.code for each in raw.qualities),
        reason=raw.reason,
        reported=raw.reported,
        source=raw.source,
        period=raw.period,
    )


def write_meter_readings(writer: XmlWriter, root: str, value: MeterReadings, **attributes: str) -> None:
    """Write the noun as the element `root`, everything in the order of the schema."""
    writer.open(root, **attributes)
    for reading in value.readings:
        if reading.markup:
            writer.raw(reading.markup)
        else:
            _write_meter_reading(writer, reading)
    writer.close(root)


def write_ahead(reading: MeterReading) -> MeterReading:
    """The same with its markup: a message of many meters is then joined, not written, when it is sent."""
    writer = XmlWriter()
    _write_meter_reading(writer, reading)
    return replace(reading, markup=writer.parts())


def _write_meter_reading(writer: XmlWriter, reading: MeterReading) -> None:
    writer.open("MeterReading")
    for event in reading.events:
        write_tree(writer, "EndDeviceEvents", event)
    write_blocks(writer, reading.blocks)
    if reading.meter is not None:
        write_tree(writer, "Meter", reading.meter)
    for register in reading.readings:
        _write_register(writer, register)
    if reading.usage_point is not None:
        write_tree(writer, "UsagePoint", reading.usage_point)
    if reading.span is not None:
        write_tree(writer, "valuesInterval", reading.span)
    writer.close("MeterReading")


def _write_register(writer: XmlWriter, reading: Reading) -> None:
    before, after = _register_frame(
        reading.reading_type, reading.qualities, reading.reason, reading.reported, reading.source, reading.period
    )
    value = "" if reading.value is None else f"<value>{lexical.format_decimal(reading.value)}</value>"
    writer.raw((before, f"{_stamp(reading.at)}{value}".encode(), after))


@lru_cache(maxsize=256)  # what the registers of a street do not share are their times and values
def _register_frame(
    reading_type: ReadingTypeCode,
    qualities: tuple[QualityCode, ...],
    reason: str | None,
    reported: datetime | None,
    source: str | None,
    period: Period | None,
) -> tuple[bytes, bytes]:
    """The markup before and after the time and the value of a register reading."""
    writer = XmlWriter()
    framed = _RegisterReading(
        reason=reason,
        reported=reported,
        source=source,
        at=_SOMETIME,
        qualities=tuple(_Quality(code=code) for code in qualities),
        reading_type=reading_type,
        period=period,
    )
    write_tree(writer, "Readings", framed)
    before, _, after = writer.octets().partition(_stamp(_SOMETIME).encode())
    return before, after


def _stamp(at: datetime) -> str:
    return f"<timeStamp>{lexical.format_instant(at)}</timeStamp>"
