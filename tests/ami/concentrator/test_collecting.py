"""A concentrator that reads its meters by itself: over a bad segment, and answering in their place."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from tests.ami.concentrator.conftest import GENESIS, SECRET, ZONE

from openami.ami.concentrator.cache import KEPT_S, CachedMeter, CachedSession
from openami.ami.concentrator.collecting import EVERY_S, Collecting
from openami.ami.concentrator.segment import PERFECT, Line, Segment
from openami.ami.dlms import data as d
from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError, AssociationRefusedError
from openami.ami.dlms.events import NEED_DATA
from openami.ami.dlms.gateway import GatewayAddress
from openami.ami.dlms.protection import Protection
from openami.ami.dlms.queries import act, opened, read, read_entries, read_profile, write
from openami.ami.dlms.times import CosemDateTime
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFraming
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.happenings import happening_of
from openami.ami.meter.protection import system_title
from openami.ami.meter.recordings import Flow
from openami.ami.meter.street import MODERN, build_street, lls_password
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.ami.dlms.events import Event
    from openami.ami.dlms.queries import Query

    T = TypeVar("T")

START_S = seconds_of(GENESIS)
STREET = build_street(10, 1, MODERN)
(TRANSFORMER,) = STREET.transformers
SERIAL = "OAE0000001"
TITLE = system_title("OAC0000001")
EXPORTING = next(each.serial for each in STREET.devices if each.exports and each.home)


def lived(hours: float, line: Line = PERFECT, seed: int = 0) -> tuple[Fleet, Collecting, Segment]:
    """A street that lived so long, with a concentrator that read it each hour."""
    fleet = Fleet(STREET, ZONE, START_S)
    fleet.begin()
    segment = Segment(line, seed)
    collecting = Collecting(TRANSFORMER, segment, SECRET)
    pass_time(fleet, collecting, hours)
    return fleet, collecting, segment


def pass_time(fleet: Fleet, collecting: Collecting, hours: float) -> None:
    end_s = fleet.lived_s + int(hours * 3600)
    while fleet.lived_s < end_s:
        fleet.live_through(min(fleet.lived_s + EVERY_S, end_s))
        collecting.collect(fleet)


def pass_time_at_once(fleet: Fleet, collecting: Collecting, hours: float) -> None:
    fleet.live_through(fleet.lived_s + int(hours * 3600))
    collecting.collect(fleet)


class HeadEnd:
    """A client that asks the concentrator, who answers from what it knows."""

    def __init__(self, meter: CachedMeter, password: str | None = None, usual_title: bytes = b"") -> None:
        self._session = CachedSession(meter, ZONE, title=TITLE)
        secret = lls_password(SECRET, meter.serial) if password is None else password
        framing = WrapperFraming.client(address=GatewayAddress(0, meter.serial.encode()))
        known = Protection(usual_title=usual_title)
        self._client = ClientConnection(framing, protection=known, password=secret.encode())
        opened(self._exchange(self._client.send(self._client.associate())))

    @property
    def stood_in(self) -> bool:
        return self._client.stood_in

    def ask(self, query: Query[T]) -> T:
        return query.result(self._exchange(self._client.send(query.request)))

    def _exchange(self, octets: bytes) -> Event:
        while octets:
            buffer = WrapperBuffer()
            buffer.receive(octets)
            frame = buffer.next_frame()
            assert frame is not None
            self._client.receive_data(self._session.serve(frame))
            event = self._client.next_event()
            octets = self._client.data_to_send()
            if event is not NEED_DATA:
                return event  # type: ignore[return-value]
        raise AssertionError("no answer")


def stamps(found: CachedMeter) -> list[int]:
    return [int(stamp) for stamp in HeadEnd(found).ask(read_entries("1-0:99.1.0")).times_s]


def test_it_finds_its_meters_and_reads_them_each_hour():
    fleet, collecting, segment = lived(3)
    homes = {each.serial for each in STREET.devices if each.home and not each.mbus_address}
    assert set(collecting.meters) == homes
    for serial, known in collecting.meters.items():
        meter = fleet.meters[serial]
        assert (known.read_s, known.failures, known.found_s) == (fleet.lived_s, 0, START_S + EVERY_S)
        head_end = HeadEnd(known)
        assert head_end.ask(read("1-0:1.8.0", 3)).integer() == meter.register_at(fleet.lived_s)
        profile = head_end.ask(read_entries("1-0:99.1.0"))
        assert profile.columns[2].values.sum() == meter.register_at(fleet.lived_s) - meter.device.start_register
        assert len(head_end.ask(read_entries("1-0:98.2.0"))) == 1, "it was hung at a midnight"
    assert segment.lost == 0


def test_export_is_kept_too():
    fleet, collecting, _ = lived(0)
    pass_time_at_once(fleet, collecting, 13)
    head_end = HeadEnd(collecting.meters[EXPORTING])
    assert head_end.ask(read("1-0:2.8.0", 3)).integer() == fleet.meters[EXPORTING].register_at(
        fleet.lived_s, Flow.EXPORT
    )
    rows = head_end.ask(read_entries("1-0:99.1.0"))
    assert rows.columns[3].values.sum() == fleet.meters[EXPORTING].register_at(fleet.lived_s, Flow.EXPORT)
    with pytest.raises(AccessDeniedError):
        HeadEnd(collecting.meters[SERIAL]).ask(read("1-0:2.8.0", 3))


def test_it_answers_for_a_meter_without_mains_with_what_it_read_last():
    fleet, collecting, _ = lived(2)
    fleet.meters[SERIAL].power_down(fleet.lived_s + 60)
    pass_time(fleet, collecting, 2)
    known = collecting.meters[SERIAL]
    assert (known.read_s, known.failures) == (START_S + 2 * 3600, 2)
    head_end = HeadEnd(known)
    assert CosemDateTime.decode(head_end.ask(read("0-0:1.0.0", 8)).octets()).instant() == instant_of(known.read_s)
    assert stamps(known)[-1] == START_S + 2 * 3600
    fleet.meters[SERIAL].power_up(fleet.lived_s)
    pass_time(fleet, collecting, 1)
    assert (known.read_s, known.failures) == (fleet.lived_s, 0)


def test_it_carries_out_nothing_and_knows_what_it_does_not_know():
    _, collecting, _ = lived(1)
    head_end = HeadEnd(collecting.meters[SERIAL])
    with pytest.raises(ActionRefusedError):
        head_end.ask(act("0-0:96.3.10", 70, 1))
    with pytest.raises(AccessDeniedError):
        head_end.ask(write("0-0:96.3.10", 70, 4, d.enum(1)))
    with pytest.raises(AccessDeniedError):
        head_end.ask(read("0-0:96.3.10", 70, 3))
    assert head_end.ask(read("1-0:1.8.0", 3, 1)).octets() == bytes.fromhex("0100010800ff")
    assert [each.integer() for each in head_end.ask(read("1-0:1.8.0", 3, 3)).elements()] == [0, 30]


@pytest.mark.parametrize(("usual_title", "stood_in"), [(system_title(SERIAL), True), (TITLE, False), (b"", False)])
def test_it_says_by_its_title_that_it_is_not_the_meter(usual_title: bytes, stood_in: bool):
    """Without keys, too; a client that does not know the meter's title cannot tell."""
    _, collecting, _ = lived(1)
    assert HeadEnd(collecting.meters[SERIAL], usual_title=usual_title).stood_in == stood_in


