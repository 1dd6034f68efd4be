"""Workers on this machine step back before what readers wait for."""

from __future__ import annotations

import os

import pytest

from openami.mdus.loading.workers import STEP_BACK, workers

NICEST = 19


@pytest.mark.enable_socket  # a pool of processes speaks over pipes that are sockets
def test_workers_are_nicer_than_who_started_them() -> None:
    with workers(processes=1) as make:
        pool = make()
        assert [pool.submit(os.nice, 0).result() for _ in range(2)] == [min(os.nice(0) + STEP_BACK, NICEST)] * 2
