"""Interval values that the back office sends: substitutes of its own, or history of a device that it brings along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openami.mdus.registry.channel_store import channels_of_tasks
from openami.mdus.registry.errors import RegistryError, UnknownTaskError
from openami.mdus.registry.ids import bare
from openami.mdus.series import Provenance, place
from openami.mdus.services.codes import ItemStatus
from openami.mdus.services.desk import not_yet
from openami.shared.errors import OpenAmiError
from openami.shared.quality import MISSING, Origin, Verdict, quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Profile
    from openami.mdus.services.codes import EnterpriseCodes
    from openami.mdus.services.desk import Verdict as Judged
    from openami.mdus.services.remote import RemoteSeries
    from openami.mdus.vee.handlers import Vee
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.inferred_time_series import (
        UtilitiesTimeSeriesItemCreateRequest as Item,
    )

QUALITIES = {
    ItemStatus.VALID: quality(Origin.MEASURED),
    ItemStatus.ESTIMATED: quality(Origin.SUBSTITUTED),
    ItemStatus.IMPLAUSIBLE: quality(Origin.MEASURED, Verdict.FV),
    ItemStatus.MISSING: MISSING,
}


class OffGridError(RegistryError):
    """A timestamp that is not on the interval grid, or outside every assignment."""

    number = "4010"
    category = "PRE.VAE"


class ValueUnitError(RegistryError):
    """A value in another unit than the profile, finer than the books hold, or absent without reason."""

    number = "4011"
    category = "PRE.VAE"


@dataclass(frozen=True, slots=True)
class Intake:
    """The desk for interval values of the back office."""

    clock: Clock
    codes: EnterpriseCodes
    remote: RemoteSeries
    vee: Vee

    async def take(self, tx: AsyncConnection, items: Sequence[Item]) -> list[Judged]:
        """Put the values of each series into its channels; they are judged like those of an AMS."""
        verdicts: list[Judged] = []
        for item in items:
            try:
                async with tx.begin_nested():
                    await self._take_one(tx, item)
            except OpenAmiError as reason:
                verdicts.append(reason)
            else:
                verdicts.append(None)
        return verdicts

    async def _take_one(self, tx: AsyncConnection, item: Item) -> None:
        sent = item.utilities_time_series
        try:
            profile = await self.remote.profile(tx, sent.id or "")
        except RegistryError as reason:
            raise not_yet(reason) from None
        channels = await channels_of_tasks(tx, [role.task for role in profile.roles])
        rows = [self._row(one, profile, channels) for one in sent.item]
        if not rows:
            return
        ids = np.array([row[0] for row in rows], np.int64)
        calendars = {one.id: one.calendar for one in channels if one.interval_s}
        placed = place(calendars, ids, *_columns(rows))
        if placed.off_grid.size:
            first = sent.item[int(placed.off_grid[0])].utc_validity_start_date_time
            raise OffGridError(f"The interval that starts at {first} is not on the grid of profile {profile.id}.")
        provenance = Provenance(self.clock.now(), "office", "values of the back office")
        for group in placed:
            await self.vee.accept(tx, group, provenance)

    def _row(self, one: Any, profile: Profile, channels: Sequence[Channel]) -> tuple[int, int, int, int]:  # noqa: ANN401 - an item
        start: datetime = one.utc_validity_start_date_time
        channel = _channel_at(start, profile, channels)
        if (one.utc_validity_end_date_time - start).total_seconds() != channel.interval_s:
            raise OffGridError(
                f"The interval that starts at {start} is not {channel.interval_s} s long.",
                hint="Send whole intervals of the profile.",
            )
        code = one.item_status[0].utilities_time_series_item_type_code
        status = self._status(code)
        value = 0 if one.quantity is None else self._scaled(one.quantity, profile, channel)
        if one.quantity is None and status is not ItemStatus.MISSING:
            raise ValueUnitError(f"The interval that starts at {start} has the status {code} and no quantity.")
        return channel.id, int(start.timestamp()), value, QUALITIES[status]

    def _status(self, code: str) -> ItemStatus:
        name = self.codes.registry.of("item_statuses", code).name
        return ItemStatus(name) if name in set(ItemStatus) else ItemStatus.VALID

    def _scaled(self, quantity: Any, profile: Profile, channel: Channel) -> int:  # noqa: ANN401 - a part of the message
        unit = self.codes.registry.unit(quantity.unit_code or profile.unit_code or channel.unit.upper())
        if unit.unit != channel.unit:
            raise ValueUnitError(f"The value is in {quantity.unit_code}, the channel counts {channel.unit}.")
        exact: Decimal = quantity.value.scaleb(unit.power - channel.scale)
        if exact != int(exact):
            raise ValueUnitError(
                f"{quantity.value} {quantity.unit_code} is finer than the books hold.", hint="Round before sending."
            )
        return int(exact)


def _channel_at(start: datetime, profile: Profile, channels: Sequence[Channel]) -> Channel:
    for role in profile.roles:
        if not role.span.start <= start < role.span.end:
            continue
        for one in channels:
            if one.interval_s and bare(one.task) == bare(role.task) and one.span.start <= start < one.span.end:
                return one
    raise UnknownTaskError(f"No interval channel feeds profile {profile.id} at {start}.", hint="Assign a task to it.")


def _columns(
    rows: Sequence[tuple[int, int, int, int]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    starts, values, qualities = zip(*(row[1:] for row in rows), strict=True)
    return np.array(starts, np.int64), np.array(values, np.int64), np.array(qualities, np.uint8)
