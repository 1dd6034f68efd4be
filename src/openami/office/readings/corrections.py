"""A person corrects a register reading: the correction is added, the old value stays, the middle is told."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openami.office.commands import BadFieldError, Command, record
from openami.office.devices.store import device_by_id, register_by_id
from openami.office.readings.errors import Implausible
from openami.office.readings.model import ReadingType
from openami.office.readings.results import keep, milli, objections_to
from openami.office.readings.store import reading_of_document
from openami.office.services.letters import request_many
from openami.shared.contract.enterprise.messages.common import SmartMeter
from openami.shared.contract.enterprise.messages.inferred_reading_result import (
    SmartMeterMeterReadingDocumentERPResultChangeRequest as ReadingChange,
)
from openami.shared.spans import zone

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Device, Register
    from openami.office.readings.model import RegisterReading


async def correct(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Put another value in the place of a reading's, with a reason.

    Raises:
        BadFieldError: there is no such reading, or no value.
        Implausible: the new value fails a plausibility rule.
    """
    kept = await reading_of_document(transaction, command.text("document").rjust(20, "0"))
    value = command.amount("value")
    command.text("why")
    if kept is None or value is None:
        raise BadFieldError(
            f"The reading {command.text('document')} is {'known' if kept else 'unknown'}; its value would be {value}.",
            hint="Give the document number of a reading and its value.",
        )
    register = await register_by_id(transaction, kept.register_id)
    assert register is not None
    reading = replace(kept.value(), value_milli=milli(value), estimated=False)
    if objections := await objections_to(transaction, register, reading):
        raise Implausible("; ".join(objections) + ".", hint="Check the digits.")
    await keep(office, transaction, register, reading)
    device = await device_by_id(transaction, register.device_id)
    await request_many(office, transaction, [(_message(office, device, register, reading), kept.document_id)])
    await record(office, transaction, command, kept.document_id, before=kept.value_milli, after=reading.value_milli)
    return {"document": kept.document_id, "value_milli": reading.value_milli, "at": reading.at.isoformat()}


def _message(office: Office, device: Device, register: Register, reading: RegisterReading) -> ReadingChange:
    local = reading.at.astimezone(zone(office.settings.zone)).replace(microsecond=0, tzinfo=None)
    content = ReadingChange.MeterReadingDocument
    return ReadingChange(
        message_header=office.door.header(),
        meter_reading_document=content(
            id=reading.document_id,
            meter_reading_reason_code=reading.reason,
            utilities_measurement_task=content.UtilitiesMeasurementTask(
                utilities_measurement_task_id=register.id,
                utilities_device=content.UtilitiesMeasurementTask.UtilitiesDevice(
                    utilities_device_id=device.id,
                    smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
                ),
            ),
            result=content.Result(
                meter_reading_date=local.date(),
                meter_reading_time=local.time(),
                meter_reading_type_code=ReadingType.MEASURED,
                meter_reading_result_value=Decimal(reading.value_milli).scaleb(-3),
            ),
        ),
    )
