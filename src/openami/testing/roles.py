"""What a fake MDUS plays with a back office: one entry a process, each with what the back office has to do for it.

A role waits for what the back office sends, does what an MDUS does then, and is through when the back office has taken
it. What it waits for in vain is told as what somebody has to do in the back office.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from openami.shared.contract.enterprise.codes import code_tables
from openami.shared.contract.enterprise.messages import (
    device,
    inferred_calculation,
    inferred_device,
    inferred_reading_result,
    location,
    measurement_task,
    reading_order,
    reading_result,
    register,
    time_series,
)
from openami.shared.contract.enterprise.messages.common import Quantity
from openami.testing.mdus import Order, Registered, Result, Switch, SwitchCancel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openami.testing.mdus import FakeMdus

    Play = Callable[["FakeMdus"], Awaitable[None]]

Item = time_series.UtilitiesTimeSeriesItem
SeriesAssigned = time_series.UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest
PointAssigned = measurement_task.SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification
RegisterCreate = register.UtilitiesDeviceERPSmartMeterRegisterCreateRequest
TAMPER: Final = "3002"


@dataclass(frozen=True, slots=True)
class Role:
    """One process, from the side of the MDUS."""

    number: str
    name: str
    wants: str
    """What somebody has to do in the back office."""
    play: Play
    holds_back: bool = False
    """Where only such roles are played, orders are accepted and not carried out: else nothing is left to withdraw."""


ROLES: Final[dict[str, Role]] = {}


def role(number: str, name: str, wants: str) -> Callable[[Play], Play]:
    """Put a role on the list."""

    def listed(play: Play) -> Play:
        ROLES[name] = Role(number, name, wants, play)
        return play

    return listed


def _hears(
    number: str,
    name: str,
    wants: str,
    *kinds: type[Any],
    where: Callable[[Any], bool] = lambda _one: True,
    holds_back: bool = False,
) -> None:
    """A role that is through when a message of one of these kinds was heard, and answered."""

    async def play(mdus: FakeMdus) -> None:
        await mdus.until(
            lambda: any(where(one) for kind in kinds for one in mdus.items(kind)),
            " or ".join(kind.__name__ for kind in kinds),
        )

    ROLES[name] = Role(number, name, wants, play, holds_back)


@role("1", "device initialization", "Receive a device, install it: device, registers and location are sent.")
async def initialization(mdus: FakeMdus) -> None:
    """Everything is confirmed, in whatever order it comes; then the device is registered."""
    await mdus.until(lambda: mdus.sent_items(Registered), "a device with registers and a location")


@role("3", "reading orders", "Order the reading of a register.")
async def reading(mdus: FakeMdus) -> None:
    """The order is accepted, its result follows."""
    await mdus.hears(Order)
    await _taken(mdus, Result, lambda one: one.meter_reading_document.id)


@role("3", "unsolicited reading", "Install a device: a reading of its register comes unasked.")
async def unsolicited(mdus: FakeMdus) -> None:
    """A reading without a document number."""
    await initialization(mdus)
    content = (await mdus.hears(RegisterCreate)).utilities_device
    task = next(one for one in content.register if not (one.utilities_measurement_recurrence_code or "").strip("0"))
    await mdus.confirmed(await mdus.read_unasked(content.id, task.utilities_measurement_task_id, mdus.clock.now()))


@role("5", "interval upload", "Allocate a profile to an interval register, its values stored in SAP.")
async def upload(mdus: FakeMdus) -> None:
    """Yesterday is uploaded, then replaced."""
    series = await mdus.hears(SeriesAssigned, lambda one: not one.utilities_time_series.items_remotely_stored_indicator)
    await initialization(mdus)
    content = series.utilities_time_series
    for change, amount in ((False, Decimal("0.1")), (True, Decimal("0.15"))):
        items = _yesterday(mdus, content.utilities_measurement_recurrence_code, content.measure_unit_code, amount)
        await mdus.confirmed(await mdus.upload(content.id, items, change=change))


@role("5", "interval upload by point of delivery", "Assign an interval register to a point of delivery.")
async def upload_by_point(mdus: FakeMdus) -> None:
    """The same without a profile number; nothing confirms it."""
    series = (await mdus.hears(SeriesAssigned)).utilities_time_series
    tasks = {one.utilities_measurement_task_id.lstrip("0") for one in series.measurement_task_assignment_role}
    told = await mdus.hears(PointAssigned, lambda one: one.utilities_measurement_task.id.lstrip("0") in tasks)
    await initialization(mdus)
    content = told.utilities_measurement_task
    point = content.utilities_point_of_delivery_assignment[0].utilities_point_of_delivery_party_id
    items = _yesterday(mdus, series.utilities_measurement_recurrence_code, series.measure_unit_code, Decimal("0.1"))
    await mdus.upload_by_point(point, content.utilities_object_identification_system_code_text or "", items)


@role("7", "disconnection and reconnection", "Order a disconnection or a reconnection.")
async def switching(mdus: FakeMdus) -> None:
    """It is done at once."""
    await mdus.hears(Switch)


@role("9", "events", "Install a device: a tamper event of it comes.")
async def events(mdus: FakeMdus) -> None:
    """A cover was opened."""
    await _event(mdus, in_bulk=True)


@role("9", "events one by one", "Install a device: an event comes in a message of its own.")
async def single_events(mdus: FakeMdus) -> None:
    """The same, not in bulk."""
    await _event(mdus, in_bulk=False)


_hears(
    *("2", "change of technical master data", "Change a device, its registers or its time of use."),
    device.UtilitiesDeviceERPSmartMeterChangeRequest,
    register.UtilitiesDeviceERPSmartMeterRegisterChangeRequest,
)
_hears("2", "replication", "Send devices again.", inferred_device.UtilitiesDeviceERPSmartMeterReplicationRequest)
_hears(
    *("3", "cancelled reading orders", "Withdraw a reading order. Nothing is read if only withdrawals are played."),
    reading_order.SmartMeterMeterReadingDocumentERPCancellationRequest,
    reading_order.SmartMeterMeterReadingDocumentERPBulkCancellationRequest,
    holds_back=True,
)
_hears(
    *("3", "readings known to SAP", "Enter or correct a reading by hand, or install with one."),
    reading_result.SmartMeterMeterReadingDocumentERPResultCreateRequest,
    inferred_reading_result.SmartMeterMeterReadingDocumentERPResultChangeRequest,
)
_hears(
    *("6", "usage calculation", "Request quantities of a profile."),
    inferred_calculation.UtilitiesTimeSeriesCalculationERPCreateRequest,
)
_hears(
    *("7", "withdrawn switching", "Withdraw a switching order. Nothing is switched if only withdrawals are played."),
    SwitchCancel,
    holds_back=True,
)
_hears(
    *("10", "operational state", "Ask for the state of a device."),
    inferred_device.UtilitiesDeviceERPSmartMeterOperationalStateByIDQuery,
)
_hears("5", "series stored in MDUS", "Show the values of a series.", time_series.UtilitiesTimeSeriesItemByIDQuery)
_hears("11", "text messages", "Send a text.", inferred_device.UtilitiesDeviceERPSmartMeterTextNotification)
_hears(
    *("13", "removal and replacement", "Remove or replace a device."),
    location.UtilitiesDeviceERPSmartMeterLocationNotification,
    where=lambda one: any(
        place.modification_information and place.modification_information.remove_date
        for place in one.utilities_device.location
    ),
)


async def _event(mdus: FakeMdus, *, in_bulk: bool) -> None:
    await initialization(mdus)
    number = mdus.sent_items(Registered)[0].utilities_device.id
    (told,) = await mdus.tell((number, TAMPER), in_bulk=in_bulk)
    await mdus.confirmed(told)


async def _taken(mdus: FakeMdus, kind: type[Any], subject: Callable[[Any], object]) -> None:
    """Wait until the back office has taken a message of ours of a kind that has a subject."""
    sent = await mdus.until(lambda: [one for one in mdus.sent_items(kind) if subject(one)], kind.__name__)
    await mdus.confirmed(sent[0])


def _yesterday(mdus: FakeMdus, recurrence: str | None, unit: str | None, amount: Decimal) -> list[Item]:
    """Items of the UTC day before today: whole, whatever the interval."""
    interval = timedelta(seconds=_interval_s(recurrence))
    start = datetime.combine(mdus.clock.now().date() - timedelta(days=1), time(), tzinfo=UTC)
    status = Item.ItemStatus(utilities_time_series_item_type_code=code_tables()["item_statuses"].named("valid").code)
    return [
        Item(
            quantity=Quantity(value=amount, unit_code=unit or "KWH"),
            utc_validity_start_date_time=start + interval * place,
            utc_validity_end_date_time=start + interval * (place + 1),
            item_status=(status,),
        )
        for place in range(timedelta(days=1) // interval)
    ]


def _interval_s(recurrence: str | None) -> int:
    found = code_tables()["recurrences"].of(recurrence or "15").values.get("interval_s")
    return int(found) if found else 900
