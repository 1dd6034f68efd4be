"""What a delivery says about readings beside their values: facts that some rules of validation ask for.

Each is named after its rule. Rules of what was refused (V08 to V10) concern the intervals that the refused part would
have filled; the others concern intervals that were taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.contract.field import ReadingTypeCode
from openami.shared.contract.field.tables import PERIOD_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from openami.mdus.unify.intervals import Rows
    from openami.mdus.unify.matching import ChannelDescription
    from openami.shared.contract.field import IntervalBlock

REFUSED: Final = frozenset({"V08", "V09", "V10"})
"""Rules that say why intervals are open, rather than what is wrong with their values."""
_PERIOD, _UNIT = 2, 16


@dataclass(frozen=True, slots=True, eq=False)
class Oddity:
    """A fact for one rule about intervals of a channel: a number for each, and texts for all."""

    rule: str
    channel: int
    start_s: NDArray[np.int64]
    value: NDArray[np.int64]
    told: str = ""
    expected: str = ""

    @staticmethod
    def of(
        rule: str, channel: int, start_s: NDArray[np.int64], value: int = 1, *, told: str = "", expected: str = ""
    ) -> Oddity:
        """The same number for all intervals."""
        return Oddity(rule, channel, start_s, np.full(len(start_s), value, np.int64), told, expected)


def of_rows(rows: Rows, received_s: int) -> Iterator[Oddity]:
    """What is odd about rows of intervals: strangers' names, clocks, counts, and times that have not come yet."""
    if not rows.start_s.size:
        return
    length = np.array([run.channel.interval_s for run in rows.runs], np.int64)
    end_s = np.zeros(len(rows.runs), np.int64)
    np.maximum.at(end_s, rows.run, rows.start_s + length[rows.run])
    reported = [run.block.reported for run in rows.runs]
    reported_s = np.array([int(one.timestamp()) if one else 0 for one in reported], np.int64)
    drift_s = np.where(reported_s > 0, end_s - reported_s, 0)
    ahead_s = reported_s - received_s
    named = np.array([bool(run.told) for run in rows.runs], np.bool_)
    surplus = np.array([_surplus(run.block, run.channel) for run in rows.runs], np.int64)
    odd = (drift_s > 0) | (ahead_s > 0) | (end_s > received_s) | named | (surplus != 0)
    for number in np.flatnonzero(odd).tolist():
        run, mine = rows.runs[number], rows.start_s[rows.run == number]
        channel = run.channel.channel
        if run.told:
            yield Oddity.of("V01", channel, mine, told=run.told[0], expected=run.told[1])
        if ahead_s[number] > 0:
            yield Oddity.of("V02", channel, mine, int(ahead_s[number]))
        if drift_s[number] > 0:
            yield Oddity.of("V03", channel, mine, int(drift_s[number]))
        if surplus[number]:
            yield Oddity.of("V04", channel, mine, len(run.block))
        if end_s[number] > received_s:
            late = mine[mine + int(length[number]) > received_s]
            yield Oddity.of("V35", channel, late, received_s)


def of_refused(block: IntervalBlock, channels: Iterable[ChannelDescription]) -> Iterator[Oddity]:
    """Why a block fits none of the channels of its device: another length (V08), or another unit (V09)."""
    parts = str(block.reading_type).split(".")
    for channel in channels:
        if not channel.interval_s or not block.interval_s:
            continue
        if channel.interval_s != block.interval_s and _takes(channel, replace(block.reading_type, measuring_period=0)):
            yield Oddity.of("V08", channel.channel, _covered(block, channel), block.interval_s)
        elif channel.interval_s == block.interval_s and _takes_in(channel, parts):
            unit = block.reading_type.unit_symbol
            yield Oddity.of("V09", channel.channel, _covered(block, channel), told=unit, expected=channel.unit)


def of_calculation(block: IntervalBlock, channels: Iterable[ChannelDescription]) -> Iterator[Oddity]:
    """A block whose values wait for a multiplication that the source left to us (V10)."""
    told = block.pending_calculation or ""
    for channel in channels:
        if channel.interval_s == block.interval_s:
            yield Oddity.of("V10", channel.channel, _covered(block, channel), told=told, expected="1")


def _surplus(block: IntervalBlock, channel: ChannelDescription) -> int:
    """How many intervals more than its local day has a block of 86400 s brings that begins with the day."""
    if not block.interval_s or len(block) * block.interval_s != 86_400 or channel.differenced:
        return 0
    calendar, first = channel.calendar, int(block.starts[0])
    day = calendar.day_of(first)
    return len(block) - calendar.count(day) if calendar.start_s(day) == first else 0


def _covered(block: IntervalBlock, channel: ChannelDescription) -> NDArray[np.int64]:
    """The channel's own intervals that lie in what a block covers."""
    step, begin = channel.interval_s, int(block.starts.min())
    day_s = channel.calendar.start_s(channel.calendar.day_of(begin))
    first = begin - (begin - day_s) % step
    return np.arange(first, int(block.starts.max()) + block.interval_s, step, dtype=np.int64)


def _takes(channel: ChannelDescription, code: ReadingTypeCode) -> bool:
    return channel.takes(replace(code, measuring_period=PERIOD_NUMBERS.get(channel.interval_s, 0)))


def _takes_in(channel: ChannelDescription, parts: list[str]) -> bool:
    """Whether it would take the code if only the unit were another."""
    for pattern in channel.patterns:
        own = pattern.split(".")
        own[_UNIT] = "*"
        if ReadingTypeCode.parse(".".join(parts)).matches(".".join(own)):
            return True
    return False
