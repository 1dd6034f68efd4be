"""What the office tells of tasks, transformers and switches, and what it asks in the same call."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from openami.office.codes import time_zone_code
from openami.office.commands import BadFieldError, Command, record
from openami.office.devices.model import Category, task_of
from openami.office.devices.store import find_device, registers_of
from openami.office.services.letters import request_many
from openami.office.tables import draw, order_numbers
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.headers import OPEN_END
from openami.shared.contract.enterprise.messages.common import Quantity, SmartMeter
from openami.shared.contract.enterprise.messages.inferred_connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationNotification as SwitchUndone,
)
from openami.shared.contract.enterprise.messages.inferred_connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPNotification as SwitchNotice,
)
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterOperationalStateByIDQuery as StateQuery,
)
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterOperationalStateByIDResponse as StateAnswer,
)
from openami.shared.contract.enterprise.messages.inferred_measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPChangeRequest as TaskChange,
)
from openami.shared.contract.enterprise.messages.inferred_measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPDeviceAssignmentNotification as TransformerAssigned,
)
from openami.shared.contract.enterprise.messages.inferred_time_series import (
    UtilitiesTimeSeriesItemCreateRequest as OwnValues,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesItem,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesItemByIDQuery as ItemQuery,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesItemByIDResponse as ItemAnswer,
)
from openami.shared.spans import zone

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Device, Register

ORDER_ID_WIDTH: Final = 12
ITEMS_MAX: Final = 10_000
VALUE_MAX: Final = 10**15
_SWITCHES: Final = {"disconnect": "1", "reconnect": "2"}


async def change_task(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """The register of a device has another time of use from a day on."""
    device, register = await _task(transaction, command, Category.REGISTER)
    content = TaskChange.UtilitiesMeasurementTask
    first = command.date("from", office.today())
    message = TaskChange(
        message_header=office.door.header(),
        utilities_measurement_task=content(
            id=register.id,
            specifications=(
                content.Specifications(
                    start_date=first, end_date=OPEN_END, utilities_time_of_use_code=command.text("time_of_use")
                ),
            ),
            utilities_device=content.UtilitiesDevice(utilities_device_id=device.id, smart_meter=_meter(device)),
        ),
    )
    await request_many(office, transaction, [(message, device.id)])
    await record(office, transaction, command, device.id, after={"time_of_use": command.text("time_of_use")})
    return {"task": register.id, "from": first.isoformat()}


async def assign_transformer(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """A transformer stands before the register of a device; its factor is told, the middle does not apply it."""
    device, register = await _task(transaction, command, Category.REGISTER)
    content = TransformerAssigned.UtilitiesMeasurementTask
    factor = command.amount("factor")
    if factor is not None and factor <= 0:
        raise BadFieldError(f"The field 'factor' is {factor}.", hint="Give what the register is multiplied by.")
    message = TransformerAssigned(
        message_header=office.door.header(),
        utilities_measurement_task=content(
            device_assignment_list_complete_transmission_indicator=True,
            id=register.id,
            device_assignment=(
                content.DeviceAssignment(
                    start_date=command.date("from", office.today()),
                    end_date=OPEN_END,
                    type_code="CT",
                    utilities_quantity_adjustment_factor_value=Decimal(1) if factor is None else factor,
                    assigned_utilities_device_id=command.text("transformer"),
                ),
            ),
            utilities_device=content.UtilitiesDevice(utilities_device_id=device.id, smart_meter=_meter(device)),
        ),
    )
    await request_many(office, transaction, [(message, device.id)], confirmed_later=False)
    await record(office, transaction, command, device.id, after={"transformer": command.text("transformer")})
    return {"task": register.id}


async def tell_switch(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Somebody has switched a device on the spot: the middle is told."""
    device = await find_device(transaction, command.text("device"))
    category = _category(command.text("what"))
    number = await draw(transaction, order_numbers, ORDER_ID_WIDTH)
    content = SwitchNotice.UtilitiesConnectionStatusChangeRequest
    message = SwitchNotice(
        message_header=office.door.header(),
        utilities_connection_status_change_request=content(
            id=number,
            category_code=category,
            device_connection_status=(
                content.DeviceConnectionStatus(
                    processing_date_time=command.instant("at", office.clock.now()),
                    utilities_device_id=device.id,
                    smart_meter=_meter(device),
                ),
            ),
        ),
    )
    await request_many(office, transaction, [(message, device.id)], confirmed_later=False)
    await record(office, transaction, command, device.id, after={"notice": number, "category": category})
    return {"notice": number, "category": category}


