"""Devices and channels remembered between transactions: a delivery a minute should not load the same meters again.

Every use asks the database, in its own transaction, for the version of each device that it names (the transaction that
wrote its row) and loads what is not remembered in that version. Saving a device always writes its row.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from openami.mdus.registry import store
from openami.mdus.registry.channel_store import channels_of_devices
from openami.mdus.registry.ids import bare

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device

REMEMBERED: Final = 100_000
_NAMED: Final = text(
    "SELECT device_key, CAST(CAST(xmin AS text) AS bigint) FROM device WHERE mrid = ANY(:names)"
    " OR serial_id = ANY(:names) OR device_key = ANY(:keys)"
    " OR device_key IN (SELECT device_key FROM point_assignment WHERE point = ANY(:names))"
)


@dataclass(frozen=True, slots=True)
class Known:
    """A device with its channels, as a version of its row had them."""

    version: int
    device: Device
    channels: tuple[Channel, ...]


class Memory:
    """What one process remembers of the registry."""

    def __init__(self, *, limit: int = REMEMBERED) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._limit = limit

    async def named(self, tx: AsyncConnection, names: Iterable[str]) -> dict[str, Known]:
        """The devices that these names may mean (mRID, serial number, id, point of delivery), by bare id."""
        wanted = sorted(set(names))
        if not wanted:
            return {}
        keys = sorted({bare(one) for one in wanted})
        rows = await tx.execute(_NAMED, {"names": wanted, "keys": keys})
        versions = {row[0]: int(row[1]) for row in rows}
        stale = [key for key, version in versions.items() if not self._remembers(key, version)]
        if stale:
            await self._load(tx, {key: versions[key] for key in stale})
        return {key: self._known[key] for key in sorted(versions) if key in self._known}

    async def _load(self, tx: AsyncConnection, versions: dict[str, int]) -> None:
        devices = await store.load_devices(tx, versions)
        channels: dict[str, list[Channel]] = {}
        for channel in await channels_of_devices(tx, versions):
            channels.setdefault(bare(channel.device), []).append(channel)
        for key, device in devices.items():
            self._known[key] = Known(versions[key], device, tuple(channels.get(key, ())))
        while len(self._known) > max(self._limit, len(versions)):
            self._known.popitem(last=False)

    def _remembers(self, key: str, version: int) -> bool:
        known = self._known.get(key)
        if known is None or known.version != version:
            return False
        self._known.move_to_end(key)
        return True
