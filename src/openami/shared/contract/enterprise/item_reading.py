"""Reads the items of a bulk message into columns: one pass in C over the parsed tree, by a compiled XSLT.

A message with items that columns cannot hold whole (add-on fields, lists within an item, white space that means
nothing) is given as objects.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute
from lxml import etree

from openami.shared.contract.enterprise.codec import codec
from openami.shared.contract.enterprise.decode import text_reader
from openami.shared.contract.enterprise.item_columns import ITEMS_AT_ONCE, ItemColumns, leaves, masks_below
from openami.shared.contract.enterprise.model import Bulk
from openami.shared.contract.enterprise.shapes import Member, Shape
from openami.shared.contract.enterprise.tabbed import read_tabbed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openami.shared.contract.enterprise.item_columns import Array, Column
    from openami.shared.contract.enterprise.model import Message

compute: Any = pyarrow.compute

IN_COLUMNS = {"MeterReadingDocumentERPResultBulkCreateRequest"}
"""Messages whose handlers take columns; what their confirmations repeat has the same rules there."""


def read_in_columns(element: etree._Element, root: str, shape: Shape, size: int) -> Message:
    """A bulk message, validated as `codec.decode` does, with columns for its items if they can hold them whole.

    Its element is used up.
    """
    item = shape.item
    assert item is not None
    attributes = codec().validate(element, root, size)
    first = element.find(item.xml_name)
    count = len(element.findall(item.xml_name))
    texts = None if attributes or first is None else _read(element, element.index(first), count, item)
    if texts is None:
        message = codec().read(element, root, shape)
        return replace(message, extras=(*message.extras, *attributes)) if attributes else message
    # one item is left: with it the rest is read like any message
    message = codec().read(element, root, shape)
    assert isinstance(message, Bulk)
    return replace(message, items=cast("Any", ItemColumns(item, texts, count)))


def _read(element: etree._Element, first: int, count: int, item: Member) -> dict[str, Column] | None:
    """The columns of the items, taken out of the element but for one; None, and nothing done, if not whole."""
    shape = item.content
    assert isinstance(shape, Shape)
    every = tuple(leaves(shape))
    # what the first one has all others have, as a rule: to look for all that could be there takes half as long again
    usual = tuple(place for place in every if element[first].find(place) is not None)
    children: Any = element
    parts = []
    for begin in range(0, count, ITEMS_AT_ONCE):
        part = etree.Element("part")
        part.extend(children[first : first + min(ITEMS_AT_ONCE, count - begin)])
        parts.append(part)
    for places in (usual, every):
        texts = _columns(b"".join(_text(part, places) for part in parts), [*places, _ELEMENTS], count)
        if texts is not None and _elements(shape, texts, count) == _sum(texts.pop(_ELEMENTS)):
            if not _have_values(shape, texts):
                break
            element.insert(first, parts[0][0])
            return texts
    for part in reversed(parts):
        children[first:first] = list(part)
    return None


_ELEMENTS = "count(.//*)"
"""The last column: by it is known whether the others hold the item whole."""
_STYLESHEET = """
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text" encoding="UTF-8"/>
<xsl:template match="/"><xsl:for-each select="*/*">{values}<xsl:text>&#10;</xsl:text></xsl:for-each></xsl:template>
</xsl:stylesheet>"""


def _text(part: etree._Element, places: tuple[str, ...]) -> bytes:
    """A line of tab-separated texts of each item."""
    return bytes(cast("Any", _to_text(places)(part)))


@lru_cache(maxsize=64)
def _to_text(places: tuple[str, ...]) -> etree.XSLT:
    values = "<xsl:text>&#9;</xsl:text>".join(f'<xsl:value-of select="{place}"/>' for place in (*places, _ELEMENTS))
    return etree.XSLT(etree.fromstring(_STYLESHEET.format(values=values)))


def _columns(text: bytes, places: Sequence[str], count: int) -> dict[str, Column] | None:
    """The columns that have any text; None if a text is none that stands for itself."""
    if any(space in text for space in (b" \t", b"\t ", b" \n", b"\n ", b"  ", b"\r")):
        return None
    try:
        table = read_tabbed(text, places)
    except pa.ArrowInvalid:
        return None
    if len(table) != count:
        return None
    arrays = {place: table[place].combine_chunks() for place in places}
    return {place: array for place, array in arrays.items() if compute.max(compute.binary_length(array)).as_py()}


def _have_values(shape: Shape, texts: Mapping[str, Column]) -> bool:
    """Whether all dates and times have a value: the schema knows some that Python does not (the year 0000)."""
    for place, simple in leaves(shape).items():
        if simple.base in {"date", "time", "dateTime"} and place in texts:
            read = text_reader(simple)
            try:
                for text in filter(None, compute.unique(texts[place]).to_pylist()):
                    read(text)
            except ValueError:
                return False
    return True


def _elements(shape: Shape, texts: Mapping[str, Column], count: int) -> int:
    """How many elements the columns stand for: fewer than there are, and something does not fit into them."""
    masks = masks_below(shape, texts, "")
    return sum(count if mask is True else 0 if mask is False else _sum(mask) for mask in masks)


def _sum(numbers: Array) -> int:
    return int(compute.sum(numbers.cast(pa.int64())).as_py() or 0)