async def undo_switch(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """What was told of a switch on the spot does not hold."""
    content = SwitchUndone.UtilitiesConnectionStatusChangeRequest
    number = command.text("notice")
    category = _category(command.text("what"))
    message = SwitchUndone(
        message_header=office.door.header(),
        utilities_connection_status_change_request=content(id=number, category_code=category),
    )
    await request_many(office, transaction, [(message, number)], confirmed_later=False)
    await record(office, transaction, command, number, after="undone")
    return {"notice": number, "state": "undone"}


async def send_values(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Interval values of the office's own go to the middle: `start`, and `values_milli` of the profile's unit."""
    device, channel = await _task(transaction, command, Category.INTERVAL)
    start = command.instant("start", office.clock.now())
    values = command.body.get("values_milli")
    if not isinstance(values, list) or not values or len(values) > ITEMS_MAX:
        raise BadFieldError("The field 'values_milli' is no list of numbers.", hint=f"At most {ITEMS_MAX} at once.")
    if not all(isinstance(one, int) and not isinstance(one, bool) and abs(one) < VALUE_MAX for one in values):
        raise BadFieldError("A value is no whole number, or too large.", hint="Give thousandths of the unit.")
    if start.timestamp() % channel.interval_s:
        raise BadFieldError(f"No interval starts at {start}.", hint=f"They have {channel.interval_s} s.")
    step = timedelta(seconds=channel.interval_s)
    status = UtilitiesTimeSeriesItem.ItemStatus(utilities_time_series_item_type_code=_status(office, command))
    items = tuple(
        UtilitiesTimeSeriesItem(
            quantity=Quantity(value=Decimal(value).scaleb(-3), unit_code=channel.unit),
            utc_validity_start_date_time=start + step * place,
            utc_validity_end_date_time=start + step * (place + 1),
            item_status=(status,),
        )
        for place, value in enumerate(values)
    )
    series = OwnValues.UtilitiesTimeSeries(id=channel.profile_id, item=items)
    message = OwnValues(message_header=office.door.header(), utilities_time_series=series)
    await request_many(office, transaction, [(message, device.id)])
    await record(office, transaction, command, device.id, after={"intervals": len(values), "start": start})
    return {"profile": channel.profile_id, "intervals": len(values)}


async def ask_state(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Is a device on? The middle answers in the same call."""
    device = await find_device(transaction, command.text("device"))
    office.check_capability(device, "state")
    selection = StateQuery.UtilitiesDeviceSelectionByID(utilities_device_id=device.id, smart_meter=_meter(device))
    answer = await office.door.ask(StateQuery(utilities_device_selection_by_id=selection), StateAnswer)
    told = answer.utilities_device
    table = office.codes["operational_states"]
    return {
        "device": device.id,
        "state": table.of(told.operational_state_code).name if told else "refused",
        "since": told.operational_state_date_time.isoformat() if told and told.operational_state_date_time else None,
        "note": logs.notes(answer.log),
    }


async def ask_series(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """What the middle holds of a device's series, on the fly (UC5 e)."""
    device, channel = await _task(transaction, command, Category.INTERVAL)
    here = zone(office.settings.zone)
    start = command.instant("start", office.clock.now() - timedelta(days=1)).astimezone(here).replace(tzinfo=None)
    end = command.instant("end", office.clock.now()).astimezone(here).replace(tzinfo=None)
    content = ItemQuery.UtilitiesTimeSeriesItemSelectionByID
    period = content.UtilitiesTimeSeriesItemValidityPeriod(start_date_time=start, end_date_time=end)
    assert channel.profile_id is not None
    selection = content(
        utilities_time_series_id=channel.profile_id,
        utilities_time_series_item_time_zone_code=time_zone_code(office.codes, office.settings.zone) or "CET",
        utilities_time_series_item_validity_period=period,
    )
    answer = await office.door.ask(ItemQuery(utilities_time_series_item_selection_by_id=selection), ItemAnswer)
    told = answer.utilities_time_series
    items = [
        {
            "start": _utc(one.utc_validity_start_date_time),
            "end": _utc(one.utc_validity_end_date_time),
            "value": str(one.quantity.value) if one.quantity else None,
            "unit": one.quantity.unit_code if one.quantity else None,
            "status": one.status[0].code,
        }
        for one in (told.item if told else ())
    ]
    return {"device": device.id, "profile": channel.profile_id, "items": items, "note": logs.notes(answer.log)}


def _category(what: str) -> str:
    category = _SWITCHES.get(what)
    if category is None:
        raise BadFieldError(f"The field 'what' is {what!r}.", hint="Give disconnect or reconnect.")
    return category


def _utc(stamp: datetime) -> str:
    return f"{stamp.isoformat()}Z"


def _status(office: Office, command: Command) -> str:
    return office.codes["item_statuses"].named(command.text("status", "valid")).code


def _meter(device: Device) -> SmartMeter:
    return SmartMeter(utilities_advanced_metering_system_id=device.ams_id)


async def _task(transaction: AsyncConnection, command: Command, category: Category) -> tuple[Device, Register]:
    device = await find_device(transaction, command.text("device"))
    return device, task_of(await registers_of(transaction, [device.id]), category)
