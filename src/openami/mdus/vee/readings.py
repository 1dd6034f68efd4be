"""A register at an instant at which nobody read it: by the methods of its rule set (E14, E15, E19).

Asked for a bill or by a reading order, never kept: the next actual reading is worth more than any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.series.calendar import instant_of
from openami.mdus.series.rules import RANK, RANK_MEASURED
from openami.mdus.vee.catalogue import readings
from openami.mdus.vee.model import Reads
from openami.mdus.vee.registers import unrolled
from openami.mdus.vee.ruleset import load
from openami.shared.quality import has_value
from openami.shared.spans import Span

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.model import Channel, RegisterReadings
    from openami.mdus.series.store import Series
    from openami.mdus.vee.ruleset import Rules

READ: Final = "read"


@dataclass(frozen=True, slots=True)
class RegisterValue:
    """What a register stood at, and whether it was read or by which method that is known."""

    value: int
    method: str


async def register_at(
    series: Series,
    tx: AsyncConnection,
    channels: tuple[int | None, int],
    at: datetime,
    as_of: AsOf = None,
    *,
    folder: Path | None = None,
) -> RegisterValue | None:
    """A register at an instant, as its digits would show it; None if nothing tells.

    `channels` are the interval channel that counts along with it, if there is one, and the register itself; `folder`
    has the rule sets of the installation.
    """
    interval, register = channels
    own = (await series.channels(tx, [register]))[0]
    rules = load(own.rule_set, folder).for_class(own.kind)
    around = await series.registers(tx, register, _window(rules, at), as_of)
    at_s = int(at.timestamp())
    exact = np.flatnonzero((around.at_s == at_s) & has_value(around.quality))
    if exact.size:
        return RegisterValue(int(around.value[exact[-1]]), READ)
    reads = _reads(around, own, at_s)
    if reads is None:
        return None
    if interval is not None:
        used = await _used(series, tx, interval, int(reads.before_s[0]), at, as_of)
        reads.used[0], reads.used_known[0] = used or 0, used is not None
    for method in rules.readings:
        made = readings()[method].function(reads, rules.parameters[method])
        if made.mask[0]:
            value = int(made.values[0])
            return RegisterValue(value % own.modulus if own.modulus else value, method)
    return None


def _window(rules: Rules, at: datetime) -> Span:
    """As far as any of the methods looks."""

    def most(*names: tuple[str, str]) -> timedelta:
        asked = [rules.parameters[rule][name] for rule, name in names if rule in rules.readings]
        return timedelta(days=max(asked, default=0))

    ahead = most(("E15", "look_ahead_days"))
    return Span(at - most(("E14", "look_back_days"), ("E19", "history_days")), at + max(ahead, timedelta(seconds=1)))


def _reads(around: RegisterReadings, own: Channel, at_s: int) -> Reads | None:
    """The actual readings before and after an instant that no reset parts from it; None where there is none before."""
    actual = RANK[around.quality] >= RANK_MEASURED
    times = around.at_s[actual]
    total, piece = unrolled(times, around.value[actual], own.modulus or 0, own.hourly_limit)
    last = int(np.searchsorted(times, at_s)) - 1
    if last < 0:
        return None
    first = int(np.searchsorted(piece, piece[last]))
    after_known = last + 1 < len(times) and piece[last + 1] == piece[last]
    after = last + 1 if after_known else last
    names = ("before", "oldest", "after")
    columns = {name: total[place : place + 1] for name, place in zip(names, (last, first, after), strict=True)}
    columns |= {f"{name}_s": times[place : place + 1] for name, place in zip(names, (last, first, after), strict=True)}
    return Reads(
        at_s=np.array([at_s]),
        after_known=np.array([after_known]),
        used=np.zeros(1, np.int64),
        used_known=np.zeros(1, np.bool_),
        step=np.array([own.register_step]),
        **columns,
    )


async def _used(
    series: Series, tx: AsyncConnection, interval: int, since_s: int, at: datetime, as_of: AsOf
) -> int | None:
    """What the intervals between two instants sum to, where all of them are there, actual and cut at both."""
    span = await series.read(tx, interval, Span(instant_of(since_s), at), as_of)
    length_s = int(at.timestamp()) - since_s
    whole = len(span) * span.interval_s == length_s and len(span) > 0 and int(span.start_s[0]) == since_s
    return int(span.values.sum()) if whole and bool((RANK[span.quality] >= RANK_MEASURED).all()) else None
