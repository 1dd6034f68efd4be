"""Bodies of pushes as readings: one walk through the value pairs codes with what follows them.

Most makers send, in one nesting or another, a code (octet-string of six), then its value, then perhaps a structure of
scaler and unit. Two do not: those that send values only (see vendors.py) and those that put a class, a code and an
attribute in front of each value without any tag, which no A-XDR decoder can read; these have a reader of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from openami.ami.dlms.axdr import Encoded, decode, read_data
from openami.ami.dlms.data import INTEGER_WIDTHS, Data, Tag, array, octet_string, structure, unsigned16
from openami.ami.dlms.errors import RemoteProtocolError, TypeMismatchError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.push.vendors import BY_LIST_VERSION, BY_POSITION
from openami.ami.dlms.reader import Reader
from openami.ami.dlms.references import AttributeRef

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_UNIT = 255
_PUSH_SETUP = 40

# a structure of two or three whose first member is 06 09 and a code that ends in FF
_SWAPPED = re.compile(rb"(\x02[\x02\x03])\x06\x09(.{5}\xff)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PushedValue:
    """One value of a push: what it is, and its number's power of ten and unit where they are known."""

    obis: Obis
    value: Data
    scaler: int = 0
    unit: int = NO_UNIT
    class_id: int | None = None
    attribute: int | None = None

    @property
    def number(self) -> Decimal | None:
        """The physical value, exactly; None when the value is no number."""
        if self.value.tag in INTEGER_WIDTHS:
            return Decimal(self.value.integer()).scaleb(self.scaler)
        return None


def decode_body(body: Encoded) -> Data:
    """The body of a push as a value.

    Two mistakes of makers are mended: untagged references become structures of class, code and attribute (ZPA,
    Sagemcom), and codes whose tag and length changed places are read as codes (Landis+Gyr).
    """
    try:
        return decode(body.raw)
    except RemoteProtocolError:
        found = _untagged(body.raw)
        if found is not None:
            return found
        mended = _SWAPPED.sub(b"\\1\x09\x06\\2", body.raw)
        if mended == body.raw:
            raise
        return decode(mended)


def read_body(body: Data) -> tuple[PushedValue, ...]:
    """The readings of a push, in order."""
    members = _members(body)
    listed = _push_objects(members)
    if listed is not None:
        pairs = zip(listed, members, strict=True)
        return tuple([_pushed(reference, value) for reference, value in pairs if reference.class_id != _PUSH_SETUP])
    if members and all(_is_plain(member) for member in members) and len(members) in BY_POSITION:
        meanings = zip(BY_POSITION[len(members)], members, strict=True)
        return tuple([PushedValue(m.obis, value, m.scaler, m.unit) for m, value in meanings])
    version = next((member.value for member in members[:1] if isinstance(member.value, str)), "")
    scales = BY_LIST_VERSION.get(str(version), {})
    return tuple([_scaled(value, scales) for value in _pairs(list(_leaves(body)))])


def _push_objects(members: tuple[Data, ...]) -> list[AttributeRef] | None:
    """The push object list, where a push begins with it and so says itself what its members are."""
    entries = members[0].value if members and members[0].tag == Tag.ARRAY else None
    if not isinstance(entries, tuple) or len(entries) != len(members):
        return None
    found = [
        _reference(Data(Tag.STRUCTURE, entry.elements()[:3])) for entry in entries if isinstance(entry.value, tuple)
    ]
    references = [reference for reference in found if reference is not None]
    return references if len(references) == len(members) else None


def _pushed(reference: AttributeRef, value: Data) -> PushedValue:
    return PushedValue(reference.obis, value, class_id=reference.class_id, attribute=reference.attribute)


def _scaled(value: PushedValue, scales: dict[tuple[int, int], tuple[int, int]]) -> PushedValue:
    known = scales.get((value.obis.octets[2], value.obis.octets[3]))
    if known is None:
        return value
    return PushedValue(value.obis, value.value, known[0], known[1])


def _members(data: Data) -> tuple[Data, ...]:
    return data.elements() if isinstance(data.value, tuple) else (data,)


def _is_plain(data: Data) -> bool:
    return not isinstance(data.value, tuple) and _code(data) is None


def _code(data: Data) -> Obis | None:
    """The code in an octet-string of six whose last octet is one codes end with."""
    if data.tag == Tag.OCTET_STRING and isinstance(data.value, bytes) and len(data.value) == 6:
        return Obis(data.value)
    return None


def _scaler_unit(data: Data) -> tuple[int, int] | None:
    members = data.value if data.tag == Tag.STRUCTURE and isinstance(data.value, tuple) else ()
    if len(members) == 2 and (members[0].tag, members[1].tag) == (Tag.INTEGER8, Tag.ENUM):
        return members[0].integer(), members[1].integer()
    return None


def _reference(data: Data) -> AttributeRef | None:
    """A structure of class, code and attribute, as the reader of untagged references makes them."""
    members = data.value if data.tag == Tag.STRUCTURE and isinstance(data.value, tuple) else ()
    if len(members) != 3:
        return None
    code = _code(members[1])
    if members[0].tag != Tag.UNSIGNED16 or code is None or members[2].tag not in INTEGER_WIDTHS:
        return None
    return AttributeRef(members[0].integer(), code, members[2].integer())


def _leaves(data: Data) -> Iterator[Data]:
    """The values in order; scales and references stay whole."""
    if _scaler_unit(data) is not None or _reference(data) is not None or not isinstance(data.value, tuple):
        yield data
        return
    for member in data.value:
        yield from _leaves(member)


def _pairs(leaves: list[Data]) -> Iterator[PushedValue]:
    at = 0
    while at < len(leaves):
        reference, code = _reference(leaves[at]), _code(leaves[at])
        at += 1
        if (reference is None and code is None) or at >= len(leaves):
            continue
        value = leaves[at]
        at += 1
        scale = _scaler_unit(leaves[at]) if at < len(leaves) else None
        if scale is not None:
            at += 1
        scaler, unit = scale or (0, NO_UNIT)
        if reference is not None:
            yield PushedValue(reference.obis, value, scaler, unit, reference.class_id, reference.attribute)
        elif code is not None:
            yield PushedValue(code, value, scaler, unit)


def _untagged(raw: bytes) -> Data | None:
    """The body of ZPA and Sagemcom meters: {enum, [{class, code, attribute (all untagged), value}]}."""
    reader = Reader(raw)
    try:
        if reader.take(2) != bytes((Tag.STRUCTURE, 2)):
            return None
        reason = read_data(reader)
        if reader.u8() != Tag.ARRAY:
            return None
        rows = []
        for _ in range(reader.length()):
            if reader.take(2) != bytes((Tag.STRUCTURE, 2)):
                return None
            reference = AttributeRef.decode(reader, with_selection=False)
            head = structure(
                unsigned16(reference.class_id),
                octet_string(reference.obis),
                Data(Tag.INTEGER8, reference.attribute),
            )
            rows.append(structure(head, read_data(reader)))
        reader.finish("push body")
    except (RemoteProtocolError, TypeMismatchError):
        return None
    return structure(reason, array(rows))
