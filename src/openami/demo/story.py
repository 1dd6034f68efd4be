"""The story of a street in March 2026: what people do, and what happens to their meters, in the order of time.

Each step is one person's command to the area where that person works; faults and the fitter's work are ordered from
the field in advance and happen at their instants. Every command carries an idempotency key, so that a step that met a
dying process is simply said again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openami.shared.spans import local_month, zone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openami.demo.areas import Areas

YEAR, MONTH = 2026, 3
MONTH_NAME = f"{YEAR}-{MONTH:02}"
KIND_DIGITS = {"electricity": "1", "gas": "2", "water": "3", "heat": "4"}
_FAMILIES = ("de Vries", "Jansen", "Bakker", "Visser", "Smit", "Meijer", "Mulder", "Bos", "Peters", "Hendriks")
_FIRST = ("Anna", "Bram", "Cora", "Daan", "Eva", "Femke", "Gijs", "Hanna", "Ivo", "Julia")


@dataclass(slots=True)
class Street:
    """What the story knows of the street: its layout, and which home plays which part."""

    zone_name: str
    layout: dict[str, Any]
    devices: dict[str, dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.devices = {device["serial"]: device for device in self.layout["devices"]}

    @property
    def homes(self) -> list[dict[str, Any]]:
        """All homes."""
        homes: list[dict[str, Any]] = self.layout["homes"]
        return homes

    def meter(self, home: int, kind: str = "electricity") -> str:
        """The serial of a home's first meter of a kind; homes count from 0 and wrap."""
        name = self.homes[home % len(self.homes)]["name"]
        return next(
            serial for serial, device in self.devices.items() if device["home"] == name and device["kind"] == kind
        )

    def spare(self, transformer: str) -> str:
        """An electricity meter on the shelf for a transformer."""
        return next(
            serial
            for serial, device in self.devices.items()
            if device["home"] is None and device["transformer"] == transformer and device["kind"] == "electricity"
        )

    def at(self, day: date, hour: int = 0, minute: int = 0) -> datetime:
        """A local time as an instant."""
        return datetime.combine(day, time(hour, minute), tzinfo=zone(self.zone_name))

    def march(self, day: int, hour: int = 0, minute: int = 0) -> datetime:
        """A time in the story's month; day 32 is the first of the next."""
        return self.at(date(YEAR, MONTH, 1) + timedelta(days=day - 1), hour, minute)

    # Who plays which part; homes count from 0, so that a street of ten still has a home for each.
    unpaid_home: int = 6
    tampered_home: int = 3
    forgetful_home: int = 8
    swapped_home: int = 5

    @property
    def broken_link(self) -> str:
        """The transformer whose link is down for two days: the last of the street."""
        name: str = self.layout["transformers"][-1]["name"]
        return name


def point_of_delivery(home: str, kind: str) -> str:
    """An 18-digit EAN-like number of a point of delivery, from the home's name."""
    return f"8716871{KIND_DIGITS[kind]}{int(home.lstrip('H')):010}"


@dataclass(frozen=True, slots=True)
class Step:
    """Something a person does at an instant."""

    at: datetime
    title: str
    act: Callable[[Areas, Street], Awaitable[None]]


def begin(zone_name: str) -> datetime:
    """When the story opens: two days before its month, in the morning."""
    return local_month(zone_name, YEAR, MONTH).start - timedelta(days=2) + timedelta(hours=8)


def steps(street: Street) -> list[Step]:
    """The whole story, in the order of time."""
    before = date(YEAR, MONTH, 1) - timedelta(days=1)
    return [
        Step(street.at(before - timedelta(days=1), 9), "The meters arrive", receive),
        Step(street.at(before, 10), "The meters are installed", install),
        Step(street.at(before, 18), "Trouble is ordered", order_trouble),
        Step(street.march(11, 10), "A home is cut off for non-payment", disconnect),
        Step(street.march(12, 15), "It pays and gets its light back", pay),
        Step(street.march(16, 11, 10), "The fitter reports a replaced meter", report_replacement),
        Step(street.march(32, 8), "Month-end readings are ordered", order_readings),
        Step(street.march(32, 9), "Bills are written", write_bills),
    ]


async def receive(areas: Areas, street: Street) -> None:
    """The shipment file goes to the head-end, the goods receipt to the office."""
    await areas.post("headend", "/api/shipment", {"devices": street.layout["devices"]})
    devices = [
        {name: device[name] for name in ("serial", "kind", "interval_s", "exports")}
        for device in street.layout["devices"]
    ]
    await areas.post("office", "/api/devices/receive", {"devices": devices}, key="story-receive")


