"""The way out for pushes of the meters behind concentrators: UDP or TCP, as each push setup says.

A push waits as long as its setup lets chance decide, and one that cannot be delivered is tried again after a pause, as
often as the setup says; then it is forgotten: that is what meters do, and why a head-end reads the logs all the same.
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.meter.pushing import UDP, Destination, destination_of, push_frame
from openami.ami.meter.schedules import first_try_s, next_try_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.meter.facts import DuePush
    from openami.ami.meter.field import Field
    from openami.ami.meter.slave import SlaveTelegram

log = structlog.get_logger()

CONNECT_S: Final = 5.0
WAITING_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, order=True)
class _Way:
    """One push on its way: when it is tried next, and what was sent if it was tried before."""

    due_s: int
    number: int
    serial: str = field(compare=False)
    push: DuePush = field(compare=False)
    frame: bytes = field(compare=False, default=b"")
    failed: int = field(compare=False, default=0)


class Pushes:
    """Sends what meters want to tell; a listener of the field, for time passes until a push is due."""

    def __init__(self, field: Field, fleet_secret: str) -> None:
        self._field = field
        self._fleet_secret = fleet_secret
        self._waiting: list[_Way] = []
        self._taken = 0
        self.busy = False
        """Whether it looks after pushes at this moment."""
        self.sent = 0
        self.lost = 0

    @property
    def pending(self) -> int:
        """Pushes that were not sent yet."""
        return len(self._waiting)

    async def keep(self, _tx: AsyncConnection, _heard: Mapping[str, Sequence[SlaveTelegram]]) -> None:
        """Telegrams are no matter of pushes."""

    def notice(self) -> None:
        """Time has passed."""
        if self._is_due():
            self._field.pushes_due.set()

    async def collect(self) -> None:
        """Take what the meters want to tell."""
        async with self._field.step(advance=False) as fleet:
            for meter, push in fleet.take_pushes():
                due_s = first_try_s(meter.settings, meter.serial, push, meter.place(fleet.zone_name))
                if due_s is None or len(self._waiting) >= WAITING_MAX:
                    self.lost += 1
                    continue
                self._taken += 1
                heapq.heappush(self._waiting, _Way(due_s, self._taken, meter.serial, push))

    async def run(self) -> None:
        """A loop: send whatever the meters want to tell."""
        while True:
            await self._field.pushes_due.wait()
            self._field.pushes_due.clear()
            self.busy = True
            await self.collect()
            while self._is_due():
                await self._try(heapq.heappop(self._waiting))
            self.busy = False

    def _is_due(self) -> bool:
        return bool(self._waiting) and self._waiting[0].due_s <= self._field.now_s()

    async def _try(self, way: _Way) -> None:
        """Send a push once, with a counter that is durable before; the next try sends the same octets."""
        async with self._field.step(advance=False) as fleet:
            meter = fleet.meters[way.serial]
            destination = destination_of(fleet, way.serial, way.push.setup)
            reachable = not fleet.link_is_down(meter.device.transformer)
            if destination is None:
                return
            frame = way.frame or push_frame(fleet, way.serial, way.push, self._fleet_secret)
        try:
            if not reachable:
                raise ConnectionError("the link is down")
            await _send(destination, frame)
        except (OSError, TimeoutError) as error:
            log.info("push.not_sent", serial=way.serial, failed=way.failed, reason=str(error))
            failed = way.failed + 1
            place = meter.place(self._field.zone_name)
            due_s = next_try_s(meter.settings, way.serial, way.push, failed, self._field.now_s(), place)
            if due_s is None:
                self.lost += 1
            else:
                heapq.heappush(self._waiting, replace(way, due_s=due_s, frame=frame, failed=failed))
        else:
            self.sent += 1


async def _send(destination: Destination, frame: bytes) -> None:
    loop = asyncio.get_running_loop()
    if destination.transport == UDP:
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(destination.host, destination.port)
        )
        transport.sendto(frame)
        transport.close()
        return
    async with asyncio.timeout(CONNECT_S):
        _, writer = await asyncio.open_connection(destination.host, destination.port)
        writer.write(frame)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
