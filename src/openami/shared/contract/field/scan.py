"""Interval readings straight from the bytes, for messages in which they all have one of few plain forms.

A tree of elements costs more than everything else that happens to a reading. So the forms are learnt from the message
itself: a record is read once by a strict pattern, which tells where its times, value and qualities stand; all records
that equal it everywhere else are then read at once, as matrices of bytes. What was read is cut out of the document, and
a small placeholder stays for the XML parser, which still judges the whole rest. If a single record is of another form,
nothing is cut out, and the parser reads it all: the answer never depends on the way.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.contract.field import columns
from openami.shared.contract.field.codes import QualityCode
from openami.shared.contract.field.errors import BadQualityCodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from openami.shared.contract.field.columns import Flags, Int64s

_TAG: Final = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)IntervalReadings>")
_ENCODING: Final = re.compile(rb"""^(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=["']([\w-]+)["']""")
_FORMS_MAX: Final = 8
"""How many forms a message may have: with and without value, a few lengths of quality codes."""
_VALUE_BYTES: Final = 26
_STAMP_BYTES: Final = 26
_GAP_BYTES: Final = 64
_STAMP_LENGTHS: Final = frozenset({20, 25})  # `2026-03-01T00:15:00Z` and `...+01:00`
_BLANKS: Final = np.array([9, 10, 13, 32], np.uint8)
_LESS_THAN: Final = ord("<")
ATTRIBUTE: Final = "scanned"


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
    runs: list[BlockColumns]

    def run_of(self, attribute: str | None) -> BlockColumns | None:
        """The run that an attribute of a placeholder names; None for an element that is no placeholder."""
        token, _, number = (attribute or "").partition("-")
        return self.runs[int(number)] if token == self.token else None


class Scans:
    """The runs of a document that is read piece by piece, for as long as they are needed."""

    def __init__(self) -> None:
        self._scans: dict[str, Scan] = {}

    def add(self, scan: Scan) -> None:
        """Take the runs of the next piece."""
        self._scans[scan.token] = scan

    def forget(self) -> None:
        """Let go of all but the last piece: an object ended in it, so the next one began there or later."""
        self._scans = dict([*self._scans.items()][-1:])

    def run_of(self, attribute: str | None) -> BlockColumns | None:
        """The run that an attribute of a placeholder names; None for an element that is no placeholder."""
        scan = self._scans.get((attribute or "").partition("-")[0])
        return None if scan is None else scan.run_of(attribute)


def scan_readings(data: bytes) -> Scan | None:
    """Cut the interval readings out of a message; None if any of them needs the XML parser."""
    tag = _TAG.search(data)
    encoding = _ENCODING.match(data)
    plain = encoding is None or encoding[1].lower() in {b"utf-8", b"ascii", b"us-ascii"}
    # Comments, sections and instructions could hide what only looks like an element.
    if tag is None or not plain or b"<!" in data or data.rfind(b"<?") > 8:
        return None
    prefix = tag[1]
    opening, closing = b"<" + prefix + b"IntervalReadings>", b"</" + prefix + b"IntervalReadings>"
    begins = np.array([match.start() for match in re.finditer(re.escape(opening), data)])
    ends = np.array([match.end() for match in re.finditer(re.escape(closing), data)])
    if len(begins) != len(ends) or (ends <= begins).any() or (begins[1:] < ends[:-1]).any():
        return None
    if data.count(b"IntervalReadings") != 2 * len(begins):
        return None
    buffer = np.frombuffer(data, np.uint8)
    first = _first_of_runs(buffer, begins, ends)
    if not _one_run_a_block(data, prefix, begins, ends, first):
        return None
    records = _Records(buffer, begins, ends, len(begins))
    if not _read_forms(data, prefix, records):
        return None
    runs = records.runs(first)
    return None if runs is None else _cut(data, prefix, begins, ends, first, runs)


def _first_of_runs(buffer: NDArray[np.uint8], begins: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """Numbers of the records that do not simply follow another one, with nothing but blanks between."""
    gap = begins[1:] - ends[:-1]
    follows = gap == 0
    for size in np.unique(gap[(gap > 0) & (gap <= _GAP_BYTES)]).tolist():
        rows = np.flatnonzero(gap == size)
        between = np.lib.stride_tricks.sliding_window_view(buffer, size)[ends[:-1][rows]]
        follows[rows] = np.isin(between, _BLANKS).all(axis=1)
    return np.concatenate([[0], np.flatnonzero(~follows) + 1])


def _one_run_a_block(
    data: bytes, prefix: bytes, begins: NDArray[np.intp], ends: NDArray[np.intp], first: NDArray[np.intp]
) -> bool:
    """True if a block ends between any two runs."""
    closing = b"</" + prefix + b"IntervalBlocks>"
    gaps = zip(ends[first[1:] - 1].tolist(), begins[first[1:]].tolist(), strict=True)
    return all(data.find(closing, begin, end) >= 0 for begin, end in gaps)


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


def _read_forms(data: bytes, prefix: bytes, records: _Records) -> bool:
    """Read form after form until all records are read; False if a record has none of the plain forms."""
    pattern = _record(prefix)
    for _ in range(_FORMS_MAX):
        left = np.flatnonzero(~records.read)
        if not left.size:
            return True
        example = pattern.fullmatch(data, int(records.begins[left[0]]), int(records.ends[left[0]]))
        if example is None or not records.read_like(example, left):
            return False
    return bool(records.read.all())


class _Records:
    """All records of a message, and what is read of them so far."""

    def __init__(self, buffer: NDArray[np.uint8], begins: NDArray[np.intp], ends: NDArray[np.intp], count: int) -> None:
        self.buffer, self.begins, self.ends = buffer, begins, ends
        self.read = np.zeros(count, np.bool_)
        self.times = {name: np.zeros(count, np.int64) for name in ("reported", "stamp", "start", "end")}
        self.timed = {name: np.zeros(count, np.bool_) for name in self.times}
        self.values = np.zeros((count, _VALUE_BYTES), np.uint8)
        self.missing = np.zeros(count, np.bool_)
        self.sources: list[str | None] = []
        self.source = np.zeros(count, np.intp)
        self.sets: dict[tuple[QualityCode, ...], int] = {(): 0}
        self.index = np.zeros(count, np.uint16)

    def read_like(self, example: re.Match[bytes], rows: NDArray[np.intp]) -> bool:
        """Read the records among `rows` that are like the example; False if the example itself cannot be read."""
        head_n, tail, rows, value_n = self._like(example, rows)
        begins = self.begins[rows]
        head = _window(self.buffer, begins, head_n)
        tail_begin = begins + head_n + value_n
        back = _window(self.buffer, tail_begin, tail)
        ok = _equal(head, example, 0, head_n) & _equal(back, example, len(example[0]) - tail, len(example[0]))
        found: dict[str, tuple[Int64s, Flags]] = {}
        texts: dict[str, NDArray[np.uint8]] = {}
        for name in self.times:
            span = _span(example, name)
            if span is None:
                continue
            part, offset = (head, 0) if span[1] <= head_n else (back, len(example[0]) - tail)
            if span[1] - span[0] not in _STAMP_LENGTHS:
                return False
            texts[name] = part[:, span[0] - offset : span[1] - offset]
            found[name] = _instants(name, texts, found)
            ok &= found[name][1]
        index, known = self._qualities(example, back, head, head_n, tail)
        ok &= known
        self._keep(example, rows, ok, found, index, value_n)
        return bool(self.read[rows[0]]) if rows.size else False

    def _like(
        self, example: re.Match[bytes], rows: NDArray[np.intp]
    ) -> tuple[int, int, NDArray[np.intp], NDArray[np.intp]]:
        """Length of head and tail of the form, the rows whose length fits it, and the lengths of their values."""
        length = self.ends[rows] - self.begins[rows]
        span = _span(example, "value")
        if span is None:
            fits = length == len(example[0])
            return len(example[0]), 0, rows[fits], np.zeros(int(fits.sum()), np.intp)
        head_n, tail = span[0], len(example[0]) - span[1]
        at = self.begins[rows] + head_n
        inside = (length > head_n) & (at + _VALUE_BYTES <= len(self.buffer))
        rows, at, length = rows[inside], at[inside], length[inside]
        window = _window(self.buffer, at, _VALUE_BYTES)
        value_n = (window == _LESS_THAN).argmax(axis=1)
        fits = (value_n > 0) & (value_n < _VALUE_BYTES - 1) & (head_n + value_n + tail == length)
        blank = np.arange(_VALUE_BYTES) >= value_n[:, None]
        self.values[rows[fits]] = np.where(blank, 0, window)[fits]
        return head_n, tail, rows[fits], value_n[fits]

    def _qualities(
        self, example: re.Match[bytes], back: NDArray[np.uint8], head: NDArray[np.uint8], head_n: int, tail: int
    ) -> tuple[NDArray[np.uint16], Flags]:
        """Which set of codes each row has, and where they are codes."""
        spans = _references(example)
        rows = len(head)
        if not spans:
            return np.zeros(rows, np.uint16), np.ones(rows, np.bool_)
        part, offset = (back, len(example[0]) - tail) if spans[0][0] >= head_n else (head, 0)
        texts = np.concatenate(
            [_padded(part[:, begin - offset : end - offset], end - begin + 1) for begin, end in spans], axis=1
        )
        packed = np.ascontiguousarray(texts).view(np.dtype((np.void, texts.shape[1]))).reshape(-1)
        distinct, inverse = np.unique(packed, return_inverse=True)
        numbers = np.array([self._number(bytes(each)) for each in distinct], np.int64)
        index = numbers[inverse] if rows else np.zeros(0, np.int64)
        return np.maximum(index, 0).astype(np.uint16), index >= 0

    def _number(self, texts: bytes) -> int:
        """The number of a set of codes, -1 if one of them is none."""
        try:
            codes = tuple(QualityCode.parse(each.decode("ascii")) for each in texts.rstrip(b"\0").split(b"\0"))
        except (BadQualityCodeError, UnicodeDecodeError):
            return -1
        return self.sets.setdefault(codes, len(self.sets))

    def _keep(
        self,
        example: re.Match[bytes],
        rows: NDArray[np.intp],
        ok: Flags,
        found: Mapping[str, tuple[Int64s, Flags]],
        index: NDArray[np.uint16],
        value_n: NDArray[np.intp],
    ) -> None:
        source = example["source"]
        self.sources.append(None if source is None else source.decode().strip(" "))
        good = rows[ok]
        for name, (seconds, _) in found.items():
            self.times[name][good] = seconds[ok]
            self.timed[name][good] = True
        self.missing[good] = value_n[ok] == 0
        self.index[good] = index[ok]
        self.source[good] = len(self.sources) - 1
        self.read[good] = True

    def runs(self, first: NDArray[np.intp]) -> list[BlockColumns] | None:
        """The records cut into blocks; None if a value is no number or a record has no time."""
        values, decimals, numeric = columns.decimals_of(self.values, first)
        usable = numeric | self.missing
        if not usable.all() or not (self.timed["stamp"] | self.timed["start"] | self.timed["end"]).all():
            return None
        sets = tuple(self.sets)
        bounds = zip(first.tolist(), [*first[1:].tolist(), len(values)], strict=True)
        return [self._run(slice(*bound), values, int(n), sets) for bound, n in zip(bounds, decimals, strict=True)]

    def _run(
        self, part: slice, values: Int64s, decimals: int, sets: tuple[tuple[QualityCode, ...], ...]
    ) -> BlockColumns:
        own, index = _own_sets(sets, self.index[part])
        reported = self.times["reported"][part][self.timed["reported"][part]]
        said = [self.sources[number] for number in dict.fromkeys(self.source[part].tolist())]
        return BlockColumns(
            start=self.times["start"][part],
            start_ok=self.timed["start"][part],
            end=self.times["end"][part],
            end_ok=self.timed["end"][part],
            stamp=self.times["stamp"][part],
            usable=np.ones(len(index), np.bool_),
            values=values[part],
            decimals=decimals,
            missing=self.missing[part],
            sets=own,
            index=index,
            reported_s=int(reported.max()) if reported.size else None,
            source=next(filter(None, said), None),
        )


def _own_sets(
    sets: tuple[tuple[QualityCode, ...], ...], index: NDArray[np.uint16]
) -> tuple[tuple[tuple[QualityCode, ...], ...], NDArray[np.uint16]]:
    """The sets that a block uses, the empty one first, then in the order of their first use."""
    used = [number for number in dict.fromkeys(index.tolist()) if number]
    if used == list(range(1, len(sets))):
        return sets, index
    renumbered = np.zeros(len(sets), np.uint16)
    renumbered[used] = np.arange(1, len(used) + 1)
    return ((), *(sets[number] for number in used)), renumbered[index]


def _cut(
    data: bytes,
    prefix: bytes,
    begins: NDArray[np.intp],
    ends: NDArray[np.intp],
    first: NDArray[np.intp],
    runs: list[BlockColumns],
) -> Scan:
    token = secrets.token_hex(8)  # a document cannot name a run of ours
    pieces, at = [], 0
    lasts = [*(first[1:] - 1).tolist(), len(begins) - 1]
    for number, (begin, last) in enumerate(zip(first.tolist(), lasts, strict=True)):
        pieces.append(data[at : begins[begin]])
        pieces.append(b'<%sIntervalReadings %s="%s-%d"/>' % (prefix, ATTRIBUTE.encode(), token.encode(), number))
        at = int(ends[last])
    return Scan(b"".join([*pieces, data[at:]]), token, runs)


def _window(buffer: NDArray[np.uint8], begins: NDArray[np.intp], length: int) -> NDArray[np.uint8]:
    """`length` bytes from each begin on, one row each."""
    if not length or not begins.size:
        return np.zeros((len(begins), length), np.uint8)
    return np.lib.stride_tricks.sliding_window_view(buffer, length)[begins]


def _instants(
    name: str, texts: Mapping[str, NDArray[np.uint8]], known: Mapping[str, tuple[Int64s, Flags]]
) -> tuple[Int64s, Flags]:
    """Seconds of a column of times; most messages say the same time twice, or one time over and over."""
    own = texts[name]
    for other, read in known.items():
        if np.array_equal(own, texts[other]):
            return read
    if len(own) > 1 and (own == own[0]).all():
        seconds, ok = columns.stamps_of(_padded(own[:1], _STAMP_BYTES))
        return np.repeat(seconds, len(own)), np.repeat(ok, len(own))
    return columns.stamps_of(_padded(own, _STAMP_BYTES))


def _padded(texts: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    found = np.zeros((len(texts), width), np.uint8)
    found[:, : texts.shape[1]] = texts
    return found


def _span(example: re.Match[bytes], name: str) -> tuple[int, int] | None:
    """Where a part of the example stands, from its begin."""
    begin, end = example.span(name)
    return None if begin < 0 else (begin - example.start(), end - example.start())


def _references(example: re.Match[bytes]) -> list[tuple[int, int]]:
    begin = example.start("qualities") - example.start()
    return [(begin + each.start(1), begin + each.end(1)) for each in _REFERENCE.finditer(example["qualities"])]


def _equal(part: NDArray[np.uint8], example: re.Match[bytes], begin: int, end: int) -> Flags:
    """Where rows equal the example from begin to end, but for its times and quality codes."""
    template = np.frombuffer(example[0], np.uint8)[begin:end]
    fixed = np.ones(len(example[0]), np.bool_)
    for span in (*(_span(example, name) for name in ("reported", "stamp", "start", "end")), *_references(example)):
        if span is not None:
            fixed[slice(*span)] = False
    alike: Flags = ((part == template) | ~fixed[begin:end]).all(axis=1)
    return alike
