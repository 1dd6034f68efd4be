"""IEC 61968-9 files: MeterReadings and EndDeviceEvents of any length, with or without an envelope, as a stream.

The field door decodes whole messages of bounded size; files of partners are not bounded, so each MeterReading is read
as soon as it is complete and then forgotten. Codes are read; references to definitions in the file are refused.
"""

from __future__ import annotations

import re
from itertools import count, groupby
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np
from lxml import etree

from openami.mdus.unify.adapters.cim_meters import KnownMeters, columns_of_meters
from openami.mdus.unify.adapters.model import BAD_VALUE, Batch, SourceSeries
from openami.mdus.unify.columns import Piece, joined
from openami.mdus.unify.delivery import beyond_counting, countable, instant_block
from openami.mdus.unify.drift import blocks_of
from openami.shared.contract import field as contract
from openami.shared.contract.field.errors import FieldContractError
from openami.shared.contract.field.events import EndDeviceEvent
from openami.shared.contract.field.markup import local_name, namespace
from openami.shared.contract.field.readings_xml import read_meter_reading
from openami.shared.contract.field.refusal import Reader
from openami.shared.contract.field.scan import BrokenRunError, Scans, scan_readings
from openami.shared.contract.field.tree import name_within, read_tree
from openami.shared.contract.scan_records import SCAN_FROM_BYTES, is_plain_text

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from openami.mdus.unify.adapters.cim_meters import Form, Meter
    from openami.shared.contract.field.scan import Scan
    from openami.shared.contract.scan_records import Text

_BATCH_READINGS: Final = 100_000
_CHUNK: Final = 4 << 20
_BLOCK_END: Final = b"IntervalBlocks>"
_OPENING: Final = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)MeterReading>")
_TAGS: Final = ("{*}MeterReading", "{*}EndDeviceEvent")
_NAMESPACES: Final = ("http://iec.ch/TC57/", "http://www.iec.ch/TC57/", "http://www.landisgyr.com/iec61968/")


class Cim:
    """Files of the field seam."""

    name = "iec61968-9"

    def __init__(self, partner: contract.Partner | None = None, *, scan_from_bytes: int = SCAN_FROM_BYTES) -> None:
        self.partner = partner or contract.Partner()
        self.scan_from_bytes = scan_from_bytes

    def sniffs(self, head: bytes) -> bool:
        """By the name spaces of the standard and one of its two nouns."""
        known = any(each.encode() in head for each in _NAMESPACES) and b":schema " not in head
        return known and any(noun in head for noun in (b"MeterReading", b"EndDeviceEvent"))

    def read(self, stream: BinaryIO) -> Iterator[Batch]:
        """Read objects one by one; a batch whenever enough is gathered."""
        return (one for one in self._read(stream, None) if isinstance(one, Batch))

    def columns(self, stream: BinaryIO) -> Iterator[Piece | Batch]:
        """Read meters of known form as columns, and the others one by one."""
        return self._read(stream, KnownMeters())

    def _read(self, stream: BinaryIO, known: KnownMeters | None) -> Iterator[Piece | Batch]:
        reader = Reader(self.partner)
        series: list[SourceSeries] = []
        events: list[contract.EndDeviceEvent] = []
        gathered = 0
        try:
            for index, one in _Document(reader, known, self.scan_from_bytes).objects(stream):
                if isinstance(one, Piece):
                    yield one
                elif local_name(one) == "MeterReading":
                    before = len(reader.refusals)
                    reading = _reading(one, index, reader)
                    made = list(_series(reading, index, reader))
                    gathered += sum(len(each.block) for each in made)
                    series += made
                    events += reading.events
                    if known is not None:
                        known.learn(one, reading, clean=len(reader.refusals) == before)
                else:
                    _take_event(one, index, events, reader)
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
        position = f"MeterReading[{index}]{reader.line_of(element)}"
        reason = "the readings of a block stand in several places among other text"
        reader.refusals.append(contract.Refusal(position, BAD_VALUE, reason, name_within(element)))
        return contract.MeterReading()


