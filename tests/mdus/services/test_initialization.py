"""Device initialization (UC1): in the order of the book, in every other order, repeated, refused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract import field as cim
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages.device import (
    UtilitiesDeviceERPSmartMeterBulkCreateConfirmation,
    UtilitiesDeviceERPSmartMeterCreateConfirmation,
    UtilitiesDeviceERPSmartMeterRegisteredNotification,
)
from openami.shared.contract.enterprise.messages.register import (
    UtilitiesDeviceERPSmartMeterRegisterBulkCreateConfirmation,
    UtilitiesDeviceERPSmartMeterRegisterCreateConfirmation,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeConfirmation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

PROVISIONED = [
    ("create", "UsagePointConfig"),
    ("create", "MeterConfig"),
    ("create", "MasterDataLinkageConfig"),
    ("create", "MeterReadSchedule"),
]


def found_by_ams(home: Any, world: Any) -> cim.Envelope:
    config = cim.MeterConfig(meters=(cim.Meter(serial_number=home.serial, names=home.identity.names),))
    return cim.event(cim.Verb.CREATED, config, source="AMS1", at=world.clock.now())


def steps(world: Any) -> list[tuple[str, str]]:
    return [(one.header.verb.value, one.header.noun) for one in world.ams_heard]


async def test_a_device_is_confirmed_provisioned_and_registered(world: Any, home: Any):
    await world.office(home.create())
    (confirmation,) = world.heard(UtilitiesDeviceERPSmartMeterCreateConfirmation)
    assert confirmation.utilities_device.id == home.device
    assert logs.is_success(confirmation.log)
    assert await world.states() == {"4711": "confirmed"}
    await world.office(*home.initialization()[1:])
    assert await world.states() == {"4711": "located"}
    assert steps(world) == PROVISIONED, "one step after the other, each when the one before was answered"
    linkage = world.told(cim.Verb.CREATE, "MasterDataLinkageConfig")[0].payload
    assert (linkage.meters[0].name("SerialNumber"), linkage.usage_points[0].name()) == (home.serial, home.point)
    assert linkage.configuration.effective == home.since
    await world.ams(found_by_ams(home, world))
    assert await world.states() == {"4711": "registered"}
    (told,) = world.heard(UtilitiesDeviceERPSmartMeterRegisteredNotification)
    assert told.utilities_device.smart_meter.utilities_advanced_metering_system_id == "AMS1"
    await world.ams(found_by_ams(home, world))
    assert len(world.heard(UtilitiesDeviceERPSmartMeterRegisteredNotification)) == 1


async def test_every_order_of_messages_ends_alike(world: Any, homes: Callable[..., Any]):
    """One home for each order in which device, registers, location and assignments can come."""
    orders = list(itertools.permutations(range(4)))
    street = [homes(number) for number in range(1, len(orders) + 1)]
    batches: list[list[Any]] = [[], [], [], []]
    for home, order in zip(street, orders, strict=True):
        messages = home.initialization()
        groups = [messages[:1], messages[1:2], messages[2:3], messages[3:]]
        for turn, index in enumerate(order):
            batches[turn] += groups[index]
    for batch in batches:
        await world.office(*batch)
    assert set((await world.states()).values()) == {"located"}
    assert await world.parked() == []
    for home in street:
        told = [one.header.noun for one in world.ams_heard if home.serial in str(one.payload) or home.point in str(one)]
        assert set(told) == {noun for _, noun in PROVISIONED}, home.serial
    for kind in (
        UtilitiesDeviceERPSmartMeterCreateConfirmation,
        UtilitiesDeviceERPSmartMeterRegisterCreateConfirmation,
        UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeConfirmation,
    ):
        assert [logs.is_success(one.log) for one in world.heard(kind)] == [True] * len(orders), kind.__name__


async def test_repeated_messages_change_nothing_and_are_answered_again(world: Any, home: Any):
    messages = home.initialization()
    await world.office(*messages)
    before = (await world.api("/api/devices/4711"), len(world.ams_heard))
    await world.office(*messages, *reversed(messages))
    assert (await world.api("/api/devices/4711"), len(world.ams_heard)) == before
    answers = world.heard(UtilitiesDeviceERPSmartMeterCreateConfirmation)
    assert len({one.message_header.uuid for one in answers}) == 1, "the stored confirmation, under its old id"


async def test_the_same_content_in_a_new_message_is_harmless(world: Any, home: Any):
    await world.office(*home.initialization())
    heard = len(world.ams_heard)
    await world.office(*home.initialization())
    assert len(world.ams_heard) == heard
    assert [logs.is_success(one.log) for one in world.heard(UtilitiesDeviceERPSmartMeterCreateConfirmation)] == [
        True
    ] * 2


async def test_a_predecessor_that_never_comes_ends_in_a_refusal(world: Any, home: Any):
    await world.office(home.registers())
    assert world.office_heard == []
    assert len(await world.parked()) == 1
    await world.until(world.clock.now() + timedelta(hours=3))
    (refusal,) = world.heard(UtilitiesDeviceERPSmartMeterRegisterCreateConfirmation)
    assert refusal.log.business_document_processing_result_code == "5"
    (item,) = refusal.log.item
    assert (item.type_id, item.category_code, item.severity_code) == ("1001", "PRE.IDE", "3")
    assert f"Device {home.device} is not known" in item.note
    assert await world.parked() == []


async def test_a_device_with_other_data_is_refused(world: Any, home: Any):
    await world.office(home.create())
    other = home.create()
    await world.office(replace(other, utilities_device=replace(other.utilities_device, serial_id="OTHER")))
    refused = world.heard(UtilitiesDeviceERPSmartMeterCreateConfirmation)[1]
    assert refused.log.item[0].type_id == "1003"
    assert (await world.api("/api/devices/4711"))["serial"] == home.serial


async def test_a_unit_that_no_table_knows_is_refused_and_leaves_no_trace(world: Any, home: Any):
    await world.office(home.create())
    sent = home.registers()
    first = sent.utilities_device.register[0]
    odd = replace(first, specifications=replace(first.specifications, measure_unit_code="PT"))
    await world.office(replace(sent, utilities_device=replace(sent.utilities_device, register=(odd,))))
    (refusal,) = world.heard(UtilitiesDeviceERPSmartMeterRegisterCreateConfirmation)
    assert (refusal.log.item[0].type_id, refusal.log.item[0].category_code) == ("1007", "DCE.VME")
    assert (await world.api("/api/channels"))["channels"] == []


async def test_a_step_that_the_ams_refuses_is_shown_and_tried_again(world: Any, home: Any):
    world.ams_refuses = lambda message: "not shipped yet" if message.header.noun == "MeterConfig" else None
    await world.office(*home.initialization())
    assert steps(world) == PROVISIONED[:2]
    shown = (await world.api("/api/devices/4711"))["provisioning"]
    assert shown["error"] == "not shipped yet"
    world.ams_refuses = lambda _message: None
    await world.until(world.clock.now() + timedelta(hours=1, minutes=1))
    assert steps(world) == [*PROVISIONED[:2], *PROVISIONED[1:]]
    assert (await world.api("/api/devices/4711"))["provisioning"]["error"] is None


async def test_many_devices_come_in_one_message(world: Any, homes: Callable[..., Any]):
    many = [homes(number) for number in range(1, 6)]
    items = [one.create() for one in many]
    clash = replace(items[0], utilities_device=replace(items[0].utilities_device, serial_id="X"))
    await world.office(bulk([*items, clash], many[0].head()))
    (answer,) = world.heard(UtilitiesDeviceERPSmartMeterBulkCreateConfirmation)
    assert [logs.is_success(one.log) for one in answer.items] == [True] * 5 + [False]
    assert [one.message_header.reference_uuid for one in answer.items[:2]] == [
        one.message_header.uuid for one in items[:2]
    ]
    assert answer.log.business_document_processing_result_code == "4"
    assert set((await world.states()).values()) == {"confirmed"}


async def test_when_patience_ends_a_bulk_is_done_as_far_as_it_can_be(world: Any, homes: Callable[..., Any]):
    here, missing = homes(1), homes(2)
    await world.office(here.create())
    await world.office(bulk([here.registers(), missing.registers()], here.head()))
    assert len(await world.parked()) == 1
    await world.until(world.clock.now() + timedelta(hours=3))
    (answer,) = world.heard(UtilitiesDeviceERPSmartMeterRegisterBulkCreateConfirmation)
    assert [logs.is_success(one.log) for one in answer.items] == [True, False]
    assert answer.items[1].log.item[0].type_id == "1001"
    assert await world.states() == {"4711": "registers_known"}
