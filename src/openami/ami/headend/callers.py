"""Meters that call: they dial in to be read, or bring a push over TCP. Nobody else is let in for long.

A caller says who it is by a sealed push, whose counter must be above the last one; a caller that stays silent is asked
for its serial number as the public client, which anybody may. The latter is a claim only: it never takes the place of
a caller on the line, and whoever cannot prove the meter's secrets in the association that follows is hung up on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.errors import DlmsError, RemoteProtocolError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFraming
from openami.ami.headend import command_store, store
from openami.ami.headend.dialogues import DATA_CLASS, SERIAL, given
from openami.ami.headend.model import Link
from openami.ami.headend.sessions import SERVER_SAP, Session, Timing, Traffic
from openami.ami.headend.wires import Wire
from openami.shared.database import after_commit
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.ami.headend.links import Links
    from openami.ami.headend.pushes import PushIntake
    from openami.ami.headend.wires import Wires
    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

CALLERS_MAX: Final = 50_000
"""Connections at a time: what one process can hold open; meters that find no place call again later."""
STRANGERS_MAX: Final = 256
"""Of these, how many may not have said who they are."""
HELLO_S: Final = 2.0
"""How long a caller may be silent before it is asked who it is."""
IDLE_S: Final = 900.0
"""How long a meter that is not read by dialling in may hold a connection between two pushes."""
PUSHES_WAITING_MAX: Final = 64
PUBLIC_SAP: Final = 16


class Waiting(Protocol):
    """What may wait for a meter to call: the schedule, the orders."""

    wake: asyncio.Event

    async def settled(self, serial: str) -> None:
        """Return when nothing is being tried at a meter."""
        ...


class CallerWire(Wire):
    """A connection that a meter has opened; what it says while no session is held on it are pushes."""

    def __init__(self, callers: Callers) -> None:
        super().__init__()
        self._callers = callers
        self._frames = WrapperBuffer()
        self._pushes: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.in_session = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody calls."""
        super().connection_made(transport)
        self._callers.called(self)

    def data_received(self, data: bytes) -> None:
        """Octets of a session, or pushes."""
        if self.in_session:
            super().data_received(data)
            return
        try:
            self._frames.receive(data)
            while (frame := self._frames.next_frame()) is not None:
                self._pushes.put_nowait(frame.encode())
        except RemoteProtocolError as error:
            self._hang_up(error.found)
        if self._pushes.qsize() > PUSHES_WAITING_MAX:
            self._hang_up(f"more than {PUSHES_WAITING_MAX} pushes at once")

    def connection_lost(self, exc: Exception | None) -> None:
        """The meter has hung up."""
        super().connection_lost(exc)
        self._pushes.put_nowait(None)

    async def push(self) -> bytes | None:
        """The next push that came over this connection; None when it has ended."""
        return await self._pushes.get()

    def _hang_up(self, reason: str) -> None:
        self._end(reason)
        self.close()


class Callers:
    """Takes calls on a TCP port."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        wires: Wires,
        links: Links,
        pushes: PushIntake,
        *,
        waiting: tuple[Waiting, ...],
        timing: Timing,
        host: str,
        port: int,
        hello_s: float = HELLO_S,
    ) -> None:
        self._database, self._clock = database, clock
        self._wires, self._links, self._pushes = wires, links, pushes
        self._waiting, self._timing, self._hello_s = waiting, timing, hello_s
        self._host, self.port = host, port
        self._calls: dict[CallerWire, asyncio.Task[None]] = {}
        self.strangers = 0
        self.refused = 0

    @property
    def on_the_line(self) -> int:
        """How many connections are open."""
        return len(self._calls)

    async def run(self) -> None:
        """A loop: take calls until it is cancelled, then hang up on all."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: CallerWire(self), self._host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            await server.serve_forever()
        finally:
            server.close()
            calls = list(self._calls.values())
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    def called(self, wire: CallerWire) -> None:
        """A connection was opened."""
        if len(self._calls) >= CALLERS_MAX or self.strangers >= STRANGERS_MAX:
            self.refused += 1
            wire.close()
            return
        self.strangers += 1
        self._calls[wire] = asyncio.get_running_loop().create_task(self._serve(wire))

    async def _serve(self, wire: CallerWire) -> None:
        try:
            try:
                serial = await self._who(wire)
            finally:
                self.strangers -= 1
            if serial is None:
                self.refused += 1
            elif await self._welcome(serial, wire):
                await self._listen(wire, None)
            else:
                await self._listen(wire, IDLE_S)
        except Exception:  # one bad call ends itself only
            log.exception("callers.failed")
        finally:
            del self._calls[wire]
            wire.close()

    async def _who(self, wire: CallerWire) -> str | None:
        """The serial number of a caller; None for one that is not ours."""
        try:
            async with asyncio.timeout(self._hello_s):
                push = await wire.push()
        except TimeoutError:
            return await self._claimed(wire)
        return None if push is None else await self._pushed(push)

    async def _pushed(self, push: bytes) -> str | None:
        try:
            return await self._pushes.take(push)
        except OpenAmiError as error:
            log.info("callers.push_refused", reason=str(error))
            return None

    async def _claimed(self, wire: CallerWire) -> str | None:
        """Who a silent caller says it is, if that meter is not on the line already."""
        wire.in_session = True
        try:
            session = Session(
                wire, ClientConnection(WrapperFraming.client(PUBLIC_SAP, SERVER_SAP)), self._timing, Traffic()
            )
            await session.associate()
            (answer,) = await session.ask_all([AttributeRef(DATA_CLASS, Obis.of(SERIAL), 2)])
            await session.release()
            serial: str = given(answer).data().text().strip()
        except (DlmsError, OpenAmiError) as error:
            log.info("callers.unknown", reason=str(error))
            return None
        finally:
            wire.in_session = False
        return None if self._wires.on_the_line(serial) else serial

    async def _welcome(self, serial: str, wire: CallerWire) -> bool:
        """A meter of ours has called: what waits for it is due now. False for one that is not read by dialling in."""
        async with self._database.read() as connection:
            row = await store.meter_row(connection, serial)
        if row is None or row.link != Link.DIAL_IN:
            return False
        self._links.reached(store.meter_of(row).address)
        self._wires.dialled_in(serial, wire)
        for part in self._waiting:
            await part.settled(serial)  # what was tried a moment before the call still has to fail, and to say so
        async with self._database.begin() as transaction:
            now = self._clock.now()
            await store.hurry(transaction, serial, now)
            await command_store.hurry(transaction, serial, now)
            for part in self._waiting:
                after_commit(transaction, part.wake)
        log.info("callers.dialled_in", serial=serial)
        return True

    async def _listen(self, wire: CallerWire, idle_s: float | None) -> None:
        try:
            while True:
                async with asyncio.timeout(idle_s):
                    push = await wire.push()
                if push is None:
                    return
                await self._pushed(push)
        except TimeoutError:
            log.debug("callers.idle")
