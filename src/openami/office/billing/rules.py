"""The gate: named rules that the data of a contract must meet before it is billed.

Each rule has an id, a sentence and a function that gives one text per thing it found wrong. No finding, no objection.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.office.devices.model import Direction
from openami.office.localtime import interval_starts
from openami.office.readings.model import ItemStatus
from openami.shared.spans import local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openami.office.billing.model import BillInput, MeterSlice
    from openami.office.readings.model import RegisterReading


@dataclass(frozen=True, slots=True)
class Policy:
    """What the utility accepts on a bill."""

    estimated_share_max: Decimal = Decimal(1)
    """The highest part (0 to 1) of all intervals that may be estimated."""
    unmetered_max: timedelta = timedelta(hours=4)
    """How long a point of delivery may be without a meter during a replacement."""
    reading_distance_max: timedelta = timedelta(days=3)
    """How far inside a meter's part of the period its first and last reading may lie: as late as an order allows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a contract cannot be billed yet."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class GateRule:
    """One rule of the gate."""

    id: str
    sentence: str
    check: Callable[[BillInput, Policy], Iterator[str]]


def check(source: BillInput, policy: Policy) -> tuple[Finding, ...]:
    """All objections of all rules; empty when the contract may be billed."""
    return tuple(Finding(rule.id, text) for rule in GATE for text in rule.check(source, policy))


def _installed(source: BillInput, policy: Policy) -> Iterator[str]:
    if not source.slices:
        yield "No meter was installed at the point of delivery."
        return
    edges = [source.metered_from or local_midnight(source.zone_name, source.first_day)]
    for piece in sorted(source.slices, key=lambda piece: piece.span.start):
        if piece.span.start - edges[-1] > policy.unmetered_max:
            yield f"No meter between {edges[-1]:%Y-%m-%d %H:%M} and {piece.span.start:%Y-%m-%d %H:%M} UTC."
        edges.append(piece.span.end)
    if (period_end := local_midnight(source.zone_name, source.past_last_day)) - edges[-1] > policy.unmetered_max:
        yield f"No meter between {edges[-1]:%Y-%m-%d %H:%M} and {period_end:%Y-%m-%d %H:%M} UTC."


def _complete(source: BillInput, _policy: Policy) -> Iterator[str]:
    for piece in source.slices:
        expected = interval_starts(piece.span, piece.interval_s)
        there = piece.starts[piece.status != ItemStatus.EMPTY]
        if (absent := np.setdiff1d(expected, there)).size:
            yield (
                f"{_meter(piece)}: {absent.size} of {expected.size} intervals have not arrived, "
                f"the first at {_utc(int(absent[0]))}."
            )


def _billable(source: BillInput, _policy: Policy) -> Iterator[str]:
    for piece in source.slices:
        bad = np.isin(piece.status, [ItemStatus.IMPLAUSIBLE, ItemStatus.MISSING])
        if bad.any():
            yield (
                f"{_meter(piece)}: {int(bad.sum())} intervals are neither measured nor estimated, "
                f"the first at {_utc(int(piece.starts[bad][0]))}."
            )


def _estimated_share(source: BillInput, policy: Policy) -> Iterator[str]:
    total = sum(piece.status.size for piece in source.slices)
    estimated = sum(int(piece.estimated.sum()) for piece in source.slices)
    if total and Decimal(estimated) / total > policy.estimated_share_max:
        yield f"{estimated} of {total} intervals are estimated; allowed is a share of {policy.estimated_share_max}."


def _readings(source: BillInput, policy: Policy) -> Iterator[str]:
    for piece in source.slices:
        for name, reading, edge in (
            ("opening", piece.opening, piece.span.start),
            ("closing", piece.closing, piece.span.end),
        ):
            if reading is None or abs(reading.at - edge) > policy.reading_distance_max:
                nearest = f", the nearest is of {reading.at:%Y-%m-%d %H:%M} UTC" if reading else ""
                yield f"{_meter(piece)}: no {name} register reading for {edge:%Y-%m-%d %H:%M} UTC{nearest}."
        if piece.opening and piece.closing and piece.opening.at >= piece.closing.at:
            yield f"{_meter(piece)}: the reading of {piece.opening.at:%Y-%m-%d %H:%M} UTC is the only one."


def _registers(source: BillInput, _policy: Policy) -> Iterator[str]:
    for piece in source.slices:
        if piece.opening is None or piece.closing is None:
            continue  # B05 says so
        if (off := _off_the_grid(piece)) is not None:
            yield f"{_meter(piece)}: the reading of {off:%Y-%m-%d %H:%M:%S} UTC has no intervals to match it."
            continue
        start = _interval_start(piece, piece.opening)
        difference = piece.register_difference_milli
        assert difference is not None
        intervals = piece.sum_milli(start, int(np.ceil(piece.closing.at.timestamp())))
        if difference != intervals:
            yield (
                f"{_meter(piece)}: the register moved by {Decimal(difference).scaleb(-3)}, "
                f"the intervals sum to {Decimal(intervals).scaleb(-3)}."
            )


GATE: Final = (
    GateRule("B01", "A meter is installed throughout, apart from the minutes of a replacement.", _installed),
    GateRule("B02", "Every interval of every installed meter is there.", _complete),
    GateRule("B03", "Every interval is measured or estimated.", _billable),
    GateRule("B04", "Not more is estimated than the policy allows.", _estimated_share),
    GateRule("B05", "The register was read at the start and the end of each meter's part of the period.", _readings),
    GateRule("B06", "Intervals sum to the difference of the register readings, to the thousandth.", _registers),
)


def _meter(piece: MeterSlice) -> str:
    return f"Meter {piece.serial}" + (", fed in" if piece.direction is Direction.FED_IN else "")


def _off_the_grid(piece: MeterSlice) -> datetime | None:
    """The instant of a reading that intervals cannot be summed from or to.

    It must lie in the meter's part of the period, on an interval boundary or where the meter came or went.
    """
    for reading, edge in ((piece.opening, piece.span.start), (piece.closing, piece.span.end)):
        if reading is None or reading.at == edge:
            continue
        on_grid = int(reading.at.timestamp()) % piece.interval_s == 0
        if not on_grid or not piece.span.start <= reading.at <= piece.span.end:
            return reading.at
    return None


def _interval_start(piece: MeterSlice, opening: RegisterReading) -> int:
    """The start of the interval that holds the opening reading: a new meter's first interval is a short one."""
    return int(opening.at.timestamp()) // piece.interval_s * piece.interval_s


def _utc(epoch_s: int) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%d %H:%M} UTC"
