"""Result octets of the peer, read leniently where meters deviate and strictly where nothing sensible is left."""

from __future__ import annotations

from openami.ami.dlms.enums import ActionResult, DataAccessResult
from openami.ami.dlms.errors import RemoteProtocolError


def access_result(octet: int) -> DataAccessResult:
    """The data-access-result; numbers the standard does not know count as other-reason."""
    try:
        return DataAccessResult(octet)
    except ValueError:
        return DataAccessResult.OTHER_REASON


def action_result(octet: int) -> ActionResult:
    """The action-result; numbers the standard does not know count as other-reason."""
    try:
        return ActionResult(octet)
    except ValueError:
        return ActionResult.OTHER_REASON


def unknown_choice(what: str, choice: int) -> RemoteProtocolError:
    """The error for a form of a service that does not exist."""
    return RemoteProtocolError(f"A {what} of form {choice:02X} does not exist.", state_error=2, service_error=2)
