"""The workers of a load: processes of this machine, or those of a Dask cluster; both are standard executors."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from openami.shared.background import keep_memory, step_back
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor


class NoClusterError(OpenAmiError):
    """The cluster cannot be used."""


@contextmanager
def workers(scheduler: str | None = None, processes: int | None = None) -> Iterator[Callable[[], Executor]]:
    """What makes executors: of a Dask cluster if its scheduler is named, else of so many processes (one a core).

    A cluster replaces lost workers by itself; a broken pool of processes is made anew.
    """
    if scheduler is not None:
        with _cluster(scheduler) as executor:
            yield lambda: executor
        return
    pools: list[ProcessPoolExecutor] = []

    def pool() -> Executor:
        # a server process that forks: it starts fast, and inherits no connection and no event loop of ours
        method = multiprocessing.get_context("forkserver")
        method.set_forkserver_preload(["openami.mdus.loading.worker"])
        count = processes or os.cpu_count() or 1
        pools.append(ProcessPoolExecutor(count, mp_context=method, initializer=_begin))
        return pools[-1]

    try:
        yield pool
    finally:
        for one in pools:
            one.shutdown(cancel_futures=True)


def _begin() -> None:
    keep_memory()
    step_back()


@contextmanager
def _cluster(scheduler: str) -> Iterator[Executor]:
    try:
        from distributed import Client  # noqa: PLC0415 - only who has a cluster needs it
    except ImportError as error:
        raise NoClusterError("Dask is not installed.", hint="Run: pip install 'openami[cluster]'") from error
    try:
        client = Client(scheduler, timeout=20)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError) as error:
        raise NoClusterError(
            f"The scheduler at {scheduler} does not answer.", hint="Start one with `dask scheduler`."
        ) from error
    with client:
        # a delivery that was being loaded when its worker died is loaded by another one
        yield client.get_executor(pure=False, retries=5)  # type: ignore[no-untyped-call]
