"""Client and server over a fake wire: whole dialogues, in every size of PDU and every cut of the stream."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.ami.dlms import (
    AccessDeniedError,
    AcseDiagnostic,
    ActionRefusedError,
    ActionResult,
    AssociationRefusedError,
    AttributeRef,
    ClientConnection,
    DataAccessResult,
    EntrySelection,
    ExceptionResponse,
    GetRequest,
    Invoke,
    LocalProtocolError,
    Obis,
    ReleaseRequest,
    ReleaseResponse,
    ServerConnection,
    ServiceRefusedError,
    State,
    WrapperFraming,
    act,
    octet_string,
    opened,
    read,
    read_entries,
    read_many,
    read_profile,
    serve,
    unsigned32,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ami.dlms.conftest import ConnectionPair

ENERGY = Obis.of("1-0:1.8.0.255")
PROFILE = Obis.of("1-0:99.1.0.255")
BREAKER = Obis.of("0-0:96.3.10.255")
DEVICE_ID = Obis.of("0-0:96.1.0.255")

shapes = pytest.mark.parametrize(
    ("client_pdu", "server_pdu", "chunk"),
    [(8192, 1224, 1_000_000), (0, 0, 1_000_000), (64, 64, 1_000_000), (8192, 1224, 1), (300, 64, 7)],
)


@shapes
def test_a_day_of_the_profile_arrives_whole_however_it_is_cut(
    make_pair: Callable[..., ConnectionPair], client_pdu: int, server_pdu: int, chunk: int
) -> None:
    pair = make_pair(client_pdu=client_pdu, server_pdu=server_pdu, chunk=chunk)
    pair.associate()
    start, end = datetime(2026, 3, 1, 0, 15, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    profile = pair.query(read_profile(PROFILE, start, end))
    assert profile.times_s.tolist() == pair.meter.stamps_s[:96].tolist()
    assert np.array_equal(profile.columns[1].values, pair.meter.energy_wh[:96])
    assert pair.client.state is pair.server.state is State.READY


@shapes
def test_long_writes_and_long_action_parameters_and_results_travel_in_blocks(
    make_pair: Callable[..., ConnectionPair], client_pdu: int, server_pdu: int, chunk: int
) -> None:
    pair = make_pair(client_pdu=client_pdu, server_pdu=server_pdu, chunk=chunk)
    pair.associate()
    text = bytes(range(256)) * 8
    pair.query(write(DEVICE_ID, 1, 2, octet_string(text)))
    assert pair.meter.text == text
    returned = pair.query(act(DEVICE_ID, 1, 1, octet_string(text)))
    assert returned is not None
    assert returned.octets() == text
    assert pair.client.state is pair.server.state is State.READY


@shapes
def test_a_list_keeps_a_refusal_in_the_place_of_its_value(
    make_pair: Callable[..., ConnectionPair], client_pdu: int, server_pdu: int, chunk: int
) -> None:
    pair = make_pair(client_pdu=client_pdu, server_pdu=server_pdu, chunk=chunk)
    pair.meter.text = b"z" * 500
    pair.associate()
    wanted = [AttributeRef(3, ENERGY, 2), AttributeRef(9, ENERGY, 2), AttributeRef(1, DEVICE_ID, 2)]
    assert pair.query(read_many(wanted)) == (
        unsigned32(1_234_567),
        DataAccessResult.OBJECT_UNDEFINED,
        octet_string(b"z" * 500),
    )


def test_the_breaker_opens_and_closes(pair: ConnectionPair) -> None:
    pair.query(act(BREAKER, 70, 1))
    assert pair.query(read(BREAKER, 70)).boolean() is False
    pair.query(act(BREAKER, 70, 2))
    assert pair.query(read(BREAKER, 70)).boolean() is True
    with pytest.raises(ActionRefusedError) as refusal:
        pair.query(act(BREAKER, 70, 3))
    assert refusal.value.result is ActionResult.OBJECT_UNDEFINED


def test_entries_are_counted_from_one(pair: ConnectionPair) -> None:
    profile = pair.query(read_entries(PROFILE, EntrySelection(2, 4)))
    assert profile.columns[1].values.tolist() == pair.meter.energy_wh[1:4].tolist()
    assert len(pair.query(read_entries(PROFILE))) == len(pair.meter.energy_wh)


def test_an_empty_range_gives_no_rows(pair: ConnectionPair) -> None:
    before = datetime(2020, 1, 1, tzinfo=UTC)
    profile = pair.query(read_profile(PROFILE, before, before))
    assert len(profile) == 0
    assert profile.times_s.tolist() == []


def test_a_wrong_password_is_told_apart(make_pair: Callable[..., ConnectionPair]) -> None:
    pair = make_pair()
    pair.client = ClientConnection(WrapperFraming.client(1, 1), password=b"wrong")
    with pytest.raises(AssociationRefusedError) as refusal:
        pair.associate()
    assert refusal.value.diagnostic is AcseDiagnostic.AUTHENTICATION_FAILURE
    assert pair.client.state is pair.server.state is State.IDLE


def test_release_ends_the_association_on_both_sides(pair: ConnectionPair) -> None:
    assert pair.ask(ReleaseRequest()) == ReleaseResponse()
    assert pair.client.state is pair.server.state is State.IDLE
    with pytest.raises(LocalProtocolError):
        pair.client.send(read(ENERGY, 3).request)


def test_a_server_without_association_says_so_and_the_client_knows_to_associate_again(pair: ConnectionPair) -> None:
    pair.server = ServerConnection(WrapperFraming.server(1))  # the meter restarted
    query = read(ENERGY, 3)
    answer = pair.ask(query.request)
    assert answer == ExceptionResponse(1, 1)
    with pytest.raises(ServiceRefusedError) as refusal:
        query.result(answer)
    assert refusal.value.lost_association
    assert pair.client.state is State.IDLE
    pair.associate()
    assert pair.query(query).integer() == 1_234_567


def test_a_stranger_is_refused_and_does_not_disturb(pair: ConnectionPair) -> None:
    stranger = ClientConnection(WrapperFraming.client(16, 1))
    stranger._state = State.READY
    stranger.receive_data(serve(pair.server, pair.meter, stranger.send(read(ENERGY, 3).request)))
    assert stranger.next_event() == ExceptionResponse(1, 1)
    assert pair.query(read(ENERGY, 3)).integer() == 1_234_567


def test_a_service_that_was_not_negotiated_is_not_served(make_pair: Callable[..., ConnectionPair]) -> None:
    pair = make_pair()
    request = pair.client.associate()
    narrow = type(request.initiate)(type(request.initiate.conformance).GET)
    opened(pair.ask(type(request)(mechanism=request.mechanism, authentication=b"12345678", initiate=narrow)))
    assert pair.query(read(ENERGY, 3)).integer() == 1_234_567
    with pytest.raises(ServiceRefusedError):
        pair.query(act(BREAKER, 70, 1))
    assert pair.meter.connected


def test_a_late_answer_is_dropped_and_counted(pair: ConnectionPair) -> None:
    late = serve(pair.server, pair.meter, pair.client.send(read(ENERGY, 3).request))
    pair.client.give_up()
    octets = pair.client.send(read(BREAKER, 70).request)
    pair.client.receive_data(late)
    pair.client.receive_data(serve(pair.server, pair.meter, octets))
    assert read(BREAKER, 70).result(pair.client.next_event()).boolean()
    assert pair.client.late_answers == 1


def test_an_unconfirmed_request_is_carried_out_without_an_answer(pair: ConnectionPair) -> None:
    request = act(BREAKER, 70, 1).request
    silent = type(request)(request.methods, request.parameters, invoke=Invoke(confirmed=False))  # type: ignore[union-attr,arg-type,call-arg]  # an action
    assert serve(pair.server, pair.meter, pair.client.send(silent)) == b""
    assert not pair.meter.connected
    assert pair.client.state is pair.server.state is State.READY


def test_reading_what_may_not_be_read_raises_with_its_reason(pair: ConnectionPair) -> None:
    with pytest.raises(AccessDeniedError) as refusal:
        pair.query(read("1-0:2.8.0.255", 3))
    assert refusal.value.result is DataAccessResult.OBJECT_UNDEFINED
    with pytest.raises(AccessDeniedError):
        pair.query(write(ENERGY, 3, 2, unsigned32(1)))


def test_garbage_inside_a_frame_is_answered_and_the_association_lives(pair: ConnectionPair) -> None:
    answer = serve(pair.server, pair.meter, bytes.fromhex("0001000100010003c0ffc1"))
    assert answer == bytes.fromhex("0001000100010003d80202")
    assert pair.query(read(ENERGY, 3)).integer() == 1_234_567


def test_asking_for_a_block_that_does_not_follow_is_refused(make_pair: Callable[..., ConnectionPair]) -> None:
    pair = make_pair(client_pdu=64)
    pair.associate()
    lost = bytes.fromhex("0001000100010007c002c100000009")
    no_transfer = serve(pair.server, pair.meter, lost)
    assert no_transfer[8:].hex() == "c402c101000000090110"
    serve(pair.server, pair.meter, pair.client.send(GetRequest((AttributeRef(7, PROFILE, 2),))))
    assert serve(pair.server, pair.meter, lost)[8:].hex() == "c402c101000000090113"
    assert pair.server.state is State.READY
