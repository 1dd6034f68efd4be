"""The store-and-forward half of a concentrator: telegrams go up in order, and are kept until acknowledged.

The head-end's collector answers each telegram with the single character E5h, once the telegram is durable there.
Several telegrams may be on their way; the answers come in the same order. After a lost connection everything that was
not acknowledged is sent again: the collector knows repeats by meter and time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.concentrator import store
from openami.ami.mbus.frames import ACKNOWLEDGE
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openami.ami.meter.field import Field
    from openami.ami.meter.street import Transformer

log = structlog.get_logger()

WINDOW: Final = 32
"""Telegrams on their way: enough to hide the way's delay, few enough to repeat."""
BATCH: Final = 256
ACKNOWLEDGE_S: Final = 20.0
RETRY_FIRST_S: Final = 0.2
RETRY_MAX_S: Final = 10.0


class NotAcknowledgedError(OpenAmiError):
    """The collector answered something else than E5h, or closed the connection."""


class Uplink:
    """Sends the telegrams of one concentrator to the collector."""

    def __init__(self, field: Field, transformer: Transformer, host: str, port: int) -> None:
        self._field = field
        self._transformer = transformer
        self._host = host
        self._port = port
        self._wake = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self.waiting = 0
        self.retry_s = RETRY_FIRST_S

    @property
    def down(self) -> bool:
        """Whether the transformer's link is cut."""
        return self._field.fleet.link_is_down(self._transformer.name)

    @property
    def pending(self) -> int:
        """Telegrams in hand: none while the link is down, for then nothing can be done about them."""
        return 0 if self.down else self.waiting

    def notice(self, heard: int = 0) -> None:
        """Telegrams came, or the link changed."""
        self.waiting += heard
        if self.down:
            self._disconnect()
        self._wake.set()

    async def start(self) -> None:
        """Count what an earlier process left, before time passes and more is heard."""
        async with self._field.database.begin() as tx:
            self.waiting = (await store.count_waiting(tx)).get(self._transformer.name, 0)

    async def run(self) -> None:
        """A loop: send whatever waits, as long as the link is up."""
        try:
            while True:
                await self._wake_up()
                try:
                    await self._send_all()
                    self.retry_s = RETRY_FIRST_S
                except (OSError, TimeoutError, NotAcknowledgedError) as error:
                    self._disconnect()
                    log.info("uplink.lost", transformer=self._transformer.name, reason=str(error) or repr(error))
                    await asyncio.sleep(self.retry_s)
                    self.retry_s = min(2 * self.retry_s, RETRY_MAX_S)
        finally:
            self._disconnect()

    async def _wake_up(self) -> None:
        while not self.pending:
            self._wake.clear()
            await self._wake.wait()

    async def _send_all(self) -> None:
        while not self.down:
            async with self._field.database.begin() as tx:
                batch = await store.waiting(tx, self._transformer.name, BATCH)
            if not batch:
                self.waiting = 0
                return
            await self._send_batch(batch)

    async def _send_batch(self, batch: Sequence[tuple[int, bytes]]) -> None:
        """Send a batch and drop what was acknowledged, even when the connection breaks in the middle."""
        acknowledged = 0
        try:
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
            for start in range(0, len(batch), WINDOW):
                window = batch[start : start + WINDOW]
                self._writer.writelines(octets for _, octets in window)
                await self._writer.drain()
                for _ in window:
                    await self._acknowledgement()
                    acknowledged += 1
        finally:
            if acknowledged:
                async with self._field.database.begin() as tx:
                    await store.drop(tx, self._transformer.name, batch[acknowledged - 1][0])
                self.waiting -= acknowledged
                self._field.counters.telegrams_acknowledged += acknowledged

    async def _acknowledgement(self) -> None:
        assert self._reader is not None
        async with asyncio.timeout(ACKNOWLEDGE_S):
            answer = await self._reader.read(1)
        if answer != bytes([ACKNOWLEDGE]):
            raise NotAcknowledgedError(
                f"The collector answered {answer.hex() or 'nothing'} instead of e5.", hint="Look at the head-end's log."
            )

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None
