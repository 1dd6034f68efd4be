"""What a connection takes and gives: requests and responses as values, whole, whatever blocks carried them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.enums import (
    OUR_CONFORMANCE,
    AcseDiagnostic,
    ActionResult,
    AssociationResult,
    Conformance,
    Context,
    DataAccessResult,
    Mechanism,
    ReleaseReason,
)
from openami.ami.dlms.references import AttributeRef, Invoke, MethodRef

if TYPE_CHECKING:
    from openami.ami.dlms.data import Data
    from openami.ami.dlms.times import CosemDateTime


class _NeedData:
    """Nothing complete has arrived yet: feed more octets."""

    def __repr__(self) -> str:
        return "NEED_DATA"


NEED_DATA: Final = _NeedData()

DEFAULT_INVOKE = Invoke()
NULL_DATA = Encoded(b"\x00")
NO_PDU_LIMIT = 0xFFFF
DLMS_VERSION = 6


@dataclass(frozen=True, slots=True)
class Initiate:
    """The xDLMS part of an association request or response (InitiateRequest, InitiateResponse)."""

    conformance: Conformance = OUR_CONFORMANCE
    max_pdu_octets: int = NO_PDU_LIMIT
    dedicated_key: bytes = b""
    response_allowed: bool = True
    quality_of_service: int | None = None
    version: int = DLMS_VERSION


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """AARQ: a client asks for an association."""

    context: Context = Context.LOGICAL_NAMES
    mechanism: Mechanism = Mechanism.NONE
    authentication: bytes = b""
    system_title: bytes = b""
    certificate: bytes = b""
    user_id: int | None = None
    initiate: Initiate = field(default_factory=Initiate)


@dataclass(frozen=True, slots=True)
class AssociationResponse:
    """AARE: the server opens or refuses the association; `initiate` is missing from many refusals."""

    result: AssociationResult = AssociationResult.ACCEPTED
    diagnostic: AcseDiagnostic = AcseDiagnostic.NULL
    context: Context = Context.LOGICAL_NAMES
    mechanism: Mechanism = Mechanism.NONE
    authentication: bytes = b""
    system_title: bytes = b""
    certificate: bytes = b""
    initiate: Initiate | None = None
    from_provider: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the association is open, or waits only for passes 3 and 4."""
        return self.result == AssociationResult.ACCEPTED


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The peer proved its secret in the passes after the AARE; the association is open."""


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """The peer did not prove its secret; the association is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """RLRQ: the client ends the association."""

    reason: ReleaseReason | None = ReleaseReason.NORMAL


@dataclass(frozen=True, slots=True)
class ReleaseResponse:
    """RLRE: the server confirms the end."""

    reason: ReleaseReason | None = ReleaseReason.NORMAL


@dataclass(frozen=True, slots=True)
class GetRequest:
    """Read attributes; more than one, or `listed`, travels as a list."""

    attributes: tuple[AttributeRef, ...]
    listed: bool = False
    invoke: Invoke = DEFAULT_INVOKE


@dataclass(frozen=True, slots=True)
class GetResponse:
    """One value or reason for each attribute asked for, in order."""

    results: tuple[Encoded | DataAccessResult, ...]
    listed: bool = False
    invoke: Invoke = DEFAULT_INVOKE


@dataclass(frozen=True, slots=True)
class SetRequest:
    """Write one value to each attribute."""

    attributes: tuple[AttributeRef, ...]
    values: tuple[Encoded, ...]
    listed: bool = False
    invoke: Invoke = DEFAULT_INVOKE


@dataclass(frozen=True, slots=True)
class SetResponse:
    """How each write went, in order."""

    results: tuple[DataAccessResult, ...]
    listed: bool = False
    invoke: Invoke = DEFAULT_INVOKE


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Carry out methods, each with a parameter or None."""

    methods: tuple[MethodRef, ...]
    parameters: tuple[Encoded | None, ...]
    listed: bool = False
    invoke: Invoke = DEFAULT_INVOKE


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """How one method ended and what it returned, if anything."""

    result: ActionResult
    returned: Encoded | DataAccessResult | None = None


@dataclass(frozen=True, slots=True)
class ActionResponse:
    """How each method ended, in order."""

    outcomes: tuple[ActionOutcome, ...]
    listed: bool = False
    invoke: Invoke = DEFAULT_INVOKE


class AccessVerb(IntEnum):
    """What one part of an ACCESS request does; the numbers are the CHOICE octets of the Green Book."""

    GET = 1
    SET = 2
    ACTION = 3


@dataclass(frozen=True, slots=True)
class Access:
    """One part of an ACCESS request: a read, a write or a method, with its value or parameter (null without one)."""

    verb: AccessVerb
    reference: AttributeRef | MethodRef
    value: Encoded = NULL_DATA


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Reads, writes and methods in one message; with `break_on_error` nothing is done behind the first that fails."""

    accesses: tuple[Access, ...]
    number: int = 0
    break_on_error: bool = False
    confirmed: bool = True
    high_priority: bool = True
    time: CosemDateTime | None = None


@dataclass(frozen=True, slots=True)
class AccessOutcome:
    """How one part went, and what it gave (null without anything)."""

    verb: AccessVerb
    result: DataAccessResult | ActionResult
    value: Encoded = NULL_DATA


@dataclass(frozen=True, slots=True)
class AccessResponse:
    """How each part of an ACCESS request went, in order."""

    outcomes: tuple[AccessOutcome, ...]
    number: int = 0
    time: CosemDateTime | None = None


@dataclass(frozen=True, slots=True)
class ExceptionResponse:
    """The server could not handle the request at all; 1/1 means it knows no association with us."""

    state_error: int
    service_error: int
    invocation_counter: int | None = None


@dataclass(frozen=True, slots=True)
class ConfirmedServiceError:
    """The older error answer: service, error class and code as numbers of the Green Book."""

    service: int
    error_class: int
    code: int


@dataclass(frozen=True, slots=True)
class DataNotification:
    """A push: values of the push object list, sent without being asked."""

    body: Encoded
    time: CosemDateTime | None = None
    invoke: int = 0


@dataclass(frozen=True, slots=True)
class DataNotificationConfirm:
    """The receipt of a confirmed push."""

    invoke: int = 0
    time: CosemDateTime | None = None


@dataclass(frozen=True, slots=True)
class EventNotification:
    """One attribute's value, sent without being asked."""

    attribute: AttributeRef
    value: Data
    time: CosemDateTime | None = None


Event = (
    AssociationRequest
    | AssociationResponse
    | Authenticated
    | AuthenticationFailed
    | ReleaseRequest
    | ReleaseResponse
    | GetRequest
    | GetResponse
    | SetRequest
    | SetResponse
    | ActionRequest
    | ActionResponse
    | AccessRequest
    | AccessResponse
    | ExceptionResponse
    | ConfirmedServiceError
    | DataNotification
    | DataNotificationConfirm
    | EventNotification
)
