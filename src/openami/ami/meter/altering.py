"""Any COSEM value of a running meter can be altered, so that whoever reads it can be tested with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openami.ami.dlms.axdr import decode
from openami.ami.dlms.errors import DlmsError
from openami.ami.dlms.obis import Obis
from openami.ami.meter.cosem import ElectricityDevice
from openami.ami.meter.settings import KEPT
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.ami.meter.fleet import Fleet
    from openami.ami.meter.model import Meter


class BadValueError(OpenAmiError):
    """A value that no meter of ours has, or that is none."""


@dataclass(frozen=True, slots=True)
class Alteration:
    """Which attribute reads as which octets; None gives it back."""

    obis: Obis
    attribute: int
    octets: bytes | None

    @property
    def acts(self) -> bool:
        """Whether the meter works with the value; others are only shown."""
        return self.octets is not None and (self.obis, self.attribute) in KEPT

    def carry_out(self, meter: Meter, at_s: int) -> None:
        """Alter it."""
        if self.octets is not None and self.acts:
            meter.write_setting(at_s, self.obis, self.attribute, self.octets)
        else:
            meter.alter(at_s, self.obis, self.attribute, self.octets)


def alteration_of(body: Mapping[str, Any], fleet: Fleet, meter: Meter) -> Alteration:
    """The order in a JSON object.

    Raises:
        BadValueError: the meter has no such attribute, or it is no value.
    """
    try:
        obis, attribute = Obis.of(str(body.get("obis"))), int(str(body.get("attribute")))
        octets = None if body.get("value") is None else bytes.fromhex(str(body["value"]))
        value = None if octets is None else decode(octets)
    except (ValueError, DlmsError) as error:
        raise BadValueError(
            f"The value cannot be read: {error}.", hint="Send obis, attribute, and value in A-XDR as hex digits."
        ) from error
    slaves = fleet.slaves_of(meter)
    device = ElectricityDevice(meter, "", fleet.zone_name, lambda: fleet.lived_s, slaves=slaves, privileged=True)
    known = device.attributes.get(obis)
    if not meter.mains_fed or known is None or attribute not in known:
        found = f"It has {', '.join(map(str, sorted(known)))}" if known else "GET attribute 2 of 0-0:40.0.0 lists all"
        raise BadValueError(f"{meter.serial} has no attribute {attribute} of {obis}.", hint=f"{found}.")
    kept = KEPT.get((obis, attribute))
    if value is not None and kept is not None and value.tag is not kept.default.tag:
        raise BadValueError(
            f"Attribute {attribute} of {obis} is kept as {kept.default.tag.name}, not {value.tag.name}.",
            hint="The meter works with it: send the type that it has.",
        )
    return Alteration(obis, attribute, octets)
