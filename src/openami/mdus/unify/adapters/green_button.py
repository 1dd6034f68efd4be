"""Green Button (NAESB ESPI): an Atom feed of usage points, reading types and interval blocks, read as a stream.

Which block is of which reading, and which reading of which type, stands in the links of the entries; entries come in
any order, so blocks wait as columns until their type is known. Values are integers times the type's power of ten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np
from lxml import etree

from openami.mdus.series.calendar import DAY_S
from openami.mdus.unify.adapters.model import BAD_VALUE, Batch, SeriesBuilder, build_all
from openami.mdus.unify.adapters.quantities import ELECTRICITY, FORWARD, GAS, WATER, kind_of_unit
from openami.shared.contract import field as contract
from openami.shared.contract.field.markup import local_name, text_of
from openami.shared.contract.field.tables import PERIOD_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BATCH_READINGS: Final = 100_000
_HOUR_S: Final = 3600
_INTERVALS_S: Final = [length_s for length_s in PERIOD_NUMBERS if 0 < length_s <= DAY_S]
_LARGEST_ENTRY: Final = 2_000_000
"""Readings of one entry: sixty years of quarter-hours."""
_SECONDS: Final = re.compile(r"(-?\d{1,11})(?:\.\d*)?", re.ASCII)
# Quality of reading of ESPI -> category and index of a quality code; what is absent says nothing (mixed, raw, other)
_QUALITIES: Final = {"0": (0, 0), "7": (7, 0), "8": (8, 0), "9": (8, 0), "10": (10, 0), "11": (11, 0), "12": (12, 0),
                     "17": (0, 1), "18": (0, 1), "19": (0, 1)}  # fmt: skip
_TYPE_FIELDS: Final = {
    "accumulationBehaviour": "accumulation",
    "commodity": "commodity",
    "dataQualifier": "aggregate",
    "flowDirection": "flow_direction",
    "kind": "measurement_kind",
    "phase": "phases",
    "powerOfTenMultiplier": "multiplier",
    "tou": "tou",
    "cpp": "cpp",
    "consumptionTier": "consumption_tier",
    "uom": "unit",
}
_ALL_PHASES: Final = frozenset({224, 225, 768, 769, 784})
"""Numbers that a total carries in practice; to us a total has no phase."""
_NORMAL: Final = 12  # the data qualifier `normal` says nothing about how values were gathered
_SERVICES: Final = {"0": ELECTRICITY, "1": GAS, "2": WATER}
"""Kind of service of a usage point -> commodity."""
_KINDS: Final = ("MeterReading", "ReadingType", "UsagePoint", "IntervalBlock")


@dataclass(slots=True)
class _Readings:
    """The interval readings of one entry as texts."""

    href: str = ""
    starts: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    @property
    def position(self) -> str:
        """Where they begin."""
        return f"line {self.lines[0]}"


@dataclass(slots=True)
class _Feed:
    """What is known of the feed so far."""

    types: dict[str, contract.ReadingTypeCode] = field(default_factory=dict)
    readings: dict[str, list[str]] = field(default_factory=dict)
    """Link of each meter reading -> the links it relates to."""
    points: dict[str, list[str]] = field(default_factory=dict)
    """Link of each usage point -> the links it relates to."""
    services: dict[str, int] = field(default_factory=dict)
    """Link of each usage point -> the commodity that it is supplied with."""
    waiting: list[_Readings] = field(default_factory=list)
    current: _Readings = field(default_factory=_Readings)
    gathered: int = 0
    """Readings that arrived since the last batch."""
    refusals: list[contract.Refusal] = field(default_factory=list)

    def reading_of(self, href: str) -> str:
        """The meter reading that a block belongs to."""
        return _owner(href, self.readings)

    def type_of(self, reading: str) -> contract.ReadingTypeCode | None:
        """The reading type that a meter reading relates to, with what its usage point says of it."""
        related = [self.types[each] for each in self.readings.get(reading, []) if each in self.types]
        if not related and len(self.types) == 1:
            related = [*self.types.values()]
        return _completed(related[0], self.services.get(_owner(reading, self.points), 0)) if related else None


def _owner(href: str, links: Mapping[str, list[str]]) -> str:
    """The entry that something belongs to: its link begins the other's, or relates to it, or is the only one."""
    inside = [each for each in links if href.startswith(each)]
    named = [each for each, related in links.items() if any(href.startswith(one) for one in related)]
    every = list(links) if len(links) == 1 else []
    return max([*inside, *named] or every or [""], key=len)


