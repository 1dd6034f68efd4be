"""Delimited files by a declared mapping: read in blocks by Arrow, grouped by meter without a Python loop over rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from openami.mdus.series.calendar import DAY_S
from openami.mdus.unify.adapters.model import BAD_VALUE, HEAD_BYTES, Batch, SeriesBuilder, build_all
from openami.mdus.unify.adapters.quantities import (
    DELTA,
    DIAL,
    ELECTRICITY,
    FORWARD,
    GAS,
    NET,
    REVERSE,
    WATER,
    code_of_unit,
)
from openami.mdus.unify.errors import UnknownUnitError
from openami.shared.contract import field as contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from openami.mdus.unify.adapters.mapping import FileMapping, MappedSeries

_BLOCK_BYTES: Final = 1 << 22
_COMMODITIES: Final = {"electricity": ELECTRICITY, "gas": GAS, "water": WATER}
_FLOWS: Final = {"forward": FORWARD, "reverse": REVERSE, "net": NET}
_UNKNOWN_TYPE: Final = "2.6"
_EXPONENT: Final = r"^[+-]?\d{1,9}(\.\d{0,9})?[eE][+-]?0*\d$"
"""Numbers that have at most 18 digits on either side of the point when they are written out."""
_HOUR_S: Final = 3600
"""By which a local day is longer or shorter when the clocks change."""


class Delimited:
    """Files of one mapping."""

    def __init__(self, mapping: FileMapping) -> None:
        self.mapping = mapping
        self.name = mapping.name

    def sniffs(self, head: bytes) -> bool:
        """By its header line: all columns that the mapping names must be there."""
        line = head.decode("utf-8", "replace").removeprefix("\ufeff").split("\n", 1)[0].rstrip("\r")
        names = {name.strip().strip('"') for name in line.split(self.mapping.delimiter)}
        return set(self.mapping.header) <= names

    def read(self, stream: BinaryIO) -> Iterator[Batch]:
        """Read blocks of rows; a row with the wrong number of fields is refused by its line."""
        refusals: list[contract.Refusal] = []
        skipped: list[int] = []
        header = 1 + _blank_lines(stream.read(HEAD_BYTES))
        stream.seek(0)
        rows, last = 0, header
        try:
            for block in self._open(stream, header, refusals, skipped):
                lines = _lines(header, rows, block.num_rows, skipped)
                builders = [
                    builder
                    for mapped in self.mapping.series
                    for builder in _builders(block, mapped, self.mapping, lines, refusals)
                ]
                rows, last = rows + block.num_rows, int(lines[-1]) if len(lines) else last
                yield Batch(series=build_all(builders, refusals), refusals=tuple(refusals))
                refusals.clear()  # the very list that rows are refused to
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            refusals.append(
                contract.Refusal(f"line {last + 1} or later", BAD_VALUE, f"the file cannot be read: {error}")
            )
        yield Batch(refusals=tuple(refusals))

    def _open(  # pyarrow has no types
        self, stream: BinaryIO, header: int, refusals: list[contract.Refusal], skipped: list[int]
    ) -> Any:  # noqa: ANN401 - as said
        def refuse(row: csv.InvalidRow) -> Literal["skip", "error"]:
            assert row.number is not None, "rows are numbered where one thread reads"
            skipped.append(row.number)
            reason = f"{row.actual_columns} fields where the header has {row.expected_columns}: {str(row.text)[:60]!r}"
            refusals.append(contract.Refusal(f"line {row.number}", BAD_VALUE, reason))
            return "skip"

        needed = sorted(self.mapping.columns)
        return csv.open_csv(
            stream,
            read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False, skip_rows=header - 1),
            parse_options=csv.ParseOptions(
                delimiter=self.mapping.delimiter, invalid_row_handler=refuse, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(needed, pa.string()), include_columns=needed, strings_can_be_null=False
            ),
        )


def _blank_lines(head: bytes) -> int:
    """How many empty lines stand before the header."""
    return head[: len(head) - len(head.lstrip(b"\r\n"))].count(b"\n")


def _lines(header: int, before: int, count: int, skipped: list[int]) -> NDArray[np.int64]:
    """The lines of so many rows that follow on others, given the lines of the header and of what is no row."""
    place = np.arange(before, before + count)
    rows_before = np.array(skipped, np.int64) - np.arange(len(skipped)) - header - 1
    return place + header + 1 + np.searchsorted(rows_before, place, side="right")


def _builders(
    block: Any,  # noqa: ANN401 - a pyarrow record batch
    mapped: MappedSeries,
    mapping: FileMapping,
    lines: NDArray[np.int64],
    refusals: list[contract.Refusal],
) -> Iterator[SeriesBuilder]:
    table = pa.table(block)
    keep = ~_blank(table, mapping)
    for only in mapped.only:
        keep &= ~np.asarray(pc.is_in(table[only.column], pa.array(only.not_in)))
    names = _coalesced(table, mapped)
    units = table[mapped.unit_column] if mapped.unit_column else pa.chunked_array([[mapped.unit] * table.num_rows])
    keys = pc.binary_join_element_wise(names, units, "\t").combine_chunks().dictionary_encode()
    indices = np.asarray(keys.indices)

    def refuse(bad: NDArray[np.bool_], reason_of: Callable[[int], str]) -> None:
        """Leave rows out, and tell of them by the first."""
        rows = np.flatnonzero(bad & keep)
        if rows.size:
            row = int(rows[0])
            position = f"line {lines[row]}" + (f" and {rows.size - 1} more" if rows.size > 1 else "")
            refusals.append(contract.Refusal(position, BAD_VALUE, reason_of(row), names[row].as_py()))
            keep[rows] = False

    def times(column: str) -> NDArray[np.int64]:
        found, timed = instants(table[column], mapped.format, mapping.zone, indices)
        refuse(~timed, lambda row: f"{table[column][row].as_py()[:40]!r} is not a time of the declared form")
        return found

    seconds = times(mapped.time)
    if mapped.until:
        lengths = times(mapped.until) - seconds
        slack = _HOUR_S if mapped.interval_s == DAY_S else 0
        refuse(np.abs(lengths - mapped.interval_s) > slack,
               lambda row: f"an interval of {lengths[row]} s, not of {mapped.interval_s} s")  # fmt: skip
    texts = np.asarray(pc.if_else(pc.is_in(table[mapped.value], pa.array(mapping.blank, pa.string())), "",
                                  _written_out(pc.utf8_trim_whitespace(table[mapped.value]))), object)  # fmt: skip
    labels = np.asarray(table[mapped.label], object) if mapped.label else np.full(table.num_rows, "", object)
    order = np.argsort(indices, kind="stable")
    order = order[keep[order]]
    key_of_row = indices[order]
    cuts = np.flatnonzero(np.diff(key_of_row, prepend=-1))
    for rows in np.split(order, cuts[1:]) if len(order) else ():
        name, _, unit = keys.dictionary[int(keys.indices[int(rows[0])].as_py())].as_py().partition("\t")
        try:
            builder = _builder(name, unit, mapped, table, int(rows[0]))
        except UnknownUnitError as error:
            more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            refusals.append(contract.Refusal(f"line {lines[rows[0]]}{more}", _UNKNOWN_TYPE, error.found, name))
            continue
        shift = mapped.interval_s if mapped.stamp == "end" and mapped.kind == "interval" else 0
        builder.add(seconds[rows] - shift, texts[rows].tolist(), labels[rows].tolist(), lines[rows])
        yield builder


def _blank(table: Any, mapping: FileMapping) -> NDArray[np.bool_]:  # noqa: ANN401 - as above
    """Lines with nothing in them."""
    blank = np.ones(table.num_rows, np.bool_)
    for column in mapping.columns:
        blank &= np.asarray(pc.equal(table[column], pa.scalar("")))
    return blank


def _written_out(texts: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Texts with numbers in full that have an exponent, as programs write small ones: 0.000015 for 1.5e-05."""
    short = pc.match_substring_regex(texts, _EXPONENT)
    if not pc.any(short).as_py():
        return texts
    exact = pc.if_else(short, texts, "0").cast(pa.decimal128(38, 18)).cast(pa.string())
    return pc.if_else(short, pc.utf8_rtrim(pc.utf8_rtrim(exact, "0"), "."), texts)


