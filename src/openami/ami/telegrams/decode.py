"""What do these bytes say? Any language, binary or in hexadecimal digits, one telegram or many."""

from __future__ import annotations

import re
from typing import Final

from openami.ami.telegrams.languages import LANGUAGES, How
from openami.ami.telegrams.model import DecodedTelegram
from openami.shared.errors import OpenAmiError

OCTETS_MAX: Final = 64 * 1024 * 1024
_HEX_TEXT: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_BETWEEN_BYTES: Final = re.compile(rb"[\s,;:|_-]|0[xX](?=[0-9A-Fa-f]{2})")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_COMMENT: Final = re.compile(rb"(?m)^\s*#.*$")


class UnknownLanguageError(OpenAmiError):
    """A language that we do not decode."""


class TooMuchToDecodeError(OpenAmiError):
    """More bytes than one wants to decode at once."""


def decode(
    octets: bytes,
    *,
    language: str | None = None,
    zone_name: str = "Europe/Amsterdam",
    key: bytes | None = None,
    auth_key: bytes | None = None,
) -> list[DecodedTelegram]:
    """The telegrams in the bytes; with no language told, in the first one that understands any of them.

    Raises:
        UnknownLanguageError: we do not know the language told.
        TooMuchToDecodeError: there are more than 64 MiB.
    """
    if len(octets) > OCTETS_MAX:
        raise TooMuchToDecodeError(f"{len(octets)} bytes are too many.", hint="Decode a part of the file.")
    if language is not None and language not in LANGUAGES:
        raise UnknownLanguageError(
            f"There is no language {language!r}.", hint=f"There are {', '.join(sorted(LANGUAGES))}."
        )
    plain, how = from_hex(octets), How(zone_name, key, auth_key)
    if language is not None:
        told = LANGUAGES[language](plain, how)
        return told or [DecodedTelegram(language, error="There is no whole telegram in these bytes.")]
    for each in LANGUAGES.values():
        told = each(plain, how)
        if any(telegram.readings for telegram in told) or _framed(told):
            return told
    return [DecodedTelegram("unknown", error=f"Nothing was understood as {', '.join(LANGUAGES)}.")]


def from_hex(octets: bytes) -> bytes:
    """Bytes that were written as hexadecimal digits, or as they are.

    Blanks, line ends, `0x`, the marks `, ; : | _ -` between bytes, and comments behind `#` are allowed.
    """
    digits = _BETWEEN_BYTES.sub(b"", _COMMENT.sub(b"", octets.removeprefix(_BYTE_ORDER_MARK)))
    return bytes.fromhex(digits.decode("ascii")) if _HEX_TEXT.fullmatch(digits) else octets


def _framed(told: list[DecodedTelegram]) -> bool:
    """Whether the language's own marks were found: then its error is the answer, not what a laxer language reads."""
    return any(telegram.language in ("p1", "dlms") or "encrypted" in telegram.error for telegram in told)
