"""Scripts of switching, events, texts and states (processes 7 to 11, 16)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages import event
from openami.testing import requests
from openami.testing.processes import expect, pairs, process
from openami.testing.requests import DISCONNECT, RECONNECT
from openami.testing.scripts_master_data import initialized

if TYPE_CHECKING:
    from openami.testing.home import Home
    from openami.testing.processes import Stage

SWITCH: Final = "SmartMeterUtilitiesConnectionStatusChangeRequestERP"
EVENT: Final = "UtilitiesSmartMeterEventERP"
DEVICE: Final = "UtilitiesDeviceERPSmartMeter"
Event = event.UtilitiesSmartMeterEventERPCreateRequest


@process(
    "7",
    "disconnection and reconnection",
    *pairs(f"{SWITCH}Create"),
    *pairs(f"{SWITCH}BulkCreate"),
    *pairs(f"{SWITCH}Cancellation"),
)
async def switching(stage: Stage) -> None:
    """Off and on again with proof; two in bulk, of which one cannot be; one planned and withdrawn."""
    home, other, unknown = stage.homes(), stage.homes(), stage.homes()
    await initialized(stage, home, other)
    off = requests.switch(home, DISCONNECT)
    await stage.sap.send(off)
    await stage.sap.flush()
    await stage.field.switched(home, closed=False)
    expect(await _result_of(stage, off) == ["1"], "a disconnection that was done")
    on, nobody = requests.switch(home, RECONNECT), requests.switch(unknown, DISCONNECT)
    whole = bulk([on, nobody], stage.sap.head())
    await stage.sap.send(whole)
    await stage.sap.flush()
    await stage.field.wait(timedelta(hours=2))
    await stage.field.switched(home, closed=True)
    answer = await stage.sap.confirmation(whole)
    expect(logs.is_partly(answer.log), "a bulk of which one item failed")
    await stage.sap.confirmed(on)
    await stage.sap.confirmed(nobody, ok=False)
    planned = requests.switch(other, DISCONNECT, planned=stage.sap.clock.now() + timedelta(days=2))
    number = planned.utilities_connection_status_change_request.id
    await stage.sap.send(planned)
    withdrawal = requests.switch_cancelled(other, number, DISCONNECT)
    await stage.sap.send(withdrawal)
    await stage.sap.confirmed(withdrawal)
    await stage.sap.confirmed(planned, ok=False)
    late = requests.switch_cancelled(home, off.utilities_connection_status_change_request.id, DISCONNECT)
    await stage.sap.send(late)
    await stage.sap.confirmed(late, ok=False)


@process(
    "7",
    "switching by other means",
    f"{SWITCH}Notification_Out",
    f"{SWITCH}BulkNotification_Out",
    f"{SWITCH}CancellationNotification_Out",
    f"{SWITCH}CancellationBulkNotification_Out",
    f"{DEVICE}OperationalStateByIDQueryResponse_Out",
)
async def switched_otherwise(stage: Stage) -> None:
    """Somebody switched on the spot: MDUS hears of it, and of its undoing."""
    home, other = stage.homes(), stage.homes()
    await initialized(stage, home, other)
    at, numbers = stage.sap.clock.now(), [requests.order_number(), requests.order_number()]
    told = requests.switched_otherwise(other, numbers[1], DISCONNECT, at)
    single = requests.switched_otherwise(home, numbers[0], DISCONNECT, at)
    await stage.sap.send(single, bulk([told], stage.sap.head()))
    await stage.sap.flush()
    await _become(stage, "OFF", home, other)
    undone = requests.switch_undone(other, numbers[1], DISCONNECT)
    await stage.sap.send(requests.switch_undone(home, numbers[0], DISCONNECT), bulk([undone], stage.sap.head()))
    await stage.sap.flush()
    await _become(stage, "ON", home, other)


@process("8", "load limiting", *pairs(f"{SWITCH}Create"))
async def limiting(stage: Stage) -> None:
    """No operation of SAP is known for it: a category that is not supported is refused with the reason."""
    home = stage.homes()
    await initialized(stage, home)
    limit = requests.switch(home, "3")
    await stage.sap.send(limit)
    await stage.sap.confirmed(limit, ok=False)


@process("9", "events", f"{EVENT}BulkCreateRequest_In", f"{EVENT}BulkCreateConfirmation_Out")
async def events(stage: Stage) -> None:
    """A tamper event arrives once, with the codes of the table."""
    await _one_event(stage)


@process(
    "9",
    "events one by one",
    f"{EVENT}CreateRequest_In",
    f"{EVENT}CreateConfirmation_Out",
    needs="events_one_by_one",
)
async def single_events(stage: Stage) -> None:
    """The same, each event in a message of its own."""
    await _one_event(stage)


@process("10", "operational state", f"{DEVICE}OperationalStateByIDQueryResponse_Out")
async def operational_state(stage: Stage) -> None:
    """Nothing known, on, lost; a device that does not exist is refused."""
    home, unknown = stage.homes(), stage.homes()
    await stage.sap.send(*home.initialization())
    await stage.sap.flush()
    expect(await _state(stage, home) == "UNKN", "nothing is known of a device that never spoke")
    await stage.field.discover(home)
    expect(await _state(stage, home) == "ON", "a device that its AMS has reported is on")
    await stage.field.wait(timedelta(days=4))
    expect(await _state(stage, home) == "LOST", "a device that has been silent for days is lost")
    answer = await stage.sap.ask(requests.state_query(unknown))
    expect(answer.log.business_document_processing_result_code == "5", "an unknown device is refused")


@process("11", "text messages", f"{DEVICE}TextNotification_Out", f"{DEVICE}TextBulkNotification_Out")
async def texts(stage: Stage) -> None:
    """Texts for displays, to one device and to many."""
    home, other = stage.homes(), stage.homes()
    await initialized(stage, home, other)
    await stage.sap.send(requests.text(home, "Planned outage on Tuesday."))
    await stage.sap.send(bulk([requests.text(other, "Thank you.")], stage.sap.head()))
    await stage.sap.flush()


@process("16", "monitoring", *pairs(f"{DEVICE}Create"))
async def monitoring(stage: Stage) -> None:
    """A repeated request is answered by the stored confirmation, under its old id."""
    home = stage.homes()
    create = home.create()
    await stage.sap.send(create)
    first = (await stage.sap.confirmation(create)).message_header.uuid
    before = stage.sap.crossed[f"{DEVICE}CreateConfirmation_In"]
    await stage.sap.send(create)
    await stage.sap.until(
        lambda: stage.sap.crossed[f"{DEVICE}CreateConfirmation_In"] > before, "the stored confirmation once more"
    )
    expect((await stage.sap.confirmation(create)).message_header.uuid == first, "the very same confirmation")


async def _one_event(stage: Stage) -> None:
    home = stage.homes()
    await initialized(stage, home)
    await stage.field.event(home, "tamper.cover_open")
    told = await stage.sap.hears(Event, lambda one: _device(one) == home.device.lstrip("0"))
    content = told.utilities_smart_meter_event
    expect((content.category_code, content.type_code) == ("3", "3002"), "the codes of the table")


async def _result_of(stage: Stage, request: Any) -> list[str]:  # noqa: ANN401 - any request
    answer = await stage.sap.confirmation(request)
    each = answer.utilities_connection_status_change_request.device_connection_status
    return [one.utilities_device_connection_status_processing_result_code.lstrip("0") for one in each]


async def _become(stage: Stage, state: str, *homes: Home) -> None:
    """Devices are in a state, soon after MDUS was told: a notification is taken before it is done."""
    for home in homes:

        async def is_there(home: Home = home) -> bool:
            return await _state(stage, home) == state

        await stage.sap.until(is_there, f"The state {state} of device {home.device}")


async def _state(stage: Stage, home: Home) -> str:
    answer = await stage.sap.ask(requests.state_query(home))
    return str(answer.utilities_device.operational_state_code)


def _device(one: Any) -> str:  # noqa: ANN401 - an event
    return str(one.utilities_smart_meter_event.utilities_device_id or "").lstrip("0")
