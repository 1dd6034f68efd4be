"""What bills are made from: time-of-use buckets, tiers, demand, net of feed-in, virtual channels, losses; and the gate.

Pure functions over matrices and flat spans; energies are the channels' own whole numbers, so every sum is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.series.model import ChannelSpan, ShapeError
from openami.shared.quality import (
    EMPTY,
    Origin,
    Verdict,
    has_value,
    is_estimated,
    origins,
    verdicts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from openami.mdus.series.calendar import Calendar
    from openami.mdus.series.model import ChannelDays

WEEKDAYS: Final = frozenset(range(5))
ALL_DAYS: Final = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Window:
    """Local times of some weekdays (0 Monday to 6 Sunday) that belong to a bucket; the last window that fits wins."""

    bucket: int
    weekdays: frozenset[int]
    from_s: int
    to_s: int


def bucket_slots(
    calendar: Calendar, days: NDArray[np.int64], count: int, windows: Sequence[Window], *, otherwise: int = 0
) -> NDArray[np.int64]:
    """The bucket of each slot [day, slot] by local time of its start, also on days of 23 and 25 hours."""
    distinct, inverse = np.unique(days, return_inverse=True)
    table = np.full((len(distinct), count), otherwise, np.int64)
    for place, day in enumerate(distinct.tolist()):
        local_s = calendar.local_seconds(day)[:count]
        weekday = (day + 6) % 7
        for window in windows:
            if weekday in window.weekdays:
                table[place, (local_s >= window.from_s) & (local_s < window.to_s)] = window.bucket
    return table[inverse]


def bucket_totals(days: ChannelDays, buckets: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Energy by row and bucket [row, bucket]; slots without a value count nothing."""
    present = has_value(days.quality)
    totals = [np.sum(days.values, axis=1, where=present & (buckets == bucket)) for bucket in range(number)]
    return np.stack(totals, axis=1) if totals else np.zeros((len(days), 0), np.int64)


def tiers(total: int, bounds: Sequence[int]) -> list[int]:
    """A total cut at ascending bounds: what falls into each tier, the last one open."""
    edges = [0, *bounds, max(total, *bounds, 0) if bounds else max(total, 0)]
    return [max(0, min(total, high) - low) for low, high in pairwise(edges)]


@dataclass(frozen=True, slots=True)
class Demand:
    """The highest energy in a window, and when the window began (seconds since 1970)."""

    energy: int
    window_s: int
    start_s: int


def rolling_demand(span: ChannelSpan, window_s: int) -> Demand | None:
    """The highest energy of any run of intervals as long as the window; None where no run is complete.

    Of equal peaks the first counts.
    """
    slots = window_s // span.interval_s
    if slots < 1 or slots * span.interval_s != window_s:
        raise ShapeError(
            f"A demand window of {window_s} s is not a whole number of intervals of {span.interval_s} s.",
            hint="Use a multiple of the interval.",
        )
    if len(span) < slots:
        return None
    present = has_value(span.quality)
    energy = _windows(np.where(present, span.values, 0), slots)
    complete = _windows(present.astype(np.int64), slots) == slots
    complete &= span.start_s[slots - 1 :] - span.start_s[: len(energy)] == (slots - 1) * span.interval_s
    if not complete.any():
        return None
    best = int(np.where(complete, energy, np.iinfo(np.int64).min).argmax())
    return Demand(int(energy[best]), window_s, int(span.start_s[best]))


def _windows(cells: NDArray[np.int64], slots: int) -> NDArray[np.int64]:
    running = np.concatenate(([0], np.cumsum(cells)))
    return np.asarray(running[slots:] - running[:-slots], np.int64)


def coincident_demand(members: Sequence[ChannelSpan]) -> tuple[int, list[int]]:
    """When all together took most (start, seconds since 1970), and what each took in that interval."""
    total = combine([(1, one) for one in members])
    present = has_value(total.quality)
    if not present.any():
        raise ShapeError("No interval has a value from every member.", hint="Choose a span that is complete.")
    peak = int(np.where(present, total.values, np.iinfo(np.int64).min).argmax())
    return int(total.start_s[peak]), [int(one.values[peak]) for one in members]


