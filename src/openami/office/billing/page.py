"""A bill as a page: self-contained HTML that prints on A4, reads on a phone, and follows light and dark.

The page is made from the bill's JSON document alone, so that page and JSON never differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SYMBOLS: Final = {"EUR": "€", "GBP": "£", "USD": "$"}
_UNITS: Final = {"m3": "m³"}
_CHART_WIDTH: Final = 720
_CHART_HEIGHT: Final = 150


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart, in drawing units; estimated energy is drawn on top of measured."""

    x: float
    width: float
    measured_y: float
    measured_height: float
    estimated_y: float
    estimated_height: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The daily consumption, drawn to scale."""

    bars: tuple[Bar, ...]
    top: str
    ticks: tuple[tuple[float, str], ...]
    width: int = _CHART_WIDTH
    height: int = _CHART_HEIGHT


def render(document: Mapping[str, Any]) -> str:
    """The page of one bill document (see `document.bill_document`)."""
    return (
        _environment()
        .get_template("bill.html.j2")
        .render(
            bill=document,
            chart=_chart(document["days"], _UNITS.get(document["measured_unit"], document["measured_unit"])),
            last_day=date.fromisoformat(document["past_last_day"]) - timedelta(days=1),
        )
    )


def _chart(totals: Sequence[Mapping[str, Any]], unit: str) -> Chart:
    highest = max((day["measured_milli"] + day["estimated_milli"] for day in totals), default=0) or 1
    step = _CHART_WIDTH / max(len(totals), 1)
    scale = _CHART_HEIGHT / highest
    bars = []
    for index, day in enumerate(totals):
        measured, estimated = day["measured_milli"] * scale, day["estimated_milli"] * scale
        energy = _quantity(Decimal(day["measured_milli"] + day["estimated_milli"]).scaleb(-3))
        part = f", {_quantity(Decimal(day['estimated_milli']).scaleb(-3))} {unit} estimated" if estimated else ""
        bars.append(
            Bar(
                x=round(index * step + step * 0.12, 2),
                width=round(step * 0.76, 2),
                measured_y=round(_CHART_HEIGHT - measured, 2),
                measured_height=round(measured, 2),
                estimated_y=round(_CHART_HEIGHT - measured - estimated, 2),
                estimated_height=round(estimated, 2),
                label=f"{_day(date.fromisoformat(day['day']))}: {energy} {unit}{part}",
            )
        )
    ticks = tuple(
        (round(index * step + step / 2, 2), str(date.fromisoformat(day["day"]).day))
        for index, day in enumerate(totals)
        if index % 5 == 0
    )
    return Chart(tuple(bars), f"{_quantity(Decimal(highest).scaleb(-3))} {unit}", ticks)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("openami.office.billing", "templates"),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        money=_money,
        quantity=lambda text: _quantity(Decimal(text)),
        milli=lambda value: _quantity(Decimal(value).scaleb(-3)),
        register=lambda value: f"{Decimal(value).scaleb(-3):,.3f}",
        price=lambda text: f"{Decimal(text).normalize():,f}",
        percent=lambda text: f"{(Decimal(text) * 100).normalize():f} %",
        unit=lambda text: _UNITS.get(text, text),
        day=lambda value: _day(value if isinstance(value, date) else date.fromisoformat(value)),
        instant=_instant,
    )
    return environment


def _money(text: str, currency: str) -> str:
    amount = Decimal(text)
    sign = "−" if amount < 0 else ""  # noqa: RUF001 - a typographic minus, in a page for people
    return f"{sign}{_SYMBOLS.get(currency, currency)} {abs(amount):,.2f}"


def _quantity(value: Decimal) -> str:
    """Thousandths where there are any; whole numbers without a fraction."""
    text = f"{value:,.3f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _day(value: date) -> str:
    return f"{value.day} {value:%B %Y}"


def _instant(text: str, zone_name: str) -> str:
    local = datetime.fromisoformat(text).astimezone(zone(zone_name))
    return f"{local.day} {local:%b %Y, %H:%M}"
