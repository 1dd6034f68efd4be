"""Rows that cannot be taken, gathered into one refusal a block and reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.contract.field import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from openami.mdus.unify.oddities import Oddity

UNKNOWN_METER: Final = "2.4"
UNKNOWN_TYPE: Final = "2.6"
BAD_TIME: Final = "4.1"
BAD_VALUE: Final = "1.4"
CONTRADICTION: Final = "5.1"


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from, so that a refusal can say so."""

    position: str
    label: str


@dataclass(slots=True)
class Refusals:
    """What was refused so far."""

    found: list[Refusal] = field(default_factory=list)
    odd: list[Oddity] = field(default_factory=list)
    """What rules of validation are to know of it, and of what was taken all the same."""

    def part(self, source: Source, code: str, reason: str) -> None:
        """Refuse a whole part."""
        self.found.append(Refusal(source.position, code, reason, source.label))

    def rows(
        self,
        bad: NDArray[np.bool_],
        source_of_row: NDArray[np.intp],
        sources: Sequence[Source],
        row_in_source: NDArray[np.intp],
        code: str,
        reason: Callable[[int], str],
    ) -> None:
        """Refuse rows; of each source the first is described, the others counted.

        Args:
            bad: which rows.
            source_of_row: for each row, which of the sources it belongs to.
            sources: where the rows come from.
            row_in_source: for each row, its number within its source, from 0.
            code: the reply code.
            reason: words for one row, given its position in these columns.
        """
        rows = np.flatnonzero(bad)
        if not rows.size:
            return
        concerned, first, count = np.unique(source_of_row[rows], return_index=True, return_counts=True)
        for number, at, many in zip(concerned.tolist(), first.tolist(), count.tolist(), strict=True):
            row = int(rows[at])
            source = sources[number]
            more = f" and {many - 1} more" if many > 1 else ""
            position = f"{source.position}/IntervalReadings[{int(row_in_source[row]) + 1}]{more}"
            self.found.append(Refusal(position, code, reason(row), source.label))
