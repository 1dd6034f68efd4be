"""Channels beside a virtual channel: its check meter (V31, E09), and what hangs behind it (V34)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openami.mdus.series.model import ChannelDays, Flag
from openami.mdus.virtual import store
from openami.mdus.virtual.model import Purpose
from openami.mdus.virtual.values import read
from openami.shared.quality import Verdict, has_value, is_estimated, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.channels import Channels
    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.model import ChannelSpan
    from openami.mdus.series.store import Series
    from openami.mdus.vee.model import Facts
    from openami.mdus.virtual.model import Definitions


async def compared(
    series: Series, tx: AsyncConnection, facts: Facts, channels: Channels, as_of: AsOf
) -> dict[str, Any]:
    """The totals and values that rules and methods compare these days with; nothing where nobody defined any."""
    definitions = await store.load(tx, as_of)
    names = definitions.compared_with(np.unique(facts.days.channel).tolist())
    found: dict[str, Any] = {}
    for name in names:
        for row in _rows_about(definitions, name, facts.days):
            day = int(facts.days.day[row])
            purpose = definitions.on(name, day).purpose  # type: ignore[union-attr] # `_rows_about` has looked
            like = channels[int(channels.places(facts.days.channel[row : row + 1])[0])]
            runs = definitions.runs(name, range(day, day + 1))
            whole = (await read(series, tx, runs, like, like.calendar.span(day), as_of)).whole
            (_check if purpose is Purpose.CHECK else _children)(facts, row, whole, found)
    return found


def _rows_about(definitions: Definitions, name: str, days: ChannelDays) -> Iterable[int]:
    """The rows whose channel a name is to be compared with on that day."""
    for row, (channel, day) in enumerate(zip(days.channel.tolist(), days.day.tolist(), strict=True)):
        one = definitions.on(name, day)
        if one is not None and one.of == channel and one.purpose is not Purpose.NONE:
            yield row


def _check(facts: Facts, row: int, whole: ChannelSpan, found: dict[str, Any]) -> None:
    good = has_value(whole.quality) & ~is_estimated(whole.quality) & ((whole.flags & Flag.OUTAGE) == 0)
    good &= (verdicts(whole.quality) != Verdict.FV) & (verdicts(whole.quality) != Verdict.NV)
    _column(found, "check", facts.days.values.shape)[row] = whole.values
    _column(found, "check_good", facts.days.values.shape, np.bool_)[row] = good
    _column(found, "check_total", (len(facts.days),))[row] = int(whole.values.sum())
    _column(found, "check_known", (len(facts.days),), np.bool_)[row] = bool(has_value(whole.quality).all())


def _children(facts: Facts, row: int, whole: ChannelSpan, found: dict[str, Any]) -> None:
    own = facts.present[row] | ~facts.active[row]
    total = _column(found, "parent_total", (len(facts.days),))
    children = _column(found, "children_total", (len(facts.days),))
    if own.all() and has_value(whole.quality).all():
        total[row], children[row] = int(facts.days.values[row].sum()), int(whole.values.sum())


def _column(
    found: dict[str, Any], name: str, shape: tuple[int, ...], kind: type[np.generic] = np.int64
) -> NDArray[Any]:
    if name not in found:
        found[name] = np.zeros(shape, kind)
    return found[name]  # type: ignore[no-any-return] # an array of that shape
