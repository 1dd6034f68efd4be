"""Which message of the back office goes to which desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openami.shared.contract.enterprise.messages import (
    connection,
    device,
    event,
    inferred_calculation,
    inferred_connection,
    inferred_device,
    inferred_measurement_task,
    inferred_reading_result,
    inferred_time_series,
    location,
    measurement_task,
    reading_order,
    reading_result,
    register,
    time_series,
)
from openami.shared.seam.enterprise import Together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.services.answers import Answers
    from openami.mdus.services.calculation import Calculations
    from openami.mdus.services.connection import Connections
    from openami.mdus.services.desk import Desk
    from openami.mdus.services.intake import Intake
    from openami.mdus.services.master_data import MasterData
    from openami.mdus.services.orders import Orders
    from openami.mdus.services.queries import Queries
    from openami.mdus.services.upkeep import Upkeep
    from openami.shared.contract.enterprise.model import Response

    Handler = Callable[[AsyncConnection, Any], Awaitable[None]]
    Query = Callable[[AsyncConnection, Any], Awaitable[Response]]

_SWITCH = "SmartMeterUtilitiesConnectionStatusChangeRequestERP"
_TASK = "SmartMeterUtilitiesMeasurementTaskERP"


@dataclass(frozen=True, slots=True)
class Desks:
    """Every desk of the door."""

    desk: Desk
    master_data: MasterData
    upkeep: Upkeep
    orders: Orders
    connections: Connections
    calculations: Calculations
    intake: Intake
    queries: Queries
    answers: Answers


def handlers(desks: Desks) -> dict[type[Any], Handler]:
    """The handlers of the enterprise door, by message class."""
    return (
        _of_master_data(desks.desk, desks.master_data)
        | _of_upkeep(desks.desk, desks.upkeep)
        | _of_orders(desks.desk, desks.orders, desks.connections)
        | _of_series(desks)
        | _of_answers(desks.answers)
    )


def queries(desks: Desks) -> dict[type[Any], Query]:
    """What is answered in the same call, by message class."""
    return {
        time_series.UtilitiesTimeSeriesItemByIDQuery: desks.queries.items,
        inferred_device.UtilitiesDeviceERPSmartMeterOperationalStateByIDQuery: desks.queries.state,
    }


def _of_upkeep(desk: Desk, upkeep: Upkeep) -> dict[type[Any], Handler]:
    return {
        inferred_device.UtilitiesDeviceERPSmartMeterCancellationRequest: desk.handler(upkeep.withdraw),
        inferred_device.UtilitiesDeviceERPSmartMeterCancellationBulkRequest: desk.handler(upkeep.withdraw),
        inferred_device.UtilitiesDeviceERPSmartMeterTextNotification: desk.handler(upkeep.take_texts),
        inferred_device.UtilitiesDeviceERPSmartMeterTextBulkNotification: desk.handler(upkeep.take_texts),
        getattr(inferred_measurement_task, f"{_TASK}ChangeRequest"): desk.handler(upkeep.change_tasks),
        getattr(inferred_measurement_task, f"{_TASK}BulkChangeRequest"): desk.handler(upkeep.change_tasks),
        getattr(inferred_measurement_task, f"{_TASK}DeviceAssignmentNotification"): desk.handler(
            upkeep.assign_transformers
        ),
        getattr(inferred_measurement_task, f"{_TASK}DeviceBulkAssignmentNotification"): desk.handler(
            upkeep.assign_transformers
        ),
        getattr(inferred_connection, f"{_SWITCH}Notification"): desk.handler(upkeep.take_notices),
        getattr(inferred_connection, f"{_SWITCH}BulkNotification"): desk.handler(upkeep.take_notices),
        getattr(inferred_connection, f"{_SWITCH}CancellationNotification"): desk.handler(upkeep.undo_notices),
        getattr(inferred_connection, f"{_SWITCH}CancellationBulkNotification"): desk.handler(upkeep.undo_notices),
    }


def _of_series(desks: Desks) -> dict[type[Any], Handler]:
    return {
        inferred_calculation.UtilitiesTimeSeriesCalculationERPBulkCreateRequest: desks.calculations.order,
        inferred_calculation.UtilitiesTimeSeriesCalculationERPCancellationBulkRequest: desks.desk.handler(
            desks.calculations.cancel
        ),
        inferred_time_series.UtilitiesTimeSeriesBundleItemCreateRequest: desks.desk.handler(desks.intake.take),
    }


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
    corrected = "SmartMeterMeterReadingDocumentERPResult"
    return {
        reading_order.SmartMeterMeterReadingDocumentERPCreateRequest: desk.handler(orders.accept),
        reading_order.SmartMeterMeterReadingDocumentERPBulkCreateRequest: desk.handler(orders.accept),
        reading_order.SmartMeterMeterReadingDocumentERPCancellationRequest: desk.handler(orders.cancel),
        reading_order.SmartMeterMeterReadingDocumentERPBulkCancellationRequest: desk.handler(orders.cancel),
        reading_result.SmartMeterMeterReadingDocumentERPResultCreateRequest: desk.handler(orders.take_known),
        getattr(inferred_reading_result, f"{corrected}BulkCreateRequest"): desk.handler(orders.take_known),
        getattr(inferred_reading_result, f"{corrected}ChangeRequest"): desk.handler(orders.correct_known),
        getattr(inferred_reading_result, f"{corrected}BulkChangeRequest"): desk.handler(orders.correct_known),
        getattr(connection, f"{_SWITCH}CreateRequest"): connections.order,
        getattr(connection, f"{_SWITCH}BulkCreateRequest"): connections.order,
        getattr(connection, f"{_SWITCH}CancellationRequest"): desk.handler(connections.cancel),
    }


def _of_answers(answers: Answers) -> dict[type[Any], Handler]:
    results, uploads, events = Together(answers.of_results), Together(answers.of_uploads), Together(answers.of_events)
    return {
        reading_result.MeterReadingDocumentERPResultCreateConfirmation: results,
        reading_result.MeterReadingDocumentERPResultBulkCreateConfirmation: results,
        time_series.UtilitiesTimeSeriesERPItemBulkCreateConfirmation: uploads,
        time_series.UtilitiesTimeSeriesERPItemBulkChangeConfirmation: uploads,
        event.UtilitiesSmartMeterEventERPBulkCreateConfirmation: events,
        event.UtilitiesSmartMeterEventERPCreateConfirmation: events,
    }
