"""Questions to a meter: each builds its request and turns the answer into a value, and does no input or output.

query = read("1-0:1.8.0.255", class_id=3)
octets = client.send(query.request)          # ... the wire ...
value = query.result(client.next_event())    # Data, or AccessDeniedError and its kin
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Generic, TypeVar

from openami.ami.dlms.axdr import Encoded, encode
from openami.ami.dlms.data import Data, integer8
from openami.ami.dlms.enums import ActionResult, DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError, AssociationRefusedError, RemoteProtocolError
from openami.ami.dlms.events import (
    Access,
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    ActionRequest,
    ActionResponse,
    AssociationResponse,
    AuthenticationFailed,
    ConfirmedServiceError,
    ExceptionResponse,
    GetRequest,
    GetResponse,
    SetRequest,
    SetResponse,
)
from openami.ami.dlms.failures import refused
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile import Profile, decode_profile
from openami.ami.dlms.references import AttributeRef, MethodRef, Selection
from openami.ami.dlms.selection import CaptureObject, EntrySelection, range_of_stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime, tzinfo

_T = TypeVar("_T")

Request = GetRequest | SetRequest | ActionRequest | AccessRequest


@dataclass(frozen=True, slots=True)
class Query(Generic[_T]):
    """A request and the way to read its answer."""

    request: Request
    _read: Callable[[object], _T]

    def result(self, answer: object) -> _T:
        """The value in the answer.

        Raises AccessDeniedError, ActionRefusedError or ServiceRefusedError when the meter refuses, and
        RemoteProtocolError when it answers something else.
        """
        if isinstance(answer, ExceptionResponse | ConfirmedServiceError):
            raise refused(answer)
        return self._read(answer)


def read(obis: str | Obis, class_id: int, attribute: int = 2, selection: Selection | None = None) -> Query[Data]:
    """Read one attribute."""
    request = GetRequest((AttributeRef(class_id, Obis.of(obis), attribute, selection),))
    return Query(request, lambda answer: _single(answer).data())


def read_encoded(obis: str | Obis, class_id: int, attribute: int = 2) -> Query[Encoded]:
    """Read one attribute and leave it in its octets."""
    request = GetRequest((AttributeRef(class_id, Obis.of(obis), attribute),))
    return Query(request, _single)


def read_many(attributes: Iterable[AttributeRef]) -> Query[tuple[Data | DataAccessResult, ...]]:
    """Read several attributes in one request; a refusal stands in the place of its value."""
    request = GetRequest(tuple(attributes), listed=True)

    def values(answer: object) -> tuple[Data | DataAccessResult, ...]:
        results = _expect(answer, GetResponse).results
        _same_number(len(results), len(request.attributes))
        return tuple([result.data() if isinstance(result, Encoded) else result for result in results])

    return Query(request, values)


def access(accesses: Iterable[Access], *, break_on_error: bool = False) -> Query[tuple[AccessOutcome, ...]]:
    """Read, write and act in one request; the outcome of each part stands in its place."""
    request = AccessRequest(tuple(accesses), break_on_error=break_on_error)

    def outcomes(answer: object) -> tuple[AccessOutcome, ...]:
        found = _expect(answer, AccessResponse).outcomes
        _same_number(len(found), len(request.accesses))
        return found

    return Query(request, outcomes)


def read_profile(
    obis: str | Obis,
    start: datetime,
    end: datetime,
    *,
    zone: tzinfo = UTC,
    capture_period_s: int = 0,
    columns: tuple[CaptureObject, ...] = (),
) -> Query[Profile]:
    """Read the rows of a profile stamped from `start` to `end`, both included, as the standard counts them.

    `zone` is what the meter's clock runs on: the range is written in it, and stamps without deviation are read in it.
    `capture_period_s` fills stamps a meter leaves out as "previous plus period".
    """
    selection = range_of_stamps(start, end, zone=zone, columns=columns).selection()
    request = GetRequest((AttributeRef(7, Obis.of(obis), 2, selection),))
    return _profile_query(request, zone, capture_period_s)


def read_entries(
    obis: str | Obis,
    entries: EntrySelection | None = None,
    *,
    zone: tzinfo = UTC,
    capture_period_s: int = 0,
) -> Query[Profile]:
    """Read the rows of a profile by number, or the whole buffer."""
    selection = entries.selection() if entries is not None else None
    request = GetRequest((AttributeRef(7, Obis.of(obis), 2, selection),))
    return _profile_query(request, zone, capture_period_s)


def write(obis: str | Obis, class_id: int, attribute: int, value: Data) -> Query[None]:
    """Write one attribute."""
    reference = AttributeRef(class_id, Obis.of(obis), attribute)
    request = SetRequest((reference,), (Encoded(encode(value)),))

    def check(answer: object) -> None:
        result = _expect(answer, SetResponse).results[0]
        if result != DataAccessResult.SUCCESS:
            raise AccessDeniedError(result, f"{reference} was not written: {result.name.lower()}.")

    return Query(request, check)


def act(obis: str | Obis, class_id: int, method: int, parameter: Data | None = None) -> Query[Data | None]:
    """Carry out a method; without a parameter the customary integer 0 is sent."""
    reference = MethodRef(class_id, Obis.of(obis), method)
    request = ActionRequest((reference,), (Encoded(encode(integer8(0) if parameter is None else parameter)),))

    def outcome(answer: object) -> Data | None:
        first = _expect(answer, ActionResponse).outcomes[0]
        if first.result != ActionResult.SUCCESS:
            raise ActionRefusedError(first.result, f"{reference} was refused: {first.result.name.lower()}.")
        if isinstance(first.returned, DataAccessResult):
            raise AccessDeniedError(first.returned)
        return first.returned.data() if first.returned is not None else None

    return Query(request, outcome)


def opened(answer: object) -> AssociationResponse:
    """The answer to `associate`, which must have opened the association.

    Raises AssociationRefusedError, ServiceRefusedError or RemoteProtocolError otherwise.
    """
    if isinstance(answer, ExceptionResponse | ConfirmedServiceError):
        raise refused(answer)
    if isinstance(answer, AuthenticationFailed):
        raise RemoteProtocolError(answer.reason)
    response = _expect(answer, AssociationResponse)
    if not response.accepted:
        raise AssociationRefusedError(response.result, response.diagnostic)
    return response


def _profile_query(request: GetRequest, zone: tzinfo, capture_period_s: int) -> Query[Profile]:
    def rows(answer: object) -> Profile:
        value = _single(answer)
        return decode_profile(value.raw, zone=zone, capture_period_s=capture_period_s, runs=value.runs)

    return Query(request, rows)


def _single(answer: object) -> Encoded:
    results: Sequence[Encoded | DataAccessResult] = _expect(answer, GetResponse).results
    _same_number(len(results), 1)
    result = results[0]
    if isinstance(result, DataAccessResult):
        raise AccessDeniedError(result)
    return result


def _same_number(found: int, wanted: int) -> None:
    if found != wanted:
        msg = f"{found} results came for {wanted} attributes."
        raise RemoteProtocolError(msg)


_E = TypeVar("_E")


def _expect(answer: object, kind: type[_E]) -> _E:
    if not isinstance(answer, kind):
        msg = f"Found {type(answer).__name__} where {kind.__name__} is due."
        raise RemoteProtocolError(msg)
    return answer
