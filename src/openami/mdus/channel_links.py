"""A channel of the registry as the series know it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from openami.mdus import series
from openami.mdus.registry.slices import OPEN_INSTANT
from openami.mdus.registry.tables import among
from openami.mdus.series import tables
from openami.mdus.vee.ruleset import available

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device

_MEDIA: Final = {"6": "heat", "7": "gas", "8": "water", "9": "water"}
"""Class of a medium, value group A of its OBIS code (hot water is water)."""
_CLASSES: Final = frozenset({"residential", "commercial", "industrial", "gas", "water", "heat"})
_BY_VOLUME: Final = frozenset({"gas", "water"})
_NET: Final = frozenset({"1:16"})
"""Quantities that may be negative: energy taken less energy fed in."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How an installation judges channels of which their master data say nothing else."""

    rule_set: str = "default"
    folder: Path | None = None
    """Where rule sets of one's own lie; they go before the shipped ones."""
    rating_w: Mapping[str, int] = field(
        default_factory=lambda: {"residential": 55_200, "gas": 6_000, "water": 3_125, "heat": 116_300}
    )
    """The most that a connection of a class can take in an hour, in watt-hours or litres: a home with three phases of
    80 A at 230 V; a gas meter G4 (6 m3/h); the overload flow of a water meter Q3 2.5 (OIML R 49: Q4 = 1.25 x Q3); a
    heat meter of 2.5 m3/h at a difference of 40 K (1.163 Wh a litre and kelvin)."""


def series_channel(
    channel: Channel, device: Device, registers: dict[int, Channel], judging: Judging | None = None
) -> series.Channel:
    """What keeping and judging its values needs to know; `registers` are the register channels by number.

    Its life begins with the installation: before it nothing was measured that could be missing.
    """
    judging = judging or Judging()
    rule_set, kind = judged_by(channel, device, judging)
    installed = min((one.installed_at for one in device.locations if one.installed_at), default=channel.span.start)
    until = None if channel.span.end >= OPEN_INSTANT else channel.span.end
    register = registers.get(channel.register) if channel.register else None
    return series.Channel(
        id=channel.id,
        zone=channel.zone,
        interval_s=channel.interval_s,
        day_start_s=channel.day_start_s,
        unit=channel.unit,
        scale=channel.scale,
        register=register.id if register else None,
        register_step=register.step if register else 1,
        modulus=register.rollover if register else channel.rollover,
        rating_w=judging.rating_w.get(kind) if (kind in _BY_VOLUME) == (channel.unit == "m3") else None,
        rule_set=rule_set,
        kind=kind,
        net=channel.quantity in _NET,
        since=max(channel.span.start, min(installed, channel.span.end)),
        until=until,
    )


def judged_by(channel: Channel, device: Device, judging: Judging) -> tuple[str, str]:
    """Rule set and class of a channel: by the validation profile of its register, such as `california/commercial`.

    A profile that names neither leaves the choice of the installation and the class of the medium.
    """
    profile = next((one.validation_profile for one in device.registers if one.task == channel.task), "")
    first, _, second = profile.strip().lower().partition("/")
    known = available(judging.folder)
    rule_set = first if first in known else judging.rule_set
    named = second or (first if first not in known else "")
    usual = _MEDIA.get(channel.quantity.partition(":")[0], "residential")
    return rule_set, named if named in _CLASSES else usual


async def declared(tx: AsyncConnection, ids: Sequence[int]) -> dict[int, series.Channel]:
    """What the series know of these channels, as far as they were declared."""
    if not ids:
        return {}
    columns = [tables.channel.c[one.name] for one in fields(series.Channel)]
    query = select(*columns).where(among(tables.channel.c.id, list(ids)))
    return {row["id"]: series.Channel(**row) for row in (await tx.execute(query)).mappings()}
