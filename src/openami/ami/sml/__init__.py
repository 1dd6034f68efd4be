"""SML, the Smart Message Language of German meters (BSI TR-03109 annex), as they push it; sans-IO.

In: bytes of an optical head, cut anywhere. Out: files whose checksums were checked, and the readings of their lists
with exact values, units and OBIS codes. Upstream are meters; downstream collectors and `openami decode`.
"""

from __future__ import annotations

from openami.ami.sml.errors import (
    SmlChecksumError,
    SmlCutError,
    SmlError,
    SmlNestingError,
    SmlShapeError,
    SmlTooLongError,
)
from openami.ami.sml.messages import SmlEntry, SmlList, decode_messages, lists_of
from openami.ami.sml.transport import SmlSplitter, decode_file

__all__ = [
    "SmlChecksumError",
    "SmlCutError",
    "SmlEntry",
    "SmlError",
    "SmlList",
    "SmlNestingError",
    "SmlShapeError",
    "SmlSplitter",
    "SmlTooLongError",
    "decode_file",
    "decode_messages",
    "lists_of",
]
