"""Bulk messages as columns: a text column a leaf instead of an object an item.

For messages with very many small items of one shape: read by `item_reading`, written by joining columns. Whoever wants
objects gets them all the same: `ItemColumns` is a sequence of items, made when they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
from lxml import etree

from openami.shared.contract.enterprise.codec import codec
from openami.shared.contract.enterprise.encode import Prewritten, escaped
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.model import HeadedMessage
from openami.shared.contract.enterprise.shapes import Member, Shape, Simple

if TYPE_CHECKING:
    import datetime as dt

    import numpy.typing as npt

    from openami.shared.contract.enterprise.logs import Logs

compute: Any = pyarrow.compute  # Arrow's type stubs know few of these
Array = Any
Column = Any  # an array of texts, empty where an item has no such element, or one text for all items
Mask = Any  # an array of truths, or one truth for all items

HEADER, LOG = "MessageHeader", "Log"
# what the header of an answer says of the message that it answers
_REFERENCES = (
    ("ReferenceID", "ID"),
    ("ReferenceUUID", "UUID"),
    ("RecipientBusinessSystemID", "SenderBusinessSystemID"),
)
_NOTHING = pa.scalar("")  # made once: to make one of a text, Arrow looks for a module on disk each time
ITEMS_AT_ONCE = 2000
"""In the tree of a part: what is read of it is given back at once."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemColumns(Prewritten, Sequence[HeadedMessage]):
    """The items of a bulk message; `texts` by place in the item, such as `MeterReadingDocument/ID`.

    A place that is an element with children (a log) may have a column, too: that of their XML. Items that have more
    than texts can say (add-on fields, lists) are in `whole` besides, by their place, as they came.
    """

    member: Member
    texts: Mapping[str, Column]
    size: int
    whole: Mapping[int, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, place: int) -> HeadedMessage: ...
    @overload
    def __getitem__(self, place: slice) -> ItemColumns: ...
    def __getitem__(self, place: int | slice) -> HeadedMessage | ItemColumns:
        if isinstance(place, slice):
            return self.take(np.arange(self.size)[place])
        return next(iter(self.take(np.array([range(self.size)[place]]))))

    def __iter__(self) -> Iterator[HeadedMessage]:
        for first in range(0, self.size, ITEMS_AT_ONCE):
            some = self[first : first + ITEMS_AT_ONCE]
            part: Any = etree.fromstring(b"<part>%b</part>" % _document(_rows(some, self.member)))
            for place, xml in some.whole.items():
                part[place] = etree.fromstring(xml)
            for item in part:
                yield cast("HeadedMessage", codec().read(item, self.member.xml_name, self.member.shape))

    def take(self, places: npt.NDArray[np.intp]) -> ItemColumns:
        """Some of the items."""
        rows: Any = pa.array(places)
        some = {place: text if isinstance(text, str) else text.take(rows) for place, text in self.texts.items()}
        whole = enumerate(places.tolist() if self.whole else ())
        kept = {new: self.whole[old] for new, old in whole if old in self.whole}
        return ItemColumns(self.member, some, len(places), kept)

    def column(self, place: str) -> Array:
        """The texts at a place, one an item; empty where it has none."""
        text = self.texts.get(place, "")
        return pa.array([text] * self.size) if isinstance(text, str) else text

    @classmethod
    def written(cls, lists: Sequence[ItemColumns], member: Member) -> tuple[list[bytes], list[bytes]]:
        """The items, and samples: each combination of elements, each XML, each longest and shortest text."""
        return [one.xml(member) for one in lists], [one.take(one.samples()).xml(member) for one in lists]

    def xml(self, member: Member) -> bytes:
        """The items, one after the other."""
        rows = _rows(self, member)
        if self.whole:
            places = np.array(sorted(self.whole))
            odd = [codec().inside(item, member.shape) for item in self.take(places)]
            here = np.zeros(self.size, np.bool_)
            here[places] = True
            elements = pa.array([f"<{member.xml_name}>{inside}</{member.xml_name}>" for inside in odd])
            rows = compute.replace_with_mask(rows, pa.array(here), elements)
        return _document(rows)

    def samples(self) -> npt.NDArray[np.intp]:
        """The places of items that stand for all: see `written`."""
        if not self.size:
            return np.zeros(0, np.intp)
        wanted = [np.zeros(1, np.int64), np.array(sorted(self.whole), np.int64)]
        pattern = np.zeros(self.size, np.int64)
        for text in self.texts.values():
            if isinstance(text, str):
                continue
            length = compute.binary_length(text).to_numpy(zero_copy_only=False)
            pattern = np.unique(pattern * 2 + (length > 0), return_inverse=True)[1]
            wanted.append(np.array([length.argmin(), length.argmax()]))
        simple = leaves(self.member.shape)
        written = [text for place, text in self.texts.items() if place not in simple and not isinstance(text, str)]
        wanted += [np.unique(_codes(text), return_index=True)[1] for text in written]
        return np.unique(np.concatenate([*wanted, np.unique(pattern, return_index=True)[1]]))


def _rows(items: ItemColumns, member: Member) -> Array:
    """The XML of each item, as far as texts say."""
    pieces: list[Column] = []
    for piece in _element(member, items.texts, "", True)[0]:
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    if all(isinstance(piece, str) for piece in pieces):
        return pa.array(["".join(pieces)] * items.size, pa.string())
    return compute.binary_join_element_wise(*pieces, "")


def _document(rows: Array) -> bytes:
    """Texts one after the other: so they lie in the data buffer."""
    length = int(compute.sum(compute.binary_length(rows)).as_py() or 0)
    return bytes(memoryview(rows.buffers()[2])[:length]) if length else b""


