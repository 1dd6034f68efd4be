"""A radio telegram, layer by layer: link, extended link, authentication, transport, records (OMS volume 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openami.ami.mbus import security
from openami.ami.mbus.authentication import CI_AFL, NO_AUTHENTICATION, Authentication
from openami.ami.mbus.compact import FormatBook
from openami.ami.mbus.driver import meaning_of, own_records
from openami.ami.mbus.errors import (
    ChecksumError,
    ControlInformationError,
    EncryptedError,
    HeaderTruncatedError,
    MBusError,
    WrongKeyError,
)
from openami.ami.mbus.header import (
    LONG_HEADER_SIZE,
    SHORT_HEADER_SIZE,
    Header,
    decode_long_header,
    decode_short_header,
)
from openami.ami.mbus.records import RawRecord, Record, interpret, split_records
from openami.ami.mbus.telegram import encryption_mode
from openami.ami.mbus.wireless import CRC_SIZE, RadioFrame, crc16_en13757, decode_radio_frame

if TYPE_CHECKING:
    from collections.abc import Callable

CI_ELL_2, CI_ELL_8, CI_ELL_10, CI_ELL_16 = 0x8C, 0x8D, 0x8E, 0x8F
CI_SHORT_HEADER, CI_LONG_HEADER, CI_NO_HEADER = 0x7A, 0x72, 0x78
CI_COMPACT, CI_COMPACT_SHORT_HEADER = 0x79, 0x7B
_ELL_SIZES: Final = {CI_ELL_2: 2, CI_ELL_8: 8, CI_ELL_10: 10, CI_ELL_16: 16}
_LAYERS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class RadioTelegram:
    """A telegram that was opened: header of the meter itself, records, what the manufacturer put behind them."""

    link: RadioFrame
    header: Header
    records: tuple[Record, ...]
    manufacturer_data: bytes
    encrypted: bool
    authenticated: bool


@dataclass(slots=True)
class _Opening:
    """What is known while the layers come off."""

    frame: RadioFrame
    key: bytes | None
    information: int
    data: bytes
    authentication: Authentication = NO_AUTHENTICATION
    access_number: int = 0
    encrypted: bool = False
    authenticated: bool = False
    address: bytes = b""


def decode_radio(
    octets: bytes,
    keys: Callable[[str], bytes | None] = lambda _identification: None,
    book: FormatBook | None = None,
) -> RadioTelegram:
    """Open one radio telegram; `keys` gives the key of a meter by its eight digits.

    `book` remembers the formats of full frames for the compact ones that follow; without it only drivers know some.

    Raises:
        KeyMissingError: it is encrypted, and there is no key.
        WrongKeyError: the key does not fit.
        ControlInformationError: a layer is none that we read (makers' own formats among them).
        MBusError: the frame or a record is damaged.
    """
    frame = decode_radio_frame(octets)
    opening = _Opening(frame, keys(frame.identification), frame.control_information, frame.data)
    opening.address = frame.manufacturer_octets + frame.address
    for _ in range(_LAYERS_MAX):
        if opening.information in _ELL_SIZES:
            _extended_link_layer(opening)
        elif opening.information == CI_AFL:
            _authentication_layer(opening)
        else:
            return _transport_layer(opening, keys, book or FormatBook())
    raise ControlInformationError("There are layers without end.", hint="This is no telegram of a meter.")


def _extended_link_layer(opening: _Opening) -> None:
    """EN 13757-4 clause 12: communication control, access number, then receiver address or session, or both."""
    size = _ELL_SIZES[opening.information]
    head = _take(opening, size)
    control, opening.access_number = head[0], head[1]
    if opening.information in (CI_ELL_8, CI_ELL_16):
        session, rest = head[-6:-2], head[-2:] + opening.data
        if session[3] >> 5 & 0x07 == 1 and not _checksum_fits(rest):  # it fits where a receiver decrypted it
            key = security.need_key(opening.key, opening.frame.identification)
            rest = security.decrypt_link_layer(rest, key, opening.address, control, session)
            opening.encrypted = True
        if not _checksum_fits(rest):
            if opening.encrypted:
                raise WrongKeyError("The key opens nothing readable.", hint="Is it the key of this meter?")
            raise ChecksumError("The payload's checksum does not fit.", hint="Wait for the next telegram.")
        opening.data = rest[2:]
    opening.information = _take(opening, 1)[0]


def _authentication_layer(opening: _Opening) -> None:
    opening.authentication, opening.information, opening.data = Authentication.decode(opening.data)


def _transport_layer(opening: _Opening, keys: Callable[[str], bytes | None], book: FormatBook) -> RadioTelegram:
    information, whole = opening.information, opening.data
    if information == CI_LONG_HEADER:
        header = decode_long_header(_take(opening, LONG_HEADER_SIZE))
        opening.address = whole[4:6] + whole[:4] + whole[6:8]
        opening.key = keys(header.identification)
    elif information in (CI_SHORT_HEADER, CI_COMPACT_SHORT_HEADER):
        short = decode_short_header(_take(opening, SHORT_HEADER_SIZE))
        header = _header_of(opening.frame, short.access_number, short.status, short.configuration)
    elif information in (CI_NO_HEADER, CI_COMPACT):
        header = _header_of(opening.frame, opening.access_number)
    else:
        return _makers_own(opening)
    _open(opening, header, bytes([information]) + whole)
    if information in (CI_COMPACT, CI_COMPACT_SHORT_HEADER):
        return _told(opening, header, [interpret(raw) for raw in book.expand(opening.data)])
    own = own_records(header, opening.data)
    if own is not None:
        return _told(opening, header, own)
    raws, manufacturer_data = _split(opening.data)
    book.learn(raws)
    records = meaning_of(header, raws)
    records += own_records(header, manufacturer_data, behind_records=True) or []
    return _told(opening, header, records, manufacturer_data)


def _split(data: bytes) -> tuple[list[RawRecord], bytes]:
    """The records; a last checksum that the receiver left there, good or not, is none of them."""
    try:
        return split_records(data)[:2]
    except MBusError:
        raws, manufacturer_data, _ = split_records(data[:-CRC_SIZE])
        return raws, manufacturer_data


def _makers_own(opening: _Opening) -> RadioTelegram:
    """A CI field of the manufacturer: what its driver reads."""
    header = _header_of(opening.frame)
    head = opening.frame.manufacturer_octets + opening.frame.address
    records = own_records(header, opening.data, information=opening.information, head=head)
    if records is None:
        raise ControlInformationError(
            f"CI {opening.information:02X}h is no transport layer that we read.",
            hint=f"{header.manufacturer} {header.version:02X} {header.medium:02X} needs a driver for its own format.",
        )
    return _told(opening, header, records)


def _told(opening: _Opening, header: Header, records: list[Record], own: bytes = b"") -> RadioTelegram:
    return RadioTelegram(opening.frame, header, tuple(records), own, opening.encrypted, opening.authenticated)


def _open(opening: _Opening, header: Header, transport: bytes) -> None:
    mode, blocks = encryption_mode(header.configuration), header.configuration >> 4 & 0x0F
    extension = int(mode == security.MODE_CBC_NO_IV)  # which key derivation
    if mode == security.MODE_NONE or opening.data[extension:].startswith(security.FILLERS):
        _take(opening, extension)
        return  # some receivers decrypt, and leave the mode as it was
    if mode not in (security.MODE_CBC_IV, security.MODE_CBC_NO_IV):
        if _is_plain(opening.data):
            return  # some makers write other things where the mode belongs
        raise EncryptedError(f"Encryption mode {mode} is not one we open.", hint="Modes 5 and 7 are.")
    key = security.need_key(opening.key, header.identification)
    opening.encrypted = True
    if mode == security.MODE_CBC_IV:
        opening.data = security.decrypt_mode_5(opening.data, blocks, key, opening.address, header.access_number)
        return
    _take(opening, extension)
    opening.data = opening.authentication.open(key, header, opening.address[2:6], transport, opening.data)
    opening.authenticated = bool(opening.authentication.mac)


def _is_plain(data: bytes) -> bool:
    try:
        raws, _ = _split(data)
    except MBusError:
        return False
    records = [interpret(raw) for raw in raws]
    return any(record.value is not None for record in records) and all(r.quantity != "reserved" for r in records)


def _checksum_fits(payload: bytes) -> bool:
    return crc16_en13757(payload[2:]).to_bytes(2, "little") == payload[:2]


def _header_of(frame: RadioFrame, access_number: int = 0, status: int = 0, configuration: int = 0) -> Header:
    """The meter is the sender itself."""
    return Header(
        frame.identification, frame.manufacturer, frame.version, frame.medium, access_number, status, configuration
    )


def _take(opening: _Opening, size: int) -> bytes:
    if len(opening.data) < size:
        raise HeaderTruncatedError(f"A layer of {size} bytes has {len(opening.data)}.", hint="The telegram was cut.")
    taken, opening.data = opening.data[:size], opening.data[size:]
    return taken
