"""What people call a channel and a span: `SN1`, `17`; `2026-03-01`, `2026-03`, `FROM/TO`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from openami.mdus.registry import store
from openami.mdus.registry.channel_store import channels_by_id, channels_of_devices
from openami.mdus.registry.ids import bare
from openami.shared.errors import OpenAmiError
from openami.shared.spans import Span, local_midnight, zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel

_DIGITS_MAX: Final = 12
"""A longer number is the serial number of a device."""
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTH: Final = re.compile(r"\d{4}-\d{2}")


class UnknownNameError(OpenAmiError):
    """Nobody is called like that, or several are."""


class BadValueError(OpenAmiError):
    """A value that a channel cannot hold."""


class BadSpanError(OpenAmiError):
    """A span that cannot be read."""


async def channel_named(tx: AsyncConnection, text: str) -> Channel:
    """The channel of a name: its number, or a device or point that has one interval channel only.

    Channels that follow one another after a change of configuration are told apart by their numbers. Sums of channels
    are virtual ones (`virtual.views.named_virtual`).

    Raises:
        UnknownNameError: there is none, or the name fits several.
    """
    text = text.strip()
    known = await channels_by_id(tx, [int(text)]) if text.isdecimal() and len(text) < _DIGITS_MAX else {}
    return known[int(text)] if known else await _of_device(tx, text)


async def _of_device(tx: AsyncConnection, name: str) -> Channel:
    keys = await store.keys_by_name(tx, [name])
    points = await store.keys_by_point(tx, [name])
    own = await channels_of_devices(tx, [keys.get(name, bare(name)), *points]) if name else []
    intervals = [one for one in own if one.interval_s and one.span.duration_s]
    if len(intervals) == 1:
        return intervals[0]
    listed = ", ".join(f"{one.id} ({one.obis}, {one.interval_s} s)" for one in own[:8])
    hint = f"Its channels are {listed}." if own else "See openami channels and openami virtual list."
    raise UnknownNameError(f"{name!r} names {len(intervals)} interval channels, not one.", hint=hint)


def span_named(text: str, zone_name: str, day_start_s: int = 0) -> Span:
    """A local day, a local month, or two instants (or days) with a slash between them; days begin at `day_start_s`.

    Raises:
        BadSpanError: it cannot be read, or it ends before it starts.
    """
    first, slash, second = text.strip().partition("/")
    try:
        if slash:
            start, end = (_instant(one, zone_name, day_start_s) for one in (first, second))
        elif _DAY.fullmatch(first):
            day = date.fromisoformat(first)
            start, end = (_begin(zone_name, one, day_start_s) for one in (day, day + timedelta(days=1)))
        elif _MONTH.fullmatch(first):
            day = date.fromisoformat(f"{first}-01")
            after = (day + timedelta(days=31)).replace(day=1)
            start, end = (_begin(zone_name, one, day_start_s) for one in (day, after))
        else:
            start = end = _instant("", zone_name, day_start_s)
    except (ValueError, OverflowError) as error:
        hint = "Use 2026-03-01, 2026-03, or 2026-03-01T00:00Z/2026-03-01T06:00Z."
        raise BadSpanError(f"{text!r} is no span.", hint=hint) from error
    if end <= start:
        raise BadSpanError(f"{text!r} ends before it starts.", hint="Give the earlier instant first.")
    return Span(start, end)


def _begin(zone_name: str, day: date, day_start_s: int) -> datetime:
    """Where a local day begins, by the clock on the wall."""
    if not day_start_s:
        return local_midnight(zone_name, day)
    wall = datetime.combine(day, time()) + timedelta(seconds=day_start_s)
    return wall.replace(tzinfo=zone(zone_name)).astimezone(UTC)


def _instant(text: str, zone_name: str, day_start_s: int) -> datetime:
    if _DAY.fullmatch(text.strip()):
        return _begin(zone_name, date.fromisoformat(text.strip()), day_start_s)
    found = datetime.fromisoformat(text.strip().replace(" ", "T"))
    return (found if found.tzinfo else found.replace(tzinfo=zone(zone_name))).astimezone(UTC)


def in_values(texts: Sequence[str], scale: int) -> tuple[int, ...]:
    """Decimals in a channel's unit as its own whole numbers.

    Raises:
        BadValueError: one is no number, or finer than the channel.
    """
    found = []
    for text in texts:
        try:
            scaled = Decimal(text).scaleb(-scale)
        except InvalidOperation as error:
            raise BadValueError(f"{text!r} is no number.", hint="Use 0.25.") from error
        if scaled != scaled.to_integral_value() or abs(scaled) >= 10**18:
            raise BadValueError(f"{text} is finer or larger than the channel can hold.", hint=f"Scale {scale}.")
        found.append(int(scaled))
    return tuple(found)
