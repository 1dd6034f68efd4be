"""Scripts of master data: initialization, changes, removal, change of AMS, replication (processes 1, 2, 12 to 14)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages.device import (
    UtilitiesDeviceERPSmartMeterRegisteredNotification as Registered,
)
from openami.testing import requests
from openami.testing.processes import expect, pairs, process

if TYPE_CHECKING:
    from openami.testing.home import Home
    from openami.testing.processes import Stage

DEVICE: Final = "UtilitiesDeviceERPSmartMeter"
TASK: Final = "SmartMeterUtilitiesMeasurementTaskERP"
SERIES: Final = "UtilitiesTimeSeriesERP"


async def initialized(stage: Stage, *homes: Home) -> None:
    """Homes whose devices are registered: what most scripts begin with."""
    for home in homes:
        create, registers, *others, series = home.initialization()
        await stage.sap.send(create, registers, *others, series)
        for request in (create, registers, series):
            await stage.sap.confirmed(request)
    if stage.field.present:
        await stage.field.discover(*homes)
        for home in homes:
            await stage.sap.hears(Registered, _of(home))


@process(
    "1",
    "device initialization",
    *pairs(f"{DEVICE}Create"),
    *pairs(f"{DEVICE}RegisterCreate"),
    *pairs(f"{SERIES}MeasurementTaskAssignmentChange"),
    f"{DEVICE}LocationNotification_Out",
    f"{TASK}PointOfDeliveryAssignedNotification_Out",
    f"{DEVICE}RegisteredNotification_In",
)
async def initialization(stage: Stage) -> None:
    """Everything in reverse order: what comes too early is parked, each request is confirmed once."""
    home = stage.homes()
    create, registers, *others, series = home.initialization()
    await stage.sap.send(series, *reversed(others), registers, create)
    for request in (create, registers, series):
        await stage.sap.confirmed(request)
    await stage.field.discover(home)
    told = await stage.sap.hears(Registered, _of(home))
    expect(told.utilities_device.smart_meter.utilities_advanced_metering_system_id == home.ams, "the AMS of the device")
    create_again = home.create()
    await stage.sap.send(create_again)
    await stage.sap.confirmed(create_again)


@process(
    "1",
    "device initialization in bulk",
    *pairs(f"{DEVICE}BulkCreate"),
    *pairs(f"{DEVICE}RegisterBulkCreate"),
    f"{DEVICE}LocationBulkNotification_Out",
    f"{TASK}PointOfDeliveryBulkAssignedNotification_Out",
    f"{DEVICE}RegisteredBulkNotification_In",
)
async def initialization_in_bulk(stage: Stage) -> None:
    """Two devices in one message each step; an item that cannot be is refused, the other one is not (code 4)."""
    first, second = stage.homes(), stage.homes()
    creates = bulk([first.create(), second.create()], stage.sap.head())
    await stage.sap.send(creates)
    await stage.sap.confirmed(creates)
    registers = [first.registers(), second.registers()]
    await stage.sap.send(bulk(registers, stage.sap.head()))
    await stage.sap.confirmed(registers[1])
    points = [home.pointed(task) for home in (first, second) for task in (home.register, home.intervals)]
    await stage.sap.send(bulk([first.located(), second.located()], stage.sap.head()), bulk(points, stage.sap.head()))
    await stage.sap.flush()
    await stage.field.discover(first, second)
    for home in (first, second):
        await stage.sap.hears(Registered, _of(home))
    contradicting = second.create()
    content: Any = contradicting.utilities_device
    taken = type(contradicting)(
        message_header=contradicting.message_header,
        utilities_device=type(content)(
            **{name: getattr(content, name) for name in content.__dataclass_fields__} | {"serial_id": "ANOTHER"}
        ),
    )
    again = bulk([first.create(), taken], stage.sap.head())
    await stage.sap.send(again)
    answer = await stage.sap.confirmation(again)
    codes = [one.log.business_document_processing_result_code for one in (answer, *answer.items)]
    expect(codes == ["4", "3", "5"], f"partly successful with a log an item, not {codes}")
    await stage.sap.confirmed(taken, ok=False)


@process(
    "2",
    "change of technical master data",
    *pairs(f"{DEVICE}Change"),
    *pairs(f"{DEVICE}BulkChange"),
    *pairs(f"{DEVICE}RegisterChange"),
    *pairs(f"{DEVICE}RegisterBulkChange"),
    *pairs(f"{TASK}Change"),
    *pairs(f"{TASK}BulkChange"),
    f"{TASK}DeviceAssignmentNotification_Out",
    f"{TASK}DeviceBulkAssignmentNotification_Out",
)
async def changes(stage: Stage) -> None:
    """Serial number, register, time of use and transformer change, each alone and in bulk."""
    home, other = stage.homes(), stage.homes()
    await initialized(stage, home, other)
    today = stage.sap.clock.now().date()
    each: list[tuple[Any, Any]] = [
        (requests.change(home, serial=f"{home.serial}N"), requests.change(other, serial=f"{other.serial}N")),
        (requests.registers_changed(home, factor="2"), requests.registers_changed(other, factor="3")),
        (
            requests.task_changed(home, today, time_of_use="PEAK"),
            requests.task_changed(other, today, time_of_use="OFFPEAK"),
        ),
    ]
    for single, item in each:
        whole = bulk([item], stage.sap.head())
        await stage.sap.send(single, whole)
        await stage.sap.confirmed(single)
        await stage.sap.confirmed(whole)
        await stage.sap.confirmed(item)
    assigned = bulk([requests.transformers(other, "CT2", "40")], stage.sap.head())
    await stage.sap.send(requests.transformers(home, "CT1", "30"), assigned)
    nobody = requests.task_changed(stage.homes(), today, time_of_use="PEAK")
    await stage.sap.send(nobody)
    await stage.field.wait(timedelta(hours=3))
    await stage.sap.confirmed(nobody, ok=False)


@process("2", "cancelled device creation", *pairs(f"{DEVICE}Cancellation"), *pairs(f"{DEVICE}CancellationBulk"))
async def cancelled_creation(stage: Stage) -> None:
    """Devices announced by mistake are forgotten and may be announced anew; an installed one may not."""
    home, other, installed = stage.homes(), stage.homes(), stage.homes()
    await initialized(stage, installed)
    create = home.create()
    await stage.sap.send(create, other.create())
    await stage.sap.confirmed(create)
    single, item, refused = requests.withdrawn(home), requests.withdrawn(other), requests.withdrawn(installed)
    await stage.sap.send(single, bulk([item, refused], stage.sap.head()))
    await stage.sap.confirmed(single)
    await stage.sap.confirmed(item)
    await stage.sap.confirmed(refused, ok=False)
    again = home.create()
    await stage.sap.send(again)
    await stage.sap.confirmed(again)


@process("12", "tariff information", *pairs(f"{TASK}Change"))
async def tariff_information(stage: Stage) -> None:
    """There is no operation for prices: a time of use travels with the measurement task."""
    home = stage.homes()
    await initialized(stage, home)
    request = requests.task_changed(home, stage.sap.clock.now().date(), time_of_use="PEAK")
    await stage.sap.send(request)
    await stage.sap.confirmed(request)


@process("13", "removal, replacement and reversal", *pairs(f"{DEVICE}RegisterChange"))
async def removal(stage: Stage) -> None:
    """A meter is taken down and another one hung; a third installation never happened and is reversed."""
    old, new, mistaken = stage.homes(), stage.homes(), stage.homes()
    await initialized(stage, old)
    now = stage.sap.clock.now()
    old.until = new.since = now
    new.point = old.point
    await stage.sap.send(old.located(), old.pointed(old.register), old.pointed(old.intervals), old.series())
    await initialized(stage, new)
    create, registers = mistaken.create(), mistaken.registers()
    await stage.sap.send(create, registers)
    await stage.sap.confirmed(registers)
    reversal = requests.registers_reversed(mistaken)
    await stage.sap.send(reversal)
    await stage.sap.confirmed(reversal)
    withdrawal = requests.withdrawn(mistaken)
    await stage.sap.send(withdrawal)
    await stage.sap.confirmed(withdrawal)


@process("14", "change of the AMS", *pairs(f"{DEVICE}Change"))
async def ams_change(stage: Stage) -> None:
    """A device moves to another AMS; messages that still name a third one are refused."""
    home = stage.homes()
    await initialized(stage, home)
    moved = requests.change(home, ams="AMS2")
    await stage.sap.send(moved)
    await stage.sap.confirmed(moved)
    stranger = home.registers()
    content: Any = stranger.utilities_device
    meter = type(content.smart_meter)(utilities_advanced_metering_system_id="AMS3")
    named = {name: getattr(content, name) for name in content.__dataclass_fields__} | {"smart_meter": meter}
    wrong = type(stranger)(message_header=stranger.message_header, utilities_device=type(content)(**named))
    await stage.sap.send(wrong)
    await stage.sap.confirmed(wrong, ok=False)


@process("2", "replication", *pairs(f"{DEVICE}ReplicationBulk"), *pairs(f"{SERIES}ReplicationBulk"))
async def replication(stage: Stage) -> None:
    """Initial load: whole devices and profile headers; what is known already changes nothing."""
    known, new = stage.homes(), stage.homes()
    await initialized(stage, known)
    devices = bulk([requests.replica(known), requests.replica(new)], stage.sap.head())
    await stage.sap.send(devices)
    await stage.sap.confirmed(devices)
    series = bulk([requests.series_replica(known)], stage.sap.head())
    await stage.sap.send(series)
    await stage.sap.confirmed(series)


def _of(home: Home) -> Any:  # noqa: ANN401 - a condition
    return lambda one: one.utilities_device.id.lstrip("0") == home.device.lstrip("0")
