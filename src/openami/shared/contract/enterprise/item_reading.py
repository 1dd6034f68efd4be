"""Reads the items of a bulk message into columns: one pass in C over the parsed tree, by a compiled XSLT.

An item that texts cannot say whole (add-on fields, lists within it) is kept as it came, beside the columns.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute
from lxml import etree

from openami.shared.contract.enterprise.codec import codec
from openami.shared.contract.enterprise.decode import text_reader
from openami.shared.contract.enterprise.item_columns import ITEMS_AT_ONCE, ItemColumns, leaves, masks_below
from openami.shared.contract.enterprise.model import Bulk
from openami.shared.contract.enterprise.tabbed import read_tabbed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openami.shared.contract.enterprise.item_columns import Column
    from openami.shared.contract.enterprise.model import Message
    from openami.shared.contract.enterprise.shapes import Member, Shape

compute: Any = pyarrow.compute

IN_COLUMNS = {"MeterReadingDocumentERPResultBulkCreateRequest"}
"""Messages whose handlers take columns; what their confirmations repeat has the same rules there."""


def read_in_columns(element: etree._Element, root: str, shape: Shape, size: int) -> Message:
    """A bulk message, validated as `codec.decode` does, with columns for its items unless one has a text without value.

    Its element is used up.
    """
    item = shape.item
    assert item is not None
    attributes = codec().validate(element, root, size)
    first = element.find(item.xml_name)
    count = len(element.findall(item.xml_name))
    columns = None if first is None else _read(element, element.index(first), count, item)
    # of columns one item is left: with it the rest is read like any message
    message = codec().read(element, root, shape)
    if attributes:
        message = replace(message, extras=(*message.extras, *attributes))
    if columns is None:
        return message
    assert isinstance(message, Bulk)
    return replace(message, items=cast("Any", columns))


def _read(element: etree._Element, first: int, count: int, item: Member) -> ItemColumns | None:
    """The columns of the items, taken out of the element but for one; None, and nothing done, if there are none."""
    every = tuple(leaves(item.shape))
    # what the first one has all others have, as a rule: to look for all that could be there takes half as long again
    usual = tuple(place for place in every if element[first].find(place) is not None)
    children: Any = element
    parts = []
    for begin in range(0, count, ITEMS_AT_ONCE):
        part = etree.Element("part")
        part.extend(children[first : first + min(ITEMS_AT_ONCE, count - begin)])
        parts.append(part)
    columns = _as_sent(parts, usual, count, item) or _collapsed(parts, every, count, item)
    if columns is not None:
        element.insert(first, parts[0][0])
        return columns
    for part in reversed(parts):
        children[first:first] = list(part)
    return None


def _as_sent(parts: Sequence[etree._Element], places: Sequence[str], count: int, item: Member) -> ItemColumns | None:
    """Columns of these places, if they hold all items whole."""
    texts = _columns(parts, {place: place for place in places}, count)
    if texts is None or not _have_values(item.shape, texts):
        return None
    there = texts.pop(_ELEMENTS).to_numpy()
    return ItemColumns(item, texts, count) if (there == _elements(item.shape, texts, count)).all() else None


def _collapsed(parts: Sequence[etree._Element], places: Sequence[str], count: int, item: Member) -> ItemColumns | None:
    """Columns without white space that says nothing; what they do not hold whole is kept besides."""
    simple = leaves(item.shape)
    select = {place: place if simple[place].base == "string" else f"normalize-space({place})" for place in places}
    texts = _columns(parts, select, count)
    if texts is None or not _have_values(item.shape, texts):
        return None
    missing = texts.pop(_ELEMENTS).to_numpy() > _elements(item.shape, texts, count)
    whole = {
        place: etree.tostring(parts[place // ITEMS_AT_ONCE][place % ITEMS_AT_ONCE], with_tail=False)
        for place in np.flatnonzero(missing).tolist()
    }
    return ItemColumns(item, texts, count, whole)


_ELEMENTS = "count(.//*)"
"""The last column: by it is known whether the others hold the item whole."""
_STYLESHEET = """
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text" encoding="UTF-8"/>
<xsl:template match="/"><xsl:for-each select="*/*">{values}<xsl:text>&#10;</xsl:text></xsl:for-each></xsl:template>
</xsl:stylesheet>"""


@lru_cache(maxsize=64)
def _to_text(selected: tuple[str, ...]) -> etree.XSLT:
    values = "<xsl:text>&#9;</xsl:text>".join(f'<xsl:value-of select="{select}"/>' for select in selected)
    return etree.XSLT(etree.fromstring(_STYLESHEET.format(values=values)))


def _columns(parts: Sequence[etree._Element], select: Mapping[str, str], count: int) -> dict[str, Column] | None:
    """The columns that have any text, each of what is selected; None if a text is none that stands for itself."""
    to_text = _to_text((*select.values(), _ELEMENTS))
    text = b"".join(bytes(cast("Any", to_text(part))) for part in parts)
    if any(space in text for space in (b" \t", b"\t ", b" \n", b"\n ", b"  ", b"\r")):
        return None
    try:
        table = read_tabbed(text, [*select, _ELEMENTS])
    except pa.ArrowInvalid:
        return None
    if len(table) != count:
        return None
    arrays = {place: table[place].combine_chunks() for place in select}
    found = {place: array for place, array in arrays.items() if compute.max(compute.binary_length(array)).as_py()}
    return found | {_ELEMENTS: table[_ELEMENTS].cast(pa.int64()).combine_chunks()}


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


def _elements(shape: Shape, texts: Mapping[str, Column], count: int) -> Any:  # noqa: ANN401 - one number an item
    """How many elements the columns stand for: fewer than there are, and something does not fit into them."""
    found = np.zeros(count, np.int64)
    for mask in masks_below(shape, texts, ""):
        found += mask if isinstance(mask, bool) else mask.to_numpy(zero_copy_only=False)
    return found
