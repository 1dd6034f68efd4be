"""A meter's own modem, where nobody can call it: it dials in, says who it is, and answers on that line."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.concentrator.router import READ_OCTETS, Session
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.wrapper import WrapperBuffer
from openami.ami.meter.facts import DuePush
from openami.ami.meter.pushing import push_frame
from openami.ami.meter.settings import PUSH_INTERVAL

if TYPE_CHECKING:
    from openami.ami.meter.field import Field
    from openami.ami.meter.street import Device

log = structlog.get_logger()

CONNECT_S: Final = 5.0
CALLS_MAX: Final = 1000


class Calls:
    """The calls of the meters of a street that are going on."""

    def __init__(self, field: Field, fleet_secret: str) -> None:
        self._field = field
        self._fleet_secret = fleet_secret
        self._going: dict[str, asyncio.Task[None]] = {}

    @property
    def going(self) -> list[str]:
        """Who is on the line."""
        return sorted(self._going)

    async def call(self, serial: str, host: str, port: int, *, says_hello: bool = True) -> None:
        """Let a meter dial in; it says who it is by a sealed push, or waits to be asked.

        Raises:
            OSError, TimeoutError: nobody answers there.
        """
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(host, port)
        device = self._field.street.device(serial)
        if says_hello:
            writer.write(await self._hello(serial))
        if (former := self._going.pop(serial, None)) is not None or len(self._going) >= CALLS_MAX:
            (former or self._going.pop(next(iter(self._going)))).cancel()
        self._going[serial] = asyncio.create_task(self._answer(device, reader, writer))

    async def run(self) -> None:
        """A loop that only waits: when it is cancelled, all meters hang up."""
        try:
            await asyncio.Event().wait()
        finally:
            for call in self._going.values():
                call.cancel()
            await asyncio.gather(*self._going.values(), return_exceptions=True)

    async def _hello(self, serial: str) -> bytes:
        """The regular push of the meter, with a counter that is durable before it is sent."""
        async with self._field.step(advance=False) as fleet:
            return push_frame(fleet, serial, DuePush(PUSH_INTERVAL, fleet.lived_s), self._fleet_secret)

    async def _answer(self, device: Device, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session, buffer = Session(device, self._fleet_secret, self._field.now_s), WrapperBuffer()
        try:
            with suppress(OSError, RemoteProtocolError):
                while octets := await reader.read(READ_OCTETS):
                    buffer.receive(octets)
                    while (frame := buffer.next_frame()) is not None:
                        async with self._field.step() as fleet:
                            self._field.counters.frames += 1
                            if fleet.answers(fleet.meters[device.serial]):
                                writer.write(session.serve(fleet, frame))
        finally:
            writer.close()
            if self._going.get(device.serial) is asyncio.current_task():
                del self._going[device.serial]
