"""What a meter says by itself (class 40): the body of a push, sealed by its own key.

A push begins with its list of objects, so that whoever hears it knows what its members are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import Encoded, decode, encode
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.events import DataNotification
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.security import Ciphering
from openami.ami.dlms.security.envelopes import Envelope
from openami.ami.dlms.unsolicited import encode_data_notification
from openami.ami.dlms.wrapper import WrapperFrame
from openami.ami.meter.cosem import CLOCK, ElectricityDevice
from openami.ami.meter.objects import ALARMS, TOTAL
from openami.ami.meter.protection import keys_of, system_title
from openami.ami.meter.settings import PUSH_INTERVAL, PUSH_LAST_GASP

if TYPE_CHECKING:
    from openami.ami.dlms.data import Data
    from openami.ami.meter.facts import DuePush
    from openami.ami.meter.fleet import Fleet

DEVICE_NAME: Final = Obis.of("0-0:42.0.0")
LAST_CODE: Final = Obis.of("0-0:96.11.0")
CLIENT_SAP, SERVER_SAP = 1, 1
TCP, UDP = 0, 1
_PUSH_CLASS: Final = 40


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a push goes."""

    transport: int
    host: str
    port: int


def destination_of(fleet: Fleet, serial: str, setup: Obis) -> Destination | None:
    """The destination that was set for a push setup, `host:port`; None if there is none that can be understood."""
    transport, target, _message = fleet.meters[serial].settings.of(setup, 3).elements()
    host, _, port = target.octets().decode("ascii", "replace").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or transport.integer() not in (TCP, UDP):
        return None
    return Destination(transport.integer(), host, int(port))


def push_frame(fleet: Fleet, serial: str, push: DuePush, fleet_secret: str) -> bytes:
    """The wrapper frame of a push: general-glo-ciphering under the meter's global key."""
    meter = fleet.meters[serial]
    keys = keys_of(fleet_secret, serial, meter.wrapped_keys)
    device = ElectricityDevice(meter, "", fleet.zone_name, lambda: push.at_s, keys=keys, privileged=True)
    references = _references(meter.settings.of(push.setup, 2), push)
    members = [_listed(references)]
    members += [_value(device, reference, push) for reference in references[1:]]
    meter.reserve_counters(fleet.lived_s)
    ciphering = Ciphering(system_title(serial), keys, sent=meter.counters.sent, envelope=Envelope.GENERAL_GLO_DED)
    notification = DataNotification(Encoded(encode(d.structure(*members))), invoke=push.at_s & 0xFFFFFF)
    return WrapperFrame(SERVER_SAP, CLIENT_SAP, ciphering.protect(encode_data_notification(notification))).encode()


def _references(listed: Data, push: DuePush) -> list[AttributeRef]:
    """The push object list that was set, or the customary one of the setup."""
    own = AttributeRef(_PUSH_CLASS, push.setup, 2)
    found = [_reference(entry) for entry in listed.elements()]
    if not found:
        found = [AttributeRef(1, DEVICE_NAME, 2), AttributeRef(8, CLOCK, 2)]
        if push.setup == PUSH_INTERVAL:
            found.append(AttributeRef(3, TOTAL, 2))
        elif push.setup == PUSH_LAST_GASP:
            found.append(AttributeRef(1, LAST_CODE, 2))
        else:
            found.append(AttributeRef(1, ALARMS, 2))
    return [own, *(each for each in found if each != own)]


def _reference(entry: Data) -> AttributeRef:
    class_id, obis, attribute = entry.elements()[:3]
    return AttributeRef(class_id.integer(), obis.obis(), attribute.integer())


def _listed(references: list[AttributeRef]) -> Data:
    return d.array(
        d.structure(d.unsigned16(each.class_id), d.octet_string(each.obis), d.integer8(each.attribute), d.unsigned16(0))
        for each in references
    )


def _value(device: ElectricityDevice, reference: AttributeRef, push: DuePush) -> Data:
    if reference.obis == LAST_CODE and push.codes:
        return d.unsigned8(push.codes[-1])
    try:
        value = device.get(reference.class_id, reference.obis, reference.attribute, None)
    except AccessDeniedError:
        return d.NULL
    return decode(value.raw) if isinstance(value, Encoded) else value
