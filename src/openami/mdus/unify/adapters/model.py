"""What every adapter yields: batches of series, and the builder that makes a series out of columns of texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from openami.mdus.unify.adapters.quantities import in_joules
from openami.shared.contract import field as contract
from openami.shared.contract.field.columns import format_stamps, parse_decimal_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

BAD_VALUE = "1.4"
HEAD_BYTES = 4096
"""How much of a file `sniffs` gets to see."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SourceSeries:
    """Some readings of one channel as the source names it.

    `block` holds them as columns. An `interval_s` of 0 stands for dial values at the instants `starts`, or, by its
    reading type, for consumptions of periods without a fixed length. Where there are `registers`, they are what is to
    be kept, and the block is only what they say.
    """

    id: str
    meter: contract.Identity
    block: contract.IntervalBlock
    registers: tuple[contract.Reading, ...] = ()
    labels: tuple[str, ...] = ()
    """The source's own quality flags."""
    label_index: NDArray[np.intp]
    """Which of the labels each reading has."""
    ends: NDArray[np.int64] | None = None
    """Ends of periods without a fixed length."""
    place: str = ""
    """Where in the file it begins, where the id alone does not tell."""

    @property
    def position(self) -> str:
        """What a refusal of all of it names."""
        return f"{self.place}, {self.id}" if self.place else self.id

    @property
    def kept(self) -> contract.IntervalBlock:
        """The block as it is kept: energy in a unit of energy."""
        return in_joules(self.block)

    @property
    def gridless(self) -> str:
        """Why no channel keeps the block, if it brings consumptions of periods without a fixed length."""
        block = self.block
        if self.ends is None or not len(self.ends) or self.registers or block.interval_s or block.reading_type.is_dial:
            return ""
        first = int(block.starts.argmin())
        begin, end = format_stamps(np.array([block.starts[first], self.ends[first]]))
        return (
            f"it brings {len(self.ends)} consumptions of periods of no fixed length, the first from {begin} to {end}:"
            " they lie on no grid, which no channel can keep."
        )

    @property
    def reading(self) -> contract.MeterReading:
        """The series as the field seam would deliver it."""
        blocks = () if self.registers else (self.kept,)
        return contract.MeterReading(meter=self.meter, blocks=blocks, readings=self.registers)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Batch:
    """A bounded piece of a file."""

    series: tuple[SourceSeries, ...] = ()
    events: tuple[contract.EndDeviceEvent, ...] = ()
    refusals: tuple[contract.Refusal, ...] = ()

    @property
    def payload(self) -> contract.MeterReadings:
        """What is to be unified."""
        return contract.MeterReadings(tuple(each.reading for each in self.series))


class Adapter(Protocol):
    """One file format."""

    name: str

    def sniffs(self, head: bytes) -> bool:
        """True if a file that begins like this is of this format."""
        ...

    def read(self, stream: BinaryIO) -> Iterator[Batch]:
        """Read a file piece by piece; never raises for what the file says, it refuses."""
        ...


