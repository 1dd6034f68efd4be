"""Interval values that the back office sends: substitutes of its own, or history of a device that it brings along."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.registry.channel_store import channels_of_tasks
from openami.mdus.registry.errors import RegistryError, UnknownTaskError
from openami.mdus.registry.ids import bare
from openami.mdus.registry.profiles import load_profiles
from openami.mdus.series import Provenance, place
from openami.mdus.series.packing import concatenate
from openami.mdus.services.codes import ItemStatus
from openami.mdus.services.desk import not_yet
from openami.mdus.services.remote import profile_among
from openami.shared.contract.enterprise.interval_columns import shifted
from openami.shared.contract.enterprise.intervals import columns_of
from openami.shared.errors import OpenAmiError
from openami.shared.quality import MISSING, Origin, Verdict, quality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Profile
    from openami.mdus.series import ChannelDays
    from openami.mdus.services.codes import EnterpriseCodes
    from openami.mdus.services.desk import Verdict as Judged
    from openami.mdus.vee.handlers import Vee
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.interval_columns import IntervalColumns
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
class Taken:
    """The days that one series of a message fills."""

    number: int
    groups: Sequence[ChannelDays]

    @property
    def days(self) -> set[tuple[int, int]]:
        """Channel and day of each."""
        return {key for one in self.groups for key in zip(one.channel.tolist(), one.day.tolist(), strict=True)}


@dataclass(frozen=True, slots=True)
class Intake:
    """The desk for interval values of the back office."""

    clock: Clock
    codes: EnterpriseCodes
    vee: Vee

    async def take(self, tx: AsyncConnection, items: Sequence[Item]) -> list[Judged]:
        """Put the values of each series into its channels; they are judged like those of an AMS.

        Series that have no day in common are kept together; of two values for one interval the later one counts.
        """
        known = await load_profiles(tx, [item.utilities_time_series.id or "" for item in items])
        by_task: dict[str, list[Channel]] = {}
        for channel in await channels_of_tasks(tx, [role.task for one in known.values() for role in one.roles]):
            by_task.setdefault(bare(channel.task), []).append(channel)
        verdicts: list[Judged] = [None] * len(items)
        taken: list[Taken] = []
        days: set[tuple[int, int]] = set()
        for number, item in enumerate(items):
            try:
                one = Taken(number, self._placed(item, known, by_task))
            except OpenAmiError as reason:
                verdicts[number] = reason
                continue
            if not days.isdisjoint(one.days):
                await self._keep(tx, taken, verdicts)
                taken, days = [], set()
            taken.append(one)
            days |= one.days
        await self._keep(tx, taken, verdicts)
        return verdicts

    async def _keep(self, tx: AsyncConnection, taken: Sequence[Taken], verdicts: list[Judged]) -> None:
        """Keep the days of several series at once; if that cannot be, each by itself, to see which one it is."""
        groups = [group for one in taken for group in one.groups]
        if not groups:
            return
        provenance = Provenance(self.clock.now(), "office", "values of the back office")
        try:
            async with tx.begin_nested():
                for count in dict.fromkeys(group.count for group in groups):
                    alike = concatenate([group for group in groups if group.count == count])
                    await self.vee.accept(tx, alike, provenance)
        except OpenAmiError as reason:
            if len(taken) == 1:
                verdicts[taken[0].number] = reason
                return
            for one in taken:
                await self._keep(tx, [one], verdicts)

    def _placed(
        self, item: Item, known: Mapping[str, Profile], by_task: Mapping[str, Sequence[Channel]]
    ) -> list[ChannelDays]:
        """The values of a series as days of its channels."""
        try:
            profile = profile_among(known, item.utilities_time_series.id or "")
        except RegistryError as reason:
            raise not_yet(reason) from None
        tasks = dict.fromkeys(bare(role.task) for role in profile.roles)
        channels = [one for task in tasks for one in by_task.get(task, ())]
        values = columns_of(item)
        if not len(values):
            return []
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
        return placed.groups

    def _qualities(self, values: IntervalColumns) -> NDArray[np.uint8]:
        found = values.status.each(lambda codes: QUALITIES[self._status(codes.partition(" ")[0])], np.uint8)
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
        for number, channel in enumerate(channels):
            mine = values.present & (of == number)
            part = values[mine]
            powers = part.unit.each(partial(self._power, profile=profile, channel=channel), np.int64)
            result[mine], exact = shifted(part.values, powers - part.decimals)
            if (at := _first(~exact)) is not None:
                found = Decimal(int(part.values[at])).scaleb(-part.decimals)
                raise ValueUnitError(
                    f"{found} {part.unit[at]} is finer than the books hold.", hint="Round before sending."
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
