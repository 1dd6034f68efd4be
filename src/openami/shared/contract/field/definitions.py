"""References to definitions in the same payload, replaced by the codes that they spell out.

In practice `ref` holds the code itself; the schema also lets it name a ReadingType, ReadingQualityType,
EndDeviceEventType or EndDeviceControlType that is declared beside the readings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.shared.contract.field.markup import child, local_name, text_of

if TYPE_CHECKING:
    from lxml import etree

_READING_TYPE: Final = (
    "macroPeriod",
    "aggregate",
    "measuringPeriod",
    "accumulation",
    "flowDirection",
    "commodity",
    "measurementKind",
    "interharmonic/numerator",
    "interharmonic/denominator",
    "argument/numerator",
    "argument/denominator",
    "tou",
    "cpp",
    "consumptionTier",
    "phases",
    "multiplier",
    "unit",
    "currency",
)
_FOUR_PARTS: Final = ("type", "domain", "subDomain", "eventOrAction")
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "ReadingType": _READING_TYPE,
    "ReadingQualityType": ("systemId", "category", "subCategory"),
    "EndDeviceEventType": _FOUR_PARTS,
    "EndDeviceControlType": _FOUR_PARTS,
}
_USED_AS: Final = {"ReadingTypes": "ReadingType", "category": "EndDeviceEventType"}


def resolve_definitions(root: etree._Element) -> None:
    """Replace references by codes and take the definitions out of the tree."""
    codes: dict[tuple[str, str], str] = {}
    for element in list(root):
        kind = local_name(element)
        if kind in _PARTS and any(child(element, part) is not None for part in _part_heads(kind)):
            code = ".".join(_part(element, part) for part in _PARTS[kind])
            codes.update(((kind, label), code) for label in _labels(element))
            root.remove(element)
    if not codes:
        return
    for element in root.iter():
        kind = _USED_AS.get(local_name(element), local_name(element))
        found = codes.get((kind, element.get("ref", "")))
        if found is not None:
            element.set("ref", found)


def _part_heads(kind: str) -> tuple[str, ...]:
    return tuple(part.split("/")[0] for part in _PARTS[kind])


def _part(element: etree._Element, path: str) -> str:
    found = child(element, *path.split("/"))
    return "0" if found is None else text_of(found)


def _labels(element: etree._Element) -> list[str]:
    mrid = child(element, "mRID")
    names = [child(each, "name") for each in element if local_name(each) == "Names"]
    return [text_of(each) for each in (mrid, *names) if each is not None]
