"""The middle refuses what AMS, capability group or activation group of a device do not support, with the reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from openami.mdus.middle import MdusSettings
from openami.mdus.services.notices import NOTIFICATION_FAILED
from openami.shared.capabilities import FUNCTIONS, Capabilities
from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages.event import UtilitiesSmartMeterEventERPBulkCreateRequest
from openami.testing import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.shared.contract.enterprise.model import HeadedMessage

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

ALL = frozenset(FUNCTIONS)
BILLING = frozenset({"intervals", "read"})
TABLE = Capabilities(
    systems={"AMS1": ALL},
    groups={"G-BILLING": BILLING},
    materials={"METER-BILLING": "G-BILLING"},
    activation_groups={"A-BILLING": BILLING, "A-ALL": ALL, "A-READ": frozenset({"read"})},
)


@pytest.fixture
def mdus_settings() -> MdusSettings:
    return MdusSettings(upload_every=timedelta(), capabilities=TABLE)


def with_field(message: HeadedMessage, name: str, text: str) -> bytes:
    """The bytes of a message with an add-on field in its devices, as a project of SAP sends it (3.5)."""
    document = etree.fromstring(codec.encode(message))
    for device in document.iter("UtilitiesDevice"):
        etree.SubElement(device, name).text = text
    return etree.tostring(document)


async def post(world: Any, body: bytes) -> None:
    root = etree.fromstring(body)[-1][0]
    operation = codec.operation_of(codec.decode(body)).name
    answer = await world.client.post(f"/services/{operation}", content=body, auth=("OFFICE", "secret"))
    assert answer.status_code == 202, (root.tag, answer.text)
    await world.settle()


async def orders_outside(world: Any, home: Any) -> list[Any]:
    """Order a switch and a reading on demand; what is answered."""
    world.clock.advance_to(datetime(2026, 3, 11, 9, tzinfo=UTC))
    world.office_heard.clear()
    await world.office(
        requests.switch(home, requests.DISCONNECT),
        requests.reading_ordered(home, date(2026, 3, 11), source="1"),
    )
    return [item for one in world.office_heard for item in one.log.item]


async def test_orders_outside_the_group_of_the_material_are_refused(world: Any, home: Any):
    home.material = "METER-BILLING"
    await world.office(*home.initialization())
    refused = await orders_outside(world, home)
    assert [(one.type_id, one.category_code) for one in refused] == [("1013", "PRE.CVE")] * 2
    assert "Capability group G-BILLING" in refused[0].note
    assert "'switch'" in refused[0].note
    assert "'read on demand'" in refused[1].note
    answer: Any = codec.decode(
        (
            await world.client.post(
                "/services/UtilitiesDeviceERPSmartMeterOperationalStateByIDQueryResponse_Out",
                content=codec.encode(requests.state_query(home)),
                auth=("OFFICE", "secret"),
            )
        ).content
    )
    assert "'state'" in answer.log.item[0].note


@pytest.mark.parametrize("name", ["ActivationGroupAMIFunctions", "SmartMeterFunctionGroup"])
async def test_the_group_is_taken_from_the_message_of_the_device(world: Any, home: Any, name: str):
    group = "A-BILLING" if name.startswith("Activation") else "G-BILLING"
    create, *others = home.initialization()
    await post(world, with_field(create, name, group))
    await world.office(*others)
    assert await refused_by(world, home) == {group}
    await world.office(requests.change(home))
    assert await refused_by(world, home) == {group}, "a message without the field changes no group"
    await post(world, with_field(requests.change(home), name, "A-ALL"))
    assert await refused_by(world, home) == set(), "another group counts from its message on"


async def refused_by(world: Any, home: Any) -> set[str]:
    return {one.note.split(" of device")[0].split()[-1] for one in await orders_outside(world, home)}


async def test_in_bulk_each_device_has_its_own_group(world: Any, homes: Callable[..., Any]):
    first, second = homes(1), homes(2)
    body = etree.fromstring(codec.encode(bulk([first.create(), second.create()], first.head())))
    device = next(iter(body.iter("UtilitiesDevice")))
    etree.SubElement(device, "ActivationGroupAMIFunctions").text = "A-BILLING"
    await post(world, etree.tostring(body))
    for home in (first, second):
        await world.office(*home.initialization()[1:])
    assert await refused_by(world, first) == {"A-BILLING"}
    assert await refused_by(world, second) == set()


async def test_a_profile_of_a_device_that_cannot_deliver_intervals_is_refused(world: Any, home: Any):
    create, *others, series = home.initialization()
    await post(world, with_field(create, "ActivationGroupAMIFunctions", "A-READ"))
    await world.office(*others)
    world.office_heard.clear()
    await world.office(series)
    (item,) = world.office_heard[0].log.item
    assert (item.type_id, "'intervals'" in item.note) == ("1013", True)


async def test_a_text_that_a_device_cannot_show_is_told_by_an_event(world: Any, home: Any):
    home.material = "METER-BILLING"
    await world.office(*home.initialization())
    await world.office(requests.text(home, "Hello."))
    (message,) = world.heard(UtilitiesSmartMeterEventERPBulkCreateRequest)
    event = message.items[0].utilities_smart_meter_event
    said = {one.code: one.object_property_value.text for one in event.property}
    assert (event.type_code, said["NAME"]) == ("8004", NOTIFICATION_FAILED)
    assert "1013 Capability group G-BILLING" in said["TEXT"]
