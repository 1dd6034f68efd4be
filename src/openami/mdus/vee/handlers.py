"""What happens to a reading in VEE: accepted with a delivery, judged again when more is known, estimated when due.

All in the caller's transaction: the versions, the findings about them, and whatever the caller does with them stand
or fall together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.series import hot
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.series.model import ChannelDays, Provenance
from openami.mdus.series.rules import RANK, RANK_MEASURED
from openami.mdus.unify.oddities import REFUSED
from openami.mdus.vee import inspections, notes, store
from openami.mdus.vee.context import facts_of, with_history
from openami.mdus.vee.engine import evaluate
from openami.mdus.vee.ruleset import load
from openami.shared.quality import Verdict, has_value, is_estimated, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.channels import Channels
    from openami.mdus.series.model import RegisterReadings
    from openami.mdus.series.rules import Merge
    from openami.mdus.series.store import Series
    from openami.mdus.unify.oddities import Oddity
    from openami.mdus.vee.model import Outcome

AUTHOR: Final = "vee"
BY_VALIDATION: Final = "validated by"
BY_ESTIMATE: Final = "estimated by"
BY_REVIEW: Final = "reviewed by"
LOOK_BACK: Final = timedelta(days=40)
_DAY_BITS: Final = 22  # the last day of the calendar is number 3,652,059
_ROWS_AT_ONCE: Final = 2_000  # with 42 reference days of 96 slots: about 75 MB


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a run over channel-days did: the versions it wrote, the days that still have open slots."""

    days: int
    written: tuple[ChannelDays, ...]
    still_open: tuple[ChannelDays, ...]
    findings: int

    def __add__(self, other: Judged) -> Judged:
        return Judged(
            self.days + other.days,
            self.written + other.written,
            self.still_open + other.still_open,
            self.findings + other.findings,
        )

    @property
    def changed(self) -> tuple[tuple[int, date], ...]:
        """Channel and date of every channel-day that got a new version."""
        return tuple(key for group in self.written for key in group.keys())  # noqa: SIM118 - a batch, not a dict

    @property
    def open(self) -> tuple[tuple[int, date], ...]:
        """Channel and date of every channel-day that still has open slots."""
        return tuple(key for group in self.still_open for key in group.keys())  # noqa: SIM118 - a batch, not a dict


