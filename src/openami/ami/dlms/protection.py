"""How messages are protected on their way: here not at all; ciphering.py brings the protections with keys."""

from __future__ import annotations


class Protection:
    """The protection of a plain association: octets pass as they are."""

    #: octets a protection adds to an APDU
    overhead_octets: int = 0

    def protect(self, apdu: bytes) -> bytes:
        """The APDU as it travels."""
        return apdu

    def unprotect(self, apdu: bytes) -> bytes:
        """The APDU inside what travelled."""
        return apdu
