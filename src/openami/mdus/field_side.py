"""The middle on the field seam: what an AMS delivers, reports, discovers and answers.

Every handler runs in the transaction that also stores the answer, so that a repeat gets the same bytes and does
nothing. What a delivery brings for meters that nobody registered is kept raw and refused part by part.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog
from sqlalchemy import select

from openami.mdus import ams, provisioning
from openami.mdus.events import rules as event_rules
from openami.mdus.registry import store
from openami.mdus.registry.tables import among, device_table
from openami.mdus.services import upkeep_store
from openami.mdus.services.upkeep import TEXT
from openami.mdus.tables import seam
from openami.shared.contract import field
from openami.shared.contract.field.errors import MissingInPayloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.commands.handlers import Commands
    from openami.mdus.flow import Flow
    from openami.mdus.registry.model import Device
    from openami.mdus.services.master_data import MasterData
    from openami.mdus.services.notices import Notices
    from openami.shared.clock import Clock
    from openami.shared.seam import Envelope as Sent

    Handler = Callable[[AsyncConnection, field.Envelope], Coroutine[Any, Any, field.Envelope]]

log = structlog.get_logger()

SWITCH_EVENTS: Final = ("switch.connected", "switch.disconnected", "switch.failed")
READ_BACK: Final = "read-back:"
COMMAND: Final = "command:"


@dataclass(slots=True)
class FieldSide:
    """The handlers of the field door."""

    clock: Clock
    flow: Flow
    master_data: MasterData
    provisioner: provisioning.Provisioner
    commands: Commands
    notices: Notices

    def handlers(self) -> dict[tuple[field.Verb, str], Handler]:
        """Which message goes where."""
        created, changed, reply = field.Verb.CREATED, field.Verb.CHANGED, field.Verb.REPLY
        readings, events = field.MeterReadings.NOUN, field.EndDeviceEvents.NOUN
        table: dict[tuple[field.Verb, str], Handler] = {
            (created, readings): self.readings,
            (changed, readings): self.readings,
            (reply, readings): self.readings,
            (created, events): self.events,
            (reply, field.EndDeviceControls.NOUN): self.control_reply,
        }
        for verb in (created, changed):
            table[verb, field.MeterConfig.NOUN] = self.discovered
            for noun in (field.EndDeviceControls.NOUN, field.UsagePointConfig.NOUN, field.MeterReadSchedule.NOUN):
                table[verb, noun] = self.noted
        return table

    async def readings(self, tx: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """Readings: by schedule, corrected, or as the answer to a question of ours."""
        header = message.header
        question = await self._question(tx, header) if header.verb is field.Verb.REPLY else ""
        if not isinstance(message.payload, field.MeterReadings):
            if header.verb is field.Verb.REPLY:
                return self._answer(message, ())  # an answer without data: whoever asked looks again in time
            raise MissingInPayloadError(f"{header.verb.value} {header.noun} carries no MeterReadings.")
        body = await self._body(tx, message)
        refused = await self._deliver(tx, message, body, ordered=question.startswith(READ_BACK))
        return self._answer(message, field.errors_of(refused))

    async def events(self, tx: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """Events of devices; those of unknown devices are refused, one by one."""
        payload = message.payload
        if not isinstance(payload, field.EndDeviceEvents):
            raise MissingInPayloadError(f"{message.header.verb.value} {message.header.noun} carries no events.")
        unknown = await self.take_events(tx, payload.events, message.header.source)
        return self._answer(message, (*field.errors_of(message.refusals, kind="EndDevice"), *unknown))

    async def discovered(self, tx: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """The AMS has found meters, or tells where they hang: the back office may be told of them."""
        payload = message.payload
        if not isinstance(payload, field.MeterConfig):
            raise MissingInPayloadError(f"{message.header.verb.value} {message.header.noun} carries no MeterConfig.")
        identities = [one.identity for one in payload.meters]
        found = await self._devices(tx, identities)
        routers = {one.mrid: one.amr_router for one in payload.com_functions if one.mrid and one.amr_router}
        for meter, device in zip(payload.meters, found, strict=True):
            router = next((routers[one] for one in meter.com_functions if one in routers), None)
            if device is not None and router:
                await store.set_transformer(tx, device.id, router)
        await self.master_data.reported(tx, [one.id for one in found if one])
        errors = [_unknown(identity) for identity, device in zip(identities, found, strict=True) if device is None]
        return self._answer(message, errors)

    async def control_reply(self, tx: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """The AMS is through with an order; only a refusal decides anything, execution is proven otherwise."""
        stated = message.reply
        identifier = _uuid(message.header.correlation_id)
        if stated is not None and identifier is not None:
            await self._command_answered(tx, identifier, stated)
        return self._answer(message, ())

    async def noted(self, _tx: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """An echo of what we know already."""
        return self._answer(message, ())

    async def answered(self, tx: AsyncConnection, sent: Sent, answer: field.Envelope) -> None:
        """What an AMS said at once to a message of ours."""
        stated = answer.reply
        if stated is None:
            return
        if sent.business_key.startswith(provisioning.PREFIX):
            device = await self.provisioner.answered(tx, sent.business_key, stated)
            if device is not None:
                await self.master_data.provision_next(tx, [device])
        elif sent.business_key.startswith(COMMAND):
            identifier = _uuid(sent.business_key.removeprefix(COMMAND))
            if identifier is not None:
                await self._command_answered(tx, identifier, stated)
        elif sent.business_key.startswith(TEXT):
            shown = stated.result is field.Result.OK
            note = "; ".join(error.reason or error.code for error in stated.errors if error.is_error)
            identifier = _uuid(sent.business_key.removeprefix(TEXT))
            await upkeep_store.text_answered(tx, identifier, state="taken" if shown else "refused", note=note)
        elif isinstance(answer.payload, field.MeterReadings):
            ordered = sent.business_key.startswith(READ_BACK)
            await self._deliver(tx, answer, field.encode(answer), ordered=ordered)

    async def replay(self, tx: AsyncConnection, digest: str) -> tuple[field.Refusal, ...]:
        """Take a kept delivery once more, when the cause of its refusals was mended; what is still refused stays noted.

        Raises:
            UnknownDeliveryError: no delivery is kept under this hash.
        """
        body = await asyncio.to_thread(self.flow.raw.fetch, digest)
        return await self._deliver(tx, field.decode(body), body, ordered=False)

    async def _deliver(
        self, tx: AsyncConnection, message: field.Envelope, body: bytes, *, ordered: bool
    ) -> tuple[field.Refusal, ...]:
        payload, positions = without_positions(message.payload)  # type: ignore[arg-type]
        header = message.header
        delivered = await self.flow.deliver(
            tx,
            payload,
            body=body,
            source=header.source or "AMS",
            cause=f"{header.verb.value} {header.noun}",
            refusals=message.refusals,
        )
        await self.take_events(tx, delivered.events, header.source)
        devices = await self._devices(tx, [identity for identity, _ in positions])
        for device, (_, reading) in zip(devices, positions, strict=True):
            if device is not None and reading.value is not None:
                closed = reading.value != 0
                await self.commands.saw_position(tx, device.id, closed=closed, at=reading.at, ordered=ordered)
        return delivered.refusals

    async def take_events(
        self, tx: AsyncConnection, events: Sequence[field.EndDeviceEvent], source: str
    ) -> list[field.FieldError]:
        """Keep events of known devices and act on them; an error for each of the others."""
        devices = await self._devices(tx, [one.device or field.Identity() for one in events])
        known = [(event, device) for event, device in zip(events, devices, strict=True) if device is not None]
        new = await self.notices.take(tx, [event_rules.from_field(device, event, source) for event, device in known])
        for one in new:
            if one.name in SWITCH_EVENTS:
                await self.commands.saw_event(tx, one.device, one.name, one.occurred_at)
        return [
            _unknown(event.device or field.Identity(), kind="EndDevice")
            for event, device in zip(events, devices, strict=True)
            if device is None
        ]

    async def _command_answered(self, tx: AsyncConnection, command: UUID, stated: field.Reply) -> None:
        refused = [error for error in stated.errors if error.is_error]
        failed = stated.result is not field.Result.OK
        reason = "; ".join(f"{error.code} {error.reason or ''}".strip() for error in refused) or stated.result.value
        await self.commands.answered(tx, command, failed=f"The AMS says: {reason}" if failed else None)

    async def _devices(self, tx: AsyncConnection, identities: Sequence[field.Identity]) -> list[Device | None]:
        """The device of each identity: by mRID, else by its first name that one device has."""
        keys = await store.keys_by_name(tx, [name for one in identities for name in _names(one)])
        of_each = [next((keys[name] for name in _names(one) if name in keys), None) for one in identities]
        devices = await store.load_devices(tx, [key for key in of_each if key])
        return [devices.get(key) if key else None for key in of_each]

    async def _question(self, tx: AsyncConnection, header: field.Header) -> str:
        """The business key under which we asked what this message answers."""
        identifier = _uuid(header.correlation_id)
        query = select(seam.outbox.c.business_key).where(seam.outbox.c.reference_id == identifier)
        return await tx.scalar(query.order_by(seam.outbox.c.sequence.desc()).limit(1)) or ""

    async def _body(self, tx: AsyncConnection, message: field.Envelope) -> bytes:
        """The very bytes that came, as the inbox has just kept them."""
        identifier = _uuid(message.header.message_id) or uuid5(NAMESPACE_OID, message.header.message_id)
        query = select(seam.inbox.c.body).where(seam.inbox.c.seam == "field", seam.inbox.c.id == identifier)
        body: bytes | None = await tx.scalar(query.order_by(seam.inbox.c.sequence.desc()).limit(1))
        return body if body is not None else field.encode(message)

    def _answer(self, message: field.Envelope, errors: Sequence[field.FieldError]) -> field.Envelope:
        """OK, or PARTIAL with an error for each refused part: all of it is kept, nothing has to be sent again."""
        result = field.Result.PARTIAL if errors else field.Result.OK
        return field.reply_to(message.header, source=ams.SOURCE, at=self.clock.now(), result=result, errors=errors)


def without_positions(
    payload: field.MeterReadings,
) -> tuple[field.MeterReadings, list[tuple[field.Identity, field.Reading]]]:
    """Positions of breakers apart from what is kept as a series."""
    positions = [
        (one.meter or field.Identity(), reading)
        for one in payload.readings
        for reading in one.readings
        if reading.reading_type == ams.SWITCH_POSITION
    ]
    if not positions:
        return payload, []
    rest = tuple(
        replace(one, readings=tuple(each for each in one.readings if each.reading_type != ams.SWITCH_POSITION))
        for one in payload.readings
    )
    return field.MeterReadings(tuple(one for one in rest if one.readings or one.blocks or one.events)), positions


async def transformers_of(tx: AsyncConnection, devices: Iterable[str]) -> dict[str, str]:
    """The transformer that each device (bare id) hangs behind, as far as its AMS has told."""
    table = device_table
    query = select(table.c.device_key, table.c.transformer).where(among(table.c.device_key, list(devices)))
    return {row.device_key: row.transformer for row in await tx.execute(query) if row.transformer}


def _names(identity: field.Identity) -> list[str]:
    return ([identity.mrid] if identity.mrid else []) + [one.name for one in identity.names]


def _unknown(identity: field.Identity, *, kind: str = "Meter") -> field.FieldError:
    label = identity.label()
    return field.FieldError.of("2.4", f"Nobody registered {label}.", name=label, kind=kind)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
