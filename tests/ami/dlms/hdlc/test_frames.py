"""HDLC frames: every form survives, streams are cut and dirty, nothing bad passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError
from openami.ami.dlms.hdlc import Frame, FrameReader, HdlcAddress, LinkParameters
from openami.ami.dlms.hdlc.crc import checksum
from openami.ami.dlms.hdlc.frames import MAX_FRAME_OCTETS, FrameKind

VECTORS = Path(__file__).parents[3] / "vectors" / "dlms"

sevens, fourteens = st.integers(0, 0x7F), st.integers(0, 0x3FFF)
addresses = st.one_of(
    st.builds(HdlcAddress, sevens),
    st.builds(HdlcAddress, sevens, sevens, st.just(2)),
    st.builds(HdlcAddress, fourteens, fourteens, st.just(4)),
)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    kind = draw(st.sampled_from(FrameKind))
    numbered = kind in (FrameKind.RECEIVE_READY, FrameKind.RECEIVE_NOT_READY, FrameKind.REJECT, FrameKind.INFORMATION)
    return Frame(
        draw(addresses),
        draw(addresses),
        kind,
        draw(st.binary(max_size=300)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.integers(0, 7)) if kind is FrameKind.INFORMATION else 0,
        draw(st.integers(0, 7)) if numbered else 0,
    )


@given(frames())
def test_a_frame_survives(frame: Frame) -> None:
    assert Frame.decode(frame.encode()[1:-1]) == frame


@given(
    st.lists(frames(), max_size=4), st.integers(1, 50), st.binary(max_size=20).filter(lambda noise: 0x7E not in noise)
)
def test_frames_are_found_in_a_dirty_stream_cut_anywhere(sent: list[Frame], size: int, noise: bytes) -> None:
    stream = noise + b"".join(frame.encode() for frame in sent)
    reader, received = FrameReader(), []
    for at in range(0, len(stream), size):
        reader.receive(stream[at : at + size])
        while (frame := reader.next_frame()) is not None:
            received.append(frame)
    assert received == sent
    assert reader.discarded == len(noise)
    assert reader.pending <= 1


@given(st.lists(frames(), min_size=2, max_size=4))
def test_one_flag_may_close_and_open(sent: list[Frame]) -> None:
    reader = FrameReader()
    reader.receive(b"\x7e" + b"\x7e".join(frame.encode()[1:-1] for frame in sent) + b"\x7e")
    assert [reader.next_frame() for _ in sent] == sent


@given(frames(), st.data())
def test_a_changed_bit_never_passes(frame: Frame, data: st.DataObject) -> None:
    octets = bytearray(frame.encode()[1:-1])
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(RemoteProtocolError):
        Frame.decode(bytes(octets))


@given(st.binary(max_size=60).map(lambda octets: octets + checksum(octets)) | st.binary(max_size=200))
def test_any_octets_are_a_frame_or_refused(octets: bytes) -> None:
    try:
        frame = Frame.decode(octets)
    except RemoteProtocolError:
        return
    assert frame.encode()[1:-1] == octets


@given(st.binary(max_size=4000).map(lambda noise: noise.replace(b"\xa0", b"\x7e\xa7")))
def test_noise_is_dropped_in_bounded_memory(noise: bytes) -> None:
    reader = FrameReader()
    reader.receive(noise)
    while reader.next_frame() is not None:
        pass
    assert reader.pending <= MAX_FRAME_OCTETS + 2


@pytest.mark.parametrize(
    ("octets", "kind", "information"),
    [
        ("a0070321930f01", FrameKind.SNRM, ""),
        ("a0072103730140", FrameKind.UA, ""),
        ("a00703215303c7", FrameKind.DISC, ""),
        ("a00703211115a6", FrameKind.RECEIVE_READY, ""),
        (
            "a0190321107fdae6e600c001c100030100010800ff02003268",
            FrameKind.INFORMATION,
            "e6e600c001c100030100010800ff0200",
        ),
    ],
)
def test_known_frames(octets: str, kind: FrameKind, information: str) -> None:
    frame = Frame.decode(bytes.fromhex(octets))
    assert (frame.kind, frame.information.hex()) == (kind, information)
    assert frame.poll
    assert frame.encode()[1:-1].hex() == octets


def test_frames_of_another_reader() -> None:
    rows = [json.loads(line) for line in (VECTORS / "hdlc_frames.jsonl").read_text().splitlines()]
    by_name = {row["name"]: bytes.fromhex(row["hex_without_flags"]) for row in rows}
    escaped = by_name.pop("STUFFED_FRAME_SHORT_INFO")
    for name, octets in by_name.items():
        frame = Frame.decode(octets)
        assert frame.encode()[1:-1] == octets, name
        reader = FrameReader()
        reader.receive(b"\x7e" + octets + b"\x7e")
        assert reader.next_frame() == frame, name
    with pytest.raises(RemoteProtocolError):
        Frame.decode(escaped)


@pytest.mark.parametrize(
    ("octets", "address"),
    [("21", HdlcAddress(16)), ("0223", HdlcAddress(1, 17, 2)), ("00020023", HdlcAddress(1, 17, 4))],
)
def test_addresses_of_every_length(octets: str, address: HdlcAddress) -> None:
    assert HdlcAddress.decode(bytes.fromhex(octets)) == address
    assert address.encode().hex() == octets


def test_an_address_of_three_octets_does_not_exist() -> None:
    with pytest.raises(RemoteProtocolError):
        HdlcAddress.decode(b"\x02\x02\x03")
    for wrong in (HdlcAddress(1, 1, 3), HdlcAddress(0x80), HdlcAddress(-1), HdlcAddress(1, 0x80, 2)):
        with pytest.raises(LocalProtocolError):
            wrong.encode()


def test_a_frame_longer_than_the_format_allows_is_our_own_error() -> None:
    with pytest.raises(LocalProtocolError, match="longer"):
        Frame(HdlcAddress(1), HdlcAddress(1), FrameKind.UI, bytes(2050)).encode()


parameters = st.builds(LinkParameters, st.integers(1, 2030), st.integers(1, 2030), st.integers(1, 7), st.integers(1, 7))


@given(parameters, parameters)
def test_parameters_survive_and_agree_from_both_sides(client: LinkParameters, server: LinkParameters) -> None:
    assert LinkParameters.decode(client.encode()) == client
    at_server = server.agreed(LinkParameters.decode(client.encode()))
    at_client = client.agreed(LinkParameters.decode(at_server.encode()))
    assert (at_client.transmit_octets, at_client.receive_octets) == (
        at_server.receive_octets,
        at_server.transmit_octets,
    )
    assert (at_client.transmit_window, at_client.receive_window) == (
        at_server.receive_window,
        at_server.transmit_window,
    )


@given(st.binary(max_size=40))
def test_any_parameters_are_read_within_bounds_or_refused(octets: bytes) -> None:
    try:
        found = LinkParameters.decode(octets)
    except RemoteProtocolError:
        return
    assert 1 <= found.transmit_octets <= 2030
    assert 1 <= found.receive_window <= 7


def test_parameters_in_values_of_every_length() -> None:
    seen = bytes.fromhex("818014050201000602010007040000000108040000000 1".replace(" ", ""))
    assert LinkParameters.decode(seen) == LinkParameters(256, 256, 1, 1)
    assert LinkParameters.decode(bytes.fromhex("81800c050180060180070101080101")) == LinkParameters()
    assert LinkParameters.decode(b"") == LinkParameters()
