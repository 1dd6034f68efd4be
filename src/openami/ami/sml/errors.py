"""Why bytes are not SML: one class per reason."""

from __future__ import annotations

from openami.shared.errors import OpenAmiError


class SmlError(OpenAmiError):
    """The bytes are not SML."""


class SmlCutError(SmlError):
    """A file, message or value ends in the middle."""


class SmlChecksumError(SmlError):
    """A checksum is not the one that the bytes give."""


class SmlShapeError(SmlError):
    """A message is not built as the standard says."""


class SmlNestingError(SmlError):
    """Lists are nested deeper than any message."""


class SmlTooLongError(SmlError):
    """A file is longer than any meter sends."""
