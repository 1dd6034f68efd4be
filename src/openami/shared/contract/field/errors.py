"""Why a field message was refused: one class per reason, each with the Reply/Error code it is answered with."""

from __future__ import annotations

from typing import ClassVar

from openami.shared.errors import OpenAmiError


class FieldContractError(OpenAmiError):
    """Any refusal of a field message; `code` is the 61968-100 style error code of our reply (spec 2.3)."""

    code: ClassVar[str] = "9.9"


class MalformedXmlError(FieldContractError):
    """The bytes are not well-formed XML."""

    code = "1.4"


class HostileXmlError(FieldContractError):
    """The document tries something that no honest partner needs: a DTD, an entity, absurd depth."""

    code = "1.4"


class TooLargeError(FieldContractError):
    """The document, or what it inflates to, is larger than one message may be."""

    code = "6.1"


class UnknownNamespaceError(FieldContractError):
    """The root element is in a namespace that is not on the allow-list."""

    code = "1.4"


class NotAnEnvelopeError(FieldContractError):
    """The root element is neither an envelope, nor a typed wrapper, nor a noun we know."""

    code = "1.4"


class MissingInHeaderError(FieldContractError):
    """A mandatory element of the header is absent."""

    code = "1.1"


class MissingInRequestError(FieldContractError):
    """A mandatory element of the request is absent."""

    code = "1.2"


class MissingInPayloadError(FieldContractError):
    """A mandatory element of the payload is absent."""

    code = "1.3"


class BadValueError(FieldContractError):
    """A text does not have the form of its type (number, boolean, enumeration)."""

    code = "1.4"


class BadInstantError(FieldContractError):
    """A text is not an xs:dateTime."""

    code = "1.4"


class InstantWithoutOffsetError(FieldContractError):
    """A time stamp names no offset, and no zone is agreed with this partner."""

    code = "1.4"


class UnknownVerbError(FieldContractError):
    """The verb is not one of 61968-100."""

    code = "2.12"


class UnknownNounError(FieldContractError):
    """The noun is not one of ours."""

    code = "2.5"


class BadReadingTypeError(FieldContractError):
    """A reading type is not eighteen integers."""

    code = "2.6"


class BadQualityCodeError(FieldContractError):
    """A quality is not three integers."""

    code = "1.4"


class BadEventCodeError(FieldContractError):
    """An event type is not four integers."""

    code = "1.4"


class BadControlCodeError(FieldContractError):
    """A control type is not four integers."""

    code = "2.20"


class SecretInMessageError(FieldContractError):
    """A configuration carries a password: secrets travel by another road."""

    code = "1.4"


class UnwritableTextError(FieldContractError):
    """A text of ours holds a character that XML 1.0 cannot carry."""

    code = "9.9"
