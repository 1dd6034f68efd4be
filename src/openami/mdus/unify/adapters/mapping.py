"""What the columns of a delimited file mean, declared in a TOML file: one for each kind of export.

name = "badger"
delimiter = ","
header = ["Endpoint_SN", "Read", "Read_Time", "Read_Unit"]      # columns by which the export is recognised
zone = "America/Los_Angeles"                                    # of times whose format has no %z
blank = ["ERROR"]                                               # texts that stand for no value

[[series]]
meter = [["Endpoint_SN", "EndpointSN"], ["Meter_ID", "MeterID"]]   # column, kind of name; the first that is filled
value = "Read"
unit_column = "Read_Unit"                                       # or unit = "KWH"
time = "Read_Time"
format = "%Y-%m-%d %H:%M"
commodity = "water"
kind = "dial"                                                   # or "interval", with interval_s and stamp

[[series.only]]                                                 # rows that count
column = "AccountType"
not_in = ["DETECTOR CHECK"]
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from openami.mdus.series.calendar import DAY_S
from openami.mdus.unify.errors import UnifyError

if TYPE_CHECKING:
    from collections.abc import Mapping


class BadMappingError(UnifyError):
    """A declaration of a delimited file that cannot be used."""


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Rows count only if a column does not hold one of these texts."""

    column: str
    not_in: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedSeries:
    """One series in each row of a file."""

    meter: tuple[tuple[str, str], ...]
    """Columns that name the meter, with the kind of name; the first that is filled is the id."""
    value: str
    time: str
    format: str = "%Y-%m-%d %H:%M:%S"
    unit: str = ""
    unit_column: str = ""
    commodity: Literal["electricity", "gas", "water"] = "electricity"
    flow: Literal["forward", "reverse", "net"] = "forward"
    kind: Literal["interval", "dial"] = "interval"
    interval_s: int = 0
    stamp: Literal["start", "end"] = "start"
    """Which end of its interval the time names."""
    until: str = ""
    """The column with the end of the interval, where `time` is its start: a row of another length is refused."""
    label: str = ""
    """A column with the source's own quality flag."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Flag -> quality code such as `4.8.0`."""
    suffix: str = ""
    """Behind the id, where one meter has several series."""
    only: tuple[RowFilter, ...] = ()

    @property
    def columns(self) -> set[str]:
        """All columns that are needed."""
        needed = {self.value, self.time, *(column for column, _ in self.meter), *(each.column for each in self.only)}
        return needed | {column for column in (self.unit_column, self.label, self.until) if column}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """One kind of delimited file."""

    name: str
    header: tuple[str, ...]
    series: tuple[MappedSeries, ...]
    delimiter: str = ","
    zone: str = "UTC"
    blank: tuple[str, ...] = ()

    @property
    def columns(self) -> set[str]:
        """All columns that are needed."""
        return {column for each in self.series for column in each.columns}


def parse_mapping(text: str) -> FileMapping:
    """Read a declaration.

    Raises:
        BadMappingError: it is no TOML, or a field of it is unknown, missing or of the wrong kind.
    """
    try:
        facts = tomllib.loads(text)
        series = tuple(_series(each) for each in facts.pop("series"))
        mapping = FileMapping(series=series, **{key: _frozen(value) for key, value in facts.items()})
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadMappingError(
            f"The mapping cannot be read: {error}.", hint="See openami.mdus.unify.adapters.mapping for its form."
        ) from error
    for each in series:
        if each.until and (each.kind, each.stamp) != ("interval", "start"):
            raise BadMappingError(
                f"The series of {each.value!r} have no start that goes with their end {each.until!r}."
            )
        if each.kind == "interval" and each.interval_s <= 0:
            raise BadMappingError(f"The series of {each.value!r} are intervals without interval_s.")
        if each.kind == "interval" and DAY_S % each.interval_s:
            raise BadMappingError(f"Intervals of {each.interval_s} s, of the series of {each.value!r}, make up no day.")
    return mapping


def _series(facts: dict[str, Any]) -> MappedSeries:
    only = tuple(RowFilter(each["column"], tuple(each["not_in"])) for each in facts.pop("only", []))
    labels = facts.pop("labels", {})
    return MappedSeries(only=only, labels=labels, **{key: _frozen(value) for key, value in facts.items()})


def _frozen(value: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


@cache
def shipped_mappings() -> tuple[FileMapping, ...]:
    """The declarations that come with us."""
    folder = files("openami.mdus.unify.adapters").joinpath("mappings")
    return tuple(
        parse_mapping(each.read_text("utf-8"))
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if each.name.endswith(".toml")
    )