async def install(areas: Areas, street: Street) -> None:
    """Every meter that hangs in a home is installed on the last day before the month; supply begins with the month."""
    first = date(YEAR, MONTH, 1)
    await install_at(areas, street, street.at(first - timedelta(days=1), 10), first)


async def install_at(areas: Areas, street: Street, at: datetime, supply_from: date) -> None:
    """Every meter that hangs in a home is installed at its point of delivery, for a customer with a contract."""
    installations = [
        _installation(street, device, at, supply_from)
        for device in street.layout["devices"]
        if device["home"] is not None
    ]
    await areas.post("office", "/api/installations", {"installations": installations}, key="story-install")


def _installation(street: Street, device: dict[str, Any], at: datetime, supply_from: date) -> dict[str, Any]:
    home = next(home for home in street.homes if home["name"] == device["home"])
    number = street.homes.index(home)
    family = f"{_FIRST[number % 10]} {_FAMILIES[(number // 10 + number) % 10]}"
    return {
        "device": device["serial"],
        "installed_at": at.isoformat(),
        "point_of_delivery": point_of_delivery(home["name"], device["kind"]),
        "connection_object": f"CO-{home['name']}",
        "feeder": device["transformer"],
        "address": {
            "street": "Lindenlaan",
            "house": str(number + 1),
            "postal_code": "3511 AB",
            "city": "Utrecht",
            "country": "NL",
        },
        "customer": {
            "id": f"C{number + 1:05}",
            "name": family,
            "address": f"Lindenlaan {number + 1}, 3511 AB Utrecht",
        },
        "contract": {"start": supply_from.isoformat()},
    }


async def order_trouble(areas: Areas, street: Street) -> None:
    """What will go wrong this month: a link, a cover, a memory; and the fitter's appointment."""
    faults = [
        {
            "kind": "link_down",
            "transformer": street.broken_link,
            "from": street.march(5, 12).isoformat(),
            "to": street.march(7, 12).isoformat(),
        },
        {
            "kind": "tamper_cover",
            "serial": street.meter(street.tampered_home),
            "at": street.march(9, 3, 12).isoformat(),
        },
        {"kind": "lose_profile_day", "serial": street.meter(street.forgetful_home), "day": f"{MONTH_NAME}-14"},
    ]
    for fault in faults:
        await areas.post("field", "/api/faults", fault)
    await areas.post("field", "/api/swap", _swap(street))


def _swap(street: Street) -> dict[str, str]:
    old = street.meter(street.swapped_home)
    return {
        "old_serial": old,
        "new_serial": street.spare(street.devices[old]["transformer"]),
        "at": street.march(16, 11).isoformat(),
    }


async def disconnect(areas: Areas, street: Street) -> None:
    """The office cuts off a home that owes money."""
    body = {
        "device": street.meter(street.unpaid_home),
        "reason": "non-payment",
        "amount_due": "184.20",
        "why": "third reminder unanswered",
    }
    await areas.post("office", "/api/disconnections", body, key="story-disconnect")


async def pay(areas: Areas, street: Street) -> None:
    """The customer pays; the office reconnects by itself."""
    body = {"device": street.meter(street.unpaid_home), "amount": "184.20"}
    await areas.post("office", "/api/payments", body, key="story-pay")


async def report_replacement(areas: Areas, street: Street) -> None:
    """The fitter reports both registers of a replaced meter."""
    swap = _swap(street)
    done = await areas.post("field", "/api/swap", swap)
    body = {
        "old": swap["old_serial"],
        "new": swap["new_serial"],
        "at": swap["at"],
        "final_reading": str(Decimal(done["final_register"]).scaleb(-3)),
        "start_reading": str(Decimal(done["start_register"]).scaleb(-3)),
        "why": "display defective",
    }
    for field_name, shown in (("final_feed_in", "final_exported_wh"), ("start_feed_in", "start_exported_wh")):
        if shown in done:  # of meters that count both directions
            body[field_name] = str(Decimal(done[shown]).scaleb(-3))
    await areas.post("office", "/api/replacements", body, key="story-replace")


async def order_readings(areas: Areas, _street: Street) -> None:
    """The office orders the month-end reading of every register."""
    await areas.post("office", "/api/reading-orders", {"month": MONTH_NAME}, key="story-readings")


async def write_bills(areas: Areas, _street: Street) -> None:
    """The office bills every contract for the month."""
    await areas.post("office", "/api/billing-runs", {"month": MONTH_NAME}, key="story-bills")
