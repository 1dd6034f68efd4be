"""NEM12 interval and NEM13 accumulation meter data (AEMO Meter Data File Format): records by lines.

Times are market time, UTC+10 the whole year. Quality V of a 300 record is resolved by its 400 records; a day whose
400 records do not cover it exactly is refused, never half taken.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from openami.mdus.unify.adapters.model import Batch, SeriesBuilder, build_all
from openami.mdus.unify.adapters.nmi import bare
from openami.mdus.unify.adapters.quantities import DELTA, DIAL, FORWARD, NET, REVERSE, code_of_unit
from openami.mdus.unify.errors import UnknownUnitError
from openami.shared.contract import field as contract
from openami.shared.contract.field.errors import FieldContractError
from openami.shared.contract.field.lexical import parse_decimal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

MARKET_TIME: Final = timezone(timedelta(hours=10))
_LINE_BYTES: Final = 65536  # 288 values of a five-minute day take a tenth of it
_BATCH_READINGS: Final = 100_000
_DAY_MIN: Final = 1440
_VARIABLE: Final = "V"
_FLAGS: Final = {
    "A": contract.QualityCode(4, 0, 0),
    "S": contract.QualityCode(4, 8, 0),
    "F": contract.QualityCode(4, 8, 0),
    "E": contract.QualityCode(4, 12, 0),
    "N": contract.QualityCode(4, 5, 259),
}
_FLOWS: Final = {"E": FORWARD, "Q": FORWARD, "B": REVERSE, "K": REVERSE, "N": NET, "X": NET}
"""First letter of a suffix -> direction; E leaves the grid towards the customer, B comes from him."""
_BAD: Final = "1.4"
_UNKNOWN_TYPE: Final = "2.6"
UNEXPLAINED: Final = contract.EventCode(3, 0, 0, 0)


class _RecordError(Exception):
    """A record that cannot be taken; the text says why."""


@dataclass(slots=True)
class _Day:
    """A 300 record, perhaps waiting for its 400 records."""

    start: datetime
    texts: list[str]
    labels: list[str]
    position: str
    open: bool
    covered: int = 0


@dataclass(slots=True)
class _File:
    """Where we are in a file."""

    kind: str = ""
    ended: bool = False
    builder: SeriesBuilder | None = None
    day: _Day | None = None
    skipped: bool = False
    builders: list[SeriesBuilder] = field(default_factory=list)
    gathered: int = 0
    events: list[contract.EndDeviceEvent] = field(default_factory=list)
    refusals: list[contract.Refusal] = field(default_factory=list)

    def refuse(self, position: str, reason: str, code: str = _BAD) -> None:
        """Note a refused record."""
        self.refusals.append(contract.Refusal(position, code, reason, self.builder.id if self.builder else None))

    def batch(self) -> Batch:
        """What was gathered so far."""
        series = build_all(self.builders, self.refusals)
        found = Batch(series=series, events=tuple(self.events), refusals=tuple(self.refusals))
        self.builders, self.events, self.refusals, self.gathered = [], [], [], 0
        return found

    def finish(self, builder: SeriesBuilder) -> None:
        """A series is complete."""
        self.builders.append(builder)
        self.gathered += len(builder)


class Nem12:
    """NEM12 and NEM13 files."""

    name = "nem12"

    def sniffs(self, head: bytes) -> bool:
        """By the header record; a file that lost it is recognised by its 200 record, and refused with that reason."""
        text = head.decode("latin-1").removeprefix("\u00ef\u00bb\u00bf").lstrip()
        parts = text.split("\n", 1)[0].split(",")
        return (parts[0] == "100" and parts[1:2] in (["NEM12"], ["NEM13"])) or (parts[0] == "200" and len(parts) > 8)

    def read(self, stream: BinaryIO) -> Iterator[Batch]:
        """Read records; a batch at a 200 record once enough is gathered."""
        state = _File()
        lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline=None)
        number = 0
        while line := lines.readline(_LINE_BYTES):
            number += 1
            _take_line(state, line, number)
            if state.gathered > _BATCH_READINGS:
                yield state.batch()
        _finish_series(state)
        if not state.kind:
            state.refuse("line 1", "the file has no 100 header record")
        elif not state.ended:
            state.refuse(f"line {number}", "the file has no 900 end record: it may be cut short")
        yield state.batch()
        lines.detach()


def _take_line(state: _File, line: str, number: int) -> None:
    position = f"line {number}"
    parts = [part.strip() for part in line.rstrip("\r\n").split(",")]
    try:
        if parts[0] == "100":
            state.kind = _kind(parts)
        elif state.kind:
            _take_record(state, parts, position)
    except _RecordError as error:
        state.refuse(position, str(error))


def _kind(parts: list[str]) -> str:
    if parts[1:2] not in (["NEM12"], ["NEM13"]):
        raise _RecordError(f"the header names {parts[1:2]}, not NEM12 or NEM13")
    return parts[1]


def _take_record(state: _File, parts: list[str], position: str) -> None:
    match parts[0]:
        case "200":
            _finish_series(state)
            state.builder, state.skipped = None, True
            state.builder = _details(parts)
            state.skipped = False
        case "300":
            _finish_day(state)
            if state.builder is not None:
                state.day = _day(parts, state.builder, position)
            elif not state.skipped:
                raise _RecordError("a 300 record without a 200 record before it")
        case "400":
            _resolve(state, parts, position)
        case "250":
            _accumulation(state, parts, position)
        case "900":
            _finish_series(state)
            state.ended = True
        case "" | "500" | "550":
            pass  # blank lines, and what traders tell each other about orders: no readings
        case other:
            raise _RecordError(f"a record of the unknown kind {other[:20]!r}")


def _details(parts: list[str]) -> SeriesBuilder:
    if len(parts) < 9:
        raise _RecordError(f"a 200 record has 10 fields, this one {len(parts)}; its days are left out")
    nmi, register, suffix, serial, unit = parts[1], parts[3], parts[4], parts[6], parts[7]
    if not parts[8].isdecimal() or int(parts[8]) not in {5, 10, 15, 30}:
        raise _RecordError(
            f"the interval length {parts[8][:20]!r} is not 5, 10, 15 or 30 minutes; its days are left out"
        )
    interval_s = int(parts[8]) * 60
    try:
        code = code_of_unit(unit, interval_s, flow=_FLOWS.get(suffix[:1], 0))
    except UnknownUnitError as error:
        raise _RecordError(f"{error.found} Its days are left out") from error
    identity = _identity(nmi, suffix, serial, register)
    return SeriesBuilder(f"{nmi}/{suffix}", identity, code, interval_s, _quality)


def _identity(nmi: str, suffix: str, serial: str, register: str) -> contract.Identity:
    """The data stream, the meter, the point: whichever of them the registry knows, in this order."""
    names = [contract.Name.of(f"{nmi}/{suffix}", "NemDatastream")]
    names += [contract.Name.of(f"{nmi}/{register}", "NemRegister")] if register else []
    names += [contract.Name.of(serial, "SerialNumber")] if serial else []
    if bare(nmi) != nmi:  # whoever registers the meter may leave the check digit out
        names.insert(1, contract.Name.of(f"{bare(nmi)}/{suffix}", "NemDatastream"))
    points = dict.fromkeys((nmi, bare(nmi)))
    return contract.Identity(None, (*names, *(contract.Name.of(one, "NMI") for one in points)))


def _quality(flag: str) -> tuple[contract.QualityCode, ...]:
    return (_FLAGS[flag[0]],)


def _day(parts: list[str], builder: SeriesBuilder, position: str) -> _Day:
    count = _DAY_MIN * 60 // builder.interval_s
    start = _market_time(parts[1] if len(parts) > 1 else "", "%Y%m%d")
    flag = parts[count + 2] if len(parts) > count + 2 else ""
    if not _is_flag(flag, or_variable=True):
        raise _RecordError(
            f"no quality flag after {count} values: the 200 record says {builder.interval_s // 60} minutes"
        )
    waiting = flag == _VARIABLE
    labels = [""] * count if waiting else [flag] * count
    return _Day(start, parts[2 : count + 2], labels, position, waiting)


def _is_flag(flag: str, *, or_variable: bool = False) -> bool:
    rest = flag[1:]
    plain = flag[:1] in _FLAGS and (not rest or (rest.isdecimal() and len(rest) <= 2))
    return plain or (or_variable and flag == _VARIABLE)


def _resolve(state: _File, parts: list[str], position: str) -> None:
    """A 400 record: quality of some intervals of the day before it."""
    day, builder = state.day, state.builder
    if day is None or builder is None:
        return  # its 300 record was refused, and said so
    try:
        first, last = int(parts[1]), int(parts[2])
        flag = parts[3]
    except (IndexError, ValueError):
        state.day = None
        raise _RecordError("a 400 record without first and last interval; its day is left out") from None
    if not 1 <= first <= last <= len(day.texts) or not _is_flag(flag):
        state.day = None
        raise _RecordError(
            f"quality {flag[:8]!r} of intervals {first} to {last} of a day with {len(day.texts)}; the day is left out"
        )
    if day.open:
        day.covered += last - first + 1
        day.labels[first - 1 : last] = [flag] * (last - first + 1)
    reason = parts[4] if len(parts) > 4 else ""
    if reason:
        state.events.append(_event(day, builder, first, reason, position, parts[5] if len(parts) > 5 else ""))


def _event(
    day: _Day, builder: SeriesBuilder, first: int, reason: str, position: str, words: str
) -> contract.EndDeviceEvent:
    facts = (("rawCode", reason), ("position", position), *([("description", words)] if words else []))
    return contract.EndDeviceEvent(
        created=day.start + timedelta(seconds=(first - 1) * builder.interval_s),
        device=builder.meter,
        code=UNEXPLAINED,
        details=tuple(contract.EventDetail(*fact) for fact in facts),
    )


def _finish_day(state: _File) -> None:
    day, builder = state.day, state.builder
    state.day = None
    if day is None or builder is None:
        return
    if "" in day.labels:
        reason = f"quality V, but its 400 records cover {day.covered} of {len(day.texts)} intervals"
        state.refuse(day.position, reason)
        return
    begin = int(day.start.timestamp())
    starts = begin + builder.interval_s * np.arange(len(day.texts), dtype=np.int64)
    builder.add(starts, day.texts, day.labels, day.position)


def _finish_series(state: _File) -> None:
    _finish_day(state)
    if state.builder is not None and len(state.builder):
        state.finish(state.builder)
    state.builder = None


def _accumulation(state: _File, parts: list[str], position: str) -> None:
    """A 250 record: previous and current register read, and the quantity between them."""
    if len(parts) < 20:
        raise _RecordError(f"a 250 record has 23 fields, this one {len(parts)}")
    nmi, register, suffix, serial, unit = parts[1], parts[3], parts[4], parts[6], parts[19]
    flow = REVERSE if parts[7] == "I" else FORWARD
    previous, current = _market_time(parts[9], "%Y%m%d%H%M%S"), _market_time(parts[14], "%Y%m%d%H%M%S")
    flag = parts[15]
    if not _is_flag(flag) or not _is_flag(parts[10]):
        raise _RecordError(f"{parts[10][:8]!r} or {flag[:8]!r} is not a quality flag")
    try:
        consumption = code_of_unit(unit, 0, flow=flow, accumulation=DELTA)
        dial = code_of_unit(unit, 0, flow=flow, accumulation=DIAL)
        values = [parse_decimal(parts[at]) for at in (8, 13)]
    except (UnknownUnitError, FieldContractError) as error:
        raise _RecordError(error.found) from error
    meter = _identity(nmi, suffix, serial, register)
    builder = SeriesBuilder(f"{nmi}/{suffix}", meter, consumption, 0, _quality)
    begin, end = int(previous.timestamp()), int(current.timestamp())
    builder.add(np.array([begin]), [parts[18]], [flag], position)
    builder.ends.append(np.array([end]))
    builder.registers += [
        _register(dial, previous, values[0], parts[10]),
        _register(dial, current, values[1], flag),
    ]
    state.finish(builder)


def _register(code: contract.ReadingTypeCode, at: datetime, value: Decimal, flag: str) -> contract.Reading:
    return contract.Reading(reading_type=code, at=at, value=value, qualities=_quality(flag))


def _market_time(text: str, form: str) -> datetime:
    try:
        return datetime.strptime(text, form).replace(tzinfo=MARKET_TIME)
    except ValueError:
        raise _RecordError(f"{text[:20]!r} is not a date") from None
