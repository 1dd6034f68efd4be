"""Lines of MSCONS that were read as numbers, as the columns of a bulk delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.series.calendar import DAY_S
from openami.mdus.unify.adapters.mscons_series import code_of, identity_of, interval_of, qualities_of
from openami.mdus.unify.columns import Columns, Piece, earliest, texts_of
from openami.mdus.unify.intervals import quality_columns
from openami.shared.contract.scan_records import share_decimals
from openami.shared.quality import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from openami.mdus.unify.adapters.model import Batch
    from openami.mdus.unify.adapters.mscons_series import LineColumns
    from openami.mdus.unify.columns import Ints
    from openami.shared.contract import field as contract


def is_plain(line: LineColumns) -> bool:
    """True if all of a line was read as numbers, its periods are intervals, and its quantity is known.

    Days have 23 to 25 hours, so they are no plain form.
    """
    if not line.runs:
        return False
    interval_s = interval_of(line.runs[0][0].length_s)
    return 0 < interval_s < DAY_S and code_of(line.obis, line.unit, interval_s) is not None


def piece_of_lines(
    lines: Sequence[LineColumns], series: Callable[[Sequence[LineColumns], list[contract.Refusal]], Batch]
) -> Piece:
    """Lines of plain form as columns; `series` makes series of those that have to go another way."""

    def rows(chosen: NDArray[np.intp]) -> Batch:
        return series([lines[number] for number in chosen.tolist()], [])

    return Piece(_columns(lines), rows)


def _columns(lines: Sequence[LineColumns]) -> Columns:
    runs = [run for line in lines for run, _ in line.runs]
    counts = np.array([len(line) for line in lines], np.int64)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    starts, values, decimals, significant, flags = (
        np.concatenate([getattr(run, name) for run in runs])
        for name in ("starts", "values", "decimals", "significant", "flags")
    )
    shared, fits = share_decimals(values, decimals, significant, offsets[:-1])
    row = np.repeat(np.arange(len(lines)), counts)
    regular = np.ones(len(lines), np.bool_)
    regular[row[~fits]] = False
    interval_s = np.array([interval_of(line.runs[0][0].length_s) for line in lines], np.int64)
    types = [code_of(line.obis, line.unit, length_s) for line, length_s in zip(lines, interval_s.tolist(), strict=True)]
    codes = {one: number for number, one in enumerate(dict.fromkeys(one for one in types if one is not None))}
    code = np.array([-1 if one is None else codes[one] for one in types], np.int64)
    identities: dict[tuple[str, ...], int] = {}
    who = [identities.setdefault(texts_of(identity_of(line)), len(identities)) for line in lines]
    quality, bits = _qualities(flags)
    grid = starts[offsets[:-1]][row] + (np.arange(len(row)) - offsets[row]) * interval_s[row]
    return Columns(
        identities=[*identities],
        codes=[*codes],
        who=np.array(who, np.int64),
        code=code,
        start_s=earliest(starts, offsets[:-1]),
        interval_s=interval_s,
        scale=np.array([one.multiplier for one in codes], np.int64)[code] - shared,
        regular=regular,
        offsets=offsets,
        values=np.where(quality == MISSING, 0, values),
        quality=quality,
        flags=bits,
        starts=None if (starts == grid).all() else starts,
    )


def _qualities(flags: Ints) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Quality byte and flags of each reading, by the qualifier of its quantity."""
    from openami.mdus.unify.adapters.mscons_kernel import word_of  # noqa: PLC0415 - the compiler is loaded by now

    distinct, index = np.unique(flags, return_inverse=True)
    sets = tuple(qualities_of(word_of(one)) for one in distinct.tolist())
    quality, bits = quality_columns(sets)
    missing = np.array([any((code.category, code.index) == (5, 259) for code in one) for one in sets], np.bool_)
    return np.where(missing, np.uint8(MISSING), quality)[index], bits[index]
