"""The nouns of the seam: how each is read and written, and the namespaces that partners write them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from openami.shared.contract.field.config import EndDeviceConfig, MeterConfig
from openami.shared.contract.field.controls import EndDeviceControls
from openami.shared.contract.field.definitions import resolve_definitions
from openami.shared.contract.field.errors import UnknownNounError
from openami.shared.contract.field.events import EndDeviceEvents
from openami.shared.contract.field.markup import local_name
from openami.shared.contract.field.points import MasterDataLinkageConfig, UsagePointConfig
from openami.shared.contract.field.queries import GetMeterReadings, MeterReadSchedule
from openami.shared.contract.field.readings import MeterReadings
from openami.shared.contract.field.readings_xml import read_meter_readings, write_meter_readings
from openami.shared.contract.field.tree import read_tree, write_tree

if TYPE_CHECKING:
    from lxml import etree

    from openami.shared.contract.field.envelope import Noun
    from openami.shared.contract.field.markup import XmlWriter
    from openami.shared.contract.field.refusal import Reader

NOUNS: Final[dict[str, type]] = {
    cls.NOUN: cls
    for cls in (
        EndDeviceConfig,
        EndDeviceControls,
        EndDeviceEvents,
        GetMeterReadings,
        MasterDataLinkageConfig,
        MeterConfig,
        MeterReadSchedule,
        MeterReadings,
        UsagePointConfig,
    )
}
_BY_LOWER_NAME: Final = {name.lower(): name for name in NOUNS}
_ALIASES: Final = {"meterreading": "MeterReadings", "meterreadingrequests": "MeterReadings"}


def noun_namespace(noun: str) -> str:
    """The payload namespace of a noun."""
    return f"http://iec.ch/TC57/2011/{noun}#"


def known_noun(text: str) -> str:
    """The noun that is meant: partners write `meter readings`, `SendEndDeviceEvents`.

    Raises:
        UnknownNounError: none of ours.
    """
    plain = "".join(text.split()).lower().removeprefix("send")
    found = _BY_LOWER_NAME.get(plain) or _ALIASES.get(plain)
    if found is None:
        raise UnknownNounError(f"The noun {text[:60]!r} is not served here.", hint=f"Known: {', '.join(NOUNS)}.")
    return found


def read_noun(element: etree._Element, reader: Reader) -> Noun:
    """Read a payload by its root element."""
    noun = known_noun(local_name(element))
    resolve_definitions(element)
    if noun == MeterReadings.NOUN:
        return read_meter_readings(element, reader)
    return cast("Noun", read_tree(NOUNS[noun], element, reader))


def write_noun(writer: XmlWriter, value: Noun) -> None:
    """Write a payload in its own namespace."""
    if isinstance(value, MeterReadings):
        write_meter_readings(writer, value.NOUN, value, xmlns=noun_namespace(value.NOUN))
    else:
        write_tree(writer, value.NOUN, value, xmlns=noun_namespace(value.NOUN))