def test_it_speaks_only_to_who_knows_the_password():
    _, collecting, _ = lived(1)
    with pytest.raises(AssociationRefusedError):
        HeadEnd(collecting.meters[SERIAL], password="0" * 16)


def test_a_span_is_the_rows_in_it():
    fleet, collecting, _ = lived(0)
    pass_time_at_once(fleet, collecting, 12)
    first = GENESIS + timedelta(hours=3)
    query = read_profile("1-0:99.1.0", first, first + timedelta(hours=2), zone=zone(ZONE))
    found = HeadEnd(collecting.meters[SERIAL]).ask(query)
    assert [instant_of(stamp) for stamp in found.times_s.tolist()] == [
        first + n * timedelta(minutes=30) for n in range(5)
    ]


@pytest.mark.parametrize("seed", range(2))
def test_on_a_segment_that_loses_frames_every_row_comes_once_at_last(seed: int):
    fleet, collecting, segment = lived(6, Line(loss=0.5), seed)
    assert segment.lost > 5
    assert segment.repeated > segment.lost
    segment.line = PERFECT  # the noise is over
    pass_time(fleet, collecting, 1)
    for serial, known in collecting.meters.items():
        step_s = fleet.meters[serial].device.interval_s
        assert stamps(known) == list(range(START_S + step_s, fleet.lived_s + 1, step_s))