class _NotOursError(Exception):
    """A document that is hostile or of another standard."""


def _parser() -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=("end",), tag=_TAGS, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip


class _Document:
    """One document on its way through the parser, but for what needs no tree.

    Interval readings of plain form are cut out of the text before it is parsed, and whole meters of known form: of
    pieces that are worth it.
    """

    def __init__(self, reader: Reader, known: KnownMeters | None, scan_from_bytes: int) -> None:
        self._reader, self._known, self._scan_from_bytes = reader, known, scan_from_bytes
        self._parser, self._numbers = _parser(), count(1)
        self._scans = reader.scan = Scans()
        self._plain: bool | None = None
        self._checked = False

    def objects(self, stream: BinaryIO) -> Iterator[tuple[int, etree._Element | Piece]]:
        """Each object with its number once it is complete; between them pieces of those that need no tree."""
        for text, whole in _pieces(stream):
            if self._plain is None:
                self._plain = is_plain_text(text)
                if self._known is not None and not whole:
                    self._known.head = bytes(text)
            worth_it = whole and self._plain and len(text) >= self._scan_from_bytes
            scan = scan_readings(text) if worth_it else None
            try:
                yield from self._parsed([bytes(text)]) if scan is None else self._cut(scan)
            except etree.XMLSyntaxError:
                yield from self._taken(scan)
                raise
            yield from self._taken(scan)
        self._parser.close()

    def _cut(self, scan: Scan) -> Iterator[tuple[int, etree._Element]]:
        self._scans.add(scan)
        known = self._known
        yield from self._parsed(
            part for part in _meters(scan) if known is None or not known.take(part, scan.prefix, self._numbers)
        )

    def _parsed(self, parts: Iterable[bytes]) -> Iterator[tuple[int, etree._Element]]:
        ended = False
        for part in parts:
            self._parser.feed(part)
            last: etree._Element | None = None
            parent: etree._Element | None = None
            for _, each in self._parser.read_events():
                found: etree._Element = each  # type: ignore[assignment] # an `end` event always brings its element
                if not self._checked:
                    self._checked = True
                    _check(found)
                ended = True
                yield next(self._numbers), found
                last, parent = found, _forgotten(found)
            if self._known is not None:
                self._known.parsed(last, parent, complete=part.endswith(b"MeterReading>"))
        if ended:
            self._scans.forget()

    def _taken(self, scan: Scan | None) -> Iterator[tuple[int, Piece]]:
        """What was taken of a piece of text without a tree."""
        if self._known is not None and scan is not None and self._known.found:
            head = self._known.head or b""
            yield 0, joined([_piece(*one, scan, self._reader.partner, head) for one in self._known.found.items()])
            self._known.found.clear()


def _forgotten(element: etree._Element) -> etree._Element | None:
    """Let go of an object that was read, and of all before it; returns its parent."""
    element.clear()
    parent = element.getparent()
    while parent is not None and (done := element.getprevious()) is not None:
        parent.remove(done)
    return parent


def _meters(scan: Scan) -> Iterator[bytes]:
    """The text after the scan, cut behind each meter."""
    closing = b"</" + scan.prefix + b"MeterReading>"
    *parts, rest = scan.rest.split(closing)
    yield from (part + closing for part in parts)
    if rest:
        yield rest


def _piece(form: Form, meters: Sequence[Meter], scan: Scan, partner: contract.Partner, head: bytes) -> Piece:
    """Meters of one form as columns; those that have to go another way are parsed after all."""

    def rows(chosen: NDArray[np.intp]) -> Batch:
        alone = Reader(partner, scan=scan)
        picked = [meters[number] for number in dict.fromkeys((chosen % len(meters)).tolist())]
        series = tuple(one for each in picked for one in _series(_alone(each, alone, head), each.number, alone))
        return Batch(series=series, refusals=tuple(alone.refusals))

    return Piece(columns_of_meters(form, meters, scan, stamped_at_start=partner.interval_stamp == "start"), rows)


