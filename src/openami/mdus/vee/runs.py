"""Runs of slots in matrices, without a loop over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Each run of true cells: its row, first slot, and length."""

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    length: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def only(self, which: NDArray[np.bool_]) -> Runs:
        """The runs for which `which` is true."""
        return Runs(self.row[which], self.first[which], self.length[which])

    def cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """All cells of all runs: row, slot, which run, and the place within the run (from 1)."""
        run = np.repeat(np.arange(len(self), dtype=np.int64), self.length)
        begins = np.cumsum(self.length) - self.length
        place = np.arange(len(run), dtype=np.int64) - begins[run]
        return self.row[run], self.first[run] + place, run, place + 1


def runs_of(mask: NDArray[np.bool_]) -> Runs:
    """The runs of true cells in each row, in order."""
    rows, n = mask.shape
    padded = np.zeros((rows, n + 1), np.int8)
    padded[:, :n] = mask
    flat = np.diff(padded.ravel(), prepend=np.int8(0))
    start, end = np.flatnonzero(flat == 1), np.flatnonzero(flat == -1)
    row, first = np.divmod(start, n + 1)
    return Runs(row, first, end - start)
