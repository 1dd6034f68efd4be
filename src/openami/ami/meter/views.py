"""What the field shows of itself as JSON: the truth that bills must agree with, and what factories ship with meters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openami.ami.meter import profiles
from openami.ami.meter.happenings import HappeningKind, Stage
from openami.ami.meter.protection import factory_keys, system_title
from openami.ami.meter.recordings import Flow
from openami.ami.meter.street import Kind, lls_password
from openami.ami.meter.times import instant_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.ami.concentrator.cache import CachedMeter
    from openami.ami.concentrator.segment import Segment
    from openami.ami.meter.fleet import Fleet
    from openami.ami.meter.happenings import Happening
    from openami.ami.meter.model import Meter
    from openami.ami.meter.street import Device, Street

Json = dict[str, Any]


def meter_view(fleet: Fleet, meter: Meter, at_s: int, span_s: tuple[int, int] | None) -> Json:
    """One meter at an instant; with a span also what went through it in each of its intervals."""
    register = meter.register_at(at_s)
    view: Json = {
        "serial": meter.serial,
        "kind": meter.device.kind.value,
        "home": meter.home,
        "transformer": meter.device.transformer,
        "unit": meter.device.kind.unit,
        "at": iso(at_s),
        "register": register,
        "register_wh" if meter.device.kind.unit == "Wh" else "register_litres": register,
        "start_register": meter.device.start_register,
        "installed_at": iso(meter.installed_s),
        "removed_at": iso(meter.removed_s),
        "hangs": meter.hangs,
        "interval_s": meter.device.interval_s,
        "faults": [happening_view(each) for each in _concerning(fleet, meter.serial)],
    }
    if meter.device.exports:
        view["exported_wh"] = meter.register_at(at_s, Flow.EXPORT)
    if meter.mains_fed:
        view["power"] = meter.power.on
        view["breaker"] = {
            "closed": meter.breaker.closed,
            "state": meter.breaker.state.name.lower(),
            "mode": meter.breaker.mode,
        }
    if span_s is not None:
        view["from"], view["to"] = (iso(second) for second in span_s)
        view["intervals"] = profiles.interval_truth(meter, *span_s).tolist()
    return view


def meter_detail(fleet: Fleet, meter: Meter, at_s: int, span_s: tuple[int, int] | None) -> Json:
    """One meter with its logs and the rows that its memory has lost."""
    return meter_view(fleet, meter, at_s, span_s) | {
        "events": [
            {"at": iso(event.at_s), "code": event.code, "log": profiles.log_of(event.code)} for event in meter.events
        ],
        "lost_rows": [{"from": iso(from_s), "to": iso(to_s)} for from_s, to_s in meter.lost_rows_s],
    }


def happening_view(happening: Happening) -> Json:
    """One fault or swap."""
    return {
        "id": happening.id,
        "kind": happening.kind.value,
        **happening.detail,
        "from": iso(happening.starts_s),
        "to": iso(happening.ends_s),
        "stage": happening.stage.value,
    }


def swap_view(fleet: Fleet, happening: Happening) -> Json:
    """A swap, with what the fitter reads off both meters once it is done."""
    view = happening_view(happening)
    if happening.stage is Stage.DONE:
        old, new = (fleet.meters[happening.detail[name]] for name in ("old_serial", "new_serial"))
        view["final_register"] = old.register_at(fleet.lived_s)
        view["start_register"] = new.device.start_register
        for name, meter in (("final_exported_wh", old), ("start_exported_wh", new)):
            if meter.device.exports:
                view[name] = meter.register_at(fleet.lived_s, Flow.EXPORT)
        view["home"] = new.home
    return view


def street_view(street: Street, fleet: Fleet, host: str, ports: Mapping[str, int], fleet_secret: str) -> Json:
    """The layout of the street, and each meter as the manufacturer's shipment file would list it."""
    hanging: dict[str | None, list[str]] = {}
    for meter in fleet.meters.values():
        if meter.hangs:
            hanging.setdefault(meter.home, []).append(meter.serial)
    return {
        "genesis": iso(fleet.genesis_s),
        "lived_to": iso(fleet.lived_s),
        "transformers": [
            {
                "name": each.name,
                "concentrator": each.concentrator,
                "host": host,
                "port": ports[each.name],
                "link_down": fleet.link_is_down(each.name),
            }
            for each in street.transformers
        ],
        "homes": [
            {
                "name": home.name,
                "transformer": home.transformer,
                "gas": home.gas is not None,
                "water": home.water is not None,
                "heat": home.heat is not None,
                "phases": home.phases,
                "solar_w": home.behind.solar_w,
                "charger_w": home.behind.charger_w,
                "recording": home.electricity.recording,
                "meters": hanging.get(home.name, []),
            }
            for home in street.homes
        ],
        "devices": [
            _shipped(device, fleet.meters[device.serial].home, host, ports[device.transformer], fleet_secret)
            for device in street.devices
        ],
    }


def _shipped(device: Device, home: str | None, host: str, port: int, fleet_secret: str) -> Json:
    entry: Json = {
        "serial": device.serial,
        "kind": device.kind.value,
        "home": home,
        "transformer": device.transformer,
        "concentrator_host": host,
        "concentrator_port": port,
        "interval_s": device.interval_s,
        "start_register": device.start_register,
        "unit": device.kind.unit,
        "exports": device.exports,
    }
    if device.kind is not Kind.ELECTRICITY:
        slave = {"mbus_id": device.mbus_id, "mbus_address": device.mbus_address, "manufacturer": device.serial[:3]}
        return entry | slave
    keys = factory_keys(fleet_secret, device.serial)
    return entry | {
        "network_id": 0,
        "gateway_address": device.gateway_address.hex(),
        "lls_password": lls_password(fleet_secret, device.serial),
        "system_title": system_title(device.serial).hex(),
        "encryption_key": keys.encryption.hex(),
        "authentication_key": keys.authentication.hex(),
        "master_key": keys.key_encryption.hex(),
    }


def segment_view(segment: Segment) -> Json:
    """What a concentrator's segment has carried."""
    return {"frames": segment.frames, "repeated": segment.repeated, "lost": segment.lost}


def known_view(known: Mapping[str, CachedMeter]) -> list[Json]:
    """The meters that a concentrator has found and reads by itself."""
    return [
        {
            "serial": meter.serial,
            "discovered_at": iso(meter.found_s),
            "read_at": iso(meter.read_s or None),
            "failures": meter.failures,
        }
        for meter in known.values()
    ]


def iso(second: int | None) -> str | None:
    """An instant as text, or None."""
    return None if second is None else instant_of(second).isoformat()


def _concerning(fleet: Fleet, serial: str) -> list[Happening]:
    return [
        each
        for each in fleet.happenings.values()
        if each.kind is not HappeningKind.LINK_DOWN and serial in each.detail.values()
    ]
