"""What do these bytes say? Any language, binary or in hexadecimal digits, one telegram or many."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from openami.ami.telegrams.languages import LANGUAGES, How, looks_like
from openami.ami.telegrams.model import DecodedTelegram
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Callable

OCTETS_MAX: Final = 64 * 1024 * 1024
_HEX_TEXT: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_HALF_BYTES: Final = re.compile(rb"[0-9A-Fa-f]{3,}")
_BETWEEN_BYTES: Final = re.compile(rb"[\s,;:|_-]|0[xX](?=[0-9A-Fa-f]{2})")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DIGITS: Final = re.compile(rb"(?<![0-9A-Za-z])(?:0[xX])?((?:[0-9A-Fa-f]{2}[_|#]*){11,})(?![0-9A-Za-z])")
_GROUPING: Final = re.compile(rb"[_|#]")
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
    keys: Callable[[str], bytes | None] | None = None,
) -> list[DecodedTelegram]:
    """The telegrams in the bytes; with no language told, in the first one that understands any of them.

    `keys` gives a meter's own key by its identification or system title; `key` is for all that have none.

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
    how = How(zone_name, key, auth_key, keys)
    plain = from_hex(octets)
    told = _decode(plain, language, how)
    is_log = plain is octets and told[0].language not in ("p1", "iec62056-21")
    if is_log and not _understood(told) and (lines := telegrams_in_lines(octets)):
        per_line = [_decode(line, language, how) for line in lines]
        # what came too early, before the full frame that explains it, is read again
        pairs = zip(per_line, lines, strict=True)
        again = (each if _understood(each) else _decode(line, language, how) for each, line in pairs)
        return [telegram for each in again for telegram in each]
    if plain is octets and told[0].language == "unknown" and _HALF_BYTES.fullmatch(digits := _digits(octets)):
        reason = f"There are {len(digits)} hexadecimal digits, an odd number: one is missing, or one is too many."
        return [DecodedTelegram("unknown", error=reason)]
    return told


def _decode(octets: bytes, language: str | None, how: How) -> list[DecodedTelegram]:
    if language is not None:
        told = LANGUAGES[language](octets, how)
        return told or [DecodedTelegram(language, error="There is no whole telegram in these bytes.")]
    reason: list[DecodedTelegram] = []
    for name, each in LANGUAGES.items():
        told = each(octets, how)
        if _understood(told) or _framed(told):
            return told
        if not reason and told and looks_like(name, octets):
            reason = told
    return reason or [DecodedTelegram("unknown", error=f"Nothing was understood as {', '.join(LANGUAGES)}.")]


def telegrams_in_lines(octets: bytes) -> list[bytes]:
    """The telegrams of a log or of a receiver's output: in each line of text the longest run of hexadecimal digits."""
    if b"\0" in octets:
        return []
    lines = (line for line in octets.splitlines() if not line.lstrip().startswith(b"#"))
    runs = (max(_DIGITS.findall(line), key=len, default=b"") for line in lines)
    return [bytes.fromhex(_GROUPING.sub(b"", run).decode("ascii")) for run in runs if run]


def _understood(told: list[DecodedTelegram]) -> bool:
    return any(telegram.readings for telegram in told)


def from_hex(octets: bytes) -> bytes:
    """Bytes that were written as hexadecimal digits, or as they are.

    Blanks, line ends, `0x`, the marks `, ; : | _ -` between bytes, and comments behind `#` are allowed.
    """
    digits = _digits(octets)
    return bytes.fromhex(digits.decode("ascii")) if _HEX_TEXT.fullmatch(digits) else octets


def _digits(octets: bytes) -> bytes:
    """What is left when all that may stand between digits is taken away."""
    return _BETWEEN_BYTES.sub(b"", _COMMENT.sub(b"", octets.removeprefix(_BYTE_ORDER_MARK)))


def _framed(told: list[DecodedTelegram]) -> bool:
    """Whether the language's own marks were found: then its error is the answer, not what a laxer language reads."""
    return any(telegram.language in ("p1", "dlms") or "encrypted" in telegram.error for telegram in told)
