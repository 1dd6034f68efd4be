"""Many messages at one desk: each gets its own answer, and waits or is refused by itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from openami.mdus.registry.errors import UnknownDeviceError
from openami.mdus.services.desk import PATIENCE, Desk, NothingTakenError, not_yet
from openami.shared.contract.enterprise import confirm, logs
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.headers import header
from openami.shared.errors import OpenAmiError
from openami.shared.seam import NotYet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.services.desk import Verdict
    from openami.shared.clock import ManualClock
    from openami.shared.contract.enterprise.model import HeadedMessage

CREATE = "UtilitiesDeviceERPSmartMeterCreateRequest"
LOCATE = "UtilitiesDeviceERPSmartMeterLocationNotification"
NO_DATABASE = cast("AsyncConnection", None)


@dataclass
class Office:
    """Hears what the desk says, and decides by the device number."""

    clock: ManualClock
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    heard: list[Any] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)

    async def send(self, _tx: AsyncConnection, messages: Sequence[tuple[HeadedMessage, str]]) -> None:
        self.heard += [message for message, _ in messages]

    async def take(self, _tx: AsyncConnection, items: Sequence[Any]) -> list[Verdict]:
        self.taken.append(len(items))
        return [self.verdicts.get(item.utilities_device.id) for item in items]

    def message(self, number: str, root: str = CREATE) -> Any:
        made: Any = example(root)
        device = replace(made.utilities_device, id=number)
        return replace(made, message_header=header(self.clock.now()), utilities_device=device)

    def bulk(self, *numbers: str) -> Any:
        return confirm.bulk([self.message(one) for one in numbers], header(self.clock.now()))


@pytest.fixture
def office(clock: ManualClock) -> Office:
    return Office(clock)


LATE = not_yet(UnknownDeviceError("Device 9 is not known."))


async def test_each_message_gets_one_confirmation(office: Office) -> None:
    office.verdicts["2"] = UnknownDeviceError("Device 2 is not known.")
    sent = [office.message("1"), office.bulk("2", "3"), office.message("2")]
    handler = Desk(office.send, office.clock).handler(office.take)
    assert await handler.many(NO_DATABASE, sent) == [None, None, None]
    assert office.taken == [4], "all items in one go"
    assert [one.message_header.reference_uuid for one in office.heard] == [one.message_header.uuid for one in sent]
    codes = [one.log.business_document_processing_result_code for one in office.heard]
    assert codes == ["3", "4", "5"]
    assert [logs.is_success(one.log) for one in office.heard[1].items] == [False, True]


async def test_one_whose_predecessor_is_late_waits_alone(office: Office) -> None:
    office.verdicts["9"] = LATE
    sent = [office.message("1"), office.message("9")]
    handler = Desk(office.send, office.clock).handler(office.take)
    assert await handler.many(NO_DATABASE, sent) == [None, LATE]
    assert len(office.heard) == 1
    with pytest.raises(NotYet, match="Device 9"):
        await handler(NO_DATABASE, sent[1])


async def test_a_bulk_done_in_part_must_be_undone_before_it_waits(office: Office) -> None:
    office.verdicts["9"] = LATE
    handler = Desk(office.send, office.clock).handler(office.take)
    with pytest.raises(NotYet):
        await handler.many(NO_DATABASE, [office.message("1"), office.bulk("2", "9")])
    assert office.heard == []
    assert await handler.many(NO_DATABASE, [office.message("1"), office.bulk("9", "9")]) == [None, LATE]


async def test_patience_ends_in_a_refusal(office: Office) -> None:
    office.verdicts["9"] = LATE
    sent = [office.message("9"), office.bulk("2", "9")]
    office.clock.advance(PATIENCE + timedelta(seconds=1))
    handler = Desk(office.send, office.clock).handler(office.take)
    assert await handler.many(NO_DATABASE, sent) == [None, None]
    assert [one.log.business_document_processing_result_code for one in office.heard] == ["5", "4"]


async def test_a_notification_of_which_nothing_was_done_is_refused_without_an_answer(office: Office) -> None:
    reason = UnknownDeviceError("Device 2 is not known.")
    office.verdicts["2"] = reason
    handler = Desk(office.send, office.clock).handler(office.take)
    sent = [office.message("1", LOCATE), office.message("2", LOCATE)]
    taken, refused = await handler.many(NO_DATABASE, sent)
    assert taken is None
    assert isinstance(refused, NothingTakenError)
    assert refused.reasons == [reason]
    assert office.heard == []
    with pytest.raises(OpenAmiError, match="Device 2"):
        await handler(NO_DATABASE, sent[1])