def _codes(texts: Array) -> npt.NDArray[np.int32]:
    codes: npt.NDArray[np.int32] = texts.dictionary_encode().indices.to_numpy()
    return codes


@cache
def leaves(shape: Shape) -> dict[str, Simple]:
    """The texts of a shape that occur at most once, by place."""
    found: dict[str, Simple] = {}
    for member in shape.elements:
        if member.many:
            continue
        if isinstance(member.content, Simple):
            found[member.xml_name] = member.content
        elif not any(attribute.name for attribute in member.content.attributes):
            found |= {f"{member.xml_name}/{place}": simple for place, simple in leaves(member.content).items()}
    return found


def masks_below(shape: Shape, texts: Mapping[str, Column], prefix: str) -> Iterator[Mask]:
    """Where each element below an item is."""
    for member in shape.elements:
        place = f"{prefix}{member.xml_name}"
        yield _mask(member, texts, place)
        if isinstance(member.content, Shape):
            yield from masks_below(member.content, texts, f"{place}/")


def _mask(member: Member, texts: Mapping[str, Column], place: str) -> Mask:
    """In which items an element is: where it has a text, or one of its children is."""
    text = texts.get(place)
    if text is not None:
        return bool(text) if isinstance(text, str) else _anywhere(compute.not_equal(text, _NOTHING))
    if isinstance(member.content, Simple):
        return False
    mask: Mask = False
    for child in member.content.elements:
        mask = _either(mask, _mask(child, texts, f"{place}/{child.xml_name}"))
    return mask


def _either(one: Mask, other: Mask) -> Mask:
    if one is True or other is True:
        return True
    if one is False or other is False:
        return other if one is False else one
    return _anywhere(compute.or_(one, other))


def _anywhere(mask: Array) -> Mask:
    """The mask, simpler if it is the same for all."""
    if compute.all(mask).as_py():
        return True
    return mask if compute.any(mask).as_py() else False


def _element(member: Member, texts: Mapping[str, Column], place: str, within: Mask) -> tuple[list[Column], Mask]:
    """The pieces of an element, constants and columns, and in which items it is; `within`: in which its parent is."""
    if not member.name:
        return [_where(within, member.constant)], False
    # what an item must have is there even if it is empty
    everywhere = "/" not in place and isinstance(member.content, Shape) and member.minimum > 0
    mask = everywhere or _mask(member, texts, place)
    if mask is False:
        return [_where(within, member.constant)] if member.constant else [], False
    inside = _inside(member, texts, place, mask)
    attributes = member.content.attributes if isinstance(member.content, Shape) else ()
    start = f"<{member.xml_name}{''.join(attribute.constant for attribute in attributes)}>"
    end = f"</{member.xml_name}>"
    if mask is True:
        return [start, *inside, end], True
    if place in texts:
        whole = compute.binary_join_element_wise(start, *inside, end, "")
        return [compute.if_else(mask, whole, _where(within, member.constant))], mask
    return [_where(mask, start), *inside, _where(mask, end)], mask


def _where(mask: Mask, text: str) -> Column:
    """A text in those items, nothing in the others."""
    return text if mask is True or not text else compute.if_else(mask, text, "")


def _inside(member: Member, texts: Mapping[str, Column], place: str, mask: Mask) -> list[Column]:
    text = texts.get(place)
    if text is not None:
        return [_escaped(text) if isinstance(member.content, Simple) else text]
    below = f"{place}/" if place else ""
    return [
        piece
        for child in member.shape.elements
        for piece in _element(child, texts, f"{below}{child.xml_name}", mask)[0]
    ]


def _escaped(text: Column) -> Column:
    if isinstance(text, str):
        return escaped(text)
    if not compute.any(compute.match_substring_regex(text, "[&<>\r]")).as_py():
        return text
    for character in "&<>\r":  # the ampersand first: the others bring one along
        text = compute.replace_substring(text, character, escaped(character))
    return text


def confirmed_columns(
    items: ItemColumns, member: Member, log: Logs, created: dt.datetime, sender: str | None
) -> ItemColumns:
    """The confirmations of items: new UUIDs, references to theirs, what they name and a confirmation repeats, logs."""
    shape = member.shape
    texts: dict[str, Column] = {
        place: items.texts[place]
        for place in leaves(shape)
        if place in items.texts and not place.startswith(f"{HEADER}/")
    }
    head = header(created, sender=sender)
    own = etree.fromstring(f"<own>{codec().inside(head, items.member.shape.part(HEADER))}</own>")
    texts |= {f"{HEADER}/{child.tag}": child.text or "" for child in own}
    texts[f"{HEADER}/UUID"] = new_uuids(items.size)
    for place, source in _REFERENCES:
        if f"{HEADER}/{source}" in items.texts:
            texts[f"{HEADER}/{place}"] = items.texts[f"{HEADER}/{source}"]
    written = [codec().inside(one, codec().as_sent(shape).part(LOG)) for one in log.different]
    texts[LOG] = pa.array(written, pa.string()).take(cast("Any", pa.array(log.number)))
    return ItemColumns(member, texts, items.size)


def new_uuids(count: int) -> Array:
    """So many random UUIDs as texts."""
    octets = np.frombuffer(os.urandom(16 * count), np.uint8).reshape(count, 16).copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x40  # RFC 9562, 5.4: version 4
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    digits = np.frombuffer(octets.tobytes().hex().encode(), np.uint8).reshape(count, 32)
    texts = np.full((count, 36), ord("-"), np.uint8)
    for source, target, width in ((0, 0, 8), (8, 9, 4), (12, 14, 4), (16, 19, 4), (20, 24, 12)):
        texts[:, target : target + width] = digits[:, source : source + width]
    ends = np.arange(count + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends.tobytes()), pa.py_buffer(texts.tobytes()))
