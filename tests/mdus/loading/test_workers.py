"""Workers on this machine step back before what readers wait for."""

from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from openami.mdus.loading import Place
from openami.mdus.loading.worker import _middle
from openami.mdus.loading.workers import workers
from openami.shared.background import STEP_BACK
from openami.shared.clock import ManualClock
from openami.shared.contract.enterprise.codec import encode
from openami.shared.contract.enterprise.examples import example
from openami.shared.database import Database

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.enable_socket  # a pool of processes speaks over pipes that are sockets
def test_workers_are_nicer_than_who_started_them() -> None:
    with workers(processes=1) as make:
        pool = make()
        assert [pool.submit(os.nice, 0).result() for _ in range(2)] == [max(os.nice(0), STEP_BACK)] * 2


@pytest.mark.parametrize("parts", [1, 4])
async def test_bulk_messages_of_a_worker_leave_in_parts_as_the_settings_say(tmp_path: Path, parts: int) -> None:
    message: Any = example("MeterReadingDocumentERPResultBulkCreateRequest")
    message = dataclasses.replace(message, items=tuple(message.items) * (16 // len(message.items)))
    place = Place("", str(tmp_path), bulk_bytes_max=len(encode(message)) * 12 // 10 // parts)
    database = Database("postgresql+psycopg://nobody@localhost:1/none")  # it is not opened
    middle = _middle(place, database, ManualClock(datetime(2026, 3, 20, tzinfo=UTC)), None)
    envelopes = middle._enterprise_door._envelopes(message, "bulk")
    assert len(envelopes) == parts
    assert all(len(one.body) <= place.bulk_bytes_max for one in envelopes)
