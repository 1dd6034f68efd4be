"""Deliveries: into the series, judged, uploaded once; late, repeated, partial, unknown, estimated and replaced."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from openami.shared.contract import field as cim
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import confirmation_for
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPItemBulkChangeRequest,
    UtilitiesTimeSeriesERPItemBulkCreateRequest,
)
from openami.shared.spans import local_day

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

HALF_HOUR = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.1800s"].code)
DAILY = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.daily"].code)
MARCH_1 = date(2026, 3, 1)
AFTER_MARCH_1 = datetime(2026, 3, 1, 23, 20, tzinfo=UTC)


def values_of(day: date, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(count, dtype=np.int64) % 7 * 40 + 100 + day.day


def reading(
    home: Any, day: date = MARCH_1, *, part: slice = slice(None), register: int | None = None
) -> cim.MeterReading:
    span = local_day("Europe/Amsterdam", day)
    count = span.duration_s // 1800
    starts = (int(span.start.timestamp()) + np.arange(count, dtype=np.int64) * 1800)[part]
    block = cim.IntervalBlock.of(HALF_HOUR, starts, 1800, values_of(day, count)[part])
    dials = []
    if register is not None:
        total = register + int(values_of(day, count).sum())
        dials = [
            cim.Reading(reading_type=DAILY, at=span.start, value=Decimal(register).scaleb(-3)),
            cim.Reading(reading_type=DAILY, at=span.end, value=Decimal(total).scaleb(-3)),
        ]
    return cim.MeterReading(meter=home.identity, blocks=(block,), readings=tuple(dials))


def delivery(world: Any, *readings: cim.MeterReading) -> cim.Envelope:
    return cim.event(cim.Verb.CREATED, cim.MeterReadings(readings), source="AMS1", at=world.clock.now())


def items(message: Any) -> dict[str, list[tuple[datetime, Decimal | None, str]]]:
    return {
        item.utilities_time_series.id: [
            (
                one.utc_validity_start_date_time,
                one.quantity.value if one.quantity else None,
                one.item_status[0].utilities_time_series_item_type_code,
            )
            for one in item.utilities_time_series.item
        ]
        for item in message.items
    }


@pytest.fixture
async def street(world: Any, home: Any) -> Any:
    await world.office(*home.initialization())
    world.clock.advance_to(AFTER_MARCH_1)
    world.office_heard.clear()
    return world


async def interval_channel(world: Any, device: str = "4711") -> int:
    found = (await world.api("/api/channels", device=device))["channels"]
    return int(next(one["channel"] for one in found if one["interval_s"]))


async def shown(world: Any, channel: int, day: date) -> Any:
    span = local_day("Europe/Amsterdam", day)
    return await world.api(f"/api/series/{channel}", **{"from": span.start.isoformat(), "to": span.end.isoformat()})


async def test_a_day_is_kept_validated_and_uploaded(street: Any, home: Any):
    answer = await street.ams(delivery(street, reading(home, register=5_000_000)))
    assert answer.reply is not None
    assert answer.reply.result is cim.Result.OK
    page = await shown(street, await interval_channel(street), MARCH_1)
    expected = values_of(MARCH_1, 48)
    assert page["values"] == expected.tolist()
    assert set(page["qualities"]) == {"measured, passed"}
    (upload,) = street.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)
    sent = items(upload)[home.profile]
    assert sent[0] == (datetime(2026, 2, 28, 23, tzinfo=UTC), Decimal("0.101"), "01")
    assert sum(int(value.scaleb(3)) for _, value, _ in sent if value is not None) == expected.sum()
    assert street.heard(UtilitiesTimeSeriesERPItemBulkChangeRequest) == []
    assert (await street.states())["4711"] == "registered", "data of a meter are a report of it"


async def test_a_repeated_delivery_changes_nothing(street: Any, home: Any):
    message = delivery(street, reading(home, register=5_000_000))
    first = await street.ams(message)
    again = await street.ams(message)
    assert again == first, "the stored answer, under its old id"
    await street.ams(delivery(street, reading(home, register=5_000_000)))
    assert len(street.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)) == 1
    assert (await street.api("/api/status"))["channel_day_versions"] == 1


async def test_parts_of_a_day_are_uploaded_as_they_come(street: Any, home: Any):
    await street.ams(delivery(street, reading(home, part=slice(0, 20))))
    await street.ams(delivery(street, reading(home, part=slice(20, None))))
    first, second = street.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)
    assert [len(items(one)[home.profile]) for one in (first, second)] == [20, 28]
    assert street.heard(UtilitiesTimeSeriesERPItemBulkChangeRequest) == []


async def test_a_corrected_value_is_a_change(street: Any, home: Any):
    await street.ams(delivery(street, reading(home)))
    block = reading(home, part=slice(5, 6)).blocks[0]
    corrected = cim.MeterReading(meter=home.identity, blocks=(replace(block, values=block.values + 1),))
    await street.ams(delivery(street, corrected))
    (change,) = street.heard(UtilitiesTimeSeriesERPItemBulkChangeRequest)
    assert items(change)[home.profile] == [(datetime(2026, 3, 1, 1, 30, tzinfo=UTC), Decimal("0.302"), "01")]


async def test_a_value_that_the_ams_knows_to_be_missing_has_a_status_and_no_quantity(street: Any, home: Any):
    one = reading(home)
    missing = np.zeros(48, np.bool_)
    missing[3] = True
    await street.ams(delivery(street, replace(one, blocks=(replace(one.blocks[0], missing=missing),))))
    (upload,) = street.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)
    found = items(upload)[home.profile]
    assert found[3] == (datetime(2026, 3, 1, 0, 30, tzinfo=UTC), None, "99")
    assert [status for _, _, status in found].count("01") == 47


async def test_an_unknown_meter_costs_only_its_own_part(street: Any, home: Any, homes: Callable[..., Any]):
    answer = await street.ams(delivery(street, reading(homes(9)), reading(home)))
    assert answer.reply is not None
    assert answer.reply.result is cim.Result.PARTIAL
    (error,) = [one for one in answer.reply.errors if one.is_error]
    assert (error.code, error.object_name) == ("2.4", "SN9")
    assert len(street.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)) == 1
    (entry,) = (await street.api("/api/quarantine"))["quarantine"]
    assert "SN9" in entry["refusals"][0]["reason"]


async def test_a_long_gap_is_estimated_and_later_replaced_by_what_was_measured(street: Any, home: Any):
    for offset in range(-1, 3):
        day = MARCH_1 + timedelta(days=offset)
        await street.until(local_day("Europe/Amsterdam", day).end + timedelta(minutes=20))
        if offset != 1:
            await street.ams(delivery(street, reading(home, day)))
    gap = MARCH_1 + timedelta(days=1)
    channel = await interval_channel(street)
    assert set((await shown(street, channel, gap))["qualities"]) == {"empty"}
    await street.until(local_day("Europe/Amsterdam", gap).end + timedelta(hours=30))
    estimated = await shown(street, channel, gap)
    assert all(one.startswith("estimated") for one in estimated["qualities"])
    upload = items(street.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)[-1])[home.profile]
    assert {status for _, _, status in upload} == {"02"}
    assert len(upload) == 48
    await street.ams(delivery(street, reading(home, gap)))
    assert (await shown(street, channel, gap))["values"] == values_of(gap, 48).tolist()
    (change,) = street.heard(UtilitiesTimeSeriesERPItemBulkChangeRequest)
    replaced = items(change)[home.profile]
    assert {status for _, _, status in replaced} == {"01"}
    assert len(replaced) == 48, "a status that gets better is news even where the value is the same"


async def test_uploads_are_split_and_their_confirmations_recorded(street: Any, home: Any):
    object.__setattr__(street.middle.uploads, "items_a_message", 20)
    await street.ams(delivery(street, reading(home)))
    uploads = street.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)
    assert [len(items(one)[home.profile]) for one in uploads] == [20, 20, 8]
    good = confirmation_for(uploads[0], [logs.success()], created=street.clock.now())
    bad = confirmation_for(uploads[1], [logs.failed("profile is closed")], created=street.clock.now())
    await street.office(good, bad, good)
    assert (await street.api("/api/status"))["uploads"] == {"confirmed": 1, "refused": 1, "sent": 1}
    refused = [one for one in (await street.api("/api/devices/4711"))["uploads"] if one["state"] == "refused"]
    assert "profile is closed" in refused[0]["note"]


async def test_a_profile_that_is_assigned_later_gets_what_is_stored(world: Any, home: Any):
    await world.office(*home.initialization()[:-1])
    world.clock.advance_to(AFTER_MARCH_1)
    await world.ams(delivery(world, reading(home)))
    assert world.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest) == []
    await world.office(home.series())
    (upload,) = world.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)
    assert len(items(upload)[home.profile]) == 48
    await world.office(home.series())
    assert len(world.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)) == 1


async def test_a_swap_in_the_middle_of_a_day_counts_both_meters(world: Any, homes: Callable[..., Any]):
    at = datetime(2026, 3, 1, 10, 20, tzinfo=UTC)
    old, new = homes(1), homes(2, since=at)
    new.point = old.point
    await world.office(*old.initialization())
    world.clock.advance_to(at)
    old.until = at
    await world.office(old.located(), old.pointed(old.register), old.pointed(old.intervals), old.series())
    await world.office(*new.initialization())
    closing = [one.header.verb.value for one in world.ams_heard if one.header.noun == "MasterDataLinkageConfig"]
    assert closing == ["create", "close", "create"]
    world.clock.advance_to(AFTER_MARCH_1)
    answer = await world.ams(delivery(world, reading(old, part=slice(0, 23)), reading(new, part=slice(22, None))))
    assert answer.reply is not None
    assert answer.reply.result is cim.Result.OK
    expected = int(values_of(MARCH_1, 48)[:23].sum() + values_of(MARCH_1, 48)[22:].sum())
    span = local_day("Europe/Amsterdam", MARCH_1)
    query = {"from": span.start.isoformat(), "to": span.end.isoformat()}
    (point,) = (await world.api("/api/reconciliation", **query))["points"]
    assert (point["point_of_delivery"], point["measured"], point["estimated"]) == (old.point, expected, 0)
    assert len(point["devices"]) == 2
    (upload,) = world.heard(UtilitiesTimeSeriesERPItemBulkCreateRequest)
    assert {profile: len(found) for profile, found in items(upload).items()} == {old.profile: 23, new.profile: 26}
