"""Takes telegrams in any language from any source, and keeps each once: what it says, or why it says nothing."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.collector import store
from openami.ami.collector.folders import watch
from openami.ami.collector.lines import connect, listen
from openami.ami.collector.model import heard_of
from openami.ami.collector.topics import subscribe
from openami.ami.telegrams.decode import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openami.ami.collector.sources import Source
    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

RETRY_FIRST_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
METERS_MAX: Final = 100_000  # whose last telegram is remembered; more are kept without thinning out


@dataclass(slots=True)
class Counters:
    """What came from one source since the start of the process."""

    payloads: int = 0
    telegrams: int = 0
    repeats: int = 0
    not_understood: int = 0
    left_out: int = 0
    failures: int = 0


class Intake:
    """All sources of one head-end. `keys` are the meters' own, by identification or system title, in hexadecimal."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sources: Sequence[Source],
        *,
        zone_name: str,
        keys: Mapping[str, str] | None = None,
        arrived: asyncio.Event | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self.sources = tuple(sources)
        self._zone_name = zone_name
        self._keys = {name.lower(): bytes.fromhex(key) for name, key in (keys or {}).items()}
        self._arrived = arrived or asyncio.Event()
        self.counters = {source.name: Counters() for source in self.sources}
        self._last_s: dict[tuple[str, str], float] = {}  # by source and meter: when one was kept
        self.in_hand = 0

    async def run(self) -> None:
        """Take from all sources until cancelled."""
        async with asyncio.TaskGroup() as group:
            for source in self.sources:
                group.create_task(self._take_from(source))

    async def keep(self, source: Source, octets: bytes) -> None:
        """Decode what a source gave, and keep it; durable when this returns."""
        counters = self.counters[source.name]
        counters.payloads += 1
        self.in_hand += 1
        try:
            now = self._clock.now()
            told = decode(octets, language=source.language, zone_name=self._zone_name, keys=self.key_of)
            due = [each for each in enumerate(told) if self._is_due(source, each[1].meter, now.timestamp())]
            counters.left_out += len(told) - len(due)
            if not due:
                return
            kept = [heard_of(each, octets, part, now, source.name) for part, each in due]
            async with self._database.begin() as transaction:
                new = await store.keep(transaction, kept, now)
        finally:
            self.in_hand -= 1
        counters.telegrams += new
        counters.repeats += len(kept) - new
        counters.not_understood += sum(telegram.error is not None for telegram in kept)
        self._arrived.set()

    def _is_due(self, source: Source, meter: str, now_s: float) -> bool:
        """Whether the meter's telegram is to be kept: the first one in each period of the source."""
        if not source.every_s:
            return True
        due = now_s // source.every_s > self._last_s.get((source.name, meter), -1.0)
        if due and len(self._last_s) < METERS_MAX:
            self._last_s[source.name, meter] = now_s // source.every_s
        return due

    def key_of(self, name: str) -> bytes | None:
        """The key of a meter, by what it calls itself on its telegrams."""
        return self._keys.get(name.lower())

    async def _take_from(self, source: Source) -> None:
        """One source for ever: what breaks is opened again, after a while that doubles."""
        retry_s = RETRY_FIRST_S
        while True:
            before = self.counters[source.name].payloads
            try:
                await self._open(source)
            except Exception as error:  # noqa: BLE001 - a broker that is down must not take the others with it
                self.counters[source.name].failures += 1
                log.warning("collector.source_failed", source=source.name, error=str(error) or type(error).__name__)
            worked = self.counters[source.name].payloads > before
            retry_s = RETRY_FIRST_S if worked else min(2 * retry_s, RETRY_MAX_S)
            await asyncio.sleep(retry_s)

    async def _open(self, source: Source) -> None:
        async def take(octets: bytes, /) -> None:
            await self.keep(source, octets)

        match source.scheme:
            case "listen":
                await listen(source, take)
            case "tcp":
                await connect(source, take)
            case "file":
                await watch(source, take)
            case _:
                await subscribe(source, take, identifier=identifier_of(source))


def identifier_of(source: Source) -> str:
    """The same name at every start: under it the broker keeps what came while we were away."""
    return f"openami-{uuid.uuid5(uuid.NAMESPACE_URL, source.name).hex[:12]}"