def test_what_a_slow_segment_cannot_carry_waits_its_turn():
    fleet, collecting, segment = lived(3, Line(bits_per_s=15))
    read_at = sorted({known.read_s for known in collecting.meters.values()})
    assert len(read_at) > 1, "not all were read in one hour"
    assert segment.lost == 0
    pass_time(fleet, collecting, 5)
    oldest = min(known.read_s for known in collecting.meters.values())
    assert fleet.lived_s - oldest <= 5 * EVERY_S, "the one that waits longest comes first"


def test_a_swapped_meter_is_found_and_the_old_one_is_read_no_more():
    fleet, collecting, _ = lived(2)
    body = {
        "kind": "swap",
        "old_serial": SERIAL,
        "new_serial": "OAE0000011",
        "at": instant_of(fleet.lived_s + 60).isoformat(),
    }
    fleet.order(happening_of(body, STREET, ZONE))
    pass_time(fleet, collecting, 3)
    assert collecting.meters["OAE0000011"].read_s == fleet.lived_s
    assert collecting.meters[SERIAL].read_s == START_S + 2 * 3600


def test_old_rows_are_forgotten():
    fleet, collecting, _ = lived(1)
    fleet.live_through(START_S + 15 * 86400)
    collecting.collect(fleet)
    found = stamps(collecting.meters[SERIAL])
    assert found[-1] - found[0] < KEPT_S
    assert found[-1] == fleet.lived_s
    assert datetime.fromtimestamp(found[-1], UTC) == instant_of(fleet.lived_s)


def test_logs_are_kept_whole_and_answered_for_a_meter_in_the_dark():
    fleet, collecting, _ = lived(1)
    fleet.order(happening_of({"kind": "tamper_cover", "serial": SERIAL, "at": at(1.2), "to": at(1.3)}, STREET, ZONE))
    fleet.order(happening_of({"kind": "clock_drift", "serial": SERIAL, "at": at(1.4), "seconds": 600}, STREET, ZONE))
    fleet.order(happening_of({"kind": "tamper_magnet", "serial": SERIAL, "at": at(1.5), "to": at(1.6)}, STREET, ZONE))
    pass_time(fleet, collecting, 1)
    fleet.meters[SERIAL].power_down(fleet.lived_s + 60)
    pass_time(fleet, collecting, 1)
    head_end = HeadEnd(collecting.meters[SERIAL])
    rows = head_end.ask(read_entries("0-0:99.98.1"))
    assert rows.columns[1].values.tolist() == [44, 45, 42, 43]
    assert rows.times_s.tolist() == sorted(rows.times_s.tolist())
    assert len(head_end.ask(read_entries("0-0:99.98.2"))) == 0
    captures = head_end.ask(read("0-0:99.98.1", 7, 3)).elements()
    assert len(captures) == 2


def at(hours: float) -> str:
    return instant_of(START_S + int(hours * 3600)).isoformat()


def test_what_is_stored_is_taken_back_as_it_was():
    _, collecting, _ = lived(3)
    known = collecting.meters[SERIAL]
    again = CachedMeter(known.serial, known.password, known.found_s, known.read_s)
    again.unpack(json.loads(json.dumps(known.packed())))
    assert again.values == known.values
    assert again.profiles.keys() == known.profiles.keys()
    for obis, profile in known.profiles.items():
        assert again.profiles[obis].captures == profile.captures
        assert (again.profiles[obis].columns == profile.columns).all()
    assert stamps(again) == stamps(known)
