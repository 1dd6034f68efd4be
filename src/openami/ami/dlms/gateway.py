"""The gateway header in front of an APDU: which meter behind a concentrator is meant (IEC 62056-5-3 Annex).

E6 leads to the device behind the gateway, E7 comes from it; a push from such a device carries E6 as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.ami.dlms.reader import Reader, encode_octets

REQUEST_TAG = 0xE6
RESPONSE_TAG = 0xE7


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Network and physical address of a device behind a gateway."""

    network_id: int
    physical_address: bytes


def prepend(address: GatewayAddress | None, apdu: bytes, *, response: bool) -> bytes:
    """The APDU with its gateway header, or as it is when there is no gateway."""
    if address is None:
        return apdu
    tag = RESPONSE_TAG if response else REQUEST_TAG
    return bytes((tag, address.network_id)) + encode_octets(address.physical_address) + apdu


def split(payload: bytes) -> tuple[GatewayAddress | None, bytes]:
    """The gateway address in front of an APDU, if any, and the APDU."""
    if not payload or payload[0] not in (REQUEST_TAG, RESPONSE_TAG):
        return None, payload
    reader = Reader(payload)
    reader.u8()
    network_id = reader.u8()
    return GatewayAddress(network_id, reader.octets()), reader.rest()
