"""Why a sequence of bytes is not M-Bus: one class per reason."""

from __future__ import annotations

from openami.shared.errors import OpenAmiError


class MBusError(OpenAmiError):
    """The bytes do not follow EN 13757."""


class FrameStartError(MBusError):
    """The first byte starts no frame of EN 13757-2."""


class FrameLengthError(MBusError):
    """The two length bytes differ, are out of range, or do not fit the bytes given."""


class FrameStopError(MBusError):
    """The last byte is not 16h."""


class ChecksumError(MBusError):
    """The sum over the frame is not the one it carries."""


class ControlInformationError(MBusError):
    """The CI field names an application layer that we do not read."""


class HeaderTruncatedError(MBusError):
    """The data header ends too early."""


class RecordTruncatedError(MBusError):
    """A data record ends in the middle."""


class TooManyExtensionsError(MBusError):
    """More than ten DIFE or VIFE bytes: EN 13757-3 allows ten."""


class TextTooLongError(MBusError):
    """A text is longer than its telegram or than the standard allows."""


class EncryptedError(MBusError):
    """The records are encrypted and no key was given, or the key does not fit."""


class KeyMissingError(EncryptedError):
    """The telegram is encrypted, and no key was given."""


class WrongKeyError(EncryptedError):
    """The key given does not open the telegram."""


class ScrambledError(MBusError):
    """A maker's own scrambling, which none of the keys that its driver knows undoes."""


class BadDriverError(MBusError):
    """A driver's file that is none."""


class UnknownFormatError(MBusError):
    """A compact frame whose full form was not seen, or does not give its checksum."""


class UnencodableError(MBusError):
    """A value of ours does not fit the coding asked for."""


class SlaveError(MBusError):
    """The slave itself reports an application error (CI 70h)."""

    def __init__(self, code: int | None, meaning: str) -> None:
        super().__init__(
            f"The M-Bus slave reports an application error: {meaning}.", hint="Ask again later, or look at the meter."
        )
        self.code = code
        self.meaning = meaning
