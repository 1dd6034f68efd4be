from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from openami.ami.headend import stages
from openami.ami.headend.store import meter_table
from openami.ami.headend.tables import seam
from openami.shared.contract import field as contract

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

START = datetime(2026, 3, 1, tzinfo=UTC)
NOON = START + timedelta(hours=12)
FIRST_TELLING = datetime(2026, 3, 1, 23, 20, tzinfo=UTC)
E5 = b"\xe5"


async def provisioned(station: Any, serial: str = "G0001", kind: str = "gas", mbus_id: str = "12345678") -> None:
    await station.ship(
        serial, kind, mbus_id, mrid=f"mrid-{serial}", usage_point="POD-1", provisioned_at=START, installed_at=START
    )


async def collect(station: Any, *telegrams: bytes) -> None:
    async with station.connected() as concentrator:
        await concentrator.send(b"".join(telegrams))
        assert await concentrator.acknowledgements(len(telegrams)) == E5 * len(telegrams)


async def test_every_telegram_is_kept_before_it_is_acknowledged(station, make_telegram):
    telegrams = [make_telegram(1000 + hour, START + timedelta(hours=hour)) for hour in range(40)]
    await collect(station, *telegrams)
    assert [row.raw for row in await station.kept()] == telegrams
    assert {row.received_at for row in await station.kept()} == {START}


async def test_a_repeat_is_acknowledged_again_and_kept_once(station, make_telegram):
    telegram = make_telegram(1000)
    await collect(station, telegram, telegram)
    await collect(station, telegram)
    (row,) = await station.kept()
    assert row.repeats == 2
    assert station.listener.counters.repeats == 2


async def test_a_telegram_may_come_in_pieces_and_behind_noise(station, make_telegram):
    telegram = make_telegram(1000)
    async with station.connected() as concentrator:
        await concentrator.send(b"\x00\xff\x68" + telegram[:7])
        await asyncio.sleep(0)
        await concentrator.send(telegram[7:])
        assert await concentrator.acknowledgements(1) == E5
    assert len(await station.kept()) == 1
    assert station.listener.counters.noise_octets == 3


async def test_a_frame_with_a_wrong_checksum_is_not_acknowledged(station, make_telegram):
    good = make_telegram(1000)
    bad = bytearray(make_telegram(2000))
    bad[10] ^= 0xFF
    async with station.connected() as concentrator:
        await concentrator.send(bytes(bad) + good)
        assert await concentrator.acknowledgements(1) == E5
    (row,) = await station.kept()
    assert row.volume_litres == 1000


async def test_a_peer_that_speaks_something_else_is_cut_off_and_others_go_on(station, make_telegram, monkeypatch):
    monkeypatch.setattr("openami.ami.collector.listener.NOISE_OCTETS_MAX", 100)
    async with station.connected() as stranger:
        await stranger.send(b"GET / HTTP/1.1\r\n" * 20)
        assert await stranger.the_end() == b""
    await collect(station, make_telegram(1000))


async def test_what_cannot_be_kept_is_not_acknowledged(station, make_telegram):
    async with station.database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE telegram RENAME TO away")
    async with station.connected() as concentrator:
        await concentrator.send(make_telegram(1000))
        assert await concentrator.the_end() == b""
    assert station.listener.counters.failed_commits == 1
    async with station.database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE away RENAME TO telegram")
    await collect(station, make_telegram(1000))
    assert len(await station.kept()) == 1


async def test_readings_are_told_in_cubic_metres_with_their_time(station, make_telegram):
    await provisioned(station)
    await provisioned(station, "W0001", "water", "87654321")
    await collect(
        station,
        make_telegram(1_234_567, NOON),
        make_telegram(1_234_600, NOON + timedelta(hours=1)),
        make_telegram(88_001, NOON, mbus_id="87654321", medium=7),
    )
    assert await station.forwarding.tell_all() == 3
    assert await station.told() == [
        ("G0001", NOON, 1_234_567),
        ("G0001", NOON + timedelta(hours=1), 1_234_600),
        ("W0001", NOON, 88_001),
    ]
    async with station.database.engine.connect() as connection:
        bodies = [row.body for row in await connection.execute(select(seam.outbox.c.body).order_by("sequence"))]
    (message,) = [each for each in map(contract.decode, bodies) if each.header.noun == "MeterReadings"]
    gas, water = message.payload.readings  # type: ignore[union-attr]
    assert str(gas.readings[0].reading_type) == "0.0.0.1.1.7.58.0.0.0.0.0.0.0.0.0.42.0"
    assert str(water.readings[0].reading_type) == "0.0.0.1.1.9.58.0.0.0.0.0.0.0.0.0.42.0"
    assert (gas.meter.mrid, gas.usage_point.name()) == ("mrid-G0001", "POD-1")