def _alone(meter: Meter, reader: Reader, head: bytes) -> contract.MeterReading:
    """A meter parsed by itself, behind what stands before all meters."""
    parser = _parser()
    parser.feed(head)
    parser.feed(meter.text)
    element: etree._Element = next(iter(parser.read_events()))[1]  # type: ignore[assignment] # as above
    return _reading(element, meter.number, reader)


def _check(element: etree._Element) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise _NotOursError("the document has a document type")
    if not namespace(element).startswith(_NAMESPACES):
        raise _NotOursError(f"the name space {namespace(element)[:80]!r} is not known")


class _Window:
    """What of a stream is being looked at. It all lies in one place: fresh memory for each piece costs more than it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._text, self.size = cast("io.BufferedIOBase", stream), bytearray(_CHUNK), 0
        self._fill()

    @property
    def full(self) -> bool:
        """Whether there may be more behind it."""
        return self.size == len(self._text)

    def first(self, count: int) -> memoryview:
        """So much of it, until it moves on."""
        return memoryview(self._text)[:count]

    def end_of_last(self, closing: bytes) -> int:
        """Where the last meter in it ends, else its last block; 0 if none does."""
        found = ((self._text.rfind(one, 0, self.size), len(one)) for one in (closing, _BLOCK_END))
        return next((at + size for at, size in found if at >= 0), 0)

    def grow(self) -> None:
        """See more at once."""
        self._text = self._text + bytes(len(self._text))  # in place it cannot grow as long as somebody looks at it
        self._fill()

    def move(self, count: int) -> None:
        """Let so much of it go."""
        self._text[: self.size - count] = self._text[count : self.size]
        self.size -= count
        self._fill()

    def _fill(self) -> None:
        view = memoryview(self._text)
        while self.size < len(view) and (count := self._stream.readinto(view[self.size :])):
            self.size += count


def _pieces(stream: BinaryIO) -> Iterator[tuple[Text, bool]]:
    """The text in pieces, and whether each holds whole meters, or at least whole blocks of readings, only.

    What stands before the first meter is a piece of its own. A piece is gone when the next one is asked for.
    """
    window, whole, closing = _Window(stream), True, _BLOCK_END
    if (opening := _OPENING.search(window.first(window.size))) is not None:
        closing = b"</" + opening[1] + b"MeterReading>"
        yield window.first(opening.start()), False
        window.move(opening.start())
    while window.size:
        cut = window.end_of_last(closing)
        if not cut and window.full and window.size < 4 * _CHUNK:
            window.grow()
            continue
        # an endless block, or none at all: nothing to wait for
        yield window.first(cut or window.size), whole and bool(cut or not window.full)
        whole = bool(cut)
        window.move(cut or window.size)


def _take_event(element: etree._Element, index: int, events: list[EndDeviceEvent], reader: Reader) -> None:
    for child in element:
        if local_name(child) == "category":  # the form of 2009 writes the code as text
            child.tag = "EndDeviceEventType"
    try:
        events.append(read_tree(EndDeviceEvent, element, reader))
    except FieldContractError as error:
        position = f"EndDeviceEvent[{index}]{reader.line_of(element)}"
        reader.refusals.append(contract.Refusal(position, error.code, str(error), name_within(element)))


def _series(reading: contract.MeterReading, index: int, reader: Reader) -> Iterator[SourceSeries]:
    """The series of the `index`-th object; register readings that no series can hold are refused."""
    meter = reading.meter or reading.usage_point or contract.Identity()
    for block in blocks_of(reading):
        yield _one(reading.label, meter, block, ())
    by_type = sorted(reading.readings, key=lambda each: str(each.reading_type))
    for code, group in groupby(by_type, key=lambda each: each.reading_type):
        fitting, beyond = countable(list(group))
        position = f"MeterReading[{index}]/Readings {code}"
        reader.refusals += (
            contract.Refusal(position, BAD_VALUE, beyond_counting(each), reading.label) for each in beyond
        )
        if fitting:
            yield _one(reading.label, meter, instant_block(code, fitting), tuple(fitting))


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
