"""One IntervalBlocks element from and to columns: the hot path of the field seam."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from openami.shared.contract.field import columns, lexical
from openami.shared.contract.field.codes import QualityCode, ReadingTypeCode
from openami.shared.contract.field.errors import (
    BadQualityCodeError,
    BadValueError,
    FieldContractError,
    MissingInPayloadError,
)
from openami.shared.contract.field.markup import escape, local_name, text_of
from openami.shared.contract.field.readings import IntervalBlock
from openami.shared.contract.field.refusal import Refusal
from openami.shared.contract.field.scan import ATTRIBUTE, BlockColumns, BrokenRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from lxml import etree

    from openami.shared.contract.field.columns import Flags, Int64s
    from openami.shared.contract.field.markup import XmlWriter
    from openami.shared.contract.field.refusal import Reader

_COLUMNS: Final = ("timeStamp", "value", "start", "end", "reportedDateTime", "source")
_DAY_S: Final = 86400
_HOUR_S: Final = 3600
# stand for what differs in markup that is used again; no text of XML can hold them
_REPORTED: Final = "\0"
_VALUE: Final = "\1"


class _Rows:
    """The texts of a block, one list a column; an absent text is empty."""

    __slots__ = ("by_name", "qualities")

    def __init__(self) -> None:
        self.by_name: dict[str, list[str]] = {name: [] for name in _COLUMNS}
        self.qualities: list[tuple[str, ...]] = []

    def add(self, reading: etree._Element) -> None:
        """Take one IntervalReadings element, children in any order."""
        found: dict[str, str] = {}
        qualities: tuple[str, ...] = ()
        for child in reading:
            tag = local_name(child)
            if tag == "timePeriod":
                found.update((local_name(bound), text_of(bound)) for bound in child)
            elif tag == "ReadingQualities":
                qualities += _quality_references(child)
            else:
                found[tag] = text_of(child)
        for name, column in self.by_name.items():
            column.append(found.get(name, ""))
        self.qualities.append(qualities)


def _quality_references(element: etree._Element) -> tuple[str, ...]:
    kinds = (child for child in element if local_name(child) == "ReadingQualityType")
    return tuple(kind.get("ref") or text_of(kind) for kind in kinds)


def read_block(element: etree._Element, position: str, label: str, reader: Reader) -> IntervalBlock:
    """Read one block; single readings that cannot be taken become refusals.

    Raises:
        FieldContractError: nothing of the block can be used (no reading type, no interval length).
    """
    rows = _Rows()
    scanned: list[BlockColumns] = []
    reading_type, pending = None, None
    for child in element:
        match local_name(child):
            case "IntervalReadings":
                run = reader.scan.run_of(child.get(ATTRIBUTE)) if reader.scan is not None else None
                if run is None:
                    rows.add(child)
                else:
                    scanned.append(run)
            case "ReadingType":
                reading_type = ReadingTypeCode.parse(child.get("ref") or text_of(child))
            case "PendingCalculation":
                pending = ", ".join(f"{local_name(each)}={each.get('ref') or text_of(each)}" for each in child)
    if reading_type is None:
        raise MissingInPayloadError("The interval block has no ReadingType.")
    refuse = _Refuser(position, label, reader)
    if not scanned:
        return _block(_columns_of(rows, refuse), reading_type, pending, refuse)
    if len(scanned) > 1 or rows.qualities:
        raise BrokenRunError
    return _block(scanned[0], reading_type, pending, refuse)


class _Refuser:
    """Turns rows that are not ok into one refusal a reason, so that a broken file cannot flood the quarantine."""

    def __init__(self, position: str, label: str, reader: Reader) -> None:
        self.position, self.label, self.reader = position, label, reader

    def rows(self, bad: Flags, reason: str, sample: Callable[[int], object], code: str = BadValueError.code) -> None:
        """Refuse the rows where `bad`; `sample` shows what stands in one of them."""
        if not bad.any():
            return
        first, more = int(bad.argmax()), int(bad.sum()) - 1
        where = f"{self.position}/IntervalReadings[{first + 1}]" + (f" and {more} more" if more else "")
        self.reader.refusals.append(Refusal(where, code, f"{reason}: {sample(first)!r}.", self.label))


def _columns_of(rows: _Rows, refuse: _Refuser) -> BlockColumns:
    """The texts of a block as numbers; what is no time, no number or no code is refused here."""
    texts = rows.by_name
    start, start_ok, start_bad = _instants(texts["start"], refuse)
    end, end_ok, end_bad = _instants(texts["end"], refuse)
    stamp, stamp_ok, stamp_bad = _instants(texts["timeStamp"], refuse)
    unreadable = start_bad | end_bad | stamp_bad
    timeless = ~(start_ok | end_ok | stamp_ok | unreadable)
    refuse.rows(timeless, "no usable time", texts["timeStamp"].__getitem__)
    values, decimals, missing, numeric = _values(texts["value"])
    refuse.rows(~numeric, "not a decimal number of at most 18 digits", texts["value"].__getitem__)
    sets, index, known = _qualities(rows.qualities)
    refuse.rows(~known, "not a quality code", rows.qualities.__getitem__, BadQualityCodeError.code)
    reported, reported_ok, _ = _instants(texts["reportedDateTime"], refuse)
    return BlockColumns(
        start=start,
        start_ok=start_ok,
        end=end,
        end_ok=end_ok,
        stamp=stamp,
        usable=numeric & known & ~timeless & ~unreadable,
        values=values,
        decimals=decimals,
        missing=missing,
        sets=sets,
        index=index,
        reported_s=int(reported[reported_ok].max()) if reported_ok.any() else None,
        source=next(filter(None, texts["source"]), None),
    )


def _block(read: BlockColumns, reading_type: ReadingTypeCode, pending: str | None, refuse: _Refuser) -> IntervalBlock:
    both = read.start_ok & read.end_ok
    interval_s = reading_type.interval_s or _interval_of(read.start, read.end, both)
    bare = read.stamp if refuse.reader.partner.interval_stamp == "start" else read.stamp - interval_s
    starts = np.where(read.start_ok, read.start, np.where(read.end_ok, read.end - interval_s, bare))
    # A daily interval of a local day may have 23 or 25 hours; every other length is what the type says.
    tolerance = _HOUR_S if interval_s == _DAY_S else 0
    odd = both & (np.abs(read.end - read.start - interval_s) > tolerance)
    reason = f"a period that is not the {interval_s} s of the reading type"
    refuse.rows(odd & read.usable, reason, lambda row: columns.format_stamps(read.end[row : row + 1])[0])
    keep = read.usable & ~odd
    return IntervalBlock(
        reading_type=reading_type,
        starts=starts[keep],
        interval_s=interval_s,
        values=read.values[keep],
        scale=reading_type.multiplier - read.decimals,
        missing=read.missing[keep],
        quality_sets=read.sets,
        quality_index=read.index[keep],
        reported=None if read.reported_s is None else lexical.from_seconds(read.reported_s),
        source=read.source,
        pending_calculation=pending,
    )


def _instants(texts: list[str], refuse: _Refuser) -> tuple[Int64s, Flags, Flags]:
    """Seconds of a column, where there is a time, and where there is a text that is none.

    Plain forms are read at once, unusual ones text by text.
    """
    nothing = np.zeros(len(texts), np.bool_)
    if not any(texts):
        return np.zeros(len(texts), np.int64), nothing, nothing
    seconds, ok = columns.parse_stamps(texts)
    unusual = [row for row in np.flatnonzero(~ok).tolist() if texts[row]]
    bad = np.zeros(len(texts), np.bool_)
    why = "not a time"
    for row in unusual:
        try:
            seconds[row] = int(lexical.parse_instant(texts[row], refuse.reader.partner.zone_name).timestamp())
            ok[row] = True
        except FieldContractError as error:
            bad[row] = True
            why = error.found
    refuse.rows(bad, why, texts.__getitem__)
    return seconds, ok, bad


def _interval_of(start: Int64s, end: Int64s, both: Flags) -> int:
    if not both.any():
        raise MissingInPayloadError(
            "Neither the reading type nor a timePeriod says how long an interval is.", hint="Give one of them."
        )
    length = int((end - start)[both][0])
    if length <= 0:
        raise BadValueError(f"The first timePeriod lasts {length} s.")
    return length


def _values(texts: list[str]) -> tuple[Int64s, int, Flags, Flags]:
    missing = np.array([not text for text in texts], np.bool_)
    values, decimals, ok = columns.parse_decimals(texts)
    return values, decimals, missing, ok | missing


def _qualities(
    rows: list[tuple[str, ...]],
) -> tuple[tuple[tuple[QualityCode, ...], ...], np.ndarray[tuple[int], np.dtype[np.uint16]], Flags]:
    """The distinct sets, which one each row has, and where all codes were codes."""
    numbers = {texts: number for number, texts in enumerate(dict.fromkeys(chain([()], rows)))}
    sets: list[tuple[QualityCode, ...]] = []
    bad: list[int] = []
    for texts, number in numbers.items():
        try:
            sets.append(tuple(map(QualityCode.parse, texts)))
        except BadQualityCodeError:
            sets.append(())
            bad.append(number)
    index = np.fromiter(map(numbers.__getitem__, rows), np.uint16, len(rows))
    return tuple(sets), index, ~np.isin(index, bad)


def write_blocks(writer: XmlWriter, blocks: Sequence[IntervalBlock]) -> None:
    """Write blocks; both the stamp (interval end) and the period, in UTC."""
    framed: IntervalBlock | None = None
    for block in blocks:
        writer.open("IntervalBlocks")
        if len(block):
            if framed is None or not _is_framed_alike(block, framed):
                framed, around = block, _reported_frame(_frame_of(block), block.reported)
            writer.raw(_reading_markup(block, around))
        writer.empty("ReadingType", ref=str(block.reading_type))
        writer.close("IntervalBlocks")


class _Frame(NamedTuple):
    """What stands around the values of a block; arrays as their octets, so that equal frames are found again."""

    starts: bytes
    interval_s: int
    missing: bytes
    quality_sets: tuple[tuple[QualityCode, ...], ...]
    quality_index: bytes
    source: str | None


def _is_framed_alike(one: IntervalBlock, other: IntervalBlock) -> bool:
    """Whether two blocks are of one profile: their columns but the values are the same arrays."""
    return (
        one.starts is other.starts
        and one.missing is other.missing
        and one.quality_index is other.quality_index
        and (one.interval_s, one.source, one.reported) == (other.interval_s, other.source, other.reported)
        and one.quality_sets == other.quality_sets
    )


def _frame_of(block: IntervalBlock) -> _Frame:
    return _Frame(
        block.starts.tobytes(),
        block.interval_s,
        block.missing.tobytes(),
        block.quality_sets,
        block.quality_index.tobytes(),
        block.source,
    )


def _reading_markup(block: IntervalBlock, around: list[bytes]) -> list[bytes]:
    held = block.values if len(around) > len(block) else block.values[~block.missing]
    parts = [b""] * (2 * len(around) - 1)
    parts[::2] = around
    parts[1::2] = columns.format_decimals(held, block.scale - block.reading_type.multiplier)
    return parts


@lru_cache(maxsize=8)  # the meters of a second are reported together
def _reported_frame(frame: _Frame, reported: datetime | None) -> list[bytes]:
    """The markup between the values that a block has."""
    stated = "" if reported is None else _leaf("reportedDateTime", lexical.format_instant(reported))
    return [part.encode() for part in _frame_markup(frame).replace(_REPORTED, stated).split(_VALUE)]


@lru_cache(maxsize=32)  # a street's meters are read for the same day, each with several blocks
def _frame_markup(frame: _Frame) -> str:
    """The markup of a block with a sign for each value that it has, and another for when it is reported."""
    starts = np.frombuffer(frame.starts, np.int64)
    source = "" if frame.source is None else _leaf("source", frame.source)
    ends = columns.format_stamps(starts + frame.interval_s)
    values = np.where(np.frombuffer(frame.missing, np.bool_), "", f"<value>{_VALUE}</value>")
    qualities = np.array([_quality_markup(each) for each in frame.quality_sets])
    quality = qualities[np.frombuffer(frame.quality_index, np.uint16)]
    head = f"<IntervalReadings>{_REPORTED}{source}<timeStamp>"
    rows = zip(values.tolist(), quality.tolist(), ends, columns.format_stamps(starts), strict=True)
    return "".join(
        [
            f"{head}{end}</timeStamp>{value}{flags}"
            f"<timePeriod><end>{end}</end><start>{start}</start></timePeriod></IntervalReadings>"
            for value, flags, end, start in rows
        ]
    )


def _leaf(tag: str, text: str) -> str:
    return f"<{tag}>{escape(text)}</{tag}>"


def _quality_markup(codes: tuple[QualityCode, ...]) -> str:
    return "".join(f'<ReadingQualities><ReadingQualityType ref="{code}"/></ReadingQualities>' for code in codes)