async def test_nothing_is_told_twice(station, make_telegram):
    await provisioned(station)
    await collect(station, make_telegram(1000), make_telegram(1000, access=2))
    assert await station.forwarding.tell_all() == 2
    await collect(station, make_telegram(1000), make_telegram(1000, access=3))
    await station.forwarding.tell_all()
    assert await station.told() == [("G0001", NOON, 1000)]


async def test_unknown_and_unprovisioned_meters_are_kept_until_they_are_provisioned(station, make_telegram):
    await station.ship("G0001", "gas", "12345678")
    await collect(station, make_telegram(1000), make_telegram(5, mbus_id="99999999"))
    assert await station.forwarding.tell_all() == 0
    await provisioned(station)
    assert await station.forwarding.tell_all() == 1
    assert await station.told() == [("G0001", NOON, 1000)]
    assert len(await station.kept()) == 2


async def test_readings_from_before_the_installation_are_not_told(station, make_telegram):
    await provisioned(station)
    await collect(station, make_telegram(1, START - timedelta(hours=1)), make_telegram(2, START))
    assert await waiting_to_be_told(station) == 1
    await station.forwarding.tell_all()
    assert await station.told() == [("G0001", START, 2)]
    assert await waiting_to_be_told(station) == 0


async def waiting_to_be_told(station) -> int:
    """As the status page of the head-end has it."""
    async with station.database.begin() as transaction:
        found = await stages.stages(transaction, station.clock.now())
    return next(int(row["waiting"]) for row in found if row["stage"] == "telegrams to forward")


async def test_the_first_reading_discovers_the_meter_once(station, make_telegram):
    await provisioned(station)
    for hour in range(2):
        await collect(station, make_telegram(1000, NOON + timedelta(hours=hour)))
        await station.forwarding.tell_all()
    async with station.database.engine.connect() as connection:
        operations = [row.operation for row in await connection.execute(select(seam.outbox.c.operation))]
        (meter,) = (await connection.execute(select(meter_table))).all()
    assert operations.count("created MeterConfig") == 1
    assert meter.discovered_at == START


async def test_a_fault_that_the_meter_reports_is_a_quality(station, make_telegram):
    await provisioned(station)
    await collect(station, make_telegram(1000, status=0x14))
    await station.forwarding.tell_all()
    async with station.database.engine.connect() as connection:
        bodies = [row.body for row in await connection.execute(select(seam.outbox.c.body))]
    (message,) = [each for each in map(contract.decode, bodies) if each.header.noun == "MeterReadings"]
    qualities = message.payload.readings[0].readings[0].qualities  # type: ignore[union-attr]
    assert list(map(str, qualities)) == ["1.1.1", "1.5.258"]


async def test_telling_is_due_beside_the_daily_reading_and_survives_a_restart(station, make_telegram):
    await provisioned(station)
    await collect(station, make_telegram(1000))
    forwarding = station.forwarding

    async def set_for_tonight() -> bool:
        work = await forwarding.work()
        return bool(work.next_due == FIRST_TELLING)

    async def nothing_due() -> bool:
        work = await forwarding.work()
        return bool(work.pending == 0)

    loop = asyncio.create_task(forwarding.run())
    await station.eventually(set_for_tonight)
    loop.cancel()
    station.clock.advance_to(FIRST_TELLING)
    assert (await forwarding.work()).pending == 1
    loop = asyncio.create_task(forwarding.run())
    await station.eventually(nothing_due)
    loop.cancel()
    assert await station.told() == [("G0001", NOON, 1000)]
    assert (await forwarding.work()).next_due == FIRST_TELLING + timedelta(days=1)


async def test_many_waiting_telegrams_do_not_wait_for_the_hour(station, make_telegram, monkeypatch):
    monkeypatch.setattr("openami.ami.collector.forwarding.WAITING_MAX", 10)
    monkeypatch.setattr("openami.ami.collector.forwarding.BUNDLE_MAX", 7)
    await provisioned(station)
    await collect(station, *(make_telegram(hour, START + timedelta(hours=hour)) for hour in range(20)))

    async def all_told() -> bool:
        return len(await station.told()) == 20

    loop = asyncio.create_task(station.forwarding.run())
    await station.eventually(all_told)
    loop.cancel()
    assert [litres for _, _, litres in await station.told()] == list(range(20))
