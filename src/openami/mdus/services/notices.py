"""Events to the back office: filtered and classified by the mapping table, in one message a delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from openami.mdus.events import rules, store
from openami.mdus.events.model import DeviceEvent, EnterpriseCodes, Forwarding
from openami.mdus.registry.ids import DeviceId, bare
from openami.mdus.registry.store import load_devices
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.headers import message_key
from openami.shared.contract.enterprise.messages.event import (
    ObjectPropertyValue,
    UtilitiesSmartMeterEventERPCreateRequest,
)
from openami.shared.contract.enterprise.messages.location import (
    UtilitiesDeviceERPSmartMeterLocationNotification as Located,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.services.desk import Desk
    from openami.mdus.services.order_model import ReadingOrder
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import Log
    from openami.shared.contract.enterprise.model import HeadedMessage
    from openami.shared.errors import OpenAmiError

EVENTS_A_MESSAGE: Final = 200
READING_FAILED: Final = "order.reading_failed"
LOCATION_FAILED: Final = "order.location_failed"
NOTIFICATION_FAILED: Final = "order.notification_failed"


@dataclass(frozen=True, slots=True)
class Notices:
    """The desk for events."""

    desk: Desk
    clock: Clock
    table: Mapping[str, EnterpriseCodes] = field(default_factory=rules.enterprise_table)
    one_by_one: bool = False
    """Each event in a message of its own, for a back office that offers the single service only."""

    async def take(self, tx: AsyncConnection, events: Sequence[DeviceEvent]) -> list[DeviceEvent]:
        """Keep events, send on those that the back office wants; returns those that are new."""
        new = await store.keep(tx, events, self.clock.now())
        devices = await load_devices(tx, [one.device for one in new])
        wanted = [
            (one, codes)
            for one in new
            if (device := devices.get(bare(one.device)))
            and (codes := rules.enterprise_codes(one, device, self.table)) is not None
        ]
        await self._send(tx, wanted)
        return new

    async def refused(self, tx: AsyncConnection, items: Sequence[tuple[HeadedMessage, OpenAmiError]]) -> None:
        """Items of notifications were refused: the contract has no confirmation of them, so an event says why (UC1).

        It is told of devices that are not registered too, even of such as are not known here.
        """
        events = [self._refusal(item, reason, device) for item, reason in items for device in devices_named(item)]
        new = await store.keep(tx, events, self.clock.now())
        coded = [(one, self.table.get(one.name, self.table[rules.OTHER])) for one in new]
        await self._send(tx, [(one, codes) for one, codes in coded if codes.forward])

    async def reading_failed(self, tx: AsyncConnection, order: ReadingOrder) -> None:
        """An accepted reading order will have no result: the one way left to say so (enterprise services, fact 10)."""
        event = DeviceEvent(
            device=order.device,
            name=READING_FAILED,
            code=READING_FAILED,
            severity="warning",
            occurred_at=self.clock.now(),
            mrid=order.document,
            reason=order.note,
            tracking_id=order.document,
            source="MDUS",
        )
        await self.take(tx, [event])

    async def confirmed(self, tx: AsyncConnection, outcomes: Mapping[str, Log]) -> None:
        """The back office has taken or refused events."""
        states = {True: Forwarding.CONFIRMED, False: Forwarding.REFUSED}
        await store.mark(
            tx, {event: (states[logs.is_success(log)], logs.notes(log)) for event, log in outcomes.items()}
        )

    async def _send(self, tx: AsyncConnection, wanted: Sequence[tuple[DeviceEvent, EnterpriseCodes]]) -> None:
        for first in range(0, len(wanted), EVENTS_A_MESSAGE):
            part = wanted[first : first + EVENTS_A_MESSAGE]
            messages = [self._message(one, codes) for one, codes in part]
            key = f"events of device {part[0][0].device}"
            for whole in messages if self.one_by_one else [bulk(messages, self.desk.header())]:
                await self.desk.send(tx, whole, key)
        await store.mark(tx, {one.enterprise_id: (Forwarding.SENT, "") for one, _ in wanted})

    def _refusal(self, item: HeadedMessage, reason: OpenAmiError, device: str) -> DeviceEvent:
        name = LOCATION_FAILED if isinstance(item, Located) else NOTIFICATION_FAILED
        operation = type(item).__name__
        return DeviceEvent(
            device=DeviceId(device),
            name=name,
            code=name,
            severity="warning",
            occurred_at=self.clock.now(),
            mrid=f"{message_key(item.message_header)} {device}",
            reason=f"{operation} was refused: {reason.number} {reason}",
            tracking_id=item.message_header.uuid or item.message_header.id or "",
            source="MDUS",
        )

    def _message(self, event: DeviceEvent, codes: EnterpriseCodes) -> UtilitiesSmartMeterEventERPCreateRequest:
        content = UtilitiesSmartMeterEventERPCreateRequest.UtilitiesSmartMeterEvent
        texts = {"NAME": event.name, "TEXT": event.reason, "REF": event.tracking_id}
        return UtilitiesSmartMeterEventERPCreateRequest(
            message_header=self.desk.header(),
            utilities_smart_meter_event=content(
                id=event.enterprise_id,
                utilities_device_id=event.device or None,
                date_time=event.occurred_at,
                category_code=codes.category,
                type_code=codes.type,
                severity_code=codes.severity,
                origin_type_code=codes.origin,
                property=tuple(
                    content.Property(code=code, object_property_value=ObjectPropertyValue(text=text))
                    for code, text in texts.items()
                    if text
                ),
            ),
        )


def devices_named(item: Any) -> tuple[str, ...]:  # noqa: ANN401 - any notification
    """The devices that a notification of the back office is about; one empty id where it names none."""
    if (device := getattr(item, "utilities_device", None)) is not None:
        return (device.id,)
    if (task := getattr(item, "utilities_measurement_task", None)) is not None:
        return (task.utilities_device.utilities_device_id,)
    statuses = getattr(item.utilities_connection_status_change_request, "device_connection_status", ())
    return tuple(dict.fromkeys(one.utilities_device_id for one in statuses)) or ("",)
