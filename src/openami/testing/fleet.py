"""A fleet for tests of scale: meters with two channels, days from recordings of real homes with real defects.

Comes in: a number of meters and a seed. Goes out: rows of the registry for all of them, and their daily deliveries as
packed Arrow files, IEC 61968-9 messages or MSCONS interchanges. Every meter measures what it takes and what it feeds
in, in quarter-hours, and both registers at local midnight; some days have gaps, some a peak that no register confirms.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import ipc
from sqlalchemy import text

from openami.ami.meter.recordings import library
from openami.mdus.series import Calendar
from openami.shared.contract import field

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

FIRST: Final = date(2026, 3, 2)
CALENDAR: Final = Calendar("Europe/Amsterdam", 900)
MEASURED: Final = ("electricity.delivered.900s", "electricity.received.900s")
REGISTERS: Final = ("electricity.delivered.daily", "electricity.received.daily")
CHANNELS_A_METER: Final = 4
SLOTS: Final = 96
_GAPS: Final = 100  # one channel-day in so many has a gap of up to six hours
_PEAKS: Final = 1_000  # one in so many a peak that its register does not confirm

_DEVICES: Final = (
    "INSERT INTO device (device_key, device, mrid, serial_id, material_id, first, past_last, state, reported_at)"
    " SELECT i::text, lpad(i::text, 18, '0'), md5('device ' || i)::uuid::text, 'SN' || lpad(i::text, 8, '0'),"
    " 'METER-E', DATE '2026-01-01', DATE '9999-12-31', 'active', TIMESTAMPTZ '2026-01-01T00:00Z'"
    " FROM generate_series(CAST(:first AS bigint), :last) AS i"
)
_NUMBERED: Final = (
    " FROM generate_series(CAST(:first AS bigint), :last) AS i CROSS JOIN (VALUES"
    " (1, '1-0:1.29.0', 900, 3), (2, '1-0:2.29.0', 900, 4), (3, '1-0:1.8.0', 0, NULL), (4, '1-0:2.8.0', 0, NULL)"
    ") AS c (number, obis, interval_s, register)"
)
_CHANNELS: Final = (
    "INSERT INTO channel (channel, device_key, device, task, task_key, obis, unit, scale, interval_s, zone,"
    " start_at, end_at, rollover, step, register_channel) OVERRIDING SYSTEM VALUE"
    " SELECT 4 * i - 4 + number, i::text, lpad(i::text, 18, '0'), lpad((4 * i - 4 + number)::text, 18, '0'),"
    " (4 * i - 4 + number)::text, obis, 'Wh', 0, interval_s, 'Europe/Amsterdam', TIMESTAMPTZ '2026-01-01T00:00Z',"
    " TIMESTAMPTZ '9999-12-31T00:00Z', CASE WHEN interval_s = 0 THEN 1000000000 END, 1, 4 * i - 4 + register"
) + _NUMBERED
_SERIES: Final = (
    "INSERT INTO series_channel (id, zone, interval_s, day_start_s, unit, scale, register, register_step, modulus,"
    " rating_w, rule_set, kind, net, since)"
    " SELECT 4 * i - 4 + number, 'Europe/Amsterdam', interval_s, 0, 'Wh', 0, 4 * i - 4 + register, 1,"
    " CASE WHEN interval_s = 0 THEN 1000000000 END, 17250, 'default', 'residential', false,"
    " TIMESTAMPTZ '2026-03-01T23:00Z'"
) + _NUMBERED


@dataclass(frozen=True, slots=True)
class Fleet:
    """Meters numbered from 1; all that they ever say follows from the seed."""

    meters: int
    seed: int = 20260302

    async def register(self, tx: AsyncConnection) -> None:
        """Make all meters known to the registry and the series of an empty database."""
        for statement in (_DEVICES, _CHANNELS, _SERIES):
            await tx.execute(text(statement), {"first": 1, "last": self.meters})
        for table in ("device", "channel", "series_channel"):
            await tx.execute(text(f"ANALYZE {table}"))

    def day(self, number: int, first: int = 0, count: int | None = None) -> Day:
        """What some meters (from the `first`, counted from 0) deliver for a day, counted from 0."""
        count = self.meters - first if count is None else min(count, self.meters - first)
        return Day(first + 1 + np.arange(count), number, *_measured(self.seed, first, count, number))


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """One day of some meters: values and gaps [meter, channel, slot], registers at both midnights [meter, channel]."""

    meter: NDArray[np.int64]
    number: int
    values: NDArray[np.int64]
    absent: NDArray[np.bool_]
    before: NDArray[np.int64]
    after: NDArray[np.int64]

    @property
    def readings(self) -> int:
        """Interval readings that a delivery of this day holds."""
        return self.values.size

    @property
    def day(self) -> int:
        """The local day (ordinal)."""
        return FIRST.toordinal() + self.number

    @property
    def serials(self) -> list[str]:
        """Serial number of each meter."""
        return [f"SN{number:08}" for number in self.meter.tolist()]

    def arrow(self) -> bytes:
        """The day as a packed Arrow file: a row for each channel and for each register."""
        start_s, end_s = CALENDAR.start_s(self.day), CALENDAR.start_s(self.day + 1)
        meters = len(self.meter)
        registers = [self.after] if self.number else [self.before, self.after]
        stamps = [end_s] if self.number else [start_s, end_s]
        cells = np.concatenate([self.values.reshape(meters, -1), *registers], axis=1)
        absent = np.concatenate(
            [self.absent.reshape(meters, -1), *(np.zeros_like(one, np.bool_) for one in registers)], 1
        )
        lengths = np.tile([SLOTS, SLOTS, *[1] * 2 * len(registers)], meters)
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        codes = [*MEASURED, *REGISTERS * len(registers)]
        kind: Any = pa.ListArray
        columns: dict[str, Any] = {
            "meter": np.repeat(np.array(self.serials), len(codes)),
            "reading_type": [_code(one) for one in codes] * meters,
            "start": np.tile([start_s, start_s, *(stamp for stamp in stamps for _ in range(2))], meters),
            "interval_s": np.tile([900, 900, *[0] * 2 * len(registers)], meters),
            "scale": np.zeros(meters * len(codes), np.int8),
            "values": kind.from_arrays(offsets, pa.array(cells.ravel(), mask=absent.ravel())),
        }
        table = pa.table(columns)
        with io.BytesIO() as stream:
            with ipc.new_file(stream, table.schema) as writer:
                writer.write_table(table)
            return stream.getvalue()

    def xml(self) -> bytes:
        """The day as an IEC 61968-9 message."""
        starts = CALENDAR.start_s(self.day) + 900 * np.arange(SLOTS, dtype=np.int64)
        stamps = [_instant(CALENDAR.start_s(self.day + after)) for after in ((1,) if self.number else (0, 1))]
        readings = []
        for row, serial in enumerate(self.serials):
            blocks = tuple(
                field.IntervalBlock.of(
                    field.ReadingTypeCode.parse(_code(name)), starts[keep], 900, self.values[row, channel, keep]
                )
                for channel, name in enumerate(MEASURED)
                for keep in [~self.absent[row, channel]]
            )
            dials = tuple(
                field.Reading(
                    reading_type=field.ReadingTypeCode.parse(_code(name)), at=at, value=Decimal(value).scaleb(-3)
                )
                for at, side in zip(stamps, ([self.after] if self.number else [self.before, self.after]), strict=True)
                for name, value in zip(REGISTERS, side[row].tolist(), strict=True)
            )
            identity = field.Identity.named(serial, "SerialNumber")
            readings.append(field.MeterReading(meter=identity, blocks=blocks, readings=dials))
        message = field.event(
            field.Verb.CREATED,
            field.MeterReadings(tuple(readings)),
            source="AMS1",
            at=_instant(CALENDAR.start_s(self.day + 1)),
        )
        return field.encode(message)

    def mscons(self) -> bytes:
        """The day as an MSCONS interchange in the German dialect; values in kWh with three decimals."""
        bounds = [_edifact(CALENDAR.start_s(self.day) + 900 * slot) for slot in range(SLOTS + 1)]
        tails = [f"'DTM+163:{a}:303'DTM+164:{b}:303'" for a, b in pairwise(bounds)]
        parts = ["UNA:+.? 'UNB+UNOC:3+9900000000001:500+9900000000002:500+260303:0100+1'"]
        for row, serial in enumerate(self.serials):
            parts.append(f"UNH+{row + 1}+MSCONS:D:04B:UN:2.4c'BGM+7+{row + 1}+9'LOC+172+{serial}'")
            for channel, obis in enumerate(("1-0?:1.29.0", "1-0?:2.29.0")):
                parts.append(f"LIN+{channel + 1}'PIA+5+{obis}:SRW'")
                values, absent = self.values[row, channel].tolist(), self.absent[row, channel].tolist()
                parts += [
                    f"QTY+220:{value / 1000:.3f}:KWH{tail}"
                    for value, tail, gone in zip(values, tails, absent, strict=True)
                    if not gone
                ]
            parts.append(f"UNT+9+{row + 1}'")
        return "".join([*parts, f"UNZ+{len(self.meter)}+1'"]).encode()


def _code(name: str) -> str:
    return field.reading_type_table()[name].code


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _edifact(seconds: int) -> str:
    return f"{_instant(seconds):%Y%m%d%H%M}?+00"


@lru_cache(maxsize=1)
def _homes() -> NDArray[np.int64]:
    """Whole weeks of quarter-hours [week, day, slot] of real homes; of an odd half-hour the second quarter has more."""
    weeks = []
    for one in library().values():
        if one.medium == "electricity" and one.slot_s == 1800:
            halves = one.values[: len(one.values) // 336 * 336].astype(np.int64)
            weeks.append(np.stack((halves // 2, halves - halves // 2), axis=1).reshape(-1, 7, SLOTS))
    return np.concatenate(weeks)


def _measured(
    seed: int, first: int, count: int, number: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Values, gaps, and registers before and after: each meter has a home and replays its week."""
    weeks = _homes()
    home = (np.random.default_rng(seed).integers(len(weeks)) + np.arange(first * 2, (first + count) * 2) * 7) % len(
        weeks
    )
    true = weeks[home, number % 7].reshape(count, 2, SLOTS).copy()
    week = weeks.sum(axis=2)
    passed = week.sum(axis=1)[home] * (number // 7) + week[home, : number % 7].sum(axis=1)
    before = 1_000_000 + passed.reshape(count, 2)
    after = before + true.sum(axis=2)
    random = np.random.default_rng((seed, first, number))
    rows = count * 2
    absent = np.zeros((rows, SLOTS), np.bool_)
    gap = random.choice(rows, -(-rows // _GAPS), replace=False)
    begin, length = random.integers(SLOTS - 6, size=len(gap)), random.integers(1, 24, size=len(gap))
    slot = np.arange(SLOTS)
    absent[gap] = (slot >= begin[:, None]) & (slot < (begin + length)[:, None])
    odd = random.choice(rows, -(-rows // _PEAKS), replace=False)
    values = true.reshape(rows, SLOTS)
    values[odd, random.integers(SLOTS, size=len(odd))] += 20_000
    values[absent] = 0
    return values.reshape(count, 2, SLOTS), absent.reshape(count, 2, SLOTS), before, after
