"""Interval uploads as columns: time-series messages with thousands of items, without a Python object per item.

`decode_intervals` and `encode_intervals` are to such messages what the codec is to all others; the message they take
and give has series without items, whose items are the columns of the same place. `with_columns` puts both together into
a message that everything else takes, `columns_of` takes them out again. Items of a plain form are read from the bytes
of a large message (`interval_scan`). All others are taken out of the parsed tree by a compiled XSLT (one pass in C) and
become numpy arrays by way of Arrow. What columns do not hold (add-on fields inside items, amounts of money) is in the
`extras` of the message that has the series.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute
from lxml import etree

from openami.shared.contract.enterprise.codec import codec
from openami.shared.contract.enterprise.errors import InvalidMessage, Refusal
from openami.shared.contract.enterprise.interval_columns import IntervalColumns, Words
from openami.shared.contract.enterprise.interval_scan import scan_items
from openami.shared.contract.enterprise.item_reading import IN_COLUMNS, read_in_columns
from openami.shared.contract.enterprise.model import Bulk, Extra, HeadedMessage
from openami.shared.contract.enterprise.parse import MAXIMUM_BYTES, message_element
from openami.shared.contract.enterprise.shapes import Shape
from openami.shared.contract.enterprise.tabbed import read_tabbed
from openami.shared.contract.enterprise.validate import LARGE_BYTES
from openami.shared.contract.scan_records import DIGITS_MAX, SCAN_FROM_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from openami.shared.contract.enterprise.interval_scan import ScannedItems
    from openami.shared.contract.enterprise.model import Message

    Element: TypeAlias = etree._Element  # noqa: SLF001 - the name that its stubs have
    Take: TypeAlias = Callable[[Element, Sequence[Element]], Sequence[IntervalColumns]]

# Arrow's type stubs know neither texts among arrays nor buffers as files
compute: Any = pyarrow.compute
Array = Any
# of a plain text Arrow would find out each time what it is, and look for libraries of dates to do so
_EMPTY, _ZERO = pa.scalar(""), pa.scalar("0")

SERIES = "UtilitiesTimeSeries"
ITEM = "Item"
_COLUMNS = ("start", "end", "quantity", "unit", "status")
_STYLESHEET = """
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text" encoding="UTF-8"/>
<xsl:template match="/"><xsl:for-each select="*/*/UtilitiesTimeSeries/Item">{values}
<xsl:for-each select="ItemStatus/UtilitiesTimeSeriesItemTypeCode">
<xsl:if test="position() &gt; 1"><xsl:text> </xsl:text></xsl:if><xsl:value-of select="{status}"/>
</xsl:for-each><xsl:text>&#10;</xsl:text></xsl:for-each></xsl:template>
</xsl:stylesheet>"""


def _to_text(*values: str, status: str) -> etree.XSLT:
    """Makes a line of tab-separated values of each item."""
    rows = "".join(f'<xsl:value-of select="{value}"/><xsl:text>&#9;</xsl:text>' for value in values)
    return etree.XSLT(etree.fromstring(_STYLESHEET.format(values=rows, status=status)))


_AS_SENT = _to_text("UTCValidityStartDateTime", "UTCValidityEndDateTime", "Quantity", "Quantity/@unitCode", status=".")
# for texts with white space around them, plus signs, or more decimals of a second than a microsecond has
_NORMALISED = _to_text(
    "concat(substring(translate(normalize-space(UTCValidityStartDateTime),'Z',''),1,26),'Z')",
    "concat(substring(translate(normalize-space(UTCValidityEndDateTime),'Z',''),1,26),'Z')",
    "translate(normalize-space(Quantity),'+','')",
    "normalize-space(Quantity/@unitCode)",
    status="normalize-space(.)",
)
_COUNT_ITEMS = etree.XPath(f"count({ITEM})")
_AMOUNT = "Amount"
_COUNT_PARTS = etree.XPath(f"count({ITEM}/*) + count({ITEM}/ItemStatus/*)")


class NotPlainError(Exception):
    """Items were found where the scan did not expect them."""


def decode_intervals(
    body: bytes, *, maximum_bytes: int = MAXIMUM_BYTES
) -> tuple[Bulk[HeadedMessage], tuple[IntervalColumns, ...]]:
    """An interval upload (create, change, notification, bundle) and, for each of its items, the columns.

    Validates as `codec.decode` does; raises InvalidMessage also for other messages and for quantities that do not fit
    into 18 digits.
    """
    found = _scanned(body, maximum_bytes)
    if found is not None:
        return found
    element = message_element(body, maximum_bytes=maximum_bytes)
    root, shape = codec().shape_of(element)
    if not _is_upload(shape):
        raise InvalidMessage(root, root, "is not an upload of interval values")
    return _upload(element, root, shape, len(body), _of_tree)


def decode_in_columns(body: bytes, *, maximum_bytes: int = MAXIMUM_BYTES) -> Message:
    """Any message, as `codec.decode` gives it, but with columns for the items of uploads and of large bulks."""
    found = _scanned(body, maximum_bytes)
    if found is not None:
        return with_columns(*found)
    element = message_element(body, maximum_bytes=maximum_bytes)
    root, shape = codec().shape_of(element)
    if _is_upload(shape):
        return with_columns(*_upload(element, root, shape, len(body), _of_tree))
    if root in IN_COLUMNS and len(body) > LARGE_BYTES:
        return read_in_columns(element, root, shape, len(body))
    return codec().decode_element(element, root, shape, len(body))


def _scanned(body: bytes, maximum_bytes: int) -> tuple[Bulk[HeadedMessage], tuple[IntervalColumns, ...]] | None:
    """A large upload of plain items; None for everything else, of which the parser says what it is.

    An overlay may know other items than the scan.
    """
    if not SCAN_FROM_BYTES <= len(body) <= maximum_bytes or codec().overlay is not None:
        return None
    scan = scan_items(body)
    if scan is None:
        return None
    try:
        element = message_element(scan.rest)
        root, shape = codec().shape_of(element)
        return _upload(element, root, shape, len(scan.rest), _of_scan(scan)) if _is_upload(shape) else None
    except (Refusal, NotPlainError):
        return None


@cache
def _is_upload(shape: Shape) -> bool:
    """Whether every item of a message has a series of interval values (the header of a profile has none)."""
    item = shape.item
    if item is None or shape.has_log or not isinstance(item.content, Shape):
        return False
    series = item.content.child(SERIES)
    if series is None or not isinstance(series.content, Shape) or not series.minimum:
        return False
    values = series.content.child(ITEM)
    return values is not None and values.many


def _upload(
    element: etree._Element, root: str, shape: Shape, size: int, take: Take
) -> tuple[Bulk[HeadedMessage], tuple[IntervalColumns, ...]]:
    """The upload and its columns, of which `take` gives those of each series."""
    item = shape.item
    assert item is not None
    attributes = codec().validate(element, root, size)
    every = element.findall(f"{item.xml_name}/{SERIES}")
    try:
        columns = take(element, every)
    except pa.ArrowInvalid as problem:
        raise InvalidMessage(root, f"{item.xml_name}/{SERIES}/{ITEM}", str(problem)) from problem
    beside = [_beside_columns(*each, item.shape) for each in zip(every, columns, strict=True)]
    for series in every:
        etree.strip_elements(series, ITEM, with_tail=True)
    message = codec().read(element, root, shape)
    assert isinstance(message, Bulk)
    items = [
        replace(one, extras=(*one.extras, *more)) if more else one
        for one, more in zip(message.items, beside, strict=True)
    ]
    return replace(message, items=tuple(items), extras=(*message.extras, *attributes)), tuple(columns)


def _beside_columns(series: etree._Element, columns: IntervalColumns, message: Shape) -> list[Extra]:
    """What the items of a series have that columns do not hold, with its place in the message that has the series."""
    statuses = int(columns.status.each(lambda codes: codes.count(" ") + 1, np.int64).sum())
    held = 2 * len(columns) + int(columns.present.sum()) + 2 * statuses
    if cast("float", _COUNT_PARTS(series)) <= held:
        return []
    shape = message.part(SERIES).part(ITEM)
    found: list[Extra] = []
    for number, item in enumerate(series.iterfind(ITEM), start=1):
        more = [
            Extra(_AMOUNT, etree.tostring(amount, encoding="unicode", with_tail=False))
            for amount in item.iterfind(_AMOUNT)
        ]
        more += codec().extras_in(item, shape)
        found += [extra.below(f"{SERIES}/{ITEM}[{number}]") for extra in more]
    return found


def _of_scan(scan: ScannedItems) -> Take:
    """The runs of a scan, each of which must be the items of one series, with nothing of that name anywhere else."""

    def take(element: etree._Element, every: Sequence[etree._Element]) -> list[IntervalColumns]:
        counts = [len(series.findall(ITEM)) for series in every]
        there = sum(1 for _ in element.getroottree().iter(f"{{*}}{ITEM}"))
        if [count for count in counts if count] != list(scan.left) or there != sum(counts):
            raise NotPlainError
        runs = iter(scan.runs)
        return [next(runs) if count else NO_ITEMS for count in counts]

    return take


def _of_tree(element: etree._Element, every: Sequence[etree._Element]) -> list[IntervalColumns]:
    """The columns of the items in a tree; raises ArrowInvalid."""
    counts = [int(cast("float", _COUNT_ITEMS(series))) for series in every]
    try:
        return _all_columns(element, counts, _AS_SENT)
    except pa.ArrowInvalid:
        return _all_columns(element, counts, _NORMALISED)


def _all_columns(element: etree._Element, counts: Sequence[int], to_text: etree.XSLT) -> list[IntervalColumns]:
    """The columns of each series; raises ArrowInvalid."""
    text = bytes(cast("Any", to_text(element)))
    if not text:
        table = pa.table({name: pa.array([], pa.string()) for name in _COLUMNS})
    else:
        table = read_tabbed(text, _COLUMNS)
    if len(table) != sum(counts):
        raise pa.ArrowInvalid(f"{sum(counts)} items have {len(table)} lines")
    ends = itertools.accumulate(counts)
    return [_columns(table.slice(end - count, count)) for count, end in zip(counts, ends, strict=True)]


def _columns(table: pa.Table) -> IntervalColumns:
    quantity = table["quantity"].combine_chunks()
    values, decimals = scaled(quantity)
    return IntervalColumns(
        start=_instants(table["start"]),
        end=_instants(table["end"]),
        values=values,
        decimals=decimals,
        present=compute.not_equal(quantity, _EMPTY).to_numpy(zero_copy_only=False),
        unit=_words(table["unit"]),
        status=_words(table["status"]),
    )


def _instants(column: Array) -> npt.NDArray[np.datetime64]:
    found: npt.NDArray[np.datetime64] = column.cast(pa.timestamp("us", "UTC")).to_numpy()
    return found


def _words(column: Array) -> Words:
    encoded = column.combine_chunks().dictionary_encode()
    texts = tuple(" ".join(word.split()) for word in encoded.dictionary.to_pylist())
    return Words(texts, encoded.indices.to_numpy().astype(np.uint16))


def scaled(texts: Array) -> tuple[npt.NDArray[np.int64], int]:
    """Decimal texts as int64 with as many decimals as the longest needs; empty ones are 0. Exact, or ArrowInvalid."""
    if len(texts) == 0:
        return np.empty(0, dtype=np.int64), 0
    negative = compute.starts_with(texts, "-").to_numpy(zero_copy_only=False)
    short = compute.if_else(compute.match_substring(texts, "."), compute.utf8_rtrim(texts, "0"), texts)
    whole = compute.replace_substring_regex(compute.utf8_ltrim(short, "-0"), r"\..*", "")
    fraction = compute.replace_substring_regex(short, r"^[^.]*\.?", "")
    decimals = int(compute.max(compute.utf8_length(fraction)).as_py())
    digits = compute.binary_join_element_wise(whole, compute.utf8_rpad(fraction, decimals, "0"), _EMPTY)
    longest = int(compute.max(compute.utf8_length(compute.utf8_ltrim(digits, "0"))).as_py())
    if longest > DIGITS_MAX:
        raise pa.ArrowInvalid(f"a quantity needs {longest} digits at {decimals} decimals, {DIGITS_MAX} are possible")
    values = compute.if_else(compute.equal(digits, _EMPTY), _ZERO, digits).cast(pa.int64()).to_numpy()
    return np.where(negative, -values, values), decimals


def with_columns(message: Bulk[HeadedMessage], columns: Sequence[IntervalColumns]) -> Bulk[HeadedMessage]:
    """The upload with columns in the place of the items of its series; `codec.encode` takes it."""
    items = [
        replace(item, utilities_time_series=replace(_series(item), item=each))  # type: ignore[call-arg]
        for item, each in zip(message.items, columns, strict=True)
    ]
    return replace(message, items=tuple(items))


def columns_of(item: HeadedMessage) -> IntervalColumns:
    """The columns of an item of an upload that has them in the place of its series' items."""
    columns = _series(item).item
    assert isinstance(columns, IntervalColumns)
    return columns


def _series(item: HeadedMessage) -> Any:  # noqa: ANN401 - each upload has a class of its own
    return cast("Any", item).utilities_time_series


def encode_intervals(message: Bulk[HeadedMessage], columns: Sequence[IntervalColumns]) -> bytes:
    """The upload as a SOAP request, with these columns in the place of the items of its series; see `codec.encode`."""
    if len(message.items) != len(columns):
        root = codec().root_of(message)
        reason = f"{len(message.items)} series in the message, {len(columns)} in the columns"
        raise InvalidMessage(root, SERIES, reason)
    return codec().encode(with_columns(message, columns))


NO_ITEMS = IntervalColumns.regular(np.empty(0, "datetime64[us]"), 0, np.empty(0, np.int64), 0)
