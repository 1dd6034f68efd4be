"""The items of one series of interval values as columns, and their XML, written without an object an item."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from openami.shared.contract.enterprise.encode import Prewritten, escaped, escaped_attribute
from openami.shared.contract.scan_records import DIGITS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from openami.shared.contract.enterprise.shapes import Member

    Selection = slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]
    Octets = npt.NDArray[np.uint8]

_STATUS = "utilities_time_series_item_type_code"
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

    @classmethod
    def written(cls, lists: Sequence[IntervalColumns], member: Member) -> tuple[list[bytes], list[bytes]]:
        """The items of each series, written together.

        Samples are an item of each unit and of each status, the first and the last, the smallest and the greatest one:
        the others differ from them in digits only. Those of all series stand in the first one of those decimals.
        """
        texts, samples = [b""] * len(lists), [b""] * len(lists)
        for decimals in dict.fromkeys(one.decimals for one in lists if len(one)):
            places = [place for place, one in enumerate(lists) if len(one) and one.decimals == decimals]
            every = cls.joined([lists[place] for place in places])
            begins = np.cumsum([0, *(len(lists[place]) for place in places[:-1])])
            for place, text in zip(places, _items(every, begins, member).split(_BEGIN)[1:], strict=True):
                texts[place] = text
            samples[places[0]] = _items(every[_samples(every)], np.zeros(0, np.intp), member)
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


def _items(columns: IntervalColumns, begins: npt.NDArray[np.intp], item: Member) -> bytes:
    """Rows of equal length, in which what an item has not is zero octets; then those are taken out.

    A series is parted from the one before by an octet that no text has.
    """
    parting = np.zeros((len(columns), 1), np.uint8)
    parting[begins] = ord(_BEGIN)
    start, end = _stamps(np.stack((columns.start, columns.end)))
    write: dict[str, Callable[[Member], tuple[Octets, ...]]] = {
        "quantity": partial(_quantity, columns),
        "utc_validity_start_date_time": partial(_instant, start),
        "utc_validity_end_date_time": partial(_instant, end),
        "item_status": lambda member: (_written(columns.status, partial(_statuses, member)),),
    }
    inside = chain.from_iterable(write.get(member.name, _constant)(member) for member in item.shape.elements)
    parts = [parting]
    for part in (_octets(_start(item)), *inside, _octets(f"</{item.xml_name}>")):
        if len(part) == len(parts[-1]) == 1:  # what stands in all items is written in one go
            parts[-1] = np.concatenate((parts[-1], part), axis=1)
        else:
            parts.append(part)
    rows = np.concatenate([np.broadcast_to(one, (len(columns), one.shape[1])) for one in parts], axis=1)
    return rows.tobytes().translate(None, b"\0")


def _constant(member: Member) -> tuple[Octets, ...]:
    """What columns do not have: its constant, if there is one."""
    return (_octets(member.constant),)


def _quantity(columns: IntervalColumns, member: Member) -> tuple[Octets, ...]:
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
        _written(columns.unit, lambda unit: _start(member, unit_code=unit)) * here,
        np.where(columns.values < 0, np.uint8(ord("-")), np.uint8(0))[:, None] * here,
        whole * here,
        _octets("." if columns.decimals else "") * here,
        fraction * here,
        _octets(f"</{member.xml_name}>") * here,
    )


def _instant(stamps: Octets, member: Member) -> tuple[Octets, ...]:
    return _octets(f"<{member.xml_name}>"), stamps, _octets(f"Z</{member.xml_name}>")


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


def _octets(text: str) -> Octets:
    return np.frombuffer(text.encode(), np.uint8)[None]


def _start(member: Member, **values: str) -> str:
    """The start of an element: an attribute without a value has its constant."""
    attributes = (
        f' {one.xml_name}="{escaped_attribute(values[one.name])}"' if values.get(one.name) else one.constant
        for one in member.shape.attributes
    )
    return f"<{member.xml_name}{''.join(attributes)}>"


def _statuses(member: Member, codes: str) -> str:
    """An element for each code."""
    return "".join(
        f"{_start(member)}{''.join(_status(child, code) for child in member.shape.elements)}</{member.xml_name}>"
        for code in codes.split(" ")
    )


def _status(member: Member, code: str) -> str:
    return f"<{member.xml_name}>{escaped(code)}</{member.xml_name}>" if member.name == _STATUS else member.constant
