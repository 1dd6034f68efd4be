"""Lines of an MSCONS message as series: times, lengths, reading types and qualities of many lines at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.series.calendar import DAY_S
from openami.mdus.unify.adapters.model import BAD_VALUE, SeriesBuilder
from openami.mdus.unify.adapters.quantities import (
    DIAL,
    ELECTRICITY,
    GAS,
    WATER,
    code_of_obis,
    code_of_unit,
    dial_of_obis,
)
from openami.mdus.unify.errors import UnknownUnitError
from openami.shared.contract import field as contract
from openami.shared.contract.field import columns
from openami.shared.contract.field.columns import bytes_matrix
from openami.shared.contract.field.tables import PERIOD_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from openami.mdus.unify.adapters.mscons_kernel import Run

_DAYS_S: Final = frozenset({82800, 86400, 90000})
_NO_GRID, _INSTANT = 0, -1
"""Kinds of periods that are no intervals."""
_FLAGS: Final[dict[str, tuple[contract.QualityCode, ...]]] = {
    "220": (contract.QualityCode(4, 0, 0),),  # true value
    "46": (contract.QualityCode(4, 0, 0),),  # delivered quantity (Swiss)
    "67": (contract.QualityCode(4, 8, 0),),  # substitute value
    "201": (contract.QualityCode(4, 8, 0),),  # proposed value
    "187": (contract.QualityCode(4, 12, 0),),  # forecast
    "20": (contract.QualityCode(4, 5, 259),),  # not usable
    "Z18": (contract.QualityCode(4, 8, 0),),  # provisional value
}
_MEDIA: Final = {"7": GAS, "8": WATER, "9": WATER}
"""Group A of OBIS codes -> commodity, where it is no electricity."""
_LENGTHS: Final = {"303": 12, "203": 12, "102": 8}
_UNKNOWN_TYPE: Final = "2.6"
_PLUS, _MINUS = b"+-"
_DIGITS: Final = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14]


@dataclass(slots=True)
class LineColumns:
    """Readings of one series, times still as texts `201912140015+01`, and what is known about all of them."""

    flags: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    location: str = ""
    serial: str = ""
    obis: str = ""
    unit: str = ""
    step_s: int = 0
    first: str = ""
    position: str = ""
    runs: list[tuple[Run, str]] = field(default_factory=list)
    """Readings that were taken as numbers, each run with its text; such a line has no texts beside them."""

    def __len__(self) -> int:
        return len(self.texts) + sum(len(run.starts) for run, _ in self.runs)

    def fits(self, run: Run) -> bool:
        """True if a run is like those that the line has."""
        return not self.runs or (run.length_s, run.unit) == (self.runs[0][0].length_s, self.runs[0][0].unit)

    @property
    def name(self) -> str:
        """How the source names the channel."""
        return f"{self.location}/{self.obis}"

    def add(self, flag: str, text: str, start: str, end: str) -> None:
        """Take one reading."""
        self.flags.append(flag)
        self.texts.append(text)
        self.starts.append(start)
        self.ends.append(end)


def builders(lines: Sequence[LineColumns], refusals: list[contract.Refusal]) -> list[SeriesBuilder]:
    """A builder for each line, or for each length of period in it; values without a usable period are refused."""
    if not lines:
        return []
    starts, start_ok = instants(list(chain.from_iterable(line.starts for line in lines)))
    ends, end_ok = instants(list(chain.from_iterable(line.ends for line in lines)))
    timed = start_ok & end_ok & (ends >= starts)
    found: list[SeriesBuilder] = []
    begin = 0
    for line in lines:
        part = slice(begin, begin + len(line.texts))
        begin = part.stop
        times = starts[part], ends[part], timed[part]
        if line.step_s and not any(line.starts):
            times = _steps(line)
        found.extend(_of_line(line, *times, refusals))
    return found


def _steps(line: LineColumns) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Values that follow one another from the start of the line on, one step each."""
    first, ok = instants([line.first])
    count = len(line.texts)
    begins = first[0] + line.step_s * np.arange(count, dtype=np.int64)
    return begins, begins + line.step_s, np.full(count, bool(ok[0]))


