"""The series of the middle, whole: channels, merging deliveries, current values and what was known.

Nothing is overwritten: every change is a row of its own. Writers of one channel queue on its row in
`series_channel`; readers never wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.series import channels as channels_
from openami.mdus.series import hot, registers
from openami.mdus.series.both import Both
from openami.mdus.series.channels import Channels, Memory
from openami.mdus.series.model import Channel, ChannelDays, ChannelSpan
from openami.mdus.series.rules import merge
from openami.shared.errors import OpenAmiError
from openami.shared.quality import EMPTY, Origin, Verdict, is_estimated, origins, quality

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.lake import Lake
    from openami.mdus.series.model import Provenance, RegisterReadings, Version
    from openami.mdus.series.rules import Merge
    from openami.shared.spans import Span


class WrongDayLengthError(OpenAmiError):
    """A channel-day with another number of intervals than its calendar gives it (V04)."""


@dataclass(frozen=True, slots=True, eq=False)
class MergeReport:
    """What a merge did: the channel-days that changed, as they are now, and cells counted by what happened."""

    changed: ChannelDays
    taken: int
    replaced: int
    refused: int

    @property
    def keys(self) -> list[tuple[int, date]]:
        """Channel and date of every changed channel-day."""
        return self.changed.keys()


class Series:
    """Keeps and reads series inside the caller's transaction."""

    def __init__(self, lake: Lake | None = None) -> None:
        """Take the lake of sealed days, if there is one."""
        self._memory = Memory()
        self._kept = Both(lake)

    async def declare(self, tx: AsyncConnection, channels: Iterable[Channel]) -> None:
        """Make channels known, or change what is known of them (never their calendar)."""
        await channels_.declare(tx, channels)
        self._memory.forget(tx)

    async def channels(
        self, tx: AsyncConnection, ids: Iterable[int] | NDArray[np.int64], *, lock: bool = False
    ) -> Channels:
        """The declared channels of these ids; `lock` makes other writers of them wait until the transaction ends.

        Raises:
            UnknownChannelError: one of them was never declared.
        """
        wanted = ids if isinstance(ids, np.ndarray) else np.array([int(one) for one in ids], np.int64)
        return await self._memory.channels(tx, np.unique(wanted), lock=lock)

    async def counting_along(self, tx: AsyncConnection, registers_: NDArray[np.int64]) -> NDArray[np.int64]:
        """The interval channels that count along with these registers, by ascending id."""
        return await channels_.of_registers(tx, registers_)

    async def merge(self, tx: AsyncConnection, batch: ChannelDays, provenance: Provenance) -> MergeReport:
        """Merge a batch of one delivery into what is kept; a new version for each channel-day that it changes.

        Raises:
            UnknownChannelError: a channel was never declared.
            WrongDayLengthError: a day has another number of intervals than its calendar gives it.
        """
        kept = await self.current_for(tx, batch)
        merged = await self.merged(tx, kept, batch)
        return MergeReport(
            changed=await hot.append(tx, merged.over(kept).rows(merged.changed), provenance),
            taken=int(merged.taken.sum()),
            replaced=int(merged.replaced.sum()),
            refused=int(merged.refused.sum()),
        )

    async def merged(self, tx: AsyncConnection, kept: ChannelDays, batch: ChannelDays) -> Merge:
        """How a batch merges into what is kept (`current_for`), without writing it."""
        return merge(kept, batch, rejected=await self._rejected_before(tx, kept, batch))

    async def revise(self, tx: AsyncConnection, after: ChannelDays, provenance: Provenance) -> ChannelDays:
        """Write judged, estimated or edited days over the versions they were made from; returns the new versions.

        The caller has read them in this transaction under lock (`current_for`), so no other version came between.
        """
        return await hot.append(tx, after, provenance)

    async def current_for(self, tx: AsyncConnection, batch: ChannelDays) -> ChannelDays:
        """What is kept of exactly these channel-days, row for row, EMPTY where nothing is; locks their channels."""
        known = await self.channels(tx, batch.channel, lock=True)
        _check_day_lengths(known, batch)
        kept = ChannelDays.empty(batch.channel, batch.day, batch.count)
        for found in await self._kept.latest_of(tx, batch.channel, batch.day):
            kept.put(found)
        return kept

    async def days(
        self, tx: AsyncConnection, channels: Iterable[int], days: range, as_of: AsOf = None
    ) -> list[ChannelDays]:
        """All kept channel-days of some channels and days (ordinals), one batch per day length."""
        return await self._kept.days_between(tx, np.fromiter(channels, np.int64), days, as_of)

    async def read(self, tx: AsyncConnection, channel: int, span: Span, as_of: AsOf = None) -> ChannelSpan:
        """One channel over a span, flat; intervals that start inside the span, EMPTY where nothing is kept."""
        known = (await self.channels(tx, [channel]))[0]
        wanted = known.calendar.days_of(span)
        return flatten(known, wanted, span, await self.days(tx, [channel], wanted, as_of))

    async def versions(self, tx: AsyncConnection, channel: int, day: date) -> list[Version]:
        """Every version of one channel-day, oldest first."""
        return await self._kept.versions_of(tx, channel, day)

    async def merge_registers(
        self, tx: AsyncConnection, readings: RegisterReadings, provenance: Provenance
    ) -> RegisterReadings:
        """Merge register readings by the same rules; returns those that made a new version.

        Raises:
            UnknownChannelError: a register was never declared.
        """
        await self.channels(tx, readings.channel, lock=True)
        return await registers.merge_registers(tx, readings, provenance)

    async def registers_at(
        self, tx: AsyncConnection, channel: NDArray[np.int64], at_s: NDArray[np.int64], as_of: AsOf = None
    ) -> RegisterReadings:
        """The readings at exactly these instants (seconds since 1970), row for row; EMPTY where there is none."""
        return (await registers.exactly_at(tx, channel, at_s, as_of))[0]

    async def registers(self, tx: AsyncConnection, channel: int, span: Span, as_of: AsOf = None) -> RegisterReadings:
        """The readings of one register during a span, in order of time."""
        return await registers.within(tx, channel, span, as_of)

    async def _rejected_before(
        self, tx: AsyncConnection, kept: ChannelDays, batch: ChannelDays
    ) -> NDArray[np.bool_] | None:
        """Where a delivery repeats a value that failed before and was estimated since: rare, so row by row."""
        suspect: NDArray[np.bool_] = (origins(batch.quality) == Origin.MEASURED) & is_estimated(kept.quality)
        if not suspect.any():
            return None
        failed = quality(Origin.MEASURED, Verdict.FV)
        rejected: NDArray[np.bool_] = np.zeros(batch.values.shape, np.bool_)
        for row in np.flatnonzero(suspect.any(axis=1)):
            for old in await self.versions(tx, int(batch.channel[row]), date.fromordinal(int(batch.day[row]))):
                rejected[row] |= (old.quality == failed) & (old.values == batch.values[row])
        rejected &= suspect
        return rejected


