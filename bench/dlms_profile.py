"""How fast a day of quarter hours is read, beside Gurux's Python client on the same octets.

Prints one JSON row a measurement: name, value, unit, baseline, baseline_value, ratio, goal, machine.
Both sides start from the octets of the wrapper frame and end with stamps in UTC and whole numbers.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import gurux_dlms
import numpy as np
from gurux_dlms import objects as gurux_objects
from gurux_dlms.enums import Authentication, InterfaceType

from bench._rows import print_rows, times_as_fast
from openami.ami.dlms import (
    CaptureObject,
    ClientConnection,
    NumberColumn,
    Obis,
    Profile,
    ServerConnection,
    StampColumn,
    Tag,
    WrapperFrame,
    WrapperFraming,
    encode_profile,
    read_entries,
    serve,
    utc_s_to_stamps,
)
from openami.ami.dlms.apdu import decode_apdu

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.ami.dlms import Encoded, Mechanism, Selection

ROWS = 96
GOAL = 50.0
PROFILE = Obis.of("1-0:99.1.0.255")
COLUMNS = [Obis.of(f"1-0:{quantity}.8.0.255") for quantity in (1, 2, 3, 4)]


class Meter:
    """A meter with one profile: clock, status and four registers."""

    def admit(self, _client_sap: int, _mechanism: Mechanism, _password: bytes) -> bool:
        """Everybody."""
        return True

    def get(self, _class_id: int, _obis: Obis, _attribute: int, _selection: Selection | None) -> Encoded:
        """The profile, whatever is asked."""
        first_s = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
        times_s = first_s + 900 * np.arange(1, ROWS + 1)
        stamps = StampColumn(utc_s_to_stamps(times_s, zone=ZoneInfo("Europe/Amsterdam")))
        status = NumberColumn(Tag.UNSIGNED8, np.full(ROWS, 8))
        registers = [NumberColumn(Tag.UNSIGNED32, np.arange(ROWS) * (n + 1) + 100_000) for n in range(len(COLUMNS))]
        return encode_profile([stamps, status, *registers])

    def set(self, *_: object) -> None:
        """Nothing is written."""
        raise NotImplementedError

    def act(self, *_: object) -> None:
        """Nothing is done."""
        raise NotImplementedError


def answered() -> bytes:
    """The wrapper frame in which a meter answers with its profile."""
    client, server = ClientConnection(WrapperFraming.client(1, 1)), ServerConnection(WrapperFraming.server(1))
    client.receive_data(serve(server, Meter(), client.send(client.associate())))
    client.next_event()
    return serve(server, Meter(), client.send(read_entries(PROFILE).request))


def ours(answer: bytes) -> Callable[[], Profile]:
    """Our reading of the answer."""
    query = read_entries(PROFILE)
    return lambda: query.result(decode_apdu(WrapperFrame.decode(answer).apdu))


def theirs(answer: bytes) -> Callable[[], list[list[Any]]]:
    """Gurux's client reading the same answer."""
    client = gurux_dlms.GXDLMSClient(True, 1, 1, Authentication.NONE, None, InterfaceType.WRAPPER)
    profile = gurux_objects.GXDLMSProfileGeneric(".".join(map(str, PROFILE.octets)))
    columns = [CaptureObject(8, Obis.of("0-0:1.0.0"), 2), CaptureObject(1, Obis.of("0-0:96.10.1"), 2)]
    columns += [CaptureObject(3, register, 2) for register in COLUMNS]
    kinds = {8: gurux_objects.GXDLMSClock, 1: gurux_objects.GXDLMSData, 3: gurux_objects.GXDLMSRegister}
    for column in columns:
        name = ".".join(map(str, column.obis.octets))
        profile.captureObjects.append((kinds[column.class_id](name), gurux_objects.GXDLMSCaptureObject(2, 0)))

    def read() -> list[list[Any]]:
        reply = gurux_dlms.GXReplyData()
        client.getData(gurux_dlms.GXByteBuffer(answer), reply)
        profile.buffer = []
        client.updateValue(profile, 2, reply.value)
        return list(profile.buffer)

    return read


def best_of(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest run."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Measure both and print the row."""
    answer = answered()
    our_read, their_read = ours(answer), theirs(answer)
    profile, buffer = our_read(), their_read()
    assert profile.columns[2].values.tolist() == [row[2] for row in buffer]
    assert profile.times_s.tolist() == [int(row[0].value.timestamp()) for row in buffer]
    mine, other = best_of(our_read, 400), best_of(their_read, 10)
    print_rows(
        [
            times_as_fast(
                "dlms.profile_96_rows",
                mine * 1e6,
                "us",
                beside=(f"gurux-dlms {version('gurux-dlms')}", other * 1e6),
                goal=GOAL,
            )
        ]
    )


if __name__ == "__main__":
    main()
