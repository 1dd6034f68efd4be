"""Interval readings straight from the bytes, for messages in which they all have one of few plain forms.

A tree of elements costs more than everything else that happens to a reading. So the forms are learnt from the message
itself: a record is read once by a strict pattern, which tells where its times and value stand; all records that equal
it everywhere else are then read by a compiled loop. What was read is cut out of the document, and a small placeholder
stays for the XML parser, which still judges the whole rest. If a single record is of another form, nothing is cut out,
and the parser reads it all: the answer never depends on the way.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from openami.shared.contract.field.codes import QualityCode
from openami.shared.contract.field.columns import share_decimals
from openami.shared.contract.field.errors import BadQualityCodeError

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from openami.shared.contract.field.columns import Flags, Int64s

    Text: TypeAlias = bytes | memoryview

SCAN_FROM_BYTES: Final = 1 << 18
"""From this size on a body is worth loading compiled loops, which takes a second; the general way is done with less in
milliseconds."""
_TAG: Final = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)IntervalReadings>")
_ENCODING: Final = re.compile(rb"""^(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=["']([\w-]+)["']""")
_FORMS_MAX: Final = 64
"""How many forms a message may have: with and without value, sets of quality codes, sources."""
_FORM_BYTES: Final = 2048
_STAMP_LENGTHS: Final = frozenset({20, 25})  # `2026-03-01T00:15:00Z` and `...+01:00`
_TIMES: Final = ("reported", "stamp", "start", "end")
ATTRIBUTE: Final = "scanned"
_NAME: Final = np.frombuffer(b"IntervalReadings", np.uint8)


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
    records: Records
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
    records = Records(len(data) // (2 * len(tag[0])) + 1)  # more cannot stand in it; pages are taken when used
    if not records.read(data, tag[0], _record(prefix)):
        return None
    first = np.flatnonzero(~records.follows)
    decimals = records.share_decimals(first) if _one_run_a_block(data, prefix, records, first) else None
    if decimals is None:
        return None
    token = secrets.token_hex(8)  # a document cannot name a run of ours
    return Scan(_cut(data, prefix, records, first, token), token, prefix, records, first, decimals)


def is_plain_text(data: Text) -> bool:
    """True if the characters of a document that begins like this are those of ASCII, and perhaps more."""
    encoding = _ENCODING.match(data)
    utf_16 = bytes(data[:2]) in {b"\xff\xfe", b"\xfe\xff"}
    return not utf_16 and (encoding is None or encoding[1].lower() in {b"utf-8", b"ascii", b"us-ascii"})


def _one_run_a_block(data: Text, prefix: bytes, records: Records, first: NDArray[np.intp]) -> bool:
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


class _Forms:
    """The forms that a message showed so far, as arrays for the compiled loop."""

    def __init__(self) -> None:
        self.known: list[Form] = []
        self.templates = np.zeros((_FORMS_MAX, _FORM_BYTES), np.uint8)
        self.masks = np.zeros((_FORMS_MAX, _FORM_BYTES), np.uint8)
        self.heads, self.tails = np.zeros((2, _FORMS_MAX), np.int64)
        self.valued = np.zeros(_FORMS_MAX, np.bool_)
        self.time_at, self.time_n = np.zeros((2, _FORMS_MAX, len(_TIMES)), np.int64)

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """The forms as the loop takes them."""
        every = (self.templates, self.masks, self.heads, self.tails, self.valued, self.time_at, self.time_n)
        return tuple(one[: len(self.known)] for one in every)

    def learn(self, example: re.Match[bytes]) -> bool:
        """Take the form of an example; False if its records cannot be read by the loop."""
        number = len(self.known)
        spans = [_span(example, name) for name in _TIMES]
        lengths = {end - begin for begin, end in filter(None, spans)}
        # a record has a time, or the parser says what is wrong with it
        if number == _FORMS_MAX or not lengths & _STAMP_LENGTHS or lengths - _STAMP_LENGTHS or not any(spans[1:]):
            return False
        value = _span(example, "value")
        head, past = value or (len(example[0]), len(example[0]))
        template = example[0][:head] + example[0][past:]
        codes = _codes(example)
        if len(template) > _FORM_BYTES or codes is None:
            return False
        self.templates[number, : len(template)] = np.frombuffer(template, np.uint8)
        self.masks[number] = 255
        for which, (begin, end) in ((which, span) for which, span in enumerate(spans) if span):
            place = begin if begin < head else begin - (past - head)
            self.masks[number, place : place + end - begin] = 0
            self.time_at[number, which], self.time_n[number, which] = place, end - begin
        self.heads[number], self.tails[number] = head, len(template) - head
        self.valued[number] = value is not None
        source = example["source"]
        said = None if source is None else source.decode().strip(" ")
        self.known.append(Form(tuple(map(bool, spans)), value is None, codes, said))
        return True


class Records:
    """All records of a message as columns."""

    def __init__(self, count: int) -> None:
        self.count = 0
        self.begins, self.ends, self.values = (np.empty(count, np.int64) for _ in range(3))
        self.follows = np.empty(count, np.bool_)
        """Where a record follows another one, with nothing but blanks between."""
        self.form, self.decimals, self.significant = (np.empty(count, np.int16) for _ in range(3))
        self.times = np.empty((count, len(_TIMES)), np.int64)
        self.forms = _Forms()

    def read(self, data: Text, opening: bytes, pattern: re.Pattern[bytes]) -> bool:
        """Read all records; False if one of them is of no plain form."""
        from openami.shared.contract.field import scan_kernel  # noqa: PLC0415 - the compiler loads when it is needed

        buffer, tag = np.frombuffer(data, np.uint8), np.frombuffer(opening, np.uint8)
        out = (
            self.begins, self.ends, self.follows, self.form, self.times, self.values, self.decimals, self.significant,
        )  # fmt: skip
        at, why, first = 0, scan_kernel.UNKNOWN, re.compile(re.escape(opening))
        while why == scan_kernel.UNKNOWN:
            why, at, self.count = scan_kernel.read(buffer, at, tag, _NAME, self.forms.arrays, out, self.count)
            begin = first.search(data, at) if why == scan_kernel.UNKNOWN else None
            example = pattern.match(data, begin.start()) if begin else None
            if why == scan_kernel.UNKNOWN and (example is None or not self.forms.learn(example)):
                return False
        self._trim()
        return bool(why == scan_kernel.DONE)

    def _trim(self) -> None:
        for name in ("begins", "ends", "values", "follows", "form", "times", "decimals", "significant"):
            setattr(self, name, getattr(self, name)[: self.count])

    def share_decimals(self, first: NDArray[np.intp]) -> Int64s | None:
        """Give the values of each run one number of decimals, and return it; None if one does not fit."""
        shared, fits = share_decimals(self.values, self.decimals, self.significant, first)
        return shared if fits.all() else None

    def run(self, part: slice, decimals: int) -> BlockColumns:
        """The records of a block as its columns."""
        form = self.form[part]
        low = int(form.min())
        return self._run(part, decimals, low) if low == int(form.max()) else self._mixed(part, decimals)

    def _run(self, part: slice, decimals: int, number: int) -> BlockColumns:
        """A block whose records have all one form."""
        form, count = self.forms.known[number], part.stop - part.start
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
        used = [self.forms.known[number] for number in dict.fromkeys(of.tolist())]
        sets = tuple(dict.fromkeys([(), *(form.codes for form in used)]))
        timed = np.array([form.timed for form in self.forms.known], np.bool_)[of].T
        missing = np.array([form.missing for form in self.forms.known], np.bool_)[of]
        numbers = {codes: number for number, codes in enumerate(sets)}
        index = np.array([numbers.get(form.codes, 0) for form in self.forms.known], np.uint16)[of]
        reported, stamp, start, end = self.times[part].T
        return BlockColumns(
            start=start, start_ok=timed[2], end=end, end_ok=timed[3], stamp=stamp,
            usable=np.ones(len(of), np.bool_), values=self.values[part], decimals=decimals, missing=missing,
            sets=sets, index=index,
            reported_s=int(reported[timed[0]].max()) if timed[0].any() else None,
            source=next(filter(None, (form.source for form in used)), None),
        )  # fmt: skip


def _cut(data: Text, prefix: bytes, records: Records, first: NDArray[np.intp], token: str) -> bytes:
    pieces: list[Text] = []
    at = 0
    lasts = [*(first[1:] - 1).tolist(), records.count - 1]
    begins, ends = records.begins[first].tolist(), records.ends[lasts].tolist()
    mark = b'<%sIntervalReadings %s="%s-' % (prefix, ATTRIBUTE.encode(), token.encode())
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        pieces += (data[at:begin], mark, b'%d"/>' % number)
        at = end
    return b"".join([*pieces, data[at:]])


def _span(example: re.Match[bytes], name: str) -> tuple[int, int] | None:
    """Where a part of the example stands, from its begin."""
    begin, end = example.span(name)
    return None if begin < 0 else (begin - example.start(), end - example.start())


def _codes(example: re.Match[bytes]) -> tuple[QualityCode, ...] | None:
    """The quality codes of an example; None if one of them is none."""
    try:
        return tuple(QualityCode.parse(each.decode("ascii")) for each in _REFERENCE.findall(example["qualities"]))
    except (BadQualityCodeError, UnicodeDecodeError):
        return None