def _completed(code: contract.ReadingTypeCode, commodity: int) -> contract.ReadingTypeCode:
    """A reading type with what some feeds leave out: a unit of energy or volume says what is measured.

    Where no direction is told, it is what the usage point was supplied with.
    """
    kind = kind_of_unit(code.unit)
    if not kind or code.measurement_kind not in {0, kind}:
        return code
    return replace(
        code, measurement_kind=kind, commodity=code.commodity or commodity,
        flow_direction=code.flow_direction or FORWARD,
    )  # fmt: skip


class GreenButton:
    """ESPI feeds."""

    name = "green_button"

    def sniffs(self, head: bytes) -> bool:
        """By the Atom root and the ESPI name space."""
        return b"<" in head[:200] and b"http://www.w3.org/2005/Atom" in head and b"naesb.org/espi" in head

    def read(self, stream: BinaryIO) -> Iterator[Batch]:
        """Read a feed; blocks whose type comes late wait as columns."""
        feed = _Feed()
        try:
            for entry in _entries(stream, feed):
                _take_entry(feed, entry)
                if feed.gathered > _BATCH_READINGS:
                    yield _batch(feed, final=False)
        except etree.XMLSyntaxError as error:
            feed.refusals.append(contract.Refusal(f"line {error.lineno}", BAD_VALUE, f"not well-formed: {error.msg}"))
        except _HostileFeedError as error:
            feed.refusals.append(contract.Refusal("the document", BAD_VALUE, str(error)))
        yield _batch(feed, final=True)


class _HostileFeedError(Exception):
    """A document type, an entity, or an entry without end."""


