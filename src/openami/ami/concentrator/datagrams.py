"""The router half of a concentrator over UDP: one wrapper frame a datagram, on the port that TCP has too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import structlog

from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.wrapper import WrapperFrame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()

CLIENTS_MAX: Final = 64
"""Whose associations are remembered; a head-end has a handful of sockets."""
WAITING_MAX: Final = 256
"""Datagrams that are not answered yet; more are lost, as UDP may."""


_S = TypeVar("_S")


class Datagrams(asyncio.DatagramProtocol, Generic[_S]):
    """Answers datagrams one by one; what each client is in the middle of is remembered."""

    def __init__(self, answer: Callable[[WrapperFrame, _S], Awaitable[bytes]], begin: Callable[[], _S]) -> None:
        """Take what answers a frame of a client, and what makes the memory of a new one."""
        self._answer_to, self._begin = answer, begin
        self._waiting: asyncio.Queue[tuple[bytes, Any]] = asyncio.Queue(WAITING_MAX)
        self._clients: dict[Any, _S] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.lost = 0

    async def start(self, host: str, port: int) -> None:
        """Bind the port."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ANN401 - what a socket calls an address
        """A request."""
        try:
            self._waiting.put_nowait((data, addr))
        except asyncio.QueueFull:
            self.lost += 1

    async def run(self) -> None:
        """A loop: answer for ever."""
        try:
            while True:
                await self._answer(*await self._waiting.get())
        finally:
            if self._transport is not None:
                self._transport.close()

    async def _answer(self, data: bytes, addr: Any) -> None:  # noqa: ANN401 - as above
        sessions = self._clients.pop(addr, None) or self._begin()
        self._clients[addr] = sessions  # the last one heard is the last one to be forgotten
        while len(self._clients) > CLIENTS_MAX:
            self._clients.pop(next(iter(self._clients)))
        try:
            answer = await self._answer_to(WrapperFrame.decode(data), sessions)
        except RemoteProtocolError as error:
            log.info("concentrator.datagram_refused", reason=str(error))
            return
        if answer and self._transport is not None:
            self._transport.sendto(answer, addr)
