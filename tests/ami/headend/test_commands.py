from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from openami.ami.headend.command_store import command_table, item_table
from openami.ami.headend.commands import retry_at
from openami.shared.contract import field as contract

START = datetime(2026, 3, 1, tzinfo=UTC)
SWITCH_POSITION = contract.ReadingTypeCode.parse("0.0.0.12.0.1.43.0.0.0.0.0.0.0.0.0.109.0")
REGISTER = contract.ReadingTypeCode.parse("0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
DAILY = contract.ReadingTypeCode.parse("11.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
HALF_HOURS = contract.ReadingTypeCode.parse("0.0.5.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
QUARTERS = contract.ReadingTypeCode.parse("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0")


def street_test(test: Any) -> Any:
    """A test on a real street: sockets and a database."""
    return pytest.mark.postgres(pytest.mark.enable_socket(test))


def order(
    code: contract.ControlCode = contract.DISCONNECT,
    *,
    mrid: str = "order-1",
    serials: tuple[str, ...] = ("E0001",),
    start: datetime | None = None,
    end: datetime | None = None,
) -> contract.EndDeviceControls:
    control = contract.EndDeviceControl(
        mrid=mrid,
        issuer_id="MDUS",
        issuer_tracking_id="SO-4711",
        code=code,
        devices=tuple(contract.ControlledDevice(names=(contract.Name.of(serial),)) for serial in serials),
        timing=contract.DeviceTiming(interval=contract.Period.between(start, end)),
    )
    return contract.EndDeviceControls((control,))


def question(
    *codes: contract.ReadingTypeCode,
    serials: tuple[str, ...] = ("E0001",),
    start: datetime | None = None,
    end: datetime | None = None,
) -> contract.Envelope:
    query = contract.GetMeterReadings(
        devices=tuple(contract.Identity.named(serial) for serial in serials),
        reading_types=tuple(map(contract.WantedReadingType.of, codes)),
        schedules=(contract.TimeSchedule(interval=contract.Period.between(start, end)),) if start or end else (),
    )
    return contract.request(
        contract.Verb.GET,
        "MeterReadings",
        source="MDUS",
        at=START,
        parameters=contract.Request(query=query),
        reply_address="/cim/reply",
    )


async def the_reply(bench: Any, noun: str = "EndDeviceControls") -> Any:
    (reply,) = await bench.sent(contract.Verb.REPLY, noun)
    return reply


async def events_of(bench: Any) -> list[Any]:
    messages = await bench.sent(contract.Verb.CREATED, "EndDeviceEvents")
    return [event for message in messages for event in message.payload.events]


def test_orders_are_tried_again_ever_later_and_a_last_time_at_the_deadline() -> None:
    deadline = START + timedelta(hours=1)
    assert retry_at(START, 0, deadline) == START + timedelta(minutes=1)
    assert retry_at(START, 3, deadline) == START + timedelta(minutes=8)
    assert retry_at(START, 99, deadline) == START + timedelta(minutes=30)
    assert retry_at(START + timedelta(minutes=50), 4, deadline) == deadline


@street_test
async def test_a_disconnect_is_accepted_at_once_and_proven_by_the_breaker(bench, make_meter):
    meter = make_meter(register_wh=5000)
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        accepted = await bench.tell(contract.Verb.CREATE, order(), reply_address="/r", correlation_id="c-1")
        assert accepted.reply.result is contract.Result.OK
        assert [error.code for error in accepted.reply.errors] == ["0.3"]
        await bench.quiet()
    assert (meter.state, meter.acts) == (0, [1])
    (event,) = await events_of(bench)
    assert (event.name, event.detail("controlMRID"), event.issuer_tracking_id) == (
        "switch.disconnected",
        "order-1",
        "SO-4711",
    )
    readings = (await bench.sent(contract.Verb.CREATED, "MeterReadings"))[-1]
    (value,) = readings.payload.readings[0].readings
    assert (value.reason, value.in_unit) == ("serviceDisconnect", 5000)
    reply = await the_reply(bench)
    assert reply.reply.result is contract.Result.OK
    assert reply.reply.is_final
    assert reply.header.correlation_id == readings.header.correlation_id == accepted.header.correlation_id


@street_test
async def test_a_reconnect_closes_the_breaker_or_arms_it(bench, make_meter):
    await bench.ship(make_meter("E0001", state=0), make_meter("E0002", state=0, reconnects_to=2))
    async with bench.running():
        await bench.provision("E0001", "E0002")
        await bench.tell(contract.Verb.CREATE, order(contract.CONNECT, serials=("E0001", "E0002")))
        await bench.quiet()
    assert sorted(event.name for event in await events_of(bench)) == ["switch.armed", "switch.connected"]
    reply = await the_reply(bench)
    assert reply.reply.result is contract.Result.OK


@street_test
async def test_a_breaker_that_stands_there_already_is_left_alone(bench, make_meter):
    meter = make_meter(state=0)
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.tell(contract.Verb.CREATE, order())
        await bench.quiet()
    assert meter.acts == []
    assert (await the_reply(bench)).reply.result is contract.Result.OK


@street_test
@pytest.mark.parametrize(
    ("fault", "code", "found"),
    [({"moves": False}, "7.2", "is connected after the order"), ({"refuses": True}, "7.2", "other_reason")],
)
async def test_an_order_that_cannot_be_proven_fails(bench, make_meter, fault, code, found):
    await bench.ship(make_meter(**fault))
    async with bench.running():
        await bench.provision("E0001")
        await bench.tell(contract.Verb.CREATE, order(end=START + timedelta(minutes=10)))
        await bench.run_until(*(START + timedelta(minutes=minute) for minute in range(12)))
    (event,) = await events_of(bench)
    assert event.name == "switch.failed"
    assert found in event.reason
    reply = await the_reply(bench)
    assert reply.reply.result is contract.Result.FAILED
    assert reply.reply.errors[0].code == code
    assert reply.reply.errors[0].object_name == "E0001"


@street_test
async def test_an_order_waits_for_its_time_and_for_the_link(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    planned, deadline = START + timedelta(hours=2), START + timedelta(hours=5)
    async with bench.running():
        await bench.provision("E0001")
        await bench.tell(contract.Verb.CREATE, order(start=planned, end=deadline))
        await bench.run_until(planned - timedelta(seconds=1))
        assert meter.acts == []
        await bench.street.close()
        await bench.run_until(*(planned + timedelta(minutes=minute) for minute in range(0, 90, 3)))
        await bench.street.open()
        await bench.run_until(*(planned + timedelta(minutes=minute) for minute in range(90, 150, 5)))
    assert meter.acts == [1]
    assert (await the_reply(bench)).reply.result is contract.Result.OK


@street_test
async def test_an_order_fails_when_its_time_runs_out(bench, make_meter):
    await bench.ship(make_meter())
    await bench.street.close()
    async with bench.running():
        await bench.provision("E0001")
        await bench.tell(contract.Verb.CREATE, order(end=START + timedelta(minutes=20)))
        await bench.run_until(*(START + timedelta(minutes=minute) for minute in range(30)))
    reply = await the_reply(bench)
    assert reply.reply.result is contract.Result.FAILED
    assert reply.reply.errors[0].code == "7.1"


@street_test
async def test_an_order_that_slept_through_its_time_is_not_carried_out(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    await bench.provision("E0001")
    await bench.tell(contract.Verb.CREATE, order(end=START + timedelta(minutes=20)))
    bench.clock.advance(timedelta(hours=3))
    async with bench.running():
        await bench.quiet()
    assert meter.acts == []
    assert (await the_reply(bench)).reply.result is contract.Result.FAILED


@street_test
async def test_a_kill_after_the_act_leads_to_proof_not_to_a_second_act(make_bench, make_meter):
    bench, meter = make_bench(), make_meter()
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.quiet()
        meter.die_after_frames = meter.frames + 5  # associate, identity, output, state, act: then the link is gone
        await bench.tell(contract.Verb.CREATE, order(end=START + timedelta(hours=1)))
        await bench.quiet()
    assert (meter.state, meter.acts) == (0, [1])
    assert await bench.sent(contract.Verb.REPLY, "EndDeviceControls") == []
    meter.die_after_frames = None
    after = make_bench()
    async with after.running():
        await after.run_until(START + timedelta(minutes=2))
    assert meter.acts == [1]
    assert (await the_reply(after)).reply.result is contract.Result.OK
    assert [event.name for event in await events_of(after)] == ["switch.disconnected"]


@street_test
async def test_a_control_is_done_once_whatever_message_repeats_it(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        first = await bench.tell(contract.Verb.CREATE, order())
        again = await bench.tell(contract.Verb.CREATE, order())
        other = await bench.tell(contract.Verb.CREATE, order(contract.CONNECT))
        await bench.quiet()
    assert first.reply.result is again.reply.result is contract.Result.OK
    assert (other.reply.result, other.reply.errors[0].code) == (contract.Result.FAILED, "5.1")
    assert meter.acts == [1]
    assert len(await bench.sent(contract.Verb.REPLY, "EndDeviceControls")) == 1


@street_test
@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (order(serials=("E0404",)), "2.4"),
        (order(contract.control_code("arm_for_connect")), "2.20"),
        (order(end=START - timedelta(hours=1)), "4.1"),
        (order(serials=()), "1.3"),
        (order(serials=("G0001",)), "2.20"),
    ],
)
async def test_orders_that_cannot_be_carried_out_are_refused_with_the_reason(bench, make_meter, payload, code):
    gas = {"serial": "G0001", "kind": "gas", "mbus_id": "12345678", "concentrator_host": "x", "concentrator_port": 1}
    await bench.ship(make_meter(), devices=(gas,))
    await bench.provision("E0001")
    answer = await bench.tell(contract.Verb.CREATE, payload)
    assert answer.reply.result is contract.Result.FAILED
    assert answer.reply.errors[0].code == code


@street_test
async def test_an_order_can_be_taken_back_until_it_is_sent(bench, make_meter):
    meter = make_meter()
    await bench.ship(meter)
    later = order(start=START + timedelta(hours=1), end=START + timedelta(hours=2))
    async with bench.running():
        await bench.provision("E0001")
        await bench.tell(contract.Verb.CREATE, later)
        taken_back = await bench.tell(contract.Verb.CANCEL, later)
        repeated = await bench.tell(contract.Verb.CANCEL, later)
        await bench.run_until(START + timedelta(hours=1))
        await bench.tell(contract.Verb.CREATE, order(mrid="order-2", end=START + timedelta(hours=2)))
        await bench.quiet()
        too_late = await bench.tell(contract.Verb.CANCEL, order(mrid="order-2"))
        never_heard = await bench.tell(contract.Verb.CANCEL, order(mrid="order-3"))
    assert taken_back.reply.result is repeated.reply.result is contract.Result.OK
    assert meter.acts == [1]
    assert (too_late.reply.result, too_late.reply.errors[0].code) == (contract.Result.FAILED, "5.1")
    assert never_heard.reply.result is contract.Result.FAILED


@street_test
async def test_a_register_and_the_switch_are_read_on_demand(bench, make_meter):
    await bench.ship(make_meter(register_wh=7_654))
    asked = question(REGISTER, SWITCH_POSITION)
    async with bench.running():
        await bench.provision("E0001")
        accepted = await bench.post(asked)
        assert [error.code for error in accepted.reply.errors] == ["0.3"]
        await bench.quiet()
    reply = await the_reply(bench, "MeterReadings")
    assert reply.header.correlation_id == asked.header.correlation_id
    assert reply.reply.result is contract.Result.OK
    (reading,) = reply.payload.readings
    values = {each.reading_type: each.in_unit for each in reading.readings}
    assert values == {REGISTER: 7_654, SWITCH_POSITION: 1}


@street_test
async def test_a_span_is_read_on_demand_and_its_holes_are_told(bench, make_meter):
    meter = make_meter()
    meter.fill(START, 2)
    meter.fill(START + timedelta(hours=2), 2)
    meter.daily[START + timedelta(hours=1)] = 42
    await bench.ship(meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.run_until(START + timedelta(hours=6))
        await bench.post(question(HALF_HOURS, DAILY, start=START, end=START + timedelta(hours=3)))
        await bench.quiet()
    (reading,) = (await the_reply(bench, "MeterReadings")).payload.readings
    (block,) = reading.blocks
    assert list(block.missing) == [False, False, True, True, False, False]
    assert [each.in_unit for each in reading.readings] == [42]


@street_test
@pytest.mark.usefixtures("impatient")
async def test_what_cannot_be_answered_is_named_and_the_rest_is_answered(bench, make_meter):
    meter = make_meter("E0002")
    meter.silent = True
    await bench.ship(make_meter("E0001"), meter)
    async with bench.running():
        await bench.provision("E0001")
        await bench.post(question(REGISTER, serials=("E0001", "E0002", "E0404")))
        await bench.run_until(*(START + timedelta(minutes=minute) for minute in range(17)))
    reply = await the_reply(bench, "MeterReadings")
    assert reply.reply.result is contract.Result.PARTIAL
    assert {(each.code, each.object_name) for each in reply.reply.errors} == {
        ("0.1", None),
        ("2.4", "E0404"),
        ("7.1", "E0002"),
    }
    assert [each.label for each in reply.payload.readings] == ["E0001"]


@street_test
async def test_reading_types_that_the_meter_does_not_have_are_refused(bench, make_meter):
    await bench.ship(make_meter())
    power = contract.ReadingTypeCode.parse("0.0.0.12.1.1.37.0.0.0.0.0.0.0.0.3.38.0")
    async with bench.running():
        await bench.provision("E0001")
        await bench.post(question(REGISTER, power, QUARTERS, start=START, end=START + timedelta(hours=1)))
        await bench.quiet()
    reply = await the_reply(bench, "MeterReadings")
    assert [error.code for error in reply.reply.errors if error.is_error] == ["2.9", "2.9"]


@street_test
async def test_a_question_about_nobody_is_refused_at_once(bench):
    await bench.ship(
        devices=({"serial": "W1", "kind": "water", "mbus_id": "1", "concentrator_host": "x", "concentrator_port": 1},)
    )
    unknown = await bench.post(question(REGISTER))
    assert (unknown.reply.result, unknown.reply.errors[0].code) == (contract.Result.FAILED, "2.4")
    empty = await bench.post(question(REGISTER, serials=()))
    assert empty.reply.result is contract.Result.FAILED
    one_way = await bench.post(question(serials=("W1",)))
    assert one_way.reply.result is contract.Result.OK
    async with bench.running():
        await bench.quiet()
    reply = await the_reply(bench, "MeterReadings")
    assert [error.code for error in reply.reply.errors] == ["7.3"]


@street_test
async def test_the_state_of_orders_is_kept_and_shown(bench, make_meter):
    await bench.ship(make_meter())
    async with bench.running():
        await bench.provision("E0001")
        await bench.tell(contract.Verb.CREATE, order())
        await bench.quiet()
    async with bench.database.engine.connect() as connection:
        (command,) = (await connection.execute(select(command_table))).all()
        (item,) = (await connection.execute(select(item_table))).all()
    assert (command.state, command.result, item.state) == ("closed", "OK", "done")
    shown = (await bench.http.get("/api/meters/E0001")).json()
    assert shown["orders"][0]["outcome"] == {"before": "connected", "after": "disconnected", "output": False}
    assert "sealed_password" not in shown
