"""Why bytes are not a message of ours: one class per reason, each with what the answer to the sender must say.

`number`, `category` and `severity` of a class fill the line of a negative confirmation's log; the contract leaves the
numbers to the sender, ours start with `OAMI` where they are not those of an order's desk.
"""

from __future__ import annotations

from openami.shared.errors import OpenAmiError


class Refusal(OpenAmiError):  # noqa: N818 - a reason reads better without the suffix
    """The root of all errors of this contract: why a message is not accepted."""


class NotReadable(Refusal):
    """The bytes cannot be answered by a confirmation, only by a SOAP fault: no message was recognised in them."""


class MalformedXml(NotReadable):
    """The bytes are not well-formed XML."""

    number = "OAMI001"


class HostileXml(NotReadable):
    """The XML carries something that no message needs and that attacks parsers: a DTD, entities, endless nesting."""

    number = "OAMI002"
    severity = "4"


class TooLarge(HostileXml):
    """The body is larger than the receiver accepts."""

    number = "OAMI003"


class NotSoap(NotReadable):
    """The XML is neither a SOAP 1.1 envelope with one body child nor a bare message."""

    number = "OAMI004"


class UnknownMessage(NotReadable):
    """The root element names no operation of the contract."""

    number = "OAMI005"

    def __init__(self, root: str) -> None:
        super().__init__(
            f"Unknown message {root}.",
            hint="Send one of the root elements of the contract, in namespace http://sap.com/xi/SAPGlobal20/Global.",
        )
        self.root = root


class FaultReceived(NotReadable):
    """The other side answered with a SOAP fault."""

    number = "OAMI006"

    def __init__(self, code: str, text: str, detail: str) -> None:
        super().__init__(f"The partner answered with a SOAP fault: {code}: {text} {detail}".strip())
        self.code = code
        self.text = text
        self.detail = detail


class InvalidMessage(Refusal):
    """A message was recognised but breaks its schema: names the element, the line and the broken rule."""

    number = "OAMI010"
    category = "PRE.VAE"

    def __init__(self, root: str, element: str, reason: str, *, line: int = 0) -> None:
        place = f" (line {line})" if line else ""
        super().__init__(
            f"{root}: {element}{place}: {reason}", hint="Correct the element as the schema of the message says."
        )
        self.root = root
        self.element = element
        self.reason = reason
        self.line = line


class MissingElement(InvalidMessage):
    """A mandatory element or attribute is missing."""

    number = "OAMI011"


class MissingMessageId(Refusal):
    """The header has neither UUID nor ID, so that the message can be neither answered nor recognised when repeated."""

    number = "OAMI012"
    category = "PRE.IDE"

    def __init__(self) -> None:
        super().__init__("MessageHeader has neither UUID nor ID.", hint="Send at least one of them.")


class NoConfirmation(Refusal):
    """The message is one that the contract does not answer."""

    number = "OAMI013"

    def __init__(self, root: str) -> None:
        super().__init__(f"{root} has no confirmation in the contract.", hint="Report a late failure as an event.")


class PartlyDone(Refusal):
    """Some items of a bulk message were taken, others were not."""

    number = "OAMI018"
    severity = "2"

    def __init__(self) -> None:
        super().__init__("Some items failed, see their logs.")


class NothingDone(Refusal):
    """No item of a bulk message was taken."""

    number = "OAMI019"

    def __init__(self) -> None:
        super().__init__("All items failed, see their logs.")


class SchemaProblem(Refusal):
    """A schema file of the contract, or one that replaces it, cannot be used."""

    number = "OAMI020"