def _coalesced(table: Any, mapped: MappedSeries) -> Any:  # noqa: ANN401 - pyarrow has no types
    """The first naming column that is filled, row by row."""
    found = table[mapped.meter[-1][0]]
    for column, _ in reversed(mapped.meter[:-1]):
        found = pc.if_else(pc.equal(table[column], pa.scalar("")), found, table[column])
    return found


def _builder(name: str, unit: str, mapped: MappedSeries, table: Any, row: int) -> SeriesBuilder:  # noqa: ANN401 - as above
    dial = mapped.kind == "dial"
    code = code_of_unit(
        unit, 0 if dial else mapped.interval_s, commodity=_COMMODITIES[mapped.commodity], flow=_FLOWS[mapped.flow],
        accumulation=DIAL if dial else DELTA,
    )  # fmt: skip
    names = [(table[column][row].as_py(), kind) for column, kind in mapped.meter]
    identity = contract.Identity(None, tuple(contract.Name.of(text, kind) for text, kind in names if text))
    known = {flag: (contract.QualityCode.parse(code),) for flag, code in mapped.labels.items()}
    interval_s = 0 if dial else mapped.interval_s
    return SeriesBuilder(f"{name}{mapped.suffix}", identity, code, interval_s, lambda flag: known.get(flag, ()))


def instants(
    texts: Any,  # noqa: ANN401 - a pyarrow array of strings
    form: str,
    zone_name: str,
    series_of_row: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Seconds since 1970 of times, and where there is such a time; fractions of a second are cut.

    Times are local ones, unless the form takes their offset (`%z`). In the hour that a zone lives twice, the first
    stamp of a series is the first passage and its repeat the second; in the hour that it skips there is no time.
    """
    whole = pc.replace_substring_regex(texts, r"\.\d+$", "")
    stated = pc.strptime(whole, format=form, unit="s", error_is_null=True)
    ok = np.asarray(pc.is_valid(stated))
    filled = pc.fill_null(stated, pa.scalar(0, stated.type))
    if stated.type.tz is not None:
        return np.asarray(filled.cast(pa.int64()), np.int64), ok
    first = pc.assume_timezone(filled, zone_name, ambiguous="earliest", nonexistent="latest").cast(pa.int64())
    second = pc.assume_timezone(filled, zone_name, ambiguous="latest", nonexistent="latest").cast(pa.int64())
    before_gap = pc.assume_timezone(filled, zone_name, ambiguous="earliest", nonexistent="earliest").cast(pa.int64())
    early, late = np.asarray(first, np.int64).copy(), np.asarray(second, np.int64)
    ok = ok & (np.asarray(before_gap, np.int64) == early)
    twice = np.flatnonzero(early != late)
    if twice.size:
        pairs = np.stack((series_of_row[twice].astype(np.int64), early[twice]))
        _, firsts = np.unique(pairs, axis=1, return_index=True)
        repeated = np.ones(twice.size, np.bool_)
        repeated[firsts] = False
        early[twice[repeated]] = late[twice[repeated]]
    return early, ok
