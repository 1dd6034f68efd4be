"""By columns or block by block: the same readings arrive in the same places, and the same ones are refused."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openami.mdus import unify
from openami.mdus.series import Calendar
from openami.mdus.unify.adapters.model import SourceSeries
from openami.mdus.unify.bulk import NOBODY, ChannelColumns, Sort, take
from openami.mdus.unify.columns import columns_of
from openami.mdus.unify.delivery import instant_block
from openami.mdus.unify.matching import ChannelDescription, patterns_of
from openami.shared.contract import field as cim
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 4, 2, tzinfo=UTC)
ALWAYS = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))
ZONE = "Europe/Amsterdam"
CALENDAR = Calendar(ZONE, 900)
TABLE = cim.reading_type_table()
DELIVERED, RECEIVED = "electricity.delivered.900s", "electricity.received.900s"
DAILY = cim.ReadingTypeCode.parse(TABLE["electricity.delivered.daily"].code)
OBIS = ("1-0:1.29.0", "1-0:2.29.0", "1-0:1.8.0")
METERS = 3


def code(name: str) -> cim.ReadingTypeCode:
    return cim.ReadingTypeCode.parse(TABLE[name].code)


def described(meter: int, number: int) -> ChannelDescription:
    interval_s = 900 if number < 2 else 0
    return ChannelDescription(
        channel=10 * meter + number, device=str(meter), names=(("SerialNumber", f"SN{meter}"), ("mRID", f"m{meter}")),
        patterns=patterns_of(OBIS[number], interval_s), unit="Wh", scale=0, interval_s=interval_s, zone=ZONE,
        span=ALWAYS,
    )  # fmt: skip


DIRECTORY = unify.Directory(described(meter, number) for meter in range(METERS) for number in range(3))
CHANNELS = ChannelColumns(
    device=np.repeat(np.arange(METERS), 3),
    channel=np.array([10 * meter + number for meter in range(METERS) for number in range(3)]),
    sort=np.tile(np.arange(3), METERS),
    begin_s=np.full(3 * METERS, int(ALWAYS.start.timestamp())),
    end_s=np.full(3 * METERS, int(ALWAYS.end.timestamp())),
    sorts=[Sort(obis, "Wh", 0, 900 if number < 2 else 0, ZONE) for number, obis in enumerate(OBIS)],
)


def day_block(name: str, day: date, seed: int) -> cim.IntervalBlock:
    count = CALENDAR.count(day.toordinal())
    values = np.random.default_rng(seed).integers(-3, 900, count)
    starts = CALENDAR.start_s(day.toordinal()) + 900 * np.arange(count)
    return cim.IntervalBlock.of(code(name), starts, 900, values)


def series(meter: str, block: cim.IntervalBlock, registers: tuple[cim.Reading, ...] = ()) -> SourceSeries:
    return SourceSeries(
        id=meter, meter=cim.Identity.named(meter, "SerialNumber"), block=block, registers=registers,
        label_index=np.zeros(len(block), np.intp),
    )  # fmt: skip


def registers(meter: int, *at: datetime) -> SourceSeries:
    readings = tuple(cim.Reading(reading_type=DAILY, at=one, value=Decimal("12.345")) for one in at)
    return series(f"SN{meter}", instant_block(DAILY, readings), readings)


def padded(block: cim.IntervalBlock, count: int) -> cim.IntervalBlock:
    """As many intervals from the same start on, whatever the day has."""
    starts = block.starts[0] + 900 * np.arange(count)
    return cim.IntervalBlock.of(block.reading_type, starts, 900, np.resize(block.values, count))


def cut(block: cim.IntervalBlock, part: slice) -> cim.IntervalBlock:
    columns = {name: getattr(block, name)[part] for name in ("starts", "values", "missing", "quality_index")}
    return replace(block, **columns)


ODDITIES: dict[str, Callable[[cim.IntervalBlock], cim.IntervalBlock]] = {
    "none": lambda block: block,
    "partial": lambda block: cut(block, slice(3, 40)),
    "gap": lambda block: cut(block, slice(None, None, 2)),
    "backwards": lambda block: cut(block, slice(None, None, -1)),
    "over midnight": lambda block: replace(block, starts=block.starts + 3600 * 9),
    "one contradicts": lambda block: replace(block, starts=np.minimum(block.starts, block.starts[-2])),
    "one off the grid": lambda block: replace(block, starts=block.starts + (np.arange(len(block)) == 7)),
    "shifted": lambda block: replace(block, starts=block.starts + 450),
    "an hour off": lambda block: replace(block, starts=block.starts + 3600),
    "a whole day too long": lambda block: padded(block, 96),
    "reported early": lambda block: replace(block, reported=datetime(2026, 3, 2, 12, tzinfo=UTC)),
    "reported in time": lambda block: replace(block, reported=datetime(2026, 3, 31, tzinfo=UTC)),
    "coarse": lambda block: replace(block, scale=3),
    "fine": lambda block: replace(block, scale=-1),
    "huge": lambda block: replace(block, values=block.values * 10**15, scale=3),
    "another type": lambda block: replace(block, reading_type=code("electricity.power.now")),
    "no period": lambda block: replace(block, reading_type=replace(block.reading_type, measuring_period=0)),
    "too early": lambda block: replace(block, starts=block.starts - 90 * 86400),
    "too late": lambda block: replace(block, starts=block.starts + 90 * 86400),
    "some missing": lambda block: replace(block, missing=np.arange(len(block)) % 5 == 0),
    "flagged": lambda block: replace(
        block, quality_sets=((), (cim.QualityCode(1, 2, 32),), (cim.KNOWN_MISSING_BY_AMS,)),
        quality_index=(np.arange(len(block)) % 3).astype(np.uint16),
    ),
    "left to us": lambda block: replace(block, pending_calculation="scalarFloat=2"),
    "empty": lambda block: cut(block, slice(0, 0)),
}  # fmt: skip


def both(delivery: list[SourceSeries]) -> tuple[Any, Any]:
    expected = unify.unify(payload(delivery), DIRECTORY, received_at=NOW)
    columns, origin = columns_of(delivery)
    names = {f"SN{meter}": meter for meter in range(METERS)}
    device = np.array([names.get(texts[0], NOBODY) for texts in columns.identities], np.int64)
    taken = take(columns, device, CHANNELS, int(NOW.timestamp()))
    left = [delivery[number] for number in dict.fromkeys(origin[taken.left].tolist())]
    rest = unify.unify(payload(left), DIRECTORY, received_at=NOW)
    fast = cells([*taken.days, *rest.days]), dials(taken.registers) + dials(rest.registers)
    whole = cells(expected.days), dials(expected.registers)
    return (*fast, said(rest.refusals), odd(rest)), (*whole, said(expected.refusals), odd(expected))


def payload(delivery: list[SourceSeries]) -> cim.MeterReadings:
    return cim.MeterReadings(tuple(one.reading for one in delivery))


def cells(groups: list[Any]) -> dict[tuple[int, int], tuple[list[int], ...]]:
    found: dict[tuple[int, int], tuple[list[int], ...]] = {}
    for group in groups:
        for row in range(len(group)):
            key = (int(group.channel[row]), int(group.day[row]))
            assert key not in found
            found[key] = (group.values[row].tolist(), group.quality[row].tolist(), group.flags[row].tolist())
    return found


def dials(readings: Any) -> Counter[tuple[int, ...]]:
    columns = (readings.channel, readings.at_s, readings.value, readings.quality)
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def odd(found: unify.Unified) -> Counter[Any]:
    """What rules are to know: nothing of it may be lost on the fast way."""
    return Counter((one.rule, one.channel, tuple(one.start_s), tuple(one.value)) for one in found.oddities)


def said(refusals: Any) -> Counter[tuple[str, str, str]]:
    return Counter((one.code, one.reason, one.object_name) for one in refusals)


blocks = st.tuples(
    st.integers(0, METERS),  # the last is nobody's meter
    st.sampled_from([DELIVERED, RECEIVED]),
    st.sampled_from([date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 29)]),
    st.sampled_from([*ODDITIES]) | st.just("none"),
    st.integers(0, 9),
)
dial_days = st.tuples(st.integers(0, METERS - 1), st.lists(st.integers(1, 30), min_size=1, max_size=2, unique=True))


@example([(0, DELIVERED, date(2026, 3, 2), "none", 4), (1, RECEIVED, date(2026, 3, 2), "empty", 6)], [])
@given(st.lists(blocks, max_size=6), st.lists(dial_days, max_size=3))
def test_both_ways_give_the_same(drawn: list[Any], dialled: list[Any]) -> None:
    delivery = [
        series(f"SN{meter}", ODDITIES[odd](day_block(name, day, seed))) for meter, name, day, odd, seed in drawn
    ]
    delivery += [registers(meter, *(datetime(2026, 3, day, tzinfo=UTC) for day in days)) for meter, days in dialled]
    fast, expected = both(delivery)
    assert fast == expected


def test_a_delivery_of_nobodys_meters_is_left_whole() -> None:
    columns, _ = columns_of([series("SN9", day_block(DELIVERED, date(2026, 3, 2), 1)), registers(9, NOW)])
    nothing = np.zeros(0, np.int64)
    nobody = ChannelColumns(nothing, nothing, nothing, nothing, nothing, [])
    taken = take(columns, np.full(2, NOBODY), nobody, int(NOW.timestamp()))
    assert (taken.left.tolist(), taken.days, len(taken.registers)) == ([0, 1], [], 0)


def test_times_that_no_calendar_has_are_left() -> None:
    columns = replace(
        columns_of([series("SN0", day_block(DELIVERED, date(2026, 3, 2), 1))])[0],
        start_s=np.array([2**62]), starts=None,
    )  # fmt: skip
    assert take(columns, np.array([0]), CHANNELS, int(NOW.timestamp())).left.tolist() == [0]


def test_what_is_beyond_doubt_is_not_left() -> None:
    delivery = [
        series("SN0", day_block(DELIVERED, date(2026, 3, 29), 1)),
        series("SN0", day_block(RECEIVED, date(2026, 3, 28), 2)),
        registers(0, datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        series("SN1", replace(day_block(DELIVERED, date(2026, 3, 2), 3), scale=3)),
    ]
    columns, _ = columns_of(delivery)
    taken = take(columns, np.array([0, 1]), CHANNELS, int(NOW.timestamp()))
    assert not len(taken.left)
    assert [group.count for group in taken.days] == [92, 96]
    assert taken.registers.value.tolist() == [12345, 12345]


@pytest.mark.parametrize("odd", ["partial", "gap", "backwards", "over midnight"])
def test_days_that_are_not_whole_are_put_in_place(odd: str) -> None:
    delivery = [
        series("SN0", day_block(DELIVERED, date(2026, 3, 2), 1)),
        series("SN0", ODDITIES[odd](day_block(DELIVERED, date(2026, 3, 4), 2))),
        series("SN0", day_block(RECEIVED, date(2026, 3, 4), 2)),
        series("SN1", day_block(DELIVERED, date(2026, 3, 4), 3)),
    ]
    columns, _ = columns_of(delivery)
    taken = take(columns, np.array([0, 1]), CHANNELS, int(NOW.timestamp()))
    assert not len(taken.left)
    assert len(taken.days) == 1
    fast, expected = both(delivery)
    assert fast == expected


def test_one_block_in_doubt_takes_its_whole_meter_along() -> None:
    delivery = [
        series("SN0", day_block(DELIVERED, date(2026, 3, 2), 1)),
        series("SN0", ODDITIES["shifted"](day_block(DELIVERED, date(2026, 3, 2), 2))),
        series("SN1", day_block(DELIVERED, date(2026, 3, 2), 3)),
    ]
    columns, _ = columns_of(delivery)
    taken = take(columns, np.array([0, 1]), CHANNELS, int(NOW.timestamp()))
    assert taken.left.tolist() == [0, 1]
    fast, expected = both(delivery)
    assert fast == expected


@pytest.mark.parametrize("module", ["columns", "bulk", "adapters"])
def test_modules_may_be_imported_in_any_order(module: str) -> None:
    asked = [sys.executable, "-c", f"import openami.mdus.unify.{module}"]
    assert subprocess.run(asked, check=False).returncode == 0
