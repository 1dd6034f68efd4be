"""Why bytes are no read-out of IEC 62056-21: one class per reason."""

from __future__ import annotations

from openami.shared.errors import OpenAmiError


class ReadoutError(OpenAmiError):
    """The bytes are no read-out."""


class ReadoutTooLongError(ReadoutError):
    """More bytes or data sets than any meter sends."""


class DataSetError(ReadoutError):
    """A data set breaks the grammar."""


class BlockCheckError(ReadoutError):
    """The block check character is not the one that the data give."""
