"""What happens to a reading in VEE: accepted with a delivery, judged again when more is known, estimated when due.

All in the caller's transaction: the versions, the findings about them, and whatever the caller does with them stand
or fall together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.series import hot
from openami.mdus.series.model import ChannelDays, Provenance
from openami.mdus.vee import store
from openami.mdus.vee.context import facts_of, merge_known, with_history
from openami.mdus.vee.engine import evaluate
from openami.mdus.vee.ruleset import load
from openami.shared.quality import is_estimated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.model import Channel, RegisterReadings
    from openami.mdus.series.store import Series
    from openami.mdus.vee.model import Outcome

AUTHOR: Final = "vee"
LOOK_BACK: Final = timedelta(days=40)
_ROWS_AT_ONCE: Final = 2_000  # with 42 reference days of 96 slots: about 75 MB


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run over channel-days did."""

    days: int
    changed: tuple[tuple[int, date], ...]
    open: tuple[tuple[int, date], ...]
    findings: int

    def __add__(self, other: Judged) -> Judged:
        return Judged(
            self.days + other.days,
            self.changed + other.changed,
            self.open + other.open,
            self.findings + other.findings,
        )


NOTHING_DONE: Final = Judged(0, (), (), 0)


class Vee:
    """Validates and estimates what is kept in a series."""

    def __init__(self, series: Series, *, rule_set_folder: Path | None = None) -> None:
        """Take the series, and a folder of rule-set files that go before the shipped ones."""
        self._series = series
        self._folder = rule_set_folder

    async def validate_days(self, tx: AsyncConnection, keys: Iterable[tuple[int, date]], at: datetime) -> Judged:
        """Judge channel-days as they are now; days that carry estimates are estimated anew from what is known now.

        Gaps without an estimate stay open until `estimate_due`: the data may still come.
        """
        return await self._run(tx, keys, at, estimate=False)

    async def estimate_days(self, tx: AsyncConnection, keys: Iterable[tuple[int, date]], at: datetime) -> Judged:
        """Judge channel-days and estimate what has no usable value."""
        return await self._run(tx, keys, at, estimate=True)

    async def estimate_due(self, tx: AsyncConnection, up_to_day: date, at: datetime, *, limit: int = 10_000) -> Judged:
        """Estimate what is still open in days up to and including `up_to_day`; about `limit` channel-days a call.

        A day that cannot be estimated stays open and is tried again only when something about it changes.
        """
        keys = await store.open_days(tx, up_to_day, limit)
        keys += await store.days_never_seen(tx, up_to_day - LOOK_BACK, up_to_day, limit)
        return await self.estimate_days(tx, keys, at)

    async def days_of_registers(self, tx: AsyncConnection, readings: RegisterReadings) -> list[tuple[int, date]]:
        """The channel-days whose sum check or scaling new register readings bear on."""
        by_register = await self._series.channels_of_registers(tx, np.unique(readings.channel).tolist())
        keys: set[tuple[int, date]] = set()
        for register, at_s in zip(readings.channel.tolist(), readings.at_s.tolist(), strict=True):
            for channel in by_register.get(register, ()):
                day = channel.calendar.day_of(at_s)
                keys |= {(channel.id, date.fromordinal(one)) for one in (day, channel.calendar.day_of(at_s - 1))}
        return sorted(keys)

    async def _run(
        self, tx: AsyncConnection, keys: Iterable[tuple[int, date]], at: datetime, *, estimate: bool
    ) -> Judged:
        wanted = sorted({(channel, day.toordinal()) for channel, day in keys})
        channels = await self._series.channels(tx, {channel for channel, _ in wanted}, lock=True)
        total = NOTHING_DONE
        for batch, owners in _batches(wanted, channels):
            kept = await self._series.current_for(tx, batch)
            redo: NDArray[np.bool_] = np.asarray(is_estimated(kept.quality).any(axis=1) | estimate, np.bool_)
            for rows, again in ((~redo, False), (redo, True)):
                chosen = [owners[row] for row in np.flatnonzero(rows)]
                total += await self._judge(tx, kept.rows(np.flatnonzero(rows)), chosen, at, estimate=again)
        return total

    async def _judge(
        self, tx: AsyncConnection, kept: ChannelDays, owners: Sequence[Channel], at: datetime, *, estimate: bool
    ) -> Judged:
        total = NOTHING_DONE
        for start in range(0, len(kept), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            total += await self._judge_part(tx, kept.rows(rows), owners[rows], at, estimate=estimate)
        return total

    async def _judge_part(
        self, tx: AsyncConnection, kept: ChannelDays, owners: Sequence[Channel], at: datetime, *, estimate: bool
    ) -> Judged:
        rule_set = load(owners[0].rule_set, self._folder)
        facts = await facts_of(self._series, tx, kept, owners)
        if not facts.active.any():
            return NOTHING_DONE
        if estimate:
            facts = await with_history(self._series, tx, facts)
        outcome = evaluate(facts, rule_set.for_class(owners[0].kind), estimate=estimate)
        changed = _differs(kept, outcome.days)
        cause = f"{'estimated' if estimate else 'validated'} by {rule_set.stamp}"
        written = await hot.append(tx, outcome.days.rows(changed), Provenance(at, AUTHOR, cause))
        await self._keep(tx, written, outcome, rule_set.stamp, at, tried=estimate)
        open_rows = outcome.days.rows(outcome.open.any(axis=1))
        return Judged(len(kept), tuple(written.keys()), tuple(open_rows.keys()), len(outcome.findings))

    async def _keep(
        self, tx: AsyncConnection, written: ChannelDays, outcome: Outcome, stamp: str, at: datetime, *, tried: bool
    ) -> None:
        versions = dict(zip(written.keys(), written.version.tolist(), strict=True))
        await store.keep_findings(tx, outcome.findings, versions, stamp, at)
        await store.keep_open(tx, outcome.days, outcome.open, tried=tried)


def _batches(
    wanted: Sequence[tuple[int, int]], channels: dict[int, Channel]
) -> Iterator[tuple[ChannelDays, list[Channel]]]:
    """The wanted channel-days as batches alike in calendar, day length, rule set and class."""

    def alike(key: tuple[int, int]) -> tuple[str, int, int, str, str, int]:
        one = channels[key[0]]
        return (one.zone, one.interval_s, one.day_start_s, one.rule_set, one.kind, one.calendar.count(key[1]))

    for kind, members in groupby(sorted(wanted, key=alike), alike):
        keys = np.array(list(members), np.int64)
        batch = ChannelDays.empty(keys[:, 0], keys[:, 1], kind[-1])
        yield batch, merge_known(channels, batch)


def _differs(before: ChannelDays, after: ChannelDays) -> NDArray[np.bool_]:
    """Rows with another value or quality; rows that are empty before and after need no version."""
    changed = (before.values != after.values) | (before.quality != after.quality)
    return np.asarray(changed.any(axis=1), np.bool_)