def _entries(stream: BinaryIO, feed: _Feed) -> Iterator[etree._Element]:
    """Each entry once it is complete, its interval readings already taken out of the tree."""
    steps = etree.iterparse(
        stream, events=("end",), tag=("{*}IntervalReading", "{*}entry"), resolve_entities=False, no_network=True,
        load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    checked = False
    for _, element in steps:
        if not checked:
            checked = True
            if element.getroottree().docinfo.internalDTD is not None:
                raise _HostileFeedError("the document has a document type")
        if local_name(element) == "entry":
            yield element
            parent = element.getparent()
            element.clear()
            while parent is not None and element.getprevious() is not None:
                del parent[0]
        else:
            _take_reading(feed, element)
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                parent.remove(element.getprevious())


def _take_reading(feed: _Feed, element: etree._Element) -> None:
    found: dict[str, str] = {}
    qualities: list[str] = []
    for child in element:
        tag = local_name(child)
        if tag == "timePeriod":
            found.update((local_name(each), text_of(each)) for each in child)
        elif tag == "ReadingQuality":
            qualities += [text_of(each) for each in child if local_name(each) == "quality"]
        elif tag == "value":
            found["value"] = text_of(child)
    current = feed.current
    start, duration = _SECONDS.fullmatch(found.get("start", "")), _SECONDS.fullmatch(found.get("duration", ""))
    if start is None or duration is None:
        reason = f"no usable time period: {found.get('start', '')[:30]!r}, {found.get('duration', '')[:30]!r} s"
        feed.refusals.append(contract.Refusal(f"line {element.sourceline}", BAD_VALUE, reason))
        return
    current.starts.append(int(start[1]))
    current.lengths.append(int(duration[1]))
    current.texts.append(found.get("value", ""))
    current.labels.append("+".join(qualities))
    current.lines.append(cast("int", element.sourceline))
    if len(current.texts) > _LARGEST_ENTRY:
        raise _HostileFeedError(f"an entry with more than {_LARGEST_ENTRY} readings")


def _take_entry(feed: _Feed, entry: etree._Element) -> None:
    links: dict[str, list[str]] = {}
    bodies: list[etree._Element] = []
    announced = ""
    for child in entry:
        if local_name(child) == "link":
            links.setdefault(child.get("rel", ""), []).append(child.get("href", ""))
            if child.get("rel") == "self":
                announced = child.get("type", "")  # espi-entry/IntervalBlock
        elif local_name(child) == "content":
            bodies = [each for each in child if local_name(each) in _KINDS]
    own = [*links.get("self", []), ""][0]
    if announced.endswith("/IntervalBlock") and "IntervalBlock" not in map(local_name, bodies):
        reason = "the entry is said to be an IntervalBlock, but holds none"
        feed.refusals.append(contract.Refusal(f"line {entry.sourceline}", BAD_VALUE, reason, own or None))
    else:
        _take_facts(feed, own, links.get("related", []), bodies)
    if feed.current.texts:
        feed.current.href = own or [*links.get("up", []), ""][0]
        feed.waiting.append(feed.current)
        feed.gathered += len(feed.current.texts)
    feed.current = _Readings()


def _take_facts(feed: _Feed, own: str, related: list[str], bodies: list[etree._Element]) -> None:
    for body in bodies:
        kind = local_name(body)
        if kind == "ReadingType":
            feed.types[own] = _type(body)
        elif kind == "MeterReading":
            feed.readings[own] = related
        elif kind == "UsagePoint":
            feed.points[own] = related
            service = body.find("{*}ServiceCategory/{*}kind")
            feed.services[own] = _SERVICES.get("" if service is None else text_of(service), 0)


def _type(element: etree._Element) -> contract.ReadingTypeCode:
    """A reading type; fields that are absent or no numbers are 0 (not applicable)."""
    facts: dict[str, int] = {}
    for child in element:
        name, text = _TYPE_FIELDS.get(local_name(child)), text_of(child)
        if name and re.fullmatch(r"-?\d{1,4}", text, re.ASCII):
            facts[name] = int(text)
    if facts.get("aggregate") == _NORMAL:
        facts["aggregate"] = 0
    if facts.get("phases") in _ALL_PHASES:
        facts["phases"] = 0
    return contract.ReadingTypeCode(**{"accumulation": contract.ReadingTypeCode.DELTA_DATA} | facts)


def _batch(feed: _Feed, *, final: bool) -> Batch:
    builders: list[SeriesBuilder] = []
    waiting: list[_Readings] = []
    for readings in feed.waiting:
        reading = feed.reading_of(readings.href)
        code = feed.type_of(reading)
        if code is not None:
            builders += _builders(readings, reading, code)
        elif final:
            reason = f"the type of {len(readings.texts)} readings stands nowhere in the feed"
            feed.refusals.append(contract.Refusal(readings.position, "2.6", reason, reading or readings.href))
        else:
            waiting.append(readings)
    feed.waiting, feed.gathered = waiting, 0
    series = build_all(builders, feed.refusals)
    found = Batch(series=series, refusals=tuple(feed.refusals))
    feed.refusals = []
    return found


def _builders(readings: _Readings, reading: str, code: contract.ReadingTypeCode) -> Iterator[SeriesBuilder]:
    """One builder for each length of interval in the entry, and one for all periods that are no intervals."""
    name = reading or readings.href or "feed"
    names = [contract.Name.of(name, "EspiMeterReading")]
    if "/MeterReading" in name:
        names.append(contract.Name.of(name.split("/MeterReading")[0], "EspiUsagePoint"))
    starts, lengths = np.array(readings.starts, np.int64), np.array(readings.lengths, np.int64)
    lines = np.array(readings.lines, np.int64)
    intervals = np.where(np.abs(lengths - DAY_S) <= _HOUR_S, DAY_S, lengths)  # local days have 23, 24 or 25 hours
    intervals[~np.isin(intervals, _INTERVALS_S)] = 0
    for interval_s in np.unique(intervals).tolist():
        typed = replace(code, measuring_period=PERIOD_NUMBERS.get(interval_s, 0))
        builder = SeriesBuilder(name, contract.Identity(None, tuple(names)), typed, interval_s, _quality)
        rows = np.flatnonzero(intervals == interval_s)
        picked = rows.tolist()
        texts, labels = [readings.texts[row] for row in picked], [readings.labels[row] for row in picked]
        builder.add(starts[rows], texts, labels, lines[rows])
        if not interval_s:
            builder.ends.append(starts[rows] + lengths[rows])
        yield builder


def _quality(label: str) -> tuple[contract.QualityCode, ...]:
    known = (_QUALITIES[each] for each in label.split("+") if each in _QUALITIES)
    return tuple(contract.QualityCode(4, category, index) for category, index in known)
