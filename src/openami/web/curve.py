"""The load curve as a drawing: which bar stands where, in what colour, and what its title says.

Bars are drawn in a box of 1000 by 240 units that the page stretches to its width; labels are HTML beside it, so that
they stay readable on a phone. A month is drawn as one stacked bar a day, anything shorter as one bar an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from openami.shared.spans import days, local_date, local_midnight, zone
from openami.web.window import View, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH: Final = 1000
HEIGHT: Final = 240
KINDS: Final = ("measured", "edited", "estimated", "failed", "missing", "empty")
"""From the bottom of a stacked bar to its top; the last two have no value."""
WORDS: Final = {
    "measured": "measured",
    "edited": "edited",
    "estimated": "estimated",
    "failed": "failed validation",
    "missing": "missing",
    "empty": "not arrived",
}
_VALUELESS: Final = ("missing", "empty")
_STEPS: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_GRID_LINES: Final = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """One interval of a series."""

    start: datetime
    value: int
    quality: str

    @property
    def kind(self) -> str:
        """The colour that it is drawn in."""
        return kind_of(self.quality)


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle, in drawing units, y from the top."""

    kind: str
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """The bars over one stretch of time, what they say when pointed at, and where they lead."""

    x: float
    width: float
    title: str
    bars: tuple[Bar, ...]
    href: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """A label and its line, in percent of the axis; a minor one gives way on a narrow page."""

    at: float
    label: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """Everything that the template draws."""

    columns: tuple[Column, ...]
    across: tuple[Tick, ...]
    upward: tuple[Tick, ...]
    unit: str
    legend: tuple[tuple[str, str, str], ...]
    """Kind, its word, and how much of it there is."""
    width: int = WIDTH
    height: int = HEIGHT


def kind_of(quality: str) -> str:
    """The colour of a quality label such as `estimated (E03), passed`."""
    origin, _, verdict = quality.partition(", ")
    if origin.startswith("estimated"):
        return "estimated"
    if origin in _VALUELESS:
        return origin
    if verdict == "failed":
        return "failed"
    return "edited" if origin in {"edited", "substituted"} else "measured"


def amount(value: int, unit: str, scale: int) -> str:
    """An exact amount as a person reads it: watt-hours as kWh, cubic metres as they are.

    >>> amount(231, "Wh", 0)
    '0.231 kWh'
    """
    if unit == "Wh" and scale == 0:
        return f"{Decimal(value).scaleb(-3):,.3f} kWh".replace(",", "\u202f")
    shown = {"m3": "m³"}.get(unit, unit)
    return f"{Decimal(value).scaleb(scale):,f} {shown}".replace(",", "\u202f")


