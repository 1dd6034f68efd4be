"""What the MDUS tells and asks over the field seam; each message is answered in the transaction that takes it.

Master data may come in any order and more than once: what a message says is taken if it is newer than what is known,
and answered OK; only a meter that no shipment brought is refused (2.4).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from openami.ami.headend import store
from openami.ami.headend.deliveries import AFTER_REMOVAL
from openami.ami.headend.model import Kind
from openami.shared.contract import field
from openami.shared.contract.field.errors import MissingInPayloadError
from openami.shared.database import after_commit
from openami.shared.spans import local_midnight

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import date

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import Clock

    Handler = Callable[[AsyncConnection, field.Envelope], Awaitable[field.Envelope]]

UNKNOWN_METER: Final = "2.4"
NOT_SUPPORTED: Final = "2.9"
PERIOD_MIN_S: Final = 900
"""Oftener than every quarter of an hour no load profile has anything new."""
# A meter that is provisioned but not linked to a point yet: the link normally follows at once.
LINK_EXPECTED: Final = timedelta(minutes=1)


class Provisioning:
    """Takes master data from the MDUS and says at once whether it was taken."""

    def __init__(self, clock: Clock, *, source: str, zone_name: str, schedule_wake: asyncio.Event) -> None:
        self._clock = clock
        self._source = source
        self._zone_name = zone_name
        self._wake = schedule_wake

    def handlers(self) -> dict[tuple[field.Verb, str], Handler]:
        """Which message goes where."""
        create, change, close = field.Verb.CREATE, field.Verb.CHANGE, field.Verb.CLOSE
        delete = field.Verb.DELETE
        return {
            (create, field.UsagePointConfig.NOUN): self.points,
            (change, field.UsagePointConfig.NOUN): self.points,
            (create, field.MeterConfig.NOUN): self.meters,
            (change, field.MeterConfig.NOUN): self.meters,
            (create, field.MasterDataLinkageConfig.NOUN): self.link,
            (change, field.MasterDataLinkageConfig.NOUN): self.link,
            (close, field.MasterDataLinkageConfig.NOUN): self.unlink,
            (delete, field.MasterDataLinkageConfig.NOUN): self.unlink,
            (create, field.MeterReadSchedule.NOUN): self.schedule,
            (change, field.MeterReadSchedule.NOUN): self.schedule,
            (close, field.MeterReadSchedule.NOUN): self.unschedule,
            (field.Verb.CANCEL, field.MeterReadSchedule.NOUN): self.unschedule,
        }

    async def points(self, transaction: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """Usage points: kept for the names they give, nothing is read for a point alone."""
        payload = payload_of(message, field.UsagePointConfig)
        for each in payload.usage_points:
            label = each.identity.label()
            await store.keep_point(transaction, each.mrid or label, label, message.header.timestamp)
        return self._reply(message, ())

    async def meters(self, transaction: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """Meters: known ones are provisioned or changed, others are refused one by one."""
        errors = []
        for each in payload_of(message, field.MeterConfig).meters:
            serial = each.serial_number or each.identity.name("SerialNumber")
            row = await self._find(transaction, each.identity, serial)
            if row is None:
                errors.append(_unknown(serial or each.identity.label()))
            else:
                await self._configure(transaction, row, each, message.header.timestamp)
        return self._reply(message, errors)

    async def link(self, transaction: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """Meters belong to a point from an instant on: their data count from there, and reading begins."""
        payload = payload_of(message, field.MasterDataLinkageConfig)
        now = self._clock.now()
        effective = _effective(payload) or now
        point = payload.usage_points[0].label() if payload.usage_points else None
        errors = []
        for identity in (*payload.meters, *payload.devices):
            row = await self._find(transaction, identity)
            if row is None:
                errors.append(_unknown(identity.label()))
                continue
            values: dict[str, object] = {"usage_point": point, "installed_at": effective, "removed_at": None}
            if row.linked_at is not None and row.removed_at is None:
                values["installed_at"] = min(row.installed_at or effective, effective)
            await self._change(
                transaction, row, linked_at=now, next_due_at=self._first_due(row, max(effective, now)), **values
            )
        return self._reply(message, errors)

    async def unlink(self, transaction: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """Meters no longer belong to a point: they are read once more, then left alone."""
        payload = payload_of(message, field.MasterDataLinkageConfig)
        now = self._clock.now()
        errors = []
        for identity in (*payload.meters, *payload.devices):
            row = await self._find(transaction, identity)
            if row is None:
                errors.append(_unknown(identity.label()))
                continue
            removed_at = _effective(payload) or now
            await self._change(transaction, row, removed_at=removed_at, next_due_at=self._last_due(row, removed_at))
        return self._reply(message, errors)

    async def schedule(self, transaction: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """When meters are read: every day, or at intervals of an hour, say; other patterns are taken as daily."""
        payload = payload_of(message, field.MeterReadSchedule)
        wanted = payload.schedules[0] if payload.schedules else field.TimeSchedule()
        disabled = bool(wanted.disabled)
        period_s = wanted.recurrence_period_s if wanted.recurrence_pattern == "interval" else None
        if period_s is not None and not PERIOD_MIN_S <= period_s <= 86400:
            reason = f"Meters are read every {PERIOD_MIN_S} to 86400 s, not every {period_s} s."
            return self._reply(message, [field.FieldError.of(NOT_SUPPORTED, reason)])
        return await self._reschedule(
            transaction, message, payload.devices, wanted.offset_s, period_s, disabled=disabled
        )

    async def unschedule(self, transaction: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """These meters are not read regularly any more."""
        payload = payload_of(message, field.MeterReadSchedule)
        return await self._reschedule(transaction, message, payload.devices, None, None, disabled=True)

    async def _reschedule(
        self,
        transaction: AsyncConnection,
        message: field.Envelope,
        devices: Sequence[field.Identity],
        offset_s: int | None,
        period_s: int | None,
        *,
        disabled: bool,
    ) -> field.Envelope:
        errors = []
        for identity in devices:
            row = await self._find(transaction, identity)
            if row is None:
                errors.append(_unknown(identity.label()))
                continue
            due = None if disabled else self._first_due(row, self._clock.now())
            await self._change(
                transaction, row, offset_s=offset_s, period_s=period_s, schedule_disabled=disabled, next_due_at=due
            )
        return self._reply(message, errors)

    async def _configure(
        self, transaction: AsyncConnection, row: Row[Any], meter: field.Meter, stated_at: datetime
    ) -> None:
        if row.configured_at is not None and stated_at < row.configured_at:
            return  # an older word that was overtaken
        now = self._clock.now()
        life = meter.lifecycle or field.Lifecycle()
        installed = self._midnight(life.installation) if life.installation else row.installed_at
        values: dict[str, object] = {
            "mrid": meter.mrid or row.mrid,
            "configured_at": stated_at,
            "provisioned_at": row.provisioned_at or now,
        }
        if row.linked_at is None:
            values["installed_at"] = installed  # a link says it to the second, a lifecycle only to the day
        if life.removal is not None and row.removed_at is None:
            removed_at = self._midnight(life.removal + timedelta(days=1))
            values |= {"removed_at": removed_at, "next_due_at": self._last_due(row, removed_at)}
        elif row.next_due_at is None and row.removed_at is None and not row.schedule_disabled:
            values["next_due_at"] = self._first_due(row, max(installed or now, now) + LINK_EXPECTED)
        await self._change(transaction, row, **values)

    def _first_due(self, row: Row[Any], wanted: datetime) -> datetime | None:
        """When a two-way meter is read next: no later than it would be anyway; one-way meters speak for themselves."""
        if row.kind != Kind.ELECTRICITY:
            return None
        return wanted if row.next_due_at is None else min(row.next_due_at, wanted)

    def _last_due(self, row: Row[Any], removed_at: datetime) -> datetime | None:
        now = self._clock.now()
        if row.kind != Kind.ELECTRICITY or now > removed_at + AFTER_REMOVAL:
            return None
        return max(now, min(removed_at, row.next_due_at or removed_at))

    async def _find(
        self, transaction: AsyncConnection, identity: field.Identity, serial: str | None = None
    ) -> Row[Any] | None:
        names = [each.name for each in identity.names] + ([serial] if serial else [])
        return await store.meter_row_of(transaction, mrid=identity.mrid, names=names)

    async def _change(self, transaction: AsyncConnection, row: Row[Any], **values: object) -> None:
        await store.change_meter(transaction, row.serial, **values)
        after_commit(transaction, self._wake)

    def _midnight(self, day: date) -> datetime:
        return local_midnight(self._zone_name, day)

    def _reply(self, message: field.Envelope, errors: Sequence[field.FieldError]) -> field.Envelope:
        return reply(message, errors, source=self._source, at=self._clock.now())


def reply(message: field.Envelope, errors: Sequence[field.FieldError], *, source: str, at: datetime) -> field.Envelope:
    """OK, or FAILED when any object was refused: the sender repeats the whole message after mending it."""
    refused = (*errors, *field.errors_of(message.refusals))
    result = field.Result.FAILED if refused else field.Result.OK
    return field.reply_to(message.header, source=source, at=at, result=result, errors=refused)


def _unknown(name: str) -> field.FieldError:
    return field.FieldError.of(UNKNOWN_METER, f"No shipment brought a meter {name}.", name=name, kind="Meter")


def _effective(payload: field.MasterDataLinkageConfig) -> datetime | None:
    found = payload.configuration.effective if payload.configuration else None
    return found.astimezone(UTC) if found else None


_P = TypeVar("_P")


def payload_of(message: field.Envelope, kind: type[_P]) -> _P:
    """The payload of a message, which must be of this noun."""
    if not isinstance(message.payload, kind):
        raise MissingInPayloadError(
            f"{message.header.verb.value} {message.header.noun} carries no {kind.__name__}.", hint="Send the payload."
        )
    return message.payload
