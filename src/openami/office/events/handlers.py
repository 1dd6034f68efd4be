"""Events in: kept once by their id, classified, confirmed; tampering opens a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openami.office.commands import BadFieldError, Command, record
from openami.office.devices.model import UnknownDeviceError
from openami.office.devices.store import device_by_id
from openami.office.events.model import classify
from openami.office.events.store import add_event, close_case, open_case
from openami.office.readings.errors import UnknownEventDevice
from openami.office.services.letters import answer
from openami.shared.contract.enterprise import logs

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.shared.contract.enterprise.messages.common import Log
    from openami.shared.contract.enterprise.messages.event import (
        UtilitiesSmartMeterEventERPBulkCreateRequest as EventBulk,
    )
    from openami.shared.contract.enterprise.messages.event import (
        UtilitiesSmartMeterEventERPCreateRequest as Event,
    )

CASE_DIGITS_MAX: Final = 18  # what a number of the database can have


async def on_event_bulk(office: Office, transaction: AsyncConnection, message: EventBulk) -> None:
    """Many events; each is taken or refused by itself."""
    taken = [await _take(office, transaction, item) for item in message.items]
    await answer(office, transaction, message, taken, business_key="events")


async def on_event(office: Office, transaction: AsyncConnection, message: Event) -> None:
    """One event."""
    await answer(office, transaction, message, await _take(office, transaction, message), business_key="events")


async def close(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """A person has dealt with a case.

    Raises:
        BadFieldError: there is no open case of this number.
    """
    number = command.text("case")
    if (
        not number.isdecimal()
        or len(number) > CASE_DIGITS_MAX
        or not await close_case(transaction, int(number), command.text("why"), office.clock.now())
    ):
        raise BadFieldError(f"There is no open case {number}.", hint="See GET /api/events.")
    await record(office, transaction, command, f"case {number}", before="open", after="closed")
    return {"case": int(number), "state": "closed"}


async def _take(office: Office, transaction: AsyncConnection, message: Event) -> Log:
    event = message.utilities_smart_meter_event
    try:
        device = await device_by_id(transaction, event.utilities_device_id) if event.utilities_device_id else None
    except UnknownDeviceError as unknown:
        return logs.failed(UnknownEventDevice(unknown.found))
    known = classify(office.codes, event.type_code)
    detail = "; ".join(
        each.object_property_value.text for each in event.property if each.object_property_value.text is not None
    )
    new = await add_event(
        transaction,
        id=event.id,
        device_id=device.id if device else None,
        at=event.date_time,
        category=event.category_code or "",
        type=event.type_code,
        severity=event.severity_code,
        origin=event.origin_type_code or "",
        meaning=known.meaning,
        detail=detail,
        recorded_at=office.clock.now(),
    )
    if new and known.case:
        await open_case(
            transaction,
            kind=known.case,
            device_id=device.id if device else None,
            event_id=event.id,
            note=f"{known.meaning} {detail}".strip(),
            at=office.clock.now(),
        )
    return logs.success()