def flatten(channel: Channel, wanted: range, span: Span, groups: Iterable[ChannelDays]) -> ChannelSpan:
    """Channel-days of one channel as one run of intervals, cut to the span."""
    calendar = channel.calendar
    counts = np.array([calendar.count(day) for day in wanted], np.int64)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    total = int(offsets[-1])
    values, quality_ = np.zeros(total, np.int64), np.full(total, EMPTY, np.uint8)
    flags = np.zeros(total, np.uint8)
    for group in groups:
        cells = (offsets[group.day - wanted.start][:, None] + np.arange(group.count)).ravel()
        values[cells], quality_[cells] = group.values.ravel(), group.quality.ravel()
        flags[cells] = group.flags.ravel()
    begins = calendar.starts_s(np.arange(wanted.start, wanted.stop, dtype=np.int64))
    slot = np.arange(total) - np.repeat(offsets[:-1], counts)
    start_s = np.repeat(begins, counts) + slot * channel.interval_s
    inside = (start_s >= span.start.timestamp()) & (start_s < span.end.timestamp())
    return ChannelSpan(channel.id, channel.interval_s, start_s[inside], values[inside], quality_[inside], flags[inside])


def _check_day_lengths(known: Channels, batch: ChannelDays) -> None:
    for calendar, members in known.calendars():
        for day in np.unique(batch.day[members[known.places(batch.channel)]]).tolist():
            if (expected := calendar.count(day)) != batch.count:
                raise WrongDayLengthError(
                    f"{date.fromordinal(day)} has {expected} intervals of {calendar.interval_s} s in"
                    f" {calendar.zone}, the batch brings {batch.count}.",
                    hint="Cut readings into local days with `place`.",
                )
