"""What meters say by themselves: sealed pushes over UDP (over TCP: `callers`), kept once, and acted upon.

A last gasp is told at once; any other push makes its meter due, so that what its logs say travels by the regular path
and nothing is told twice. A push whose counter is not above the last one is a copy or an attack, and changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import insert, select, update

from openami.ami.dlms.errors import DlmsError
from openami.ami.dlms.push.listener import Listener
from openami.ami.dlms.security.envelopes import unwrap
from openami.ami.dlms.wrapper import WrapperFrame
from openami.ami.headend import reports, store
from openami.ami.headend.functions.model import plain
from openami.ami.headend.protections import keys_of
from openami.ami.headend.store import meter_table, push_table
from openami.shared.contract import field
from openami.shared.database import after_commit
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.ami.dlms.push.listener import Push
    from openami.ami.headend.deliveries import Sender
    from openami.ami.headend.shipment import Seals
    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

WAITING_MAX: Final = 10_000
"""A street that goes dark gasps all at once; what does not fit is lost, as UDP is."""
LAST_GASP_SETUP: Final = "0-3:25.9.0"
POWER_DOWN: Final = 1
LAST_CODE: Final = "0-0:96.11.0.255"


class PushIntake(asyncio.DatagramProtocol):
    """Takes pushes on a UDP port."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sealer: Seals,
        sender: Sender,
        wake: asyncio.Event,
        *,
        host: str,
        port: int,
    ) -> None:
        self._database, self._clock, self._sealer = database, clock, sealer
        self._sender, self._wake = sender, wake
        self._host, self.port = host, port
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING_MAX)
        self.taken = 0
        self.refused = 0

    def datagram_received(self, data: bytes, addr: object) -> None:
        """One push."""
        del addr  # who sent it is told by the seal, not by the address
        try:
            self._waiting.put_nowait(data)
        except asyncio.QueueFull:
            self.refused += 1

    async def run(self) -> None:
        """A loop: take pushes for ever."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self._host, self.port))
        self.port = transport.get_extra_info("sockname")[1]
        try:
            while True:
                await self._take(await self._waiting.get())
        finally:
            transport.close()

    async def _take(self, datagram: bytes) -> None:
        try:
            taken = await self.take(datagram) is not None
        except OpenAmiError as error:
            taken = False
            log.info("push.refused", reason=str(error))
        except Exception:  # the loop outlives whatever a push meets: a shape that nobody foresaw, a database restart
            taken = False
            log.exception("push.failed")
        self.taken += taken
        self.refused += not taken

    async def take(self, datagram: bytes) -> str | None:
        """Keep one push and act upon it; the serial number of its meter, None for a push that came before.

        Raises:
            DlmsError: it is none, or not sealed by a meter of ours.
        """
        apdu = WrapperFrame.decode(datagram).apdu
        opened = unwrap(apdu)
        title = b"" if opened is None else opened[0].title
        async with self._database.begin() as transaction:
            query = select(meter_table).where(
                meter_table.c.system_title == title, meter_table.c.sealed_keys.is_not(None)
            )
            row = (await transaction.execute(query.limit(1).with_for_update())).one_or_none() if title else None
            if row is None:
                raise DlmsError(f"A push of {title.hex() or 'nobody'} is of no meter of ours.")
            keys = keys_of(self._sealer.open(row.sealed_keys, context=row.serial))
            push = Listener(lambda _title: keys).take(apdu)
            if push is None or not push.authentic or push.counter is None:
                raise DlmsError(f"A push of {row.serial} is not sealed as ours are.")
            now = self._clock.now()
            if push.counter <= row.push_counter:
                await store.system_event(transaction, row.serial, "push repeated", {"counter": push.counter}, now)
                return None
            setup, values = _content(push)
            await transaction.execute(
                insert(push_table).values(
                    serial=row.serial, setup=setup, received_at=now, counter=push.counter, values=values
                )
            )
            changes: dict[str, object] = {"push_counter": push.counter}
            if values.get(LAST_CODE) == POWER_DOWN and setup.startswith(LAST_GASP_SETUP):
                event = reports.own_event(
                    "power.lastgasp",
                    serial=row.serial,
                    mrid=row.mrid,
                    usage_point=row.usage_point,
                    at=now,
                    control_mrid=f"push {push.counter}",
                    tracking=(None, None),
                )
                await self._sender.event(transaction, field.EndDeviceEvents((event,)), now, business_key=row.serial)
            elif row.provisioned_at is not None and row.removed_at is None:
                changes["next_due_at"] = now
                after_commit(transaction, self._wake)
            await transaction.execute(update(meter_table).where(meter_table.c.serial == row.serial).values(**changes))
        serial: str = row.serial
        return serial


def _content(push: Push) -> tuple[str, dict[str, object]]:
    """Which setup sent it, and its values by OBIS code."""
    listed = push.body.elements()[0].elements()
    return str(listed[0].elements()[1].obis()), {str(each.obis): plain(each.value) for each in push.values}
