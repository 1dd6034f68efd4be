"""One meter read in full, ciphered (suite 0): our client beside Gurux's Python client, on the same meter.

Both associate with high level security (GMAC), read serial number, clock, a day of 96 x 4 values, the daily profile,
three logs, two registers and the breaker, and release. What counts is the processor time of the client; that of the
meter is taken off.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms import objects as gurux_objects
from gurux_dlms.enums import Authentication, InterfaceType, Security
from gurux_dlms.secure import GXDLMSSecureClient

from bench._rows import print_rows, times_as_fast
from bench.headend import DAILY, DIALS, INTERVAL_S, KEYS, LOAD, LOGS, START, VALUES, CannedMeter, CannedMeters, title_of
from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.device import serve
from openami.ami.dlms.enums import Mechanism
from openami.ami.dlms.events import GetRequest, GetResponse, ReleaseRequest
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile import decode_profile
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.security import Ciphering, Prover
from openami.ami.dlms.selection import range_of_stamps
from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.wrapper import WrapperFraming
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openami.ami.dlms.client import ClientEvent
    from openami.ami.dlms.events import Event

GOAL = 20.0
SERIAL = "BEN0000001"
TITLE = b"OAM\x00\x00\x00\x00\x01"
END = START + timedelta(days=1)
SINGLES = [(1, "0-0:96.1.0", 2), (8, "0-0:1.0.0", 2), (70, "0-0:96.3.10", 2), (70, "0-0:96.3.10", 3)]
PROFILES = (LOAD, DAILY, *sorted(LOGS, key=str))


class Line:
    """A canned meter at the end of a line that keeps time: what the meter took is not the client's."""

    def __init__(self) -> None:
        ciphering = Ciphering(title_of(SERIAL), KEYS)
        prover = Prover.of(ciphering, Mechanism.HIGH_GMAC)
        self._end = ServerConnection(WrapperFraming.server(), protection=ciphering, prover=prover)
        self._meter = CannedMeter(SERIAL)
        self.meter_s = 0.0

    def answer(self, frame: bytes) -> bytes:
        """What the meter answers."""
        began = time.process_time()
        answer = serve(self._end, self._meter, frame)
        self.meter_s += time.process_time() - began
        return answer


def ours(line: Line) -> list[int]:
    """Our client; the first values of the day."""
    ciphering = Ciphering(TITLE, KEYS, peer_title=title_of(SERIAL))
    client = ClientConnection(
        WrapperFraming.client(1, 1), protection=ciphering, prover=Prover.of(ciphering, Mechanism.HIGH_GMAC)
    )

    def ask(request: ClientEvent) -> Event:
        octets = client.send(request)
        while True:
            client.receive_data(line.answer(octets))
            found: Any = client.next_event()
            octets = client.data_to_send()
            if not octets:
                return found  # type: ignore[no-any-return]

    ask(client.associate())
    selection = range_of_stamps(START, END, zone=zone("UTC"), columns=()).selection()
    wanted = [AttributeRef(class_id, Obis.of(obis), attribute) for class_id, obis, attribute in SINGLES]
    wanted += [AttributeRef(3, obis, 2) for obis in DIALS]
    wanted += [AttributeRef(7, obis, 2, selection) for obis in PROFILES]
    answer = ask(GetRequest(tuple(wanted), listed=True))
    assert isinstance(answer, GetResponse)
    profiles: list[Any] = list(answer.results[-len(PROFILES) :])
    for single in answer.results[: -len(PROFILES)]:
        single.data()  # type: ignore[union-attr]
    decoded = [
        decode_profile(each.raw, zone=zone("UTC"), capture_period_s=INTERVAL_S, runs=each.runs) for each in profiles
    ]
    ask(ReleaseRequest())
    values: list[int] = decoded[0].columns[2].values.tolist()
    return values


