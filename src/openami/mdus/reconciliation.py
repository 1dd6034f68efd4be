"""What each point of delivery used, and gave, during a span, by the series: measured and estimated apart, exactly.

An interval counts for a point when it overlaps an assignment of its measurement task; at a meter swap the interval of
the work is there twice, once from each meter, each with its part.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from openami.mdus.registry.channel_store import channels_of_tasks
from openami.mdus.registry.ids import bare
from openami.mdus.registry.tables import point_table
from openami.shared.quality import has_value, is_estimated
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.series import ChannelDays, Series
    from openami.mdus.series.knowledge import AsOf


@dataclass(slots=True)
class PointUse:
    """What one point used of one quantity; amounts in the books' unit (Wh) or its thousandths (m3: litres)."""

    point: str
    quantity: str
    """Medium and value group C: `1:1` is electricity drawn, `1:2` fed in."""
    unit: str
    scale: int
    measured: int = 0
    estimated: int = 0
    missing_intervals: int = 0
    devices: list[str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "point_of_delivery": self.point,
            "quantity": self.quantity,
            "unit": self.unit,
            "scale": self.scale,
            "measured": self.measured,
            "estimated": self.estimated,
            "missing_intervals": self.missing_intervals,
            "devices": sorted(set(self.devices or [])),
        }


async def reconcile(tx: AsyncConnection, series: Series, span: Span, as_of: AsOf = None) -> list[PointUse]:
    """The use of every point that interval channels count for within the span."""
    table = point_table
    query = select(table).where(table.c.start_at < span.end, table.c.end_at > span.start)
    rows = list(await tx.execute(query.order_by(table.c.point, table.c.start_at)))
    channels: dict[str, list[Channel]] = {}
    for channel in await channels_of_tasks(tx, [row.task for row in rows]):
        if channel.interval_s:
            channels.setdefault(bare(channel.task), []).append(channel)
    wanted = {channel.id: channel for row in rows for channel in channels.get(bare(row.task), [])}
    groups = await _days(tx, series, wanted.values(), span, as_of)
    found: dict[tuple[str, str, str], PointUse] = {}
    for row in rows:
        part = Span(row.start_at, row.end_at).overlap(span)
        for channel in channels.get(bare(row.task), []) if part else ():
            key = (row.point, channel.quantity, channel.unit)
            use = found.setdefault(key, PointUse(*key, channel.scale))
            use.devices = [*(use.devices or []), channel.device]
            assert part is not None
            _add(use, channel, part, span, groups)
    return [found[key] for key in sorted(found)]


async def _days(
    tx: AsyncConnection, series: Series, channels: Iterable[Channel], span: Span, as_of: AsOf
) -> list[ChannelDays]:
    """All kept channel-days that the span touches, whatever the zone; one query."""
    ids = sorted({one.id for one in channels})
    if not ids:
        return []
    first = (span.start - timedelta(days=1)).date().toordinal()
    past = (span.end + timedelta(days=1)).date().toordinal() + 1
    return await series.days(tx, ids, range(first, past), as_of)


def _add(use: PointUse, channel: Channel, part: Span, span: Span, groups: Iterable[ChannelDays]) -> None:
    calendar = channel.calendar
    for group in groups:
        rows = group.rows(group.channel == channel.id)
        if not len(rows):
            continue
        starts = calendar.starts_s(rows.day)[:, None] + np.arange(rows.count) * channel.interval_s
        mine = _inside(starts, channel.interval_s, part, span)
        present = has_value(rows.quality)
        guessed = is_estimated(rows.quality) & present
        use.measured += int(rows.values[mine & present & ~guessed].sum())
        use.estimated += int(rows.values[mine & guessed].sum())
        use.missing_intervals += int((mine & ~present).sum())


def _inside(starts: NDArray[np.int64], interval_s: int, part: Span, span: Span) -> NDArray[np.bool_]:
    """Intervals that overlap the assignment and start within the span."""
    inside: NDArray[np.bool_] = (starts >= int(span.start.timestamp())) & (starts < int(span.end.timestamp()))
    inside &= starts + interval_s > int(part.start.timestamp())
    inside &= starts < int(part.end.timestamp())
    return inside
