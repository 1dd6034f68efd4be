"""Value to bytes to value, and any bytes to a value or a protocol error."""

from __future__ import annotations

import struct
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import example, given
from hypothesis import strategies as st

from openami.ami.mbus import (
    Acknowledge,
    Frame,
    FrameSplitter,
    Header,
    LocalTime,
    LongFrame,
    MBusError,
    Medium,
    ShortFrame,
    VariableData,
    build,
    decode,
    decode_telegram,
    encode,
    encode_telegram,
    reading_of,
    values,
)
from openami.ami.mbus.errors import (
    ControlInformationError,
    EncryptedError,
    FrameStopError,
    HeaderTruncatedError,
    KeyMissingError,
    UnencodableError,
    WrongKeyError,
)
from openami.ami.mbus.frames import RSP_UD
from openami.ami.mbus.header import manufacturer_code, manufacturer_letters
from openami.ami.mbus.readings import NoReadingError
from openami.ami.mbus.records import Function, RawRecord, interpret, split_records, variable_size
from openami.ami.mbus.security import derived_key
from openami.ami.mbus.telegram import decode_application
from openami.ami.telegrams.decode import decode as tell

KEY = bytes(range(16))


def wall(*fields: int) -> datetime:
    """A time as a meter shows it, without a zone."""
    return datetime(fields[0], *fields[1:])  # type: ignore[arg-type] # noqa: DTZ001


octet = st.integers(0, 255)
frames: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Acknowledge),
    st.builds(ShortFrame, octet, octet),
    st.builds(LongFrame, octet, octet, octet, st.binary(max_size=252)),
)
letters = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3)
headers = st.builds(
    Header,
    identification=st.integers(0, 99_999_999).map("{:08d}".format),
    manufacturer=letters,
    version=octet,
    medium=octet,
    access_number=octet,
    status=octet,
    configuration=st.just(0),
)
AMSTERDAM = "Europe/Amsterdam"


@given(frames)
def test_a_frame_survives_the_line(frame: Frame):
    assert decode(encode(frame)) == frame


@given(st.lists(frames, max_size=6), st.data())
def test_a_stream_cut_anywhere_gives_the_same_frames(sent: list[Frame], data: st.DataObject):
    line = b"".join(encode(frame) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=5)))
    splitter = FrameSplitter()
    received: list[Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(line)], strict=True):
        received += splitter.feed(line[start:end])
    assert received == sent
    assert splitter.pending_bytes == splitter.noise_bytes == 0


@given(st.binary(max_size=600))
def test_any_bytes_leave_the_splitter_bounded(noise: bytes):
    splitter = FrameSplitter()
    for frame in splitter.feed(noise):
        assert encode(frame) in noise
    assert splitter.pending_bytes <= 261
    assert len(splitter.feed(bytes(261))) <= 1
    assert splitter.pending_bytes == 0


def test_a_frame_behind_noise_is_found():
    frame = ShortFrame(0x5B, 1)
    splitter = FrameSplitter()
    assert splitter.feed(b"\x68\x03\x03\x00" + encode(frame)) == [frame]
    assert splitter.noise_bytes == 4
    assert splitter.last_error is not None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_an_error(data: bytes):
    try:
        frame = decode(data)
    except MBusError:
        return
    assert encode(frame) == data


@given(st.sampled_from([0x70, 0x72, 0x73, 0x78, 0x7A, 0x51]), st.binary(max_size=252))
@example(0x78, bytes.fromhex("0D 78 E0"))
@example(0x78, bytes.fromhex("0D FD 30 C0"))
@example(0x78, bytes.fromhex("04 6D FF FF FF FF"))
def test_any_application_data_are_a_telegram_or_an_error(information: int, data: bytes):
    try:
        telegram = decode_application(information, data)
    except MBusError:
        return
    if isinstance(telegram, VariableData):
        total = sum(len(record.raw.octets) for record in telegram.records)
        assert total + len(telegram.manufacturer_data) <= len(data)


