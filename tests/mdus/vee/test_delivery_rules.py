"""Rules about deliveries (V01 to V04, V06 to V10, V24, V35): each fires in a real run, seen where people look.

Every case goes both ways that a delivery can: through the field door, and by columns as bulk loads go.
"""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from openami.mdus.registry.ids import device_mrid
from openami.mdus.unify.adapters import adapter_named
from openami.mdus.unify.parts import parts
from openami.shared.contract import field as cim
from openami.shared.spans import local_day

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

TYPES = cim.reading_type_table()
HALF_HOUR = cim.ReadingTypeCode.parse(TYPES["electricity.delivered.1800s"].code)
QUARTER = cim.ReadingTypeCode.parse(TYPES["electricity.delivered.900s"].code)
DAILY = cim.ReadingTypeCode.parse(TYPES["electricity.delivered.daily"].code)
DAY = date(2026, 3, 1)
LATER = datetime(2026, 3, 1, 23, 20, tzinfo=UTC)


@pytest.fixture(params=["field", "columns"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def street(world: Any, home: Any) -> Any:
    await world.office(*home.initialization())
    world.clock.advance_to(LATER)
    return world


def block(day: date = DAY, **changes: Any) -> cim.IntervalBlock:
    span = local_day("Europe/Amsterdam", day)
    count = span.duration_s // 1800
    starts = int(span.start.timestamp()) + np.arange(count, dtype=np.int64) * 1800
    usual: dict[str, Any] = {"starts": starts, "values": 100 + np.arange(count) % 7, "interval_s": 1800}
    given = usual | {name: changes.pop(name) for name in list(changes) if name in usual}
    made = cim.IntervalBlock.of(
        changes.pop("code", HALF_HOUR), given["starts"], given["interval_s"], given["values"],
        reported=changes.pop("reported", None),
    )  # fmt: skip
    return replace(made, **changes)


async def deliver(world: Any, way: str, *readings: cim.MeterReading) -> None:
    message = cim.event(cim.Verb.CREATED, cim.MeterReadings(readings), source="AMS1", at=world.clock.now())
    if way == "field":
        await world.ams(message)
        return
    async with world.database.begin() as tx:
        for part in parts(adapter_named("iec61968-9"), io.BytesIO(cim.encode(message))):
            await world.middle.flow.take_columns(
                tx, part.columns, part.left, digest="d", source="AMS1", cause="a bulk file"
            )
    await world.settle()


async def said(world: Any, day: date = DAY) -> dict[str, tuple[str, dict[str, Any], int]]:
    """For each rule that fired: the verdict, what it looked at, and on how many intervals."""
    found: dict[str, tuple[str, dict[str, Any], int]] = {}
    page = await world.api("/api/explain", channel="SN1", span=str(day))
    for interval in page["intervals"]:
        for one in interval["fired"]:
            verdict, inputs, count = found.get(one["rule"], (one["verdict"], one["inputs"], 0))
            found[one["rule"]] = verdict, inputs, count + 1
    return found


async def proven(world: Any, day: date = DAY) -> bool:
    return bool((await world.api("/api/recompute", channel="SN1", span=str(day)))["equal"])


async def review(world: Any, day: date = DAY) -> None:
    async with world.database.begin() as tx:
        channel = (await world.middle.series.counting_along(tx, await registers_of(tx)))[0]
        await world.middle.vee.review_days(tx, [(int(channel), day)], world.clock.now())


async def registers_of(tx: Any) -> Any:
    from openami.mdus.registry.channel_store import all_channels  # noqa: PLC0415 - one test needs it

    return np.array([one.id for one in await all_channels(tx) if not one.interval_s], np.int64)


def dials(home: Any, *values: tuple[datetime, str]) -> cim.MeterReading:
    readings = [cim.Reading(reading_type=DAILY, at=at, value=Decimal(value)) for at, value in values]
    return cim.MeterReading(meter=home.identity, readings=tuple(readings))


async def test_a_good_delivery_is_not_spoken_of(street: Any, home: Any, way: str):
    reading = cim.MeterReading(meter=home.identity, blocks=(block(reported=LATER),))
    await deliver(street, way, reading)
    assert await said(street) == {}


async def test_v01_another_serial_number_under_a_known_identity(street: Any, home: Any, way: str):
    stranger = cim.Identity.named("SN999", "SerialNumber", mrid=device_mrid(home.device))
    await deliver(street, way, cim.MeterReading(meter=stranger, blocks=(block(),)))
    assert (await said(street))["V01"] == ("FV", {"reported": "SN999", "expected": "SN1"}, 48)
    await review(street)
    assert "V01" in await said(street), "a review does not forget it"
    assert await proven(street)


async def test_v02_a_reader_whose_clock_is_ahead_of_ours(street: Any, home: Any, way: str):
    await deliver(
        street, way, cim.MeterReading(meter=home.identity, blocks=(block(reported=LATER + timedelta(seconds=90)),))
    )
    assert (await said(street))["V02"][::2] == ("FV", 48)
    assert await proven(street)


async def test_v03_values_that_were_there_before_their_interval_had_ended(street: Any, home: Any, way: str):
    ended = local_day("Europe/Amsterdam", DAY).end
    reading = cim.MeterReading(meter=home.identity, blocks=(block(reported=ended - timedelta(hours=2)),))
    await deliver(street, way, reading)
    assert (await said(street))["V03"] == ("FV", {"drift_s": 7_200}, 48)
    assert await proven(street)


async def test_v03_intervals_of_a_clock_ten_minutes_late_are_prorated(street: Any, home: Any, way: str):
    even = block(values=np.full(48, 90))
    await deliver(street, way, cim.MeterReading(meter=home.identity, blocks=(replace(even, starts=even.starts + 600),)))
    assert (await said(street))["V03"] == ("WV", {"drift_s": 600}, 47)
    page = await street.api("/api/explain", channel="SN1", span=str(DAY))
    assert [(one["value"], one["quality"]) for one in page["intervals"][:2]] == [(0, "empty"), (90, "derived, warned")]
    assert await proven(street)


async def test_v04_ninety_six_quarters_for_a_day_of_ninety_two(world: Any, homes: Callable[..., Any], way: str):
    """W21: the source has cut a day in March as if it had 24 hours."""
    home = homes(1, interval_s=900)
    await world.office(*home.initialization())
    day = date(2026, 3, 29)
    world.clock.advance_to(datetime(2026, 3, 30, 12, tzinfo=UTC))
    start = int(local_day("Europe/Amsterdam", day).start.timestamp())
    starts = start + np.arange(96, dtype=np.int64) * 900
    made = block(day, starts=starts, values=np.full(96, 50), interval_s=900, code=QUARTER)
    await deliver(world, way, cim.MeterReading(meter=home.identity, blocks=(made,)))
    assert (await said(world, day))["V04"] == ("WV", {"surplus": 4}, 92)


async def test_v06_one_interval_twice_with_two_values(street: Any, home: Any, way: str):
    whole = block()
    twice = block(starts=whole.starts[10:12], values=np.array([500, 501]))
    await deliver(street, way, cim.MeterReading(meter=home.identity, blocks=(whole, twice)))
    found = await said(street)
    assert found["V06"][::2] == ("WV", 2)
    await review(street)
    assert (await said(street))["V06"][::2] == ("WV", 2)
    await deliver(street, way, cim.MeterReading(meter=home.identity, blocks=(block(values=whole.values + 1),)))
    page = await street.api("/api/explain", channel="SN1", span=str(DAY))
    current = [one for one in page["intervals"][10]["fired"] if one["rule"] == "V06"]
    assert current == [], "what was said of a value goes when another takes its place"


async def test_v07_a_correction_by_more_than_a_twentieth(street: Any, home: Any, way: str):
    first = block(values=np.full(48, 100))
    await deliver(street, way, cim.MeterReading(meter=home.identity, blocks=(first,)))
    corrected = np.full(48, 100)
    corrected[[3, 7]] = [104, 106]
    await deliver(street, way, cim.MeterReading(meter=home.identity, blocks=(block(values=corrected),)))
    page = await street.api("/api/explain", channel="SN1", span=str(DAY))
    warned = [slot for slot, one in enumerate(page["intervals"]) if any(f["rule"] == "V07" for f in one["fired"])]
    assert warned == [7]
    assert page["intervals"][7]["quality"] == "measured, warned"
    assert await proven(street)


async def estimated(world: Any, home: Any) -> dict[str, tuple[str, dict[str, Any], int]]:
    """What is said of the day when a Saturday has stood in for it."""
    await deliver(world, "field", cim.MeterReading(meter=home.identity, blocks=(block(date(2026, 2, 28)),)))
    await world.until(datetime(2026, 3, 4, 6, tzinfo=UTC))
    return await said(world)


async def test_v08_quarters_for_a_channel_of_half_hours(street: Any, home: Any, way: str):
    """The block is refused; the rule says why the day is open, and speaks of no value that came otherwise."""
    starts = int(local_day("Europe/Amsterdam", DAY).start.timestamp()) + np.arange(96, dtype=np.int64) * 900
    wrong = block(starts=starts, values=np.full(96, 50), interval_s=900, code=QUARTER)
    await deliver(street, way, cim.MeterReading(meter=home.identity, blocks=(wrong,)))
    found = await estimated(street, home)
    assert found["V08"] == ("FV", {"declared_s": 900}, 48)
    await deliver(street, way, cim.MeterReading(meter=home.identity, blocks=(block(),)))
    page = await street.api("/api/explain", channel="SN1", span=str(DAY))
    assert {one["quality"] for one in page["intervals"]} == {"measured, passed"}
    assert await proven(street)


async def test_v09_a_unit_that_is_not_the_channels(street: Any, home: Any, way: str):
    parts_ = str(HALF_HOUR).split(".")
    parts_[16] = "73"  # var-hours
    wrong = block(code=cim.ReadingTypeCode.parse(".".join(parts_)))
    await deliver(street, way, cim.MeterReading(meter=home.identity, blocks=(wrong,)))
    assert (await estimated(street, home))["V09"] == ("FV", {"declared": "varh", "expected": "Wh"}, 48)


async def test_v10_a_multiplication_left_to_us(street: Any, home: Any):
    wrong = block(pending_calculation="multiply by 40")
    async with street.database.begin() as tx:
        payload = cim.MeterReadings((cim.MeterReading(meter=home.identity, blocks=(wrong,)),))
        taken = await street.middle.flow.take(tx, payload, digest="d", source="AMS1", cause="a file")
    assert [one.reason for one in taken.refusals] == ["a calculation is left to the receiver: multiply by 40."]
    assert (await estimated(street, home))["V10"] == ("FV", {"declared": "multiply by 40"}, 48)


async def test_v10_more_digits_than_the_register_shows(street: Any, home: Any, way: str):
    span = local_day("Europe/Amsterdam", DAY)
    reading = dials(home, (span.start, "999999.000"), (span.end, "1000004.899"))
    await deliver(street, way, replace(reading, blocks=(block(),)))
    assert (await said(street))["V10"][0] == "WV"


async def test_v24_a_register_that_falls_is_neither_a_turn_nor_an_exchange(street: Any, home: Any, way: str):
    """W13: the wrapped advance is more than the connection can bring."""
    span = local_day("Europe/Amsterdam", DAY)
    reading = dials(home, (span.start, "45210.000"), (span.end, "12.000"))
    await deliver(street, way, replace(reading, blocks=(block(),)))
    assert (await said(street))["V24"][0] == "WV"
    assert await proven(street)


async def test_v24_a_register_that_turns_over_is_fine(street: Any, home: Any, way: str):
    """W12, by a day: the display of six digits before the point begins anew."""
    span = local_day("Europe/Amsterdam", DAY)
    total = int(block().values.sum())
    before = 1_000_000_000 - 1_000
    reading = dials(
        home,
        (span.start, str(Decimal(before).scaleb(-3))),
        (span.end, str(Decimal(before + total - 1_000_000_000).scaleb(-3))),
    )
    await deliver(street, way, replace(reading, blocks=(block(),)))
    assert await said(street) == {}


async def test_v35_intervals_that_have_not_ended_yet(street: Any, home: Any, way: str):
    tomorrow = date(2026, 3, 2)
    await deliver(street, way, cim.MeterReading(meter=home.identity, blocks=(block(tomorrow),)))
    assert (await said(street, tomorrow))["V35"][::2] == ("FV", 48)
    await street.later(timedelta(days=2))
    assert (await said(street, tomorrow))["V35"][2] == 48, "that the time has come since makes them no measurement"
