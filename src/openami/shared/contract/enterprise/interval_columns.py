"""The items of one series of interval values as columns, and their XML, written without an object an item."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from openami.shared.contract.enterprise.encode import Prewritten, escaped, escaped_attribute
from openami.shared.contract.scan_records import DIGITS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    Selection = slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]
    Octets = npt.NDArray[np.uint8]

_STATUS = "UtilitiesTimeSeriesItemTypeCode"
_BEGIN = b"\1"


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of few different texts: item i has `texts[which[i]]`."""

    texts: tuple[str, ...]
    which: npt.NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.which)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: Selection) -> Words: ...
    def __getitem__(self, place: int | Selection) -> str | Words:
        """One text, or a part of the column."""
        if isinstance(place, slice | np.ndarray):
            return Words(self.texts, self.which[place])
        return self.texts[int(self.which[place])]

    def tolist(self) -> list[str]:
        """The text of each item."""
        return [self.texts[number] for number in self.which.tolist()]

    def each(self, value: Callable[[str], Any], kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """For each item what its text is worth; asked once for each text that occurs, and for no other."""
        table = np.zeros(len(self.texts), kind)
        for number in np.flatnonzero(np.bincount(self.which, minlength=len(self.texts))).tolist():
            table[number] = value(self.texts[number])
        return table[self.which]

    @staticmethod
    def of(texts: Iterable[str]) -> Words:
        """A column of these texts."""
        numbers: dict[str, int] = {}
        which = [numbers.setdefault(text, len(numbers)) for text in texts]
        return Words(tuple(numbers), np.array(which, np.uint16))

    @staticmethod
    def joined(parts: Sequence[Words]) -> Words:
        """Columns one after the other."""
        numbers: dict[str, int] = {}
        which = [
            np.array([numbers.setdefault(text, len(numbers)) for text in part.texts], np.uint16)[part.which]
            for part in parts
        ]
        return Words(tuple(numbers), np.concatenate(which))

    @staticmethod
    def same(text: str, count: int) -> Words:
        """A column with one text throughout."""
        return Words((text,), np.zeros(count, np.uint16))


@dataclass(frozen=True, slots=True, eq=False)
class IntervalColumns(Prewritten):
    """The items of one series. An item is [start, end); its quantity is `values / 10**decimals` of its unit.

    `start` and `end` are datetime64[us] in UTC, `values` int64, `present` false where an item has no quantity; the
    status codes of an item are separated by spaces.
    """

    start: npt.NDArray[np.datetime64]
    end: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.int64]
    decimals: int
    present: npt.NDArray[np.bool_]
    unit: Words
    status: Words

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, span: Selection) -> IntervalColumns:
        """Some of the items."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return IntervalColumns(**{name: part if name == "decimals" else part[span] for name, part in parts.items()})

    @staticmethod
    def joined(parts: Sequence[IntervalColumns]) -> IntervalColumns:
        """Items of the same decimals, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return IntervalColumns(
            start=np.concatenate([part.start for part in parts]),
            end=np.concatenate([part.end for part in parts]),
            values=np.concatenate([part.values for part in parts]),
            decimals=parts[0].decimals,
            present=np.concatenate([part.present for part in parts]),
            unit=Words.joined([part.unit for part in parts]),
            status=Words.joined([part.status for part in parts]),
        )

    def xml(self) -> bytes:
        """The items; raises ValueError for what cannot be written."""
        return self.written([self])[0][0]

    def samples(self) -> bytes:
        """An item of each unit and of each status, the first and the last, the smallest and the greatest one.

        The others differ from them in digits only.
        """
        return self.written([self])[1][0]

    @classmethod
    def written(cls, lists: Sequence[IntervalColumns]) -> tuple[list[bytes], list[bytes]]:
        """The items of each series, written together; samples of all stand in the first one of those decimals."""
        texts, samples = [b""] * len(lists), [b""] * len(lists)
        for decimals in dict.fromkeys(one.decimals for one in lists if len(one)):
            places = [place for place, one in enumerate(lists) if len(one) and one.decimals == decimals]
            every = cls.joined([lists[place] for place in places])
            begins = np.cumsum([0, *(len(lists[place]) for place in places[:-1])])
            for place, text in zip(places, _items(every, begins).split(_BEGIN)[1:], strict=True):
                texts[place] = text
            samples[places[0]] = _items(every[_samples(every)], np.zeros(0, np.intp))
        return texts, samples

    @classmethod
    def regular(
        cls,
        start: npt.NDArray[np.datetime64],
        interval_s: int,
        values: npt.NDArray[np.int64],
        decimals: int,
        *,
        unit: str = "KWH",
        status: str | Words = "0",
    ) -> IntervalColumns:
        """Items of one length and unit, each with one status or all with the same."""
        count = len(start)
        begin = start.astype("datetime64[us]")
        return cls(
            start=begin,
            end=(begin + np.timedelta64(interval_s, "s")).astype("datetime64[us]"),
            values=values.astype(np.int64),
            decimals=decimals,
            present=np.ones(count, dtype=np.bool_),
            unit=Words.same(unit, count),
            status=Words.same(status, count) if isinstance(status, str) else status,
        )


