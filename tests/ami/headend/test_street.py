"""The head-end against the simulated street: what it tells is what the meters measured, to the watt-hour."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette

from openami.ami.concentrator.cache import Mode
from openami.ami.headend import store
from openami.ami.meter import tables as field_tables
from openami.ami.meter.area import build as build_field
from openami.shared.contract import field as contract
from openami.shared.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

START = datetime(2026, 3, 1, 23, tzinfo=UTC)  # local midnight of March 2
HOMES = 5


class LivingStreet:
    """The field area in this process, and the conductor's way to move its time."""

    def __init__(self, database: Database, bench: Any, mode: Mode) -> None:
        self._bench = bench
        self._area = build_field(
            database=database,
            clock=bench.clock,
            zone="Europe/Amsterdam",
            homes=HOMES,
            seed=1,
            fleet_secret="secret",
            host="127.0.0.1",
            first_concentrator_port=0,
            collector_host="127.0.0.1",
            collector_port=bench.head_end.listener.port,
            mode=mode,
        )
        app = Starlette(routes=self._area.routes)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://field")
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        for start in self._area.on_start:
            await start()
        self._tasks = [asyncio.create_task(loop()) for loop in self._area.loops]  # type: ignore[arg-type]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.http.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fault(self, **order: Any) -> None:
        answer = await self.http.post("/api/faults", json=order)
        assert answer.status_code == 200, answer.text

    async def live_until(self, instant: datetime) -> None:
        """Time passes in the street first; the clock shows it when nothing is in hand."""
        while self._bench.clock.now() < instant:
            step = min(instant, self._bench.clock.now() + timedelta(minutes=20))
            await self.http.post("/api/advance", json={"to": step.isoformat()})
            self._bench.clock.advance_to(step)
            await self._quiet()

    async def _quiet(self) -> None:
        while True:
            await self._bench.quiet()
            if sum([(await part()).pending for part in self._area.work]) == 0:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def street_of(bench: Any, postgres: Any, mode: Mode = Mode.ROUTER) -> AsyncIterator[LivingStreet]:
    """A street from its first day on, for a head-end whose collector listens."""
    await bench.head_end.listener.start()
    database = Database(postgres.ensure_database("street_of_headend"))
    async with database.engine.begin() as connection:
        await connection.run_sync(field_tables.metadata.drop_all)
        await connection.run_sync(field_tables.metadata.create_all)
    street = LivingStreet(database, bench, mode)
    await street.start()
    yield street
    await street.stop()
    bench.head_end.listener._server.close()
    await database.close()


@pytest.fixture
async def living(make_bench, clock, postgres):
    clock.advance_to(START)
    bench = make_bench()
    async with street_of(bench, postgres) as street:
        yield bench, street


KEYS = {"encryption_key", "authentication_key", "master_key"}


async def ship_all(bench, street, *, keys: bool = True) -> list[dict[str, Any]]:
    layout = await street.get("/api/street")
    shipped = [
        {name: value for name, value in device.items() if keys or name not in KEYS} for device in layout["devices"]
    ]
    answer = await bench.http.post("/api/shipment", json={"devices": shipped})
    assert answer.status_code == 200, answer.text
    hanging = {serial for home in layout["homes"] for serial in home["meters"]}
    return [device for device in layout["devices"] if device["serial"] in hanging]


async def test_two_days_of_the_street_arrive_to_the_watt_hour(living):
    bench, street = living
    devices = await ship_all(bench, street)
    electricity = [device["serial"] for device in devices if device["kind"] == "electricity"]
    assert len(electricity) == HOMES
    down = {"kind": "link_down", "transformer": devices[0]["transformer"]}
    span = {"from": (START + timedelta(hours=20)).isoformat(), "to": (START + timedelta(hours=30)).isoformat()}
    await street.fault(**down, **span)
    async with bench.running():
        await bench.provision(*(device["serial"] for device in devices))
        await street.live_until(START + timedelta(days=2, hours=1))
    end = START + timedelta(days=2)
    for serial in electricity:
        truth = await street.get(f"/api/meters/{serial}", **{"from": START.isoformat(), "to": end.isoformat()})
        told = await bench.told_wh(serial)
        instants = [START + timedelta(seconds=truth["interval_s"] * index) for index in range(len(truth["intervals"]))]
        assert [told[instant] for instant in instants] == truth["intervals"]
    volumes: dict[str, dict[datetime, int]] = {}
    for message in await bench.sent(contract.Verb.CREATED, "MeterReadings"):
        for reading in message.payload.readings:
            for value in reading.readings:
                if value.reading_type.commodity != 1:
                    told_volumes = volumes.setdefault(reading.label, {})
                    assert value.at not in told_volumes
                    told_volumes[value.at] = int(value.in_unit * 1000)
    one_way = [device["serial"] for device in devices if device["kind"] != "electricity"]
    assert sorted(volumes) == sorted(one_way)
    for serial in one_way:
        truth = await street.get(f"/api/meters/{serial}", at=end.isoformat())
        assert volumes[serial][end] == truth["register_litres"]


