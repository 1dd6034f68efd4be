"""Records that repeat in a document, read from its bytes as columns, if they all have one of few plain forms.

A tree of elements costs more than everything else that happens to a reading. So the forms are learnt from the document
itself: a record is read once by a strict pattern, which tells where its times and its value stand; all records that
equal it everywhere else are then read by a compiled loop. A single record of another form, and nothing counts as read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Text: TypeAlias = bytes | memoryview

SCAN_FROM_BYTES: Final = 1 << 18
"""From this size on a body is worth loading compiled loops, which takes a second; the general way is done with less in
milliseconds."""
DIGITS_MAX: Final = 18  # the greatest number of nines that int64 holds
TIMES: Final = ("reported", "stamp", "start", "end")
"""The times that a record may have: when it was told of, and what it says of its interval."""
_FORMS_MAX: Final = 64
"""How many forms a document may have: with and without value, sets of quality codes, sources."""
_FORM_BYTES: Final = 2048
_ENCODING: Final = re.compile(rb"""^(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=["']([\w-]+)["']""")


def is_plain_text(data: Text) -> bool:
    """True if the characters of a document that begins like this are those of ASCII, and perhaps more."""
    encoding = _ENCODING.match(data)
    utf_16 = bytes(data[:2]) in {b"\xff\xfe", b"\xfe\xff"}
    return not utf_16 and (encoding is None or encoding[1].lower() in {b"utf-8", b"ascii", b"us-ascii"})


def share_decimals(
    values: NDArray[np.int64], decimals: NDArray[Any], significant: NDArray[Any], begins: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give the values of each group one number of decimals, in place.

    Returns:
        That number for each group, and where the value still fits; where not, it is wrong now.
    """
    shared = np.maximum.reduceat(decimals, begins).astype(np.int64)
    shift = np.repeat(shared, np.diff(begins, append=len(values))) - decimals
    fits = np.asarray(significant + shift <= DIGITS_MAX, np.bool_)
    if shift.any():
        values *= 10 ** np.minimum(shift, DIGITS_MAX).astype(np.int64)
    return shared, fits


class Forms:
    """The forms that a document showed so far, as arrays for the compiled loop."""

    def __init__(self, stamp_lengths: frozenset[int]) -> None:
        self._stamp_lengths = stamp_lengths
        self.count = 0
        self._templates = np.zeros((_FORMS_MAX, _FORM_BYTES), np.uint8)
        self._masks = np.zeros((_FORMS_MAX, _FORM_BYTES), np.uint8)
        self._heads, self._tails = np.zeros((2, _FORMS_MAX), np.int64)
        self._valued = np.zeros(_FORMS_MAX, np.bool_)
        self._time_at, self._time_n = np.zeros((2, _FORMS_MAX, len(TIMES)), np.int64)

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """The forms as the loop takes them."""
        every = (
            self._templates, self._masks, self._heads, self._tails, self._valued, self._time_at, self._time_n,
        )  # fmt: skip
        return tuple(one[: self.count] for one in every)

    def learn(self, example: re.Match[bytes]) -> bool:
        """Take the form of an example; False if its records cannot be read by the loop."""
        number = self.count
        spans = [_span(example, name) for name in TIMES]
        lengths = {end - begin for begin, end in filter(None, spans)}
        if number == _FORMS_MAX or not lengths or lengths - self._stamp_lengths:
            return False
        value = _span(example, "value")
        head, past = value or (len(example[0]), len(example[0]))
        template = example[0][:head] + example[0][past:]
        if len(template) > _FORM_BYTES:
            return False
        self._templates[number, : len(template)] = np.frombuffer(template, np.uint8)
        self._masks[number] = 255
        for which, (begin, end) in ((which, span) for which, span in enumerate(spans) if span):
            place = begin if begin < head else begin - (past - head)
            self._masks[number, place : place + end - begin] = 0
            self._time_at[number, which], self._time_n[number, which] = place, end - begin
        self._heads[number], self._tails[number] = head, len(template) - head
        self._valued[number] = value is not None
        self.count += 1
        return True


class Records:
    """All records of a document as columns; who knows what stands in them says by `accept` what their forms mean."""

    def __init__(self, count_max: int, stamp_lengths: frozenset[int]) -> None:
        """Take how many there are at most, and how long their times may be."""
        self.count = 0
        self.begins, self.ends, self.values = (np.empty(count_max, np.int64) for _ in range(3))
        self.follows = np.empty(count_max, np.bool_)
        """Where a record follows another one, with nothing but blanks between."""
        self.form, self.decimals, self.significant = (np.empty(count_max, np.int16) for _ in range(3))
        self.times = np.empty((count_max, len(TIMES)), np.int64)
        """Seconds since 1970; 0 where a form has no such time."""
        self._forms = Forms(stamp_lengths)

    def accept(self, example: re.Match[bytes]) -> bool:
        """Take the meaning of the next form; False if records of this form are to be read by the parser."""
        raise NotImplementedError

    def read(self, data: Text, opening: bytes, pattern: re.Pattern[bytes], *, only_in: bytes = b"\0") -> bool:
        """Read all records; False if one of them is of no plain form.

        Args:
            data: the document.
            opening: the tag that a record begins with.
            pattern: one record of a plain form; its groups are `value` and those of the times that there are.
            only_in: what may stand nowhere but in the opening tag and in records (by default what XML never has).
        """
        from openami.shared.contract import scan_kernel  # noqa: PLC0415 - the compiler loads when it is needed

        buffer, tag, name = (np.frombuffer(one, np.uint8) for one in (data, opening, only_in))
        buffer.flags.writeable = False  # as bytes are: the loop is compiled once, for any memory
        out = (
            self.begins, self.ends, self.follows, self.form, self.times, self.values, self.decimals, self.significant,
        )  # fmt: skip
        at, why, first = 0, scan_kernel.UNKNOWN, re.compile(re.escape(opening))
        while why == scan_kernel.UNKNOWN:
            why, at, self.count = scan_kernel.read(buffer, at, tag, name, self._forms.arrays, out, self.count)
            begin = first.search(data, at) if why == scan_kernel.UNKNOWN else None
            example = pattern.match(data, begin.start()) if begin else None
            if why == scan_kernel.UNKNOWN and not (
                example is not None and self.accept(example) and self._forms.learn(example)
            ):
                return False
        self._trim()
        return bool(why == scan_kernel.DONE)

    def _trim(self) -> None:
        for name in ("begins", "ends", "values", "follows", "form", "times", "decimals", "significant"):
            setattr(self, name, getattr(self, name)[: self.count])

    @property
    def first(self) -> NDArray[np.intp]:
        """The first record of each run: of those with nothing but blanks between."""
        return np.flatnonzero(~self.follows)

    def share_decimals(self, first: NDArray[np.intp]) -> NDArray[np.int64] | None:
        """Give the values of each run one number of decimals, and return it; None if one does not fit."""
        shared, fits = share_decimals(self.values, self.decimals, self.significant, first)
        return shared if fits.all() else None


def _span(example: re.Match[bytes], name: str) -> tuple[int, int] | None:
    """Where a part of the example stands, from its begin."""
    begin, end = example.span(name) if name in example.re.groupindex else (-1, -1)
    return None if begin < 0 else (begin - example.start(), end - example.start())
