"""The TCP door for concentrators: frames in, durable, then E5; a bad line closes its own connection only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.collector import store
from openami.ami.collector.model import telegram_of
from openami.ami.mbus import FrameSplitter
from openami.ami.mbus.frames import ACKNOWLEDGE

if TYPE_CHECKING:
    from openami.ami.collector.model import KeptTelegram
    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

READ_OCTETS: Final = 16 * 1024  # some sixty frames: enough for one commit, little enough to hold
NOISE_OCTETS_MAX: Final = 64 * 1024  # behind that the peer does not speak M-Bus at all
CONNECTIONS_MAX: Final = 1024


@dataclass(slots=True)
class Counters:
    """What came in since the start of the process."""

    connections: int = 0
    telegrams: int = 0
    repeats: int = 0
    not_understood: int = 0
    noise_octets: int = 0
    failed_commits: int = 0


class Listener:
    """Takes telegrams from any number of concentrators."""

    def __init__(self, database: Database, clock: Clock, *, host: str, port: int, zone_name: str) -> None:
        self._database = database
        self._clock = clock
        self._host = host
        self._port = port
        self._zone_name = zone_name
        self._server: asyncio.Server | None = None
        self.counters = Counters()
        self.arrived = asyncio.Event()
        self.in_hand = 0

    @property
    def port(self) -> int:
        """The port that is listened on (the real one, where 0 was asked for)."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._port

    async def start(self) -> None:
        """Begin to listen."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self._host, self._port)

    async def run(self) -> None:
        """Listen until cancelled."""
        await self.start()
        assert self._server is not None
        try:
            await self._server.serve_forever()
        finally:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counters.connections += 1
        try:
            if self.counters.connections <= CONNECTIONS_MAX:
                await self._converse(reader, writer)
        except (OSError, asyncio.CancelledError):
            log.debug("collector.connection_lost")
        except Exception:  # a failed commit: nothing was acknowledged, the concentrator sends it again
            self.counters.failed_commits += 1
            log.exception("collector.not_kept")
        finally:
            self.counters.connections -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = FrameSplitter()
        while octets := await reader.read(READ_OCTETS):
            self.in_hand += 1
            try:
                before = splitter.noise_bytes
                frames = splitter.feed_raw(octets)
                self.counters.noise_octets += splitter.noise_bytes - before
                telegrams = [telegram_of(frame, raw, self._zone_name) for frame, raw in frames]
                kept = [telegram for telegram in telegrams if telegram is not None]
                await self._keep(kept)
            finally:
                self.in_hand -= 1
            writer.write(bytes([ACKNOWLEDGE]) * len(kept))
            await writer.drain()
            if splitter.noise_bytes > NOISE_OCTETS_MAX:
                log.warning("collector.noise", octets=splitter.noise_bytes, last_error=str(splitter.last_error))
                return

    async def _keep(self, telegrams: list[KeptTelegram]) -> None:
        if not telegrams:
            return
        async with self._database.begin() as transaction:
            new = await store.keep(transaction, telegrams, self._clock.now())
        self.counters.telegrams += new
        self.counters.repeats += len(telegrams) - new
        self.counters.not_understood += sum(telegram.error is not None for telegram in telegrams)
        self.arrived.set()
