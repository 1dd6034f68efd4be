"""Delimited files by a declared mapping: read in blocks by Arrow, grouped by meter without a Python loop over rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from openami.mdus.unify.adapters.model import BAD_VALUE, Batch, SeriesBuilder, build_all
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
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from openami.mdus.unify.adapters.mapping import FileMapping, MappedSeries

_BLOCK_BYTES: Final = 1 << 22
_COMMODITIES: Final = {"electricity": ELECTRICITY, "gas": GAS, "water": WATER}
_FLOWS: Final = {"forward": FORWARD, "reverse": REVERSE, "net": NET}
_UNKNOWN_TYPE: Final = "2.6"


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
        row = 2  # the header is line 1
        try:
            reader = self._open(stream, refusals)
            for block in reader:
                builders = [
                    builder
                    for mapped in self.mapping.series
                    for builder in _builders(block, mapped, self.mapping, row, refusals)
                ]
                row += block.num_rows
                yield Batch(series=build_all(builders, refusals), refusals=tuple(refusals))
                refusals = []
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            refusals.append(contract.Refusal(f"line {row} or later", BAD_VALUE, f"the file cannot be read: {error}"))
        yield Batch(refusals=tuple(refusals))

    def _open(self, stream: BinaryIO, refusals: list[contract.Refusal]) -> Any:  # noqa: ANN401 - pyarrow has no types
        def refuse(row: csv.InvalidRow) -> Literal["skip", "error"]:
            reason = f"{row.actual_columns} fields where the header has {row.expected_columns}: {str(row.text)[:60]!r}"
            position = f"line {row.number}" if row.number is not None else "a line"
            refusals.append(contract.Refusal(position, BAD_VALUE, reason))
            return "skip"

        needed = sorted(self.mapping.columns)
        return csv.open_csv(
            stream,
            read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=self.mapping.delimiter, invalid_row_handler=refuse),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(needed, pa.string()), include_columns=needed, strings_can_be_null=False
            ),
        )


def _builders(
    block: Any,  # noqa: ANN401 - a pyarrow record batch
    mapped: MappedSeries,
    mapping: FileMapping,
    first_line: int,
    refusals: list[contract.Refusal],
) -> Iterator[SeriesBuilder]:
    table = pa.table(block)
    keep = np.ones(table.num_rows, np.bool_)
    for only in mapped.only:
        keep &= ~np.asarray(pc.is_in(table[only.column], pa.array(only.not_in)))
    names = _coalesced(table, mapped)
    units = table[mapped.unit_column] if mapped.unit_column else pa.chunked_array([[mapped.unit] * table.num_rows])
    keys = pc.binary_join_element_wise(names, units, "\t").combine_chunks().dictionary_encode()
    seconds, timed = instants(table[mapped.time], mapped.format, mapping.zone, np.asarray(keys.indices))
    _refuse_untimed(~timed & keep, table[mapped.time], names, first_line, refusals)
    keep &= timed
    texts = np.asarray(pc.if_else(pc.is_in(table[mapped.value], pa.array(mapping.blank, pa.string())), "",
                                  pc.utf8_trim_whitespace(table[mapped.value])), object)  # fmt: skip
    labels = np.asarray(table[mapped.label], object) if mapped.label else np.full(table.num_rows, "", object)
    order = np.argsort(np.asarray(keys.indices), kind="stable")
    order = order[keep[order]]
    key_of_row = np.asarray(keys.indices)[order]
    cuts = np.flatnonzero(np.diff(key_of_row, prepend=-1))
    for rows in np.split(order, cuts[1:]) if len(order) else ():
        name, _, unit = keys.dictionary[int(keys.indices[int(rows[0])].as_py())].as_py().partition("\t")
        position = f"lines {first_line + int(rows.min())} to {first_line + int(rows.max())}"
        try:
            builder = _builder(name, unit, mapped, table, int(rows[0]))
        except UnknownUnitError as error:
            refusals.append(contract.Refusal(position, _UNKNOWN_TYPE, error.found, name))
            continue
        shift = mapped.interval_s if mapped.stamp == "end" and mapped.kind == "interval" else 0
        builder.add(seconds[rows] - shift, texts[rows].tolist(), labels[rows].tolist(), position)
        yield builder


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
    """Seconds since 1970 of local times, and where there is such a time; fractions of a second are cut.

    In the hour that a zone lives twice, the first stamp of a series is the first passage and its repeat the second;
    in the hour that it skips there is no time.
    """
    whole = pc.replace_substring_regex(texts, r"\.\d+$", "")
    local = pc.strptime(whole, format=form, unit="s", error_is_null=True)
    ok = np.asarray(pc.is_valid(local))
    filled = pc.fill_null(local, pa.scalar(0, pa.timestamp("s")))
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


def _refuse_untimed(
    bad: NDArray[np.bool_],
    texts: Any,  # noqa: ANN401 - a pyarrow array
    names: Any,  # noqa: ANN401 - as above
    first_line: int,
    refusals: list[contract.Refusal],
) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        row = int(rows[0])
        more = f" and {rows.size - 1} more" if rows.size > 1 else ""
        reason = f"{texts[row].as_py()[:40]!r} is not a time of the declared form"
        refusals.append(contract.Refusal(f"line {first_line + row}{more}", BAD_VALUE, reason, names[row].as_py()))
