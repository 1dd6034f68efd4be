"""The pages of the middle as JSON: what was known when, what was refused and replayed, what each point used."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from openami.shared.contract import field as cim
from openami.shared.spans import local_day

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

HALF_HOUR = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.1800s"].code)
REGISTER = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.register"].code)
DAY = local_day("Europe/Amsterdam", date(2026, 3, 1))
BEARER = {"authorization": "Bearer token"}


def delivery(world: Any, home: Any, values: list[int], *, dial: str | None = None) -> cim.Envelope:
    starts = int(DAY.start.timestamp()) + np.arange(len(values), dtype=np.int64) * 1800
    block = cim.IntervalBlock.of(HALF_HOUR, starts, 1800, np.array(values, np.int64))
    readings = (cim.Reading(reading_type=REGISTER, at=DAY.start, value=Decimal(dial)),) if dial else ()
    one = cim.MeterReading(meter=home.identity, blocks=(block,), readings=readings)
    return cim.event(cim.Verb.CREATED, cim.MeterReadings((one,)), source="AMS1", at=world.clock.now())


@pytest.fixture
async def street(world: Any, home: Any) -> Any:
    await world.office(*home.initialization())
    world.clock.advance_to(datetime(2026, 3, 1, 23, 20, tzinfo=UTC))
    return world


async def channels(world: Any) -> tuple[int, int]:
    found = (await world.api("/api/channels", device="4711"))["channels"]
    register, intervals = sorted(found, key=lambda one: one["interval_s"])
    assert intervals["register"] == register["channel"]
    return register["channel"], intervals["channel"]


async def test_what_was_known_at_an_instant_stays_readable(street: Any, home: Any):
    await street.ams(delivery(street, home, [100] * 48, dial="7.5"))
    before = street.clock.now()
    await street.later(timedelta(hours=1))
    await street.ams(delivery(street, home, [100] * 47 + [111]))
    register, intervals = await channels(street)
    span = {"from": DAY.start.isoformat(), "to": DAY.end.isoformat()}
    now = await street.api(f"/api/series/{intervals}", **span)
    then = await street.api(f"/api/series/{intervals}", **span, as_of=before.isoformat())
    assert (now["values"][-1], then["values"][-1]) == (111, 100)
    assert now["times"][0] == "2026-02-28T23:00:00Z"
    dials = await street.api(f"/api/registers/{register}", **span)
    assert (dials["values"], dials["times"]) == ([7500], ["2026-02-28T23:00:00Z"])
    (point,) = (await street.api("/api/reconciliation", **span))["points"]
    assert (point["measured"], point["estimated"], point["missing_intervals"]) == (4811, 0, 0)


async def test_a_refused_delivery_can_be_replayed_when_its_meter_is_known(street: Any, homes: Callable[..., Any]):
    late = homes(2)
    answer = await street.ams(delivery(street, late, [5] * 48))
    assert answer.reply is not None
    assert answer.reply.result is cim.Result.PARTIAL
    (entry,) = (await street.api("/api/quarantine"))["quarantine"]
    await street.office(*late.initialization())
    path = f"/api/quarantine/{entry['digest']}/replay"
    response = await street.client.post(path, headers=BEARER)
    assert response.json() == {"refusals": []}
    assert (await street.api("/api/quarantine"))["quarantine"] == []
    span = {"from": DAY.start.isoformat(), "to": DAY.end.isoformat()}
    points = (await street.api("/api/reconciliation", **span))["points"]
    assert {one["point_of_delivery"]: one["measured"] for one in points}[late.point] == 240
    unknown = await street.client.post(f"/api/quarantine/{'0' * 64}/replay", headers=BEARER)
    assert unknown.status_code == 422


async def test_a_device_shows_everything_that_is_known_of_it(street: Any, home: Any):
    for number in ("4711", home.device, home.serial):
        page = await street.api(f"/api/devices/{number}")
        assert (page["serial"], page["state"], page["points"]) == (
            home.serial,
            "located",
            [
                {"task": task, "point": home.point, "from": "2026-02-27T23:00:00Z", "to": "9999-12-31T00:00:00Z"}
                for task in (home.register, home.intervals)
            ],
        )
    assert [one["obis"] for one in page["registers"]] == ["1-0:1.8.0", "1-0:1.29.0"]
    assert page["profiles"][0]["id"] == home.profile
    assert page["provisioning"]["waiting_for"] is None
    missing = await street.client.get("/api/devices/999", headers=BEARER)
    assert (missing.status_code, missing.json()["error"]) == (404, "UnknownDeviceError")


async def test_counters_follow_what_happened(street: Any, home: Any):
    await street.ams(delivery(street, home, [100] * 48, dial="7.5"))
    status = await street.api("/api/status")
    assert (status["devices"], status["channels"], status["deliveries"]) == ({"registered": 1}, 2, 1)
    assert status["readings_taken"] == 49
    assert status["uploads"] == {"sent": 1}


@pytest.mark.parametrize("query", ["from=yesterday", "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z"])
async def test_a_query_that_cannot_be_read_says_so(street: Any, query: str):
    _, intervals = await channels(street)
    response = await street.client.get(f"/api/series/{intervals}?{query}", headers=BEARER)
    assert (response.status_code, response.json()["error"]) == (422, "BadQueryError")


async def test_work_in_hand_is_told_by_duty(street: Any):
    overdue = await street.client.get("/api/work", headers=BEARER)
    assert overdue.json()["parts"]["estimation"] == 1, "the morning has passed and nobody has looked yet"
    await street.settle()
    for duty in street.middle.duties:
        duty.wake.clear()
    answer = await street.client.get("/api/work", headers=BEARER)
    assert set(answer.json()["parts"]) == {
        *("uploads", "reading orders", "commands", "estimation", "provisioning", "files", "sealing", "calculations")
    }
    assert answer.json()["next_due"] == "2026-03-02T05:00:00+00:00", "the estimation of the morning"


async def test_what_a_home_gives_is_told_apart_from_what_it_uses(world: Any, home: Any):
    """A device of both directions: registers 2.8.0 and 2.29.0 beside 1.8.0 and 1.29.0, at one point of delivery."""
    created = home.registers()
    drawn = created.utilities_device.register
    given = tuple(
        replace(one, utilities_measurement_task_id=f"{task:018}", utilities_object_identification_system_code_text=obis)
        for one, task, obis in zip(drawn, (901, 902), ("1-0:2.8.0", "1-0:2.29.0"), strict=True)
    )
    both = replace(created, utilities_device=replace(created.utilities_device, register=drawn + given))
    rest = [message for message in home.initialization() if not isinstance(message, type(created))]
    await world.office(rest[0], both, *rest[1:], *(home.pointed(f"{task:018}") for task in (901, 902)))
    world.clock.advance_to(datetime(2026, 3, 1, 23, 20, tzinfo=UTC))
    received = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.received.1800s"].code)
    starts = int(DAY.start.timestamp()) + np.arange(48, dtype=np.int64) * 1800
    values = {HALF_HOUR: np.full(48, 100), received: np.full(48, 30)}
    blocks = tuple(cim.IntervalBlock.of(code, starts, 1800, wh.astype(np.int64)) for code, wh in values.items())
    reading = cim.MeterReadings((cim.MeterReading(meter=home.identity, blocks=blocks),))
    await world.ams(cim.event(cim.Verb.CREATED, reading, source="AMS1", at=world.clock.now()))
    span = {"from": DAY.start.isoformat(), "to": DAY.end.isoformat()}
    points = (await world.api("/api/reconciliation", **span))["points"]
    assert {one["quantity"]: (one["point_of_delivery"], one["measured"]) for one in points} == {
        "1:1": (home.point, 4800),
        "1:2": (home.point, 1440),
    }
    channels_found = (await world.api("/api/channels", device="4711"))["channels"]
    registers = {one["obis"]: one["channel"] for one in channels_found if not one["interval_s"]}
    pairs = {one["obis"]: one["register"] for one in channels_found if one["interval_s"]}
    assert pairs == {"1-0:1.29.0": registers["1-0:1.8.0"], "1-0:2.29.0": registers["1-0:2.8.0"]}
