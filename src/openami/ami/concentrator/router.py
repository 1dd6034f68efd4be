"""The router half of a concentrator: DLMS requests over TCP and UDP, by gateway header to the meter meant.

In store-and-forward mode the concentrator answers itself from what it has read; in hybrid mode it does so for a meter
that cannot be reached.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.concentrator import store
from openami.ami.concentrator.cache import STEP, CachedSession, Mode
from openami.ami.concentrator.datagrams import Datagrams
from openami.ami.concentrator.segment import PERFECT, Segment
from openami.ami.dlms.device import serve
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFrame, WrapperFraming
from openami.ami.meter.cosem import ElectricityDevice
from openami.ami.meter.protection import code_of, keys_of, protection_of, system_title
from openami.ami.meter.street import Kind, lls_password

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openami.ami.concentrator.cache import CachedMeter
    from openami.ami.meter.field import Field
    from openami.ami.meter.fleet import Fleet
    from openami.ami.meter.street import Device, Transformer

log = structlog.get_logger()

CONNECTIONS_MAX: Final = 64
"""More would be more than a concentrator's modem can carry; a head-end has a handful."""
SESSIONS_PER_CONNECTION_MAX: Final = 64
"""More meters than stand behind any transformer of ours."""
IDLE_S: Final = 120.0
READ_OCTETS: Final = 65_536


class Router:
    """Listens on one TCP port; each connection may talk to every meter behind this transformer."""

    def __init__(
        self,
        field: Field,
        transformer: Transformer,
        fleet_secret: str,
        host: str,
        port: int,
        segment: Segment | None = None,
        mode: Mode = Mode.ROUTER,
        known: Mapping[str, CachedMeter] | None = None,
    ) -> None:
        self._field = field
        self._transformer = transformer
        self._fleet_secret = fleet_secret
        self._host = host
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._devices = {
            device.gateway_address: device
            for device in field.street.devices
            if device.transformer == transformer.name and device.kind is Kind.ELECTRICITY
        }
        self.port = port
        self._datagrams: Datagrams[Sessions] = Datagrams(self.answer, Sessions)
        self.segment = segment or Segment(PERFECT)
        self._air = asyncio.Lock()
        """Only one frame at a time is on the segment."""
        self._mode = mode
        self._known = {} if known is None else known
        """What the concentrator has read of its meters by itself."""

    async def start(self) -> None:
        """Bind the port; with port 0 the system chooses one, and `port` says which."""
        self._server = await asyncio.start_server(self._connected, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        await self._datagrams.start(self._host, self.port)

    async def run(self) -> None:
        """A loop: answer datagrams; when it is cancelled, the port and all connections close."""
        try:
            await self._datagrams.run()
        finally:
            if self._server is not None:
                self._server.close()
                self.drop_connections()

    def drop_connections(self) -> None:
        """What a broken link does to whoever is connected."""
        for writer in list(self._writers):
            writer.transport.abort()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._writers)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._field.fleet.link_is_down(self._transformer.name) or len(self._writers) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            await self._talk(reader, writer)
        except (RemoteProtocolError, ConnectionError, TimeoutError) as error:
            log.info(
                "concentrator.closed", transformer=self._transformer.name, reason=str(error) or type(error).__name__
            )
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer = WrapperBuffer()
        sessions = Sessions()
        while True:
            async with asyncio.timeout(IDLE_S):
                octets = await reader.read(READ_OCTETS)
            if not octets:
                return
            buffer.receive(octets)
            while (frame := buffer.next_frame()) is not None:
                answer = await self.answer(frame, sessions)
                if answer:
                    writer.write(answer)
                    await writer.drain()

    async def answer(self, frame: WrapperFrame, sessions: Sessions) -> bytes:
        """The answer of the meter meant; nothing for a meter that is not there, just as on a real segment."""
        address = frame.gateway_address
        device = self._devices.get(address.physical_address) if address is not None else None
        if device is None or self._field.fleet.link_is_down(self._transformer.name):
            return b""
        async with self._field.step() as fleet:
            self._field.counters.frames += 1
            answers = fleet.answers(fleet.meters[device.serial])
        if self._mode is Mode.STORE_AND_FORWARD or (self._mode is Mode.HYBRID and not answers):
            return await self._answer_itself(device, frame, sessions)
        session = sessions.live.pop(device.gateway_address, None)
        session = session or Session(device, self._fleet_secret, self._field.now_s)
        sessions.live[device.gateway_address] = session  # the last one used is the last one to be forgotten
        while len(sessions.live) > SESSIONS_PER_CONNECTION_MAX:
            sessions.live.pop(next(iter(sessions.live)))
        if not answers or not await self._carry(frame.payload):
            return b""
        async with self._field.step() as fleet:
            if not fleet.answers(fleet.meters[device.serial]):
                return b""
            answer = session.serve(fleet, frame)
        return answer if await self._carry(answer) else b""

    async def _answer_itself(self, device: Device, frame: WrapperFrame, sessions: Sessions) -> bytes:
        """What the concentrator knows of a meter, sealed with counters that are durable before they are used."""
        known = self._known.get(device.serial)
        if known is None:
            return b""
        session = sessions.cached.get(device.serial)
        if session is None:
            wrapped = self._field.fleet.meters[device.serial].wrapped_keys
            keys = keys_of(self._fleet_secret, device.serial, wrapped)
            title = system_title(self._transformer.concentrator)
            session = sessions.cached[device.serial] = CachedSession(known, self._field.zone_name, keys, title)
        if known.running_low:
            until = known.sent.reserved_until + STEP
            async with self._field.database.begin() as tx:
                await store.keep_cached(tx, self._transformer.name, [known])
                await store.reserve_counters(tx, known.serial, until)
            known.sent.reserved_until = until
        return session.serve(frame)

    async def _carry(self, octets: bytes) -> bool:
        """Whether a frame arrives over the segment; it takes the time that it takes."""
        async with self._air:
            arrived, took_s = self.segment.carry(octets)
            if took_s:
                await asyncio.sleep(took_s)
        return arrived


