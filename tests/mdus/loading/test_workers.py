"""Workers on this machine step back before what readers wait for."""

from __future__ import annotations

import dataclasses
import os
import resource
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
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


def faults_of_a_second_batch() -> tuple[int, str]:
    """How many pages a process is given when it takes 30 MB, in pieces, that it has taken and freed before."""
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        batch = [np.ones(3 << 20, np.uint8) for _ in range(10)]
        del batch
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, pa.default_memory_pool().backend_name


@pytest.mark.enable_socket
def test_workers_keep_the_memory_of_a_batch_for_the_next_one() -> None:
    with workers(processes=1) as make:
        faults, pool = make().submit(faults_of_a_second_batch).result()
    assert faults < 500, "of 7,680 pages"
    assert pool == "system", "one heap, of numpy and Arrow"


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
