"""The door's list: every message that the office takes, and who handles it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from openami.office.connection.handlers import on_cancelled, on_switched, on_switched_bulk
from openami.office.devices.handlers import on_device_confirmed, on_registered, on_registered_bulk
from openami.office.devices.upkeep import on_withdrawn
from openami.office.events.handlers import on_event, on_event_bulk
from openami.office.readings.results import on_results
from openami.office.readings.store import OrderState, change_order, order_by_id
from openami.office.readings.uploads import on_notified_upload, on_upload
from openami.office.readings.usage import on_usage, on_usage_cancelled
from openami.office.services.items import take_each
from openami.office.services.store import settle
from openami.shared.contract.enterprise.messages import (
    connection,
    device,
    event,
    inferred_calculation,
    inferred_device,
    inferred_measurement_task,
    inferred_reading_result,
    inferred_time_series,
    reading_order,
    reading_result,
    register,
    time_series,
)
from openami.shared.contract.enterprise.model import BulkConfirmation
from openami.shared.seam.enterprise import Together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.shared.contract.enterprise.messages.common import Log, MessageHeader
    from openami.shared.contract.enterprise.model import Confirmation
    from openami.shared.errors import OpenAmiError

    Handler = Callable[[Office, AsyncConnection, Any], Awaitable[None]]
    Many = Callable[[Office, AsyncConnection, Sequence[Any]], Awaitable[Sequence[OpenAmiError | None]]]
    Answered = Callable[[Office, AsyncConnection, MessageHeader, Log], Awaitable[None]]


async def on_settled(office: Office, transaction: AsyncConnection, header: MessageHeader, log: Log) -> None:
    """A request was answered; nothing follows from it but the note."""
    await settle(office, transaction, header, log)


async def on_order_confirmed(office: Office, transaction: AsyncConnection, header: MessageHeader, log: Log) -> None:
    """The middle has taken a reading order, or refuses it. A result that came before this stands."""
    settled = await settle(office, transaction, header, log)
    order = await order_by_id(transaction, settled.subject, lock=True)
    if order is not None and order.state == OrderState.CREATED:
        state = OrderState.ACCEPTED if settled.ok else OrderState.REJECTED
        await change_order(transaction, order.id, state=state, note=settled.note)


async def on_order_cancelled(office: Office, transaction: AsyncConnection, header: MessageHeader, log: Log) -> None:
    """The middle has withdrawn a reading order, or it was too late."""
    settled = await settle(office, transaction, header, log)
    order = await order_by_id(transaction, settled.subject, lock=True)
    if order is not None and order.state == OrderState.CANCELLING:
        state = OrderState.CANCELLED if settled.ok else OrderState.ACCEPTED
        await change_order(transaction, order.id, state=state, note=settled.note)


async def _answered(
    answered: Answered, office: Office, transaction: AsyncConnection, message: Confirmation | BulkConfirmation[Any]
) -> None:
    """Hand a confirmation over; of a bulk confirmation, each item by itself."""
    if isinstance(message, BulkConfirmation):
        await take_each(
            transaction, message.items, lambda item: answered(office, transaction, item.message_header, item.log)
        )
    else:
        await answered(office, transaction, message.message_header, message.log)


_CONFIRMATIONS: Final[dict[type[Any], Answered]] = {
    device.UtilitiesDeviceERPSmartMeterCreateConfirmation: on_device_confirmed,
    device.UtilitiesDeviceERPSmartMeterBulkCreateConfirmation: on_device_confirmed,
    register.UtilitiesDeviceERPSmartMeterRegisterCreateConfirmation: on_settled,
    register.UtilitiesDeviceERPSmartMeterRegisterBulkCreateConfirmation: on_settled,
    register.UtilitiesDeviceERPSmartMeterRegisterChangeConfirmation: on_settled,
    register.UtilitiesDeviceERPSmartMeterRegisterBulkChangeConfirmation: on_settled,
    time_series.UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeConfirmation: on_settled,
    reading_order.SmartMeterMeterReadingDocumentERPCreateConfirmation: on_order_confirmed,
    reading_order.SmartMeterMeterReadingDocumentERPBulkCreateConfirmation: on_order_confirmed,
    reading_order.SmartMeterMeterReadingDocumentERPCancellationConfirmation: on_order_cancelled,
    reading_order.SmartMeterMeterReadingDocumentERPBulkCancellationConfirmation: on_order_cancelled,
    reading_result.SmartMeterMeterReadingDocumentERPResultCreateConfirmation: on_settled,
    inferred_reading_result.SmartMeterMeterReadingDocumentERPResultBulkCreateConfirmation: on_settled,
    inferred_reading_result.SmartMeterMeterReadingDocumentERPResultChangeConfirmation: on_settled,
    inferred_reading_result.SmartMeterMeterReadingDocumentERPResultBulkChangeConfirmation: on_settled,
    device.UtilitiesDeviceERPSmartMeterChangeConfirmation: on_settled,
    inferred_device.UtilitiesDeviceERPSmartMeterBulkChangeConfirmation: on_settled,
    inferred_device.UtilitiesDeviceERPSmartMeterCancellationConfirmation: on_withdrawn,
    inferred_device.UtilitiesDeviceERPSmartMeterCancellationBulkConfirmation: on_withdrawn,
    inferred_device.UtilitiesDeviceERPSmartMeterReplicationBulkConfirmation: on_settled,
    inferred_measurement_task.SmartMeterUtilitiesMeasurementTaskERPChangeConfirmation: on_settled,
    inferred_measurement_task.SmartMeterUtilitiesMeasurementTaskERPBulkChangeConfirmation: on_settled,
    inferred_calculation.UtilitiesTimeSeriesCalculationERPCancellationBulkConfirmation: on_usage_cancelled,
    inferred_time_series.UtilitiesTimeSeriesBundleItemCreateConfirmation: on_settled,
    inferred_time_series.UtilitiesTimeSeriesERPReplicationBulkConfirmation: on_settled,
}
_MESSAGES: Final[dict[type[Any], Handler]] = {
    device.UtilitiesDeviceERPSmartMeterRegisteredNotification: on_registered,
    device.UtilitiesDeviceERPSmartMeterRegisteredBulkNotification: on_registered_bulk,
    time_series.UtilitiesTimeSeriesERPItemBulkCreateRequest: on_upload,
    time_series.UtilitiesTimeSeriesERPItemBulkChangeRequest: on_upload,
    event.UtilitiesSmartMeterEventERPBulkCreateRequest: on_event_bulk,
    event.UtilitiesSmartMeterEventERPCreateRequest: on_event,
    inferred_calculation.UtilitiesTimeSeriesCalculationERPBulkCreateConfirmation: on_usage,
    inferred_time_series.UtilitiesTimeSeriesERPItemBulkNotification: on_notified_upload,
    connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPBulkCreateConfirmation: on_switched_bulk,
    connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation: on_switched,
    connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationConfirmation: on_cancelled,
}
_TOGETHER: Final[dict[type[Any], Many]] = {
    reading_result.MeterReadingDocumentERPResultCreateRequest: on_results,
    reading_result.MeterReadingDocumentERPResultBulkCreateRequest: on_results,
}


def handlers(office: Office) -> dict[type[Any], Callable[[AsyncConnection, Any], Awaitable[None]]]:
    """The handlers of the office's door, by message type."""
    listed: dict[type[Any], Callable[[AsyncConnection, Any], Awaitable[None]]] = {
        kind: partial(handler, office) for kind, handler in _MESSAGES.items()
    }
    listed |= {kind: Together(partial(handler, office)) for kind, handler in _TOGETHER.items()}
    listed |= {kind: partial(_answered, answered, office) for kind, answered in _CONFIRMATIONS.items()}
    return listed
