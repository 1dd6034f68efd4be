"""What a slave answers (RSP_UD): a header and records, by CI field, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openami.ami.mbus import security
from openami.ami.mbus.authentication import NO_AUTHENTICATION, Authentication
from openami.ami.mbus.driver import meaning_of, own_records
from openami.ami.mbus.errors import ControlInformationError, EncryptedError, SlaveError
from openami.ami.mbus.fixed import FixedData, decode_fixed
from openami.ami.mbus.frames import RSP_UD, LongFrame
from openami.ami.mbus.header import (
    LONG_HEADER_SIZE,
    SHORT_HEADER_SIZE,
    Header,
    decode_long_header,
    decode_short_header,
)
from openami.ami.mbus.records import DIF_MANUFACTURER, DIF_MORE_RECORDS, RawRecord, Record, split_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CI_ERROR: Final = 0x70
CI_VARIABLE: Final = 0x72
CI_FIXED: Final = 0x73
CI_VARIABLE_NO_HEADER: Final = 0x78
CI_VARIABLE_SHORT_HEADER: Final = 0x7A

# CI 70h, EN 13757-3 table 10
_SLAVE_ERRORS: Final = {
    0: "unspecified error",
    1: "unimplemented CI field",
    2: "buffer too long, truncated",
    3: "too many records",
    4: "premature end of record",
    5: "more than 10 DIFEs",
    6: "more than 10 VIFEs",
    7: "reserved",
    8: "application busy",
    9: "too many readouts",
}
_MODE_SHIFT: Final = 8
_MODE_MASK: Final = 0x0F  # older makers use the fifth bit for something else; no mode in use needs it


@dataclass(frozen=True, slots=True)
class VariableData:
    """A telegram with data records, and what the manufacturer put behind them."""

    header: Header
    records: tuple[Record, ...]
    manufacturer_data: bytes = b""
    more_records_follow: bool = False


Telegram = VariableData | FixedData


def _no_key(_identification: str) -> None:
    return None


def decode_telegram(frame: LongFrame, keys: Callable[[str], bytes | None] = _no_key) -> Telegram:
    """The content of a slave's answer; `keys` gives the key of a meter by its eight digits.

    Raises:
        SlaveError: the slave reports an application error.
        ControlInformationError: the CI field is of another application layer.
        EncryptedError: the records are encrypted (EN 13757-7), and the key is missing or wrong, or the mode is neither
            5 nor 7.
        MBusError: the header or a record is cut, or breaks a bound of the standard.
    """
    return decode_application(frame.control_information, frame.data, keys)


def decode_application(
    control_information: int, data: bytes, keys: Callable[[str], bytes | None] = _no_key
) -> Telegram:
    """The same for an application layer without its wired frame, as the radio carries it."""
    match control_information:
        case 0x72:
            header = decode_long_header(data)
            return _variable(header, _opened(header, data, keys, NO_AUTHENTICATION))
        case 0x90:
            authentication, information, transport = Authentication.decode(data)
            if information != CI_VARIABLE:
                raise ControlInformationError(
                    f"CI {information:02X}h behind an authentication layer is not read.", hint="Read is 72h there."
                )
            header = decode_long_header(transport)
            return _variable(header, _opened(header, transport, keys, authentication))
        case 0x7A:
            short = decode_short_header(data)
            if _is_sealed(short, data[SHORT_HEADER_SIZE:]):
                raise EncryptedError("The telegram is encrypted and names no meter.", hint="Ask with a long header.")
            return _variable(short, data[SHORT_HEADER_SIZE:])
        case 0x78:
            return _variable(Header("", "", 0, 0, 0), data)
        case 0x73:
            return decode_fixed(data)
        case 0x70:
            code = data[0] if data else None
            raise SlaveError(code, _SLAVE_ERRORS.get(code, f"code {code}") if code is not None else "no code given")
        case other:
            raise ControlInformationError(
                f"CI {other:02X}h is not an answer with data.", hint="Read are CI 70h, 72h, 73h, 78h, 7Ah and 90h."
            )


def encode_telegram(
    header: Header,
    records: Iterable[RawRecord],
    *,
    address: int = 0,
    manufacturer_data: bytes = b"",
    more_records_follow: bool = False,
) -> LongFrame:
    """A slave's answer with a long header (CI 72h)."""
    data = header.encode() + b"".join(record.octets for record in records)
    if more_records_follow:
        data += bytes([DIF_MORE_RECORDS]) + manufacturer_data
    elif manufacturer_data:
        data += bytes([DIF_MANUFACTURER]) + manufacturer_data
    return LongFrame(RSP_UD, address, CI_VARIABLE, data)


def encryption_mode(configuration: int) -> int:
    """The mode bits of the configuration word (EN 13757-7): 0 none, 5 AES-CBC, 7 AES-CBC with a derived key."""
    return configuration >> _MODE_SHIFT & _MODE_MASK


def _is_sealed(header: Header, data: bytes) -> bool:
    modes = (security.MODE_CBC_IV, security.MODE_CBC_NO_IV)
    return encryption_mode(header.configuration) in modes and not data.startswith(security.FILLERS)


def _opened(header: Header, data: bytes, keys: Callable[[str], bytes | None], authentication: Authentication) -> bytes:
    """The records behind a long header, deciphered where they are ciphered."""
    records = data[LONG_HEADER_SIZE:]
    extension = int(encryption_mode(header.configuration) == security.MODE_CBC_NO_IV)
    if not _is_sealed(header, records[extension:]):
        return records[extension:]
    key = security.need_key(keys(header.identification), header.identification)
    if not extension:
        address = data[4:6] + data[:4] + data[6:8]
        return security.decrypt_mode_5(records, header.configuration >> 4 & 0x0F, key, address, header.access_number)
    if not authentication.counter:
        raise EncryptedError(
            "Mode 7 needs a message counter, which no layer of this telegram brings.", hint="It comes with CI 90h."
        )
    return authentication.open(key, header, data[:4], bytes([CI_VARIABLE]) + data, records[extension:])


def _variable(header: Header, data: bytes) -> VariableData:
    raws, manufacturer_data, more = split_records(data)
    records = meaning_of(header, raws)
    records += own_records(header, manufacturer_data, behind_records=True) or []
    return VariableData(header, tuple(records), manufacturer_data, more)