def totals(series: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Intervals and amount (in the series' own unit) of every kind that occurs."""
    found: dict[str, dict[str, int]] = {}
    for value, quality in zip(series["values"], series["qualities"], strict=True):
        entry = found.setdefault(kind_of(quality), {"intervals": 0, "value": 0})
        entry["intervals"] += 1
        entry["value"] += value
    return {kind: found[kind] for kind in KINDS if kind in found}


def draw(series: Mapping[str, Any], window: Window, path: str) -> Curve:
    """The drawing of a series as the MDUS gives it, over the days of a window; `path` is the device's page."""
    readings = [
        Reading(datetime.fromisoformat(start), value, quality)
        for start, value, quality in zip(series["times"], series["values"], series["qualities"], strict=True)
    ]
    daily = window.view is View.MONTH
    groups = _by_day(readings, window) if daily else [(one.start, _end(one, series), [one]) for one in readings]
    rate = _rate(series, daily=daily)
    highest = max((_height_of(group) * rate for _, _, group in groups), default=Decimal(0))
    top = ceiling(highest)
    columns = tuple(
        _column(start, end, group, series, window, top / rate, path if daily else "") for start, end, group in groups
    )
    upward = tuple(
        Tick(100.0 * line / _GRID_LINES, f"{(top * line / _GRID_LINES).normalize():f}")
        for line in range(_GRID_LINES + 1)
    )
    return Curve(columns, _ticks(window), upward, _unit(series, daily=daily), _legend(series))


def ceiling(highest: Decimal) -> Decimal:
    """The top of an axis: a round number of which a quarter is round too.

    >>> ceiling(Decimal("3.1"))
    Decimal('4')
    """
    if highest <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb((highest / _GRID_LINES).adjusted())
    return next(step for step in (power * each * _GRID_LINES for each in _STEPS) if step >= highest)


def _rate(series: Mapping[str, Any], *, daily: bool) -> Decimal:
    """From a stored value to the axis: mean power (kW, l/h) of an interval, or energy (kWh, m³) of a day."""
    base = Decimal(1).scaleb(-3) if series["unit"] == "Wh" else Decimal(1).scaleb(series["scale"])
    if daily:
        return base
    litres = 1 if series["unit"] == "Wh" else 1000
    interval_s: int = series["interval_s"]
    return base * litres * 3600 / interval_s


def _unit(series: Mapping[str, Any], *, daily: bool) -> str:
    if series["unit"] == "Wh":
        return "kWh a day" if daily else "kW"
    return "m³ a day" if daily else "l/h"


def _end(reading: Reading, series: Mapping[str, Any]) -> datetime:
    return reading.start + timedelta(seconds=series["interval_s"])


def _by_day(readings: Iterable[Reading], window: Window) -> list[tuple[datetime, datetime, list[Reading]]]:
    found: dict[date, list[Reading]] = {day: [] for day in days(window.first, window.past_last)}
    for one in readings:
        found[local_date(window.zone_name, one.start)].append(one)
    return [
        (local_midnight(window.zone_name, day), local_midnight(window.zone_name, day + timedelta(days=1)), group)
        for day, group in found.items()
        if group
    ]


def _height_of(group: Sequence[Reading]) -> int:
    return sum(max(one.value, 0) for one in group if one.kind not in _VALUELESS)


def _place(instant: datetime, window: Window) -> float:
    span = window.span
    return (instant - span.start).total_seconds() / span.duration_s


def _column(
    start: datetime,
    end: datetime,
    group: Sequence[Reading],
    series: Mapping[str, Any],
    window: Window,
    top: Decimal,
    path: str,
) -> Column:
    x, past = _place(start, window) * WIDTH, _place(end, window) * WIDTH
    gap = (past - x) * 0.14 if path else 0.0
    x, width = round(x + gap / 2, 2), round(past - x - gap, 2)
    bars: list[Bar] = []
    floor = float(HEIGHT)
    for kind in KINDS:
        inside = [one for one in group if one.kind == kind]
        if not inside:
            continue
        if kind in _VALUELESS:
            bars.insert(0, Bar(kind, x, width, 0.0, float(HEIGHT)))
            continue
        height = float(_height_of(inside) / top) * HEIGHT
        floor -= height
        bars.append(Bar(kind, x, width, round(floor, 2), round(height, 2)))
    day = local_date(window.zone_name, start)
    href = f"{path}?view=day&day={day}#curve" if path else ""
    return Column(x, width, _title(start, end, group, series, window.zone_name), tuple(bars), href)


def _title(start: datetime, end: datetime, group: Sequence[Reading], series: Mapping[str, Any], zone_name: str) -> str:
    local, past = start.astimezone(zone(zone_name)), end.astimezone(zone(zone_name))
    unit, scale = series["unit"], series["scale"]
    if len(group) == 1:
        (one,) = group
        when = f"{local:%a} {local.day} {local:%b} {local:%H:%M}\u2013{past:%H:%M}"
        return (
            f"{when}: {one.quality if one.kind in _VALUELESS else amount(one.value, unit, scale) + ', ' + one.quality}"
        )
    parts = []
    for kind in KINDS:
        inside = [one for one in group if one.kind == kind]
        if inside:
            energy = sum(one.value for one in inside)
            count = f"{len(inside)} intervals" if kind in _VALUELESS else amount(energy, unit, scale)
            parts.append(f"{count} {WORDS[kind]}")
    return f"{local:%a} {local.day} {local:%b}: {', '.join(parts)}"


def _ticks(window: Window) -> tuple[Tick, ...]:
    if window.view is View.DAY:
        hours = [
            datetime.combine(window.day, datetime.min.time(), tzinfo=zone(window.zone_name)).replace(hour=hour)
            for hour in range(0, 24, 3)
        ]
        return tuple(Tick(100 * _place(hour, window), f"{hour:%H:%M}", minor=hour.hour % 6 != 0) for hour in hours)
    shown = days(window.first, window.past_last)
    return tuple(
        Tick(
            100 * _place(local_midnight(window.zone_name, day), window),
            f"{day:%a} {day.day}" if window.view is View.WEEK else str(day.day),
            minor=window.view is View.MONTH and day.day % 5 != 1,
        )
        for day in shown
    )


def _legend(series: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (
            kind,
            WORDS[kind],
            f"{entry['intervals']} interval{'' if entry['intervals'] == 1 else 's'}"
            if kind in _VALUELESS
            else amount(entry["value"], series["unit"], series["scale"]),
        )
        for kind, entry in totals(series).items()
    )
