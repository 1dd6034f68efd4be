"""What both seams do the same way: nothing acknowledged is lost, nothing is done twice.

Comes in: messages to send (`Outbox.put`, in the transaction of what they announce) and messages received
(`Inbox.keep`, durable before the sender gets its 2xx, de-duplicated by the sender's id). Goes out: deliveries with
back-off until the partner has acknowledged, and each received message exactly once to its handler. The two doors put
the contracts on top: `openami.shared.seam.enterprise` (SOAP) and `openami.shared.seam.field` (IEC 61968-9).
"""

from openami.shared.seam.arrivals import Arrival, Receipt
from openami.shared.seam.inbox import Inbox
from openami.shared.seam.model import Envelope, InboundMessage, NotYet, Seam
from openami.shared.seam.outbox import Delivery, Outbox, Refused, Unreachable
from openami.shared.seam.store import SeamTables, seam_tables

__all__ = [
    "Arrival",
    "Delivery",
    "Envelope",
    "InboundMessage",
    "Inbox",
    "NotYet",
    "Outbox",
    "Receipt",
    "Refused",
    "Seam",
    "SeamTables",
    "Unreachable",
    "seam_tables",
]
