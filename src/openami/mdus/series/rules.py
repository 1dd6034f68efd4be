"""The rules of merging (V06, V07): what of a new batch takes the place of what is kept.

Evidence has a rank: nothing < the head-end says missing < estimated < substituted by the source < measured < a person's
word. Higher rank replaces lower; equal rank replaces only a different value; lower never replaces higher. So late and
partial data fill what is open or estimated, an estimate never replaces an actual, and a repeat changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.quality import Origin, Verdict, origins, verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.mdus.series.model import ChannelDays

RANK_ESTIMATE: Final = 2
RANK_MEASURED: Final = 4
RANK_PERSON: Final = 5

_RANK_OF_ORIGIN: Final = np.full(32, RANK_ESTIMATE, dtype=np.uint8)
_RANK_OF_ORIGIN[Origin.EMPTY] = 0
_RANK_OF_ORIGIN[Origin.MISSING] = 1
_RANK_OF_ORIGIN[Origin.MEASURED] = RANK_MEASURED
_RANK_OF_ORIGIN[Origin.EDITED] = RANK_PERSON
_RANK_OF_ORIGIN[Origin.SUBSTITUTED] = 3
_RANK_OF_ORIGIN[Origin.DERIVED] = 3
_RANK_OF_ORIGIN[Origin.E18_AGREED] = RANK_PERSON


def _rank_table() -> NDArray[np.uint8]:
    packed = np.arange(256, dtype=np.uint8)
    rank = _RANK_OF_ORIGIN[origins(packed)]
    rank[verdicts(packed) == Verdict.MA] = RANK_PERSON
    failed = (verdicts(packed) == Verdict.FV) & (rank == RANK_MEASURED)
    rank[failed] = 1  # a failed value is not usable: an estimate may stand in for it, an actual too
    return rank


RANK: Final = _rank_table()
"""Rank of each packed quality byte."""


@dataclass(frozen=True, slots=True, eq=False)
class Merge:
    """The matrices after merging, and per cell what happened."""

    values: NDArray[np.int64]
    quality: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    taken: NDArray[np.bool_]
    replaced: NDArray[np.bool_]
    refused: NDArray[np.bool_]

    @property
    def changed(self) -> NDArray[np.bool_]:
        """The rows that need a new version."""
        return np.asarray(self.taken.any(axis=1), np.bool_)

    def over(self, kept: ChannelDays) -> ChannelDays:
        """The merged days, still with the version of what was kept."""
        return replace(kept, values=self.values, quality=self.quality, flags=self.flags)


def merge(kept: ChannelDays, new: ChannelDays, *, rejected: NDArray[np.bool_] | None = None) -> Merge:
    """Merge two batches of the same channel-days, cell by cell.

    `rejected` marks cells of `new` that repeat a value which failed before and was estimated since: not news.
    """
    rank_kept, rank_new = RANK[kept.quality], RANK[new.quality]
    # a measured value that arrives with the very value that failed is the failed value again, not a better one
    rank_kept = np.where(_same_evidence(kept, new), rank_new, rank_kept)
    differs = (kept.values != new.values) | ((rank_new == RANK_ESTIMATE) & (kept.quality != new.quality))
    has_value = rank_new >= RANK_ESTIMATE
    taken = (rank_new > rank_kept) | ((rank_new == rank_kept) & has_value & differs)
    if rejected is not None:
        taken &= ~rejected
    actual = rank_kept >= RANK_ESTIMATE
    return Merge(
        values=np.where(taken, new.values, kept.values),
        quality=np.where(taken, new.quality, kept.quality),
        flags=np.where(taken, new.flags, kept.flags),
        taken=taken,
        replaced=taken & actual & (kept.values != new.values),
        refused=~taken & has_value & differs & (rank_kept > rank_new),
    )


def _same_evidence(kept: ChannelDays, new: ChannelDays) -> NDArray[np.bool_]:
    same_value: NDArray[np.bool_] = kept.values == new.values
    same_value &= (origins(kept.quality) == Origin.MEASURED) & (origins(new.quality) == Origin.MEASURED)
    return same_value