@dataclass(slots=True)
class Sessions:
    """What one client is in the middle of, with meters and with what is known of them."""

    live: dict[bytes, Session] = dataclass_field(default_factory=dict)
    cached: dict[str, CachedSession] = dataclass_field(default_factory=dict)


class Session:
    """One client's association with one meter; it ends when the fleet is loaded again."""

    def __init__(self, device: Device, fleet_secret: str, now_s: Callable[[], int]) -> None:
        self._now_s = now_s
        self._device = device
        self._fleet_secret = fleet_secret
        self._password = lls_password(fleet_secret, device.serial)
        self._fleet: Fleet | None = None
        self._connection = ServerConnection(WrapperFraming.server())
        self._object_model: ElectricityDevice | None = None
        self._keys_seen = 0

    @property
    def serial(self) -> str:
        """Of the meter."""
        return self._device.serial

    def serve(self, fleet: Fleet, frame: WrapperFrame) -> bytes:
        """What the meter answers to a frame.

        Raises:
            RemoteProtocolError: the stream is lost.
        """
        meter = fleet.meters[self._device.serial]
        changed = self._keys_seen != len(meter.wrapped_keys) and not self._connection.associated
        if self._fleet is not fleet or self._object_model is None or changed:
            self._fleet = fleet
            keys = keys_of(self._fleet_secret, meter.serial, meter.wrapped_keys)
            ciphering, prover = protection_of(keys, meter.serial, meter.counters)
            self._connection = ServerConnection(WrapperFraming.server(), protection=ciphering, prover=prover)
            self._keys_seen = len(meter.wrapped_keys)
            self._object_model = ElectricityDevice(
                meter,
                self._password,
                fleet.zone_name,
                self._now_s,
                keys=keys,
                slaves=fleet.slaves_of(meter),
            )
        meter.reserve_counters(fleet.lived_s)

        def failed(error: RemoteProtocolError) -> None:
            code = code_of(error)
            if code is not None:
                meter.log(fleet.lived_s, code)

        return serve(self._connection, self._object_model, frame.encode(), on_failure=failed)
