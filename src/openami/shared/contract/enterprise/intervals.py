"""Interval uploads as columns: time-series messages with thousands of items, without a Python object per item.

`decode_intervals` and `encode_intervals` are to such messages what the codec is to all others; the message they take
and give has series without items, whose items are the columns of the same place. `with_columns` puts both together into
a message that everything else takes, `columns_of` takes them out again. Items are taken out of the parsed tree by a
compiled XSLT (one pass in C) and become numpy arrays by way of Arrow. Add-on fields inside items are dropped.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
from lxml import etree

from openami.shared.contract.enterprise.codec import codec, enveloped
from openami.shared.contract.enterprise.encode import Prewritten, escaped, escaped_attribute
from openami.shared.contract.enterprise.errors import InvalidMessage
from openami.shared.contract.enterprise.model import Bulk, HeadedMessage
from openami.shared.contract.enterprise.parse import MAXIMUM_BYTES, message_element
from openami.shared.contract.enterprise.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from openami.shared.contract.enterprise.model import Message

# Arrow's type stubs know neither texts among arrays nor buffers as files
compute: Any = pyarrow.compute
Array = Any

# an int64 holds 18 digits whatever they are
MAXIMUM_DIGITS = 18
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


@dataclass(frozen=True, slots=True, eq=False)
class IntervalColumns(Prewritten):
    """The items of one series. An item is [start, end); its quantity is `values / 10**decimals` of its unit.

    `start` and `end` are datetime64[us] in UTC, `values` int64, `present` false where an item has no quantity; `unit`
    and `status` are texts, the status codes of an item separated by spaces.
    """

    start: npt.NDArray[np.datetime64]
    end: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.int64]
    decimals: int
    present: npt.NDArray[np.bool_]
    unit: npt.NDArray[np.str_]
    status: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, span: slice | npt.NDArray[np.intp]) -> IntervalColumns:
        """Some of the items."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return IntervalColumns(**{name: part if name == "decimals" else part[span] for name, part in parts.items()})

    def xml(self) -> str:
        """The items; raises ValueError for what cannot be written."""
        return _items(self).decode()

    @classmethod
    def regular(
        cls,
        start: npt.NDArray[np.datetime64],
        interval_s: int,
        values: npt.NDArray[np.int64],
        decimals: int,
        *,
        unit: str = "KWH",
        status: str | npt.NDArray[np.str_] = "0",
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
            unit=np.full(count, unit),
            status=np.full(count, status) if isinstance(status, str) else status,
        )


def decode_intervals(
    body: bytes, *, maximum_bytes: int = MAXIMUM_BYTES
) -> tuple[Bulk[HeadedMessage], tuple[IntervalColumns, ...]]:
    """An interval upload (create, change, notification, bundle) and, for each of its items, the columns.

    Validates as `codec.decode` does; raises InvalidMessage also for other messages and for quantities that do not fit
    into 18 digits.
    """
    element = message_element(body, maximum_bytes=maximum_bytes)
    root, shape = codec().shape_of(element)
    if not _is_upload(element, shape):
        raise InvalidMessage(root, root, "is not an upload of interval values")
    return _upload(element, root, shape, len(body))


def decode_in_columns(body: bytes, *, maximum_bytes: int = MAXIMUM_BYTES) -> Message:
    """Any message, as `codec.decode` gives it, but interval uploads with columns in the place of their items."""
    element = message_element(body, maximum_bytes=maximum_bytes)
    root, shape = codec().shape_of(element)
    if _is_upload(element, shape):
        return with_columns(*_upload(element, root, shape, len(body)))
    return codec().decode_element(element, root, shape, len(body))


def _is_upload(element: etree._Element, shape: Shape) -> bool:
    """Whether series of interval values are in every item."""
    way = _way_to_series(shape)
    return way is not None and element.find(way) is not None


@cache
def _way_to_series(shape: Shape) -> str | None:
    """Where a message has series with items, if it is an upload (the header of a profile has no values)."""
    item = shape.item
    if item is None or shape.has_log or not isinstance(item.content, Shape):
        return None
    series = item.content.child(SERIES)
    if series is None or not isinstance(series.content, Shape):
        return None
    values = series.content.child(ITEM)
    return f"{item.xml_name}/{SERIES}" if values is not None and values.many else None


