"""Protection of OMS telegrams: AES modes 5 and 7 of the transport layer, counter mode of the extended link layer."""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from openami.ami.mbus.errors import EncryptedError, KeyMissingError, WrongKeyError

KEY_SIZE: Final = 16
BLOCK_SIZE: Final = 16
MODE_NONE, MODE_CBC_IV, MODE_CBC_NO_IV = 0, 5, 7
FILLERS: Final = b"\x2f\x2f"
_ENCRYPTION_KEY: Final = b"\x00"
_AUTHENTICATION_KEY: Final = b"\x01"
_PADDING: Final = b"\x07" * 7
# AFL message control, authentication type: how many bytes of the CMAC are sent (OMS volume 2, table 7.2)
MAC_SIZES: Final = {3: 2, 4: 4, 5: 8, 6: 12, 7: 16}


def need_key(key: bytes | None, identification: str) -> bytes:
    """The key of a meter.

    Raises:
        KeyMissingError: there is none, or it is no AES-128 key.
    """
    if key is None or len(key) != KEY_SIZE:
        raise KeyMissingError(
            f"The telegram of {identification} is encrypted.", hint="Give its key: 32 hexadecimal digits."
        )
    return key


def decrypt_mode_5(data: bytes, blocks: int, key: bytes, address: bytes, access_number: int) -> bytes:
    """EN 13757-7 mode 5: CBC over the first blocks; the vector is the meter's address and eight access numbers.

    Raises:
        WrongKeyError: the plain text does not begin with two fillers.
    """
    return _cbc(data, blocks, key, address + bytes([access_number]) * 8)


def decrypt_mode_7(data: bytes, blocks: int, key: bytes, counter: bytes, identification: bytes) -> bytes:
    """EN 13757-7 mode 7: CBC with an empty vector and a key derived for this message counter.

    Raises:
        WrongKeyError: the plain text does not begin with two fillers.
    """
    return _cbc(data, blocks, derived_key(key, _ENCRYPTION_KEY, counter, identification), bytes(BLOCK_SIZE))


def check_mac(key: bytes, counter: bytes, identification: bytes, protected: bytes, mac: bytes) -> None:
    """Compare the authentication code of the AFL with the one that the key gives.

    Raises:
        WrongKeyError: they differ.
    """
    cmac = CMAC(algorithms.AES(derived_key(key, _AUTHENTICATION_KEY, counter, identification)))
    cmac.update(protected)
    if not hmac.compare_digest(cmac.finalize()[: len(mac)], mac):
        raise WrongKeyError(
            "The authentication code does not fit.", hint="Wrong key, or the telegram was tampered with."
        )


def derived_key(key: bytes, purpose: bytes, counter: bytes, identification: bytes) -> bytes:
    """OMS key derivation: CMAC over purpose, message counter, meter identification and padding."""
    cmac = CMAC(algorithms.AES(key))
    cmac.update(purpose + counter + identification + _PADDING)
    return cmac.finalize()


def decrypt_link_layer(data: bytes, key: bytes, address: bytes, communication_control: int, session: bytes) -> bytes:
    """The extended link layer's counter mode (EN 13757-4 clause 12.9)."""
    vector = address + bytes([communication_control]) + session + bytes(3)
    return Cipher(algorithms.AES(key), modes.CTR(vector)).decryptor().update(data)


def _cbc(data: bytes, blocks: int, key: bytes, vector: bytes) -> bytes:
    size = blocks * BLOCK_SIZE if blocks else len(data) // BLOCK_SIZE * BLOCK_SIZE
    if not size or size > len(data):
        raise EncryptedError(
            f"{blocks} encrypted blocks are announced, there are {len(data)} bytes.", hint="The telegram was cut."
        )
    decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    plain = decryptor.update(data[:size]) + data[size:]
    if not plain.startswith(FILLERS):
        raise WrongKeyError("The key opens nothing readable.", hint="Is it the key of this meter, in this mode?")
    return plain
