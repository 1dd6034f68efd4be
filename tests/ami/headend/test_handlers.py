from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from openami.ami.headend.store import meter_table, point_table
from openami.shared.contract import field as contract

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

START = datetime(2026, 3, 1, tzinfo=UTC)
WATER = {"serial": "W1", "kind": "water", "mbus_id": "1", "concentrator_host": "x", "concentrator_port": 1}
CREATE, CHANGE, CLOSE = contract.Verb.CREATE, contract.Verb.CHANGE, contract.Verb.CLOSE


def meters(*serials: str, **facts: Any) -> contract.MeterConfig:
    return contract.MeterConfig(
        meters=tuple(contract.Meter(mrid=f"mrid-{serial}", serial_number=serial, **facts) for serial in serials)
    )


def link(effective: datetime, point: str = "POD-1") -> contract.MasterDataLinkageConfig:
    return contract.MasterDataLinkageConfig(
        configuration=contract.ConfigurationEvent(effective=effective),
        meters=(contract.Identity.named("E0001", "SerialNumber", mrid="mrid-E0001"),),
        usage_points=(contract.Identity.named(point),),
    )


def plan(**facts: Any) -> contract.MeterReadSchedule:
    return contract.MeterReadSchedule(
        devices=(contract.Identity("mrid-E0001", (contract.Name.of("E0001"),)),),
        schedules=(contract.TimeSchedule(**facts),),
    )


async def row_of(bench: Any, serial: str = "E0001") -> Any:
    async with bench.database.engine.connect() as connection:
        return (await connection.execute(select(meter_table).where(meter_table.c.serial == serial))).one()


async def test_a_meter_that_no_shipment_brought_is_refused_by_name(bench, make_meter):
    await bench.ship(make_meter())
    answer = await bench.tell(CREATE, meters("E0001", "E0404"))
    assert answer.reply.result is contract.Result.FAILED
    assert [(error.code, error.object_name) for error in answer.reply.errors] == [("2.4", "E0404")]
    nobody = contract.MasterDataLinkageConfig(meters=(contract.Identity.named("E0404"),))
    for verb, payload in (
        (CREATE, nobody),
        (CLOSE, nobody),
        (CREATE, contract.MeterReadSchedule(devices=(contract.Identity("E0404"),))),
    ):
        answer = await bench.tell(verb, payload)
        assert [error.code for error in answer.reply.errors] == ["2.4"]


async def test_the_same_word_twice_changes_nothing(bench, make_meter):
    await bench.ship(make_meter())
    await bench.tell(CREATE, meters("E0001"))
    await bench.tell(CREATE, link(START + timedelta(hours=1)))
    before = await row_of(bench)
    for payload in (meters("E0001"), link(START + timedelta(hours=1))):
        assert (await bench.tell(CREATE, payload)).reply.result is contract.Result.OK
    assert await row_of(bench) == before


async def test_the_steps_may_come_in_any_order(bench, make_meter):
    await bench.ship(make_meter())
    effective = START - timedelta(hours=3)
    for payload in (
        plan(offset_s=600),
        link(effective),
        meters("E0001", lifecycle=contract.Lifecycle(installation=date(2026, 2, 1))),
    ):
        assert (await bench.tell(CREATE, payload)).reply.result is contract.Result.OK
    row = await row_of(bench)
    assert (row.mrid, row.usage_point, row.installed_at, row.offset_s) == ("mrid-E0001", "POD-1", effective, 600)
    assert row.next_due_at == START


async def test_an_older_word_does_not_undo_a_newer_one(bench, make_meter):
    await bench.ship(make_meter())
    older = contract.request(CREATE, "MeterConfig", source="MDUS", at=START, payload=meters("E0001"))
    newer = meters("E0001", lifecycle=contract.Lifecycle(removal=date(2026, 3, 5)))
    bench.clock.advance(timedelta(minutes=1))
    await bench.tell(CHANGE, newer)
    await bench.post(older)
    assert (await row_of(bench)).removed_at == datetime(2026, 3, 5, 23, tzinfo=UTC)


async def test_a_lifecycle_alone_counts_by_the_local_day(bench, make_meter):
    await bench.ship(make_meter())
    await bench.tell(CREATE, meters("E0001", lifecycle=contract.Lifecycle(installation=date(2026, 3, 10))))
    row = await row_of(bench)
    assert row.installed_at == datetime(2026, 3, 9, 23, tzinfo=UTC)
    assert row.next_due_at == datetime(2026, 3, 9, 23, 1, tzinfo=UTC)


