"""Values of virtual channels, computed when they are read."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.series.calendar import instant_of
from openami.mdus.series.determinants import combine
from openami.mdus.series.store import flatten
from openami.mdus.virtual.model import BadDefinitionError
from openami.shared.quality import has_value
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.calendar import Calendar
    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.model import Channel, ChannelDays, ChannelSpan
    from openami.mdus.series.store import Series
    from openami.mdus.virtual.model import Definitions, Run


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The values of one member over a part of a span, and how often it counts."""

    factor: Fraction
    span: ChannelSpan


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """A virtual channel over a span: its values, and of each run of days the parts they were made of."""

    like: Channel
    whole: ChannelSpan
    runs: tuple[Run, ...]
    parts: tuple[tuple[Part, ...], ...]
    """Of each run."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What a parent brought, and what of it is not found behind it, in the channels' own unit and scale, exactly."""

    parent: Fraction
    energy: Fraction

    @property
    def share(self) -> Fraction:
        """The part of it that is lost."""
        return self.energy / self.parent


def losses(definitions: Definitions, name: str, computed: Computed) -> Losses | None:
    """The losses of the first term of a sum against the others, where all have values; None where nothing is taken off.

    Factors are those of transformers or of losses that are known: `40*17-1.02*street`.
    """
    parent, energy = Fraction(0), Fraction(0)
    for run, parts in zip(computed.runs, computed.parts, strict=True):
        definition = definitions.on(name, run.days.start)
        assert definition is not None  # a run has terms
        first, *rest = definition.terms
        if first.factor <= 0 or all(term.factor > 0 for term in rest):
            return None
        own = definitions.of_term(first, run.days.start) or {}
        there = np.logical_and.reduce([has_value(part.span.quality) for part in parts])
        for part in parts:
            total = int(part.span.values[there].sum())
            energy += part.factor * total
            parent += own.get(part.span.channel, Fraction(0)) * total
    return Losses(parent, energy) if parent else None


async def read(
    series: Series, tx: AsyncConnection, runs: Sequence[Run], like: Channel, span: Span, as_of: AsOf = None
) -> Computed:
    """The values over a span, EMPTY where a name stands for nothing; `like` says how it cuts time, its unit and scale.

    Raises:
        BadDefinitionError: a member has another unit, scale, length of interval, or day.
    """
    calendar = like.calendar
    whole = flatten(like, calendar.days_of(span), span, [])
    read_runs, parts = [], []
    for run in runs:
        begin, end = (instant_of(calendar.start_s(day)) for day in (run.days.start, run.days.stop))
        piece = Span(max(begin, span.start), min(end, span.end))
        if piece.end <= piece.start:
            continue
        members = await _members(series, tx, run.factors, like, piece, as_of)
        made = combine([(one.factor, one.span) for one in members])
        at = int(np.searchsorted(whole.start_s, made.start_s[0])) if len(made) else 0
        cells = slice(at, at + len(made))
        whole.values[cells], whole.quality[cells], whole.flags[cells] = made.values, made.quality, made.flags
        read_runs.append(run)
        parts.append(tuple(members))
    return Computed(like, whole, tuple(read_runs), tuple(parts))


async def _members(
    series: Series, tx: AsyncConnection, factors: Mapping[int, Fraction], like: Channel, span: Span, as_of: AsOf
) -> list[Part]:
    known = await series.channels(tx, list(factors))
    days = like.calendar.days_of(span)
    groups = await series.days(tx, list(factors), days, as_of)
    ordered = [group.rows(np.argsort(group.channel, kind="stable")) for group in groups]
    found = []
    for one in known:
        _refuse_unlike(one, like)
        own = [_rows_of(group, one.id) for group in ordered]
        found.append(Part(factors[one.id], flatten(one, days, span, own)))
    return found


def _rows_of(group: ChannelDays, channel: int) -> ChannelDays:
    first, past = np.searchsorted(group.channel, [channel, channel + 1])
    return group.rows(slice(int(first), int(past)))


def _refuse_unlike(one: Channel, like: Channel) -> None:
    if (one.unit, one.scale, one.calendar) != (like.unit, like.scale, like.calendar):
        raise BadDefinitionError(
            f"Channel {one.id} counts {one.unit} e{one.scale} by {_cut(one.calendar)}, channel {like.id} {like.unit}"
            f" e{like.scale} by {_cut(like.calendar)}.",
            hint="Add only channels of one unit, scale, length of interval and zone.",
        )


def _cut(calendar: Calendar) -> str:
    return f"{calendar.interval_s} s in {calendar.zone}"