def shifted(
    values: npt.NDArray[np.int64], powers: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Values times powers of ten, and where that is exact and fits; elsewhere the result is 0."""
    result, exact = np.zeros_like(values), np.zeros(values.shape, np.bool_)
    for power in np.unique(powers).tolist():
        mine = powers == power
        factor = 10 ** min(abs(power), DIGITS_MAX)
        if power >= 0:
            fits = np.abs(values[mine]) <= (np.iinfo(np.int64).max // factor if power <= DIGITS_MAX else 0)
            moved = np.where(fits, values[mine], 0) * factor
        else:
            fits = values[mine] % factor == 0 if -power <= DIGITS_MAX else values[mine] == 0
            moved = np.where(fits, values[mine] // factor, 0)
        result[mine], exact[mine] = moved, fits
    return result, exact


def _samples(columns: IntervalColumns) -> npt.NDArray[np.intp]:
    """The places of items that show all texts and all extremes."""
    firsts = [np.unique(words.which, return_index=True)[1] for words in (columns.unit, columns.status)]
    extremes = [find(one) for one in (columns.start, columns.end, columns.values) for find in (np.argmin, np.argmax)]
    return np.unique(np.concatenate([*firsts, extremes, [int(np.argmin(columns.present))]]))


def _items(columns: IntervalColumns, begins: npt.NDArray[np.intp]) -> bytes:
    """Rows of equal length, in which what an item has not is zero octets; then those are taken out.

    A series is parted from the one before by an octet that no text has.
    """
    parting = np.zeros((len(columns), 1), np.uint8)
    parting[begins] = ord(_BEGIN)
    stamps = _stamps(np.stack((columns.start, columns.end)))
    parts = (
        parting,
        _octets(b"<Item>"),
        *_quantity(columns),
        _octets(b"<UTCValidityStartDateTime>"),
        stamps[0],
        _octets(b"Z</UTCValidityStartDateTime><UTCValidityEndDateTime>"),
        stamps[1],
        _octets(b"Z</UTCValidityEndDateTime>"),
        _written(columns.status, _status),
        _octets(b"</Item>"),
    )
    rows = np.concatenate([np.broadcast_to(one, (len(columns), one.shape[1])) for one in parts], axis=1)
    return rows.tobytes().translate(None, b"\0")


def _quantity(columns: IntervalColumns) -> tuple[Octets, ...]:
    """The Quantity elements; nothing where an item has none."""
    size = np.abs(columns.values)
    if size.max() >= 10**DIGITS_MAX or size.min() < 0 or columns.decimals > DIGITS_MAX:
        raise ValueError(f"a quantity has more than {DIGITS_MAX} digits")
    here = columns.present[:, None]
    powers = 10 ** np.arange(max(len(str(size.max())), columns.decimals + 1))[::-1]
    digits = (size[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    # zeros in front count from the last place before the point on
    digits[(size[:, None] < powers) & (powers > 10**columns.decimals)] = 0
    whole, fraction = np.split(digits, [digits.shape[1] - columns.decimals], axis=1)
    return (
        _written(columns.unit, _quantity_start) * here,
        np.where(columns.values < 0, np.uint8(ord("-")), np.uint8(0))[:, None] * here,
        whole * here,
        _octets(b"." if columns.decimals else b"") * here,
        fraction * here,
        _octets(b"</Quantity>") * here,
    )


def _stamps(instants: npt.NDArray[np.datetime64]) -> Octets:
    """The text of each instant; of most there are many."""
    if np.isnat(instants).any():
        raise ValueError("an item has no start or no end")
    distinct, which = np.unique(instants, return_inverse=True)
    whole = bool((distinct == distinct.astype("datetime64[s]")).all())
    texts = np.datetime_as_string(distinct, unit="s" if whole else "us").astype(np.bytes_)
    return texts.view(np.uint8).reshape(len(texts), -1)[which]


def _written(words: Words, write: Callable[[str], str]) -> Octets:
    """What is written for the text of each item."""
    texts = [write(text).encode() for text in words.texts]
    if any(b"\0" in text or _BEGIN in text for text in texts):
        raise ValueError("a text has a character that XML does not have")
    return np.array(texts, np.bytes_).view(np.uint8).reshape(len(texts), -1)[words.which]


def _octets(text: bytes) -> Octets:
    return np.frombuffer(text, np.uint8)[None]


def _quantity_start(unit: str) -> str:
    return f'<Quantity unitCode="{escaped_attribute(unit)}">' if unit else "<Quantity>"


def _status(codes: str) -> str:
    return "".join(f"<ItemStatus><{_STATUS}>{escaped(code)}</{_STATUS}></ItemStatus>" for code in codes.split(" "))
