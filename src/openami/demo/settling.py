"""The first day of a street that then goes on against the real clock: its meters arrive and are installed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.demo import story
from openami.shared.spans import local_date

if TYPE_CHECKING:
    from openami.demo.areas import Areas
    from openami.shared.clock import Clock


async def settle_in(areas: Areas, zone_name: str, clock: Clock) -> int:
    """Receive and install the street's meters unless that was done before; how many were installed now."""
    if await areas.get("office", "/api/devices"):
        return 0
    street = story.Street(zone_name, await areas.get("field", "/api/street"))
    await story.receive(areas, street)
    now = clock.now()
    await story.install_at(areas, street, now, local_date(zone_name, now))
    return sum(device["home"] is not None for device in street.layout["devices"])
