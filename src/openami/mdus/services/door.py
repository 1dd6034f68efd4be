"""Which message of the back office goes to which desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openami.shared.contract.enterprise.messages import (
    connection,
    device,
    event,
    inferred_device,
    inferred_time_series,
    location,
    measurement_task,
    reading_order,
    reading_result,
    register,
    time_series,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.services.answers import Answers
    from openami.mdus.services.connection import Connections
    from openami.mdus.services.desk import Desk
    from openami.mdus.services.master_data import MasterData
    from openami.mdus.services.orders import Orders

    Handler = Callable[[AsyncConnection, Any], Awaitable[None]]


def handlers(
    desk: Desk, master_data: MasterData, orders: Orders, connections: Connections, answers: Answers
) -> dict[type[Any], Handler]:
    """The handlers of the enterprise door, by message class."""
    return _of_master_data(desk, master_data) | _of_orders(desk, orders, connections) | _of_answers(answers)


def _of_master_data(desk: Desk, master_data: MasterData) -> dict[type[Any], Handler]:
    point = "SmartMeterUtilitiesMeasurementTaskERPPointOfDelivery"
    return {
        device.UtilitiesDeviceERPSmartMeterCreateRequest: desk.handler(master_data.create),
        device.UtilitiesDeviceERPSmartMeterBulkCreateRequest: desk.handler(master_data.create),
        device.UtilitiesDeviceERPSmartMeterChangeRequest: desk.handler(master_data.change),
        inferred_device.UtilitiesDeviceERPSmartMeterBulkChangeRequest: desk.handler(master_data.change),
        inferred_device.UtilitiesDeviceERPSmartMeterReplicationBulkRequest: desk.handler(master_data.replicate),
        register.UtilitiesDeviceERPSmartMeterRegisterCreateRequest: desk.handler(master_data.create_registers),
        register.UtilitiesDeviceERPSmartMeterRegisterBulkCreateRequest: desk.handler(master_data.create_registers),
        register.UtilitiesDeviceERPSmartMeterRegisterChangeRequest: desk.handler(master_data.change_registers),
        register.UtilitiesDeviceERPSmartMeterRegisterBulkChangeRequest: desk.handler(master_data.change_registers),
        location.UtilitiesDeviceERPSmartMeterLocationNotification: desk.handler(master_data.locate),
        location.UtilitiesDeviceERPSmartMeterLocationBulkNotification: desk.handler(master_data.locate),
        getattr(measurement_task, f"{point}AssignedNotification"): desk.handler(master_data.assign_points),
        getattr(measurement_task, f"{point}BulkAssignedNotification"): desk.handler(master_data.assign_points),
        time_series.UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest: desk.handler(
            master_data.assign_profiles
        ),
        inferred_time_series.UtilitiesTimeSeriesERPReplicationBulkRequest: desk.handler(master_data.assign_profiles),
    }


def _of_orders(desk: Desk, orders: Orders, connections: Connections) -> dict[type[Any], Handler]:
    switch = "SmartMeterUtilitiesConnectionStatusChangeRequestERP"
    return {
        reading_order.SmartMeterMeterReadingDocumentERPCreateRequest: desk.handler(orders.accept),
        reading_order.SmartMeterMeterReadingDocumentERPBulkCreateRequest: desk.handler(orders.accept),
        reading_order.SmartMeterMeterReadingDocumentERPCancellationRequest: desk.handler(orders.cancel),
        reading_order.SmartMeterMeterReadingDocumentERPBulkCancellationRequest: desk.handler(orders.cancel),
        reading_result.SmartMeterMeterReadingDocumentERPResultCreateRequest: desk.handler(orders.take_known),
        getattr(connection, f"{switch}CreateRequest"): connections.order,
        getattr(connection, f"{switch}BulkCreateRequest"): connections.order,
        getattr(connection, f"{switch}CancellationRequest"): desk.handler(connections.cancel),
    }


def _of_answers(answers: Answers) -> dict[type[Any], Handler]:
    return {
        reading_result.MeterReadingDocumentERPResultCreateConfirmation: answers.of_results,
        reading_result.MeterReadingDocumentERPResultBulkCreateConfirmation: answers.of_results,
        time_series.UtilitiesTimeSeriesERPItemBulkCreateConfirmation: answers.of_uploads,
        time_series.UtilitiesTimeSeriesERPItemBulkChangeConfirmation: answers.of_uploads,
        event.UtilitiesSmartMeterEventERPBulkCreateConfirmation: answers.of_events,
        event.UtilitiesSmartMeterEventERPCreateConfirmation: answers.of_events,
    }