@given(headers, st.integers(-(10**7) + 1, 10**8 - 1), st.datetimes(wall(1981, 1, 1), wall(2080, 12, 31)))
def test_a_telegram_survives(header: Header, litres: int, shown: datetime):
    time = LocalTime(shown.replace(second=0, microsecond=0), summer=True)
    frame = encode_telegram(header, [build.date_time(time), build.volume_litres(litres), build.error_flags(0)])
    telegram = decode_telegram(frame)
    assert isinstance(telegram, VariableData)
    assert telegram.header == header
    assert [record.value for record in telegram.records] == [time, Decimal(litres).scaleb(-3), 0]
    assert telegram.records[1].unit == "m3"


@given(
    st.sampled_from([1, 2, 3, 4, 6, 8]),
    st.data(),
    st.sampled_from(Function),
    st.integers(0, 2**20),
    st.integers(0, 2**10),
)
def test_an_integer_record_keeps_its_coordinates(
    size: int, data: st.DataObject, function: Function, storage: int, tariff: int
):
    value = data.draw(st.integers(-(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1))
    raw = build.integer(b"\x03", value, size, function=function, storage=storage, tariff=tariff)
    assert split_records(raw.octets) == ([raw], b"", False)
    record = interpret(raw)
    assert (record.value, record.unit, record.quantity) == (value, "Wh", "energy")
    assert (record.function, record.storage, record.tariff) == (function, storage, tariff)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_single_is_the_shortest_decimal_of_its_bits(value: float):
    data = struct.pack("<f", value)
    decoded = values.real(data)
    assert decoded is not None
    assert struct.pack("<f", float(decoded)) == data
    assert len(decoded.as_tuple().digits) <= 9


@given(st.dates(date(1981, 1, 1), date(2080, 12, 31)))
def test_type_g(day: date):
    assert values.date_g(values.encode_date_g(day)) == day


@given(st.datetimes(wall(2000, 1, 1), wall(2060, 1, 1), timezones=st.just(UTC)))
@example(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
@example(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
def test_local_times_come_back_as_instants_even_in_the_doubled_hour(instant: datetime):
    minute = instant.replace(second=0, microsecond=0)
    time = values.date_time_f(values.encode_date_time_f(LocalTime.of(minute, AMSTERDAM)))
    assert time is not None
    assert time.instant(AMSTERDAM) == minute


@given(letters)
def test_manufacturer_letters(three: str):
    assert manufacturer_letters(manufacturer_code(three)) == three


def test_known_codings():
    assert manufacturer_code("KAM") == 0x2C2D
    assert values.bcd(bytes.fromhex("45 F3")) == -345
    assert values.bcd(bytes.fromhex("4A 03")) is None
    assert values.encode_bcd(-345, 2) == bytes.fromhex("45 F3")
    assert values.real(bytes.fromhex("0000C07F")) is None
    day = values.encode_date_g(date(2026, 12, 31))
    assert values.date_time_i(b"\x5e\x2d\x8d" + day + b"\x00") == LocalTime(wall(2026, 12, 31, 13, 45, 30), summer=True)
    assert values.date_time_f(b"\x00\x18" + day) == LocalTime(wall(2027, 1, 1))
    assert [variable_size(lvar) for lvar in (0, 0xBF, 0xC9, 0xD3, 0xEF, 0xF0, 0xF4, 0xF5, 0xF6, 0xFF)] == [
        0,
        0xBF,
        9,
        3,
        15,
        16,
        32,
        48,
        64,
        0,
    ]


def test_what_does_not_fit_is_refused():
    with pytest.raises(UnencodableError):
        build.volume_litres(10**8)
    with pytest.raises(UnencodableError):
        build.integer(b"\x03", 128, 1)
    with pytest.raises(UnencodableError):
        build.integer(b"\x03", 1, 5)
    with pytest.raises(UnencodableError):
        build.bcd(b"\x03", 1, 8)
    with pytest.raises(UnencodableError):
        encode(ShortFrame(256, 0))
    with pytest.raises(UnencodableError):
        encode(LongFrame(0, 0, 0, bytes(253)))
    with pytest.raises(UnencodableError):
        manufacturer_code("ab")
    with pytest.raises(UnencodableError):
        Header("123", "OAG", 1, 3, 0).encode()
    with pytest.raises(UnencodableError):
        Header("12345678", "OAG", 256, 3, 0).encode()


def test_a_frame_without_its_stop_byte():
    with pytest.raises(FrameStopError):
        decode(encode(ShortFrame(1, 1))[:-1] + b"\x00")


def test_an_encrypted_telegram_asks_for_its_key():
    header = Header("00000001", "OAG", 1, Medium.GAS, 0, configuration=0x0500)
    with pytest.raises(EncryptedError):
        decode_telegram(LongFrame(RSP_UD, 1, 0x72, header.encode() + bytes(16)))
    with pytest.raises(EncryptedError, match="names no meter"):
        decode_telegram(LongFrame(RSP_UD, 1, 0x7A, bytes.fromhex("01000005") + bytes(16)))
    mode_7 = Header("00000001", "OAG", 1, Medium.GAS, 0, configuration=0x0710)
    with pytest.raises(EncryptedError, match="message counter"):
        decode_telegram(LongFrame(RSP_UD, 1, 0x72, mode_7.encode() + bytes(16)), lambda _: bytes(16))


def test_an_encrypted_telegram_is_read_with_its_key():
    plain = b"\x2f\x2f" + build.volume_litres(4711).octets + b"\x2f" * 8
    header = Header("12345678", "OAG", 1, Medium.GAS, 42, configuration=0x0510)
    octets = header.encode()
    vector = octets[4:6] + octets[:4] + octets[6:8] + bytes([42]) * 8
    sealed = Cipher(algorithms.AES(KEY), modes.CBC(vector)).encryptor().update(plain)
    frame = LongFrame(RSP_UD, 1, 0x72, octets + sealed)
    telegram = decode_telegram(frame, {"12345678": KEY}.get)
    assert isinstance(telegram, VariableData)
    assert [record.value for record in telegram.records] == [Decimal("4.711")]
    (told,) = tell(encode(frame), key=KEY)
    assert (told.meter, told.readings[0].value) == ("OAG12345678", Decimal("4.711"))
    for key in (None, bytes(16)):
        (told,) = tell(encode(frame), language="mbus", key=key)
        assert told.error


def wired_mode_7(*, damage: int = 0, mac_octets: int = 8, behind: int = 0x72) -> LongFrame:
    """A wired answer sealed by mode 7, its counter and code in the authentication layer."""
    counter = (99).to_bytes(4, "little")
    plain = b"\x2f\x2f" + build.volume_litres(4711).octets + b"\x2f" * 8
    header = Header("12345678", "OAG", 1, Medium.GAS, 42, configuration=0x0710).encode()
    cipher = Cipher(algorithms.AES(derived_key(KEY, b"\x00", counter, header[:4])), modes.CBC(bytes(16))).encryptor()
    transport = bytes([behind]) + header + b"\x10" + cipher.update(plain)
    cmac = CMAC(algorithms.AES(derived_key(KEY, b"\x01", counter, header[:4])))
    cmac.update(b"\x25" + counter + transport)
    mac = bytearray(cmac.finalize()[:8])
    mac[3] ^= damage
    layer = (0x2C00).to_bytes(2, "little") + b"\x25" + counter + bytes(mac[:mac_octets])
    return LongFrame(RSP_UD, 1, 0x90, bytes([len(layer)]) + layer + transport)


def test_mode_7_on_the_wire_is_read_with_its_key():
    telegram = decode_telegram(wired_mode_7(), {"12345678": KEY}.get)
    assert isinstance(telegram, VariableData)
    assert [record.value for record in telegram.records] == [Decimal("4.711")]
    (told,) = tell(encode(wired_mode_7()), key=KEY)
    assert (told.language, told.meter, told.error) == ("mbus", "OAG12345678", "")


@pytest.mark.parametrize(
    ("frame", "key", "error", "found"),
    [
        (wired_mode_7(), None, KeyMissingError, "12345678"),
        (wired_mode_7(), bytes(16), WrongKeyError, "authentication code"),
        (wired_mode_7(damage=1), KEY, WrongKeyError, "authentication code"),
        (wired_mode_7(mac_octets=1), KEY, HeaderTruncatedError, "code of 8 bytes has 1"),
        (wired_mode_7(behind=0x7A), KEY, ControlInformationError, "7Ah behind"),
        (LongFrame(RSP_UD, 1, 0x90, b""), KEY, HeaderTruncatedError, "layer of 0"),
        (LongFrame(RSP_UD, 1, 0x90, b"\x09\x00"), KEY, HeaderTruncatedError, "of 9 bytes has 1"),
    ],
)
def test_mode_7_on_the_wire_that_cannot_be_read_says_why(
    frame: LongFrame, key: bytes | None, error: type[MBusError], found: str
):
    with pytest.raises(error, match=found):
        decode_telegram(frame, lambda _identification: key)


@given(st.binary(max_size=80))
def test_any_authentication_layer_is_read_or_refused(data: bytes):
    with suppress(MBusError):
        decode_telegram(LongFrame(RSP_UD, 1, 0x90, data), lambda _identification: KEY)


def test_a_scaled_quantity_with_correction_and_qualifier():
    raw = RawRecord(b"\x02", bytes.fromhex("93 BB 74"), (4564).to_bytes(2, "little"))
    record = interpret(raw)
    assert (record.value, record.qualifiers) == (Decimal("0.04564"), ("forward flow",))


def test_the_reading_of_a_gas_meter():
    instant = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    header = Header("00000007", "OAG", 1, Medium.GAS, 9)
    records = [build.date_time(LocalTime.of(instant, AMSTERDAM)), build.volume_litres(1234), build.error_flags(2)]
    reading = reading_of(decode_telegram(encode_telegram(header, records)), AMSTERDAM)
    assert (reading.instant, reading.volume_litres, reading.error_flags) == (instant, 1234, 2)
    assert (reading.manufacturer, reading.identification, reading.access_number) == ("OAG", "00000007", 9)
    with pytest.raises(NoReadingError):
        reading_of(decode_telegram(encode_telegram(header, records[1:])), AMSTERDAM)
    fixed = bytes.fromhex("78563412 0A 00 E9 7E 01000000 35010000")
    with pytest.raises(NoReadingError):
        reading_of(decode_application(0x73, fixed), AMSTERDAM)


@pytest.mark.parametrize(
    ("vif", "number", "energy_wh"), [(b"\x03", 4711, 4711), (b"\x06", 4711, 4_711_000), (b"\x0f", 36, 100_000)]
)
def test_the_energy_of_a_heat_meter_is_told_in_watt_hours(vif: bytes, number: int, energy_wh: int):
    time = LocalTime.of(datetime(2026, 3, 1, 1, 0, tzinfo=UTC), AMSTERDAM)
    header = Header("00000008", "OAH", 1, Medium.HEAT_INLET, 9)
    frame = encode_telegram(header, [build.date_time(time), build.integer(vif, number, 4)])
    reading = reading_of(decode_telegram(frame), AMSTERDAM)
    assert (reading.energy_wh, reading.volume_litres) == (energy_wh, None)
    with pytest.raises(NoReadingError, match="no volume or energy"):
        reading_of(decode_telegram(encode_telegram(header, [build.date_time(time)])), AMSTERDAM)
