"""How messages are protected on their way: here not at all; `security.Ciphering` brings the protections with keys."""

from __future__ import annotations


class Protection:
    """The protection of a plain association: octets pass as they are.

    A server that has a title tells it there, too: so a client that knows which title its peer has (`usual_title`)
    sees that somebody else answers, even where there are no keys to prove it by.
    """

    #: whether associations with it are ciphered ones
    ciphered: bool = False
    #: octets a protection adds to an APDU
    overhead_octets: int = 0
    #: whether somebody else than the usual peer answers in its place, by its keys and a title of its own
    stood_in: bool = False
    #: the key of one association only, told to the server inside the ciphered request
    dedicated_key: bytes = b""

    def __init__(self, title: bytes = b"", *, usual_title: bytes = b"") -> None:
        """Take our system title, told to the peer when the association opens, and the peer's as far as it is known."""
        self.title = title
        self._usual_title = usual_title

    def meet(self, peer_title: bytes, dedicated_key: bytes = b"") -> None:  # noqa: ARG002 - nothing is sealed here
        """A new association begins with the peer of this title; `dedicated_key` protects what follows."""
        self.stood_in = bool(peer_title and self._usual_title) and peer_title != self._usual_title

    def protect(self, apdu: bytes) -> bytes:
        """The APDU as it travels."""
        return apdu

    def protect_initiate(self, apdu: bytes) -> bytes:
        """The xDLMS part of an association request or answer as it travels: by the global key."""
        return apdu

    def unprotect(self, apdu: bytes) -> tuple[bytes, bool]:
        """The APDU inside what travelled, and whether it was protected as our policy demands."""
        return apdu, False
