"""Octets to and from meters over TCP and UDP: the only place of the head-end's sessions that opens sockets.

A connection to a concentrator outlives its session for a moment: the next meter behind it is spoken to over the same
one, which spares both ends a handshake. Nothing is taken over from one session to the next but the socket.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from openami.ami.headend.links import LinkDownError
from openami.ami.headend.model import Link
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.ami.headend.model import Address
    from openami.ami.headend.turns import Turn

IDLE_MAX_S: Final = 10.0
"""How long an unused connection is kept; concentrators close theirs after about two minutes."""
IDLE_MAX: Final = 8
"""Connections kept for each segment: more than it has permits would never be used."""


RECEIVED_MAX: Final = 1 << 20
"""Octets that wait to be read: many times the longest APDU (64 KiB); a peer that sends more floods us."""


class SessionError(OpenAmiError):
    """A session with a meter failed on the way, not at the meter."""


class ConnectionLostError(SessionError):
    """The connection ended in the middle of the session."""


class Wire(asyncio.Protocol, asyncio.DatagramProtocol):
    """A TCP connection or UDP association with one peer, for one reader at a time."""

    def __init__(self, *, datagrams: bool = False) -> None:
        self._transport: asyncio.Transport | asyncio.DatagramTransport | None = None
        self._datagrams = datagrams  # asyncio's own transport for them does not say by its type that it is one
        self._received = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._turn: Turn | None = None
        self._lost: str | None = None
        self.used_at_s = 0.0
        self.fresh = True
        """Whether no session has used it yet: one that was used may have died unnoticed."""
        self.in_session = True
        """Whether what comes belongs to a session; a meter that dialled in also speaks between them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = cast("asyncio.Transport | asyncio.DatagramTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Octets of the stream."""
        self._take(data)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """One datagram of the peer."""
        del addr  # the socket is connected: there is only one peer
        self._take(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there."""
        self._end(str(exc))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side has gone."""
        self._end(str(exc) if exc else "the other side closed the connection")

    @property
    def lost(self) -> bool:
        """Whether it has ended."""
        return self._lost is not None

    @property
    def alive(self) -> bool:
        """Whether it may be used: not lost, and nothing unasked waits in it."""
        return self._lost is None and not self._received

    def write(self, octets: bytes) -> None:
        """Send octets.

        Raises:
            ConnectionLostError: the connection has gone.
        """
        if self._lost is not None or self._transport is None:
            raise ConnectionLostError(f"The connection broke while sending: {self._lost or 'not open'}.")
        if self._datagrams:
            cast("asyncio.DatagramTransport", self._transport).sendto(octets)
        else:
            cast("asyncio.Transport", self._transport).write(octets)

    async def read(self, within_s: float, turn: Turn | None = None) -> bytes:
        """The octets that have come, at least one, when it is the `turn` of the session that waits for them.

        Raises:
            ConnectionLostError: the connection has gone.
            TimeoutError: none came in time.
        """
        loop = asyncio.get_running_loop()
        self._waiter, self._turn = loop.create_future(), turn
        timer = loop.call_later(within_s, self._expire, self._waiter)
        if self._received or self.lost:
            self._wake()
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
        if not self._received:
            raise ConnectionLostError(f"The connection ended before the answer came: {self._lost}.")
        octets = bytes(self._received)
        self._received.clear()
        return octets

    def close(self) -> None:
        """End it."""
        self._lost = self._lost or "closed"
        if self._transport is not None:
            self._transport.abort()

    def _take(self, data: bytes) -> None:
        if len(self._received) + len(data) > RECEIVED_MAX:
            self._received.clear()
            self._end(f"the other side sent more than {RECEIVED_MAX} octets that nobody asked for")
            self.close()
            return
        self._received += data
        self._wake()

    def _end(self, reason: str) -> None:
        self._lost = self._lost or reason
        self._wake()

    def _expire(self, waiter: asyncio.Future[None]) -> None:
        # what has come waits for nothing but its turn
        if not waiter.done() and not self._received:
            waiter.set_exception(TimeoutError())

    def _wake(self) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if self._turn is not None:
            self._turn.wake(self._waiter)
        else:
            self._waiter.set_result(None)


class Wires:
    """Connections by segment: opened when needed, kept for a moment, closed when idle."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, Link], list[Wire]] = {}
        self._dialled_in: dict[str, Wire] = {}

    async def take(self, serial: str, address: Address, connect_s: float, *, fresh: bool = False) -> Wire:
        """A connection to a meter's segment: a kept one, or (or if it must be `fresh`) a new one.

        Raises:
            LinkDownError: the segment does not take the connection, or the meter has not dialled in.
        """
        if address.link is Link.DIAL_IN:
            return self._called_by(serial)
        idle = self._idle.get((address.segment, address.link), [])
        now_s = asyncio.get_running_loop().time()
        while idle and not fresh:
            wire = idle.pop()
            if wire.alive and now_s - wire.used_at_s < IDLE_MAX_S:
                return wire
            wire.close()
        return await _open(address, connect_s)

    def give(self, address: Address, wire: Wire, *, good: bool) -> None:
        """A session has ended; a connection on which it ended well is kept."""
        wire.fresh, wire.used_at_s = False, asyncio.get_running_loop().time()
        good = good and wire.alive
        if address.link is Link.DIAL_IN:
            wire.in_session = False
            if not good:
                wire.close()
            return
        idle = self._idle.setdefault((address.segment, address.link), [])
        for old in [each for each in idle if wire.used_at_s - each.used_at_s >= IDLE_MAX_S or not each.alive]:
            idle.remove(old)
            old.close()
        if good and len(idle) < IDLE_MAX:
            idle.append(wire)
        else:
            wire.close()

    def dialled_in(self, serial: str, wire: Wire) -> None:
        """A meter has called: its sessions go over this connection from now on."""
        old = self._dialled_in.get(serial)
        self._dialled_in[serial] = wire
        if old is not None and old is not wire:
            old.close()

    def on_the_line(self, serial: str) -> bool:
        """Whether a meter has called and not hung up."""
        wire = self._dialled_in.get(serial)
        return wire is not None and not wire.lost

    @property
    def callers(self) -> list[str]:
        """The meters that are on the line by themselves."""
        return [serial for serial in self._dialled_in if self.on_the_line(serial)]

    async def run(self) -> None:
        """A loop that only waits: when it is cancelled, everything closes."""
        try:
            await asyncio.Event().wait()
        finally:
            self.close()

    def close(self) -> None:
        """Close everything."""
        for wire in [*(each for idle in self._idle.values() for each in idle), *self._dialled_in.values()]:
            wire.close()
        self._idle.clear()
        self._dialled_in.clear()

    def _called_by(self, serial: str) -> Wire:
        wire = self._dialled_in.get(serial)
        if wire is None or wire.lost:
            self._dialled_in.pop(serial, None)
            raise LinkDownError(f"{serial} has not dialled in.", hint="It is read when it calls.")
        wire.in_session = True
        return wire


async def _open(address: Address, connect_s: float) -> Wire:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(connect_s):
            if address.link is Link.UDP:
                _, wire = await loop.create_datagram_endpoint(
                    lambda: Wire(datagrams=True), remote_addr=(address.host, address.port)
                )
            else:
                _, wire = await loop.create_connection(Wire, address.host, address.port)
    except (OSError, TimeoutError) as error:
        reason = "no connection in time" if isinstance(error, TimeoutError) else str(error)
        raise LinkDownError(f"{address.segment} cannot be reached: {reason}.", hint="It is tried again.") from error
    return wire
