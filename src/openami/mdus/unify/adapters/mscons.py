"""MSCONS: metered services consumption reports in EDIFACT, German and Swiss dialects.

The hot path takes a whole run of `QTY DTM+163 DTM+164` groups by one regular expression; every other order of segments
takes the slow path, segment by segment, to the same columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from openami.mdus.unify.adapters import mscons_series
from openami.mdus.unify.adapters.edifact import Service, Text
from openami.mdus.unify.adapters.model import BAD_VALUE, Batch, build_all
from openami.mdus.unify.adapters.mscons_lines import is_plain, piece_of_lines
from openami.mdus.unify.adapters.mscons_series import LineColumns
from openami.shared.contract import field as contract
from openami.shared.contract.scan_records import SCAN_FROM_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openami.mdus.unify.adapters.mscons_kernel import Groups
    from openami.mdus.unify.columns import Piece

_BATCH_READINGS: Final = 100_000
_STEP_UNITS_S: Final = {"806": 60, "805": 3600, "804": 86400}
_START: Final = "163"
_END: Final = "164"
_USUAL_UNIT: Final = "KWH"
_AT: Final = frozenset({"9", "7", "492"})  # reading date, effective date, reading date of the newer guides


@dataclass(slots=True)
class _Value:
    """A QTY whose times follow."""

    flag: str
    text: str
    start: str = ""
    end: str = ""


class Mscons:
    """MSCONS interchanges."""

    name = "mscons"

    def __init__(self, *, scan_from_bytes: int = SCAN_FROM_BYTES) -> None:
        self.scan_from_bytes = scan_from_bytes

    def sniffs(self, head: bytes) -> bool:
        """By the interchange header and the type of its first message."""
        text = head.decode("latin-1").lstrip("\u00ef\u00bb\u00bf \r\n")
        return text.startswith(("UNA", "UNB")) and "MSCONS" in text

    def read(self, stream: BinaryIO) -> Iterator[Batch]:
        """Read an interchange; a batch whenever enough is gathered."""
        return (one for one in _Reader(Text(stream)).batches() if isinstance(one, Batch))

    def columns(self, stream: BinaryIO) -> Iterator[Piece | Batch]:
        """Read lines of plain form as columns, straight from the bytes, and the others as series; small files are."""
        text = Text(stream)
        large = len(text.window) >= self.scan_from_bytes
        return _Reader(text, bulk=large and text.service == Service()).batches()


class _Reader:
    """One interchange on its way through."""

    def __init__(self, text: Text, *, bulk: bool = False) -> None:
        self.text = text
        self.service = text.service
        self.patterns = _patterns(text.service)
        self.finished: list[LineColumns] = []
        self.groups = _groups() if bulk else None
        self.known: list[LineColumns] = []
        """Lines of plain form."""
        self.gathered = 0
        self.refusals: list[contract.Refusal] = []
        self.skipping = ""
        self.header: dict[str, str] = {}
        self.outer: dict[str, str] = {}
        self.value: _Value | None = None
        self.columns = LineColumns()
        self.saw_end = False

    def batches(self) -> Iterator[Piece | Batch]:
        """All that the interchange holds."""
        for segment in self.text.segments():
            if segment.startswith("QTY") and not self.skipping:
                self._finish_value()
                self.value = self._quantity(segment)
                self._take_run()
            else:
                self._other(self.service.parse(segment))
            if self.gathered > _BATCH_READINGS:
                yield from self._batches()
        self._finish_series()
        if self.text.rest:
            self._refuse("the text ends inside a segment: it may be cut short")
        elif not self.saw_end:
            self._refuse("the interchange has no UNZ: it may be cut short")
        yield from self._batches()

    def _batches(self) -> Iterator[Piece | Batch]:
        if self.known:
            yield piece_of_lines(self.known, self._series)
        yield self._series(self.finished, self.refusals)
        self.finished, self.known, self.refusals, self.gathered = [], [], [], 0

    def _series(self, lines: Sequence[LineColumns], refusals: list[contract.Refusal]) -> Batch:
        """Lines as series, the general way; a line that was read as numbers is read as texts first."""
        for line in lines:
            self._as_texts(line)
        builders = mscons_series.builders(lines, refusals)
        if self.service.decimal_mark != ".":
            for builder in builders:
                builder.texts = [text.replace(self.service.decimal_mark, ".") for text in builder.texts]
        series = build_all(builders, refusals)
        return Batch(series=series, refusals=tuple(refusals))

    def _as_texts(self, line: LineColumns) -> None:
        runs, line.runs = line.runs, []
        for _, raw in runs:
            self._add(line, self.patterns.group.findall(raw))

    def _take_numbers(self) -> bool:
        """Take a run as numbers, if all of its line so far was of such form."""
        text, line = self.text, self.columns
        if self.groups is None or line.texts:
            return False
        run = self.groups.read(text.octets, text.begin)
        if run is None or not line.fits(run):
            return False
        self.value = None
        line.runs.append((run, text.window[text.begin : run.end]))
        text.at = run.end
        text.segment_number += 3 * len(run.starts) - 1
        return True

    def _take_run(self) -> None:
        """Go back to the QTY and take as many whole groups as follow it at once.

        The last one is left: what comes behind it may still belong to it.
        """
        if self._take_numbers():
            return
        text = self.text
        other = self.patterns.other.search(text.window, text.begin)
        end = len(text.window) if other is None else other.start() + 1
        groups = self.patterns.group.findall(text.window, text.begin, end)
        if sum(len(group[0]) for group in groups) != end - text.begin:
            # Something else stands among them, or the window ends inside a group: take what follows without a break.
            run = self.patterns.run.match(text.window, text.begin, end)
            groups = self.patterns.group.findall(run[0]) if run is not None else []
        alike = sum(1 for _ in takewhile(lambda group: group[3] == groups[0][3], groups))
        del groups[min(alike, len(groups) - 1) :]  # behind one of another unit a line of its own begins
        if not groups:
            return
        self.value = None
        self._as_texts(self.columns)
        self._add(self.columns, groups)
        text.at = text.begin + sum(len(group[0]) for group in groups)
        text.segment_number += 3 * len(groups) - 1

    @staticmethod
    def _add(line: LineColumns, groups: Sequence[tuple[str, ...]]) -> None:
        _, flags, texts, units, starts, ends = zip(*groups, strict=True)
        line.unit = line.unit or units[0]
        line.flags.extend(flags)
        line.texts.extend(texts)
        line.starts.extend(starts)
        line.ends.extend(ends)

    def _quantity(self, segment: str) -> _Value:
        flag, text, unit = [*[*self.service.parse(segment), []][1], "", "", ""][:3]
        if unit and len(self.columns) and unit != (self.columns.unit or _USUAL_UNIT):
            self._finish_series()
            self.columns.unit, self.columns.position = unit, ""
        self.columns.position = self.columns.position or self._position()
        self.columns.unit = self.columns.unit or unit
        return _Value(flag, text)

    def _other(self, parts: list[list[str]]) -> None:
        tag = parts[0][0]
        if tag == "UNH":
            kind = [*(parts[2] if len(parts) > 2 else []), ""][0]
            self.skipping = "" if kind == "MSCONS" else kind or "nameless"
            self.columns, self.header, self.outer = LineColumns(), {}, {}
            if self.skipping:
                self._refuse(f"a message of the type {self.skipping[:20]!r}, not MSCONS")
        elif tag == "UNZ":
            self._finish_series()
            self.saw_end = True
        elif not self.skipping:
            self._detail(tag, parts)

    def _detail(self, tag: str, parts: list[list[str]]) -> None:
        first = parts[1] if len(parts) > 1 else [""]
        second = parts[2] if len(parts) > 2 else [""]
        match tag:
            case "LOC":
                self._finish_series()
                # German guides put the point first, older Swiss ones fourth, behind the code list
                self.columns = LineColumns(location=next((part for part in second if len(part) > 2), ""))
                self.outer = {}
            case "RFF" if first[0] == "MG" and len(first) > 1:
                self.columns.serial = first[1]
            case "LIN":
                self._finish_series()
                self.columns.obis, self.columns.unit = "", ""
            case "PIA" if not self.columns.obis:
                self.columns.obis = second[0]
            case "DTM":
                self._time([*first, "", ""])
            case "UNT" | "NAD":
                self._finish_series()

    def _time(self, parts: list[str]) -> None:
        qualifier, text, form = parts[:3]
        if qualifier == "672":
            known = text.isdecimal() and len(text) < 6
            self.columns.step_s = int(text) * _STEP_UNITS_S.get(form, 0) if known else 0
        elif qualifier in {_START, _END}:
            stamp = mscons_series.stamp(text, form)
            if self.value is None:
                (self.outer if self.columns.location else self.header)[qualifier] = stamp
            elif qualifier == _START:
                self.value.start = stamp
            else:
                self.value.end = stamp
        elif qualifier in _AT and self.value is not None:
            self.value.start = self.value.end = mscons_series.stamp(text, form)

    def _finish_value(self) -> None:
        value, self.value = self.value, None
        if value is None:
            return
        if not value.start and not value.end and not self.columns.step_s:
            times = self.outer or self.header
            value.start, value.end = times.get(_START, ""), times.get(_END, "")
        self._as_texts(self.columns)
        self.columns.add(value.flag, value.text, value.start, value.end)

    def _finish_series(self) -> None:
        """A line ends: what is known of its place stays for the next line."""
        self._finish_value()
        columns = self.columns
        if len(columns):
            columns.first = (self.outer or self.header).get(_START, "")
            (self.known if is_plain(columns) else self.finished).append(columns)
            self.gathered += len(columns)
            self.columns = LineColumns(
                location=columns.location, serial=columns.serial, obis=columns.obis, unit=columns.unit,
                step_s=columns.step_s,
            )  # fmt: skip

    def _position(self) -> str:
        return f"segment {self.text.segment_number}"

    def _refuse(self, reason: str) -> None:
        name = self.columns.name if self.columns.location else None
        self.refusals.append(contract.Refusal(self._position(), BAD_VALUE, reason, name))


def _groups() -> Groups:
    from openami.mdus.unify.adapters.mscons_kernel import Groups  # noqa: PLC0415 - the compiler loads when it is needed

    return Groups()


class _Patterns(NamedTuple):
    """What the hot path looks for."""

    group: re.Pattern[str]
    """A quantity and its period: the whole, flag, value, unit, start, end."""
    run: re.Pattern[str]
    """Groups without anything between them."""
    other: re.Pattern[str]
    """The terminator in front of a segment that is neither a quantity nor a time."""


@lru_cache(maxsize=16)
def _patterns(service: Service) -> _Patterns:
    end = re.escape(service.terminator)
    number = rf"([-+0-9{re.escape(service.decimal_mark)}]*)"
    release = re.escape(service.release)
    # a plus is a separator unless it is released
    stamp = rf"(\d{{12}}(?:{release}\+|{release}?-)\d\d){service.escape(':303')}{end}"
    quantity = rf"{service.escape('QTY+')}(\w+){service.escape(':')}{number}(?:{service.escape(':')}(\w*))?{end}"
    group = rf"({quantity}{service.escape('DTM+163:')}{stamp}{service.escape('DTM+164:')}{stamp})"
    uncaptured = re.sub(r"(?<!\\)\((?!\?)", "(?:", group)
    return _Patterns(re.compile(group), re.compile(rf"{uncaptured}+"), re.compile(rf"{end}(?!QTY|DTM)"))
