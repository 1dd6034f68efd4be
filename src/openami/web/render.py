"""Templates and the words in them: instants in the zone of the installation, sizes, states as coloured tags."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from openami.shared.spans import zone
from openami.web.curve import amount
from openami.web.rights import Right

NONE = "\u2013"  # an en dash: nothing to show
HERE = Path(__file__).parent
NAVIGATION = (
    ("/", "Landscape"),
    ("/devices", "Devices"),
    ("/meters", "Head-end"),
    ("/files", "Files"),
    ("/values", "Values"),
    ("/events", "Events"),
    ("/orders", "Orders"),
    ("/messages", "Messages"),
    ("/bills", "Bills"),
    ("/tariffs", "Tariffs"),
    ("/customers", "Customers"),
)
REASONS = {
    "01": "periodic",
    "02": "interim, with bill",
    "03": "moving out",
    "06": "moving in",
    "08": "installation",
    "09": "interim",
    "10": "control",
    "12": "removal",
    "21": "billing at installation",
    "22": "billing at removal",
}
"""Meter reading reasons of the enterprise services, in words."""
SWITCH_REASONS = {"01": "non-payment", "02": "on request", "03": "for safety", "04": "moved out"}
_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
_NO_END = "9999-12-31"
_STATES = {
    "good": "delivered processed posted proven confirmed registered done ready connected passed installed ok closed "
    "successful billed reconciled executed fulfilled reconnected result measured fine up yes applied works",
    "warn": "pending parked received accepted sent executing announced waiting warning open held estimated cancelling "
    "running proposed assigned "
    "located",
    "bad": "dead refused failed failing withheld expired rejected alarm critical disconnected cancelled down no",
    "quiet": "removed voided notified info undone",
}
_KIND_OF = {word: kind for kind, words in _STATES.items() for word in words.split()}


@lru_cache(maxsize=8)
def environment(zone_name: str) -> Environment:
    """The template environment; undefined names are errors, so that a page cannot silently lose a field."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["navigation"] = NAVIGATION
    made.globals |= {"right": Right, "zone": zone_name, "reasons": REASONS, "switch_reasons": SWITCH_REASONS}
    made.tests["instant_text"] = is_instant
    made.filters["instant"] = lambda value: local_instant(value, zone_name)
    made.filters["day"] = lambda value: local_instant(value, zone_name)[:10]
    made.filters["tag"] = tag
    made.filters["thousands"] = thousands
    made.filters["amount"] = lambda value, unit, scale=0: NONE if value is None else amount(value, unit, scale)
    made.filters["milli"] = milli
    made.filters["unit"] = lambda text: text.replace("m3", "m³")
    made.filters["quantity"] = quantity
    made.filters["money"] = money
    made.filters["percent"] = lambda rate: f"{(Decimal(rate) * 100).normalize():f}\u00a0%"
    made.filters["plain"] = lambda text: str(text).replace("_", " ")
    made.filters["size"] = size
    made.filters["lasting"] = lasting
    return made


def local_instant(value: str | datetime | None, zone_name: str) -> str:
    """An instant as a person reads it, in the installation's zone; an en dash for none."""
    if not value or str(value).startswith(_NO_END):
        return NONE
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    if instant.tzinfo is None:
        return f"{instant:%Y-%m-%d %H:%M}"
    local = instant.astimezone(zone(zone_name))
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def is_instant(value: object) -> bool:
    """Whether a text is an instant (and not a serial number or a word)."""
    try:
        return datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False


def local_rows(value: Any, zone_name: str) -> Any:  # noqa: ANN401 - any JSON value
    """Values with their instants in the installation's zone, and the offset: once a year an hour is there twice."""
    if isinstance(value, dict):
        return {key: local_rows(one, zone_name) for key, one in value.items()}
    if isinstance(value, list):
        return [local_rows(one, zone_name) for one in value]
    if isinstance(value, str) and is_instant(value) and not value.startswith(_NO_END):
        return datetime.fromisoformat(value).astimezone(zone(zone_name)).isoformat(sep=" ")
    return value


def tag(state: object) -> Markup:
    """A state as a coloured tag."""
    text = str(state).replace("_", " ")
    kind = _KIND_OF.get(text.split(" ")[0].strip(",").lower(), "info")
    return Markup('<span class="tag {}">{}</span>').format(kind, text)


def thousands(value: float | Decimal | None) -> str:
    """A number with thin spaces between its thousands."""
    return NONE if value is None else f"{value:,}".replace(",", "\u202f")


def milli(value: int | None, unit: str = "") -> str:
    """Thousandths as the books keep them, exact: watt-hours as kWh, litres as m³."""
    if value is None:
        return NONE
    shown = {"m3": "m³", "M3": "m³", "KWH": "kWh"}.get(unit, unit)
    return f"{thousands(Decimal(value).scaleb(-3))} {shown}".strip()


def quantity(amount_text: str) -> str:
    """A decimal number of the books, at thousandths: a part of a month has no end."""
    return thousands(round(Decimal(amount_text), 3).normalize() + 0)


def money(amount_text: str, currency: str) -> str:
    """An amount with its currency."""
    value = Decimal(amount_text)
    sign = "\u2212" if value < 0 else ""
    return f"{sign}{_SYMBOLS.get(currency, currency)}\u00a0{thousands(abs(value))}"


def lasting(seconds: float | None) -> str:
    """A span as a person reads it, in its two largest units; an en dash for none."""
    if seconds is None:
        return NONE
    left = round(seconds)
    words: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or (unit == "s" and not words):
            words.append(f"{count}\u00a0{unit}")
    return " ".join(words[:2])


def size(size_bytes: int) -> str:
    """A size that a person reads."""
    return f"{size_bytes} B" if size_bytes < 1024 else f"{size_bytes / 1024:.1f} kB"


def json_safe(data: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Data as plain JSON values: decimals and instants as text."""
    if isinstance(data, dict):
        return {str(key): json_safe(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [json_safe(value) for value in data]
    return data if data is None or isinstance(data, bool | int | float | str) else str(data)
