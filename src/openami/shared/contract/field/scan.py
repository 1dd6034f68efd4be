"""Interval readings straight from the bytes, for messages in which they all have one of few plain forms.

What was read (`scan_records`) is cut out of the document, and a small placeholder stays for the XML parser, which still
judges the whole rest. If a single record is of another form, nothing is cut out, and the parser reads it all: the
answer never depends on the way.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from openami.shared.contract.field.codes import QualityCode
from openami.shared.contract.field.errors import BadQualityCodeError
from openami.shared.contract.scan_records import TIMES, Records, is_plain_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.shared.contract.field.columns import Flags, Int64s
    from openami.shared.contract.scan_records import Text

_TAG: Final = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)IntervalReadings>")
_STAMP_LENGTHS: Final = frozenset({20, 25})  # `2026-03-01T00:15:00Z` and `...+01:00`
ATTRIBUTE: Final = "scanned"
_NAME: Final = b"IntervalReadings"


class BrokenRunError(Exception):
    """A block of which only a part was scanned; the message is to be read without the scan."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BlockColumns:
    """The readings of one block as numbers, before the reading type says how long they are."""

    start: Int64s
    start_ok: Flags
    end: Int64s
    end_ok: Flags
    stamp: Int64s
    usable: Flags
    values: Int64s
    decimals: int
    missing: Flags
    sets: tuple[tuple[QualityCode, ...], ...]
    index: NDArray[np.uint16]
    reported_s: int | None
    source: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What was cut out of a message, and what is left of it."""

    rest: bytes
    token: str
    prefix: bytes
    """Of the names of elements, with its colon."""
    records: Readings
    first: NDArray[np.intp]
    """The first record of each run."""
    decimals: Int64s
    """Of each run: what all its values share."""
    cut: ClassVar[bool] = True

    @property
    def runs(self) -> list[BlockColumns]:
        """All runs."""
        return [self._run(number) for number in range(len(self.first))]

    def run_of(self, attribute: str | None) -> BlockColumns | None:
        """The run that an attribute of a placeholder names; None for an element that is no placeholder."""
        token, _, number = (attribute or "").partition("-")
        return self._run(int(number)) if token == self.token else None

    def _run(self, number: int) -> BlockColumns:
        begin = int(self.first[number])
        past = int(self.first[number + 1]) if number + 1 < len(self.first) else self.records.count
        return self.records.run(slice(begin, past), int(self.decimals[number]))


class Scans:
    """The runs of a document that is read piece by piece, for as long as they are needed."""

    def __init__(self) -> None:
        self._scans: dict[str, Scan] = {}
        self.cut = False

    def add(self, scan: Scan) -> None:
        """Take the runs of the next piece."""
        self._scans[scan.token] = scan
        self.cut = True

    def forget(self) -> None:
        """Let go of all but the last piece: an object ended in it, so the next one began there or later."""
        self._scans = dict([*self._scans.items()][-1:])

    def run_of(self, attribute: str | None) -> BlockColumns | None:
        """The run that an attribute of a placeholder names; None for an element that is no placeholder."""
        scan = self._scans.get((attribute or "").partition("-")[0])
        return None if scan is None else scan.run_of(attribute)


def scan_readings(data: Text) -> Scan | None:
    """Cut the interval readings out of a message; None if any of them needs the XML parser.

    Nothing of the result refers to the message: its memory may be used again.
    """
    tag = _TAG.search(data)
    if tag is None or not is_plain_text(data):
        return None
    prefix = tag[1]
    records = Readings(len(data) // (2 * len(tag[0])) + 1)  # more cannot stand in it; pages are taken when used
    if not records.read(data, tag[0], _record(prefix), only_in=_NAME):
        return None
    first = records.first
    decimals = records.share_decimals(first) if _one_run_a_block(data, prefix, records, first) else None
    if decimals is None:
        return None
    token = secrets.token_hex(8)  # a document cannot name a run of ours
    return Scan(_cut(data, prefix, records, first, token), token, prefix, records, first, decimals)


def _one_run_a_block(data: Text, prefix: bytes, records: Readings, first: NDArray[np.intp]) -> bool:
    """True if a block ends between any two runs."""
    closing = re.compile(re.escape(b"</" + prefix + b"IntervalBlocks>"))
    gaps = zip(records.ends[first[1:] - 1].tolist(), records.begins[first[1:]].tolist(), strict=True)
    return all(closing.search(data, begin, end) for begin, end in gaps)


@lru_cache(maxsize=32)
def _record(prefix: bytes) -> re.Pattern[bytes]:
    """One record in one of the plain forms, elements in the order of the schema or with the stamp in front."""
    p, w, text = re.escape(prefix), rb"\s*", rb"[0-9TZ:.+-]{1,35}"
    return re.compile(
        rb"<" + p + rb"IntervalReadings>" + w
        + rb"(?:<" + p + rb"reportedDateTime>(?P<reported>" + text + rb")</" + p + rb"reportedDateTime>" + w + rb")?"
        + rb"(?:<" + p + rb"source>(?P<source>[\w.:/@ -]{1,100})</" + p + rb"source>" + w + rb")?"
        + rb"(?:<" + p + rb"timeStamp>(?P<stamp>" + text + rb")</" + p + rb"timeStamp>" + w + rb")?"
        + rb"(?:<" + p + rb"value>(?P<value>[0-9.+-]{1,24})</" + p + rb"value>" + w + rb")?"
        + rb"(?P<qualities>(?:<" + p + rb"ReadingQualities>" + w + rb"<" + p + rb'ReadingQualityType ref="[0-9.]{5,40}"'
        + w + rb"(?:/>|></" + p + rb"ReadingQualityType>)" + w + rb"</" + p + rb"ReadingQualities>" + w + rb"){0,4})"
        + rb"(?:<" + p + rb"timePeriod>" + w + rb"<" + p + rb"end>(?P<end>" + text + rb")</" + p + rb"end>" + w
        + rb"<" + p + rb"start>(?P<start>" + text + rb")</" + p + rb"start>" + w + rb"</" + p + rb"timePeriod>" + w
        + rb")?</" + p + rb"IntervalReadings>"
    )  # fmt: skip


_REFERENCE: Final = re.compile(rb'ref="([0-9.]+)"')


@dataclass(frozen=True, slots=True)
class Form:
    """What the records of one form share."""

    timed: tuple[bool, ...]
    """Which of the times its records have: reported, stamp, start, end."""
    missing: bool
    codes: tuple[QualityCode, ...]
    source: str | None


class Readings(Records):
    """All interval readings of a message as columns."""

    def __init__(self, count_max: int) -> None:
        super().__init__(count_max, _STAMP_LENGTHS)
        self.known: list[Form] = []

    def accept(self, example: re.Match[bytes]) -> bool:
        """Take what the readings of a form share."""
        timed = tuple(example[name] is not None for name in TIMES)
        codes, source = _codes(example), example["source"]
        if codes is None or not any(timed[1:]):  # a reading has a time, or the parser says what is wrong with it
            return False
        said = None if source is None else source.decode().strip(" ")
        self.known.append(Form(timed, example["value"] is None, codes, said))
        return True

    def run(self, part: slice, decimals: int) -> BlockColumns:
        """The records of a block as its columns."""
        form = self.form[part]
        low = int(form.min())
        return self._run(part, decimals, low) if low == int(form.max()) else self._mixed(part, decimals)

    def _run(self, part: slice, decimals: int, number: int) -> BlockColumns:
        """A block whose records have all one form."""
        form, count = self.known[number], part.stop - part.start
        reported, stamp, start, end = self.times[part].T
        return BlockColumns(
            start=start, start_ok=np.full(count, form.timed[2]),
            end=end, end_ok=np.full(count, form.timed[3]),
            stamp=stamp, usable=np.ones(count, np.bool_),
            values=self.values[part], decimals=decimals, missing=np.full(count, form.missing),
            sets=((), form.codes) if form.codes else ((),),
            index=np.full(count, 1 if form.codes else 0, np.uint16),
            reported_s=int(reported.max()) if form.timed[0] else None,
            source=form.source,
        )  # fmt: skip

    def _mixed(self, part: slice, decimals: int) -> BlockColumns:
        """A block whose records have several forms."""
        of = self.form[part]
        used = [self.known[number] for number in dict.fromkeys(of.tolist())]
        sets = tuple(dict.fromkeys([(), *(form.codes for form in used)]))
        timed = np.array([form.timed for form in self.known], np.bool_)[of].T
        missing = np.array([form.missing for form in self.known], np.bool_)[of]
        numbers = {codes: number for number, codes in enumerate(sets)}
        index = np.array([numbers.get(form.codes, 0) for form in self.known], np.uint16)[of]
        reported, stamp, start, end = self.times[part].T
        return BlockColumns(
            start=start, start_ok=timed[2], end=end, end_ok=timed[3], stamp=stamp,
            usable=np.ones(len(of), np.bool_), values=self.values[part], decimals=decimals, missing=missing,
            sets=sets, index=index,
            reported_s=int(reported[timed[0]].max()) if timed[0].any() else None,
            source=next(filter(None, (form.source for form in used)), None),
        )  # fmt: skip


def _cut(data: Text, prefix: bytes, records: Readings, first: NDArray[np.intp], token: str) -> bytes:
    pieces: list[Text] = []
    at = 0
    lasts = [*(first[1:] - 1).tolist(), records.count - 1]
    begins, ends = records.begins[first].tolist(), records.ends[lasts].tolist()
    mark = b'<%sIntervalReadings %s="%s-' % (prefix, ATTRIBUTE.encode(), token.encode())
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        pieces += (data[at:begin], mark, b'%d"/>' % number)
        at = end
    return b"".join([*pieces, data[at:]])


def _codes(example: re.Match[bytes]) -> tuple[QualityCode, ...] | None:
    """The quality codes of an example; None if one of them is none."""
    try:
        return tuple(QualityCode.parse(each.decode("ascii")) for each in _REFERENCE.findall(example["qualities"]))
    except (BadQualityCodeError, UnicodeDecodeError):
        return None
