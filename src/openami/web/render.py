"""Templates and the words in them: instants in the zone of the installation, sizes, states as coloured tags."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from openami.shared.spans import zone

NONE = "\u2013"  # an en dash: nothing to show
HERE = Path(__file__).parent
NAVIGATION = (
    ("/", "Landscape"),
    ("/devices", "Devices"),
    ("/events", "Events"),
    ("/orders", "Orders"),
    ("/messages", "Messages"),
    ("/bills", "Bills"),
)
_GOOD = {
    "delivered",
    "processed",
    "posted",
    "proven",
    "confirmed",
    "registered",
    "done",
    "ready",
    "connected",
    "passed",
}
_GOOD |= {"installed", "ok", "closed", "successful", "billed", "reconciled", "executed", "fulfilled", "reconnected"}
_WARN = {"pending", "parked", "received", "accepted", "sent", "executing", "announced", "waiting", "warning", "open"}
_BAD = {"dead", "refused", "failed", "expired", "rejected", "alarm", "critical", "disconnected", "cancelled", "down"}


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
    made.globals["zone"] = zone_name
    made.filters["instant"] = lambda value: local_instant(value, zone_name)
    made.filters["day"] = lambda value: local_instant(value, zone_name)[:10]
    made.filters["tag"] = tag
    made.filters["thousands"] = thousands
    made.filters["kwh"] = kwh
    made.filters["size"] = size
    return made


def local_instant(value: str | datetime | None, zone_name: str) -> str:
    """An instant as a person reads it, in the installation's zone; an en dash for none."""
    if not value:
        return NONE
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    if instant.tzinfo is None:
        return f"{instant:%Y-%m-%d %H:%M}"
    local = instant.astimezone(zone(zone_name))
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def tag(state: object) -> Markup:
    """A state as a coloured tag."""
    text = str(state).replace("_", " ")
    word = text.split(" ")[0].lower()
    kind = "good" if word in _GOOD else "warn" if word in _WARN else "bad" if word in _BAD else "info"
    return Markup('<span class="tag {}">{}</span>').format(kind, text)


def thousands(value: float | Decimal | None) -> str:
    """A number with thin spaces between its thousands."""
    return NONE if value is None else f"{value:,}".replace(",", "\u202f")


def kwh(energy_wh: int | None) -> str:
    """Watt-hours as kilowatt-hours, exact to the watt-hour."""
    if energy_wh is None:
        return NONE
    return thousands(Decimal(energy_wh).scaleb(-3).quantize(Decimal("0.001")))


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
