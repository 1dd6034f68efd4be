"""A whole read-out: `/XXXbIdentification CR LF`, then STX data ETX BCC (modes A to C) or bare data (mode D)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from openami.ami.iec62056_21.datasets import DataSet, parse_data_sets
from openami.ami.iec62056_21.errors import BlockCheckError, DataSetError, ReadoutError, ReadoutTooLongError

READOUT_OCTETS_MAX: Final = 65_536
STX, ETX = 0x02, 0x03
_HEAD: Final = re.compile(rb"/([^\r\n]*?)!?\r?\n")


@dataclass(frozen=True, slots=True)
class Readout:
    """What a meter sent; `checked` says whether a block check character was there (and good)."""

    identification: str
    data_sets: tuple[DataSet, ...]
    checked: bool

    @property
    def manufacturer(self) -> str:
        """The first three characters of the identification, when they are letters."""
        letters = self.identification[:3]
        return letters.upper() if letters.isascii() and letters.isalpha() else ""


def decode_readout(octets: bytes) -> Readout:
    """One read-out, possibly with noise in front.

    Raises:
        ReadoutError: there is no identification, or no data.
        BlockCheckError: the block check character does not fit the data.
        DataSetError: the data are no data sets.
        ReadoutTooLongError: there is more than any meter sends.
    """
    if len(octets) > READOUT_OCTETS_MAX:
        raise ReadoutTooLongError(f"{len(octets)} bytes are too many for a read-out.", hint="Give one read-out.")
    head = _HEAD.search(octets)
    if head is None:
        raise ReadoutError("There is no identification.", hint="A read-out starts with /XXX and a line end.")
    body = octets[head.end() :]
    data, checked = _checked(body)
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise DataSetError(f"The data are not ASCII: {error}.", hint="Seven bits and even parity? Strip it.") from error
    # mode D and some others end in "!" and a line end
    end = text.rfind("!")
    sets = parse_data_sets(text if end < 0 else text[:end])
    return Readout(head.group(1).decode("latin-1").strip(), tuple(sets), checked)


def _checked(body: bytes) -> tuple[bytes, bool]:
    start = body.find(STX)
    if start < 0:
        return body, False
    end = body.find(ETX, start)
    if end < 0 or end + 1 >= len(body):
        raise BlockCheckError("The data have no ETX with a block check character.", hint="The read-out was cut.")
    # clause 5.2: BCC is the exclusive or from after STX up to and with ETX
    expected = reduce(xor, body[start + 1 : end + 1])
    if expected != body[end + 1]:
        raise BlockCheckError(
            f"The block check character is {body[end + 1]:02X}h, the data give {expected:02X}h.", hint="Read again."
        )
    return body[start + 1 : end], True