async def test_a_schedule_can_be_closed_and_opened_again(bench, make_meter):
    await bench.ship(make_meter())
    await bench.provision("E0001")
    await bench.tell(CLOSE, plan())
    assert ((await row_of(bench)).next_due_at, (await row_of(bench)).schedule_disabled) == (None, True)
    await bench.tell(CREATE, plan(offset_s=0))
    assert ((await row_of(bench)).next_due_at, (await row_of(bench)).schedule_disabled) == (START, False)
    await bench.tell(CHANGE, plan(disabled=True))
    assert (await row_of(bench)).next_due_at is None


async def test_a_meter_may_move_to_another_point(bench, make_meter):
    await bench.ship(make_meter())
    await bench.provision("E0001")
    moved = START + timedelta(days=1)
    await bench.tell(CLOSE, link(moved))
    assert (await row_of(bench)).removed_at == moved
    await bench.tell(CREATE, link(moved, "POD-2"))
    row = await row_of(bench)
    assert (row.usage_point, row.removed_at) == ("POD-2", None)


async def test_points_are_kept_by_their_mrid(bench):
    await bench.ship(
        devices=({"serial": "W1", "kind": "water", "mbus_id": "1", "concentrator_host": "x", "concentrator_port": 1},)
    )
    for name in ("POD-1", "POD-1b"):
        point = contract.UsagePoint(mrid="point-1", names=(contract.Name.of(name),))
        answer = await bench.tell(CREATE, contract.UsagePointConfig((point,)))
        assert answer.reply.result is contract.Result.OK
    async with bench.database.engine.connect() as connection:
        (kept,) = (await connection.execute(select(point_table))).all()
    assert kept.name == "POD-1b"


async def test_a_repeated_message_gets_its_stored_answer(bench, make_meter):
    await bench.ship(make_meter())
    message = contract.request(CREATE, "MeterConfig", source="MDUS", at=START, payload=meters("E0001"))
    first, second = await bench.post(message), await bench.post(message)
    assert first == second


async def test_a_verb_without_a_handler_and_a_missing_payload_get_a_reason(bench):
    await bench.ship(
        devices=({"serial": "W1", "kind": "water", "mbus_id": "1", "concentrator_host": "x", "concentrator_port": 1},)
    )
    unknown = await bench.tell(contract.Verb.DELETE, meters("E0001"))
    assert (unknown.reply.result, unknown.reply.errors[0].code) == (contract.Result.FAILED, "2.12")
    empty = await bench.post(contract.request(CREATE, "MeterConfig", source="MDUS", at=START))
    assert (empty.reply.result, empty.reply.errors[0].code) == (contract.Result.FAILED, "1.3")
    broken = await bench.http.post("/cim/request", content=b"<no xml")
    assert broken.status_code == 400


async def test_the_status_tells_who_lags_and_why(bench, make_meter):
    await bench.ship(make_meter("E0001"), make_meter("E0002", password=b"other"))
    async with bench.running():
        await bench.provision("E0001", "E0002")
        await bench.quiet()
    shown = (await bench.http.get("/api/status")).json()
    assert [stage["stage"] for stage in shown["stages"]][:2] == ["readings due", "load profiles read until"]
    assert shown["meters"] | {"due": 0, "next_due_at": None} == {
        "shipped": 2,
        "provisioned": 2,
        "discovered": 1,
        "removed": 0,
        "failing": 1,
        "due": 0,
        "next_due_at": None,
    }
    assert [each["serial"] for each in shown["silent"]] == ["E0002"]
    assert shown["sessions"]["failed_since_start"] == 1
    meters_shown = (await bench.http.get("/api/meters", params={"after": "E0001"})).json()
    assert [each["serial"] for each in meters_shown] == ["E0002"]
    assert "sealed_password" not in meters_shown[0]


async def test_unknown_meters_and_bad_shipments_are_answered_with_the_reason(bench):
    await bench.ship(
        devices=({"serial": "W1", "kind": "water", "mbus_id": "1", "concentrator_host": "x", "concentrator_port": 1},)
    )
    assert (await bench.http.get("/api/meters/E0404")).status_code == 404
    assert (await bench.http.get("/api/meters/W1")).json()["telegrams"] == []