def theirs(line: Line) -> list[int]:
    """Gurux's client, which asks for one attribute at a time where profiles are concerned."""
    client = GXDLMSSecureClient(True, 1, 1, Authentication.HIGH_GMAC, None, InterfaceType.WRAPPER)
    client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
    client.ciphering.systemTitle = bytearray(TITLE)
    client.ciphering.authenticationKey = bytearray(KEYS.authentication)
    client.ciphering.blockCipherKey = bytearray(KEYS.encryption)
    client.ciphering.invocationCounter = 1
    client.maxReceivePDUSize = 0xFFFF

    def send(frame: bytes, reply: GXReplyData) -> None:
        client.getData(GXByteBuffer(line.answer(bytes(frame))), reply)
        assert reply.error == 0, reply.error

    def ask(frames: Sequence[bytes]) -> GXReplyData:
        reply = GXReplyData()
        for frame in frames:
            reply = GXReplyData()
            send(frame, reply)
            while reply.isMoreData():
                send(client.receiverReady(reply), reply)
        return reply

    client.parseAareResponse(ask(client.aarqRequest()).data)
    client.parseApplicationAssociationResponse(ask(client.getApplicationAssociationRequest()).data)
    kinds = {1: gurux_objects.GXDLMSData, 8: gurux_objects.GXDLMSClock, 70: gurux_objects.GXDLMSDisconnectControl}
    singles = [(kinds[class_id](_dotted(Obis.of(obis))), attribute) for class_id, obis, attribute in SINGLES]
    singles += [(gurux_objects.GXDLMSRegister(_dotted(obis)), 2) for obis in DIALS]
    for item, attribute in singles:
        client.updateValue(item, attribute, ask(client.read(item, attribute)).value)
    buffers = []
    for obis in PROFILES:
        profile = gurux_objects.GXDLMSProfileGeneric(_dotted(obis))
        for column, attribute in _columns(obis):
            profile.captureObjects.append((column, gurux_objects.GXDLMSCaptureObject(attribute, 0)))
        client.updateValue(profile, 2, ask(client.readRowsByRange(profile, START, END)).value)
        buffers.append(profile.buffer)
    ask(client.releaseRequest())
    return [row[2] for row in buffers[0]]


def _columns(obis: Obis) -> list[tuple[Any, int]]:
    clock = (gurux_objects.GXDLMSClock("0.0.1.0.0.255"), 2)
    if obis == LOAD:
        measured = [(gurux_objects.GXDLMSRegister(_dotted(each)), 2) for each in VALUES]
        return [clock, (gurux_objects.GXDLMSData("0.0.96.10.1.255"), 2), *measured]
    if obis == DAILY:
        return [clock, *((gurux_objects.GXDLMSRegister(_dotted(each)), 2) for each in DIALS)]
    return [clock, (gurux_objects.GXDLMSData("0.0.96.11.0.255"), 2)]


def _dotted(obis: Obis) -> str:
    return ".".join(map(str, obis.octets))


def best_of(read: Callable[[Line], list[int]], repeats: int) -> float:
    """Processor seconds of the client in the fastest run."""
    spent = []
    for _ in range(repeats):
        line = Line()
        began = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):  # Gurux tells on the way what it seals
            read(line)
        spent.append(time.process_time() - began - line.meter_s)
    return min(spent)


def main() -> None:
    """Measure both and print the row."""
    warnings.simplefilter("ignore")
    CannedMeters.now = END + timedelta(minutes=20)
    with contextlib.redirect_stdout(io.StringIO()):
        found = ours(Line()), theirs(Line())
    assert found[0] == found[1], "both read the same day"
    mine, other = best_of(ours, 100), best_of(theirs, 5)
    print_rows(
        [
            times_as_fast(
                "head-end: one meter fully read, processor time of the client",
                mine * 1e3,
                "ms",
                beside=(f"gurux-dlms {version('gurux-dlms')}", other * 1e3),
                goal=GOAL,
            )
        ]
    )


if __name__ == "__main__":
    main()
