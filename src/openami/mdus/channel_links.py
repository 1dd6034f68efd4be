"""A channel of the registry as the series know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.mdus import series

if TYPE_CHECKING:
    from openami.mdus.registry.channels import Channel


def series_channel(channel: Channel, registers: dict[int, Channel]) -> series.Channel:
    """What keeping and judging its values needs to know; `registers` are the register channels by number."""
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
    )