NOTHING_DONE: Final = Judged(0, (), (), 0)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all batches of one call share: channels, who and why, and what counts as known."""

    channels: Channels
    provenance: Provenance
    knowledge: Knowledge
    review: bool = False
    """Whether the days before are looked at even where nothing is estimated."""


class Vee:
    """Validates and estimates what is kept in a series."""

    def __init__(self, series: Series, *, rule_set_folder: Path | None = None) -> None:
        """Take the series, and a folder of rule-set files that go before the shipped ones."""
        self._series = series
        self._folder = rule_set_folder

    async def accept(
        self, tx: AsyncConnection, batch: ChannelDays, provenance: Provenance, oddities: Sequence[Oddity] = ()
    ) -> Judged:
        """Merge a batch of a delivery into the series and judge it, in one version: the bulk path.

        `oddities` are what the delivery says beside its values. The result is what `Series.merge` and then
        `validate_days` would keep, without the version between.

        Raises:
            UnknownChannelError: a channel was never declared.
            WrongDayLengthError: a day has another number of intervals than its calendar gives it.
        """
        kept = await self._series.current_for(tx, batch)
        after = await self._series.merged(tx, kept, batch)
        await self._note_taken(tx, kept, after, oddities, provenance.recorded_at)
        rows = np.flatnonzero(after.changed)
        kept, batch = kept.rows(rows), after.over(kept).rows(rows)
        channels = await self._series.channels(tx, batch.channel)
        scene = _Scene(channels, provenance, await Knowledge.here(tx))
        total = NOTHING_DONE
        for part in _alike_rows(batch, channels):
            total += await self._redo(tx, kept.rows(part), batch.rows(part), scene, estimate=False)
        return total

    async def note_refused(self, tx: AsyncConnection, oddities: Sequence[Oddity], at: datetime) -> None:
        """Keep why parts of a delivery were refused that would have filled intervals: rules ask for it (V08 to V10)."""
        refused = [one for one in oddities if one.rule in REFUSED]
        if not refused:
            return
        channels = await self._series.channels(tx, np.array([one.channel for one in refused], np.int64))
        found = notes.notes_from(refused, channels)
        keys = np.array([(one.channel, one.day) for one in found], np.int64)
        older = await notes.of_days(tx, ChannelDays.empty(keys[:, 0], keys[:, 1], 0))
        await notes.keep(tx, notes.over(found, older), at)

    async def _note_taken(
        self, tx: AsyncConnection, kept: ChannelDays, after: Merge, oddities: Sequence[Oddity], at: datetime
    ) -> None:
        """What a delivery said about the values that were taken from it, and which measured ones they replace (V07)."""
        if not after.taken.any():
            return
        known = kept.rows(kept.version > 0)
        older = await notes.of_days(tx, known) if len(known) else []
        fresh = notes.of_replaced(kept, after.replaced & (RANK[kept.quality] >= RANK_MEASURED))
        if about := [one for one in oddities if one.rule not in REFUSED]:
            channels = await self._series.channels(tx, np.array([one.channel for one in about], np.int64))
            fresh += notes.only(notes.notes_from(about, channels), kept, after.taken)
        left = notes.superseded(older, kept, after.taken)
        await notes.keep(tx, notes.over(fresh, [*older, *left]) + notes.untold(left, fresh), at)

    async def validate_days(self, tx: AsyncConnection, keys: Iterable[tuple[int, date]], at: datetime) -> Judged:
        """Judge channel-days as they are now; days that carry estimates are estimated anew from what is known now.

        Gaps without an estimate stay open until `estimate_due`: the data may still come.
        """
        return await self._run(tx, keys, at, estimate=False)

    async def estimate_days(self, tx: AsyncConnection, keys: Iterable[tuple[int, date]], at: datetime) -> Judged:
        """Judge channel-days and estimate what has no usable value."""
        return await self._run(tx, keys, at, estimate=True)

    async def review_days(self, tx: AsyncConnection, keys: Iterable[tuple[int, date]], at: datetime) -> Judged:
        """Judge kept channel-days once more, with the weeks before them at hand; what was noted is kept in any case."""
        return await self._run(tx, keys, at, estimate=False, review=True)

    async def estimate_due(self, tx: AsyncConnection, up_to_day: date, at: datetime, *, limit: int = 10_000) -> Judged:
        """Estimate what is still open in days up to and including `up_to_day`; about `limit` channel-days a call.

        A day that cannot be estimated stays open and is tried again only when something about it changes.
        """
        keys = await store.open_days(tx, up_to_day, limit)
        keys += await store.days_never_seen(tx, up_to_day - LOOK_BACK, up_to_day, limit)
        return await self.estimate_days(tx, keys, at)

    async def validate_around(
        self, tx: AsyncConnection, readings: RegisterReadings, already: Iterable[ChannelDays], at: datetime
    ) -> Judged:
        """Judge the kept days whose sum check or scaling new register readings bear on, but for some that just were."""
        keys = await self._days_of_registers(tx, readings)
        for group in already:
            keys = keys[~_among(keys, np.stack((group.channel, group.day), axis=1))]
        # most readings stand between two days, of which the second has yet to come
        begun = await store.days_with_values(tx, np.unique(keys[:, 1]))
        keys = keys[np.isin(keys[:, 1], begun)]
        return await self._judge_again(tx, keys, at, estimate=False, kept_only=True) if len(keys) else NOTHING_DONE

    async def _days_of_registers(self, tx: AsyncConnection, readings: RegisterReadings) -> NDArray[np.int64]:
        """Channel and day of the days that end, begin, or lie around the instants of register readings."""
        channels = await self._series.channels(tx, await self._series.counting_along(tx, readings.channel))
        order = np.argsort(readings.channel, kind="stable")
        first = np.searchsorted(readings.channel[order], channels.register)
        number = np.searchsorted(readings.channel[order], channels.register, side="right") - first
        place = np.repeat(np.arange(len(channels)), number)
        nth = np.arange(len(place)) - np.repeat(np.cumsum(number) - number, number)
        at_s = readings.at_s[order][np.repeat(first, number) + nth]
        keys = []
        for calendar, members in channels.calendars():
            mine = members[place]
            instants, inverse = np.unique(at_s[mine], return_inverse=True)
            for before_s in (0, 1):
                days = np.array([calendar.day_of(one - before_s) for one in instants.tolist()], np.int64)
                keys.append(channels.id[place[mine]] << _DAY_BITS | days[inverse])
        found = np.unique(np.concatenate(keys) if keys else np.zeros(0, np.int64))  # pairs take many times as long
        return np.stack((found >> _DAY_BITS, found & ((1 << _DAY_BITS) - 1)), axis=1)

    async def _run(
        self,
        tx: AsyncConnection,
        keys: Iterable[tuple[int, date]],
        at: datetime,
        *,
        estimate: bool,
        review: bool = False,
    ) -> Judged:
        distinct = sorted({(channel, day.toordinal()) for channel, day in keys})
        rows = np.array(distinct, np.int64).reshape(-1, 2)
        return await self._judge_again(tx, rows, at, estimate=estimate, review=review, kept_only=review)

    async def _judge_again(
        self,
        tx: AsyncConnection,
        distinct: NDArray[np.int64],
        at: datetime,
        *,
        estimate: bool,
        review: bool = False,
        kept_only: bool = False,
    ) -> Judged:
        channels = await self._series.channels(tx, distinct[:, 0], lock=True)
        scene = _Scene(channels, Provenance(at, AUTHOR, ""), await Knowledge.here(tx), review)
        counts = _counts(distinct, channels)
        total = NOTHING_DONE
        for count in np.unique(counts).tolist():
            members = distinct[counts == count]
            kept = await self._series.current_for(tx, ChannelDays.empty(members[:, 0], members[:, 1], count))
            kept = kept.rows(kept.version > 0) if kept_only else kept
            for part in _alike_rows(kept, channels):
                days = kept.rows(part)
                total += await self._redo(tx, days, days, scene, estimate=estimate)
        return total

    async def _redo(
        self,
        tx: AsyncConnection,
        kept: ChannelDays,
        days: ChannelDays,
        scene: _Scene,
        *,
        estimate: bool,
    ) -> Judged:
        """Judge rows of one sort; those that carry estimates are estimated anew, in parts that fit into memory."""
        anew = is_estimated(days.quality).any(axis=1) | estimate
        total = NOTHING_DONE
        for rows, again in ((np.flatnonzero(~anew), False), (np.flatnonzero(anew), True)):
            at_once = _ROWS_AT_ONCE if again or scene.review else max(len(rows), 1)
            for start in range(0, len(rows), at_once):
                part = rows[start : start + at_once]
                total += await self._judge(tx, kept.rows(part), days.rows(part), scene, estimate=again)
        return total

    async def _judge(
        self,
        tx: AsyncConnection,
        kept: ChannelDays,
        days: ChannelDays,
        scene: _Scene,
        *,
        estimate: bool,
    ) -> Judged:
        owner = scene.channels[int(scene.channels.places(days.channel[:1])[0])]
        rule_set = load(owner.rule_set, self._folder)
        facts = await facts_of(self._series, tx, days, scene.channels, scene.knowledge)
        if estimate or scene.review:
            facts = await with_history(self._series, tx, facts, scene.channels, scene.knowledge)
        outcome = evaluate(facts, rule_set.for_class(owner.kind), estimate=estimate)
        await store.keep_run(tx, scene.knowledge, rule_set)
        provenance = scene.provenance
        how = BY_ESTIMATE if estimate else BY_REVIEW if scene.review else BY_VALIDATION
        why = f"{how} {rule_set.stamp}"
        cause = f"{provenance.cause}; {why}" if provenance.cause else why
        # what a review fails is estimated next; what nothing could fill before is left until something changes
        newly_open = not scene.review or bool((outcome.open & has_value(days.quality) & _usable(days)).any())
        changed = outcome.days.rows(np.flatnonzero(_differs(kept, outcome.days)))
        written = await hot.append(tx, changed, replace(provenance, cause=cause))
        about = kept if scene.review else ChannelDays.empty(days.channel[:0], days.day[:0], days.count)
        await self._keep(
            tx, (about, written), outcome, rule_set.stamp, provenance.recorded_at, tried=estimate or not newly_open
        )
        still_open = outcome.days.rows(np.flatnonzero(outcome.open.any(axis=1)))
        return Judged(
            len(days),
            (written,) if len(written) else (),
            (still_open,) if len(still_open) else (),
            len(outcome.findings),
        )

    async def _keep(
        self,
        tx: AsyncConnection,
        about: Sequence[ChannelDays],
        outcome: Outcome,
        stamp: str,
        at: datetime,
        *,
        tried: bool,
    ) -> None:
        """Keep findings with the versions that they are about (the last one that has a day), and what is still open.

        Days that were reviewed stand first in `about`: what is not said of their versions any more is retracted.
        """
        if outcome.findings or len(about[0]):
            if not len(about[0]):  # of a bulk delivery few days have findings
                told = [one.channel for one in outcome.findings]
                about = [days.rows(np.isin(days.channel, told)) for days in about]
            versions = {key: int(n) for days in about for key, n in zip(days.keys(), days.version, strict=True)}
            await store.keep_findings(tx, outcome.findings, versions, stamp, at)
            await inspections.ask(tx, outcome.findings, at)
            if len(about[0]):
                await store.retract_findings(tx, outcome.findings, versions)
        await store.keep_open(tx, outcome.days, outcome.open, tried=tried)


def _alike_rows(days: ChannelDays, channels: Channels) -> Iterator[NDArray[np.intp]]:
    """The rows of a batch that are judged together: of one calendar, rule set and class."""
    sort = channels.sort[channels.places(days.channel)]
    for number in np.unique(sort):
        yield np.flatnonzero(sort == number)


def _counts(keys: NDArray[np.int64], channels: Channels) -> NDArray[np.int64]:
    """How many intervals each channel-day has."""
    counts = np.zeros(len(keys), np.int64)
    place = channels.places(keys[:, 0])
    for calendar, members in channels.calendars():
        mine = members[place]
        days, inverse = np.unique(keys[mine, 1], return_inverse=True)
        counts[mine] = np.array([calendar.count(day) for day in days.tolist()], np.int64)[inverse]
    return counts


def _among(keys: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the keys [row, (channel, day)] are among the others."""
    low, width = others[:, 0].min(initial=0), others[:, 0].max(initial=0) + 1
    inside = (keys[:, 0] >= low) & (keys[:, 0] < width)
    return np.asarray(inside & np.isin(keys[:, 1] * width + keys[:, 0], others[:, 1] * width + others[:, 0]), np.bool_)


def _usable(days: ChannelDays) -> NDArray[np.bool_]:
    return np.asarray(verdicts(days.quality) != Verdict.FV, np.bool_)


def _differs(before: ChannelDays, after: ChannelDays) -> NDArray[np.bool_]:
    """Rows with another value or quality; rows that are empty before and after need no version."""
    changed = (before.values != after.values) | (before.quality != after.quality)
    return np.asarray(changed.any(axis=1), np.bool_)
