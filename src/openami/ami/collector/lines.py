"""Telegrams over TCP: lines that gateways open to us, and lines that we open to a serial port or a receiver."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.collector.cutting import cutter_of

if TYPE_CHECKING:
    from openami.ami.collector.sources import Source, Take

log = structlog.get_logger()

READ_OCTETS: Final = 16 * 1024
CONNECTIONS_MAX: Final = 256
PAUSE_S: Final = 0.5  # consumer ports pause for at least a second between pushes


async def listen(source: Source, take: Take, started: asyncio.Future[int] | None = None) -> None:
    """Take what gateways send that connect to us, until cancelled; `started` is told the port."""
    lines: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        lines.add(task)
        try:
            if len(lines) <= CONNECTIONS_MAX:
                await hear(reader, source, take)
        except (OSError, asyncio.CancelledError):
            log.debug("collector.line_lost", source=source.name)
        except Exception:  # nothing is acknowledged on such a line: what was not kept is gone, and that is told
            log.exception("collector.not_kept", source=source.name)
        finally:
            lines.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, source.host, source.port)
    if started is not None:
        started.set_result(int(server.sockets[0].getsockname()[1]))
    try:
        await server.serve_forever()
    finally:
        server.close()
        for line in list(lines):
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


async def connect(source: Source, take: Take) -> None:
    """Take what a device sends that we connect to, until it hangs up."""
    reader, writer = await asyncio.open_connection(source.host, source.port)
    try:
        await hear(reader, source, take)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def hear(reader: asyncio.StreamReader, source: Source, take: Take) -> None:
    """Cut what comes over a line into telegrams, until its end."""
    cutter = cutter_of(source.language)
    while True:
        try:
            async with asyncio.timeout(PAUSE_S):
                octets = await reader.read(READ_OCTETS)
        except TimeoutError:
            for telegram in cutter.pause():
                await take(telegram)
            octets = await reader.read(READ_OCTETS)
        for telegram in cutter.feed(octets) if octets else cutter.pause():
            await take(telegram)
        if not octets:
            return
