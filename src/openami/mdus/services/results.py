"""Readings as the messages of the enterprise seam, and back: scaled integers become decimals of the register's unit."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Final

from openami.mdus.registry.errors import UnknownTaskError
from openami.mdus.registry.ids import bare
from openami.shared.contract.enterprise.messages.common import PointOfDelivery
from openami.shared.contract.enterprise.messages.reading_result import MeterReadingDocumentERPResultCreateRequest
from openami.shared.spans import local_date, local_day, zone

if TYPE_CHECKING:
    from datetime import date

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.codes import CodeTables
    from openami.mdus.registry.model import Device, Register
    from openami.mdus.services.order_model import ReadingOrder
    from openami.mdus.services.order_rules import Candidate
    from openami.shared.contract.enterprise.messages.common import MessageHeader

LAST_SECOND: Final = time(23, 59, 59)
"""The end of a local day in the words of the back office, which has no 24:00."""
MEASURED: Final = "01"
ESTIMATED: Final = "02"


def result_message(
    order: ReadingOrder, register: Register, channel: Channel, codes: CodeTables, head: MessageHeader
) -> MeterReadingDocumentERPResultCreateRequest:
    """The answer to a reading order."""
    assert order.result_at is not None
    assert order.result_value is not None
    day, moment = local_moment(order.result_at, order.zone, order.scheduled_on)
    content = MeterReadingDocumentERPResultCreateRequest.MeterReadingDocument
    task = content.UtiltiesMeasurementTask
    return MeterReadingDocumentERPResultCreateRequest(
        message_header=head,
        meter_reading_document=content(
            id=order.document,
            meter_reading_reason_code=order.reason,
            scheduled_meter_reading_date=order.scheduled_on,
            utilties_measurement_task=task(
                utilities_measurement_task_id=order.task,
                utilities_object_identification_system_code_text=order.obis or None,
                utilties_device=task.UtiltiesDevice(utilities_device_id=order.device),
                utilities_point_of_delivery=(
                    PointOfDelivery(utilities_point_of_delivery_party_id=order.point) if order.point else None
                ),
            ),
            result=content.Result(
                actual_meter_reading_date=day,
                actual_meter_reading_time=moment,
                meter_reading_type_code=ESTIMATED if order.result_estimated else MEASURED,
                meter_reading_result_value=register_value(order.result_value, register, channel, codes),
            ),
        ),
    )


def unsolicited_message(
    reading: Candidate,
    reason: str,
    device: Device,
    register: Register,
    channel: Channel,
    codes: CodeTables,
    head: MessageHeader,
) -> MeterReadingDocumentERPResultCreateRequest:
    """A reading that nobody has ordered: device and measurement task say whose it is."""
    day = local_date(channel.zone, reading.at - timedelta(seconds=1))
    day, moment = local_moment(reading.at, channel.zone, day)
    content = MeterReadingDocumentERPResultCreateRequest.MeterReadingDocument
    task = content.UtiltiesMeasurementTask
    return MeterReadingDocumentERPResultCreateRequest(
        message_header=head,
        meter_reading_document=content(
            meter_reading_reason_code=reason,
            utilties_measurement_task=task(
                utilities_measurement_task_id=channel.task,
                utilities_object_identification_system_code_text=channel.obis or None,
                utilties_device=task.UtiltiesDevice(utilities_device_id=device.id),
            ),
            result=content.Result(
                actual_meter_reading_date=day,
                actual_meter_reading_time=moment,
                meter_reading_type_code=ESTIMATED if reading.estimated else MEASURED,
                meter_reading_result_value=register_value(reading.value, register, channel, codes),
            ),
        ),
    )


def local_moment(at: datetime, zone_name: str, scheduled_on: date) -> tuple[date, time]:
    """Local date and time of a reading; the end of the scheduled day is its last second, not the next day's first."""
    if at == local_day(zone_name, scheduled_on).end:
        return scheduled_on, LAST_SECOND
    local = at.astimezone(zone(zone_name))
    return local.date(), local.time().replace(microsecond=0)


def instant_of(day: date, moment: time, zone_name: str) -> datetime:
    """The instant of a local date and time; the last second of a day is its end."""
    at = datetime.combine(day, moment.replace(microsecond=0), tzinfo=zone(zone_name)).astimezone(UTC)
    return at + timedelta(seconds=1) if moment.replace(microsecond=0) == LAST_SECOND else at


def register_value(value: int, register: Register, channel: Channel, codes: CodeTables) -> Decimal:
    """A scaled value in the register's unit with the digits of its display; what the display hides is cut off."""
    power = codes.unit(register.unit_code).power
    exact = Decimal(value).scaleb(channel.scale - power)
    return exact.quantize(Decimal(1).scaleb(-register.fraction_digits), rounding=ROUND_DOWN)


def scaled_value(value: Decimal, register: Register, channel: Channel, codes: CodeTables) -> int:
    """A display value as a scaled integer of the channel."""
    return int(value.scaleb(codes.unit(register.unit_code).power - channel.scale))


def register_on(device: Device, task: str, day: date) -> Register:
    """The slice of a measurement task on a day, else the last one.

    Raises:
        UnknownTaskError: the device has no such task.
    """
    slices = [one for one in device.registers if bare(one.task) == bare(task)]
    if not slices:
        raise UnknownTaskError(f"Device {device.id} has no measurement task {task}.", hint="Send its registers first.")
    return next((one for one in slices if day in one.period), slices[-1])
