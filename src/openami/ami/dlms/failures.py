"""Answers that are no results: exception-response (D8) and confirmedServiceError (0E)."""

from __future__ import annotations

from openami.ami.dlms.enums import ServiceError, StateError
from openami.ami.dlms.errors import ServiceRefusedError
from openami.ami.dlms.events import ConfirmedServiceError, ExceptionResponse
from openami.ami.dlms.reader import Reader

EXCEPTION_TAG = 0xD8
SERVICE_ERROR_TAG = 0x0E

NO_ASSOCIATION = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)


def encode_exception(message: ExceptionResponse) -> bytes:
    """The exception-response; a counter follows only service-error 6."""
    counter = b"" if message.invocation_counter is None else message.invocation_counter.to_bytes(4, "big")
    return bytes((EXCEPTION_TAG, message.state_error, message.service_error)) + counter


def decode_exception(octets: bytes) -> ExceptionResponse:
    """The exception-response in `octets`."""
    reader = Reader(octets)
    reader.u8()
    state_error, service_error = reader.u8(), reader.u8()
    has_counter = service_error == ServiceError.INVOCATION_COUNTER_ERROR and reader.remaining
    return ExceptionResponse(state_error, service_error, reader.u32() if has_counter else None)


def encode_service_error(message: ConfirmedServiceError) -> bytes:
    """The confirmedServiceError."""
    return bytes((SERVICE_ERROR_TAG, message.service, message.error_class, message.code))


def decode_service_error(octets: bytes) -> ConfirmedServiceError:
    """The confirmedServiceError in `octets`."""
    reader = Reader(octets)
    reader.u8()
    return ConfirmedServiceError(reader.u8(), reader.u8(), reader.u8())


def refused(message: ExceptionResponse | ConfirmedServiceError) -> ServiceRefusedError:
    """The refusal as an exception of ours."""
    if isinstance(message, ConfirmedServiceError):
        numbers = f"service {message.service}, class {message.error_class}, code {message.code}"
        return ServiceRefusedError(f"The server answered with a service error ({numbers}).")
    lost = message == NO_ASSOCIATION
    names = f"state-error {message.state_error}, service-error {message.service_error}"
    return ServiceRefusedError(
        f"The server answered with an exception ({names}).",
        lost_association=lost,
        expected_counter=message.invocation_counter,
    )
