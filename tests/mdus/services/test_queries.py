"""Questions that are answered in the same call: the values of a series and the state of a device."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.mdus.processes.conftest import played_field

from openami.mdus.services import queries
from openami.testing import requests

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

SUMMER = date(2026, 3, 29)
"""The day on which clocks go forward."""
NOON = datetime(2026, 3, 29, 12)  # noqa: DTZ001 - times of a query are local


@pytest.fixture
async def stored(world: Any, home: Any) -> Any:
    """A home whose series of the day of 23 hours is kept."""
    home.stored_remotely = True
    await world.office(*home.initialization())
    field = played_field(world)
    await field.discover(home)
    world.clock.advance_to(datetime(2026, 3, 29, 23, tzinfo=UTC))
    await field.deliver(home, SUMMER, wh=125)
    await world.settle()
    return home


def reason(answer: Any) -> tuple[str, str]:
    """Number and category of the refusal."""
    (one,) = answer.log.item
    assert answer.log.business_document_processing_result_code == "5"
    return one.type_id, one.category_code


async def test_a_day_of_23_hours_is_told_with_the_distance_of_its_zone(world: Any, stored: Any):
    midnight = NOON.replace(hour=0)
    answer = await world.ask(requests.item_query(stored, midnight, midnight + timedelta(days=1)))
    series = answer.utilities_time_series
    assert (series.id, series.measure_unit_code, len(series.item)) == (stored.profile, "KWH", 46)
    first, before, after, last = (series.item[place] for place in (0, 3, 4, -1))
    assert first.utc_validity_start_date_time == datetime(2026, 3, 28, 23)  # noqa: DTZ001 - as the contract has it
    assert {one.quantity.value for one in series.item} == {Decimal("0.125")}
    offsets = [
        (one.utc_start_date_time_time_zone_difference_value, one.utc_end_date_time_time_zone_difference_value)
        for one in (first, before, after, last)
    ]
    assert offsets == [(1, 1), (1, 2), (2, 2), (2, 2)]
    assert {one.status[0].code for one in series.item} == {"01"}


async def test_without_bounds_all_that_is_kept_is_told(world: Any, stored: Any):
    for query in (
        requests.item_query(stored, None, None),
        requests.item_query(stored, None, NOON + timedelta(days=1)),
        requests.item_query(stored, NOON - timedelta(days=400), None, zone_code="UTC"),
    ):
        answer = await world.ask(query)
        assert len(answer.utilities_time_series.item) == 46


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (NOON - timedelta(days=700), NOON - timedelta(days=699)),
        (NOON, NOON),
        (NOON - timedelta(days=3), NOON.replace(hour=0)),
    ],
)
async def test_where_nothing_is_known_nothing_is_told(world: Any, stored: Any, start: datetime, end: datetime):
    answer = await world.ask(requests.item_query(stored, start, end))
    assert answer.utilities_time_series is None
    assert answer.log.business_document_processing_result_code == "3"


async def test_each_question_that_cannot_be_answered_gets_its_number(
    world: Any, stored: Any, homes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queries, "ITEMS_MAX", 45)
    asked = {
        "unknown": requests.item_query(homes(9), NOON, None),
        "zone": requests.item_query(stored, NOON, None, zone_code="MOON"),
        "turned": requests.item_query(stored, NOON, NOON - timedelta(hours=1)),
        "long": requests.item_query(stored, NOON.replace(hour=0), None),
        "device": requests.state_query(homes(9)),
    }
    found = {name: reason(await world.ask(query)) for name, query in asked.items()}
    assert found == {
        "unknown": ("1010", "PRE.IDE"),
        "zone": ("1007", "DCE.VME"),
        "turned": ("1006", "PRE.VAE"),
        "long": ("1006", "PRE.VAE"),
        "device": ("1001", "PRE.IDE"),
    }


async def test_the_state_of_a_device_is_what_it_told_last(world: Any, homes: Callable[..., Any]):
    home = homes(1)
    await world.office(home.create(), home.registers())

    async def state() -> str:
        answer = await world.ask(requests.state_query(home))
        assert answer.utilities_device.id == home.device
        return str(answer.utilities_device.operational_state_code)

    assert await state() == "UNKN"
    await world.office(*home.initialization()[2:])
    field = played_field(world)
    await field.discover(home)
    await world.settle()
    assert await state() == "ON"
    await field.event(home, "switch.disconnected")
    await world.settle()
    assert await state() == "OFF"
    world.clock.advance(timedelta(hours=1))
    await field.event(home, "switch.connected")
    await world.settle()
    assert await state() == "ON"
    number = requests.order_number()
    await world.office(
        requests.switched_otherwise(home, number, requests.DISCONNECT, world.clock.now() + timedelta(minutes=1))
    )
    assert await state() == "OFF"
    await world.office(requests.switch_undone(home, number, requests.DISCONNECT))
    assert await state() == "ON"
    world.clock.advance(timedelta(hours=49))
    assert await state() == "LOST"
