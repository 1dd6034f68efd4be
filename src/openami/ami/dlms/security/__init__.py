"""Protection of DLMS messages: in come plain APDUs and keys, out come sealed ones, and back.

`Ciphering` is what a client or server connection takes as its `protection`; `Prover` answers the challenges of high
level security. Upstream are the connections of this package; keys come from the key store of whoever owns the meter.
"""

from __future__ import annotations

from openami.ami.dlms.security.ciphering import Ciphering
from openami.ami.dlms.security.counters import ReceiveCounter, SendCounter
from openami.ami.dlms.security.envelopes import Envelope
from openami.ami.dlms.security.hls import Prover
from openami.ami.dlms.security.keys import KeyId, Keys, unwrap_key, wrap_key
from openami.ami.dlms.security.rotation import EphemeralAgreement, key_transfer, transferred_keys
from openami.ami.dlms.security.sealing import SecurityControl
from openami.ami.dlms.security.session_keys import Agreement, Scheme
from openami.ami.dlms.security.signed import Signer

__all__ = [
    "Agreement",
    "Ciphering",
    "Envelope",
    "EphemeralAgreement",
    "KeyId",
    "Keys",
    "Prover",
    "ReceiveCounter",
    "Scheme",
    "SecurityControl",
    "SendCounter",
    "Signer",
    "key_transfer",
    "transferred_keys",
    "unwrap_key",
    "wrap_key",
]
