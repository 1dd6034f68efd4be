"""Long octets kept packed in a column: written and read as they are, a fiftieth of their size between and at rest.

The server packs long values too, but by a method that costs it twenty times as much, after the whole value has gone
over the wire. Packed octets start with a mark and their true length; whatever else starts with the mark is packed as
well, so that no content of a stranger is ever taken for packed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, LargeBinary, case, cast, func, literal, literal_column, type_coerce
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Dialect

LONG_OCTETS: Final = 2000
"""Below this PostgreSQL would not pack a value either, and keeps it in its row."""
_MARK: Final = b"\xb5"
_LENGTH_OCTETS: Final = 4
_HEAD_OCTETS: Final = len(_MARK) + _LENGTH_OCTETS


@cache
def _codec() -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa  # noqa: PLC0415 - its import is not free, and short messages need none of it

    return pa.Codec("zstd", compression_level=1)


def pack(octets: bytes) -> bytes:
    """What is stored of octets: themselves if they are few."""
    if len(octets) < LONG_OCTETS and not octets.startswith(_MARK):
        return octets
    packed: bytes = _codec().compress(octets, asbytes=True)
    return _MARK + len(octets).to_bytes(_LENGTH_OCTETS, "big") + packed


def unpack(stored: bytes) -> bytes:
    """The octets of which `stored` was made."""
    if not stored.startswith(_MARK):
        return stored
    length = int.from_bytes(stored[len(_MARK) : _HEAD_OCTETS], "big")
    octets: bytes = _codec().decompress(stored[_HEAD_OCTETS:], decompressed_size=length, asbytes=True)
    return octets


class PackedOctets(TypeDecorator[bytes]):
    """`bytea` whose long values are kept packed."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """What goes to the server."""
        return None if value is None else pack(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> bytes | None:  # noqa: ANN401, ARG002
        """What came from there."""
        return None if value is None else unpack(bytes(value))


def true_octets(column: Column[Any]) -> ColumnElement[int]:
    """How many octets a value of a `PackedOctets` column has when it is read; the value itself is not unpacked."""
    stored = type_coerce(column, LargeBinary)
    length = func.encode(func.substring(stored, len(_MARK) + 1, _LENGTH_OCTETS), "hex")
    stated = cast(cast(literal("x").concat(length), BIT(8 * _LENGTH_OCTETS)), BigInteger)
    marked = func.substring(stored, 1, len(_MARK)) == literal_column(f"'\\x{_MARK.hex()}'::bytea")
    return case((marked, stated), else_=func.octet_length(stored))
