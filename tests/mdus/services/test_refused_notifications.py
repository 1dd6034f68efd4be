"""A notification has no confirmation: when it is refused, an event tells the back office so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from openami.mdus.services.notices import devices_named
from openami.mdus.tables import seam
from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.messages.event import UtilitiesSmartMeterEventERPBulkCreateRequest
from openami.shared.seam.store import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.shared.contract.enterprise.model import Bulk

SWITCH_UNDONE = "SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationNotification"
SINGLE = [
    one.request
    for one in catalogue().operations
    if one.request.endswith("Notification") and one.name.endswith("_Out") and not one.bulk
]


def told(world: Any) -> list[Any]:
    """The events that the back office was told, one by one."""
    messages = world.heard(UtilitiesSmartMeterEventERPBulkCreateRequest)
    return [one.utilities_smart_meter_event for message in messages for one in message.items]


def texts(event: Any) -> dict[str, str]:
    return {one.code: one.object_property_value.text for one in event.property}


@pytest.mark.parametrize("root", SINGLE)
def test_the_device_of_every_notification_is_found(root: str):
    message: Any = example(root)
    named = devices_named(message)
    assert all(named)
    assert len(set(named)) == len(named)
    (bare,) = devices_named(example(SWITCH_UNDONE, full=False))
    assert bare == "", "what names an order only is about no device"


@pytest.mark.postgres
async def test_a_location_of_a_device_that_never_comes_is_told_as_the_event_1000(world: Any, home: Any):
    message = home.located()
    await world.office(message)
    assert (told(world), len(await world.parked())) == ([], 1)
    await world.until(world.clock.now() + timedelta(hours=3))
    (event,) = told(world)
    assert (event.category_code, event.type_code, event.severity_code) == ("8", "1000", "2")
    assert event.utilities_device_id == home.device
    said = texts(event)
    assert said["NAME"] == "order.location_failed"
    assert "1001 Device" in said["TEXT"]
    assert said["REF"] == message.message_header.uuid
    async with world.database.read() as tx:
        query = select(seam.inbox.c.error).where(seam.inbox.c.state == REFUSED)
        (error,) = (await tx.execute(query)).scalars()
    assert "is not known" in error


@pytest.mark.postgres
async def test_of_a_bulk_each_refused_item_is_told_with_its_own_reason(world: Any, homes: Callable[..., Any]):
    here, missing = homes(1), homes(2)
    await world.office(here.create(), here.registers())
    points = [here.pointed(here.register), missing.pointed(missing.register)]
    await world.office(bulk(points, here.head()))
    await world.until(world.clock.now() + timedelta(hours=3))
    (event,) = told(world)
    assert (event.type_code, event.utilities_device_id) == ("8004", missing.device)
    assert missing.device in texts(event)["TEXT"]
    assert await world.parked() == []


@pytest.mark.postgres
async def test_a_bulk_of_which_nothing_is_taken_tells_of_every_item_once(world: Any, homes: Callable[..., Any]):
    first, second = homes(1), homes(2)
    whole: Bulk[Any] = bulk([first.located(), second.located()], first.head())
    await world.office(whole)
    await world.office(whole)
    await world.until(world.clock.now() + timedelta(hours=3))
    events = told(world)
    assert sorted(one.utilities_device_id for one in events) == sorted([first.device, second.device])
    assert {one.type_code for one in events} == {"1000"}
