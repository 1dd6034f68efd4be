"""What a bill is made from, for any channel or sum of channels and any span, as known now or at an instant.

Totals, buckets by time of use, tiers, demand, what was taken and fed in, register readings; and the gate: why the span
may not be billed yet. Losses are a matter of virtual channels.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.series import determinants as pure
from openami.mdus.series.calendar import Calendar, instant_of
from openami.mdus.series.determinants import Gate, Window
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.vee.gas import energy_de_kwh, energy_gb_kwh
from openami.mdus.vee.readings import register_at
from openami.mdus.vee.registers import unrolled
from openami.mdus.virtual.model import written
from openami.shared.errors import OpenAmiError
from openami.shared.quality import has_value, is_estimated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.series import Channel as SeriesChannel
    from openami.mdus.series import ChannelSpan, Series
    from openami.mdus.series.knowledge import AsOf
    from openami.shared.spans import Span

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW: Final = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?\s+(\d{1,2})(?::(\d\d))?-(\d{1,2})(?::(\d\d))?")
OTHERWISE: Final = "otherwise"


class BadTariffError(OpenAmiError):
    """Buckets, tiers or windows that cannot be read."""


class MixedUnitsError(OpenAmiError):
    """Channels of different units or lengths in one sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which determinants are wanted."""

    buckets: tuple[str, ...] = ()
    """Such as `peak=mon-fri 07:00-23:00`, local time; the last that fits wins."""
    tiers: tuple[int, ...] = ()
    """Ascending bounds in the channel's own values."""
    demand_s: int = 0
    """Length of the demand window; 0: the interval."""
    gate: Gate = field(default_factory=Gate)
    rules_folder: Path | None = None
    """Rule sets of the installation: registers that were not read are estimated by them."""
    gas: Mapping[str, Decimal] = field(default_factory=dict)
    """`calorific_kwh_m3` with the state number `z` (GA2), or `calorific_mj_m3` (GA1): from volume to energy."""


async def determinants(
    series: Series,
    tx: AsyncConnection,
    members: Sequence[tuple[int | Fraction, Channel]],
    span: Span,
    asked: Asked,
    as_of: AsOf = None,
    *,
    computed: ChannelSpan | None = None,
) -> dict[str, Any]:
    """All determinants as plain values; energies are whole numbers in `unit` times ten to the `scale`.

    `computed` are the values of a virtual channel whose members change within the span.

    Raises:
        MixedUnitsError: the members cannot be added.
        BadTariffError: what is asked for cannot be read.
    """
    first = members[0][1]
    _check_alike([one for _, one in members])
    knowledge = as_of if as_of is not None else await Knowledge.now(tx)
    spans = [await series.read(tx, channel.id, span, knowledge) for _, channel in members] if computed is None else []
    whole = computed if computed is not None else _whole(members, spans)
    present = has_value(whole.quality)
    total, estimated = int(whole.values[present].sum()), int(whole.values[is_estimated(whole.quality)].sum())
    taken, fed = pure.taken_and_fed(whole)
    demand = pure.rolling_demand(whole, asked.demand_s or first.interval_s)
    found: dict[str, Any] = {
        "unit": first.unit, "scale": first.scale, "interval_s": first.interval_s, "zone": first.zone,
        "from": span.start, "to": span.end, "intervals": len(whole), "missing": int((~present).sum()),
        "total": total, "estimated": estimated, "measured": total - estimated, "taken": taken, "fed_in": fed,
        "buckets": _buckets(first, whole, asked.buckets),
        "tiers": pure.tiers(total, asked.tiers) if asked.tiers else [],
        "demand": None if demand is None else asdict(demand) | {"at": instant_of(demand.start_s)},
        "members": [_member(factor, one) for factor, one in members],
        "not_yet": pure.refusals(whole, asked.gate),
        "knowledge": knowledge.snapshot if isinstance(knowledge, Knowledge) else knowledge,
    }  # fmt: skip
    if len(spans) > 1:
        found |= _together(members, spans)
    elif first.register and len(members) == 1 and members[0][0] == 1:
        found["registers"] = await _registers(series, tx, (first, first.register), span, knowledge, asked)
    if asked.gas:
        found["energy_kwh"] = str(_energy_kwh(first, total, asked.gas))
    return found | {"released": not found["not_yet"]}


def _energy_kwh(channel: Channel, total: int, gas: Mapping[str, Decimal]) -> Decimal:
    """What a volume of gas is worth, exactly; a channel in standard volume (OBIS 7-0:3.2) is not converted twice."""
    if channel.unit != "m3" or channel.obis[:1] != "7":
        raise BadTariffError(f"Channel {channel.id} holds no gas volume.", hint="Name a channel of gas, in m3.")
    volume_m3 = Decimal(total).scaleb(channel.scale)
    if "calorific_mj_m3" in gas:
        return energy_gb_kwh(volume_m3, gas["calorific_mj_m3"])
    if "calorific_kwh_m3" not in gas:
        raise BadTariffError("The calorific value is missing.", hint="Give calorific_kwh_m3 and z, or calorific_mj_m3.")
    standard = channel.obis.partition(":")[2].split(".")[1:2] == ["2"]
    return energy_de_kwh(volume_m3, gas["calorific_kwh_m3"], gas.get("z", Decimal(1)), standard_volume=standard)


