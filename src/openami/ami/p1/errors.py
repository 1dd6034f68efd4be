"""Why bytes are no P1 telegram: one class per reason."""

from __future__ import annotations

from openami.shared.errors import OpenAmiError


class P1Error(OpenAmiError):
    """The bytes are no P1 telegram."""


class TelegramCutError(P1Error):
    """A telegram lacks its beginning or its end."""


class TelegramTooLongError(P1Error):
    """A telegram is longer than any meter sends."""


class TelegramChecksumError(P1Error):
    """The CRC is not the one that the bytes give."""
