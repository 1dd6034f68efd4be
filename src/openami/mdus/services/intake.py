"""Interval values that the back office sends: substitutes of its own, or history of a device that it brings along."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.registry.channel_store import channels_of_tasks
from openami.mdus.registry.errors import RegistryError, UnknownTaskError
from openami.mdus.registry.ids import bare
from openami.mdus.series import Provenance, place
from openami.mdus.services.codes import ItemStatus
from openami.mdus.services.desk import not_yet
from openami.shared.contract.enterprise.intervals import columns_of, distinct, shifted
from openami.shared.errors import OpenAmiError
from openami.shared.quality import MISSING, Origin, Verdict, quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Profile
    from openami.mdus.services.codes import EnterpriseCodes
    from openami.mdus.services.desk import Verdict as Judged
    from openami.mdus.services.remote import RemoteSeries
    from openami.mdus.vee.handlers import Vee
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.intervals import IntervalColumns
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
        values = columns_of(item)
        if not len(values):
            return
        start_s, channel = (
            values.start.astype("datetime64[s]").astype(np.int64),
            _channels_at(values, profile, channels),
        )
        if (at := _first(channel < 0)) is not None:
            raise UnknownTaskError(
                f"No interval channel feeds profile {profile.id} at {values.start[at]}Z.", hint="Assign a task to it."
            )
        number, of = np.unique(channel, return_inverse=True)
        own = [channels[one] for one in number.tolist()]
        length_us = np.array([one.interval_s * 1_000_000 for one in own], np.int64)[of]
        wrong = (values.end - values.start).astype(np.int64) != length_us
        if (at := _first(wrong | (values.start.astype(np.int64) % 1_000_000 != 0))) is not None:
            raise OffGridError(
                f"The interval that starts at {values.start[at]}Z is not {length_us[at] // 1_000_000} s long.",
                hint="Send whole intervals of the profile.",
            )
        placed = place(
            {one.id: one.calendar for one in own},
            np.array([one.id for one in own], np.int64)[of],
            start_s,
            self._scaled(values, profile, own, of),
            self._qualities(values),
        )
        if placed.off_grid.size:
            first = values.start[int(placed.off_grid[0])]
            raise OffGridError(f"The interval that starts at {first}Z is not on the grid of profile {profile.id}.")
        provenance = Provenance(self.clock.now(), "office", "values of the back office")
        for group in placed:
            await self.vee.accept(tx, group, provenance)

    def _qualities(self, values: IntervalColumns) -> NDArray[np.uint8]:
        words, which = distinct(values.status)
        found = np.array([QUALITIES[self._status(word.partition(" ")[0])] for word in words], np.uint8)[which]
        if (at := _first(~values.present & (found != MISSING))) is not None:
            raise ValueUnitError(
                f"The interval that starts at {values.start[at]}Z has the status {values.status[at]} and no quantity."
            )
        return found

    def _status(self, code: str) -> ItemStatus:
        name = self.codes.registry.of("item_statuses", code).name
        return ItemStatus(name) if name in set(ItemStatus) else ItemStatus.VALID

    def _scaled(
        self, values: IntervalColumns, profile: Profile, channels: Sequence[Channel], of: NDArray[np.intp]
    ) -> NDArray[np.int64]:
        """Quantities in the scale of their channels; 0 where there is none."""
        result = np.zeros(len(values), np.int64)
        units, which = distinct(values.unit)
        for number, channel in enumerate(channels):
            mine = values.present & (of == number)
            powers = np.zeros(len(values), np.int64)
            for place_, sent in enumerate(units):
                if (chosen := mine & (which == place_)).any():
                    powers[chosen] = self._power(sent, profile, channel) - values.decimals
            result[mine], exact = shifted(values.values[mine], powers[mine])
            if (at := _first(~exact)) is not None:
                found = Decimal(int(values.values[mine][at])).scaleb(-values.decimals)
                raise ValueUnitError(
                    f"{found} {values.unit[mine][at]} is finer than the books hold.", hint="Round before sending."
                )
        return result

    def _power(self, sent: str, profile: Profile, channel: Channel) -> int:
        unit = self.codes.registry.unit(sent or profile.unit_code or channel.unit.upper())
        if unit.unit != channel.unit:
            raise ValueUnitError(f"The value is in {sent}, the channel counts {channel.unit}.")
        return unit.power - channel.scale


def _channels_at(values: IntervalColumns, profile: Profile, channels: Sequence[Channel]) -> NDArray[np.intp]:
    """For each item the place of the channel that feeds the profile when it starts; -1 where none does."""
    found = np.full(len(values), -1, np.intp)
    for role in profile.roles:
        for number, one in enumerate(channels):
            if not one.interval_s or bare(one.task) != bare(role.task):
                continue
            first, past = max(role.span.start, one.span.start), min(role.span.end, one.span.end)
            covered = (values.start >= _instant(first)) & (values.start < _instant(past))
            found[covered & (found < 0)] = number
    return found


def _instant(at: datetime) -> np.datetime64:
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")


def _first(wrong: NDArray[np.bool_]) -> int | None:
    """The place of the first item of which something is true."""
    return int(np.argmax(wrong)) if wrong.any() else None
