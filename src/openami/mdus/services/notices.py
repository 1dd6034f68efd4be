"""Events to the back office: filtered and classified by the mapping table, in one message a delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from openami.mdus.events import rules, store
from openami.mdus.events.model import DeviceEvent, EnterpriseCodes, Forwarding
from openami.mdus.registry.ids import bare
from openami.mdus.registry.store import load_devices
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages.event import (
    ObjectPropertyValue,
    UtilitiesSmartMeterEventERPCreateRequest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.model import Device
    from openami.mdus.services.desk import Desk
    from openami.mdus.services.order_model import ReadingOrder
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import Log

EVENTS_A_MESSAGE: Final = 200
READING_FAILED: Final = "order.reading_failed"


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
        for first in range(0, len(wanted), EVENTS_A_MESSAGE):
            part = wanted[first : first + EVENTS_A_MESSAGE]
            messages = [self._message(one, codes, devices[bare(one.device)]) for one, codes in part]
            key = f"events of device {part[0][0].device}"
            for whole in messages if self.one_by_one else [bulk(messages, self.desk.header())]:
                await self.desk.send(tx, whole, key)
        await store.mark(tx, {one.enterprise_id: (Forwarding.SENT, "") for one, _ in wanted})
        return new

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

    async def confirmed(self, tx: AsyncConnection, identifier: str, log: Log) -> None:
        """The back office has taken or refused an event."""
        outcome = Forwarding.CONFIRMED if logs.is_success(log) else Forwarding.REFUSED
        await store.mark(tx, {identifier: (outcome, logs.notes(log))})

    def _message(
        self, event: DeviceEvent, codes: EnterpriseCodes, device: Device
    ) -> UtilitiesSmartMeterEventERPCreateRequest:
        content = UtilitiesSmartMeterEventERPCreateRequest.UtilitiesSmartMeterEvent
        texts = {"NAME": event.name, "TEXT": event.reason, "REF": event.tracking_id}
        return UtilitiesSmartMeterEventERPCreateRequest(
            message_header=self.desk.header(),
            utilities_smart_meter_event=content(
                id=event.enterprise_id,
                utilities_device_id=device.id,
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
