"""Telegrams in files: every file that is put into a folder is read once, and moved to `done` when it is durable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from openami.ami.telegrams.decode import OCTETS_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from openami.ami.collector.sources import Source, Take

LOOK_EVERY_S: Final = 1.0
DONE: Final = "done"
TOO_LONG: Final = "refused"


async def watch(source: Source, take: Take, *, look_every_s: float = LOOK_EVERY_S) -> None:
    """Take the files of a folder until cancelled; one that still grows waits for the next look."""
    sizes: dict[Path, int] = {}
    while True:
        await sweep(source.folder, take, sizes)
        await asyncio.sleep(look_every_s)


async def sweep(folder: Path, take: Take, sizes: dict[Path, int]) -> int:
    """Take every file whose size is the one of the last look; returns how many."""
    found = await asyncio.to_thread(_files, folder)
    taken = 0
    for path, size in sorted(found.items()):
        if sizes.get(path) != size:
            continue  # it is new, or somebody is writing it
        if size > OCTETS_MAX:
            await asyncio.to_thread(_move, path, TOO_LONG)
            continue
        octets = await asyncio.to_thread(path.read_bytes)
        if octets:
            await take(octets)
        await asyncio.to_thread(_move, path, DONE)
        taken += 1
    sizes.clear()
    sizes.update(found)
    return taken


def _files(folder: Path) -> dict[Path, int]:
    folder.mkdir(parents=True, exist_ok=True)
    return {path: path.stat().st_size for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}


def _move(path: Path, where: str) -> None:
    target = path.parent / where
    target.mkdir(exist_ok=True)
    path.replace(target / path.name)
