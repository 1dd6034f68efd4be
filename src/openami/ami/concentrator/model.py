"""A concentrator: a router and an uplink beside one transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.ami.concentrator import store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.concentrator.collecting import Collecting
    from openami.ami.concentrator.router import Router
    from openami.ami.concentrator.uplink import Uplink
    from openami.ami.meter.field import Field
    from openami.ami.meter.slave import SlaveTelegram
    from openami.ami.meter.street import Transformer


class Concentrator:
    """One box: what it hears on its M-Bus segment is stored with the time in which it was heard."""

    def __init__(
        self,
        field: Field,
        transformer: Transformer,
        router: Router,
        uplink: Uplink,
        collecting: Collecting | None = None,
    ) -> None:
        self.transformer = transformer
        self.collecting = collecting
        """Reads the meters by itself; a mere router does not."""
        self.router = router
        self.uplink = uplink
        self._field = field
        self._heard = 0
        self._kept: set[str] = set()
        """Meters whose cache is in the transaction that is under way."""

    async def keep(self, tx: AsyncConnection, heard: Mapping[str, Sequence[SlaveTelegram]]) -> None:
        """Store what this box heard of all that was heard."""
        mine = heard.get(self.transformer.name, ())
        await store.keep(tx, mine)
        self._heard = len(mine)
        if self.collecting is not None:
            self._kept = set(self.collecting.changed)
            read = [self.collecting.meters[serial] for serial in self._kept & self.collecting.meters.keys()]
            await store.keep_cached(tx, self.transformer.name, read)

    async def start(self) -> None:
        """Take back what an earlier process had read, before the meters are asked for more."""
        if self.collecting is not None:
            async with self._field.database.begin() as tx:
                self.collecting.know(await store.cached(tx, self.transformer.name, self.collecting.password_of))

    def notice(self) -> None:
        """The transaction is through: send, or drop connections when the link broke."""
        heard, self._heard = self._heard, 0
        self.uplink.notice(heard)
        if self.collecting is not None:
            self.collecting.changed -= self._kept
            self.collecting.collect(self._field.fleet)
        if self._field.fleet.link_is_down(self.transformer.name):
            self.router.drop_connections()