def combine(members: Sequence[tuple[int | Fraction, ChannelSpan]], *, channel: int = 0) -> ChannelSpan:
    """A virtual channel: the sum of multiples of others, interval by interval (net of feed-in, losses, a group).

    It has a value where all have one, rounded half up where factors are no whole numbers. Its verdict is the worst of
    theirs; one estimated part makes it estimated.
    """
    first = members[0][1]
    for _, other in members:
        if other.interval_s != first.interval_s or not np.array_equal(other.start_s, first.start_s):
            raise ShapeError(
                "Channels of different intervals or spans cannot be added.", hint="Read all with one span."
            )
    quality = np.full(first.quality.shape, Origin.DERIVED << 3 | Verdict.PV, np.uint8)
    present = np.ones(first.values.shape, np.bool_)
    flags = np.zeros_like(first.flags)
    for _, member in members:
        present &= has_value(member.quality)
        quality = _worse(quality, member.quality)
        flags |= member.flags
    values, quality = np.where(present, _sum_of_multiples(members), 0), np.where(present, quality, np.uint8(EMPTY))
    return replace(first, channel=channel, values=values, quality=quality, flags=flags)


def _sum_of_multiples(members: Sequence[tuple[int | Fraction, ChannelSpan]]) -> NDArray[np.int64]:
    """Factor times value, summed exactly and rounded half up once; in wide integers where 64 bits could overflow."""
    below = lcm(*(Fraction(factor).denominator for factor, _ in members))
    weights = [int(factor * below) for factor, _ in members]
    largest = [int(np.abs(member.values).max(initial=0)) for _, member in members]
    bound = 2 * (sum(abs(weight) * most for weight, most in zip(weights, largest, strict=True)) + below)
    kind: Any = np.int64 if bound < 1 << 63 else object
    total = np.zeros(members[0][1].values.shape, kind)
    for weight, (_, member) in zip(weights, members, strict=True):
        total += weight * member.values.astype(kind)
    return np.asarray((2 * total + below) // (2 * below), np.int64)


def _worse(so_far: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    origin = np.where(is_estimated(other) & ~is_estimated(so_far), origins(other), origins(so_far))
    judged = np.where(verdicts(other) == Verdict.MA, np.uint8(Verdict.PV), verdicts(other))
    unjudged = (judged == Verdict.NV) | (verdicts(so_far) == Verdict.NV)
    verdict = np.where(unjudged, np.uint8(Verdict.NV), np.maximum(verdicts(so_far), judged))
    return np.asarray((origin << np.uint8(3)) | verdict, np.uint8)


def taken_and_fed(net: ChannelSpan) -> tuple[int, int]:
    """What was taken and what was fed in, summed interval by interval from a net channel."""
    values = np.where(has_value(net.quality), net.values, 0)
    return int(values[values > 0].sum()), int(-values[values < 0].sum())


@dataclass(frozen=True, slots=True)
class Gate:
    """What a span must meet before it is released to billing."""

    max_open: int = 0
    max_failed: int = 0
    max_estimated_share: float = 1.0
    max_unjudged: int = 0


def refusals(span: ChannelSpan, gate: Gate) -> list[str]:
    """Why a span may not be billed yet, in words; empty when it may."""
    present = has_value(span.quality)
    found = {
        "have no value": (int((~present).sum()), gate.max_open),
        "failed validation": (int((present & (verdicts(span.quality) == Verdict.FV)).sum()), gate.max_failed),
        "are not validated": (int((present & (verdicts(span.quality) == Verdict.NV)).sum()), gate.max_unjudged),
        "are estimated": (int(is_estimated(span.quality).sum()), int(gate.max_estimated_share * len(span))),
    }
    return [
        f"{count} of {len(span)} intervals {what}, {limit} may."
        for what, (count, limit) in found.items()
        if count > limit
    ]