def _of_line(
    line: LineColumns,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    timed: NDArray[np.bool_],
    refusals: list[contract.Refusal],
) -> Iterator[SeriesBuilder]:
    if not timed.all():
        row = int((~timed).argmax())
        told = [one[row].replace("?", "") for one in (line.starts, line.ends)]
        said = "the first {!r} to {!r}".format(*told) if any(told) else "the first none at all (DTM+163, DTM+164)"
        reason = f"{int((~timed).sum())} of {len(timed)} values have no usable period, {said}"
        refusals.append(contract.Refusal(line.position, BAD_VALUE, reason, line.name))
    kind = _kinds(ends - starts)
    for one in np.unique(kind[timed]).tolist():
        chosen = timed & (kind == one)
        builder = _builder(line, one, refusals)
        if builder is None:
            return
        whole = bool(chosen.all())
        rows = [] if whole else np.flatnonzero(chosen).tolist()
        texts = line.texts if whole else [line.texts[row] for row in rows]
        flags = line.flags if whole else [line.flags[row] for row in rows]
        builder.add(starts[chosen], texts, flags, line.position)
        if one == _NO_GRID:
            builder.ends.append(ends[chosen])
        yield builder


def interval_of(length_s: int) -> int:
    """The interval length of periods of a length, a local day being one of 23 to 25 hours; 0 for no intervals."""
    return DAY_S if length_s in _DAYS_S else length_s if length_s in PERIOD_NUMBERS and length_s < DAY_S else 0


def _kinds(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """What each period is: an interval of a length, an instant at which a register was read, or on no grid."""
    distinct, inverse = np.unique(lengths, return_inverse=True)
    kinds = [interval_of(one) or (_NO_GRID if one else _INSTANT) for one in distinct.tolist()]
    return np.array(kinds, np.int64)[inverse]


def _builder(line: LineColumns, kind: int, refusals: list[contract.Refusal]) -> SeriesBuilder | None:
    interval_s = max(kind, 0)
    code = dial_of(line.obis, line.unit) if kind == _INSTANT else code_of(line.obis, line.unit, interval_s)
    if code is None:
        refusals.append(
            contract.Refusal(line.position, _UNKNOWN_TYPE, f"the unit {line.unit[:20]!r} is not known", line.name)
        )
        return None
    return SeriesBuilder(line.name, identity_of(line), code, interval_s, qualities_of, place=line.position)


def identity_of(line: LineColumns) -> contract.Identity:
    """The meter of a line: by its point, and by its serial number where that is told."""
    names = [contract.Name.of(line.location, "MeteringPoint")]
    names += [contract.Name.of(line.serial, "SerialNumber")] if line.serial else []
    return contract.Identity(None, tuple(names))


@lru_cache(maxsize=1024)
def code_of(obis: str, unit: str, interval_s: int) -> contract.ReadingTypeCode | None:
    """The reading type of a line; None if its unit is not known."""
    found = code_of_obis(obis.partition("*")[0], interval_s, unit) if obis else None
    if found is not None:
        return found
    try:
        return code_of_unit(unit or "KWH", interval_s, commodity=_MEDIA.get(obis[:1], ELECTRICITY), flow=0)
    except UnknownUnitError:
        return None


def dial_of(obis: str, unit: str) -> contract.ReadingTypeCode | None:
    """The reading type of a register reading; None if its unit is not known."""
    found = dial_of_obis(obis.partition("*")[0], unit) if obis else None
    other = None if found else code_of(obis, unit, 0)
    return found or (other and replace(other, accumulation=DIAL))


def qualities_of(flag: str) -> tuple[contract.QualityCode, ...]:
    """Quality codes of the qualifier of a quantity."""
    return _FLAGS.get(flag, ())


def stamp(text: str, form: str) -> str:
    """`201912140015+01`, whatever form it came in; forms without a zone mean UTC, as the newer guides say."""
    length = _LENGTHS.get(form, 0)
    body, zone = text[:length], text[length:] if form == "303" else ""
    return f"{body:0<12}{zone or '+00'}" if length else ""


def instants(stamps: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Seconds since 1970 of `201912140015+01`, and where there is such a time.

    The release character may still stand before the sign.
    """
    matrix = bytes_matrix(stamps, 17)
    released = (matrix[:, 12] != _PLUS) & (matrix[:, 12] != _MINUS)
    if released.any():
        matrix = np.where(released[:, None], np.delete(matrix, 12, axis=1), matrix[:, :16])
    digits = np.ascontiguousarray(matrix.T) - np.uint8(ord("0"))  # column by column; what is no digit is above 9
    sign = matrix[:, 12]
    ok = (digits[_DIGITS] <= 9).all(axis=0) & ((sign == _PLUS) | (sign == _MINUS)) & (matrix[:, 15] == 0)
    century, year, month, day, hour, minute, offset_h = (columns.pair(digits, at) for at in (0, 2, 4, 6, 8, 10, 13))
    seconds, real = columns.civil_seconds(century * 100 + year, month, day, hour, minute, np.zeros_like(hour))
    ok &= real & (offset_h <= 14)
    return np.where(ok, seconds - np.where(sign == _MINUS, -offset_h, offset_h) * 3600, 0), ok