def _whole(members: Sequence[tuple[int | Fraction, Channel]], spans: Sequence[ChannelSpan]) -> ChannelSpan:
    if len(members) == 1 and members[0][0] == 1:
        return spans[0]
    return pure.combine([(factor, one) for (factor, _), one in zip(members, spans, strict=True)])


def _member(factor: int | Fraction, channel: Channel) -> dict[str, Any]:
    sign = 1 if factor > 0 else -1
    return {"channel": channel.id, "sign": sign, "factor": written(Fraction(factor)), "device": channel.device}


def _check_alike(channels: Sequence[Channel]) -> None:
    kinds = {(one.unit, one.scale, one.interval_s) for one in channels}
    if len(kinds) > 1 or not channels[0].interval_s:
        raise MixedUnitsError(
            f"Channels of {', '.join(f'{unit} e{scale} every {s} s' for unit, scale, s in sorted(kinds))} make no sum.",
            hint="Name interval channels of one unit, scale and length.",
        )


def _buckets(channel: Channel, whole: ChannelSpan, words: Sequence[str]) -> dict[str, int]:
    """Energy by bucket; without any bucket none."""
    if not words:
        return {}
    names, windows = windows_of(words)
    calendar = channel.calendar
    bucket = _bucket_of_slots(calendar, whole.start_s, windows)
    values = np.where(has_value(whole.quality), whole.values, 0)
    totals = np.zeros(len(names), np.int64)
    np.add.at(totals, bucket, values)
    return dict(zip(names, totals.tolist(), strict=True))


def _bucket_of_slots(calendar: Calendar, start_s: NDArray[np.int64], windows: Sequence[Window]) -> NDArray[np.int64]:
    day, slot, _ = calendar.slots(start_s)
    bucket = np.zeros(len(start_s), np.int64)
    for count in {calendar.count(int(one)) for one in np.unique(day)}:
        days = np.array([one for one in np.unique(day).tolist() if calendar.count(one) == count], np.int64)
        table = pure.bucket_slots(calendar, days, count, windows)
        mine = np.isin(day, days)
        bucket[mine] = table[np.searchsorted(days, day[mine]), slot[mine]]
    return bucket


def windows_of(words: Sequence[str]) -> tuple[list[str], list[Window]]:
    """Names of buckets, `otherwise` first, and their windows.

    Raises:
        BadTariffError: a word is none of the form `peak=mon-fri 07:00-23:00`.
    """
    names, windows = [OTHERWISE], []
    for word in words:
        name, _, rest = word.partition("=")
        match = _WINDOW.fullmatch(rest.strip().lower())
        if not match or not name.strip() or not {match[1], match[2] or match[1]} <= set(_DAYS):
            raise BadTariffError(f"{word!r} is no window of a bucket.", hint="Use peak=mon-fri 07:00-23:00.")
        if name.strip() not in names:
            names.append(name.strip())
        begin, end = _DAYS.index(match[1]), _DAYS.index(match[2] or match[1])
        days = {one % 7 for one in range(begin, (end if end >= begin else end + 7) + 1)}
        from_s, to_s = (int(h) * 3600 + int(m or 0) * 60 for h, m in ((match[3], match[4]), (match[5], match[6])))
        if to_s <= from_s or to_s > 86_400:
            raise BadTariffError(f"{word!r} ends before it begins.", hint="A window lies within a day; give two.")
        windows.append(Window(names.index(name.strip()), frozenset(days), from_s, to_s))
    return names, windows


def _together(members: Sequence[tuple[int | Fraction, Channel]], spans: Sequence[ChannelSpan]) -> Mapping[str, Any]:
    """What only several channels have: the sum of each, and the peak they make together."""
    sums = [int(one.values[has_value(one.quality)].sum()) for one in spans]
    found: dict[str, Any] = {"sums": sums}
    if all(sign == 1 for sign, _ in members):
        at_s, parts = pure.coincident_demand(spans)
        found["coincident"] = {"at": instant_of(at_s), "energy": sum(parts), "parts": parts}
    return found


def _advance(register: SeriesChannel, span: Span, start: int, end: int) -> int | None:
    """How far a register went, over its last digit where that is possible (V24); None where it must have been reset."""
    at_s = np.array([int(one.timestamp()) for one in (span.start, span.end)])
    total, piece = unrolled(at_s, np.array([start, end]), register.modulus or 0, register.hourly_limit)
    return int(total[1] - total[0]) if piece[1] == 0 or register.net else None


async def _registers(
    series: Series, tx: AsyncConnection, channels: tuple[Channel, int], span: Span, as_of: AsOf, asked: Asked
) -> dict[str, Any]:
    """The register at both ends of the span: as it was read at those very instants, else estimated, and by what."""
    channel, register = channels
    ends = [
        await register_at(series, tx, (channel.id, register), at, as_of, folder=asked.rules_folder)
        for at in (span.start, span.end)
    ]
    start, end = (one.value if one else None for one in ends)
    own = (await series.channels(tx, [register]))[0]
    advance = None if start is None or end is None else _advance(own, span, start, end)
    methods = [one.method if one else None for one in ends]
    return {"register": register, "start": start, "end": end, "advance": advance, "methods": methods}