def _upload(
    element: etree._Element, root: str, shape: Shape, size: int
) -> tuple[Bulk[HeadedMessage], tuple[IntervalColumns, ...]]:
    item = shape.item
    assert item is not None
    attributes = codec().validate(element, root, size)
    every = element.findall(f"{item.xml_name}/{SERIES}")
    counts = [int(cast("float", _COUNT_ITEMS(series))) for series in every]
    try:
        columns = _all_columns(element, counts, _AS_SENT)
    except pa.ArrowInvalid:
        try:
            columns = _all_columns(element, counts, _NORMALISED)
        except pa.ArrowInvalid as problem:
            raise InvalidMessage(root, f"{item.xml_name}/{SERIES}/{ITEM}", str(problem)) from problem
    for series in every:
        etree.strip_elements(series, ITEM, with_tail=True)
    message = codec().read(element, root, shape)
    assert isinstance(message, Bulk)
    return replace(message, extras=(*message.extras, *attributes)), columns


def _all_columns(element: etree._Element, counts: Sequence[int], to_text: etree.XSLT) -> tuple[IntervalColumns, ...]:
    """The columns of each series; raises ArrowInvalid."""
    text = bytes(cast("Any", to_text(element)))
    if not text:
        table = pa.table({name: pa.array([], pa.string()) for name in _COLUMNS})
    else:
        table = pyarrow.csv.read_csv(
            cast("Any", pa.py_buffer(text)),
            pyarrow.csv.ReadOptions(column_names=list(_COLUMNS)),
            pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, newlines_in_values=False),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string()), strings_can_be_null=False),
        )
    if len(table) != sum(counts):
        raise pa.ArrowInvalid(f"{sum(counts)} items have {len(table)} lines")
    ends = itertools.accumulate(counts)
    return tuple(_columns(table.slice(end - count, count)) for count, end in zip(counts, ends, strict=True))


def _columns(table: pa.Table) -> IntervalColumns:
    quantity = table["quantity"].combine_chunks()
    values, decimals = scaled(quantity)
    return IntervalColumns(
        start=_instants(table["start"]),
        end=_instants(table["end"]),
        values=values,
        decimals=decimals,
        present=compute.not_equal(quantity, "").to_numpy(zero_copy_only=False),
        unit=_texts(table["unit"]),
        status=_texts(table["status"]),
    )


def _instants(column: Array) -> npt.NDArray[np.datetime64]:
    found: npt.NDArray[np.datetime64] = column.cast(pa.timestamp("us", "UTC")).to_numpy()
    return found


def _texts(column: Array) -> npt.NDArray[np.str_]:
    encoded = column.combine_chunks().dictionary_encode()
    words = np.array([" ".join(word.split()) for word in encoded.dictionary.to_pylist()], dtype=np.str_)
    return words[encoded.indices.to_numpy()] if len(words) else np.empty(0, dtype=np.str_)


def scaled(texts: Array) -> tuple[npt.NDArray[np.int64], int]:
    """Decimal texts as int64 with as many decimals as the longest needs; empty ones are 0. Exact, or ArrowInvalid."""
    if len(texts) == 0:
        return np.empty(0, dtype=np.int64), 0
    negative = compute.starts_with(texts, "-").to_numpy(zero_copy_only=False)
    short = compute.if_else(compute.match_substring(texts, "."), compute.utf8_rtrim(texts, "0"), texts)
    whole = compute.replace_substring_regex(compute.utf8_ltrim(short, "-0"), r"\..*", "")
    fraction = compute.replace_substring_regex(short, r"^[^.]*\.?", "")
    decimals = int(compute.max(compute.utf8_length(fraction)).as_py())
    digits = compute.binary_join_element_wise(whole, compute.utf8_rpad(fraction, decimals, "0"), "")
    longest = int(compute.max(compute.utf8_length(compute.utf8_ltrim(digits, "0"))).as_py())
    if longest > MAXIMUM_DIGITS:
        raise pa.ArrowInvalid(
            f"a quantity needs {longest} digits at {decimals} decimals, {MAXIMUM_DIGITS} are possible"
        )
    values = compute.if_else(compute.equal(digits, ""), "0", digits).cast(pa.int64()).to_numpy()
    return np.where(negative, -values, values), decimals