@dataclass(slots=True)
class SeriesBuilder:
    """Collects the readings of one channel as texts, and makes exact columns of them at the end."""

    id: str
    meter: contract.Identity
    code: contract.ReadingTypeCode
    interval_s: int
    qualities: Callable[[str], tuple[contract.QualityCode, ...]]
    """Quality codes of a flag of the source."""
    starts: list[NDArray[np.int64]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    registers: list[contract.Reading] = field(default_factory=list)
    ends: list[NDArray[np.int64]] = field(default_factory=list)
    positions: list[tuple[int, str | NDArray[np.int64]]] = field(default_factory=list)
    """From which reading on which place of the file holds: a text, or the line of each reading."""
    place: str = ""
    """Where in the file the channel begins, where its id alone does not tell."""
    factor: Decimal = Decimal(1)
    """What each value is to be multiplied by (a meter constant)."""

    def __len__(self) -> int:
        return len(self.texts)

    def add(
        self,
        starts: NDArray[np.int64],
        texts: Sequence[str],
        labels: Sequence[str],
        position: str | NDArray[np.int64],
    ) -> None:
        """Add readings that stand together at one place of the file, or each in a line of its own."""
        self.positions.append((len(self.texts), position))
        self.starts.append(starts)
        self.texts.extend(texts)
        self.labels.extend(labels)

    def build(self, values: NDArray[np.int64], decimals: int, numeric: NDArray[np.bool_]) -> SourceSeries:
        """The series, given what its texts say."""
        distinct = {label: number for number, label in enumerate(dict.fromkeys(self.labels))}
        index = np.fromiter(map(distinct.__getitem__, self.labels), np.intp, len(self.labels))
        codes = [self.qualities(label) for label in distinct]
        says_missing = np.array([any(map(_is_missing, some)) for some in codes], np.bool_)
        missing = says_missing[index] | ~numeric
        values, decimals, fits = self._multiplied(values, decimals)
        numeric = numeric & fits
        missing = missing | ~numeric
        keep = slice(None) if numeric.all() else self._kept(numeric | says_missing[index])
        sets = tuple(dict.fromkeys(codes))
        set_of_label = np.array([sets.index(some) + 1 for some in codes], np.uint16)
        block = contract.IntervalBlock.of(
            self.code,
            _joined(self.starts)[keep],
            self.interval_s,
            np.where(missing, 0, values)[keep],
            scale=self.code.multiplier - decimals,
            missing=missing[keep],
            qualities=sets,
            quality_index=set_of_label[index[keep]],
        )
        return SourceSeries(
            id=self.id,
            meter=self.meter,
            block=block,
            registers=tuple(self.registers),
            labels=tuple(distinct),
            label_index=index[keep],
            ends=_joined(self.ends)[keep] if self.ends else None,
            place=self.place,
        )

    def _multiplied(self, values: NDArray[np.int64], decimals: int) -> tuple[NDArray[np.int64], int, NDArray[np.bool_]]:
        sign, digits, exponent = self.factor.normalize().as_tuple()
        factor = int("".join(map(str, digits))) * (-1 if sign else 1)
        shift = exponent if isinstance(exponent, int) else 0
        if factor == 1 and not shift:
            return values, decimals, np.ones(len(values), np.bool_)
        fits = np.abs(values) <= (10**18) // max(abs(factor), 1)
        return np.where(fits, values * factor, 0), decimals - shift, fits

    def _kept(self, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Numbers, and blanks: a blank is a value that the source does not have."""
        return usable | np.array([not text for text in self.texts], np.bool_)

    def refuse(self, numeric: NDArray[np.bool_], refusals: list[contract.Refusal]) -> None:
        """Refuse the texts that are neither numbers nor blank nor said to be missing."""
        if not numeric.all():
            missing = np.array([any(map(_is_missing, self.qualities(label))) for label in self.labels], np.bool_)
            self._refuse(~self._kept(numeric | missing), refusals)

    def _refuse(self, bad: NDArray[np.bool_], refusals: list[contract.Refusal]) -> None:
        rows = np.flatnonzero(bad)
        if not rows.size:
            return
        begins = np.array([begin for begin, _ in self.positions])
        place = np.searchsorted(begins, rows, side="right") - 1
        for number, first, count in zip(*(each.tolist() for each in _groups(place)), strict=True):
            row = int(rows[first])
            position, value = self.positions[number][1], row - int(begins[number])
            where = f"{position}, value {value + 1}" if isinstance(position, str) else f"line {position[value]}"
            more = f" and {count - 1} more" if count > 1 else ""
            reason = f"{self.texts[row]!r} is not a decimal number of at most 18 digits"
            refusals.append(contract.Refusal(where + more, BAD_VALUE, reason, self.id))


def build_all(builders: Sequence[SeriesBuilder], refusals: list[contract.Refusal]) -> tuple[SourceSeries, ...]:
    """The series of many builders; all their texts are read at once. Texts that are no numbers are refused."""
    filled = [builder for builder in builders if len(builder)]
    if not filled:
        return ()
    lengths = [len(builder) for builder in filled]
    begins = np.cumsum([0, *lengths[:-1]])
    values, decimals, numeric = parse_decimal_groups(list(chain.from_iterable(b.texts for b in filled)), begins)
    found = []
    for number, builder in enumerate(filled):
        part = slice(int(begins[number]), int(begins[number]) + lengths[number])
        builder.refuse(numeric[part], refusals)
        found.append(builder.build(values[part], int(decimals[number]), numeric[part]))
    return tuple(found)


def _is_missing(code: contract.QualityCode) -> bool:
    return (code.category, code.index) == (5, 259)


def _groups(numbers: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    return np.unique(numbers, return_index=True, return_counts=True)


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