async def test_a_home_of_the_street_is_disconnected_and_reconnected(living):
    bench, street = living
    devices = await ship_all(bench, street)
    serial = next(device["serial"] for device in devices if device["kind"] == "electricity")
    device = contract.ControlledDevice(names=(contract.Name.of(serial),))
    async with bench.running():
        await bench.provision(serial)
        for mrid, code in (("off", contract.DISCONNECT), ("on", contract.CONNECT)):
            control = contract.EndDeviceControl(mrid=mrid, code=code, devices=(device,))
            await bench.tell(contract.Verb.CREATE, contract.EndDeviceControls((control,)))
            await bench.quiet()
            truth = await street.get(f"/api/meters/{serial}")
            assert truth["breaker"]["closed"] is (mrid == "on")
        await street.live_until(START + timedelta(days=1, hours=1))
    events = [
        event.name
        for message in await bench.sent(contract.Verb.CREATED, "EndDeviceEvents")
        for event in message.payload.events
    ]
    assert events == ["switch.disconnected", "switch.connected"]
    replies = await bench.sent(contract.Verb.REPLY, "EndDeviceControls")
    assert [reply.reply.result for reply in replies] == [contract.Result.OK] * 2


async def test_a_head_end_that_lost_its_counters_learns_them_from_the_meter_and_goes_on_above(living, make_bench):
    bench, street = living
    devices = await ship_all(bench, street)
    serial = next(device["serial"] for device in devices if device["kind"] == "electricity")
    async with bench.running():
        await bench.provision(serial)
        await street.live_until(START + timedelta(days=1, hours=1))
    async with bench.database.begin() as transaction:
        row = await store.meter_row(transaction, serial)
        assert row is not None
        assert row.sealed_keys
        assert row.counter_reserved > 1
        assert row.counter_received > 0
        await store.change_meter(transaction, serial, counter_reserved=1)  # an old backup came back
    restored = make_bench()
    async with restored.running():
        async with bench.database.begin() as transaction:
            await store.change_meter(transaction, serial, next_due_at=bench.clock.now())
            restored.head_end.schedule.wake.set()
        await restored.quiet()
    async with bench.database.begin() as transaction:
        after = await store.meter_row(transaction, serial)
        assert after is not None
    assert (after.failures, after.last_error) == (0, None)
    assert after.counter_received > row.counter_received
    events = (await street.get(f"/api/meters/{serial}"))["events"]
    assert 50 in [event["code"] for event in events], "the meter saw one counter that was too low"


@pytest.mark.parametrize("keys", [True, False], ids=["sealed", "by password only"])
async def test_a_hybrid_concentrator_answers_for_a_meter_in_the_dark(make_bench, clock, postgres, keys):
    """Who answers in the place of a meter is known by its system title, where there are no keys to prove it as well."""
    clock.advance_to(START)
    bench = make_bench()
    hours = [START + timedelta(hours=each) for each in (23, 25, 24.5, 48.5)]
    async with street_of(bench, postgres, Mode.HYBRID) as street:
        shipped = await ship_all(bench, street, keys=keys)
        serial = next(each["serial"] for each in shipped if each["kind"] == "electricity")
        await street.fault(
            kind="power_cut", serial=serial, **{"from": hours[0].isoformat(), "to": hours[1].isoformat()}
        )
        async with bench.running():
            await bench.provision(serial)
            await street.live_until(hours[2])
            dark = await bench.told_wh(serial)
            shown = (await bench.http.get(f"/api/meters/{serial}")).json()
            assert [each["error"] for each in shown["sessions"] if each["error"]] == []
            await street.live_until(hours[3])
        truth = await street.get(f"/api/meters/{serial}", **{"from": START.isoformat(), "to": hours[3].isoformat()})
        told = await bench.told_wh(serial)
    starts = [START + timedelta(seconds=truth["interval_s"] * index) for index in range(len(truth["intervals"]))]
    assert max(dark) < hours[0] < max(told), "what the concentrator had read before, and what the meter told afterwards"
    days_end = START + timedelta(days=2)
    wanted = {start: wh for start, wh in zip(starts, truth["intervals"], strict=True) if wh and start < days_end}
    assert {start: wh for start, wh in told.items() if wh and start < days_end} == wanted
    dials = [
        value.at
        for message in await bench.sent(contract.Verb.CREATED, "MeterReadings")
        for reading in message.payload.readings
        for value in reading.readings
        if value.reading_type.macro_period == 0
    ]
    read_before = hours[0] - timedelta(hours=1)
    assert read_before in dials, "what a cache shows was measured when it was read"
