"""The little BER that ACSE needs: one-octet tags, definite lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.reader import Reader, encode_octets

if TYPE_CHECKING:
    from collections.abc import Iterator

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06


def tlv(tag: int, *contents: bytes) -> bytes:
    """Tag, length and contents; BER lengths below 2^32 look exactly like A-XDR ones."""
    return bytes((tag,)) + encode_octets(b"".join(contents))


def fields(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags and contents in `octets`, in order."""
    reader = Reader(octets)
    while reader.remaining:
        tag = reader.u8()
        yield tag, reader.octets()


def inner(octets: bytes, tag: int) -> bytes:
    """The contents of the one field in `octets`, which must carry `tag`."""
    reader = Reader(octets)
    found = reader.u8()
    if found != tag:
        msg = f"Found BER tag {found:02X} where {tag:02X} is needed."
        raise RemoteProtocolError(msg)
    contents = reader.octets()
    reader.finish("BER field")
    return contents


def integer(octets: bytes) -> int:
    """The value of the INTEGER field in `octets`."""
    return int.from_bytes(inner(octets, INTEGER), "big", signed=True)
