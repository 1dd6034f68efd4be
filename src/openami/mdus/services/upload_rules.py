"""What of a change of the series goes to the back office: new values, replaced values, under which profile.

Works on whole matrices (channel-days x intervals); a Python loop begins only where the contract wants one element an
interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from openami.mdus.registry.ids import ProfileId
    from openami.mdus.series.calendar import Calendar
    from openami.mdus.series.model import ChannelDays


@dataclass(frozen=True, slots=True)
class Feed:
    """One channel feeds one profile during a span."""

    channel: int
    profile: ProfileId
    span: Span
    calendar: Calendar
    unit_code: str
    shift: int
    """Power of ten from scaled integers to the profile's unit."""
    obis: str = ""
    device: str = ""
    task: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Interval items of one profile: starts (seconds since 1970), values, status indices; all of one kind."""

    feed: Feed
    replaces: bool
    start_s: NDArray[np.int64]
    values: NDArray[np.int64]
    status: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.start_s)

    def part(self, first: int, past: int) -> Items:
        """Some of the items, in order."""
        cut = slice(first, past)
        return Items(self.feed, self.replaces, self.start_s[cut], self.values[cut], self.status[cut])


def rows_of_each(channel: NDArray[np.int64]) -> dict[int, NDArray[np.intp]]:
    """The rows of each channel, in order."""
    order = np.argsort(channel, kind="stable")
    distinct, first = np.unique(channel[order], return_index=True)
    return dict(zip(distinct.tolist(), np.split(order, first)[1:], strict=True))


def items_of(feed: Feed, old: ChannelDays, new: ChannelDays, status_index: NDArray[np.uint8]) -> list[Items]:
    """New and replaced items of one feed, from the days of its channel as they were known there and as they are now.

    An interval belongs to the feed when it overlaps its span: at a meter swap both meters bring their part.
    """
    starts = feed.calendar.starts_s(new.day)[:, None] + np.arange(new.count) * feed.calendar.interval_s
    covered = starts + feed.calendar.interval_s > int(feed.span.start.timestamp())
    if feed.span.end.year < 9999:
        covered &= starts < int(feed.span.end.timestamp())
    status_old, status_new = status_index[old.quality], status_index[new.quality]
    known, present = status_old > 0, covered & (status_new > 0)
    created = present & ~known
    changed = present & known & ((old.values != new.values) | (status_old != status_new))
    return [
        Items(feed, replaces, starts[cells], new.values[cells], status_new[cells])
        for replaces, cells in ((False, created), (True, changed))
        if cells.any()
    ]


def bundles(items: Sequence[Items], limit: int) -> list[list[Items]]:
    """Items in messages of at most `limit` intervals; one profile may be spread over several."""
    result: list[list[Items]] = []
    room = 0
    for one in items:
        first = 0
        while first < len(one):
            if room <= 0:
                result.append([])
                room = limit
            past = min(len(one), first + room)
            result[-1].append(one.part(first, past))
            room -= past - first
            first = past
    return result


def uncovered(span: Span, covered: Sequence[Span]) -> list[Span]:
    """The parts of a span that none of the others covers."""
    left = [span]
    for one in covered:
        left = [
            piece
            for part in left
            for piece in (
                Span(part.start, max(part.start, min(part.end, one.start))),
                Span(min(part.end, max(part.start, one.end)), part.end),
            )
            if piece.duration_s > 0
        ]
    return left
