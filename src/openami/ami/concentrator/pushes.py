"""The way out for pushes of the meters behind concentrators: UDP or TCP, as each push setup says.

A push that cannot be delivered is tried again a few times and then forgotten: that is what meters do, and why a
head-end reads the logs all the same. A last gasp gets one try: the capacitor holds no longer.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.meter.pushing import UDP, Destination, destination_of, push_frame
from openami.ami.meter.settings import PUSH_LAST_GASP

if TYPE_CHECKING:
    from openami.ami.meter.field import Field

log = structlog.get_logger()

CONNECT_S: Final = 5.0
WAITING_MAX: Final = 10_000
RETRY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Way:
    """One push on its way."""

    serial: str
    destination: Destination
    frame: bytes
    tries: int


class Pushes:
    """Sends what meters want to tell."""

    def __init__(self, field: Field, fleet_secret: str) -> None:
        self._field = field
        self._fleet_secret = fleet_secret
        self._waiting: asyncio.Queue[_Way] = asyncio.Queue(WAITING_MAX)
        self.sent = 0
        self.lost = 0

    @property
    def pending(self) -> int:
        """Pushes that were not sent yet."""
        return self._waiting.qsize()

    async def collect(self) -> None:
        """Take what the meters want to tell, with counters that are durable before anything is sent."""
        async with self._field.step(advance=False) as fleet:
            for meter, push in fleet.take_pushes():
                destination = destination_of(fleet, meter.serial, push.setup)
                if destination is None or fleet.link_is_down(meter.device.transformer):
                    continue
                tries = 1 if push.setup == PUSH_LAST_GASP else 1 + meter.settings.of(push.setup, 6).integer()
                frame = push_frame(fleet, meter.serial, push, self._fleet_secret)
                with suppress(asyncio.QueueFull):
                    self._waiting.put_nowait(_Way(meter.serial, destination, frame, tries))

    async def run(self) -> None:
        """A loop: send whatever the meters want to tell."""
        while True:
            await self._field.pushes_due.wait()
            self._field.pushes_due.clear()
            await self.collect()
            while not self._waiting.empty():
                await self._deliver(self._waiting.get_nowait())

    async def _deliver(self, way: _Way) -> None:
        for attempt in range(way.tries):
            try:
                await _send(way.destination, way.frame)
            except (OSError, TimeoutError) as error:
                log.info("push.not_sent", serial=way.serial, attempt=attempt, reason=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                self.sent += 1
                return
        self.lost += 1


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
