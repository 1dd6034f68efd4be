"""Why a DLMS exchange failed: one family of protocol errors with two leaves, and one class per refusal.

A head-end must tell "our bug" (local) from "this meter deviates" (remote); a refusal by the peer is neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.ami.dlms.enums import AcseDiagnostic, ActionResult, AssociationResult, DataAccessResult


class DlmsError(OpenAmiError):
    """Anything that went wrong in the DLMS stack."""


class ProtocolError(DlmsError):
    """The rules of the protocol were broken; see the two leaves for by whom."""


class LocalProtocolError(ProtocolError):
    """We tried something the protocol does not allow here."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something the protocol does not allow here.

    `state_error` and `service_error` are the octets of the exception-response a server answers with (0 = stay silent);
    `expected_counter` goes with service-error 6.
    """

    def __init__(
        self,
        found: str,
        *,
        hint: str = "",
        state_error: int = 1,
        service_error: int = 3,
        expected_counter: int | None = None,
    ) -> None:
        super().__init__(found, hint=hint)
        self.state_error = state_error
        self.service_error = service_error
        self.expected_counter = expected_counter


class SecurityFailureError(RemoteProtocolError):
    """A protected message failed its tag, its counter or the policy: a security event, not a slip."""


class ReplayedCounterError(SecurityFailureError):
    """An invocation counter was not above the last one accepted under the same key."""


class TypeMismatchError(DlmsError):
    """A value has another type than its reader needs."""


class AccessDeniedError(DlmsError):
    """An attribute cannot be read or written; `result` says why in the words of the standard."""

    def __init__(self, result: DataAccessResult, found: str = "") -> None:
        super().__init__(found or f"The device answered {result.name.lower().replace('_', '-')}.")
        self.result = result


class ActionRefusedError(DlmsError):
    """A method was not carried out; `result` says why in the words of the standard."""

    def __init__(self, result: ActionResult, found: str = "") -> None:
        super().__init__(found or f"The device answered {result.name.lower().replace('_', '-')} to the action.")
        self.result = result


class AssociationRefusedError(DlmsError):
    """The server did not open the association."""

    def __init__(self, result: AssociationResult, diagnostic: AcseDiagnostic) -> None:
        super().__init__(
            f"The association was refused: {result.name.lower()}, {diagnostic.name.lower()}.",
            hint="Check client address, mechanism and secret.",
        )
        self.result = result
        self.diagnostic = diagnostic


class ServiceRefusedError(DlmsError):
    """The server answered with an exception-response or a confirmed-service-error instead of a result."""

    def __init__(self, found: str, *, lost_association: bool = False, expected_counter: int | None = None) -> None:
        super().__init__(found, hint="Associate again." if lost_association else "")
        self.lost_association = lost_association
        self.expected_counter = expected_counter
