"""A manufacturer's shipment file: which meters were delivered, where they will be reached, with which password."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from openami.ami.dlms.errors import LocalProtocolError
from openami.ami.dlms.security import Keys
from openami.ami.headend.model import Kind, Link
from openami.ami.headend.protections import plain_keys
from openami.ami.headend.standards import GENERIC, UnknownProfileError, known_profile
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Protocol

    class Seals(Protocol):
        """What encrypts secrets at rest (`openami.shared.secrets.Sealer`)."""

        def seal(self, plain: bytes, *, context: str = "") -> bytes:
            """The secret, encrypted."""
            ...

        def open(self, sealed: bytes, *, context: str = "") -> bytes:
            """The secret again."""
            ...


class BadShipmentError(OpenAmiError):
    """A shipment file that cannot be used; nothing of it was stored."""


def rows_of(body: object, sealer: Seals, now: datetime) -> list[dict[str, object]]:
    """The meters of a shipment as rows of the store, passwords sealed.

    Args:
        body: a list of devices, or an object with that list under `devices`.
        sealer: encrypts each password, bound to its meter's serial.
        now: when the shipment is taken in.

    Raises:
        BadShipmentError: names the device and the field.
    """
    devices = body.get("devices") if isinstance(body, dict) else body
    if not isinstance(devices, list) or not devices:
        raise BadShipmentError("The shipment has no devices.", hint='Send {"devices": [{"serial": ...}, ...]}.')
    rows = [_row(device, index, sealer, now) for index, device in enumerate(devices)]
    counts = Counter(str(row["serial"]) for row in rows)
    if doubled := next((serial for serial, count in counts.items() if count > 1), None):
        raise BadShipmentError(f"Device {doubled} stands in the shipment twice.", hint="Each serial once.")
    return rows


def _row(device: object, index: int, sealer: Seals, now: datetime) -> dict[str, object]:
    if not isinstance(device, dict):
        raise BadShipmentError(f"Device {index} is not an object.", hint="Send one JSON object a device.")
    serial = _text(device, "serial", f"device {index}")
    where = f"device {serial}"
    kind = _kind(_text(device, "kind", where), where)
    password = str(device.get("lls_password") or "")
    mbus_id = str(device.get("mbus_id") or "") or None
    keys = _keys(device, where)
    link = _link(device, where)
    if kind is Kind.ELECTRICITY and not password and keys is None:
        raise BadShipmentError(
            f"The lls_password of {where} is missing, and so are its keys.", hint="The meter cannot be read without."
        )
    if kind is not Kind.ELECTRICITY and mbus_id is None:
        raise BadShipmentError(f"The mbus_id of {where} is missing.", hint="Its telegrams carry nothing else.")
    return {
        "serial": serial,
        "kind": kind.value,
        "host": "" if link is Link.DIAL_IN else _text(device, "concentrator_host", where),
        "port": 0 if link is Link.DIAL_IN else _port(device, where),
        "link": link.value,
        "profile": _profile(device, where),
        "network_id": _number(device.get("network_id", 0), "network_id", where, 0, 255),
        "physical_address": physical_address(device.get("gateway_address"), where),
        "mbus_id": mbus_id,
        "sealed_password": sealer.seal(password.encode(), context=serial) if password else None,
        "sealed_keys": sealer.seal(plain_keys(keys), context=serial) if keys else None,
        "system_title": _octets(device, "system_title", where) or None,
        "shipped_at": now,
    }


def physical_address(value: object, where: str) -> bytes:
    """A gateway address from hexadecimal text, or a number as four octets; none means that there is no gateway.

    Raises:
        BadShipmentError: neither.
    """
    if value is None or value == "":
        return b""
    if isinstance(value, int) and 0 <= value < 2**32:
        return value.to_bytes(4, "big")
    try:
        return bytes.fromhex(str(value))
    except ValueError as error:
        raise BadShipmentError(
            f"The gateway_address {value!r} of {where} is not hexadecimal.", hint="Send octets as 0A1B2C3D."
        ) from error


def _keys(device: Mapping[str, Any], where: str) -> Keys | None:
    """The keys of a ciphered meter; None for one that has only a password."""
    named = {
        "encryption": _octets(device, "encryption_key", where),
        "authentication": _octets(device, "authentication_key", where),
        "key_encryption": _octets(device, "master_key", where),
    }
    if not named["encryption"]:
        return None
    try:
        return Keys(suite=_number(device.get("security_suite", 0), "security_suite", where, 0, 2), **named)
    except LocalProtocolError as error:
        found = f"The keys of {where} do not fit: {error.found}"
        raise BadShipmentError(found, hint="Mend the shipment file.") from error


def _link(device: Mapping[str, Any], where: str) -> Link:
    value = str(device.get("link") or Link.TCP.value)
    try:
        return Link(value)
    except ValueError as error:
        known = ", ".join(Link)
        raise BadShipmentError(f"The link {value!r} of {where} is unknown.", hint=f"Use one of {known}.") from error


def _profile(device: Mapping[str, Any], where: str) -> str:
    try:
        return known_profile(str(device.get("profile") or GENERIC))
    except UnknownProfileError as error:
        raise BadShipmentError(f"The profile of {where}: {error.found}", hint=error.hint) from error


def _octets(device: Mapping[str, Any], name: str, where: str) -> bytes:
    try:
        return bytes.fromhex(str(device.get(name) or ""))
    except ValueError as error:
        raise BadShipmentError(f"The {name} of {where} is not hexadecimal.", hint="Send octets as 0A1B2C3D.") from error


def _text(device: Mapping[str, Any], name: str, where: str) -> str:
    value = device.get(name)
    if value is None or not str(value).strip():
        raise BadShipmentError(f"The {name} of {where} is missing.", hint="Complete the shipment file.")
    return str(value).strip()


def _kind(value: str, where: str) -> Kind:
    try:
        return Kind(value)
    except ValueError as error:
        known = ", ".join(Kind)
        raise BadShipmentError(f"The kind {value!r} of {where} is unknown.", hint=f"Use one of {known}.") from error


def _port(device: Mapping[str, Any], where: str) -> int:
    return _number(device.get("concentrator_port"), "concentrator_port", where, 1, 65535)


def _number(value: object, name: str, where: str, low: int, high: int) -> int:
    try:
        number = int(str(value))
    except ValueError as error:
        raise BadShipmentError(f"The {name} {value!r} of {where} is not a number.") from error
    if not low <= number <= high:
        raise BadShipmentError(f"The {name} {number} of {where} is not from {low} to {high}.")
    return number
