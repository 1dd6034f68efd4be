"""Real servers of the distributed form, from their wheels, as child processes: SeaweedFS, a Dask scheduler, workers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from openami.shared.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY, SECRET = "openami", "openami-secret"
START_TIMEOUT_S = 60.0
BINARIES = Path(sys.executable).parent


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def child(
    command: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=os.environ | (environment or {})
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_it_listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{process.args!r} did not start: {log.read_text(errors='replace')[-800:]}"
                ) from None
            time.sleep(0.05)
        else:
            return


@contextmanager
def seaweedfs(folder: Path) -> Iterator[ObjectStore]:
    """An S3 store with one bucket `openami`."""
    master, volume, filer, s3 = free_ports(4)
    grpc = free_ports(4)
    log, data = folder / "seaweedfs.log", folder / "seaweedfs"
    data.mkdir()
    config = folder / "s3.json"
    keys = [{"accessKey": KEY, "secretKey": SECRET}]
    may = ["Admin", "Read", "Write", "List", "Tagging"]
    config.write_text(json.dumps({"identities": [{"name": "openami", "credentials": keys, "actions": may}]}))
    weed = shutil.which("weed", path=str(BINARIES)) or "weed"
    command = [
        weed, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
        f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}",
        f"-master.port.grpc={grpc[0]}", f"-volume.port.grpc={grpc[1]}", f"-filer.port.grpc={grpc[2]}",
        f"-s3.port.grpc={grpc[3]}", f"-s3.config={config}", "-master.volumeSizeLimitMB=64", "-volume.max=40",
        "-s3.iam=false",
    ]  # fmt: skip
    with child(command, log) as process:
        wait_until_it_listens(s3, process, log)
        store = ObjectStore(KEY, SECRET, f"http://127.0.0.1:{s3}")
        _make_bucket(store, log)
        yield store


def _make_bucket(store: ObjectStore, log: Path) -> None:
    """Ask until the parts of the store have found one another."""
    files = store.file_system(creating=True)
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            files.create_dir("openami")
            with files.open_output_stream("openami/ready") as stream:
                stream.write(b"yes")
        except OSError:
            if time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")[-800:]) from None
            time.sleep(0.1)
        else:
            return


@dataclass(slots=True)
class Cluster:
    """A Dask scheduler and its workers."""

    scheduler: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def kill_a_worker(self) -> int:
        """SIGKILL, nothing gentler."""
        victim = self.workers.pop(0)
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        return victim.pid


@contextmanager
def dask(folder: Path, workers: int, environment: dict[str, str]) -> Iterator[Cluster]:
    """A scheduler on loopback and its workers: each one process and one thread."""
    (port,) = free_ports(1)
    scheduler = [
        sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
        "--no-dashboard", "--no-show",
    ]  # fmt: skip
    log = folder / "scheduler.log"
    with child(scheduler, log) as process:
        wait_until_it_listens(port, process, log)
        cluster = Cluster(f"tcp://127.0.0.1:{port}")
        worker = [
            sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler, "--host", "127.0.0.1",
            "--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0",
            "--local-directory", str(folder / "dask"), "--death-timeout", "30",
        ]  # fmt: skip
        try:
            for number in range(workers):
                with (folder / f"worker-{number}.log").open("ab") as output:
                    cluster.workers.append(
                        subprocess.Popen(worker, stdout=output, stderr=output, env=os.environ | environment)
                    )
            yield cluster
        finally:
            for one in cluster.workers:
                one.terminate()
            for one in cluster.workers:
                try:
                    one.wait(10)
                except subprocess.TimeoutExpired:
                    one.kill()
                    one.wait()
