"""Reading a kept file batch by batch, in a thread, from wherever it was left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final

from openami.mdus.unify.adapters import Batch, Place, read_columns, read_file
from openami.mdus.unify.adapters.mapping import parse_mapping
from openami.mdus.unify.parts import gathered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openami.mdus.intake.store import File
    from openami.mdus.unify.columns import Piece
    from openami.mdus.unify.parts import Part

READINGS_A_PART: Final = 500_000
"""Readings of a file that are taken in one transaction: a second or so of work."""


@dataclass(slots=True)
class Reader:
    """The batches of one file; the same file gives the same batches, so that a number says where one is."""

    file: File
    path: Path
    at: int = 0
    """How many batches were taken."""
    place: Place = field(default_factory=Place)
    _batches: Iterator[tuple[str, Part | Batch]] | None = field(default=None)

    @property
    def share(self) -> float:
        """The share of the file that was read."""
        return self.place.share

    async def batch(self, number: int) -> tuple[str, Part | Batch] | None:
        """The format and the batch of a number; None behind the last one.

        A reader that is elsewhere (its transaction was rolled back, its process is new) begins anew and skips.

        Raises:
            UnifyError: no adapter reads the file, or its mapping is wrong.
        """
        return await asyncio.to_thread(self._batch, number)

    def close(self) -> None:
        """Let the file go."""
        if self._batches is not None:
            self._batches.close()  # type: ignore[attr-defined] # a generator
        self._batches = None

    def _batch(self, number: int) -> tuple[str, Part | Batch] | None:
        if self._batches is None or self.at != number:
            self.close()
            mapping = parse_mapping(self.file.mapping) if self.file.mapping else None
            asked = self.path, self.file.asked_format if not mapping else "", mapping, self.place
            size = self.file.readings_a_part
            self._batches = _parts(read_columns(*asked), size) if size else read_file(*asked)
            for _ in range(number):
                next(self._batches, None)
            self.at = number
        self.at += 1
        return next(self._batches, None)


def _parts(found: Iterator[tuple[str, Piece | Batch]], readings: int) -> Iterator[tuple[str, Part | Batch]]:
    """The pieces of each format, gathered into parts of about so many readings."""
    for name, pieces in groupby(found, key=lambda one: one[0]):
        for part in gathered((piece for _, piece in pieces), readings):
            yield name, part
