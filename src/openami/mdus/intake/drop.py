"""The drop folder: what partners' systems put there is taken in, and moved into its folder `taken`.

A file counts as complete when it has not grown between two looks; names that begin with a dot or end in `.part` or
`.tmp` are still being written.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from openami.mdus.intake.handlers import wanted_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openami.mdus.intake.handlers import Files
    from openami.shared.database import Database

log = structlog.get_logger()

TAKEN: Final = "taken"
LOOK_EVERY_S: Final = 2.0
"""Wall time: partners write files in real time, whatever a simulation's clock says."""
_UNFINISHED: Final = (".part", ".tmp", ".filepart", ".crdownload")


@dataclass(slots=True)
class DropFolder:
    """Watches one folder."""

    folder: Path
    spool: Path
    database: Database
    intake: Files
    register: bool
    wake: Callable[[], None]
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> list[str]:
        """Take in what is complete; returns the names."""
        found = await asyncio.to_thread(self._there)
        complete = [name for name, state in found.items() if self._seen.get(name) == state]
        self._seen = {name: state for name, state in found.items() if name not in complete}
        for name in complete:
            try:
                await self._take(name)
            except OSError as error:
                log.warning("drop.cannot_take", file=name, found=str(error))
        return complete

    async def _take(self, name: str) -> None:
        copy = self.spool / f"drop-{os.urandom(8).hex()}"
        await asyncio.to_thread(shutil.copyfile, self.folder / name, copy)
        wanted = wanted_file(name, source="drop folder", at=self.intake.clock.now(), register=self.register)
        async with self.database.begin() as tx:
            await self.intake.receive(tx, copy, wanted)
        await asyncio.to_thread(self._put_away, name)
        self.wake()

    def _there(self) -> dict[str, tuple[int, int]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.spool.mkdir(parents=True, exist_ok=True)
        found = {}
        for entry in os.scandir(self.folder):
            if entry.is_file() and not entry.name.startswith(".") and not entry.name.endswith(_UNFINISHED):
                stat = entry.stat()
                found[entry.name] = (stat.st_size, stat.st_mtime_ns)
        return found

    def _put_away(self, name: str) -> None:
        """Beside an earlier file of the same name the newer one gets a number."""
        taken = self.folder / TAKEN
        taken.mkdir(exist_ok=True)
        place, number = taken / name, 1
        while place.exists():
            number += 1
            place = taken / f"{number}-{name}"
        (self.folder / name).replace(place)
