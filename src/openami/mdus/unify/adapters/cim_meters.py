"""Meters of known form in IEC 61968-9 files: columns, without a tree.

One program wrote all meters of a file: their markup is the same, only names, times and values differ. So the first
meter of each form is read by the parser, which shows what each of its texts means. The markup of those that follow is
compared byte for byte, and their texts are taken as columns. Whatever differs anywhere goes to the parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.unify.columns import Columns, earliest, texts_of
from openami.mdus.unify.qualities import unified_quality
from openami.shared.contract.field.columns import parse_decimal_groups, parse_stamps
from openami.shared.contract.field.markup import local_name
from openami.shared.contract.field.scan import ATTRIBUTE
from openami.shared.quality import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml import etree
    from numpy.typing import NDArray

    from openami.mdus.unify.columns import Ints
    from openami.shared.contract import field as contract
    from openami.shared.contract.field.scan import Scan

FORMS_MAX: Final = 64
_TEXTS: Final = frozenset({"name", "mRID", "timeStamp", "value"})
_START, _END = 2, 3  # of the times of a record


@dataclass(frozen=True, slots=True)
class _Register:
    """Where time and value of a register reading stand, and what it is."""

    time: int
    value: int
    code: contract.ReadingTypeCode
    qualities: tuple[contract.QualityCode, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """What the texts of a meter mean, by their numbers."""

    constants: tuple[tuple[int, bytes], ...]
    """Texts that say nothing of the readings: they have to be the same."""
    names: tuple[int, ...]
    blocks: tuple[tuple[int, contract.ReadingTypeCode], ...]
    registers: tuple[_Register, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """One meter that was not parsed."""

    number: int
    """Which object of its document it is."""
    text: bytes
    holes: Sequence[bytes]


@dataclass(slots=True, eq=False)
class KnownMeters:
    """The forms that a document showed so far, and the meters that have them.

    A meter is taken only where the parser stands behind another one of the same parent.
    """

    head: bytes | None = None
    """The document before its first meter; None if there is none near its beginning."""
    found: dict[Form, list[Meter]] = field(default_factory=dict)
    _forms: dict[tuple[bytes, ...], Form | None] = field(default_factory=dict)
    _parent: etree._Element | None = None
    _between: bool = False
    _learning: tuple[tuple[bytes, ...], Sequence[bytes]] | None = None

    def take(self, text: bytes, prefix: bytes, numbers: Iterator[int]) -> bool:
        """Take a meter if it is of a known form; else it has to be parsed, and its form may be learnt then."""
        self._learning = None
        if not self._between:
            return False
        parts = _holes(prefix).split(text)
        key, holes = (*parts[::3], *parts[1::3]), parts[2::3]
        form = self._forms.get(key)
        if form is None:
            whole = text.lstrip().startswith(b"<" + prefix + b"MeterReading>")
            if whole and key not in self._forms and len(self._forms) < FORMS_MAX:
                self._learning = key, holes
            return False
        if any(holes[place] != constant for place, constant in form.constants):
            return False
        self.found.setdefault(form, []).append(Meter(next(numbers), text, holes))
        return True

    def learn(self, element: etree._Element, reading: contract.MeterReading, *, clean: bool) -> None:
        """Learn what the texts of the meter mean that was just parsed; `clean` if nothing of it was refused."""
        learning, self._learning = self._learning, None
        if learning is not None and element.getparent() is self._parent:
            self._forms[learning[0]] = _form_of(element, reading, learning[1]) if clean else None

    def parsed(self, last: etree._Element | None, parent: etree._Element | None, *, complete: bool) -> None:
        """A piece of text was parsed: the last object that ended in it, and whether it ended with it."""
        ended = last is not None and local_name(last) == "MeterReading"
        if ended and self._parent is None and self.head is not None:
            self._parent = parent
        self._between = ended and complete and self._parent is not None and parent is self._parent


@lru_cache(maxsize=32)
def _holes(prefix: bytes) -> re.Pattern[bytes]:
    """The texts that may differ, with what stands in front of them: plain ASCII, no markup in it."""
    element = rb"<" + re.escape(prefix) + rb"(?:" + "|".join(sorted(_TEXTS)).encode() + rb")>"
    return re.compile(rb"(" + element + rb"|" + ATTRIBUTE.encode() + rb"=\")([!#-%'-;=?-~]{1,80})")


def _form_of(element: etree._Element, reading: contract.MeterReading, holes: Sequence[bytes]) -> Form | None:
    """The form of a meter whose tree is at hand; None if its texts are not all where they are understood."""
    places = [*_places(element)]
    if [text for _, text in places] != [hole.decode() for hole in holes] or reading.meter is None:
        return None
    of: dict[tuple[str, ...], list[int]] = {}
    for number, (path, _) in enumerate(places):
        of.setdefault(path, []).append(number)
    runs, times, values = [
        [of.pop((tag, str(index), name), []) for index in range(count)]
        for tag, name, count in (
            ("IntervalBlocks", "IntervalReadings", len(reading.blocks)),
            ("Readings", "timeStamp", len(reading.readings)),
            ("Readings", "value", len(reading.readings)),
        )
    ]
    names = (*of.pop(("Meter", "0", "mRID"), []), *of.pop(("Meter", "0", "Names", "name"), []))
    same = tuple(dict.fromkeys(places[number][1] for number in names)) == texts_of(reading.meter)
    usual = (
        reading.usage_point is None
        and not reading.events
        and all(not one.pending_calculation for one in reading.blocks)
    )
    if not (same and usual and all(len(one) == 1 for one in (*runs, *times, *values))):
        return None
    registers = (
        _Register(time[0], value[0], one.reading_type, one.qualities)
        for time, value, one in zip(times, values, reading.readings, strict=True)
    )
    return Form(
        constants=tuple((number, holes[number]) for rest in of.values() for number in rest),
        names=names,
        blocks=tuple((run[0], block.reading_type) for run, block in zip(runs, reading.blocks, strict=True)),
        registers=tuple(registers),
    )


def _places(element: etree._Element) -> Iterator[tuple[tuple[str, ...], str]]:
    """The texts of a meter that may differ, in the order of the document, each with the child it is of and its path."""
    seen: dict[str, int] = {}
    for child in element:
        tag = local_name(child)
        index = seen.get(tag, 0)
        seen[tag] = index + 1
        for each in child.iter():
            if (run := each.get(ATTRIBUTE)) is not None:
                yield (tag, str(index), *_path(each, child)), run
            elif local_name(each) in _TEXTS and (each.text or "").strip():
                yield (tag, str(index), *_path(each, child)), each.text or ""


def _path(each: etree._Element, top: etree._Element) -> list[str]:
    path: list[str] = []
    while each is not top:
        path.append(local_name(each))
        parent = each.getparent()
        each = top if parent is None else parent
    return path[::-1]


def columns_of_meters(form: Form, meters: Sequence[Meter], scan: Scan, *, stamped_at_start: bool) -> Columns:
    """Meters of one form as columns: block by block, then register by register, of each all meters."""
    texts = [*zip(*(meter.holes for meter in meters), strict=True)]
    names = zip(*(texts[place] for place in form.names), strict=True)
    identities: dict[tuple[bytes, ...], int] = {}
    who = np.array([identities.setdefault(one, len(identities)) for one in names], np.int64)
    codes = {
        code: n for n, code in enumerate(dict.fromkeys([c for _, c in form.blocks] + [r.code for r in form.registers]))
    }
    runs = np.array([_run(text) for place, _ in form.blocks for text in texts[place]], np.int64)
    blocks = [code for _, code in form.blocks]
    of_block = np.repeat(np.arange(len(blocks)), len(meters))
    read = _Readings.of(
        scan, runs, np.array([code.interval_s or 0 for code in blocks], np.int64)[of_block], stamped_at_start
    )
    at_s, value, decimals, known = _registers(form, texts)
    registers = [one.code for one in form.registers]
    of_register = np.repeat(np.arange(len(registers)), len(meters))
    marks = np.array([unified_quality(one.qualities) for one in form.registers], np.uint8).reshape(-1, 2)[of_register]
    rows = [codes[code] for code in (*blocks, *registers)]
    multipliers = np.array([code.multiplier for code in (*blocks, *registers)], np.int64)
    places = np.repeat(np.arange(len(rows)), len(meters))
    starts = np.concatenate((read.starts, at_s))
    offsets = np.concatenate(([0], np.cumsum(np.concatenate((read.counts, np.ones(len(at_s), np.int64))))))
    return Columns(
        identities=[tuple(dict.fromkeys(text.decode() for text in one)) for one in identities],
        codes=[*codes],
        who=np.tile(who, len(rows)),
        code=np.array(rows, np.int64)[places],
        start_s=earliest(starts, offsets[:-1]),
        interval_s=np.concatenate((read.interval_s, np.zeros(len(at_s), np.int64))),
        scale=multipliers[places] - np.concatenate((scan.decimals[runs].astype(np.int64), decimals)),
        regular=np.concatenate((read.regular, known)),
        offsets=offsets,
        values=np.concatenate((read.values, value)),
        quality=np.concatenate((read.quality, marks[:, 0])),
        flags=np.concatenate((read.flags, marks[:, 1])),
        reported_s=np.concatenate((read.reported_s, np.zeros(len(at_s), np.int64))),
        starts=None if read.even else starts,
    )  # fmt: skip


def _run(text: bytes) -> int:
    return int(text.partition(b"-")[2])


def _registers(form: Form, texts: Sequence[Sequence[bytes]]) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
    """Instant, value and decimals of all register readings, and where they are what they should be."""
    if not form.registers:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing, nothing.astype(np.bool_)
    times = [text for one in form.registers for text in texts[one.time]]
    numbers = [text for one in form.registers for text in texts[one.value]]
    at_s, is_time = parse_stamps(times)
    value, decimals, is_number = parse_decimal_groups(numbers, np.arange(len(numbers)))
    return at_s, value, decimals, is_time & is_number


@dataclass(frozen=True, slots=True, eq=False)
class _Readings:
    """The interval readings of some runs, end to end."""

    counts: Ints
    interval_s: Ints
    regular: NDArray[np.bool_]
    starts: Ints
    values: Ints
    quality: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    reported_s: Ints
    even: bool

    @staticmethod
    def of(scan: Scan, runs: Ints, interval_s: Ints, stamped_at_start: bool) -> _Readings:
        """The runs; an interval of 0 is one that the reading type does not tell."""
        from openami.mdus.unify.adapters.cim_kernel import lay_out  # noqa: PLC0415 - the compiler loads when needed

        records = scan.records
        begins = scan.first[runs]
        counts = np.diff(scan.first, append=records.count)[runs]
        timed = np.array([form.timed for form in records.known], np.bool_)
        stated = timed[records.form[begins]][:, [_START, _END]].all(axis=1)
        first_s = records.times[begins, _END] - records.times[begins, _START]
        regular = (interval_s > 0) | (stated & (first_s > 0))
        interval_s = np.where(interval_s > 0, interval_s, np.where(regular, first_s, 1))
        marks = [
            (MISSING if form.missing else unified_quality(form.codes)[0], unified_quality(form.codes)[1])
            for form in records.known
        ]
        starts, values = np.empty((2, int(counts.sum())), np.int64)
        quality, flags = np.empty((2, len(starts)), np.uint8)
        reported_s = np.empty(len(runs), np.int64)
        even = lay_out(
            (begins, counts, interval_s), (timed, np.array(marks, np.uint8)),
            (records.form, records.times, records.values), stamped_at_start, (regular, reported_s),
            (starts, values, quality, flags),
        )  # fmt: skip
        return _Readings(counts, interval_s, regular, starts, values, quality, flags, reported_s, even)
