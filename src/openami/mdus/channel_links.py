"""A channel of the registry as the series know it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from sqlalchemy import select

from openami.mdus import series
from openami.mdus.registry.slices import OPEN_INSTANT
from openami.mdus.registry.tables import among
from openami.mdus.series import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device


def series_channel(channel: Channel, device: Device, registers: dict[int, Channel]) -> series.Channel:
    """What keeping and judging its values needs to know; `registers` are the register channels by number.

    Its life begins with the installation: before it nothing was measured that could be missing.
    """
    installed = min((one.installed_at for one in device.locations if one.installed_at), default=channel.span.start)
    until = None if channel.span.end >= OPEN_INSTANT else channel.span.end
    register = registers.get(channel.register) if channel.register else None
    return series.Channel(
        id=channel.id,
        zone=channel.zone,
        interval_s=channel.interval_s,
        unit=channel.unit,
        scale=channel.scale,
        register=register.id if register else None,
        register_step=register.step if register else 1,
        modulus=channel.rollover,
        since=max(channel.span.start, min(installed, channel.span.end)),
        until=until,
    )


async def declared(tx: AsyncConnection, ids: Sequence[int]) -> dict[int, series.Channel]:
    """What the series know of these channels, as far as they were declared."""
    if not ids:
        return {}
    columns = [tables.channel.c[one.name] for one in fields(series.Channel)]
    query = select(*columns).where(among(tables.channel.c.id, list(ids)))
    return {row["id"]: series.Channel(**row) for row in (await tx.execute(query)).mappings()}
