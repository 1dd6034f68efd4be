'''DLMS/COSEM (IEC 62056), both roles, as values: octets in, events out; events in, octets out. No socket, no clock.

In come the octets of a wire (TCP wrapper frames, a gateway header for meters behind a concentrator). Out come requests
to a meter's object model (`LogicalDevice`), or answers for a head-end (`Query`). Upstream of us are the simulated
meters and concentrators with `ServerConnection`, and the head-end with `ClientConnection`; `testing` joins the two.

Client and server joined by a fake wire::

    client = ClientConnection(WrapperFraming.client(client_sap=1, server_sap=1), password=b"12345678")
    server = ServerConnection(WrapperFraming.server(server_sap=1))
    def ask(event):
        """Send one event and return the answer; a real head-end writes to and reads from a socket here."""
        octets, answer = client.send(event), NEED_DATA
        while answer is NEED_DATA:
            client.receive_data(serve(server, meter, octets))
            answer, octets = client.next_event(), client.data_to_send()
        return answer
    opened(ask(client.associate()))
    query = read("1-0:1.8.0.255", class_id=3, attribute=2)
    energy_wh = query.result(ask(query.request)).integer()
    ask(ReleaseRequest())

The head-end. `client.send(event)` gives the octets to write. After each `receive_data`, loop over `next_event()` until
NEED_DATA, and write `data_to_send()`: block transfer asks for its next blocks there. `give_up()` when your timer runs
out. `read`, `read_many`, `read_profile`, `read_entries`, `write`, `act` and `access` build queries;
`query.result(answer)` is the value or raises AccessDeniedError, ActionRefusedError, ServiceRefusedError
(`lost_association`: associate again).
`opened(answer)` checks the association. RemoteProtocolError means the meter deviates, LocalProtocolError that we do.
`read_profile` returns a `Profile` of numpy columns: `profile.times_s` (int64 UTC seconds, stamps at interval END),
`profile.columns[i].values` and `.present`.

The meter. Implement `LogicalDevice` (admit, get, set, act) and call `serve(connection, device, octets) -> octets`; it
raises only when the stream is lost. `get` may return `encode_profile([StampColumn(...), NumberColumn(...)])`, which
is built by numpy. `RangeSelection.of(selection)` and `EntrySelection.of(selection)` read the selective access.

Security. Give a connection a `security.Ciphering` (keys, titles, counters; global, dedicated and general envelopes)
as `protection`, and a `security.Prover` for high level security. Clients and servers take plain associations beside
ciphered ones. What fails raises SecurityFailureError; `serve(..., on_failure=log)` hears of it on the meter's side.

The concentrator. `WrapperBuffer` cuts a TCP stream into `WrapperFrame`s; `frame.gateway_address` (network id and
physical address) names the meter, None the concentrator itself; `serve(that_meters_connection, device, frame.encode())`
answers with the header turned around. The head-end names the meter in `WrapperFraming.client(..., address)`.
'''

from __future__ import annotations

from openami.ami.dlms.axdr import Encoded, decode, encode
from openami.ami.dlms.client import ClientConnection, ClientEvent
from openami.ami.dlms.data import (
    NULL,
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    array,
    bit_string,
    boolean,
    date_time,
    enum,
    integer8,
    integer16,
    integer32,
    integer64,
    octet_string,
    structure,
    unsigned8,
    unsigned16,
    unsigned32,
    unsigned64,
    utf8_string,
    visible_string,
)
from openami.ami.dlms.device import LogicalDevice, respond, serve
from openami.ami.dlms.enums import (
    OUR_CONFORMANCE_WITH_ACCESS,
    AcseDiagnostic,
    ActionResult,
    AssociationResult,
    Conformance,
    Context,
    DataAccessResult,
    Mechanism,
)
from openami.ami.dlms.errors import (
    AccessDeniedError,
    ActionRefusedError,
    AssociationRefusedError,
    DlmsError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    ServiceRefusedError,
    TypeMismatchError,
)
from openami.ami.dlms.events import (
    NEED_DATA,
    Access,
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    AccessVerb,
    ActionRequest,
    ActionResponse,
    AssociationRequest,
    AssociationResponse,
    DataNotification,
    Event,
    EventNotification,
    ExceptionResponse,
    GetRequest,
    GetResponse,
    ReleaseRequest,
    ReleaseResponse,
    SetRequest,
    SetResponse,
)
from openami.ami.dlms.gateway import GatewayAddress
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile import Column, Profile, decode_profile
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn, encode_profile
from openami.ami.dlms.profile_rows import Kind
from openami.ami.dlms.profile_times import NO_TIME, stamps_to_utc_s, utc_s_to_stamps
from openami.ami.dlms.queries import (
    Query,
    access,
    act,
    opened,
    read,
    read_encoded,
    read_entries,
    read_many,
    read_profile,
    write,
)
from openami.ami.dlms.references import AttributeRef, Invoke, MethodRef, Selection
from openami.ami.dlms.selection import CaptureObject, EntrySelection, RangeSelection, capture_objects
from openami.ami.dlms.server import ServerConnection, ServerEvent
from openami.ami.dlms.state import State
from openami.ami.dlms.times import CosemDate, CosemDateTime, CosemTime
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFrame, WrapperFraming

__all__ = [
    "NEED_DATA",
    "NO_TIME",
    "NULL",
    "OUR_CONFORMANCE_WITH_ACCESS",
    "Access",
    "AccessDeniedError",
    "AccessOutcome",
    "AccessRequest",
    "AccessResponse",
    "AccessVerb",
    "AcseDiagnostic",
    "ActionRefusedError",
    "ActionRequest",
    "ActionResponse",
    "ActionResult",
    "AssociationRefusedError",
    "AssociationRequest",
    "AssociationResponse",
    "AssociationResult",
    "AttributeRef",
    "CaptureObject",
    "ClientConnection",
    "ClientEvent",
    "Column",
    "CompactArray",
    "Conformance",
    "Context",
    "CosemDate",
    "CosemDateTime",
    "CosemTime",
    "Data",
    "DataAccessResult",
    "DataNotification",
    "DlmsError",
    "Encoded",
    "EntrySelection",
    "Event",
    "EventNotification",
    "ExceptionResponse",
    "GatewayAddress",
    "GetRequest",
    "GetResponse",
    "Invoke",
    "Kind",
    "LocalProtocolError",
    "LogicalDevice",
    "Mechanism",
    "MethodRef",
    "NumberColumn",
    "Obis",
    "Profile",
    "ProtocolError",
    "Query",
    "RangeSelection",
    "ReleaseRequest",
    "ReleaseResponse",
    "RemoteProtocolError",
    "Selection",
    "ServerConnection",
    "ServerEvent",
    "ServiceRefusedError",
    "SetRequest",
    "SetResponse",
    "StampColumn",
    "State",
    "Tag",
    "TypeDescription",
    "TypeMismatchError",
    "WrapperBuffer",
    "WrapperFrame",
    "WrapperFraming",
    "access",
    "act",
    "array",
    "bit_string",
    "boolean",
    "capture_objects",
    "date_time",
    "decode",
    "decode_profile",
    "encode",
    "encode_profile",
    "enum",
    "integer8",
    "integer16",
    "integer32",
    "integer64",
    "octet_string",
    "opened",
    "read",
    "read_encoded",
    "read_entries",
    "read_many",
    "read_profile",
    "respond",
    "serve",
    "stamps_to_utc_s",
    "structure",
    "unsigned8",
    "unsigned16",
    "unsigned32",
    "unsigned64",
    "utc_s_to_stamps",
    "utf8_string",
    "visible_string",
    "write",
]
