"""The JSON door of the field, and that every step is whole."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from tests.ami.concentrator.conftest import GENESIS, RunningField, collector, field, running, tables

from openami.ami.meter import store
from openami.shared.clock import ManualClock

if TYPE_CHECKING:
    from tests.ami.concentrator.conftest import Collector

    from openami.shared.database import Database

__all__ = ["collector", "field", "tables"]  # fixtures
pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
SERIAL, SPARE = "OAE0000001", "OAE0000011"


def at(hours: float) -> str:
    return (GENESIS + timedelta(hours=hours)).isoformat()


async def all_meters(field: RunningField, **query: str) -> dict[str, dict[str, Any]]:
    response = await field.client.get("/api/meters", params=query)
    return {meter["serial"]: meter for meter in response.json()}


async def test_the_truth_at_any_instant(field: RunningField):
    await field.advance(GENESIS + timedelta(days=3))
    start, middle, end = [await all_meters(field, at=at(hours)) for hours in (0, 36, 72)]
    span = await all_meters(field, **{"from": at(0), "to": at(72)})
    for serial, meter in span.items():
        total = sum(meter["intervals"])
        assert total == end[serial]["register"] - start[serial]["register"]
        assert start[serial]["register"] <= middle[serial]["register"] <= end[serial]["register"]
        assert len(meter["intervals"]) == 72 * 3600 // meter["interval_s"]
    assert start[SERIAL]["register_wh"] == start[SERIAL]["start_register"]
    assert end[SERIAL]["breaker"] == {"closed": True, "state": "connected", "mode": 4}
    assert end["OAG0000001"]["register_litres"] == end["OAG0000001"]["register"]
    assert not end[SPARE]["hangs"]
    future = await all_meters(field, at=at(500))
    assert future[SERIAL]["at"] == at(72), "nobody knows the future"


async def test_a_swap_gives_the_fitter_both_registers(field: RunningField):
    body = {"old_serial": SERIAL, "new_serial": SPARE, "at": at(35)}
    ordered = await field.post("/api/swap", body)
    assert (ordered["stage"], "final_register" in ordered) == ("scheduled", False)
    await field.advance(GENESIS + timedelta(hours=40))
    done = await field.post("/api/swap", body)
    meters = await all_meters(field)
    assert (done["stage"], done["home"]) == ("done", "H0001")
    assert done["final_register"] == meters[SERIAL]["register_wh"]
    assert done["start_register"] == meters[SPARE]["start_register"]
    assert meters[SERIAL]["removed_at"] == meters[SPARE]["installed_at"] == at(35)
    now = {"old_serial": SPARE, "new_serial": "OAE0000012", "at": at(40)}
    assert (await field.post("/api/swap", now))["stage"] == "done", "an order for now is carried out now"
    homes = (await field.get("/api/street"))["homes"]
    assert homes[0]["meters"] == ["OAE0000012"]


async def test_faults_are_listed_and_shown_with_their_meter(field: RunningField):
    await field.post("/api/faults", {"kind": "tamper_cover", "serial": SERIAL, "at": at(2)})
    await field.advance(GENESIS + timedelta(hours=3))
    (fault,) = (await field.client.get("/api/faults")).json()
    assert (fault["kind"], fault["serial"], fault["stage"], fault["from"]) == ("tamper_cover", SERIAL, "done", at(2))
    detail = await field.get(f"/api/meters/{SERIAL}")
    assert detail["faults"] == [fault]
    assert [(event["code"], event["log"]) for event in detail["events"]] == [(44, 1), (45, 1)]


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/api/faults", {"kind": "earthquake"}, "BadHappeningError"),
        ("/api/faults", {"kind": "tamper_cover", "serial": "nobody", "at": at(1)}, "UnknownMeterError"),
        ("/api/faults", {"kind": "tamper_cover", "serial": SERIAL, "at": at(-1)}, "TooLateError"),
        ("/api/advance", {}, "BadHappeningError"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_hint(
    field: RunningField, path: str, body: dict[str, object], error: str
):
    answer = await field.post(path, body, status=422)
    assert answer["error"] == error
    assert answer["hint"]
    assert (await field.client.get("/api/meters/nobody")).status_code == 422


async def test_advancing_is_idempotent_and_never_back(field: RunningField):
    await field.advance(GENESIS + timedelta(hours=5))
    before = await all_meters(field)
    assert (await field.post("/api/advance", {"to": at(5)}))["lived_to"] == at(5)
    assert (await field.post("/api/advance", {"to": at(1)}))["lived_to"] == at(5)
    assert await all_meters(field) == before


async def test_next_due_is_the_next_order_or_midnight(field: RunningField):
    assert (await field.work()).next_due == GENESIS + timedelta(days=1)
    await field.post("/api/faults", {"kind": "tamper_cover", "serial": SERIAL, "at": at(2)})
    assert (await field.work()).next_due == GENESIS + timedelta(hours=2)
    await field.advance(GENESIS + timedelta(hours=2))
    assert (await field.work()).next_due == GENESIS + timedelta(hours=2, minutes=10)


async def test_time_that_could_not_be_stored_was_not_lived(field: RunningField, tables: Database):
    await field.advance(GENESIS + timedelta(hours=5))
    await field.quiet()
    before = await all_meters(field)
    await field.post("/api/faults", {"kind": "tamper_cover", "serial": SERIAL, "at": at(7)})
    async with tables.begin() as tx:
        await tx.execute(text("ALTER TABLE meter_fact RENAME TO elsewhere"))
    with pytest.raises(Exception, match="meter_fact"):
        await field.post("/api/advance", {"to": at(9)})
    async with tables.begin() as tx:
        await tx.execute(text("ALTER TABLE elsewhere RENAME TO meter_fact"))
    field_view = await field.get("/api/meters/" + SERIAL)
    assert field_view["at"] == at(5)
    assert field_view["register"] == before[SERIAL]["register"]
    assert field_view["events"] == []
    await field.advance(GENESIS + timedelta(hours=9))
    assert len((await field.get("/api/meters/" + SERIAL))["events"]) == 2


async def test_a_killed_process_finds_its_street_again(tables: Database, collector: Collector):
    clock = ManualClock(GENESIS)
    async with running(tables, clock, collector) as field:
        await field.post("/api/faults", {"kind": "swap", "old_serial": SERIAL, "new_serial": SPARE, "at": at(30)})
        await field.advance(GENESIS + timedelta(hours=20))
        before = await all_meters(field)
    # while it is dead, business time goes on
    clock.advance_to(GENESIS + timedelta(hours=26))
    async with running(tables, clock, collector) as field:
        after = await all_meters(field)
        for serial, meter in after.items():
            if meter["kind"] == "electricity":
                assert meter["register"] == before[serial]["register"]
        events = (await field.get(f"/api/meters/{SERIAL}"))["events"]
        assert [(event["at"], event["code"]) for event in events] == [(at(20), 1), (at(26), 2)]
        await field.advance(GENESIS + timedelta(hours=31))
        assert (await all_meters(field))[SPARE]["hangs"]
    async with tables.begin() as tx:
        life = await store.load_life(tx)
    assert life is not None
    assert datetime.fromtimestamp(life[1], tz=GENESIS.tzinfo) == GENESIS + timedelta(hours=31)


async def test_the_real_clock_moves_the_street(tables: Database, collector: Collector):
    clock = ManualClock(GENESIS)
    async with running(tables, clock, collector) as field:
        clock.advance_to(GENESIS + timedelta(minutes=47))
        assert (await field.get(f"/api/meters/{SERIAL}"))["at"] == at(47 / 60), "whoever looks, looks at now"
        clock.advance_to(GENESIS + timedelta(hours=2))
        await collector.heard(8)  # nobody looked: the loop moved it, and two hours of four slaves were sent
        await field.quiet()


async def test_a_value_is_altered_over_http(field: RunningField):
    order = {"obis": "1-0:32.7.0", "attribute": 2, "value": "0600000001"}
    said = await field.post("/api/meters/OAE0000001/objects", order)
    assert said == {"serial": "OAE0000001", "obis": "1-0:32.7.0.255", "attribute": 2, "acts": False}
    kept = {"obis": "0-0:96.13.0", "attribute": 2, "value": "0902" + b"Hi".hex()}
    assert (await field.post("/api/meters/OAE0000001/objects", kept))["acts"]
    refused = await field.post("/api/meters/OAE0000001/objects", {**order, "attribute": 77}, status=422)
    assert "no attribute 77" in str(refused)
