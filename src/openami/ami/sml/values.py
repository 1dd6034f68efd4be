"""Values of SML's binary encoding: type and length in front of each, lists of values."""

from __future__ import annotations

from typing import Final

from openami.ami.sml.errors import SmlCutError, SmlNestingError, SmlShapeError

Value = bytes | bool | int | list["Value"] | None

DEPTH_MAX: Final = 12
"""A push nests five deep; certificates in lists do not go deeper than eight."""
_MORE: Final = 0x80
_OCTETS, _BOOLEAN, _INTEGER, _UNSIGNED, _LIST = 0, 4, 5, 6, 7
_LENGTH_FIELDS_MAX: Final = 4


class ValueReader:
    """Reads one value after the other; `position` is where the next one begins."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.position = 0

    @property
    def at_end(self) -> bool:
        """Whether only fill bytes are left."""
        return not any(self.octets[self.position :])

    def value(self, depth: int = 0) -> Value:
        """The next value; None for an optional one that is not set, and for the end of a message.

        Raises:
            SmlCutError: it ends in the middle.
            SmlNestingError: lists are nested too deep.
            SmlShapeError: there is no such type.
        """
        kind, length = self._type_and_length()
        if kind == _LIST:
            if depth == DEPTH_MAX:
                raise SmlNestingError(f"Lists are nested deeper than {DEPTH_MAX}.", hint="This is no push of a meter.")
            if length > len(self.octets) - self.position:
                raise self._cut(length)
            return [self.value(depth + 1) for _ in range(length)]
        data = self._take(length)
        match kind:
            case 0:
                return data or None
            case 4:
                return any(data)
            case 5 | 6 if 0 < len(data) <= 8:
                return int.from_bytes(data, "big", signed=kind == _INTEGER)
            case _:
                raise SmlShapeError(f"There is no type {kind} of {length} bytes.", hint="Wait for the next push.")

    def list_of(self, size: int) -> list[Value]:
        """The next value, which must be a list of this size.

        Raises:
            SmlShapeError: it is something else.
        """
        return as_list(self.value(), size)

    def _type_and_length(self) -> tuple[int, int]:
        """The length counts its own bytes, except that of a list, which counts its members; 00 ends a message."""
        octet = self._take(1)[0]
        kind, length, fields = octet >> 4 & 0x07, octet & 0x0F, 1
        while octet & _MORE:
            if fields == _LENGTH_FIELDS_MAX:
                raise SmlShapeError("A length has more than four bytes.", hint="Wait for the next push.")
            octet = self._take(1)[0]
            length = length << 4 | octet & 0x0F
            fields += 1
        if kind == _LIST or (octet == 0 and fields == 1):
            return kind, length
        if length < fields:
            raise SmlShapeError(f"A value of {length} bytes has {fields} bytes of length.", hint="Wait for the next.")
        return kind, length - fields

    def _take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self.octets):
            raise self._cut(length)
        data = self.octets[self.position : end]
        self.position = end
        return data

    def _cut(self, length: int) -> SmlCutError:
        return SmlCutError(
            f"{length} bytes or members are due at {self.position}, {len(self.octets) - self.position} bytes are left.",
            hint="The push was cut.",
        )


def as_list(value: Value, size: int) -> list[Value]:
    """A list of this size.

    Raises:
        SmlShapeError: it is something else.
    """
    if not isinstance(value, list) or len(value) != size:
        found = f"a list of {len(value)}" if isinstance(value, list) else type(value).__name__
        raise SmlShapeError(f"Found {found} where a list of {size} is due.", hint="Wait for the next push.")
    return value
