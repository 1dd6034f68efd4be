"""Interval upload: what changed in the series since the last look goes to the back office, exactly once.

Fed by the change feed, whose cursor moves in the transaction that puts the messages into the outbox. A profile that is
assigned after values were stored gets them as a backlog, as far as the cursor had passed them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
import structlog
from sqlalchemy import BigInteger, Column, DateTime, Identity, Integer, Table, Text, Uuid, func, select

from openami.mdus.duties import done_until, note_done
from openami.mdus.registry import profiles
from openami.mdus.registry.channel_store import channels_by_id, channels_of_tasks
from openami.mdus.registry.ids import bare
from openami.mdus.registry.store import load_devices
from openami.mdus.registry.tables import among
from openami.mdus.series import ChannelDays
from openami.mdus.series import tables as series_tables
from openami.mdus.series.calendar import instant_of
from openami.mdus.series.feed import pending_changes, take_changes
from openami.mdus.series.knowledge import NOTHING, Knowledge
from openami.mdus.services.upload_rules import Feed, Items, bundles, items_of, rows_of_each, uncovered
from openami.mdus.tables import metadata
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.interval_columns import IntervalColumns, Words
from openami.shared.contract.enterprise.messages.common import PointOfDelivery
from openami.shared.contract.enterprise.messages.inferred_time_series import (
    UtilitiesTimeSeriesERPItemNotification as ItemNotification,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPItemChangeRequest,
    UtilitiesTimeSeriesERPItemCreateRequest,
)
from openami.shared.database import given, update_rows
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device, Profile
    from openami.mdus.series import Series
    from openami.mdus.series.lake import Lake
    from openami.mdus.services.codes import EnterpriseCodes
    from openami.mdus.services.desk import Desk
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import Log

log = structlog.get_logger()

CONSUMER: Final = "office"
NAME: Final = "uploads"

upload_table: Final = Table(
    "upload",
    metadata,
    Column("message", Uuid, primary_key=True),
    Column("profile", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("items", Integer, nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("sent_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("note", Text, nullable=False, server_default=""),
)
backlog_table: Final = Table(
    "upload_backlog",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("profile", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("end_at", DateTime(timezone=True), nullable=False),
)
_CONFIRM: Final = update_rows(upload_table, ("message", "state", "note"), key="message").returning(
    upload_table.c.message
)


@dataclass(frozen=True, slots=True)
class Uploads:
    """The desk for interval uploads."""

    desk: Desk
    clock: Clock
    codes: EnterpriseCodes
    series: Series
    lake: Lake | None = None
    every: timedelta = timedelta()
    items_a_message: int = 5_000
    changes_a_turn: int = 2_000
    by_point: bool = False
    """Series are named by point of delivery and OBIS code (operation 76), not by profile number."""

    async def act(self, tx: AsyncConnection) -> int:
        """Send what changed since the last turn; returns how much was looked at."""
        status_index, statuses = self.codes.status_index()
        items = await self._backlog(tx, status_index)
        changes = await take_changes(tx, CONSUMER, self.changes_a_turn, lake=self.lake)
        for change in changes:
            rows = rows_of_each(change.after.channel)
            for feed in await self._feeds(tx, list(rows)):
                mine = rows[feed.channel]
                items += items_of(feed, change.before.rows(mine), change.after.rows(mine), status_index)
        for replaces in (False, True):
            for part in bundles([one for one in items if one.replaces is replaces], self.items_a_message):
                await self._send(tx, part, statuses)
        if items and not await self.pending(tx):  # what is left leaves at once, not after the pause
            await note_done(tx, NAME, self.clock.now())
        return 1 + sum(len(one.after) for one in changes)

    async def due(self, tx: AsyncConnection) -> datetime | None:
        """At once after a pause, else so long after the last upload that many changes leave together."""
        if not await self.pending(tx):
            return None
        last = await done_until(tx, NAME)
        return self.clock.now() if last is None else max(self.clock.now(), last + self.every)

    async def pending(self, tx: AsyncConnection) -> int:
        """How many channel-days and assignments have not been looked at."""
        waiting = await tx.scalar(select(func.count()).select_from(backlog_table))
        return await pending_changes(tx, CONSUMER) + int(waiting or 0)

    async def assigned(self, tx: AsyncConnection, before: Profile | None, after: Profile) -> None:
        """A profile has new assignments: what is stored of them already has to follow."""
        rows = [
            {"profile": after.id, "task": role.task, "start_at": part.start, "end_at": part.end}
            for role in after.roles
            for part in uncovered(
                role.span, [one.span for one in (before.roles if before else ()) if bare(one.task) == bare(role.task)]
            )
        ]
        if rows:
            await tx.execute(backlog_table.insert(), rows)

    async def confirmed(self, tx: AsyncConnection, outcomes: Mapping[UUID, Log]) -> set[UUID]:
        """The back office has taken or refused uploads, by message; returns those that are ours."""
        if not outcomes:
            return set()
        good = [logs.is_success(one) for one in outcomes.values()]
        columns = {
            "message": list(outcomes),
            "state": ["confirmed" if one else "refused" for one in good],
            "note": ["" if fine else logs.notes(one) for fine, one in zip(good, outcomes.values(), strict=True)],
        }
        return set(await tx.scalars(_CONFIRM, given(columns)))

    async def _backlog(self, tx: AsyncConnection, status_index: NDArray[np.uint8]) -> list[Items]:
        rows = list(await tx.execute(backlog_table.delete().returning(backlog_table)))
        if not rows:
            return []
        query = select(series_tables.cursor.c.snapshot).where(series_tables.cursor.c.consumer == CONSUMER)
        known = Knowledge(await tx.scalar(query.with_for_update()) or NOTHING.snapshot)
        items: list[Items] = []
        horizon = self.clock.now() + timedelta(days=2)
        for row in rows:
            if row.start_at >= horizon:
                continue
            wanted = Span(row.start_at, min(row.end_at, horizon))
            for feed in await self._feeds_of(tx, [row.profile], [row.task], wanted):
                for days in await self.series.days(tx, [feed.channel], feed.calendar.days_of(feed.span), as_of=known):
                    nothing = ChannelDays.empty(days.channel, days.day, days.count)
                    items += items_of(feed, nothing, days, status_index)
        return items

    async def _feeds(self, tx: AsyncConnection, channels: Sequence[int]) -> list[Feed]:
        known = await channels_by_id(tx, channels)
        found = await profiles.profiles_of(tx, [one.task for one in known.values()])
        return self._made(known.values(), found, None)

    async def _feeds_of(
        self, tx: AsyncConnection, profile: Sequence[str], tasks: Sequence[str], span: Span
    ) -> list[Feed]:
        known = await profiles.load_profiles(tx, profile)
        return self._made(await channels_of_tasks(tx, tasks), list(known.values()), span)

    def _made(self, channels: Iterable[Channel], found: Sequence[Profile], within: Span | None) -> list[Feed]:
        by_task: dict[str, list[Channel]] = {}
        for channel in channels:
            if channel.interval_s:
                by_task.setdefault(bare(channel.task), []).append(channel)
        feeds = []
        for profile in found:
            if profile.remotely_stored:
                continue  # its values stay here: the back office asks for them, or for quantities (UC5 b)
            for role in profile.roles:
                span = role.span.overlap(within) if within else role.span
                if span is None:
                    continue
                feeds += [self._feed(profile, channel, span) for channel in by_task.get(bare(role.task), [])]
        return feeds

    def _feed(self, profile: Profile, channel: Channel, span: Span) -> Feed:
        unit_code = profile.unit_code or channel.unit.upper()
        power = self.codes.registry.unit(unit_code).power
        calendar = channel.calendar
        shift = channel.scale - power
        return Feed(
            channel.id, profile.id, span, calendar, unit_code, shift, channel.obis, channel.device, channel.task
        )

    async def _send(self, tx: AsyncConnection, part: Sequence[Items], statuses: Sequence[str]) -> None:
        if self.by_point:
            await self._notify(tx, part, statuses)
            return
        missing = statuses.index(self.codes.missing)
        messages = [_message(one, statuses, missing, self.desk.header()) for one in part]
        rows = [
            {
                "message": UUID(message.message_header.uuid),
                "profile": one.feed.profile,
                "kind": "change" if one.replaces else "create",
                "items": len(one),
                "first_at": instant_of(int(one.start_s.min())),
                "last_at": instant_of(int(one.start_s.max())),
                "sent_at": self.clock.now(),
                "state": "sent",
            }
            for one, message in zip(part, messages, strict=True)
        ]
        await tx.execute(upload_table.insert(), rows)
        await self.desk.send(tx, bulk(messages, self.desk.header()), f"profile {part[0].feed.profile}")

    async def _notify(self, tx: AsyncConnection, part: Sequence[Items], statuses: Sequence[str]) -> None:
        """Upload by point of delivery; the contract has no answer to it."""
        missing = statuses.index(self.codes.missing)
        devices = await load_devices(tx, [one.feed.device for one in part])
        messages = []
        for one in part:
            point = _point_of(devices[bare(one.feed.device)], one)
            if point is None:
                log.warning("upload.without_point", profile=one.feed.profile, device=one.feed.device)
                continue
            messages.append(_notification(one, point, _columns(one, statuses, missing), self.desk.header()))
        if messages:
            await self.desk.send(tx, bulk(messages, self.desk.header()), f"profile {part[0].feed.profile}")


async def counts(tx: AsyncConnection) -> dict[str, int]:
    """How many uploads are in each state."""
    query = select(upload_table.c.state, func.count()).group_by(upload_table.c.state)
    return {row[0]: int(row[1]) for row in await tx.execute(query)}


async def of_profiles(tx: AsyncConnection, numbers: Sequence[str], *, limit: int = 200) -> list[dict[str, Any]]:
    """The newest uploads of some profiles, for views."""
    query = select(upload_table).where(among(upload_table.c.profile, list(numbers)))
    rows = await tx.execute(query.order_by(upload_table.c.sent_at.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]


def _message(
    items: Items,
    statuses: Sequence[str],
    missing: int,
    head: Any,  # noqa: ANN401 - the header class
) -> UtilitiesTimeSeriesERPItemCreateRequest | UtilitiesTimeSeriesERPItemChangeRequest:
    kind = UtilitiesTimeSeriesERPItemChangeRequest if items.replaces else UtilitiesTimeSeriesERPItemCreateRequest
    series = kind.UtilitiesTimeSeries
    return kind(
        message_header=head,
        utilities_time_series=series(id=items.feed.profile, item=_columns(items, statuses, missing)),  # type: ignore[arg-type]
    )


def _columns(items: Items, statuses: Sequence[str], missing: int) -> IntervalColumns:
    """The items as columns, written without an object an interval; a missing value has a status and no quantity."""
    start = items.start_s.astype("datetime64[s]").astype("datetime64[us]")
    shift = items.feed.shift
    return IntervalColumns(
        start=start,
        end=(start + np.timedelta64(items.feed.calendar.interval_s, "s")).astype("datetime64[us]"),
        values=items.values * 10 ** max(shift, 0),
        decimals=max(-shift, 0),
        present=items.status != missing,
        unit=Words.same(items.feed.unit_code, len(items)),
        status=Words(tuple(statuses), items.status.astype(np.uint16)),
    )


def _point_of(device: Device, items: Items) -> str | None:
    """The point of delivery that a channel counts for when its first item begins."""
    at = instant_of(int(items.start_s.min()))
    own = [one for one in device.points if bare(one.task) == bare(items.feed.task)]
    return next((one.point for one in own if one.span.start <= at < one.span.end), own[-1].point if own else None)


def _notification(items: Items, point: str, columns: IntervalColumns, head: Any) -> ItemNotification:  # noqa: ANN401 - the header class
    series = ItemNotification.UtilitiesTimeSeries
    role = series.UtilitiesMeasurementTaskAssignmentRole(
        utilities_object_identification_system_code_text=items.feed.obis,
        utilities_point_of_delivery_external_identification=PointOfDelivery(utilities_point_of_delivery_party_id=point),
    )
    return ItemNotification(
        message_header=head,
        utilities_time_series=series(item=columns, utilities_measurement_task_assignment_role=role),  # type: ignore[arg-type]
    )
