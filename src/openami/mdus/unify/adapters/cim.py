"""IEC 61968-9 files: MeterReadings and EndDeviceEvents of any length, with or without an envelope, as a stream.

The field door decodes whole messages of bounded size; files of partners are not bounded, so each MeterReading is read
as soon as it is complete and then forgotten. Codes are read; references to definitions in the file are refused.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
from lxml import etree

from openami.mdus.unify.adapters.model import BAD_VALUE, Batch, SourceSeries
from openami.mdus.unify.delivery import instant_block
from openami.shared.contract import field as contract
from openami.shared.contract.field.errors import FieldContractError
from openami.shared.contract.field.events import EndDeviceEvent
from openami.shared.contract.field.markup import local_name, namespace
from openami.shared.contract.field.readings_xml import read_meter_reading
from openami.shared.contract.field.refusal import Reader
from openami.shared.contract.field.scan import BrokenRunError, Scans, scan_readings
from openami.shared.contract.field.tree import name_within, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH_READINGS: Final = 100_000
_CHUNK: Final = 4 << 20
_BLOCK_END: Final = b"IntervalBlocks>"
_TAGS: Final = ("{*}MeterReading", "{*}EndDeviceEvent")
_NAMESPACES: Final = ("http://iec.ch/TC57/", "http://www.iec.ch/TC57/", "http://www.landisgyr.com/iec61968/")


class Cim:
    """Files of the field seam."""

    name = "iec61968-9"

    def __init__(self, partner: contract.Partner | None = None) -> None:
        self.partner = partner or contract.Partner()

    def sniffs(self, head: bytes) -> bool:
        """By the name spaces of the standard and one of its two nouns."""
        known = any(each.encode() in head for each in _NAMESPACES) and b":schema " not in head
        return known and any(noun in head for noun in (b"MeterReading", b"EndDeviceEvent"))

    def read(self, stream: BinaryIO) -> Iterator[Batch]:
        """Read objects one by one; a batch whenever enough is gathered."""
        reader = Reader(self.partner)
        series: list[SourceSeries] = []
        events: list[contract.EndDeviceEvent] = []
        gathered = 0
        try:
            for index, element in enumerate(_objects(stream, reader), 1):
                if local_name(element) == "MeterReading":
                    reading = _reading(element, index, reader)
                    made = list(_series(reading))
                    gathered += sum(len(each.block) for each in made)
                    series += made
                    events += reading.events
                else:
                    _take_event(element, index, events, reader)
                if gathered > _BATCH_READINGS:
                    yield Batch(series=tuple(series), events=tuple(events), refusals=tuple(reader.refusals))
                    series, events, gathered = [], [], 0
                    reader.refusals.clear()
        except etree.XMLSyntaxError as error:
            reader.refusals.append(contract.Refusal(f"line {error.lineno}", BAD_VALUE, f"not well-formed: {error.msg}"))
        except _NotOursError as error:
            reader.refusals.append(contract.Refusal("the document", BAD_VALUE, str(error)))
        yield Batch(series=tuple(series), events=tuple(events), refusals=tuple(reader.refusals))


def _reading(element: etree._Element, index: int, reader: Reader) -> contract.MeterReading:
    try:
        return read_meter_reading(element, index, reader)
    except BrokenRunError:
        position = f"MeterReading[{index}] line {element.sourceline}"
        reason = "the readings of a block stand in several places among other text"
        reader.refusals.append(contract.Refusal(position, BAD_VALUE, reason, name_within(element)))
        return contract.MeterReading()


class _NotOursError(Exception):
    """A document that is hostile or of another standard."""


def _objects(stream: BinaryIO, reader: Reader) -> Iterator[etree._Element]:
    """Each object once it is complete. Interval readings of plain form are cut out of the text before it is parsed."""
    parser = etree.XMLPullParser(
        events=("end",), tag=_TAGS, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    scans = reader.scan = Scans()
    checked = False
    for piece, whole in _pieces(stream):
        scan = scan_readings(piece) if whole else None
        if scan is not None:
            scans.add(scan)
        parser.feed(piece if scan is None else scan.rest)
        ended = False
        for _, found in parser.read_events():
            element: etree._Element = found  # type: ignore[assignment] # an `end` event always brings its element
            if not checked:
                checked = True
                _check(element)
            ended = True
            yield element
            element.clear()
            parent = element.getparent()
            while parent is not None and (done := element.getprevious()) is not None:
                parent.remove(done)
        if ended:
            scans.forget()
    parser.close()


def _check(element: etree._Element) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise _NotOursError("the document has a document type")
    if not namespace(element).startswith(_NAMESPACES):
        raise _NotOursError(f"the name space {namespace(element)[:80]!r} is not known")


def _pieces(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """The text in pieces, and whether each holds whole blocks of readings only."""
    kept, whole = b"", True
    while data := stream.read(_CHUNK):
        kept += data
        cut = kept.rfind(_BLOCK_END) + len(_BLOCK_END)
        if cut >= len(_BLOCK_END):
            yield kept[:cut], whole
            kept, whole = kept[cut:], True
        elif len(kept) > 4 * _CHUNK:  # an endless block, or none at all: nothing to wait for
            yield kept, False
            kept, whole = b"", False
    if kept:
        yield kept, whole


def _take_event(element: etree._Element, index: int, events: list[EndDeviceEvent], reader: Reader) -> None:
    for child in element:
        if local_name(child) == "category":  # the form of 2009 writes the code as text
            child.tag = "EndDeviceEventType"
    try:
        events.append(read_tree(EndDeviceEvent, element, reader))
    except FieldContractError as error:
        position = f"EndDeviceEvent[{index}] line {element.sourceline}"
        reader.refusals.append(contract.Refusal(position, error.code, str(error), name_within(element)))


def _series(reading: contract.MeterReading) -> Iterator[SourceSeries]:
    meter = reading.meter or reading.usage_point or contract.Identity()
    for block in reading.blocks:
        yield _one(reading.label, meter, block, ())
    by_type = sorted(reading.readings, key=lambda each: str(each.reading_type))
    for code, group in groupby(by_type, key=lambda each: each.reading_type):
        registers = tuple(group)
        registered = instant_block(code, registers)
        if registered is not None:
            yield _one(reading.label, meter, registered, registers)


def _one(
    label: str,
    meter: contract.Identity,
    block: contract.IntervalBlock,
    registers: tuple[contract.Reading, ...],
) -> SourceSeries:
    return SourceSeries(
        id=f"{label}/{block.reading_type}",
        meter=meter,
        block=block,
        registers=registers,
        labels=tuple("+".join(map(str, codes)) for codes in block.quality_sets),
        label_index=block.quality_index.astype(np.intp),
    )