def shifted(
    values: npt.NDArray[np.int64], powers: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Values times powers of ten, and where that is exact and fits; elsewhere the result is 0."""
    result, exact = np.zeros_like(values), np.zeros(values.shape, np.bool_)
    for power in np.unique(powers).tolist():
        mine = powers == power
        factor = 10 ** min(abs(power), MAXIMUM_DIGITS)
        if power >= 0:
            fits = np.abs(values[mine]) <= (np.iinfo(np.int64).max // factor if power <= MAXIMUM_DIGITS else 0)
            moved = np.where(fits, values[mine], 0) * factor
        else:
            fits = values[mine] % factor == 0 if -power <= MAXIMUM_DIGITS else values[mine] == 0
            moved = np.where(fits, values[mine] // factor, 0)
        result[mine], exact[mine] = moved, fits
    return result, exact


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
    """The upload as a SOAP request; the series of the message must have no items of their own.

    Validated is the message with one item of each unit and each status: the others differ in digits only.
    """
    root, text = codec().root_of(message), codec().text(message)
    before, *pieces = text.split(f"<{SERIES}>")
    if len(pieces) != len(columns):
        raise InvalidMessage(root, SERIES, f"{len(pieces)} series in the message, {len(columns)} in the columns")
    try:
        check, out = [before.encode()], [before.encode()]
        for piece, each in zip(pieces, columns, strict=True):
            # items follow the series' ID, or come first where there is none
            identifier, end, rest = piece.partition("</ID>") if piece.startswith("<ID>") else ("", "", piece)
            head, tail = f"<{SERIES}>{identifier}{end}".encode(), rest.encode()
            check += [head, _items(each[_samples(each)]), tail]
            out += [head, _items(each), tail]
    except (pa.ArrowInvalid, UnicodeEncodeError) as problem:
        raise InvalidMessage(root, f"{SERIES}/{ITEM}", str(problem)) from problem
    codec().check(root, b"".join(check).decode())
    return enveloped(b"".join(out))


def _samples(columns: IntervalColumns) -> npt.NDArray[np.intp]:
    """The places of one item of each unit and of each status."""
    found = [distinct(texts)[1] for texts in (columns.unit, columns.status)]
    return np.unique(np.concatenate([np.unique(codes, return_index=True)[1] for codes in found]))


def distinct(texts: npt.NDArray[np.str_]) -> tuple[list[str], npt.NDArray[np.int32]]:
    """The different texts, few, and the number of each item's."""
    encoded = pa.array(texts, pa.string()).dictionary_encode()
    return [str(text) for text in encoded.dictionary.to_pylist()], encoded.indices.to_numpy()


def _items(columns: IntervalColumns) -> bytes:
    if len(columns) == 0:
        return b""
    if bool(np.isnat(columns.start).any() or np.isnat(columns.end).any()):
        raise pa.ArrowInvalid("an item has no start or no end")
    joined = compute.binary_join_element_wise(
        "<Item>",
        _quantities(columns),
        "<UTCValidityStartDateTime>",
        _stamps(columns.start),
        "Z</UTCValidityStartDateTime><UTCValidityEndDateTime>",
        _stamps(columns.end),
        "Z</UTCValidityEndDateTime>",
        _mapped(columns.status, _status),
        "</Item>",
        "",
    )
    # the texts lie one after the other in the data buffer: that is the document
    length = int(compute.sum(compute.binary_length(joined)).as_py())
    return bytes(memoryview(joined.buffers()[2])[:length])


def _stamps(instants: npt.NDArray[np.datetime64]) -> Array:
    whole = bool((instants == instants.astype("datetime64[s]")).all())
    return pa.array(np.datetime_as_string(instants, unit="s" if whole else "us"), pa.string())


def _quantities(columns: IntervalColumns) -> Array:
    """The Quantity elements; an empty text where an item has none."""
    size = np.abs(columns.values)
    if size.max() >= 10**MAXIMUM_DIGITS or size.min() < 0:
        raise pa.ArrowInvalid(f"a quantity has more than {MAXIMUM_DIGITS} digits")
    digits = compute.utf8_lpad(pa.array(size).cast(pa.string()), columns.decimals + 1, "0")
    if columns.decimals:
        whole = compute.utf8_slice_codeunits(digits, 0, -columns.decimals)
        digits = compute.binary_join_element_wise(whole, compute.utf8_slice_codeunits(digits, -columns.decimals), ".")
    sign = compute.if_else(pa.array(columns.values < 0), "-", "")
    start = _mapped(columns.unit, _quantity_start)
    elements = compute.binary_join_element_wise(start, sign, digits, "</Quantity>", "")
    return compute.if_else(pa.array(columns.present), elements, "")


def _mapped(texts: npt.NDArray[np.str_], change: Callable[[str], str]) -> Array:
    words, codes = distinct(texts)
    return pa.array([change(word) for word in words], pa.string()).take(codes)


def _quantity_start(unit: str) -> str:
    return f'<Quantity unitCode="{escaped_attribute(unit)}">' if unit else "<Quantity>"


def _status(codes: str) -> str:
    name = "UtilitiesTimeSeriesItemTypeCode"
    return "".join(f"<ItemStatus><{name}>{escaped(code)}</{name}></ItemStatus>" for code in codes.split(" "))
