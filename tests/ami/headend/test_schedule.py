from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from openami.ami.headend import deliveries, store
from openami.ami.headend.model import Purpose
from openami.ami.headend.regular import read_all
from openami.ami.headend.store import mark_table, meter_table, session_table
from openami.shared.contract import field as contract

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

START = datetime(2026, 3, 1, tzinfo=UTC)  # 01:00 in Amsterdam
FIRST_READING = datetime(2026, 3, 1, 23, 20, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


def starts(since: datetime, count: int) -> list[datetime]:
    return [since + index * HALF_HOUR for index in range(count)]


async def row_of(bench: Any, serial: str) -> Any:
    async with bench.database.engine.connect() as connection:
        return (await connection.execute(select(meter_table).where(meter_table.c.serial == serial))).one()


async def test_a_provisioned_meter_is_discovered_by_its_first_session(bench, make_meter):
    await bench.ship(make_meter())
    async with bench.running():
        await bench.provision("E0001")
        await bench.quiet()
    (news,) = await bench.sent(contract.Verb.CREATED, "MeterConfig")
    (meter,) = news.payload.meters
    assert (meter.mrid, meter.serial_number, meter.amr_system) == ("mrid-E0001", "E0001", "AMS1")
    row = await row_of(bench, "E0001")
    assert row.discovered_at == START
    assert row.breaker == "connected"
    assert row.next_due_at == FIRST_READING


async def test_the_daily_reading_tells_intervals_registers_and_events(bench, make_meter):
    meter = make_meter(register_wh=123_456)
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.quiet()
        meter.fill(START, 46)
        meter.rows[START + HALF_HOUR] = (999, 0x80)
        meter.daily[datetime(2026, 3, 1, 23, tzinfo=UTC)] = 120_000
        meter.log.append((START + timedelta(hours=3), 40))
        await bench.run_until(FIRST_READING)
    told = await bench.told_wh("E0001")
    assert list(told) == starts(START, 46)
    assert told[START] == 999
    assert told[START + HALF_HOUR] == 101
    message = (await bench.sent(contract.Verb.CREATED, "MeterReadings"))[-1]
    (reading,) = message.payload.readings
    assert reading.meter.name("SerialNumber") == "E0001"
    assert reading.meter.mrid == "mrid-E0001"
    assert reading.usage_point.name() == "POD-E0001"
    (block,) = reading.blocks
    assert str(block.reading_type) == "0.0.5.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
    assert list(map(str, block.quality_sets[block.quality_index[0]])) == ["1.2.32"]
    values = {str(each.reading_type): (each.at, each.in_unit) for each in reading.readings}
    assert values == {
        "11.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0": (datetime(2026, 3, 1, 23, tzinfo=UTC), 120_000),
        "0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0": (FIRST_READING, 123_456),
    }
    (events,) = await bench.sent(contract.Verb.CREATED, "EndDeviceEvents")
    (event,) = events.payload.events
    assert (event.name, event.created, event.detail("cover")) == (
        "tamper.cover_open",
        START + timedelta(hours=3),
        "terminal",
    )
    assert event.device.name() == "E0001"


async def test_late_and_live_data_take_one_path_and_nothing_is_told_twice(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.quiet()
        meter.fill(START, 48 * 4)
        await bench.street.close()
        await bench.run_until(FIRST_READING)
        for _ in range(12):
            row = await row_of(bench, "E0001")
            assert row.failures
            await bench.run_until(row.next_due_at)
        assert await bench.told_wh("E0001") == {}
        await bench.street.open()
        await bench.run_until((await row_of(bench, "E0001")).next_due_at)
        now = bench.clock.now()
        await bench.run_until((await row_of(bench, "E0001")).next_due_at)
    told = await bench.told_wh("E0001")
    assert list(told) == starts(START, len(told))
    assert len(told) >= (now - START) // HALF_HOUR
    assert None not in told.values()
    assert (await row_of(bench, "E0001")).failures == 0


async def test_the_retries_back_off(bench, make_meter):
    await bench.ship(make_meter())
    await bench.street.close()
    await bench.provision("E0001")  # all of it before the first try, which the link makes due
    async with bench.running():
        await bench.quiet()
        pauses = []
        for _ in range(5):
            due = (await row_of(bench, "E0001")).next_due_at
            pauses.append((due - bench.clock.now()) / timedelta(hours=1))
            await bench.run_until(due)
    assert pauses == [0.5, 1, 2, 4, 6]


async def test_a_hole_in_the_meter_is_told_as_missing_once(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    await bench.provision("E0001")
    async with bench.running():
        await bench.quiet()
        meter.fill(START, 2)
        bench.clock.advance_to(START + timedelta(hours=1))
        await bench.http.post("/api/read/E0001")
        await bench.quiet()
        meter.fill(START + timedelta(hours=3), 20)
        await bench.run_until(FIRST_READING)
        await bench.run_until(FIRST_READING + timedelta(days=1))
    told = await bench.told_wh("E0001")
    assert [told[start] for start in starts(START + timedelta(hours=1), 4)] == [None] * 4
    assert told[START + timedelta(hours=3)] == 100
    messages = await bench.sent(contract.Verb.CREATED, "MeterReadings")
    blocks = [block for message in messages for block in message.payload.readings[0].blocks]
    block = next(block for block in blocks if block.missing.any())
    first_missing = list(block.missing).index(True)
    assert list(map(str, block.quality_sets[block.quality_index[first_missing]])) == ["2.5.259"]


async def test_several_meters_travel_in_one_message(bench, make_meter, monkeypatch):
    monkeypatch.setattr(deliveries, "LINGER_S", 10.0)  # a slow machine is not what this is about
    meters = [make_meter(f"E000{number}") for number in range(1, 7)]
    await bench.ship(*meters)
    async with bench.running():
        await bench.provision(*(meter.serial for meter in meters))
        await bench.quiet()
        for meter in meters:
            meter.fill(START, 46)
        before = len(await bench.sent(contract.Verb.CREATED, "MeterReadings"))
        await bench.run_until(FIRST_READING)
    messages = await bench.sent(contract.Verb.CREATED, "MeterReadings")
    assert len(messages) - before == 1
    assert sorted(reading.label for reading in messages[-1].payload.readings) == [meter.serial for meter in meters]


async def test_a_wrong_password_is_not_tried_again_before_the_next_regular_reading(bench, make_meter):
    await bench.ship(make_meter(password=b"changed!"))
    async with bench.running():
        await bench.provision("E0001")
        await bench.quiet()
    row = await row_of(bench, "E0001")
    assert row.next_due_at == FIRST_READING
    assert "authentication_failure" in row.last_error


async def test_another_meter_at_the_address_is_not_believed(bench, make_meter):
    meter = make_meter()
    meter.fill(START, 10)
    await bench.ship(meter)
    meter.serial = "E9999"
    async with bench.running():
        await bench.provision("E0001")
        await bench.quiet()
    assert await bench.told_wh("E0001") == {}
    assert "E9999 answers where E0001 should be" in (await row_of(bench, "E0001")).last_error


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ({"silent": True}, "NoAnswerError"),
        ({"garbage": True}, "RemoteProtocolError"),
        ({"die_after_frames": 5}, "ConnectionLostError"),
    ],
)
@pytest.mark.usefixtures("impatient")
async def test_a_fault_of_one_meter_is_kept_and_does_not_touch_the_others(bench, make_meter, fault, error_class):
    bad, good = make_meter("E0001", **fault), make_meter("E0002")
    await bench.ship(bad, good)
    async with bench.running():
        await bench.provision("E0001", "E0002")
        await bench.quiet()
        good.fill(START, 46)
        await bench.run_until(FIRST_READING)
        assert len(await bench.told_wh("E0002")) == 46
        bad.silent = bad.garbage = False
        bad.die_after_frames = None
        bad.fill(START, 60)
        await bench.run_until((await row_of(bench, "E0001")).next_due_at)
    told = await bench.told_wh("E0001")
    assert len(told) >= 46
    assert list(told) == starts(START, len(told))
    assert None not in told.values()
    shown = (await bench.http.get("/api/meters/E0001")).json()
    assert error_class in {session["error_class"] for session in shown["sessions"]}


async def test_a_restart_in_the_middle_loses_nothing_and_repeats_nothing(make_bench, make_meter):
    bench = make_bench()
    meters = [make_meter(f"E000{number}") for number in range(1, 6)]
    await bench.ship(*meters)
    async with bench.running():
        await bench.provision(*(meter.serial for meter in meters))
        await bench.quiet()
    for meter in meters:
        meter.fill(START, 46)
    meters[2].silent = True
    async with bench.running():
        bench.clock.advance_to(FIRST_READING)
        while not meters[2].frames:
            await bench.http.get("/api/status")
    # killed with one session hanging and others in any state; another process starts
    meters[2].silent = False
    after = make_bench()
    async with after.running():
        await after.quiet()
        await after.run_until(FIRST_READING + timedelta(hours=6))
    for meter in meters:
        assert list(await after.told_wh(meter.serial)) == starts(START, len(await after.told_wh(meter.serial)))
        assert len(await after.told_wh(meter.serial)) >= 46


async def test_a_drifted_clock_is_set_and_a_slow_meter_does_not_miss_what_it_has_not_measured(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.quiet()
        meter.drift = timedelta(minutes=-40)
        meter.fill(START, 45)
        await bench.run_until(FIRST_READING)
        assert meter.drift == timedelta(0)
        assert None not in (await bench.told_wh("E0001")).values()
        told = [one for message in await bench.sent(contract.Verb.CREATED, "MeterReadings")
                for reading in message.payload.readings for one in reading.events]  # fmt: skip
        assert [(one.name, one.detail("value")) for one in told] == [("clock.sync_needed", "-2400")]
    async with bench.database.engine.connect() as connection:
        marks = {row.stream: row.at for row in await connection.execute(select(mark_table))}
    assert marks["1-0:99.1.0"] == START + 45 * HALF_HOUR


async def test_an_event_in_the_second_of_the_mark_is_told_and_old_ones_are_not(bench, make_meter):
    noon = START + timedelta(hours=11)
    meter = make_meter(log=[(noon, 40)], fraud=[(noon, 42)])
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.run_until(FIRST_READING)
        meter.log += [(noon, 41), (noon, 40), (noon + HALF_HOUR, 233), (noon + HALF_HOUR, 4)]
        await bench.run_until(FIRST_READING + timedelta(days=1))
    events = [
        event
        for message in await bench.sent(contract.Verb.CREATED, "EndDeviceEvents")
        for event in message.payload.events
    ]
    assert [event.detail("rawCode") for event in events] == ["40", "42", "41", "40", "233"]
    assert len({event.mrid for event in events}) == 5
    assert [event.name for event in events][-1] is None


async def test_a_log_that_the_meter_does_not_have_is_asked_for_once(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.run_until(FIRST_READING)
    layouts = (await row_of(bench, "E0001")).layouts
    assert layouts["0-0:99.98.1"] == {"absent": True}
    assert layouts["1-0:99.1.0"]["interval_s"] == 1800


async def test_new_firmware_with_other_columns_is_noticed_in_the_same_session(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.quiet()
        meter.fill(START, 46)
        meter.with_status = False
        await bench.run_until(FIRST_READING)
    row = await row_of(bench, "E0001")
    assert (row.failures, row.layouts["1-0:99.1.0"]["width"]) == (0, 2)
    assert len(await bench.told_wh("E0001")) == 46


async def test_a_result_whose_marks_moved_meanwhile_is_not_told(bench, make_meter):
    meter = make_meter()
    meter.fill(START - timedelta(hours=1), 2)
    await bench.ship(meter)
    await bench.provision("E0001", installed=START - timedelta(hours=1))
    async with bench.database.begin() as transaction:
        known = await store.load_meter(transaction, "E0001", offset_s=1200)
    assert known is not None
    visit = await bench.head_end.reader.visit(known, Purpose.PERSON, read_all)
    outcome = bench.head_end.deliveries.outcome(known, visit)
    await bench.head_end.deliveries.write([outcome])
    await bench.head_end.deliveries.write([outcome])
    assert len(await bench.told_wh("E0001")) == 2


async def test_a_removed_meter_is_read_once_more_and_then_left_alone(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        meter.fill(START, 10)
        await bench.run_until(START + timedelta(hours=5))
        link = contract.MasterDataLinkageConfig(
            configuration=contract.ConfigurationEvent(effective=bench.clock.now()),
            meters=(contract.Identity.named("E0001"),),
        )
        answer = await bench.tell(contract.Verb.CLOSE, link)
        assert answer.reply.result is contract.Result.OK
        await bench.quiet()
    assert len(await bench.told_wh("E0001")) == 10
    assert (await row_of(bench, "E0001")).next_due_at is None


async def test_a_removed_meter_that_is_gone_is_given_up_after_a_day(bench, make_meter):
    await bench.ship(make_meter())
    async with bench.running():
        await bench.provision("E0001")
        await bench.quiet()
        await bench.street.close()
        removal = contract.MeterConfig(
            meters=(
                contract.Meter(
                    mrid="mrid-E0001",
                    serial_number="E0001",
                    lifecycle=contract.Lifecycle(removal=START.date()),
                ),
            )
        )
        await bench.tell(contract.Verb.CHANGE, removal)
        await bench.quiet()
        for _ in range(30):
            due = (await row_of(bench, "E0001")).next_due_at
            if due is None:
                break
            await bench.run_until(due)
    assert due is None
    assert bench.clock.now() < START + timedelta(days=3)


async def test_only_the_last_sessions_of_a_meter_are_kept(bench, make_meter, monkeypatch):
    monkeypatch.setattr("openami.ami.headend.store.SESSIONS_KEPT", 2)
    await bench.ship(make_meter())
    async with bench.running():
        await bench.provision("E0001")
        await bench.run_until(*(FIRST_READING + timedelta(days=day) for day in range(4)))
    async with bench.database.engine.connect() as connection:
        assert len((await connection.execute(select(session_table))).all()) == 2


async def test_a_meter_on_an_hourly_schedule_is_read_every_hour(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    await bench.provision("E0001", installed=START)
    hourly = contract.TimeSchedule(offset_s=300, recurrence_pattern="interval", recurrence_period_s=3600)
    device = contract.Identity.named("E0001")
    plan = contract.MeterReadSchedule(devices=(device,), schedules=(hourly,))
    await bench.tell(contract.Verb.CHANGE, plan)
    async with bench.running():
        await bench.run_until(bench.clock.now() + timedelta(minutes=5))
        visits = bench.head_end.reader.visits
        first = bench.clock.now()
        hours = [first.replace(minute=5, second=0) + timedelta(hours=number) for number in range(1, 4)]
        await bench.run_until(*hours)
    assert bench.head_end.reader.visits == visits + 3
    row = await row_of(bench, "E0001")
    assert row.next_due_at == hours[-1] + timedelta(hours=1)
    too_often = contract.TimeSchedule(recurrence_pattern="interval", recurrence_period_s=60)
    plan = contract.MeterReadSchedule(devices=(device,), schedules=(too_often,))
    answer = await bench.tell(contract.Verb.CHANGE, plan)
    assert answer.reply.result is contract.Result.FAILED
    assert "not every 60 s" in answer.reply.errors[0].reason
